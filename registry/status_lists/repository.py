"""All SQL about status lists, blocks, entries and orders."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from registry.status_lists.models import (
    StatusBlockRequestRow,
    StatusBlockRow,
    StatusEntryRow,
    StatusListRow,
    StatusOrderRow,
)

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
    return session.scalar(
        left.where(
            StatusListRow.jurisdiction == jurisdiction, StatusListRow.published_at.is_not(None)
        )
    ) or 0  # fmt: skip


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


# --- blocks ---------------------------------------------------------------------------------------


def add_block(session: Session, block: StatusBlockRow, indices: Sequence[int]) -> None:
    """Keep a block and the indices in it; the primary key refuses one that was given out."""
    session.add(block)
    session.flush()
    session.execute(
        insert(StatusEntryRow),
        [
            {
                "list_id": block.list_id,
                "idx": idx,
                "block": block.id,
                "position": position,
                "value": 0,
                "seq": 0,
                "changed_at": block.created_at,
            }
            for position, idx in enumerate(indices)
        ],
    )


def blocks_of(session: Session, issuer: int) -> Sequence[StatusBlockRow]:
    wanted = select(StatusBlockRow).where(StatusBlockRow.issuer == issuer)
    return session.scalars(wanted.order_by(StatusBlockRow.created_at, StatusBlockRow.start)).all()


def block_with_uri(session: Session, block: str) -> tuple[str, list[int]]:
    """The URI of a block's list, and its indices in the order in which to use them."""
    uri = session.scalars(
        select(StatusListRow.uri)
        .join(StatusBlockRow, StatusBlockRow.list_id == StatusListRow.id)
        .where(StatusBlockRow.id == block)
    ).one()
    indices = session.scalars(
        select(StatusEntryRow.idx)
        .where(StatusEntryRow.block == block)
        .order_by(StatusEntryRow.position)
    )
    return uri, list(indices)


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


def set_entries(session: Session, list_id: str) -> dict[int, int]:
    """Index -> value of every entry of a list that is not 0."""
    wanted = select(StatusEntryRow.idx, StatusEntryRow.value).where(
        StatusEntryRow.list_id == list_id, StatusEntryRow.value != 0
    )
    return {idx: value for idx, value in session.execute(wanted)}  # noqa: C416  typed


def entries_of_issuer(
    session: Session, issuer: int, wanted: Iterable[tuple[str, int]]
) -> Mapping[tuple[str, int], StatusEntryRow]:
    """The entries among `wanted` (URI, index) that were given to this issuer."""
    found: dict[tuple[str, int], StatusEntryRow] = {}
    pairs = list(wanted)
    for start in range(0, len(pairs), 400):  # SQLite takes 999 variables in one statement
        rows = session.execute(
            select(StatusListRow.uri, StatusEntryRow)
            .join(StatusListRow, StatusListRow.id == StatusEntryRow.list_id)
            .join(StatusBlockRow, StatusBlockRow.id == StatusEntryRow.block)
            .where(
                StatusBlockRow.issuer == issuer,
                tuple_(StatusListRow.uri, StatusEntryRow.idx).in_(pairs[start : start + 400]),
            )
        )
        found |= {(uri, entry.idx): entry for uri, entry in rows}
    return found


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
