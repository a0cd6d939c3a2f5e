"""Presentation requests, for as long as they last."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "presentation",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("creator", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String()),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("place", sa.String()),
        sa.Column("purpose", sa.String()),
        sa.Column("request", sa.String(), nullable=False),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.Column("private_key", sa.String()),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("expires_at", NUMBER, nullable=False),
        sa.Column("answered_at", NUMBER),
        sa.Column("return_sha256", sa.String()),
        sa.Column("verdicts", sa.String()),
        sa.Column("delete_after", NUMBER, nullable=False),
    )
    op.create_index("presentation_by_end", "presentation", ["delete_after"])
