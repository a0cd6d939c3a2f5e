"""Blocks that issuers hold and this registry may have forgotten, shown to it after a restore.

A copy of the database knows nothing of the blocks that were handed out after it was made. What was
sealed from them can be revoked only once they are on record again. So an issuer shows its blocks,
and a block is taken back if its identifier is the one that the secret of the list makes for this
very issuer and these very counters, and if nobody holds any of them. Indices alone would prove
nothing: certificates show them to everybody, and one of them is a block of one.

It is done for lists alone that `registry restored` has closed: of others no block can be missing.
"""

import time
from hmac import compare_digest
from typing import Literal, NamedTuple

from sqlalchemy.orm import Session

from registry.issuers.models import EntityRow
from registry.office import Office
from registry.status_lists import repository
from registry.status_lists.models import StatusBlockRow, StatusListRow
from registry.status_lists.service import Rest, block_id, record_indices
from registry.status_lists.signed import open_signed
from schemas.registry import HELD_BLOCK_TYP, BlockHeld, HeldBlock
from talentseal.errors import RefusedError
from talentseal.status_list import Permutation


def answer_held(office: Office, text: str, *, rest: Rest = time.sleep) -> BlockHeld:
    """Take back the block of a signed document. Errors as of `open_held` and `take_back`."""
    with office.reading() as session:
        held, issuer = open_held(session, text, now=office.now)
    state = take_back(office, held, issuer, rest=rest)
    return BlockHeld(state=state, block=held.block)


def open_held(session: Session, text: str, *, now: int) -> tuple[HeldBlock, EntityRow]:
    """Raises InputError, or RefusedError `KEY_UNKNOWN` for a key that is not listed."""
    return open_signed(session, text, HELD_BLOCK_TYP, HeldBlock, now=now)


def take_back(
    office: Office, held: HeldBlock, issuer: EntityRow, *, rest: Rest = time.sleep
) -> Literal["taken back", "known"]:
    """Have a block of this issuer on record, whole, with all its indices.

    rest  waits a number of seconds, between steps, for others to write

    Raises RefusedError `NOT_FOUND` for what was never given to it, `STATE_CONFLICT` where others
    hold a part or the list was not closed.
    """
    office = office.at(office.moment, actor=issuer.entity_id)
    with office.transaction() as session:
        place = _place(session, held, issuer)
        on_record = repository.blocks_within(session, place.row.id, place.start, held.count)
        is_known = [_facts(one) for one in on_record] == [(held.block, issuer.id, held.count)]
        if not is_known:
            _check_given(held, issuer, place)
            _check_free(place.row, on_record)
            _put_back(office, session, held, issuer, place)
    record_indices(office, held.block, rest=rest)
    return "known" if is_known else "taken back"


def _facts(block: StatusBlockRow) -> tuple[str, int, int]:
    return block.id, block.issuer, block.count


class _Place(NamedTuple):
    """A list, and the counter that its secret makes the first index of a block of."""

    row: StatusListRow
    start: int


def _place(session: Session, held: HeldBlock, issuer: EntityRow) -> _Place:
    row = repository.find_list(session, held.uri)
    if row is None or row.jurisdiction != issuer.jurisdiction or held.first >= row.size:
        raise _not_given()
    return _Place(row, Permutation(row.seed, row.size).counter(held.first))


def _check_given(held: HeldBlock, issuer: EntityRow, place: _Place) -> None:
    """Only the registry makes the name of a block, of whom it was given to and what it holds."""
    if not compare_digest(held.block, block_id(place.row, issuer, place.start, held.count)):
        raise _not_given()


def _not_given() -> RefusedError:
    return RefusedError(
        "no such block of status indices was given to this issuer",
        code="NOT_FOUND",
        hint="A block is shown whole, by the issuer that got it and to the registry that gave it.",
    )


def _check_free(row: StatusListRow, on_record: list[StatusBlockRow]) -> None:
    if on_record:
        raise RefusedError(
            "indices of this block were given out again",
            code="STATE_CONFLICT",
            hint="The registry went on from a copy without `registry restored`: certificates of "
            "two bodies share status indices now. Issue anew what was sealed from this block.",
        )
    if row.next_free < row.size:
        raise RefusedError(
            "the list of this block still hands out others",
            code="STATE_CONFLICT",
            hint="If the registry goes on from a copy, first: registry restored",
        )


def _put_back(
    office: Office, session: Session, held: HeldBlock, issuer: EntityRow, place: _Place
) -> None:  # fmt: skip
    block = StatusBlockRow(
        id=held.block,
        list_id=place.row.id,
        issuer=issuer.id,
        start=place.start,
        count=held.count,
        # When it was made is forgotten: not before the list could be used. So it counts for no
        # day's bound, and an issuer that was restored too never takes it for a new one.
        created_at=place.row.published_at or 0,
    )
    repository.add_block(session, block)
    office.note(session, "block taken back", issuer.entity_id)
