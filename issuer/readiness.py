"""Is everything there that issuing needs? Asked by `/readyz`, told in numbers by `/metrics`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from issuer.database import SCHEMA, reading
from issuer.issuance.repository import room
from issuer.office import Office
from issuer.status.outbox import FORGOTTEN, FORGOTTEN_HINT, backlog, put_aside, registry_url
from talentseal.encoding import CLOCK_SKEW_SECONDS, to_seconds
from talentseal.errors import TalentsealError, UnavailableError
from talentseal.policy import MAX_AGE_SECONDS
from talentseal.service.app import Ready
from talentseal.service.metrics import Metrics

MAX_WAIT_SECONDS = 3600  # of an order; a revocation that the world does not learn of is a fault
Clock = Callable[[], datetime]


def parts(
    office: Office, clock: Clock, refused: Callable[[], Sequence[str]] = tuple
) -> Mapping[str, Ready]:
    """What readiness asks, by name.

    refused  tells the registry's codes for orders that it refused when last asked
    """
    return {
        "database": lambda: SCHEMA.check_ready(office.engine),
        "key": office.check_key,
        "trust": lambda: _trust(office, clock),
        "outbox": lambda: _outbox(office, clock, refused),
        "status": lambda: _room(office),
    }


def add_numbers(metrics: Metrics, office: Office, clock: Clock) -> None:
    metrics.gauge(
        "trust_age_seconds", "Age of the issuer's own trust data.", lambda: _age(office, clock)
    )
    metrics.gauge("orders_waiting", "Orders not delivered yet.", lambda: _waiting(office, clock))
    metrics.gauge("status_room", "Status indices left.", lambda: _left(office))


def _trust(office: Office, clock: Clock) -> dict[str, int]:
    held = office.bundle.jurisdictions.get(office.bundle.home)
    if held is None:
        raise UnavailableError("no trust data is held")
    age = to_seconds(clock()) - held.as_of
    if age > MAX_AGE_SECONDS:
        raise UnavailableError(f"the trust data is {age} seconds old, more than {MAX_AGE_SECONDS}")
    if not office.bundle.is_clock_sound(to_seconds(clock())):
        raise UnavailableError("the clock is behind a time that signed data prove")
    return {"age_seconds": age}


def _outbox(office: Office, clock: Clock, refused: Callable[[], Sequence[str]]) -> dict[str, int]:
    waiting, oldest, newest = backlog(office, now=clock())
    codes = list(refused()) if waiting else []
    if registry_url() is None:
        codes += put_aside(office)
    if codes:
        told = ", ".join(sorted(set(codes)))
        forgotten = f". {FORGOTTEN_HINT}" if FORGOTTEN in codes else ""
        raise UnavailableError(f"the registry refused {len(codes)} orders: {told}{forgotten}")
    if newest < -CLOCK_SKEW_SECONDS:
        raise UnavailableError(f"an order waits that is from {-newest} seconds ahead")
    if oldest > MAX_WAIT_SECONDS:
        raise UnavailableError(f"{waiting} orders wait, the oldest for {oldest} seconds")
    return {"waiting": waiting, "oldest_seconds": oldest}


def _room(office: Office) -> dict[str, int]:
    with reading(office.engine) as db:
        left = room(db)
    if not left:
        raise UnavailableError("no status indices are left")
    return {"left": left}


def _age(office: Office, clock: Clock) -> float:
    held = office.bundle.jurisdictions.get(office.bundle.home)
    return float("nan") if held is None else to_seconds(clock()) - held.as_of


def _waiting(office: Office, clock: Clock) -> float:
    try:
        return backlog(office, now=clock()).waiting
    except TalentsealError:
        return float("nan")


def _left(office: Office) -> float:
    try:
        with reading(office.engine) as db:
            return room(db)
    except TalentsealError:
        return float("nan")
