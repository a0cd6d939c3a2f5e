"""The issuer as a service: officers prepare, approve and issue; wallets fetch; orders go out.

Endpoints call the same services as the commands. In the background: orders of status are carried to
the registry, status indices are topped up, trust data is renewed, and claims that are no longer
needed are erased. The trail of acts is checked whole before anything is served.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from fastapi import APIRouter, FastAPI

from issuer.audit.endpoints import audit_router
from issuer.audit.trail import check_chain
from issuer.database import check_whole, reading
from issuer.duties import Duties
from issuer.issuances.endpoints import issuances_router
from issuer.office import Office, base_url
from issuer.openid4vci.endpoints import wallet_router
from issuer.openid4vci.offering import offering_router
from issuer.readiness import add_numbers, parts
from issuer.status.endpoints import credentials_router
from talentseal.commandline import now as system_clock
from talentseal.service.app import new_app, new_service
from talentseal.service.jobs import Repeating

Clock = Callable[[], datetime]


def create_app(office: Office, *, clock: Clock = system_clock) -> FastAPI:
    """The application of one issuer. Raises UnavailableError where its books are not whole."""
    check_whole(office.engine)
    with reading(office.engine) as db:
        check_chain(db)
    duties = Duties(office, clock)
    service = new_service("issuer", ready=parts(office, clock, duties.refused))
    add_numbers(service.metrics, office, clock)

    def jobs() -> Sequence[Repeating]:
        return duties.jobs(service)

    app = new_app("Talentseal issuer", service, jobs=jobs)
    app.state.office, app.state.duties = office, duties
    for router in _routers(office, clock, duties):
        app.include_router(router)
    return app


def _routers(office: Office, clock: Clock, duties: Duties) -> Sequence[APIRouter]:
    """One router a feature folder: the officers' first, then the wallets'."""
    return (
        issuances_router(office, clock),
        credentials_router(office, clock, ordered=duties.ordered),
        audit_router(office),
        offering_router(office, base_url(), clock),
        wallet_router(office, base_url(), clock),
    )
