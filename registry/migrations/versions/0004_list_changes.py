"""How often a status list was changed, so that one without a change need not be read to know it."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    changes = sa.Column("changes", NUMBER, nullable=False, server_default="0")
    op.add_column("status_list", changes)
