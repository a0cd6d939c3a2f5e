"""The verifier's own database: receipts, operators and, while they last, presentation requests.

No claim of any person is stored here. How it is opened and migrated: `talentseal.service.database`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Boolean, Column, Connection, Engine, Index, MetaData, String, Table

from talentseal.errors import UsageError
from talentseal.service.database import Schema, connect, read_only
from talentseal.service.migrations import NUMBER

REVISION = "0002"  # the newest of verifier/migrations/versions
SCHEMA = Schema("verifier", Path(__file__).parent / "migrations", REVISION)
metadata = MetaData()

receipt = Table(
    "receipt",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", NUMBER, nullable=False),
    Column("delete_after", NUMBER, nullable=False),
    Column("outcome", String, nullable=False),
    Column("codes", String, nullable=False),  # JSON list, in the order of the checks
    Column("vct", String),
    Column("issuer", String),
    Column("policy", String, nullable=False),
    Column("place", String),
    Column("purpose", String),
    Column("bundle", String, nullable=False),  # JSON: jurisdiction -> version
    Column("salt", String, nullable=False),
    Column("evidence_sha256", String, nullable=False),  # of salt and evidence
    Index("receipt_by_time", "at", "id"),
    Index("receipt_by_end", "delete_after"),
)
operator = Table(
    "operator",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("roles", String, nullable=False),  # JSON list
    Column("token_sha256", String, nullable=False, unique=True),
    Column("created_at", NUMBER, nullable=False),
    Column("ended_at", NUMBER),
)
presentation = Table(
    "presentation",
    metadata,
    Column("id", String, primary_key=True),
    Column("creator", String, nullable=False),  # id of the operator
    Column("state", String, nullable=False),
    Column("code", String),
    Column("mode", String, nullable=False),  # same_device, cross_device
    Column("policy", String, nullable=False),
    Column("place", String),
    Column("purpose", String),
    Column("request", String, nullable=False),  # JSON: the claims of the request object
    Column("signed", Boolean, nullable=False),
    Column("private_key", String),  # JSON; deleted with the first answer
    Column("created_at", NUMBER, nullable=False),
    Column("expires_at", NUMBER, nullable=False),
    Column("answered_at", NUMBER),
    Column("return_sha256", String),  # of the response code that the browser must bring back
    Column("verdicts", String),  # JSON: query id -> verdict; erased with the row
    Column("delete_after", NUMBER, nullable=False),
    Index("presentation_by_end", "delete_after"),
)


def open_database(url: str) -> Engine:
    """An engine for `url`, whose database is made if there is none.

    Raises UsageError for a database older than this program, UnavailableError for one that is
    newer, damaged or of another kind.
    """
    engine = connect(url)
    found = SCHEMA.found(engine)
    if found is None:
        SCHEMA.migrate(engine)
    elif found < REVISION:
        raise UsageError("the database is older than this program", hint="Run: verifier migrate")
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """All or nothing, and alone: commits at the end, rolls back on any error.

    Raises UnavailableError.
    """
    with SCHEMA.guarded(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One moment of the database; nothing can be written. Never within `transaction`.

    Raises UnavailableError.
    """
    with transaction(read_only(engine)) as connection:
        yield connection
