"""A form names the block and the turn of its index: what guards indices grows at its end.

Indices come in random order, so that an index of the database over them changed one page for each
row, ever more as it grew. What guards indices now does not see one that stands in two blocks, which
is why no such block is taken in. Older versions took them in: of such a block, and of one from
which more was sealed than it says, nothing more is used. A form whose index no block here knows,
which only an odd registry of old can have caused, is given a block of its own that is used up.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import sqlalchemy as sa
from alembic import op

from talentseal.errors import UnavailableError
from talentseal.service.migrations import NUMBER

revision = "0007"
down_revision = "0006"
ENTRIES = 2**20  # of a status list
_KNOW = sa.text(
    "INSERT INTO form_turn (uri, idx, block, turn) VALUES (:uri, :idx, :block, :turn) "
    "ON CONFLICT DO NOTHING"  # where two blocks hold one index, the first has it
)
_KNOWN = sa.text("SELECT count(*) FROM form_turn WHERE block = :number")
_END = sa.text("UPDATE status_block SET used = size WHERE number = :number")
_END_ODD = (
    "UPDATE status_block SET used = size WHERE EXISTS "
    "(SELECT 1 FROM form WHERE form.block = status_block.number AND form.turn >= used)"
)
_COUNT = {
    name: sa.select(sa.func.count()).select_from(sa.table(name)) for name in ("form_before", "form")
}
_EMPTY = sa.text("UPDATE status_block SET packed = :packed WHERE number = :number")
_ADD = sa.text(
    "INSERT INTO status_block (block, uri, size, used, packed) "
    "VALUES (:block, :uri, :size, :size, :packed) RETURNING number"
)


def upgrade() -> None:
    op.rename_table("form", "form_before")
    op.drop_index("form_by_certificate", "form_before")
    op.create_table(
        "form_turn", _text("uri"), _number("idx"), _number("block"), _number("turn"),
        sa.PrimaryKeyConstraint("uri", "idx"),
    )  # fmt: skip
    _know_blocks(op.get_bind())
    _keep_unknown(op.get_bind())
    op.create_table(
        "form", _text("certificate"), _text("form"), _number("block"), _number("turn"),
        _number("idx"), _text("sha256"), sa.PrimaryKeyConstraint("block", "turn"),
        sqlite_with_rowid=False,
    )  # fmt: skip
    op.execute(
        "INSERT INTO form (certificate, form, block, turn, idx, sha256) SELECT certificate, form, "
        "block, turn, known.idx, sha256 FROM form_before JOIN status_list ON list = number JOIN "
        "form_turn AS known ON known.uri = status_list.uri AND known.idx = form_before.idx"
    )
    _refuse_loss(op.get_bind())
    op.execute(_END_ODD)
    for table in ("form_turn", "form_before", "status_list"):
        op.drop_table(table)
    op.create_index("form_by_certificate", "form", ["certificate"])


def _refuse_loss(db: sa.Connection) -> None:
    """Raises UnavailableError where a form names no list; without it nobody could revoke it."""
    before, after = (db.execute(_COUNT[name]).scalar_one() for name in ("form_before", "form"))
    if after < before:
        raise _by_hand(f"{before - after} sealed forms name a status list that is not known here")


def _by_hand(what: str) -> UnavailableError:
    hint = "Nothing was changed. Somebody wrote to this database by hand: restore a backup."
    return UnavailableError(what, hint=hint)


def _know_blocks(db: sa.Connection) -> None:
    """Where every index stands, block after block."""
    column = sa.table("status_block", *map(sa.column, ("number", "uri", "packed"))).c
    for number in db.execute(sa.select(column.number).order_by(column.number)).scalars().all():
        wanted = sa.select(column.uri, column.packed).where(column.number == number)
        uri, packed = db.execute(wanted).one()
        if not packed:  # SQLite's default, which is a text and no bytes
            db.execute(_EMPTY, {"number": number, "packed": b""})
            continue
        count, rest = divmod(len(packed), 4)
        indices = struct.unpack(f">{count}I", packed[: count * 4])
        _know(db, uri, number, indices)
        if rest or db.execute(_KNOWN, {"number": number}).scalar_one() < len(indices):
            db.execute(_END, {"number": number})


def _keep_unknown(db: sa.Connection) -> None:
    """A block of its own for what no block knows of a list."""
    for count, (uri, indices) in enumerate(_unknown(db), 1):
        packed = struct.pack(f">{len(indices)}I", *indices)
        values = {"block": f"before-{count}", "uri": uri, "size": len(indices), "packed": packed}
        _know(db, uri, db.execute(_ADD, values).scalar_one(), indices)


def _unknown(db: sa.Connection) -> Iterator[tuple[str, list[int]]]:
    rows = db.execute(
        sa.text(
            "SELECT status_list.uri, form_before.idx FROM form_before "
            "JOIN status_list ON list = number LEFT JOIN form_turn AS known "
            "ON known.uri = status_list.uri AND known.idx = form_before.idx "
            "WHERE known.idx IS NULL ORDER BY 1, 2"
        )
    ).all()
    if not all(0 <= idx < ENTRIES for _, idx in rows):
        raise _by_hand("a sealed form has an index that no status list has")
    for uri, same in groupby(rows, itemgetter(0)):
        yield uri, [idx for _, idx in same]


def _know(db: sa.Connection, uri: str, block: int, indices: Iterable[int]) -> None:
    rows = [
        {"uri": uri, "idx": idx, "block": block, "turn": turn} for turn, idx in enumerate(indices)
    ]
    if rows:
        db.execute(_KNOW, rows)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=False)
