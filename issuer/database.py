"""The issuer's own database: keys by name, blocks of status indices, what was sealed and done.

SQLite in WAL mode with `synchronous=FULL`. Every transaction takes the write lock at its start, so
two processes never take the same index. No claim of any person is stored here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from talentseal.errors import UnavailableError, UsageError

REVISION = "0001"
BUSY_MILLISECONDS = 15_000
_SCRIPTS = Path(__file__).parent / "migrations"
metadata = MetaData()

profile = Table(
    "profile",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
key = Table(
    "key",
    metadata,
    Column("kid", String, primary_key=True),
    Column("created_at", Integer, nullable=False),
    Column("x5c", String),  # JSON list, once the registry has answered
)
status_block = Table(
    "status_block",
    metadata,
    Column("block", String, primary_key=True),
    Column("uri", String, nullable=False),
    Column("indices", String, nullable=False),  # JSON list, in order of use
    Column("size", Integer, nullable=False),
    Column("used", Integer, nullable=False),
)
certificate = Table(
    "certificate",
    metadata,
    Column("id", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("kid", String, nullable=False),
    Column("sealed_at", Integer, nullable=False),  # the exact second, which no credential tells
    Column("expires_at", Integer, nullable=False),
    Column("state", String, nullable=False),  # valid, suspended, revoked
)
form = Table(
    "form",
    metadata,
    Column("certificate", String, nullable=False),
    Column("form", String, nullable=False),
    Column("uri", String, nullable=False),
    Column("idx", Integer, nullable=False),
    UniqueConstraint("uri", "idx"),
)
outbox = Table(
    "outbox",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("jti", String, nullable=False, unique=True),
    Column("order_jws", String, nullable=False),
    Column("delivered_at", Integer),
)
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("act", String, nullable=False),
    Column("certificate", String),
    Column("reason", String),
    Column("at", Integer, nullable=False),
)


def open_engine(url: str) -> Engine:
    """An engine for `url`, migrated to this program's schema. Raises UsageError."""
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
    _migrate(engine)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say
    for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["engine"] = engine
    try:
        command.upgrade(config, REVISION)
    except (SQLAlchemyError, CommandError) as error:
        raise UnavailableError(
            "the issuer's database cannot be opened or brought to this version",
            hint="Check its path and rights; restore the last backup if it is damaged.",
        ) from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """All or nothing. Raises UnavailableError."""
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise UnavailableError(
            f"the issuer's database refused: {type(error).__name__}",
            hint="Check that the disk has room and the file is whole; nothing was changed.",
        ) from error
