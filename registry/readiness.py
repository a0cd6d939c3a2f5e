"""Is everything there that publishing needs? Asked by `/readyz`, told in numbers by `/metrics`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from registry.database import SCHEMA
from registry.jurisdictions.repository import all_jurisdictions
from registry.office import Office
from registry.publishing.image import check_not_ahead
from registry.publishing.publisher import WHOLE_SECONDS
from registry.publishing.shelf import Shelf
from registry.status_lists.repository import free_indices
from talentseal.artefacts import file_code
from talentseal.encoding import CLOCK_SKEW_SECONDS, to_seconds
from talentseal.errors import TalentsealError, UnavailableError
from talentseal.service.app import Ready
from talentseal.service.metrics import Metrics

MAX_AGE_SECONDS = 3 * WHOLE_SECONDS  # of a publication: the publisher has then failed twice
Clock = Callable[[], datetime]


def parts(office: Office, clock: Clock, shelf: Shelf) -> Mapping[str, Ready]:
    """What readiness asks, by name."""
    return {
        "database": lambda: SCHEMA.check_ready(office.engine),
        "keys": lambda: _keys(office),
        "published": lambda: _published(office, clock, shelf),
        "status": lambda: _room(office),
    }


def add_numbers(metrics: Metrics, office: Office, clock: Clock, shelf: Shelf) -> None:
    metrics.gauge(
        "list_age_seconds", "Age of the oldest jurisdiction's lists.", lambda: _age(clock, shelf)
    )
    metrics.gauge("status_room", "Status indices left where fewest are.", lambda: _left(office))


def ages(clock: Clock, shelf: Shelf) -> dict[str, int]:
    """File code -> seconds since the jurisdiction's head said that nothing is missing."""
    now = to_seconds(clock())
    return {edition.code: now - edition.as_of for edition in shelf.editions()}


def _keys(office: Office) -> dict[str, int]:
    held = len(office.keystore.kids())
    if not held:
        raise UnavailableError("the keystore is empty")
    return {"held": held}


def _published(office: Office, clock: Clock, shelf: Shelf) -> dict[str, Any]:
    found = ages(clock, shelf)
    with office.reading() as session:
        codes = [row.code for row in all_jurisdictions(session)]
        missing = set(map(file_code, codes)) - found.keys()
        for code in codes:
            check_not_ahead(office, session, code)
    if missing:
        raise UnavailableError(f"{', '.join(sorted(missing))} was never published")
    early = [code for code, age in found.items() if age < -CLOCK_SKEW_SECONDS]
    if early:
        raise UnavailableError(
            f"{', '.join(early)} was published at a time to come: the clock is wrong, or was"
        )
    late = [code for code, age in found.items() if age > MAX_AGE_SECONDS]
    if late:
        raise UnavailableError(
            f"{', '.join(late)} was not published for {max(found.values())} seconds"
        )
    return {"age_seconds": found}


def _room(office: Office) -> dict[str, Any]:
    left = _rooms(office)
    full = [code for code, free in left.items() if not free]
    if full:
        raise UnavailableError(f"no status indices are left in {', '.join(full)}")
    return {"left": left}


def _rooms(office: Office) -> dict[str, int]:
    with office.reading() as session:
        codes = [row.code for row in all_jurisdictions(session)]
        return {code: free_indices(session, code) for code in codes}


def _age(clock: Clock, shelf: Shelf) -> float:
    try:
        return max(ages(clock, shelf).values(), default=float("nan"))
    except TalentsealError:
        return float("nan")


def _left(office: Office) -> float:
    try:
        return min(_rooms(office).values(), default=float("nan"))
    except TalentsealError:
        return float("nan")
