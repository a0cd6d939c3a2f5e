"""What is kept of a certificate: its number, type, times, state and indices. Nothing of its person.

Status indices are taken in a transaction of their own, before anything is sealed: whatever happens
then, an index once taken is never taken again.
"""

import struct
from collections.abc import Sequence
from itertools import compress, repeat
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    Engine,
    LargeBinary,
    bindparam,
    func,
    insert,
    select,
    update,
)

from issuer.audit.trail import OPERATOR, note
from issuer.database import certificate, form, reading, status_block, transaction
from issuer.issuance.models import Taken
from talentseal.bundle import Bundle
from talentseal.errors import RefusedError, UnavailableError
from talentseal.status import StatusList

_INDEX_BYTES = 4

# Statements asked for every certificate, built once.
_BLOCK = status_block.c
_WANTED: BindParameter[int] = bindparam("wanted")
_USABLE = select(_BLOCK.number, _BLOCK.uri).where(_BLOCK.used < _BLOCK.size).order_by(_BLOCK.number)
_COUNTERS = select(_BLOCK.used, _BLOCK.size).where(_BLOCK.number == _WANTED).with_for_update()
_TAKE = (
    update(status_block)
    .where(_BLOCK.number == _WANTED, _BLOCK.used == bindparam("before"))
    .values(used=bindparam("after"))
)
_PART = select(
    func.substr(_BLOCK.packed, bindparam("start"), bindparam("length"), type_=LargeBinary)
).where(_BLOCK.number == _WANTED)
_ROOM = select(func.sum(_BLOCK.size - _BLOCK.used))
_LONGEST = select(_BLOCK.uri).order_by(func.length(_BLOCK.uri).desc()).limit(1)


class Record(NamedTuple):
    """One certificate for the books.

    copies  of each its form, the index taken for it, and the SHA-256 (hex) of its bytes
    """

    number: str
    type_id: str
    kid: str
    sealed_at: int
    expires_at: int
    copies: Sequence[tuple[str, Taken, str]]


def usable_list(engine: Engine, bundle: Bundle) -> str:
    """URI of a status list that is public and has room. Raises UnavailableError."""
    with reading(engine) as db:
        return usable_list_in(db, bundle)


def usable_list_in(db: Connection, bundle: Bundle) -> str:
    return _usable_blocks(db, bundle)[0][1].uri


def longest_uri(db: Connection) -> str | None:
    """The longest URI of a status list that indices are held of; None where none are."""
    return db.execute(_LONGEST).scalar()


def take_indices(engine: Engine, bundle: Bundle, forms: Sequence[str]) -> dict[str, Taken]:
    """One index for each form, for good. Raises UnavailableError `STATUS_LIST_UNPUBLISHED`."""
    with transaction(engine) as db:
        return dict(zip(forms, take_in(db, bundle, len(forms)), strict=True))


def take_in(db: Connection, bundle: Bundle, count: int) -> list[Taken]:
    """So many indices, which stand or fall with the transaction.

    Raises UnavailableError `STATUS_LIST_UNPUBLISHED`.
    """
    taken: list[Taken] = []
    for block, held in _usable_blocks(db, bundle):
        while len(taken) < count and (turns := _advance(db, block.number, count - len(taken))):
            indices = _indices_at(db, block.number, turns)
            found = map(Taken, repeat(block.uri), indices, repeat(block.number), turns)
            # After a restore the world may know more about an index than this database does.
            taken += compress(found, held.are_valid(indices))
    if len(taken) < count:
        raise _no_room()
    return taken


def room(db: Connection) -> int:
    """How many status indices are left, in lists published or not."""
    left: int | None = db.execute(_ROOM).scalar()
    return int(left or 0)


def add_block(db: Connection, block: str, uri: str, indices: Sequence[int]) -> None:
    """Indices of a status list for this issuer alone, in order of use."""
    packed = struct.pack(f">{len(indices)}I", *indices)
    db.execute(
        insert(status_block).values(block=block, uri=uri, packed=packed, size=len(indices), used=0)
    )


def indices_of(db: Connection, uri: str) -> set[int]:
    """All indices of a list that were ever given to this issuer."""
    packed = db.execute(select(_BLOCK.packed).where(_BLOCK.uri == uri)).scalars()
    return {index for part in packed for (index,) in struct.iter_unpack(">I", part)}


