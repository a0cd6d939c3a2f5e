"""What is kept of a certificate: its number, type, times, state and indices. Nothing of its person.

Status indices are taken in a transaction of their own, before anything is sealed: whatever happens
then, an index once taken is never taken again.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from issuer.audit.trail import OPERATOR, note
from issuer.database import certificate, form, reading, status_block, transaction
from issuer.issuance.models import Place
from talentseal.bundle import Bundle
from talentseal.encoding import parse_json
from talentseal.errors import UnavailableError
from talentseal.status import VALID, StatusList

MAX_BLOCK_BYTES = 1024 * 1024  # 65,536 indices of seven digits
MAX_BLOCK_INDICES = 65_536


class Record(NamedTuple):
    """One certificate for the books. `copies`: form, place, SHA-256 (hex) of the bytes of each."""

    number: str
    type_id: str
    kid: str
    sealed_at: int
    expires_at: int
    copies: Sequence[tuple[str, Place, str]]


def usable_list(engine: Engine, bundle: Bundle) -> str:
    """URI of a status list that is public and has room. Raises UnavailableError."""
    with reading(engine) as db:
        return usable_list_in(db, bundle)


def usable_list_in(db: Connection, bundle: Bundle) -> str:
    return _usable_blocks(db, bundle)[0][1].uri


def take_indices(engine: Engine, bundle: Bundle, forms: Sequence[str]) -> dict[str, Place]:
    """One index for each form, for good. Raises UnavailableError `STATUS_LIST_UNPUBLISHED`."""
    with transaction(engine) as db:
        return dict(zip(forms, take_in(db, bundle, len(forms)), strict=True))


def take_in(db: Connection, bundle: Bundle, count: int) -> list[Place]:
    """So many indices, which stand or fall with the transaction.

    Raises UnavailableError `STATUS_LIST_UNPUBLISHED`.
    """
    free = _free_indices(db, bundle)
    places = list(islice(free, count))
    if len(places) < count:
        raise _no_room()
    return places


def room(db: Connection) -> int:
    """How many status indices are left, in lists published or not."""
    column = status_block.c
    left: int | None = db.execute(select(func.sum(column.size - column.used))).scalar()
    return int(left or 0)


def _free_indices(db: Connection, bundle: Bundle) -> Iterator[Place]:
    """Indices that this very transaction has taken, one after another."""
    for block, held in _usable_blocks(db, bundle):
        indices = parse_json(
            block.indices.encode(),
            max_bytes=MAX_BLOCK_BYTES,
            max_members=MAX_BLOCK_INDICES + 1,
            top=list,
        )
        while (position := _advance(db, block.block)) is not None:
            # After a restore the world may know more about an index than this database does.
            if held.value(indices[position]) == VALID:
                yield block.uri, indices[position]


def _advance(db: Connection, block: str) -> int | None:
    """The position of the next index of a block, None when it is used up."""
    column = status_block.c
    used = db.execute(
        update(status_block)
        .where(column.block == block, column.used < column.size)
        .values(used=column.used + 1)
        .returning(column.used)
    ).scalar()
    return None if used is None else used - 1


def _usable_blocks(db: Connection, bundle: Bundle) -> list[tuple[Row[Any], StatusList]]:
    column = status_block.c
    rows = db.execute(
        select(status_block).where(column.used < column.size).order_by(column.number)
    ).all()
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
        hint="Ask for a block with `registry issuer block`, then run `issuer enrol FILE`.",
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
    rows = [
        {"certificate": number, "form": name, "uri": uri, "idx": idx, "sha256": digest}
        for name, (uri, idx), digest in record.copies
    ]
    db.execute(insert(form), rows)
    note(db, "sealed", at=record.sealed_at, actor=actor, certificate=number, **facts)


def listed(engine: Engine) -> list[dict[str, Any]]:
    """Every certificate in order of sealing, without a word about persons."""
    column = certificate.c
    names = ("id", "type", "state", "sealed_at", "expires_at")
    wanted = select(*(column[name] for name in names)).order_by(column.sealed_at, column.id)
    with reading(engine) as db:
        rows = db.execute(wanted).all()
        forms = db.execute(select(form.c.certificate, form.c.form).order_by(form.c.form)).all()
    by_number: dict[str, list[str]] = {}
    for row in forms:
        by_number.setdefault(row.certificate, []).append(row.form)
    return [
        {**dict(zip(names, row, strict=True)), "forms": by_number.get(row.id, [])} for row in rows
    ]
