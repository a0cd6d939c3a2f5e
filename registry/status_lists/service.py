"""Lists, blocks of indices, and the signed tokens made of them.

A list is handed out only after its first token was read back from the public folder. Blocks are
counters, taken by one atomic update and sent through a secret permutation, so that indices tell
nothing about order or neighbours; an index is never given out twice.

The identifier of a block is made from the list's secret, of the issuer and the counters: a registry
that was restored knows by it what it has given out and forgotten (`held_blocks`).
"""

import secrets
import time
from collections.abc import Callable
from hashlib import blake2b

from sqlalchemy.orm import Session

from registry.issuers.models import EntityRow
from registry.office import Office
from registry.publishing.image import check_not_ahead
from registry.status_lists import repository
from registry.status_lists.models import StatusBlockRow, StatusListRow
from schemas.registry import MAX_BLOCK, StatusBlock
from talentseal.encoding import dump_json
from talentseal.errors import UnavailableError, UsageError
from talentseal.status_list import BITS, ENTRIES, Permutation

LOW_WATER = 2 * MAX_BLOCK  # fewer free indices than this: another list is begun
STEP = 4096  # rows that are written at once while orders wait: a tenth of a second
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no sign that could be read as another
_ID_CHARS = 8
_PERSON = b"talentseal block"  # keeps it apart from what else is made with the same key
Rest = Callable[[float], object]


def status_prefix(entity_id: str) -> str:
    """The folder, as a URL, of the status lists of the jurisdiction with that entity id."""
    return f"{entity_id.rstrip('/')}/status/"


def new_list(session: Session, jurisdiction: str, prefix: str) -> StatusListRow:
    """An empty list below `prefix`; its name says nothing."""
    name = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
    row = StatusListRow(
        id=name,
        jurisdiction=jurisdiction,
        uri=f"{prefix}{name}",
        bits=BITS,
        size=ENTRIES,
        seed=secrets.token_bytes(32),
        next_free=0,
        issued_at=0,
        published_at=None,
        changes=0,
    )
    session.add(row)
    session.flush()
    return row


def keep_room(session: Session, jurisdiction: str, prefix: str) -> None:
    """Begin another list in time: it must be published before it can be used."""
    free = sum(row.size - row.next_free for row in repository.lists_of(session, jurisdiction))
    if free < LOW_WATER:
        new_list(session, jurisdiction, prefix)


def reserve_block(
    office: Office, session: Session, issuer: EntityRow, count: int
) -> StatusBlockRow:
    """Set `count` indices of a published list aside for an issuer, and all on record.

    Raises UsageError for an impossible count, UnavailableError `STATUS_LIST_UNPUBLISHED`.
    """
    block = take_block(office, session, issuer, count)
    row = repository.find_block(session, block.id)[1]
    repository.add_entries(session, block, _indices(block, row))
    return block


def take_block(
    office: Office, session: Session, issuer: EntityRow, count: int
) -> StatusBlockRow:  # fmt: skip
    """The same, but for the record of its indices, which `record_indices` makes. Same errors.

    And BundleError `ROLLBACK_REFUSED` over an old copy of the database.
    """
    if not 0 < count <= MAX_BLOCK:
        raise UsageError(f"a block has 1 to {MAX_BLOCK} indices")
    check_not_ahead(office, session, issuer.jurisdiction)
    lists = repository.lists_of(session, issuer.jurisdiction)
    for row in sorted(lists, key=lambda one: -one.next_free):  # the fullest first
        start = None
        if row.published_at is not None:
            start = repository.take_counters(session, row.id, count)
        if start is not None:
            block = StatusBlockRow(
                id=block_id(row, issuer, start, count),
                list_id=row.id,
                issuer=issuer.id,
                start=start,
                count=count,
                created_at=office.now,
            )
            repository.add_block(session, block)
            office.note(session, "block", issuer.entity_id)
            return block
    raise UnavailableError(
        f"no status list of {issuer.jurisdiction} is published and has room",
        code="STATUS_LIST_UNPUBLISHED",
        hint="Run: registry publish",
    )


def block_id(row: StatusListRow, issuer: EntityRow, start: int, count: int) -> str:
    """The name of a block, which nobody makes without the secret of the list."""
    said = dump_json([issuer.entity_id, start, count])
    return f"b-{blake2b(said, key=row.seed, digest_size=16, person=_PERSON).hexdigest()}"


def record_indices(office: Office, block: str, *, rest: Rest = time.sleep) -> None:
    """Put the indices of a block on record, in steps between which others write.

    Orders must not wait for tens of thousands of rows. What was broken off is gone on with.

    rest  waits that many seconds: half as long as the step before took
    """
    with office.reading() as session:
        found, row = repository.find_block(session, block)
        done = repository.on_record(session, block)
    indices = _indices(found, row) if done < found.count else []
    while done < found.count:
        begun = time.monotonic()
        with office.transaction() as session:
            done = repository.on_record(session, block)  # another may be at the same block
            repository.add_entries(session, found, indices[done : done + STEP], first=done)
        done += STEP
        if done < found.count:
            rest((time.monotonic() - begun) / 2)


def _indices(block: StatusBlockRow, row: StatusListRow) -> list[int]:
    return Permutation(row.seed, row.size).block(block.start, block.count)


def block_document(session: Session, block: str, *, code: str | None = None) -> StatusBlock:
    """A block as its issuer gets it. `code`: of the issuer's last restore, for a new one alone."""
    uri, made_at, indices = repository.block_with_uri(session, block)
    return StatusBlock(block=block, uri=uri, indices=indices, made_at=made_at, restored=code)


def close_lists(office: Office, session: Session, jurisdiction: str) -> list[str]:
    """Hand out no more blocks of the lists that there are; the URIs of those that had room.

    After a restore nobody knows here which blocks were handed out since the copy. The next
    publication begins another list (`keep_room`).
    """
    open_lists = [
        row for row in repository.lists_of(session, jurisdiction) if row.next_free < row.size
    ]
    for row in open_lists:
        repository.close_list(session, row.id)
        office.note(session, "list closed", row.uri)
    return [row.uri for row in open_lists]
