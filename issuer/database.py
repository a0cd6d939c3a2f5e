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
    inspect,
    make_url,
    text,
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
    Column("number", Integer, primary_key=True),  # blocks are used in the order they came
    Column("block", String, nullable=False, unique=True),
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
    Column("form", String, nullable=False),  # wallet, code, paper
    Column("uri", String, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("sha256", String, nullable=False),  # hex, of the sealed bytes
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


def open_database(url: str) -> Engine:
    """An engine for `url`, whose database is made if there is none.

    Raises UsageError for a database that is older than this program, UnavailableError for one that
    is newer, damaged or of another kind.
    """
    engine = connect(url)
    found = _revision(engine)
    if found is None:
        migrate(engine)
    elif found < REVISION:
        raise UsageError("the database is older than this program", hint="Run: issuer migrate")
    return engine


def connect(url: str) -> Engine:
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
    for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _revision(engine: Engine) -> str | None:
    """The schema's revision, None for a database that holds nothing."""
    with _explained("cannot be opened"), engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(
            text("SELECT version_num FROM alembic_version")
        ).scalar()
    if found is not None and found > REVISION:
        raise UnavailableError(
            "the database was made by a newer version of this program",
            hint="Install that version; nothing was changed.",
        )
    return found


def migrate(engine: Engine) -> None:
    """Bring the database to the schema of this program. Raises UnavailableError."""
    from alembic import command
    from alembic.config import Config

    _revision(engine)
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["engine"] = engine
    with _explained("cannot be brought to this version"):
        command.upgrade(config, REVISION)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise UnavailableError(
            f"the issuer's database {what}",
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
