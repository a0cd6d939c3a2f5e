"""The rows of presentation requests."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update

from verifier.database import presentation, reading, transaction


def add(engine: Engine, row: Mapping[str, Any]) -> None:
    with transaction(engine) as db:
        db.execute(insert(presentation).values(**row))


def find(engine: Engine, number: str) -> Any | None:
    with reading(engine) as db:
        return db.execute(select(presentation).where(presentation.c.id == number)).one_or_none()


def take(engine: Engine, number: str, changes: Mapping[str, Any]) -> bool:
    """End a waiting request; False if somebody else has ended it."""
    query = update(presentation).where(
        presentation.c.id == number, presentation.c.state == "waiting"
    )
    with transaction(engine) as db:
        return db.execute(query.values(**changes)).rowcount == 1


def change(engine: Engine, number: str, changes: Mapping[str, Any]) -> None:
    with transaction(engine) as db:
        db.execute(update(presentation).where(presentation.c.id == number).values(**changes))


def forget(engine: Engine, *, now: int) -> int:
    """Delete what has ended, with everything that was shown; how many."""
    with transaction(engine) as db:
        return db.execute(delete(presentation).where(presentation.c.delete_after <= now)).rowcount
