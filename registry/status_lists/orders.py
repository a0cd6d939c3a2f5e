"""Orders of issuers: signed files in the exchange folder, taken once, applied or refused.

An order is signed by a listed key of the issuer and numbered. It is taken once: the same order
again changes nothing, also where its issuer has signed it anew with another time, and another order
under the same number is refused. Orders may arrive in any order: an older one never undoes a newer
one, except that a revocation always holds. An index can be changed only by the issuer it was given
to, and what was revoked stays revoked.

A block that an issuer shows a restored registry lies among the orders and comes before all of them.

Taken orders are moved to `done/`, refused ones to `refused/` with the reason beside them; so is
whatever cannot be read. One file keeps nobody waiting: if it alone cannot even be moved it stays,
is named, and is met again. A folder that cannot be read or written as a whole stops the run.
"""

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from sqlalchemy.orm import Session

from registry.issuers.models import EntityRow
from registry.office import Office
from registry.status_lists import repository
from registry.status_lists.held_blocks import open_held, take_back
from registry.status_lists.models import StatusOrderRow
from registry.status_lists.repository import Entry
from registry.status_lists.signed import (
    MAX_SIGNED_BYTES,
    digest_of,
    open_signed,
    parse_signed,
    text_of,
)
from schemas.registry import (
    HELD_BLOCK_ENDING,
    MAX_ORDERS_AHEAD,
    ORDERS_A_SECOND,
    STATUS_ORDER_TYP,
    StatusChange,
    StatusOrder,
)
from talentseal.commandline import problem_document
from talentseal.encoding import dump_json
from talentseal.errors import InputError, RefusedError, TalentsealError, UnavailableError
from talentseal.files import read_bounded, write_atomic

