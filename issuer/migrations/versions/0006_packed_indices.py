"""Status indices are packed: a few of them are read without the tens of thousands beside them."""

import struct

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
ENTRIES = 2**20  # of a status list


def upgrade() -> None:
    op.add_column(
        "status_block",
        sa.Column("packed", sa.LargeBinary(), nullable=False, server_default=sa.text("''")),
    )
    db = op.get_bind()
    read = sa.text("SELECT indices FROM status_block WHERE number = :number")
    write = sa.text("UPDATE status_block SET packed = :packed WHERE number = :number")
    end = sa.text("UPDATE status_block SET used = size WHERE number = :number")
    for number in db.execute(sa.text("SELECT number FROM status_block")).scalars().all():
        text = str(db.execute(read, {"number": number}).scalar())
        indices = [index.strip() for index in text.strip("[]").split(",") if index.strip()]
        if all(index.isdecimal() and int(index) < ENTRIES for index in indices):
            packed = struct.pack(f">{len(indices)}I", *map(int, indices))
            db.execute(write, {"number": number, "packed": packed})
        else:  # no list has such an entry, and nothing was ever sealed from here on
            db.execute(end, {"number": number})
    op.drop_column("status_block", "indices")
