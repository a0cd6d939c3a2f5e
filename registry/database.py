"""The registry's own database: what its tables are made of, and short transactions.

How it is opened and migrated: `talentseal.service.database`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine
from sqlalchemy.orm import DeclarativeBase, Session

from talentseal.errors import UsageError
from talentseal.service.database import Schema, read_only
from talentseal.service.migrations import NUMBER

REVISION = "0004"  # the newest of registry/migrations/versions
SCHEMA = Schema("registry", Path(__file__).parent / "migrations", REVISION, own="jurisdiction")


class Base(DeclarativeBase):
    """All tables of the registry; JSON columns hold documents of our own making."""

    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it from the class
        int: NUMBER,
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
        list[str]: JSON,
    }


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """All or nothing, and alone: commits at the end, rolls back on any error.

    Raises UnavailableError.
    """
    with SCHEMA.guarded(), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One moment of the database; nothing can be written. Never within `transaction`.

    Raises UnavailableError.
    """
    with transaction(read_only(engine)) as session:
        yield session


def check_schema(engine: Engine) -> None:
    """Refuse a database of another version. Raises UsageError or UnavailableError."""
    found = SCHEMA.found(engine)
    if found is None:
        raise UsageError("there is no registry here yet", hint="Run: registry init --dev")
    if found != REVISION:
        raise UsageError("the database is older than this program", hint="Run: registry migrate")
