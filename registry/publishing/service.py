"""Publishing: orders taken, everything signed, committed, then written where the world reads.

A whole publication says everything anew. One of status alone, for orders that others wait for,
keeps the list office's files as they were published last, and costs the same however many issuers
there are.

The database is the truth and the folder its image. All files of one jurisdiction are signed and
kept in one transaction; only then are they written, new names first and `timestamp.json` last by
rename. Whatever is interrupted, the folder holds the last good state, and the next run writes what
is missing: a version is never used for other octets. One publisher at a time. A whole publication
also removes what was named last so long ago that nobody under way can want it.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from registry.issuers.granting import keep_status_right
from registry.issuers.service import role_keys
from registry.jurisdictions.models import JurisdictionRow
from registry.jurisdictions.repository import all_jurisdictions, get_jurisdiction
from registry.office import DAY_SECONDS, Office
from registry.publishing.content import gather
from registry.publishing.image import TIMESTAMP, ahead, check_not_ahead, folder_of, is_of_another
from registry.publishing.metadata import (
    ROLES,
    expiry,
    listed_targets,
    named_targets,
    next_root_bytes,
    sha256,
    snapshot_bytes,
    status_bytes,
    targets_bytes,
    timestamp_bytes,
)
from registry.publishing.repository import (
    add_publication,
    find_octets,
    has_octets,
    latest,
    next_version,
    versions,
)
from registry.publishing.sweeping import mark_named, remove_unnamed
from registry.status_lists.orders import Outcome, take_orders
from registry.status_lists.service import keep_room, status_prefix
from registry.status_lists.tokens import Reader, build_lists, read_back, token_files
from talentseal.artefacts import (
    HEAD,
    Head,
    dump_head,
    negative_digest,
    parse_head,
)
from talentseal.encoding import format_time
from talentseal.errors import RefusedError, UnavailableError
from talentseal.files import write_atomic
from talentseal.keys import SoftwareSigner

LOCK_WAIT_SECONDS = 60.0
TARGETS_RENEWAL_SECONDS = 90 * DAY_SECONDS
ROOT_RENEWAL_SECONDS = 60 * DAY_SECONDS  # before its end the officers sign the next root
MAX_PAUSE_SECONDS = 30 * DAY_SECONDS  # between two publications, unless somebody says it was so
_PUBLIC = 0o644


@dataclass(frozen=True, slots=True)
class Published:
    """What is in force for one jurisdiction.

    versions        TUF role -> version
    behind_seconds  how far this machine's clock lies behind the time that was published before:
                    now or then it was wrong, and `issued_at` stands still until it has caught up
    """

    jurisdiction: str
    versions: dict[str, int]
    list_sequence: int
    issued_at: int
    behind_seconds: int = 0


def publish(
    office: Office,
    jurisdictions: Sequence[str] = (),
    *,
    whole: bool = True,
    reader: Reader | None = None,
    after_pause: bool = False,
) -> tuple[list[Published], list[Outcome]]:
    """Take the waiting orders and publish these jurisdictions, or all.

    whole        everything; else the status lists that changed, beside what was published last
    reader       how new lists are read back; None: from the public folder
    after_pause  nothing was published for over a month, and the clock is right all the same

    Raises UsageError, UnavailableError, RefusedError `STATE_CONFLICT` after such a pause,
    BundleError `ROLLBACK_REFUSED`.
    """
    with publishing(office):
        with office.reading() as session:
            rows = [get_jurisdiction(session, code) for code in jurisdictions]
            codes = [row.code for row in rows or all_jurisdictions(session)]
            for code in codes:
                check_not_ahead(office, session, code, thoroughly=whole)
        for code in codes:
            if not after_pause:
                _check_no_jump(office, code)
        outcomes = take_orders(office, codes)
        published = [_publish_one(office, code, whole=whole, reader=reader) for code in codes]
        return published, outcomes


def _check_no_jump(office: Office, code: str) -> None:
    """A time that verifiers have once seen never goes back: a year typed wrong would last."""
    with office.reading() as session:
        before = latest(session, code, "timestamp")
    pause = office.now - before.created_at if before else 0
    if pause > MAX_PAUSE_SECONDS:
        raise RefusedError(
            f"{code} was published {pause // DAY_SECONDS} days ago by this machine's clock, which"
            f" says {format_time(office.now)}",
            code="STATE_CONFLICT",
            hint="Set the clock. If that is the time: registry publish --after-pause",
        )


@contextmanager
def publishing(office: Office) -> Iterator[None]:
    """One publisher at a time: a second waits. Raises UnavailableError after a minute."""
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    handle = os.open(office.settings.publish_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _locked(handle):
            if time.monotonic() > deadline:
                raise UnavailableError("another publisher is at work", hint="Try again.")
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)  # ends the lock, as the end of the process does


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _publish_one(
    office: Office, code: str, *, whole: bool, reader: Reader | None
) -> Published:  # fmt: skip
    if whole:
        with office.reading() as session:
            mark_named(folder_of(office, code), _current(session, code), now=office.now)
    build_lists(office, code)
    with office.transaction() as session:
        row = get_jurisdiction(session, code)
        prefix = status_prefix(row.entity_id)
        keep_room(session, code, prefix)
        if whole:
            keep_status_right(office, session, row, prefix)
        published = _sign(office, session, row, whole=whole)
    write_public(office, code, sweep=whole)
    read_back(office, code, reader)
    return published


# --- signing --------------------------------------------------------------------------------------


class _Said(NamedTuple):
    """What the list office says: its metadata, and the head that vouches for it.

    tokens  SHA-256 of the status tokens that may stay as they are; None: none
    """

    version: int
    metadata: bytes
    head: Head
    tokens: dict[str, str] | None = None


def _sign(office: Office, session: Session, row: JurisdictionRow, *, whole: bool) -> Published:
    """Everything that is new, signed and kept, ready to be written."""
    now = _moment(office, session, row)
    if whole:
        _keep_root(office, session, row, now=now)
    said = None if whole else _said_before(session, row, now=now)
    said = said or _say(office, session, row, now=now)
    targets = said.version, said.metadata
    status = _status(office, session, row, said, now=now)
    signer = _signers(office, session, row, "tuf_snapshot")[0]
    roles = {"targets": targets, "status": status}
    version = next_version(session, row.code, "snapshot")
    data = snapshot_bytes(roles, version=version, now=now, signer=signer)
    _keep(session, row, "snapshot", version, data, now=now)
    signer = _signers(office, session, row, "tuf_timestamp")[0]
    stamp = next_version(session, row.code, "timestamp")
    stamped = timestamp_bytes((version, data), version=stamp, now=now, signer=signer)
    _keep(session, row, "timestamp", stamp, stamped, now=now)
    found = {role: latest(session, row.code, role) for role in ROLES}
    held = {role: one.version for role, one in found.items() if one}
    behind = max(0, now - office.now)
    return Published(row.code, held, said.head.list_sequence, now, behind)


def _moment(office: Office, session: Session, row: JurisdictionRow) -> int:
    """The time of this publication; after a clock that went back, that of the one before."""
    before = latest(session, row.code, "timestamp")
    return max(office.now, before.created_at if before else 0)


def _keep_root(office: Office, session: Session, row: JurisdictionRow, *, now: int) -> None:
    """Sign the next root, the same but for its term, before the last one ends."""
    before = latest(session, row.code, "root")
    if before and now >= (before.expires or 0) - ROOT_RENEWAL_SECONDS:
        version = next_version(session, row.code, "root")
        data = next_root_bytes(
            before.data,
            version=version,
            now=now,
            signers=_signers(office, session, row, "tuf_root"),
        )
        _keep(session, row, "root", version, data, now=now)
        office.note(session, "root", f"{row.code} {version}")


def _signers(
    office: Office, session: Session, row: JurisdictionRow, purpose: str
) -> list[SoftwareSigner]:
    return [office.signer(key.kid) for key in role_keys(session, row, purpose)]


def _keep(
    session: Session, row: JurisdictionRow, role: str, version: int, data: bytes, *, now: int
) -> None:
    add_publication(session, row.code, role, version, data, expires=expiry(role, now), now=now)


def _keep_files(
    session: Session, row: JurisdictionRow, files: dict[str, bytes], version: int, *, now: int
) -> None:
    """Keep the octets of targets that were not published before under this path."""
    for path, data in files.items():
        if not has_octets(session, row.code, path, sha256(data)):
            add_publication(session, row.code, path, version, data, expires=None, now=now)


def _said_before(session: Session, row: JurisdictionRow, *, now: int) -> _Said | None:
    """What was published last; None where it was nothing, or where it must be renewed."""
    targets, status = (latest(session, row.code, role) for role in ("targets", "status"))
    if targets is None or status is None or now >= (targets.expires or 0) - TARGETS_RENEWAL_SECONDS:
        return None
    named = named_targets(status.data)
    head = find_octets(session, row.code, HEAD, named[HEAD])
    if head is None:
        return None
    return _Said(targets.version, targets.data, parse_head(head), named)


def _say(office: Office, session: Session, row: JurisdictionRow, *, now: int) -> _Said:
    """What the list office says now, signed where it is new."""
    content = gather(office, session, row, now=now)
    version, metadata = _targets(office, session, row, content.files, now=now)
    head = Head(
        jurisdiction=row.code,
        issued_at=now,
        root_version=0,
        targets_version=version,
        list_sequence=content.list_sequence,
        negative_count=len(content.negatives),
        negative_s256=negative_digest(content.negatives),
    )
    return _Said(version, metadata, head)


def _targets(
    office: Office, session: Session, row: JurisdictionRow, files: dict[str, bytes], *, now: int
) -> tuple[int, bytes]:
    """The list office's metadata: as before while nothing changed and it lasts."""
    before = latest(session, row.code, "targets")
    if before and now < (before.expires or 0) - TARGETS_RENEWAL_SECONDS:
        named = {path: sha256(data) for path, data in files.items()}
        if named_targets(before.data) == named:
            return before.version, before.data
    version = next_version(session, row.code, "targets")
    data = targets_bytes(
        files,
        _signers(office, session, row, "tuf_status")[0].public,
        version=version,
        now=now,
        signers=_signers(office, session, row, "tuf_targets"),
    )
    _keep_files(session, row, files, version, now=now)
    _keep(session, row, "targets", version, data, now=now)
    return version, data


