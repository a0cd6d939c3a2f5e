"""A chain over the audit trail, begun over the rows that there are."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.chain import BEGINNING, digest_of
from talentseal.service.migrations import NUMBER, append_only

revision = "0003"
down_revision = "0002"

_FACTS = ("number", "at", "actor", "act", "subject")


def upgrade() -> None:
    link = op.create_table(
        "audit_link",
        sa.Column("number", NUMBER, sa.ForeignKey("audit.number"), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    db, previous, links = op.get_bind(), BEGINNING, []
    rows = db.execute(sa.text("SELECT number, at, actor, act, subject FROM audit ORDER BY number"))
    for row in rows:
        previous = digest_of(previous, dict(zip(_FACTS, row, strict=True)))
        links.append({"number": row.number, "digest": previous})
    op.bulk_insert(link, links)
    append_only(op, "audit_link")
