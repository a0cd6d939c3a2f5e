"""Where a key lives: the URI of a signing device, or nothing for the keystore of this home."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("key", sa.Column("uri", sa.String(), nullable=True))