def _indices_at(db: Connection, block: int, turns: range) -> Sequence[int]:
    """What stands at these turns of a block; only that part of it is read."""
    start, length = turns.start * _INDEX_BYTES + 1, len(turns) * _INDEX_BYTES
    data = db.execute(_PART, {"wanted": block, "start": start, "length": length}).scalar_one()
    return struct.unpack(f">{len(turns)}I", data)


def _advance(db: Connection, block: int, count: int) -> range:
    """The next turns of a block, at most `count`; none when it is used up."""
    row = db.execute(_COUNTERS, {"wanted": block}).one()
    end = min(row.size, row.used + count)
    moved = db.execute(_TAKE, {"wanted": block, "before": row.used, "after": end})
    if moved.rowcount != 1:  # impossible while writers take turns; no index is ever given twice
        raise UnavailableError("status indices were taken by another writer meanwhile")
    return range(row.used, end)


def _usable_blocks(db: Connection, bundle: Bundle) -> list[tuple[Any, StatusList]]:
    rows: Sequence[Any] = db.execute(_USABLE).all()
    lists = [(row, bundle.find_status(bundle.home, row.uri)) for row in rows]
    usable = [(row, held) for row, held in lists if isinstance(held, StatusList)]
    if rows and not usable:
        raise UnavailableError(
            "the status list is not yet readable in public",
            code="STATUS_LIST_UNPUBLISHED",
            hint="Run `registry publish`, then `issuer sync`.",
        )
    if not usable:
        raise _no_room()
    return usable


def _no_room() -> UnavailableError:
    return UnavailableError(
        "no status indices are left",
        code="STATUS_LIST_UNPUBLISHED",
        hint="Ask for a block with `registry issuer block`, then run `issuer enrol FILE`; where "
        "TALENTSEAL_REGISTRY_URL is set, the service asks by itself within seconds.",
    )


def add(engine: Engine, record: Record) -> None:
    """Put a sealed certificate on record before anybody gets it."""
    with transaction(engine) as db:
        add_in(db, record)


def add_in(db: Connection, record: Record, *, actor: str = OPERATOR, **facts: Any) -> None:
    """The same within a transaction, with its line of the audit trail."""
    number = record.number
    db.execute(
        insert(certificate).values(
            id=number,
            type=record.type_id,
            kid=record.kid,
            sealed_at=record.sealed_at,
            expires_at=record.expires_at,
            state="valid",
        )
    )
    _add_forms(db, record)
    note(db, "sealed", at=record.sealed_at, actor=actor, certificate=number, **facts)


def add_copies_in(db: Connection, record: Record, *, actor: str = OPERATOR, **facts: Any) -> None:
    """More copies of a certificate that is on record and in force.

    Raises RefusedError `STATE_CONFLICT` where it is not.
    """
    chosen = certificate.c.id == record.number
    if db.execute(select(certificate.c.state).where(chosen)).scalar() != "valid":
        raise RefusedError("this certificate is not in force", code="STATE_CONFLICT")
    _add_forms(db, record)
    note(db, "sealed", at=record.sealed_at, actor=actor, certificate=record.number, **facts)


def _add_forms(db: Connection, record: Record) -> None:
    rows = [
        {"certificate": record.number, "form": name, "block": taken.block, "turn": taken.turn,
         "idx": taken.idx, "sha256": digest}
        for name, taken, digest in record.copies
    ]  # fmt: skip
    db.execute(insert(form), rows)


def listed(engine: Engine) -> list[dict[str, Any]]:
    """Every certificate in the order of record, without a word about persons."""
    column = certificate.c
    names = ("id", "type", "state", "sealed_at", "expires_at")
    wanted = select(*(column[name] for name in names)).order_by(column.seq)
    with reading(engine) as db:
        rows = db.execute(wanted).all()
        forms = db.execute(select(form.c.certificate, form.c.form).order_by(form.c.form)).all()
    by_number: dict[str, list[str]] = {}
    for row in forms:
        by_number.setdefault(row.certificate, []).append(row.form)
    return [
        {**dict(zip(names, row, strict=True)), "forms": by_number.get(row.id, [])} for row in rows
    ]