def _status(
    office: Office,
    session: Session,
    row: JurisdictionRow,
    said: _Said,
    *,
    now: int,
) -> tuple[int, bytes]:
    """Status tokens, and the head, always anew: it says that nothing older is current."""
    root_version = next_version(session, row.code, "root") - 1
    head = replace(said.head, issued_at=now, root_version=root_version)
    tokens = token_files(office, session, row, now=now, published=said.tokens)
    files = {**tokens, HEAD: dump_head(head)}
    version = next_version(session, row.code, "status")
    signer = _signers(office, session, row, "tuf_status")[0]
    data = status_bytes(files, version=version, now=now, signer=signer)
    _keep_files(session, row, files, version, now=now)
    _keep(session, row, "status", version, data, now=now)
    return version, data


# --- the files in force ---------------------------------------------------------------------------


class _File(NamedTuple):
    """A published file: its length, and how its octets are had."""

    length: int
    read: Callable[[], bytes]


def current_files(session: Session, code: str) -> dict[str, bytes]:
    """Name -> octets of everything a reader needs, `timestamp.json` last.

    Names are relative to the jurisdiction's folder. Empty before the first publication.
    """
    return {name: file.read() for name, file in _current(session, code).items()}


def _current(session: Session, code: str) -> dict[str, _File]:
    """The same, where only what is asked for is read."""
    files: dict[str, _File] = {}
    for root in versions(session, code, "root"):
        files[f"metadata/{root.version}.root.json"] = _held(root.data)
    newest = {role: latest(session, code, role) for role in ("targets", "status", "snapshot")}
    for role, found in newest.items():
        if found is None:
            return {}
        if role != "snapshot":
            files |= _target_files(session, code, found.data)
        files[f"metadata/{found.version}.{role}.json"] = _held(found.data)
    timestamp = latest(session, code, "timestamp")
    if timestamp:
        files[TIMESTAMP] = _held(timestamp.data)
    return files


