"""Officers, certificates in preparation, kept answers, bulk jobs; the audit trail as a chain."""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

from talentseal.encoding import canonical_json
from talentseal.service.migrations import NUMBER, append_only

revision = "0003"
down_revision = "0002"

_AUDIT = ("number", "at", "act", "actor", "certificate", "issuance", "reason", "count")


def _text(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=null, primary_key=primary)


def _number(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=null, primary_key=primary, autoincrement=False)


def upgrade() -> None:
    op.add_column("certificate", sa.Column("version", NUMBER, nullable=False, server_default="1"))
    op.create_index("certificate_by_time", "certificate", ["sealed_at", "id"])
    op.create_index("form_by_certificate", "form", ["certificate"])
    op.add_column("outbox", sa.Column("made_at", NUMBER, nullable=True))
    op.create_index("outbox_waiting", "outbox", ["delivered_at"])
    _officers()
    _issuances()
    _bulk()
    _audit()


def _officers() -> None:
    op.create_table(
        "officer", _text("id", primary=True),
        sa.Column("name", sa.String(), nullable=False, unique=True), _text("roles"),
        sa.Column("token_sha256", sa.String(64), nullable=False, unique=True),
        _number("created_at"), _number("ended_at", null=True),
    )  # fmt: skip
    op.create_table(
        "idempotency",
        sa.Column("call", sa.String(64), primary_key=True),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("status", NUMBER, nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", NUMBER, nullable=False),
    )


def _issuances() -> None:
    op.create_table(
        "issuance", _text("id", primary=True), _text("type"), _text("claims", null=True),
        _text("territory"), _text("languages"), _text("state"), _text("prepared_by"),
        _text("approved_by", null=True), _number("version"), _number("created_at"),
        _number("ends_at"), _text("certificate", null=True),
    )  # fmt: skip
    op.create_index("issuance_by_time", "issuance", ["created_at", "id"])
    op.create_index("issuance_by_end", "issuance", ["state", "ends_at"])


def _bulk() -> None:
    op.create_table(
        "bulk_job", _text("id", primary=True), _text("type"), _number("rows"),
        _number("chunk_rows"), _number("done"), _number("created_at"),
        _number("ended_at", null=True),
    )  # fmt: skip
    op.create_table(
        "bulk_chunk", _text("job", primary=True), _number("number", primary=True),
        sa.Column("sha256", sa.String(64), nullable=False),
    )  # fmt: skip


def _audit() -> None:
    """The trail anew, each row sealed to the one before; what is on it stays on it."""
    op.rename_table("audit", "audit_before")
    made = op.create_table(
        "audit_chained", _number("number", primary=True), _number("at"), _text("act"),
        _text("actor"), _text("certificate", null=True), _text("issuance", null=True),
        _text("reason", null=True), _number("count", null=True),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )  # fmt: skip
    rows = op.get_bind().execute(sa.text("SELECT * FROM audit_before ORDER BY number")).mappings()
    chained = _chained([dict(row) for row in rows])
    if chained:
        op.bulk_insert(made, chained)
    op.drop_table("audit_before")
    op.rename_table("audit_chained", "audit")
    append_only(op, "audit")


def _chained(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    chained, previous = [], "0" * 64
    for number, row in enumerate(rows, 1):
        fact = {name: row.get(name) for name in _AUDIT} | {"number": number, "actor": "operator"}
        digest = hashlib.sha256(previous.encode() + canonical_json(fact)).hexdigest()
        chained.append(fact | {"previous": previous, "digest": digest})
        previous = digest
    return chained
