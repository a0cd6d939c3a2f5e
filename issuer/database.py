"""The issuer's own database: keys by name, blocks of status indices, what was sealed and done.

Claims of a person stand here only while a certificate is being prepared; they are erased when it is
sealed or given up. How it is opened and migrated: `talentseal.service.database`.
"""

from pathlib import Path

from sqlalchemy import (
    Column,
    Engine,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    text,
)

from talentseal.errors import UnavailableError
from talentseal.service.database import Schema
from talentseal.service.idempotency import idempotency_table
from talentseal.service.migrations import NUMBER

REVISION = "0008"  # the newest of issuer/migrations/versions
SCHEMA = Schema("issuer", Path(__file__).parent / "migrations", REVISION, own="certificate")
open_database, transaction, reading = SCHEMA.open, SCHEMA.transaction, SCHEMA.reading
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
    Column("size", NUMBER, nullable=False),
    Column("used", NUMBER, nullable=False),
    Column("packed", LargeBinary, nullable=False, server_default=text("''")),  # in order of use
)
certificate = Table(
    "certificate",
    metadata,
    Column("seq", NUMBER, primary_key=True),  # in the order in which they came on record
    Column("id", String, nullable=False, unique=True),  # the number by which people call it
    Column("type", String, nullable=False),
    Column("kid", String, nullable=False),
    Column("sealed_at", NUMBER, nullable=False),  # the exact second, which no credential tells
    Column("expires_at", NUMBER, nullable=False),
    Column("state", String, nullable=False),  # valid, suspended, revoked
    Column("version", NUMBER, nullable=False, server_default="1"),  # of its state
)
form = Table(
    "form",
    metadata,
    Column("certificate", String, nullable=False),
    Column("form", String, nullable=False),  # wallet, code, paper
    Column("block", NUMBER, nullable=False),  # of `status_block`
    Column("turn", NUMBER, nullable=False),  # of its index in the order of use: none has it twice
    Column("idx", NUMBER, nullable=False),
    Column("sha256", String, nullable=False),  # hex, of the sealed bytes
    PrimaryKeyConstraint("block", "turn"),  # unlike indices, turns come in order: one page grows
    Index("form_by_certificate", "certificate"),
    sqlite_with_rowid=False,
)
outbox = Table(
    "outbox",
    metadata,
    Column("seq", NUMBER, primary_key=True),
    Column("jti", String, nullable=False, unique=True),
    Column("order_jws", String, nullable=False),
    Column("made_at", NUMBER),  # not known of orders of older versions
    Column("delivered_at", NUMBER),
    Index("outbox_waiting", "delivered_at"),
)
audit = Table(  # insert-only, each row sealed to the one before: issuer/audit/trail.py
    "audit",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("at", NUMBER, nullable=False),
    Column("act", String, nullable=False),
    Column("actor", String, nullable=False),  # id of an officer, or `operator`: the command line
    Column("certificate", String),
    Column("issuance", String),
    Column("reason", String),
    Column("count", NUMBER),  # of certificates, where one act makes many
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)
officer = Table(
    "officer",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("roles", String, nullable=False),  # JSON list
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("created_at", NUMBER, nullable=False),
    Column("ended_at", NUMBER),
)
issuance = Table(
    "issuance",
    metadata,
    Column("id", String, primary_key=True),  # 128 random bits
    Column("type", String, nullable=False),
    Column("claims", String),  # JSON; erased when sealed or ended
    Column("territory", String, nullable=False),  # JSON list
    Column("languages", String, nullable=False),  # JSON list, best first
    Column("state", String, nullable=False),  # prepared, approved, offered, issued, withdrawn
    Column("prepared_by", String, nullable=False),
    Column("approved_by", String),
    Column("version", NUMBER, nullable=False),
    Column("created_at", NUMBER, nullable=False),
    Column("ends_at", NUMBER, nullable=False),  # given up then, if nobody has sealed it
    Column("certificate", String),
    Index("issuance_by_time", "created_at", "id"),
    Index("issuance_by_end", "state", "ends_at"),
)
bulk_job = Table(
    "bulk_job",
    metadata,
    Column("id", String, primary_key=True),  # digest of file, type and options
    Column("type", String, nullable=False),
    Column("rows", NUMBER, nullable=False),
    Column("chunk_rows", NUMBER, nullable=False),
    Column("done", NUMBER, nullable=False),  # chunks on record: where to resume
    Column("created_at", NUMBER, nullable=False),
    Column("ended_at", NUMBER),
)
bulk_chunk = Table(
    "bulk_chunk",
    metadata,
    Column("job", String, primary_key=True),
    Column("number", NUMBER, primary_key=True),
    Column("sha256", String(64), nullable=False),  # of what was sealed: issuer/bulk/folder.py
)
idempotency = idempotency_table(metadata)
offer = Table(  # secrets are kept as digests alone: whoever reads this table can redeem nothing
    "offer",
    metadata,
    Column("id_sha256", String(64), primary_key=True),
    Column("code_sha256", String(64), nullable=False, unique=True),
    Column("tx_sha256", String(64), nullable=False),  # of code and transaction code
    Column("issuance", String, nullable=False),
    Column("configurations", String, nullable=False),  # JSON list
    Column("tries", NUMBER, nullable=False),
    Column("expires_at", NUMBER, nullable=False),
    Column("used_at", NUMBER),
    Index("offer_by_issuance", "issuance"),
)
access_token = Table(
    "access_token",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("issuance", String, nullable=False),
    Column("configurations", String, nullable=False),  # JSON list of what it covers
    Column("open", String, nullable=False),  # JSON list of what was not handed out yet
    Column("expires_at", NUMBER, nullable=False),
)
spent_nonce = Table(
    "spent_nonce",
    metadata,
    Column("nonce_sha256", String(64), primary_key=True),
    Column("expires_at", NUMBER, nullable=False),
)
deferral = Table(
    "deferral",
    metadata,
    Column("transaction_sha256", String(64), primary_key=True),
    Column("token_sha256", String(64), nullable=False),
    Column("issuance", String, nullable=False),
    Column("configuration", String, nullable=False),
    Column("jwks", String, nullable=False),  # JSON list of the holder's public keys
    Column("expires_at", NUMBER, nullable=False),
)
notification = Table(
    "notification",
    metadata,
    Column("id_sha256", String(64), primary_key=True),
    Column("token_sha256", String(64), nullable=False),
    Column("certificate", String, nullable=False),
    Column("event", String),
    Column("expires_at", NUMBER, nullable=False),
)


def check_whole(engine: Engine) -> None:
    """Read a database file through; a server looks after its own. Raises UnavailableError."""
    if engine.dialect.name != "sqlite":
        return
    with reading(engine) as db:
        found = db.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    if found != "ok":
        raise UnavailableError(
            "the issuer's database file is damaged", hint="Restore the last backup."
        )
