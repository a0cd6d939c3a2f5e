"""Keys, blocks of status indices, certificates with their forms, outbox and audit trail."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER, append_only

revision = "0001"
down_revision = None


def _text(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=null, primary_key=primary)


def _number(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=null, primary_key=primary)


def upgrade() -> None:
    op.create_table("profile", _text("name", primary=True), _text("value"))
    op.create_table(
        "key", _text("kid", primary=True), _number("created_at"), _text("x5c", null=True)
    )
    op.create_table(
        "status_block", _number("number", primary=True),
        sa.Column("block", sa.String(), nullable=False, unique=True), _text("uri"),
        _text("indices"), _number("size"), _number("used"),
    )  # fmt: skip
    op.create_table(
        "certificate", _text("id", primary=True), _text("type"), _text("kid"),
        _number("sealed_at"), _number("expires_at"), _text("state"),
    )  # fmt: skip
    op.create_table(
        "form", _text("certificate"), _text("form"), _text("uri"), _number("idx"),
        _text("sha256"), sa.UniqueConstraint("uri", "idx"),
    )  # fmt: skip
    op.create_table(
        "outbox", _number("seq", primary=True), sa.Column("jti", sa.String(), nullable=False,
        unique=True), _text("order_jws"), _number("delivered_at", null=True),
    )  # fmt: skip
    op.create_table(
        "audit", _number("number", primary=True), _text("act"), _text("certificate", null=True),
        _text("reason", null=True), _number("at"),
    )  # fmt: skip
    append_only(op, "audit")