def _held(data: bytes) -> _File:
    return _File(len(data), lambda: data)


def _target_files(session: Session, code: str, metadata: bytes) -> dict[str, _File]:
    files: dict[str, _File] = {}
    for path, (digest, length) in listed_targets(metadata).items():
        folder, _, name = path.rpartition("/")
        read = partial(_octets, session, code, path, digest)
        files[f"targets/{folder}/{digest}.{name}"] = _File(length, read)
    return files


def _octets(session: Session, code: str, path: str, digest: str) -> bytes:
    data = find_octets(session, code, path, digest)
    if data is None or sha256(data) != digest:
        raise UnavailableError(
            f"{path} of {code} in the database is not what was signed",
            hint="Restore the last backup; nothing was published.",
        )
    return data


def write_public(office: Office, code: str, *, sweep: bool = True) -> None:
    """Write what is missing in the public folder; the file that puts it in force comes last.

    sweep  remove what was left half-written, and what is named no more
    """
    folder = folder_of(office, code)
    with office.reading() as session:
        files = _current(session, code)
        for one in sorted({(folder / name).parent for name in files}):
            one.mkdir(parents=True, exist_ok=True)
            if sweep:
                _sweep(one)
        for name, file in files.items():
            path = folder / name
            if name == TIMESTAMP or not path.exists():
                write_atomic(path, file.read(), mode=_PUBLIC)
            elif path.stat().st_size != file.length:
                # A target's name holds its digest: it can only be torn.
                if name.startswith("metadata/") and is_of_another(path, file.read()):
                    raise ahead(code)
                write_atomic(path, file.read(), mode=_PUBLIC)
    if sweep and files:
        remove_unnamed(folder, files, now=office.now, keep_days=office.settings.keep_days)


def _sweep(folder: Path) -> None:
    """Remove what a killed publisher left half-written."""
    for path in folder.glob(".*"):
        with suppress(OSError):
            path.unlink()
