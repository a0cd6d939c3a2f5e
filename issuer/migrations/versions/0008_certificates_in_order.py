"""Certificates are numbered in the order in which they came on record, and listed in it.

Before, lists went by the time of sealing: under a clock that was set back, certificates came before
a page that was read already. It was also an index more to keep.
"""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER

revision = "0008"
down_revision = "0007"
_COLUMNS = "id, type, kid, sealed_at, expires_at, state, version"


def upgrade() -> None:
    op.drop_index("certificate_by_time", "certificate")
    op.rename_table("certificate", "certificate_before")
    if op.get_bind().dialect.name == "postgresql":  # where keys have names, one for each
        op.execute(
            "ALTER TABLE certificate_before "
            "RENAME CONSTRAINT certificate_pkey TO certificate_before_pkey"
        )
    op.create_table(
        "certificate",
        sa.Column("seq", NUMBER, primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("type", "kid")),
        *(sa.Column(name, NUMBER, nullable=False) for name in ("sealed_at", "expires_at")),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", NUMBER, nullable=False, server_default="1"),
    )
    op.execute(
        f"INSERT INTO certificate ({_COLUMNS}) "  # noqa: S608  our own names
        f"SELECT {_COLUMNS} FROM certificate_before ORDER BY sealed_at, id"
    )
    op.drop_table("certificate_before")
