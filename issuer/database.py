"""The issuer's own database: keys by name, blocks of status indices, what was sealed and done.

No claim of any person is stored here. How it is opened and migrated: `talentseal.service.database`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from talentseal.errors import UsageError
from talentseal.service.database import Schema, connect, read_only
from talentseal.service.migrations import NUMBER

REVISION = "0002"  # the newest of issuer/migrations/versions
SCHEMA = Schema("issuer", Path(__file__).parent / "migrations", REVISION)
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
    Column("created_at", NUMBER, nullable=False),
    Column("x5c", String),  # JSON list, once the registry has answered
    Column("uri", String),  # of a signing device; none: the keystore of this home
)
status_block = Table(
    "status_block",
    metadata,
    Column("number", NUMBER, primary_key=True),  # blocks are used in the order they came
    Column("block", String, nullable=False, unique=True),
    Column("uri", String, nullable=False),
    Column("indices", String, nullable=False),  # JSON list, in order of use
    Column("size", NUMBER, nullable=False),
    Column("used", NUMBER, nullable=False),
)
certificate = Table(
    "certificate",
    metadata,
    Column("id", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("kid", String, nullable=False),
    Column("sealed_at", NUMBER, nullable=False),  # the exact second, which no credential tells
    Column("expires_at", NUMBER, nullable=False),
    Column("state", String, nullable=False),  # valid, suspended, revoked
)
form = Table(
    "form",
    metadata,
    Column("certificate", String, nullable=False),
    Column("form", String, nullable=False),  # wallet, code, paper
    Column("uri", String, nullable=False),
    Column("idx", NUMBER, nullable=False),
    Column("sha256", String, nullable=False),  # hex, of the sealed bytes
    UniqueConstraint("uri", "idx"),
)
outbox = Table(
    "outbox",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("jti", String, nullable=False, unique=True),
    Column("order_jws", String, nullable=False),
    Column("delivered_at", NUMBER),
)
audit = Table(
    "audit",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("act", String, nullable=False),
    Column("certificate", String),
    Column("reason", String),
    Column("at", NUMBER, nullable=False),
)


def open_database(url: str) -> Engine:
    """An engine for `url`, whose database is made if there is none.

    Raises UsageError for a database that is older than this program, UnavailableError for one that
    is newer, damaged or of another kind.
    """
    engine = connect(url)
    found = SCHEMA.found(engine)
    if found is None:
        SCHEMA.migrate(engine)
    elif found < REVISION:
        raise UsageError("the database is older than this program", hint="Run: issuer migrate")
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """All or nothing, and alone. Raises UnavailableError."""
    with SCHEMA.guarded(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One moment of the database; nothing can be written. Never within `transaction`.

    Raises UnavailableError.
    """
    with transaction(read_only(engine)) as connection:
        yield connection
