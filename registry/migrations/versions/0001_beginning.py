"""Jurisdictions, entities, statements, status lists and publications."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER, append_only

revision = "0001"
down_revision = None

INSERT_ONLY = ("statement", "publication", "status_order")


def upgrade() -> None:
    _jurisdictions()
    _entities()
    _status_lists()
    _publications()
    for table in INSERT_ONLY:
        append_only(op, table)


def _jurisdictions() -> None:
    op.create_table(
        "jurisdiction",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("entity_id", sa.String(), nullable=False, unique=True),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("territory", sa.JSON(), nullable=False),
        sa.Column("namespaces", sa.JSON(), nullable=False),
        sa.Column("dev", sa.Boolean(), nullable=False),
        sa.Column("ca", sa.String(), nullable=False),
        sa.Column("sub_ca", sa.String(), nullable=False),
        sa.Column("verifier_hosts", sa.JSON(), nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
    )


def _entities() -> None:
    op.create_table(
        "entity",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("jurisdiction", sa.String(), sa.ForeignKey("jurisdiction.code"), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.UniqueConstraint("jurisdiction", "entity_id", "kind"),
    )
    op.create_table(
        "entity_key",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("entity", NUMBER, sa.ForeignKey("entity.id"), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("jwk", sa.JSON(), nullable=False),
        sa.Column("x5c", sa.JSON(), nullable=False),
        sa.Column("nbf", NUMBER, nullable=False),
        sa.Column("sign_until", NUMBER),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("proof", sa.String()),
        sa.UniqueConstraint("entity", "purpose", "kid"),
    )
    op.create_index("entity_key_by_kid", "entity_key", ["kid"])
    op.create_table(
        "statement",
        sa.Column("jti", sa.String(), primary_key=True),
        sa.Column("jurisdiction", sa.String(), sa.ForeignKey("jurisdiction.code"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("jws", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("nbf", NUMBER),
        sa.Column("exp", NUMBER),
        sa.Column("created_at", NUMBER, nullable=False),
    )
    op.create_index("statement_by_subject", "statement", ["jurisdiction", "kind", "subject"])


def _status_lists() -> None:
    op.create_table(
        "status_list",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("jurisdiction", sa.String(), sa.ForeignKey("jurisdiction.code"), nullable=False),
        sa.Column("uri", sa.String(), nullable=False, unique=True),
        sa.Column("bits", NUMBER, nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("next_free", NUMBER, nullable=False),
        sa.Column("issued_at", NUMBER, nullable=False),
        sa.Column("published_at", NUMBER),
    )
    op.create_table(
        "status_block",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("list_id", sa.String(), sa.ForeignKey("status_list.id"), nullable=False),
        sa.Column("issuer", NUMBER, sa.ForeignKey("entity.id"), nullable=False),
        sa.Column("start", NUMBER, nullable=False),
        sa.Column("count", NUMBER, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.UniqueConstraint("list_id", "start"),
    )
    op.create_table(
        "status_entry",
        sa.Column("list_id", sa.String(), sa.ForeignKey("status_list.id"), primary_key=True),
        sa.Column("idx", NUMBER, primary_key=True),
        sa.Column("block", sa.String(), sa.ForeignKey("status_block.id"), nullable=False),
        sa.Column("position", NUMBER, nullable=False),
        sa.Column("value", NUMBER, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("changed_at", NUMBER, nullable=False),
    )
    op.create_index("status_entry_by_block", "status_entry", ["block", "position"])
    op.create_index(
        "status_entry_set",
        "status_entry",
        ["list_id"],
        sqlite_where=sa.text("value != 0"),
        postgresql_where=sa.text("value != 0"),
    )
    op.create_table(
        "status_order",
        sa.Column("issuer", NUMBER, sa.ForeignKey("entity.id"), primary_key=True),
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("jws", sa.String(), nullable=False),
        sa.Column("taken_at", NUMBER, nullable=False),
        sa.UniqueConstraint("issuer", "jti"),
    )


def _publications() -> None:
    op.create_table(
        "publication",
        sa.Column(
            "jurisdiction", sa.String(), sa.ForeignKey("jurisdiction.code"), primary_key=True
        ),
        sa.Column("path", sa.String(), primary_key=True),
        sa.Column("version", NUMBER, primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("expires", NUMBER),
        sa.Column("created_at", NUMBER, nullable=False),
    )
    op.create_index("publication_by_digest", "publication", ["jurisdiction", "path", "sha256"])
