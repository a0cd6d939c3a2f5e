"""All SQL about status lists, blocks, entries and orders."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from typing import cast as as_type

from sqlalchemy import String, Table, bindparam, cast, func, insert, select, update
from sqlalchemy.orm import Session

from registry.status_lists.models import (
    StatusBlockRequestRow,
    StatusBlockRow,
    StatusEntryRow,
    StatusListRow,
    StatusOrderRow,
)

_entries = as_type("Table", StatusEntryRow.__table__)

# --- lists ----------------------------------------------------------------------------------------


def lists_of(session: Session, jurisdiction: str) -> Sequence[StatusListRow]:
    wanted = select(StatusListRow).where(StatusListRow.jurisdiction == jurisdiction)
    return session.scalars(wanted.order_by(StatusListRow.id)).all()


def open_list(session: Session, list_id: str, *, now: int) -> None:
    """Let indices of a list be handed out from now on."""
    session.execute(
        update(StatusListRow)
        .where(StatusListRow.id == list_id, StatusListRow.published_at.is_(None))
        .values(published_at=now)
    )


def free_indices(session: Session, jurisdiction: str) -> int:
    """How many indices of published lists can still be handed out."""
    left = select(func.coalesce(func.sum(StatusListRow.size - StatusListRow.next_free), 0))
    of_jurisdiction = StatusListRow.jurisdiction == jurisdiction
    found = session.scalar(left.where(of_jurisdiction, StatusListRow.published_at.is_not(None)))
    return int(found or 0)  # PostgreSQL adds wide integers up to a decimal


def close_list(session: Session, list_id: str) -> None:
    """Hand out no more indices of a list; it is published as before."""
    session.execute(
        update(StatusListRow)
        .where(StatusListRow.id == list_id)
        .values(next_free=StatusListRow.size)
        .execution_options(synchronize_session="fetch")
    )


def take_counters(session: Session, list_id: str, count: int) -> int | None:
    """Set `count` counters aside, at once and for ever; returns the first, None if none is left."""
    taken = session.scalar(
        update(StatusListRow)
        .where(StatusListRow.id == list_id, StatusListRow.next_free + count <= StatusListRow.size)
        .values(next_free=StatusListRow.next_free + count)
        .returning(StatusListRow.next_free)
        .execution_options(synchronize_session=False)
    )
    return None if taken is None else taken - count


def find_list(session: Session, uri: str) -> StatusListRow | None:
    return session.scalars(select(StatusListRow).where(StatusListRow.uri == uri)).one_or_none()


# --- blocks ---------------------------------------------------------------------------------------


def blocks_within(session: Session, list_id: str, start: int, count: int) -> list[StatusBlockRow]:
    """Blocks of a list, of whomever, that hold any of these counters."""
    wanted = select(StatusBlockRow).where(
        StatusBlockRow.list_id == list_id,
        StatusBlockRow.start < start + count,
        StatusBlockRow.start + StatusBlockRow.count > start,
    )
    return list(session.scalars(wanted))


def add_block(session: Session, block: StatusBlockRow) -> None:
    """Keep a block, of whose indices none is on record yet."""
    session.add(block)
    session.flush()


def find_block(session: Session, block: str) -> tuple[StatusBlockRow, StatusListRow]:
    """A block and the list it is of."""
    found = session.execute(
        select(StatusBlockRow, StatusListRow)
        .join(StatusListRow, StatusListRow.id == StatusBlockRow.list_id)
        .where(StatusBlockRow.id == block)
    ).one()
    return found[0], found[1]


def on_record(session: Session, block: str) -> int:
    """How many indices of a block are on record: they are kept in the order of their use."""
    newest = select(func.max(StatusEntryRow.position)).where(StatusEntryRow.block == block)
    found = session.scalar(newest)
    return 0 if found is None else found + 1


def add_entries(
    session: Session, block: StatusBlockRow, indices: Sequence[int], *, first: int = 0
) -> None:
    """Keep indices of a block from position `first` on.

    The primary key refuses one that was given out.
    """
    if not indices:
        return
    rows = [
        {
            "list_id": block.list_id,
            "idx": idx,
            "block": block.id,
            "position": position,
            "value": 0,
            "seq": 0,
            "changed_at": block.created_at,
        }
        for position, idx in enumerate(indices, start=first)
    ]
    session.connection().execute(insert(_entries), rows)


def blocks_of(session: Session, issuer: int) -> Sequence[StatusBlockRow]:
    """The blocks of an issuer that are whole on record; others wait for their request again."""
    last = select(StatusEntryRow.position).where(
        StatusEntryRow.block == StatusBlockRow.id,
        StatusEntryRow.position == StatusBlockRow.count - 1,
    )
    wanted = select(StatusBlockRow).where(StatusBlockRow.issuer == issuer, last.exists())
    return session.scalars(wanted.order_by(StatusBlockRow.created_at, StatusBlockRow.start)).all()


def block_with_uri(session: Session, block: str) -> tuple[str, int, list[int]]:
    """URI of a block's list, when it was made, its indices in the order in which to use them."""
    uri, made_at = session.execute(
        select(StatusListRow.uri, StatusBlockRow.created_at)
        .join(StatusBlockRow, StatusBlockRow.list_id == StatusListRow.id)
        .where(StatusBlockRow.id == block)
    ).one()
    indices = session.scalars(
        select(StatusEntryRow.idx)
        .where(StatusEntryRow.block == block)
        .order_by(StatusEntryRow.position)
    )
    return uri, made_at, list(indices)


