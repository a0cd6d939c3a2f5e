"""Receipts and operators."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "receipt",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("delete_after", NUMBER, nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("codes", sa.String(), nullable=False),
        sa.Column("vct", sa.String()),
        sa.Column("issuer", sa.String()),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("place", sa.String()),
        sa.Column("purpose", sa.String()),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("evidence_sha256", sa.String(), nullable=False),
    )
    op.create_index("receipt_by_time", "receipt", ["at", "id"])
    op.create_index("receipt_by_end", "receipt", ["delete_after"])
    op.create_table(
        "operator",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, unique=True),
        sa.Column("roles", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=False, unique=True),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("ended_at", NUMBER),
    )
