"""Bring the next bundle: fetch, verify, compile, remember, switch.

Nothing is trusted for where it came from (`sources`). Each jurisdiction's repository goes through
the reference TUF client, then through its own signatures (`compiling`), then past the ratchets:
versions, lists, key states and withdrawals never go back. Nothing is switched before all of home
has verified; a peer that fails keeps its previous set and says why. Everything is prepared in a new
folder and put in force by one rename.

Standard: TUF 1.0, by python-tuf. That client reads the clock once per refresh itself; `now` is
used for everything else.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from talentseal.artefacts import (
    HEAD,
    MAX_ROOT_BYTES,
    NETWORK,
    STATUS,
    PeerInfo,
    RootInfo,
    SignedFiles,
    file_code,
    parse_root,
)
from talentseal.bundle import CLOCK_MARK_SLACK_SECONDS, Bundle, Part, combine
from talentseal.compiling import compile_part, overlapping, peer_root, peers_of
from talentseal.encoding import MAX_LIST_BYTES, parse_json, to_seconds
from talentseal.errors import (
    BundleError,
    InputError,
    TalentsealError,
    UnavailableError,
    UsageError,
)
from talentseal.files import make_private_folder, write_atomic
from talentseal.sources import (
    MAX_EXPANDED_BYTES,
    FolderSource,
    HttpSource,
    Source,
    ZipSource,
    open_source,
)
from talentseal.status import StatusList
from talentseal.trustdb import (
    CURRENT,
    NOTHING_HELD,
    STORE,
    Held,
    Ratchet,
    Stored,
    TrustStore,
    current_set,
    forget_refusal,
    note_refusal,
    ratchet_of,
    refused_updates,
    write_store,
)

MAX_TARGETS = 10_000
_SCHEME = "bundle://"


# --- what a caller sees ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pin:
    """What was learned from outside: the root of one's own jurisdiction.

    root  octets of a `root.json`; its SHA-256 is the published fingerprint
    """

    root: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.root).hexdigest()

    @property
    def info(self) -> RootInfo:
        """Raises BundleError where the file is no jurisdiction's root."""
        return parse_root(self.root)[0]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one jurisdiction's update.

    before, after  snapshot versions; equal where nothing newer was offered or it was refused
    refused        code of the refusal, and its sentence in `message`
    alarms         codes that an operator must see although the set was taken
    """

    jurisdiction: str
    before: int | None
    after: int | None
    as_of: int | None
    size_bytes: int = 0
    refused: str | None = None
    message: str = ""
    alarms: Sequence[str] = ()


# --- the TUF client -------------------------------------------------------------------------------


def _fetcher(source: Source) -> Any:
    """A TUF fetcher over a source: fifteen lines are all a transport needs."""
    from tuf.api.exceptions import DownloadHTTPError
    from tuf.ngclient import FetcherInterface

    class SourceFetcher(FetcherInterface):  # type: ignore[misc, unused-ignore]
        def _fetch(self, url: str) -> Iterator[bytes]:
            try:
                chunks = source.read(url.removeprefix(_SCHEME))
                first = next(chunks, b"")
            except FileNotFoundError as error:
                raise DownloadHTTPError("not there", 404) from error

            def rest() -> Iterator[bytes]:
                yield first
                yield from chunks

            return rest()

    return SourceFetcher()


@contextmanager
def _translated(jurisdiction: str) -> Iterator[None]:
    """Errors of the TUF client as ours, by the table of the reason codes."""
    from tuf.api import exceptions as tuf_errors

    table: Sequence[tuple[type[Exception], str]] = (
        (tuf_errors.BadVersionNumberError, "ROLLBACK_REFUSED"),
        (tuf_errors.ExpiredMetadataError, "TRUST_DATA_EXPIRED"),
        (tuf_errors.LengthOrHashMismatchError, "BUNDLE_TAMPERED"),
        (tuf_errors.UnsignedMetadataError, "BUNDLE_SIGNATURE"),
        (tuf_errors.DownloadLengthMismatchError, "BUNDLE_TOO_LARGE"),
        (tuf_errors.DownloadHTTPError, "BUNDLE_INCOMPLETE"),
        (tuf_errors.RepositoryError, "BUNDLE_TAMPERED"),
        (tuf_errors.DownloadError, "BUNDLE_INCOMPLETE"),
    )
    try:
        yield
    except (tuf_errors.RepositoryError, tuf_errors.DownloadError) as error:
        if isinstance(error.__cause__, TalentsealError):
            raise error.__cause__ from error
        code = next(code for kind, code in table if isinstance(error, kind))
        raise BundleError(
            f"the update of {jurisdiction} was refused: {_REFUSALS[code]}",
            code=code,
            hint="The previous data stays in force. Synchronise from the official source.",
        ) from error


_REFUSALS = {
    "ROLLBACK_REFUSED": "it is older than what is held",
    "TRUST_DATA_EXPIRED": "its own term has ended",
    "BUNDLE_TAMPERED": "a file is not the one that was signed",
    "BUNDLE_SIGNATURE": "it is not signed by the keys that must sign it",
    "BUNDLE_TOO_LARGE": "a file is larger than was signed or allowed",
    "BUNDLE_INCOMPLETE": "a file is missing",
}


def _download(source: Source, jurisdiction: str, bootstrap: bytes, folder: Path) -> SignedFiles:
    """Refresh one repository into `folder` and read all its targets. Raises BundleError."""
    from tuf.ngclient import Updater

    base = f"{_SCHEME}{file_code(jurisdiction)}"
    metadata = folder / "metadata"
    metadata.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, _translated(jurisdiction):
        updater = Updater(
            str(metadata),
            f"{base}/metadata/",
            target_dir=scratch,
            target_base_url=f"{base}/targets/",
            fetcher=_fetcher(source),
            bootstrap=bootstrap,
        )
        updater.refresh()
        if updater.get_targetinfo(HEAD) is None:
            raise BundleError(f"{HEAD} is missing", code="BUNDLE_INCOMPLETE")
        return _read_targets(updater, metadata, Path(scratch))


def _read_targets(updater: Any, metadata: Path, scratch: Path) -> SignedFiles:
    info, root_version = parse_root(_metadata_bytes(metadata, "root"))
    signed = {name: _signed(metadata, name) for name in ("timestamp", "snapshot", "targets")}
    _check_offices(signed["targets"])
    signed["status"] = _signed(metadata, "status")
    delegated = [path for path in signed["status"]["targets"] if path.startswith(STATUS)]
    paths = [*signed["targets"]["targets"], *delegated]
    if len(paths) > MAX_TARGETS:
        raise BundleError(f"more than {MAX_TARGETS} files", code="BUNDLE_TOO_LARGE")
    return SignedFiles(
        root=info,
        root_version=root_version,
        targets_version=signed["targets"]["version"],
        snapshot_version=signed["snapshot"]["version"],
        timestamp_expires=_expiry(signed["timestamp"]["expires"]),
        targets=_fetch_targets(updater, paths, scratch),
    )


def _check_offices(targets: Mapping[str, Any]) -> None:
    """The list office signs no status, and delegates status to one role and nothing else."""
    roles = (targets.get("delegations") or {}).get("roles")
    told = [(role["name"], role.get("paths")) for role in roles or ()]
    if told != [("status", [f"{STATUS}*"])] or any(
        p.startswith(STATUS) for p in targets["targets"]
    ):
        raise BundleError("the list office may not speak for status", code="BUNDLE_TAMPERED")


def _fetch_targets(updater: Any, paths: Sequence[str], scratch: Path) -> dict[str, bytes]:
    targets: dict[str, bytes] = {}
    total = 0
    local = scratch / "target"
    for path in paths:
        target = updater.get_targetinfo(path)
        if target is None:
            raise BundleError(f"{path} is not delegated", code="BUNDLE_TAMPERED")
        total += target.length
        if target.length > MAX_LIST_BYTES or total > MAX_EXPANDED_BYTES:
            raise BundleError(f"{path} is too large", code="BUNDLE_TOO_LARGE")
        updater.download_target(target, str(local))
        targets[path] = local.read_bytes()
    return targets


def _metadata_bytes(folder: Path, role: str) -> bytes:
    try:
        return (folder / f"{role}.json").read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{role}.json is missing", code="BUNDLE_INCOMPLETE") from error


def _signed(folder: Path, role: str) -> dict[str, Any]:
    """What a role signed, from the file that the client left after checking it."""
    data = _metadata_bytes(folder, role)
    document = parse_json(data, max_bytes=MAX_LIST_BYTES, max_depth=32, max_members=1_000_000)
    signed: dict[str, Any] = document["signed"]
    return signed


def _expiry(text: str) -> int:
    return to_seconds(datetime.fromisoformat(text))


# --- one jurisdiction -----------------------------------------------------------------------------


def _update_one(
    source: Source, bootstrap: bytes, introduced: PeerInfo | None, folder: Path, *, now: int
) -> tuple[SignedFiles, Part]:
    pinned, _ = parse_root(bootstrap)
    try:
        files = _download(source, pinned.jurisdiction, bootstrap, folder)
        _check_identity(files.root, pinned)
        return files, compile_part(files, introduced, now=now)
    except InputError as error:
        raise BundleError(
            f"a file of {pinned.jurisdiction} is not what it must be", code="BUNDLE_TAMPERED"
        ) from error


def _check_identity(root: RootInfo, pinned: RootInfo) -> None:
    expected = (NETWORK, pinned.jurisdiction, pinned.entity_id)
    if (root.network, root.jurisdiction, root.entity_id) != expected:
        raise BundleError(
            f"this is not the {pinned.jurisdiction} that was pinned", code="WRONG_NETWORK"
        )
    if root.dev != pinned.dev:
        raise BundleError(
            f"{root.jurisdiction} changed between development and production keys",
            code="DEV_TRUST_REFUSED",
            hint="Refuse it, and report where the data came from.",
        )


def _past_ratchets(
    part: Part, held: Part | None, seen: Ratchet | None
) -> tuple[Part, Sequence[str]]:
    """Refuse what goes back; keep single status lists that are newer than those offered."""
    code = part.jurisdiction.code
    if seen is not None:
        if part.list_sequence < seen.list_sequence or part.jurisdiction.version < seen.version:
            raise BundleError(f"the list of {code} is older than held", code="ROLLBACK_REFUSED")
        if any(key.kid in seen.stolen and key.compromised_at is None for key in part.keys):
            raise BundleError(f"{code} shows a stolen key as good", code="KEY_STATE_IMPROVED")
        if not seen.negatives <= part.negatives:
            raise BundleError(f"a withdrawal of {code} has vanished", code="STATEMENT_VANISHED")
    status, alarms = dict(part.status), []
    for name, old in held.status.items() if held else ():
        new = status.get(name)
        if isinstance(old, StatusList) and _is_worse(new, old):
            status[name] = old
            if isinstance(new, StatusList):
                alarms.append("STATUS_ROLLBACK")
    return part._replace(status=status), alarms


def _is_worse(new: StatusList | str | None, old: StatusList) -> bool:
    """A refused list never replaces a good one, nor does an older one."""
    return not isinstance(new, StatusList) or new.issued_at < old.issued_at


# --- the whole set --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
    """What one synchronisation goes by.

    before    folder of the set in force, if there is one
    building  folder of the set in the making
    held      what `before` knows
    now       NumericDate
    """

    source: Source
    before: Path | None
    building: Path
    held: Held
    now: int

    def metadata(self, code: str) -> Path:
        return self.building / "tuf" / file_code(code)

    def copy_metadata(self, code: str) -> None:
        """Start from what the TUF client left behind last time, if it left anything."""
        folder = self.metadata(code)
        shutil.rmtree(folder, ignore_errors=True)
        if self.before is not None and (self.before / "tuf" / file_code(code)).is_dir():
            shutil.copytree(self.before / "tuf" / file_code(code), folder, symlinks=True)


def synchronise(
    home: Path, source: Source, pin: Pin, *, now: datetime, only_home: bool = False
) -> Sequence[Change]:
    """Bring home and every peer it introduces up to date, and put the result in force.

    home       the trust folder; made if it is not there
    only_home  leave the peers as they are held

    Raises BundleError where home is refused: then nothing at all has changed but the mark of it.
    Raises UnavailableError where the folder cannot be used, another synchronisation is under way,
    or the set in force is damaged.
    """
    with _writing(home), _alone(home):
        before = current_set(home)
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=home))
        try:
            work = _Work(source, before, building, _held(home, before), to_seconds(now))
            made = _gather(work, pin, only_home=only_home)
            write_store(building / STORE, made.stored(pin.info.jurisdiction, work))
            _switch(home, building)
        except BundleError as error:
            note_refusal(home, pin.info.jurisdiction, error.code)
            raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return made.changes


def _gather(work: _Work, pin: Pin, *, only_home: bool) -> "_Set":
    made = _Set()
    files = _take(made, work, pin.root, None)
    made.peers = list(peers_of(files))
    if only_home:
        for peer in made.peers:
            _keep(made, work, peer.jurisdiction)
    else:
        _take_peers(made, work, files)
    return made


_BUILDING = ".new-"
_LOCK = ".lock"


@contextmanager
def _writing(home: Path) -> Iterator[None]:
    """The trust folder, for its owner alone; what the disk says against it becomes a sentence."""
    try:
        make_private_folder(home)
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise UnavailableError(
            f"the trust data cannot be written to {home} ({error.strerror})",
            code="STORAGE_FULL" if full else "DEPENDENCY_UNAVAILABLE",
            hint="The previous set stays in force.",
        ) from error


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One synchronisation at a time; what one that was killed left behind is swept away."""
    with (home / _LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError(
                "another synchronisation is under way", hint="Wait for it to end."
            ) from error
        for left in home.glob(f"{_BUILDING}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _held(home: Path, before: Path | None) -> Held:
    if before is None:
        return NOTHING_HELD
    try:
        return TrustStore(before / STORE).held()
    except InputError as error:
        raise UnavailableError(
            "the stored trust data is damaged, so nothing can be compared with it",
            code="TRUST_DATA_CORRUPT",
            hint=f"Move {home} away, make sure of the published root, and synchronise again.",
        ) from error


def _take(made: "_Set", work: _Work, bootstrap: bytes, introduced: PeerInfo | None) -> SignedFiles:
    """Verify one jurisdiction into the new set. Raises BundleError."""
    code = parse_root(bootstrap)[0].jurisdiction
    epoch = introduced.epoch if introduced else 0
    seen = work.held.ratchets.get(code)
    anew = seen is not None and seen.epoch < epoch  # its root was lost and home pinned a new one
    if seen is not None and seen.epoch > epoch and introduced is not None:
        raise BundleError(f"an older introduction of {code} than held", code="ROLLBACK_REFUSED")
    if not anew:
        work.copy_metadata(code)
    files, part = _update_one(work.source, bootstrap, introduced, work.metadata(code), now=work.now)
    old = None if anew else work.held.parts.get(code)
    part, alarms = _past_ratchets(part, old, None if anew else seen)
    if part.jurisdiction.as_of > work.now + CLOCK_MARK_SLACK_SECONDS:
        alarms = (*alarms, "CLOCK_ROLLED_BACK")  # ours is behind, or the source's was ahead
    made.parts[code] = part
    made.ratchets[code] = ratchet_of(
        part, None if anew else seen, max(epoch, seen.epoch if seen else 0)
    )
    made.expiries.append(files.timestamp_expires)
    version = old.jurisdiction.version if old else None
    size = sum(map(len, files.targets.values()))
    state = part.jurisdiction
    made.changes.append(
        Change(code, version, state.version, state.as_of, size, alarms=tuple(alarms))
    )
    return files


def _take_peers(made: "_Set", work: _Work, home_files: SignedFiles) -> None:
    """Each peer on its own: one that fails keeps its previous part and reports its code."""
    spaces = {home_files.root.jurisdiction: home_files.root.namespaces}
    spaces |= {peer.jurisdiction: peer.namespaces for peer in made.peers}
    overlap = frozenset(overlapping(spaces))
    for peer in made.peers:
        code = peer.jurisdiction
        try:
            if work.source.offers(file_code(code)):
                _take_peer(made, work, home_files, peer, overlap)
            else:
                _keep(made, work, code)
                made.changes.append(_unchanged(work, code, message=f"{code} is not in this source"))
        except UnavailableError as error:  # nothing was said against it: the network failed
            _keep(made, work, code)
            made.changes.append(_unchanged(work, code, message=error.message))
        except BundleError as error:
            if error.code != "NAMESPACE_OVERLAP":
                _keep(made, work, code)
            made.refused[code] = error.code
            made.changes.append(_unchanged(work, code, refused=error.code, message=error.message))


def _take_peer(
    made: "_Set", work: _Work, home_files: SignedFiles, peer: PeerInfo, overlap: frozenset[str]
) -> None:
    if peer.jurisdiction in overlap:
        raise BundleError(
            f"{peer.jurisdiction} claims name spaces of another jurisdiction",
            code="NAMESPACE_OVERLAP",
        )
    _take(made, work, peer_root(home_files, peer), peer)


def _keep(made: "_Set", work: _Work, code: str) -> None:
    """The previous part of a jurisdiction that brought nothing better."""
    kept = work.held.parts.get(code)
    if kept is not None:
        made.parts[code] = kept
        work.copy_metadata(code)


def _unchanged(work: _Work, code: str, *, message: str, refused: str | None = None) -> Change:
    kept = work.held.parts.get(code)
    version = kept.jurisdiction.version if kept else None
    as_of = kept.jurisdiction.as_of if kept else None
    return Change(code, version, version, as_of, refused=refused, message=message)


@dataclass(slots=True)
class _Set:
    """A set in the making; `expiries` begins with that of home's timestamp."""

    parts: dict[str, Part] = field(default_factory=dict)
    peers: Sequence[PeerInfo] = ()
    ratchets: dict[str, Ratchet] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    expiries: list[int] = field(default_factory=list)

    def stored(self, home: str, work: _Work) -> Stored:
        """What is written: ratchets of jurisdictions that are no longer held stay."""
        return Stored(
            home=home,
            parts=list(self.parts.values()),
            peers=self.peers,
            ratchets={**work.held.ratchets, **self.ratchets},
            clock_mark=_clock_mark(self, work.now),
            refused=self.refused,
        )


_TOLD_SECONDS = 3600


def _clock_mark(made: _Set, now: int) -> int:
    """The latest time proven: by home's own head, and an hour more by what others say.

    Heads never go back. A clock that leapt ahead for a moment, ours or a peer's, must not lock the
    desk until then: what it said is forgotten with the next set.
    """
    horizon = made.expiries[0]
    home, *others = [part.jurisdiction.as_of for part in made.parts.values()]
    home = min(home, horizon)
    told = max([mark for mark in (now, *others) if mark < horizon], default=home)
    return max(home, min(told, home + _TOLD_SECONDS))


def _switch(home: Path, building: Path) -> None:
    """Put a finished set in force by one rename.

    The set before it stays for those who are still reading it; older ones go.
    """
    numbers = [int(p.name[4:]) for p in home.glob("set-*") if p.name[4:].isdigit()]
    newest = max(numbers, default=0)
    target = home / f"set-{newest + 1}"
    _sync_tree(building)
    building.rename(target)
    write_atomic(home / CURRENT, f"{target.name}\n".encode())
    forget_refusal(home)
    for old in home.glob("set-*"):
        if old.name not in (target.name, f"set-{newest}"):
            shutil.rmtree(old, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_symlink():
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# --- a bundle used once ---------------------------------------------------------------------------


def load_bundle(
    place: str | Path, *, now: datetime, pin: Pin | None = None, jurisdiction: str | None = None
) -> Bundle:
    """Open a zip or folder for one check, with no other state than the pin.

    Without a pin only a development root is taken: that of `jurisdiction`, or the first one of
    the set. Raises BundleError, UnavailableError, UsageError.
    """
    with open_source(place) as source, tempfile.TemporaryDirectory() as scratch:
        chosen = pin or development_pin(source, jurisdiction)
        work = _Work(source, None, Path(scratch), NOTHING_HELD, to_seconds(now))
        made = _gather(work, chosen, only_home=False)
        tables = combine(
            chosen.info.jurisdiction,
            list(made.parts.values()),
            made.peers,
            clock_mark=_clock_mark(made, 0),
            refused=made.refused,
        )
        return Bundle(tables)


def development_pin(source: Source, jurisdiction: str | None) -> Pin:
    """The pin of a development root that the data bring along; a real one comes from outside.

    Raises BundleError where the jurisdiction is absent, UsageError where its root is a real one.
    """
    wanted = file_code(jurisdiction) if jurisdiction else next(iter(source.jurisdictions()), "")
    if not source.offers(wanted):
        raise BundleError(
            f"the source holds no data of {jurisdiction or 'any jurisdiction'}",
            code="BUNDLE_INCOMPLETE",
        )
    pin = Pin(_read_whole(source, f"{wanted}/metadata/1.root.json", MAX_ROOT_BYTES))
    if not pin.info.dev:
        raise UsageError(
            "this bundle needs the published root of its jurisdiction",
            hint="Give it with --root FILE, or run `verifier init --root FILE` once.",
        )
    return pin


def _read_whole(source: Source, name: str, max_bytes: int) -> bytes:
    data = bytearray()
    for chunk in source.read(name):
        data += chunk
        if len(data) > max_bytes:
            raise BundleError(f"{name} is too large", code="BUNDLE_TOO_LARGE")
    return bytes(data)


__all__ = [
    "Change",
    "FolderSource",
    "HttpSource",
    "Pin",
    "Source",
    "ZipSource",
    "load_bundle",
    "open_source",
    "refused_updates",
    "synchronise",
]