def indices_since(session: Session, issuer: int, since: int) -> int:
    """How many indices were set aside for an issuer after a moment."""
    wanted = select(func.coalesce(func.sum(StatusBlockRow.count), 0))
    of_issuer = StatusBlockRow.issuer == issuer
    return int(session.scalar(wanted.where(of_issuer, StatusBlockRow.created_at > since)) or 0)


def find_block_request(session: Session, issuer: int, jti: str) -> StatusBlockRequestRow | None:
    return session.get(StatusBlockRequestRow, (issuer, jti))


def add_block_request(session: Session, row: StatusBlockRequestRow) -> None:
    session.add(row)
    session.flush()


# --- entries --------------------------------------------------------------------------------------

_AT_ONCE = 400  # SQLite takes 999 variables in one statement


@dataclass(slots=True)
class Entry:
    """An index that was handed out, as an order finds and leaves it; `block`: where it belongs."""

    list_id: str
    idx: int
    block: str
    value: int
    seq: int


def set_entries(session: Session, list_id: str) -> dict[int, frozenset[int]]:
    """Value -> the indices of a list that have it, for every value but 0.

    The database joins the numbers to one text: a million of them are then read in a second.
    """
    numbers = func.aggregate_strings(cast(_entries.c.idx, String), ",")
    wanted = select(_entries.c.value, numbers).where(
        _entries.c.list_id == list_id, _entries.c.value != 0
    )
    rows = session.connection().execute(wanted.group_by(_entries.c.value))
    return {value: frozenset(map(int, text.split(","))) for value, text in rows}


def entries_of_issuer(
    session: Session, issuer: int, wanted: Iterable[tuple[str, int]]
) -> Mapping[tuple[str, int], Entry]:
    """The entries among `wanted` (URI, index) that were given to this issuer."""
    by_uri: dict[str, list[int]] = {}
    for uri, idx in wanted:
        by_uri.setdefault(uri, []).append(idx)
    found: dict[tuple[str, int], Entry] = {}
    for uri, list_id in _list_ids(session, by_uri).items():
        entries = _entries_at(session, list_id, by_uri[uri])
        own = _blocks_among(session, issuer, {entry.block for entry in entries})
        found |= {(uri, entry.idx): entry for entry in entries if entry.block in own}
    return found


def _list_ids(session: Session, uris: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in batched(uris):
        rows = select(StatusListRow.uri, StatusListRow.id).where(StatusListRow.uri.in_(some))
        found |= {uri: list_id for uri, list_id in session.execute(rows)}  # noqa: C416  typed
    return found


def _entries_at(session: Session, list_id: str, indices: Iterable[int]) -> list[Entry]:
    """By the primary key alone: a database that also looks at blocks reads far more rows."""
    columns = (_entries.c[name] for name in ("list_id", "idx", "block", "value", "seq"))
    wanted = select(*columns).where(_entries.c.list_id == list_id)
    db = session.connection()
    return [
        Entry(*row)
        for some in batched(indices)
        for row in db.execute(wanted.where(_entries.c.idx.in_(some))).all()
    ]


def _blocks_among(session: Session, issuer: int, blocks: Iterable[str]) -> set[str]:
    wanted = select(StatusBlockRow.id).where(StatusBlockRow.issuer == issuer)
    return {
        found
        for some in batched(blocks)
        for found in session.scalars(wanted.where(StatusBlockRow.id.in_(some)))
    }


def update_entries(session: Session, entries: Sequence[Entry], *, now: int) -> None:
    """Keep new values, and which order has brought them; the lists count it as a change."""
    if not entries:
        return
    statement = (
        update(_entries)
        .where(_entries.c.list_id == bindparam("of"), _entries.c.idx == bindparam("at"))
        .values(value=bindparam("new"), seq=bindparam("by"), changed_at=now)
    )
    rows = [{"of": e.list_id, "at": e.idx, "new": e.value, "by": e.seq} for e in entries]
    session.connection().execute(statement, rows)
    changed = sorted({entry.list_id for entry in entries})
    session.execute(
        update(StatusListRow)
        .where(StatusListRow.id.in_(changed))
        .values(changes=StatusListRow.changes + 1)
        .execution_options(synchronize_session="fetch")
    )


def batched(values: Iterable[Any]) -> Iterator[list[Any]]:
    """As many at once as one statement takes."""
    every = list(values)
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]


# --- orders ---------------------------------------------------------------------------------------


def find_order(session: Session, issuer: int, seq: int, jti: str) -> StatusOrderRow | None:
    """An order of this issuer that was taken under the number or the identifier."""
    wanted = select(StatusOrderRow).where(
        StatusOrderRow.issuer == issuer,
        (StatusOrderRow.seq == seq) | (StatusOrderRow.jti == jti),
    )
    return session.scalars(wanted.limit(1)).one_or_none()


def add_order(session: Session, row: StatusOrderRow) -> None:
    session.add(row)
    session.flush()
