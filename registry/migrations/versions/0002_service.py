"""What the service adds: operators, kept answers, the audit trail, requests of issuers."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER, append_only

revision = "0002"
down_revision = "0001"

INSERT_ONLY = ("audit", "status_block_request")


def upgrade() -> None:
    _operators()
    _audit()
    _requests()
    for table in INSERT_ONLY:
        append_only(op, table)


def _operators() -> None:
    op.create_table(
        "operator",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, unique=True),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("token_sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("ended_at", NUMBER),
    )
    op.create_table(
        "idempotency",
        sa.Column("call", sa.String(64), primary_key=True),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("status", NUMBER, nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", NUMBER, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("at", NUMBER, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
    )
    op.create_index("audit_by_subject", "audit", ["subject"])


def _requests() -> None:
    op.create_table(
        "status_block_request",
        sa.Column("issuer", NUMBER, sa.ForeignKey("entity.id"), primary_key=True),
        sa.Column("jti", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("block", sa.String(), sa.ForeignKey("status_block.id"), nullable=False),
        sa.Column("taken_at", NUMBER, nullable=False),
    )
    op.create_index("status_block_by_issuer", "status_block", ["issuer", "created_at"])
    op.create_table(
        "enrolment_request",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("jurisdiction", sa.String(), sa.ForeignKey("jurisdiction.code"), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("jws", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("received_at", NUMBER, nullable=False),
        sa.Column("decided_at", NUMBER),
        sa.Column("decided_by", sa.String()),
    )
    op.create_index("enrolment_request_by_state", "enrolment_request", ["state", "received_at"])
