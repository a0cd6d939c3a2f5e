"""The registry's own database: one engine, short transactions, a schema that is checked.

SQLite in WAL mode with `synchronous=FULL`: what was acknowledged survives a power cut. Every
transaction takes the write lock at its beginning, so that two processes wait for each other
instead of failing half-way. Errors of the driver leave as UnavailableError.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session

from talentseal.errors import UnavailableError, UsageError

REVISION = "0001"  # the newest of registry/migrations/versions
BUSY_MILLISECONDS = 15_000
_SCRIPTS = Path(__file__).parent / "migrations"


class Base(DeclarativeBase):
    """All tables of the registry; JSON columns hold documents of our own making."""

    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it from the class
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
        list[str]: JSON,
    }


def open_engine(url: str) -> Engine:
    """An engine for `url`; no connection is made yet. Raises UsageError, UnavailableError."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError("the database URL cannot be read") from error
    if parsed.get_backend_name() != "sqlite":
        raise UnavailableError(
            f"databases of the kind {parsed.get_backend_name()} are not part of this version",
            code="NOT_OFFERED",
            hint="Use sqlite:///<path>.",
        )
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say
    for pragma in (
        f"busy_timeout={BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """All or nothing: commits at the end, rolls back on any error. Raises UnavailableError."""
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except SQLAlchemyError as error:
        raise UnavailableError(
            f"the registry's database refused: {type(error).__name__}",
            hint="Check that the disk has room and the file is whole; nothing was changed.",
        ) from error


def migrate(engine: Engine) -> None:
    """Bring the database to the schema of this program. Raises UnavailableError."""
    from alembic import command
    from alembic.config import Config

    _refuse_newer(_revision(engine))
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["engine"] = engine
    try:
        command.upgrade(config, REVISION)
    except SQLAlchemyError as error:
        raise UnavailableError("the database cannot be migrated") from error


def check_schema(engine: Engine) -> None:
    """Refuse a database of another version. Raises UsageError or UnavailableError."""
    found = _revision(engine)
    if found is None:
        raise UsageError("there is no registry here yet", hint="Run: registry init --dev")
    _refuse_newer(found)
    if found != REVISION:
        raise UsageError("the database is older than this program", hint="Run: registry migrate")


def _refuse_newer(found: str | None) -> None:
    if found is not None and found > REVISION:
        raise UnavailableError(
            "the database was made by a newer version of this program",
            hint="Install that version; nothing was changed.",
        )


def _revision(engine: Engine) -> str | None:
    """The schema's revision, None for a database that holds nothing."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError as error:
        raise UnavailableError(
            "the registry's database cannot be opened",
            hint="Check its path and rights; restore the last backup if it is damaged.",
        ) from error
