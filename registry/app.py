"""The registry as a service: published files for everybody, status for issuers, acts of operators.

Public answers come from the published files alone. Issuers prove who they are by what they sign,
operators by a token with roles; both call the same services as the commands. In the background the
publisher puts into the world what has changed, at once where others wait for it and hourly anyway.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from fastapi import APIRouter, FastAPI

from registry.audit.endpoints import audit_router
from registry.audit.trail import check
from registry.house import House
from registry.issuers.endpoints import issuers_router
from registry.issuers.enrolment_endpoints import enrolments_router
from registry.issuers.rights_endpoints import rights_router
from registry.jurisdictions.endpoints import jurisdictions_router
from registry.jurisdictions.repository import all_jurisdictions
from registry.office import Office
from registry.publishing.desk_endpoints import publications_router
from registry.publishing.endpoints import files_router
from registry.publishing.image import check_not_ahead
from registry.publishing.shelf import Shelf
from registry.readiness import add_numbers, parts
from registry.status_lists.endpoints import orders_router, status_router
from registry.status_lists.signed import MAX_SIGNED_BYTES
from talentseal.commandline import now as system_clock
from talentseal.service.app import new_app, new_service

BODY_CAPS = {"/v1/status/orders": MAX_SIGNED_BYTES}
Clock = Callable[[], datetime]


def create_app(office: Office, *, clock: Clock = system_clock) -> FastAPI:
    """The application of one registry.

    Raises UsageError; UnavailableError where it cannot work, or over a broken audit trail;
    BundleError `ROLLBACK_REFUSED` over an old copy of the database.
    """
    office.open()
    with office.reading() as session:
        check(session)
        for row in all_jurisdictions(session):
            check_not_ahead(office, session, row.code, thoroughly=True)
    shelf = Shelf(office.settings.public)
    service = new_service("registry", ready=parts(office, clock, shelf), body_caps=BODY_CAPS)
    add_numbers(service.metrics, office, clock, shelf)
    house = House(office, clock, shelf, service)
    app = new_app("Talentseal registry", service, jobs=house.jobs)
    app.state.house = house
    for router in _routers(house):
        app.include_router(router)
    return app


def _routers(house: House) -> Sequence[APIRouter]:
    """One router a feature folder: what everybody reads, what issuers sign, what operators do."""
    return (
        files_router(house),
        status_router(house),
        orders_router(house),
        enrolments_router(house),
        jurisdictions_router(house),
        issuers_router(house),
        rights_router(house),
        publications_router(house),
        audit_router(house),
    )
