"""The verifier's own database: receipts, operators and, while they last, presentation requests.

No claim of any person is stored here. How it is opened and migrated: `talentseal.service.database`.
"""

from pathlib import Path

from sqlalchemy import Boolean, Column, Index, MetaData, String, Table

from talentseal.service.database import Schema
from talentseal.service.migrations import NUMBER

REVISION = "0002"  # the newest of verifier/migrations/versions
SCHEMA = Schema("verifier", Path(__file__).parent / "migrations", REVISION, own="receipt")
open_database, transaction, reading = SCHEMA.open, SCHEMA.transaction, SCHEMA.reading
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