MAX_FILES = 10_000  # of one run; the rest waits for the next
MAX_STEM_BYTES = 200  # of the name of a reason: room for its ending and a temporary one
INVALID, SUSPENDED = 1, 2
# Faults of moving one file: it went away, something lies in its way, or it is somebody else's.
_OF_ONE_FILE = (
    errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST, errno.EPERM,
    errno.EACCES,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    state     `applied`, `known` (taken before) or `refused`; `taken back` of a block
    stays     it could not be moved, and is met again
    outdated  how many of its changes a later order has overtaken
    """

    file: str
    state: str
    issuer: str = ""
    seq: int = 0
    changes: int = 0
    code: str = ""
    message: str = ""
    stays: bool = False
    outdated: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """An order whose signature and shape hold, with the issuer it comes from."""

    order: StatusOrder
    issuer: EntityRow
    text: str


@dataclass(frozen=True, slots=True)
class Filed:
    """An opened order, and the file that it was left in."""

    opened: Opened
    path: Path


class Taken(NamedTuple):
    """An order that is on record: new or taken before, and how much of it was overtaken."""

    is_new: bool
    outdated: int = 0

    @property
    def state(self) -> Literal["applied", "known"]:
        return "applied" if self.is_new else "known"


def take_order(office: Office, text: str) -> tuple[Opened, Taken]:
    """Take one order that was handed over.

    It is on record when this returns, and in the next publication. Raises InputError, RefusedError
    as `apply_order`, UnavailableError.
    """
    with office.reading() as session:
        opened = open_order(session, text, now=office.now)
    with office.transaction() as session:
        return opened, apply_order(session, opened, now=office.now)


def waiting_files(exchange: Path) -> set[str]:
    """What lies in the exchange folder as an order. Raises UnavailableError."""
    return {_shown(path.name) for path in _order_files(exchange)}


def take_orders(office: Office, jurisdictions: Sequence[str]) -> list[Outcome]:
    """Take every order of issuers of these jurisdictions; others are left where they are.

    Raises UnavailableError of the folder or the database, never of one file.
    """
    paths = _order_files(office.settings.exchange)
    taken = [_take_block(office, path, jurisdictions) for path in paths if _is_block(path)]
    found, refused = _open_all(office, [path for path in paths if not _is_block(path)])
    outcomes = [one for one in taken if one is not None] + refused
    for filed in sorted(found, key=lambda one: (one.opened.order.iss, one.opened.order.seq)):
        if filed.opened.issuer.jurisdiction in jurisdictions:
            outcomes.append(_take(office, filed))
    return outcomes


def _open_all(office: Office, paths: Sequence[Path]) -> tuple[list[Filed], list[Outcome]]:
    opened, refused = [], []
    for path in paths:
        try:
            opened.append(_open_file(office, path, _read_file(path)))
        except (InputError, RefusedError) as error:
            if os.path.lexists(path):  # who left it may have taken it back
                refused.append(_refuse(path, error))
    return opened, refused


def _order_files(exchange: Path) -> list[Path]:
    """Whatever is named as an order; none where there is no folder. Raises UnavailableError.

    Blocks come first: orders name their indices.
    """
    folder = exchange / "orders"
    try:
        found = [path for path in folder.iterdir() if path.name.endswith(".jws")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _folder_fault(folder) from error
    return sorted(found, key=lambda path: (not _is_block(path), path))[:MAX_FILES]


def _is_block(path: Path) -> bool:
    return path.name.endswith(HELD_BLOCK_ENDING)


def _read_file(path: Path) -> str:
    """Raises InputError; for what cannot be read with the code of the fault."""
    if path.is_symlink():
        raise InputError("an order is a file, no link", code="MALFORMED")
    try:
        return text_of(read_bounded(path, MAX_SIGNED_BYTES))
    except UnavailableError as error:
        hint = "Once it can be read, put it back into the exchange folder."
        raise InputError(_shown(error.message), code=error.code, hint=hint) from error


def _open_file(office: Office, path: Path, text: str) -> Filed:
    with office.reading() as session:
        return Filed(open_order(session, text, now=office.now), path)


def open_order(session: Session, text: str, *, now: int) -> Opened:
    """Raises InputError, or RefusedError `KEY_UNKNOWN` for a key that is not listed."""
    order, issuer = open_signed(session, text, STATUS_ORDER_TYP, StatusOrder, now=now)
    if order.seq > now * ORDERS_A_SECOND + MAX_ORDERS_AHEAD:
        raise InputError(
            f"the number {order.seq} would leave no room for later orders",
            code="REQUEST_INVALID",
            hint="Number orders one by one; after a restore: issuer restored",
        )
    return Opened(order, issuer, text)


# --- taking ---------------------------------------------------------------------------------------


def _take_block(office: Office, path: Path, jurisdictions: Sequence[str]) -> Outcome | None:
    """Take a block back; None for one that is left where it is, or was taken away meanwhile."""
    try:
        text = _read_file(path)
        with office.reading() as session:
            held, issuer = open_held(session, text, now=office.now)
        if issuer.jurisdiction not in jurisdictions:
            return None
        state = take_back(office, held, issuer)
    except (InputError, RefusedError) as error:
        return _refuse(path, error) if os.path.lexists(path) else None
    stays = not _put_away(path, "done")
    return Outcome(_shown(path.name), state, held.iss, stays=stays)


def _take(office: Office, filed: Filed) -> Outcome:
    try:
        with office.transaction() as session:
            taken = apply_order(session, filed.opened, now=office.now)
    except (InputError, RefusedError) as error:
        return _refuse(filed.path, error)
    stays = not _put_away(filed.path, "done")
    order, name = filed.opened.order, _shown(filed.path.name)
    count = len(order.changes)
    return Outcome(
        name, taken.state, order.iss, order.seq, count, stays=stays, outdated=taken.outdated
    )


def apply_order(session: Session, opened: Opened, *, now: int) -> Taken:
    """Apply an order whole or not at all, but for what a later one has overtaken.

    Raises RefusedError `IDEMPOTENCY_CONFLICT`, `NOT_FOUND`, `STATE_CONFLICT`, `REQUEST_INVALID`.
    """
    order, issuer = opened.order, opened.issuer
    digest = digest_of(opened.text)
    known = repository.find_order(session, issuer.id, order.seq, order.jti)
    if known is not None:
        if known.sha256 == digest or _is_same(order, known):
            return Taken(is_new=False)
        raise _conflict(order, known)
    outdated, changed = 0, []
    entries = _own_entries(session, issuer, order.changes)
    for change in order.changes:
        entry = entries[change.uri, change.idx]
        if order.seq < entry.seq and change.value != INVALID:
            outdated += 1
        elif _apply(entry, change, order.seq):
            changed.append(entry)
    repository.update_entries(session, changed, now=now)
    row = StatusOrderRow(
        issuer=issuer.id,
        seq=order.seq,
        jti=order.jti,
        sha256=digest,
        jws=opened.text,
        taken_at=now,
    )
    repository.add_order(session, row)
    return Taken(is_new=True, outdated=outdated)


def _is_same(order: StatusOrder, known: StatusOrderRow) -> bool:
    """Whether an order that was taken says the same, but for its time.

    An issuer whose clock was ahead signs an order anew, and may not know that it was taken.
    """
    before = parse_signed(known.jws, StatusOrder)
    return before == order.model_copy(update={"iat": before.iat})


def _conflict(order: StatusOrder, known: StatusOrderRow) -> RefusedError:
    """Another order under the same number, or under the same identifier."""
    if known.seq != order.seq:
        said, hint = f"the jti of order {order.seq} is that of order {known.seq}", "another jti"
    else:
        said, hint = f"order {order.seq} of this issuer has other contents", "the next number"
    return RefusedError(
        f"{said}, which was taken already",
        code="IDEMPOTENCY_CONFLICT",
        hint=f"Give the order {hint}.",
    )


def _own_entries(
    session: Session, issuer: EntityRow, changes: Sequence[StatusChange]
) -> Mapping[tuple[str, int], Entry]:
    wanted = [(change.uri, change.idx) for change in changes]
    if len(set(wanted)) != len(wanted):
        raise RefusedError("an index stands twice in the order", code="REQUEST_INVALID")
    entries = repository.entries_of_issuer(session, issuer.id, wanted)
    if len(entries) != len(wanted):
        raise RefusedError(
            "the order names an index that was not given to this issuer",
            code="NOT_FOUND",
            hint="An issuer changes the status of its own credentials only. If this registry was "
            "restored from a copy: issuer resend",
        )
    return entries


def _apply(entry: Entry, change: StatusChange, seq: int) -> bool:
    """Change an entry; False if nothing is to be kept of it. Raises RefusedError."""
    if entry.value == INVALID and change.value != INVALID:
        raise RefusedError(
            f"index {change.idx} was revoked, and that is for good",
            code="STATE_CONFLICT",
            hint="Issue a new credential instead.",
        )
    before = (entry.value, entry.seq)
    entry.value, entry.seq = change.value, max(seq, entry.seq)
    return before != (entry.value, entry.seq)


# --- files ----------------------------------------------------------------------------------------


def _refuse(path: Path, error: TalentsealError) -> Outcome:
    stays = not _put_away(path, "refused", dump_json(problem_document(error)))
    name = _shown(path.name)
    return Outcome(name, "refused", code=error.code, message=error.message, stays=stays)


def _put_away(path: Path, name: str, reason: bytes = b"") -> bool:
    """Move a file, with a reason beside it; False if it alone could not be, and stays.

    Raises UnavailableError of the folder.
    """
    folder = path.parent / name
    try:
        folder.mkdir(exist_ok=True)
        if reason:
            write_atomic(folder / f"{_stem(path)}.json", reason, mode=0o644)
        os.replace(path, folder / path.name)  # noqa: PTH105  a link is moved, not followed
    except (OSError, UnavailableError) as error:
        if _is_of_one_file(error, path.parent, folder):
            return False
        raise _folder_fault(folder) from error
    return True


def _is_of_one_file(error: BaseException, *folders: Path) -> bool:
    cause = error if isinstance(error, OSError) else error.__cause__
    is_usual = isinstance(cause, OSError) and cause.errno in _OF_ONE_FILE
    return is_usual and all(one.is_dir() and os.access(one, os.W_OK | os.X_OK) for one in folders)


def _folder_fault(folder: Path) -> UnavailableError:
    return UnavailableError(
        f"{folder} cannot be used", hint="Check the rights of the exchange folder, and its disk."
    )


def _shown(text: str) -> str:
    """A name as a text that can be told; a name of a file is any octets."""
    return text.encode(errors="backslashreplace").decode()


def _stem(path: Path) -> str:
    return _shown(path.name).encode()[:MAX_STEM_BYTES].decode(errors="ignore")
