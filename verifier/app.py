"""The verifier as a service: checks for everyone, presentations for its desks, receipts.

Trust data is brought by a background job; its age stands in every verdict and in `/readyz`. No
request names a person to anybody else: lists are fetched whole, for everyone, by the refresher.
"""

import time
from collections.abc import Callable

from fastapi import FastAPI, Request

from talentseal.encoding import to_seconds
from talentseal.service.app import Job, include_plain, new_app, new_service
from talentseal.service.auth import Actor, bearer_of
from talentseal.service.database import forget_erased
from talentseal.service.erasing import CautiousClock
from verifier.checks.endpoints import BODY_CAPS, checks_router
from verifier.database import SCHEMA, reading
from verifier.operators.service import find_actor
from verifier.presentations.endpoints import BODY_CAPS as FORM_CAPS
from verifier.presentations.endpoints import presentations_router, wallet_router
from verifier.presentations.repository import forget as forget_presentations
from verifier.receipts.endpoints import receipts_router
from verifier.receipts.service import Receipts, forget
from verifier.station import Station, trust_state

_WRITE_SECONDS = 0.5
_FORGET_SECONDS = 60.0


def create_app(station: Station, *, steady: Callable[[], float] = time.monotonic) -> FastAPI:
    """The application of one verifier.

    steady  seconds of a clock that nobody sets
    """
    engine = station.engine
    receipts = Receipts(engine, days=station.receipt_days, random=station.random)
    service = new_service(
        "verifier",
        ready={
            "database": lambda: SCHEMA.check_ready(engine),
            "trust": lambda: trust_state(station),
        },
        body_caps={**BODY_CAPS, **FORM_CAPS},
    )
    service.metrics.gauge(
        "trust_age_seconds", "Age of the home jurisdiction's trust data.", lambda: _age(station)
    )
    service.metrics.gauge("receipts_waiting", "Not written yet.", lambda: receipts.waiting)

    cautious = CautiousClock(steady)

    def forget_old() -> None:
        now = cautious.believed(_now(station), proven=_proven(station))
        forget(engine, now=now)
        forget_presentations(engine, now=now)
        forget_erased(engine)

    def jobs() -> tuple[Job, ...]:
        return (
            station.trust,
            service.job("receipts", receipts.write, every_seconds=_WRITE_SECONDS, run_at_end=True),
            service.job("retention", forget_old, every_seconds=_FORGET_SECONDS),
        )

    def actor(request: Request) -> Actor:
        token = bearer_of(request.headers.get("authorization"))
        with reading(engine) as db:
            return find_actor(db, token)

    app = new_app("Talentseal verifier", service, jobs=jobs)
    app.state.station, app.state.receipts = station, receipts
    include_plain(app, checks_router(station, receipts))
    app.include_router(receipts_router(station, actor))
    app.include_router(presentations_router(station, actor))
    app.include_router(wallet_router(station))
    return app


def _now(station: Station) -> int:
    return to_seconds(station.clock())


def _age(station: Station) -> float:
    proven = _proven(station)
    return float("nan") if proven is None else _now(station) - proven


def _proven(station: Station) -> int | None:
    """The time that the trust data prove."""
    bundle = station.trust.bundle
    held = bundle.jurisdictions.get(bundle.home)
    return None if held is None else held.as_of
