"""What wallets hold of this issuer: offers, access tokens, nonces, deferrals, notifications."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER

revision = "0004"
down_revision = "0003"


def _digest(name: str, *, primary: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=False, primary_key=primary, unique=unique)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=null)


def upgrade() -> None:
    op.create_table(
        "offer", _digest("id_sha256", primary=True), _digest("code_sha256", unique=True),
        _digest("tx_sha256"), _text("issuance"), _text("configurations"), _number("tries"),
        _number("expires_at"), _number("used_at", null=True),
    )  # fmt: skip
    op.create_index("offer_by_issuance", "offer", ["issuance"])
    op.create_table(
        "access_token", _digest("token_sha256", primary=True), _text("issuance"),
        _text("configurations"), _text("open"), _number("expires_at"),
    )  # fmt: skip
    op.create_table("spent_nonce", _digest("nonce_sha256", primary=True), _number("expires_at"))
    op.create_table(
        "deferral", _digest("transaction_sha256", primary=True), _digest("token_sha256"),
        _text("issuance"), _text("configuration"), _text("jwks"), _number("expires_at"),
    )  # fmt: skip
    op.create_table(
        "notification", _digest("id_sha256", primary=True), _digest("token_sha256"),
        _text("certificate"), _text("event", null=True), _number("expires_at"),
    )  # fmt: skip
