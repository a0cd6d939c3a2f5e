"""Bring the next bundle: fetch, verify, compile, remember, switch.

HTTP, folder and zip are transports only; nothing is trusted for where it came from. Each
jurisdiction's repository goes through the reference TUF client, then through its own signatures
(`compiling`), then past the ratchets: versions, lists, key states and withdrawals never go back.
Nothing is switched before all of home has verified; a peer that fails keeps its previous set and
says why. Everything is prepared in a new folder and put in force by one rename.

Standard: TUF 1.0, by python-tuf. That client reads the clock once per refresh itself; `now` is
used for everything else.
"""

import hashlib
import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from talentseal.artefacts import (
    HEAD,
    NETWORK,
    STATUS,
    PeerInfo,
    RootInfo,
    SignedFiles,
    file_code,
    parse_root,
)
from talentseal.bundle import Bundle
from talentseal.compiling import Part, combine, compile_part, overlapping, peer_root, peers_of
from talentseal.encoding import MAX_LIST_BYTES, dump_json, parse_json, to_seconds
from talentseal.errors import BundleError, InputError, UnavailableError, UsageError
from talentseal.files import read_bounded, write_atomic
from talentseal.status import StatusList
from talentseal.trustdb import CURRENT, TrustStore, current_set, write_store

MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
MAX_EXPANDED_BYTES = 256 * 1024 * 1024
MAX_RATIO = 100
MAX_ARCHIVE_MEMBERS = 10_000
MAX_TARGETS = 10_000
_MEMBER = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_CHUNK_BYTES = 64 * 1024
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


@dataclass(slots=True)
class _Set:
    """A set in the making."""

    parts: dict[str, Part] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    expiries: list[int] = field(default_factory=list)


# --- transports -----------------------------------------------------------------------------------


class Source(Protocol):
    """Named files from somewhere. `read` raises FileNotFoundError for what is not there."""

    def read(self, name: str) -> Iterator[bytes]: ...


class FolderSource:
    """A folder as `registry publish` writes it; only regular files are read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> Iterator[bytes]:
        if not _MEMBER.fullmatch(name) or ".." in name.split("/"):
            raise FileNotFoundError(name)
        path = self.folder / name
        if not path.is_file():
            raise FileNotFoundError(name)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def jurisdictions(self) -> list[str]:
        found = sorted(path.parent.parent for path in self.folder.glob("*/metadata/1.root.json"))
        return [path.name for path in found]


class ZipSource:
    """A zip that is never extracted: members are read by expected name, within bounds."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.members = {info.filename: info for info in _safe_members(archive)}

    def read(self, name: str) -> Iterator[bytes]:
        info = self.members.get(name)
        if info is None:
            raise FileNotFoundError(name)
        try:
            with self.archive.open(info) as member:
                while chunk := member.read(_CHUNK_BYTES):
                    yield chunk
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise BundleError(f"{name} is damaged", code="BUNDLE_TAMPERED") from error

    def jurisdictions(self) -> list[str]:
        """In the order of the archive: the first is the exporter's own."""
        names = [name for name in self.members if name.endswith("/metadata/1.root.json")]
        return [name.split("/", 1)[0] for name in names]


def _unsafe(message: str) -> BundleError:
    return BundleError(
        message, code="BUNDLE_UNSAFE", hint="Do not open this file with other tools; report it."
    )


def _safe_members(archive: zipfile.ZipFile) -> Sequence[zipfile.ZipInfo]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(archive.infolist()) > MAX_ARCHIVE_MEMBERS:
        raise _unsafe(f"more than {MAX_ARCHIVE_MEMBERS} members")
    names = [info.filename for info in archive.infolist()]
    if len(set(names)) != len(names):
        raise _unsafe("a member stands twice in the archive")
    if sum(info.file_size for info in members) > MAX_EXPANDED_BYTES:
        raise _unsafe(f"more than {MAX_EXPANDED_BYTES} bytes after expansion")
    for info in members:
        _check_member(info)
    return members


def _check_member(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if not _MEMBER.fullmatch(info.filename) or ".." in info.filename.split("/"):
        raise _unsafe("a member with an unsafe name")
    if mode and not (stat.S_ISREG(mode) or stat.S_IFMT(mode) == 0):
        raise _unsafe("a member that is no regular file")
    if info.flag_bits & 0x1:
        raise _unsafe("an encrypted member")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _unsafe("a member compressed in a way that is not read here")
    if info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise _unsafe("a member that expands too much")


@contextmanager
def open_source(place: str | Path) -> Iterator[FolderSource | ZipSource]:
    """The files of a zip, or of a folder. Raises BundleError `BUNDLE_UNSAFE`, UnavailableError."""
    path = Path(place)
    if path.is_dir():
        inner = path / "tuf"
        yield FolderSource(inner if inner.is_dir() else path)
        return
    try:
        if path.stat().st_size > MAX_ARCHIVE_BYTES:
            raise _unsafe(f"more than {MAX_ARCHIVE_BYTES} bytes")
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be read", code="INPUT_UNREADABLE", hint="Check the path and its rights."
        ) from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _unsafe(f"{path.name} is no zip archive") from error
    with archive:
        yield ZipSource(archive)


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
        if isinstance(error.__cause__, BundleError):
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
    signed = {
        name: _signed(metadata, name) for name in ("timestamp", "snapshot", "targets", "status")
    }
    own, delegated = signed["targets"]["targets"], signed["status"]["targets"]
    if any(path.startswith(STATUS) for path in own):
        raise BundleError("the list office may not speak for status", code="BUNDLE_TAMPERED")
    paths = [*own, *(path for path in delegated if path.startswith(STATUS))]
    if len(paths) > MAX_TARGETS:
        raise BundleError(f"more than {MAX_TARGETS} files", code="BUNDLE_TOO_LARGE")
    targets: dict[str, bytes] = {}
    total = 0
    for number, path in enumerate(paths):
        target = updater.get_targetinfo(path)
        if target is None:
            raise BundleError(f"{path} is not delegated", code="BUNDLE_TAMPERED")
        total += target.length
        if target.length > MAX_LIST_BYTES or total > MAX_EXPANDED_BYTES:
            raise BundleError(f"{path} is too large", code="BUNDLE_TOO_LARGE")
        local = scratch / str(number)
        updater.download_target(target, str(local))
        targets[path] = local.read_bytes()
        local.unlink()
    return SignedFiles(
        root=info,
        root_version=root_version,
        targets_version=signed["targets"]["version"],
        snapshot_version=signed["snapshot"]["version"],
        timestamp_expires=_expiry(signed["timestamp"]["expires"]),
        targets=targets,
    )


def _metadata_bytes(folder: Path, role: str) -> bytes:
    return (folder / f"{role}.json").read_bytes()


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
    source: Source,
    bootstrap: bytes,
    introduced: PeerInfo | None,
    folder: Path,
    *,
    now: int,
) -> tuple[SignedFiles, Part]:
    pinned, _ = parse_root(bootstrap)
    files = _download(source, pinned.jurisdiction, bootstrap, folder)
    root = files.root
    same = (root.network, root.jurisdiction, root.entity_id) == (
        NETWORK,
        pinned.jurisdiction,
        pinned.entity_id,
    )
    if not same:
        raise BundleError(
            f"this is not the {pinned.jurisdiction} that was pinned", code="WRONG_NETWORK"
        )
    if root.dev != pinned.dev:
        raise BundleError(
            f"{root.jurisdiction} changed between development and production keys",
            code="DEV_TRUST_REFUSED",
            hint="Refuse it, and report where the data came from.",
        )
    try:
        return files, compile_part(files, introduced, now=now)
    except InputError as error:
        raise BundleError(error.message, code="BUNDLE_TAMPERED") from error


def _past_ratchets(part: Part, held: Part | None) -> tuple[Part, Sequence[str]]:
    """Refuse what goes back; keep single status lists that are newer than those offered."""
    if held is None:
        return part, ()
    code = part.jurisdiction.code
    if part.list_sequence < held.list_sequence or (
        part.jurisdiction.version < held.jurisdiction.version
    ):
        raise BundleError(f"the list of {code} is older than held", code="ROLLBACK_REFUSED")
    stolen = {key.kid for key in held.keys if key.compromised_at is not None}
    if any(key.kid in stolen and key.compromised_at is None for key in part.keys):
        raise BundleError(f"{code} shows a stolen key as good", code="KEY_STATE_IMPROVED")
    if not held.negatives <= part.negatives:
        raise BundleError(f"a withdrawal of {code} has vanished", code="STATEMENT_VANISHED")
    status, alarms = dict(part.status), []
    for name, old in held.status.items():
        new = status.get(name)
        if isinstance(old, StatusList) and _is_worse(new, old):
            status[name] = old
            if isinstance(new, StatusList):
                alarms.append("STATUS_ROLLBACK")
    return replace(part, status=status), alarms


def _is_worse(new: StatusList | str | None, old: StatusList) -> bool:
    """A refused list never replaces a good one, nor does an older one."""
    return not isinstance(new, StatusList) or new.issued_at < old.issued_at


# --- the whole set --------------------------------------------------------------------------------


def synchronise(
    home: Path, source: Source, pin: Pin, *, now: datetime, only_home: bool = False
) -> Sequence[Change]:
    """Bring home and every peer it introduces up to date, and put the result in force.

    home    the trust folder; made if it is not there
    Raises BundleError where home is refused: then nothing at all has changed but the mark of it.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = current_set(home)
    held = _held(before)
    clock = to_seconds(now)
    building = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    try:
        made = _Set()
        home_files = _take(made, source, pin.root, None, (before, building), held, clock)
        peers = list(peers_of(home_files))
        if not only_home:
            _take_peers(made, source, home_files, peers, (before, building), held, clock)
        _store(building, pin, made, peers, before, clock)
        _switch(home, building)
    except BundleError as error:
        _note_refusal(home, pin.info.jurisdiction, error.code)
        raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return made.changes


def _held(before: Path | None) -> dict[str, Part]:
    if before is None:
        return {}
    try:
        parts = TrustStore(before / "trust.db").parts(with_status=True)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the old set, say so and stop
        raise UnavailableError(
            "the stored trust data is damaged, so nothing can be compared with it",
            code="TRUST_DATA_CORRUPT",
            hint=f"Move {before.parent} away and initialise again with the published root.",
        ) from error
    return {part.jurisdiction.code: part for part in parts}


def _take(
    made: _Set,
    source: Source,
    bootstrap: bytes,
    introduced: PeerInfo | None,
    folders: tuple[Path | None, Path],
    held: Mapping[str, Part],
    now: int,
) -> SignedFiles:
    """Verify one jurisdiction into the new set. Raises BundleError."""
    code = parse_root(bootstrap)[0].jurisdiction
    before, building = folders
    folder = building / "tuf" / file_code(code)
    if before is not None and (before / "tuf" / file_code(code)).is_dir():
        shutil.copytree(before / "tuf" / file_code(code), folder, symlinks=True)
    files, part = _update_one(source, bootstrap, introduced, folder, now=now)
    old = held.get(code)
    part, alarms = _past_ratchets(part, old)
    made.parts[code] = part
    made.expiries.append(files.timestamp_expires)
    made.changes.append(
        Change(
            code,
            old.jurisdiction.version if old else None,
            part.jurisdiction.version,
            part.jurisdiction.as_of,
            sum(map(len, files.targets.values())),
            alarms=tuple(alarms),
        )
    )
    return files


def _take_peers(
    made: _Set,
    source: Source,
    home_files: SignedFiles,
    peers: Sequence[PeerInfo],
    folders: tuple[Path | None, Path],
    held: Mapping[str, Part],
    now: int,
) -> None:
    """Each peer on its own: one that fails keeps its previous part and reports its code."""
    spaces = {home_files.root.jurisdiction: home_files.root.namespaces}
    spaces |= {peer.jurisdiction: peer.namespaces for peer in peers}
    overlap = set(overlapping(spaces))
    for peer in peers:
        code, kept = peer.jurisdiction, held.get(peer.jurisdiction)
        try:
            if code in overlap:
                raise BundleError(
                    f"{code} claims name spaces of another jurisdiction", code="NAMESPACE_OVERLAP"
                )
            root = peer_root(home_files, peer)
            _take(made, source, root, peer, folders, held, now)
        except BundleError as error:
            if error.code == "BUNDLE_INCOMPLETE" and not _offered(source, code):
                error = _not_in_source(code)
            if kept is not None and error.code != "NAMESPACE_OVERLAP":
                made.parts[code] = kept
                _keep_metadata(folders, code)
            if error.code != "NOT_OFFERED":
                made.refused[code] = error.code
            made.changes.append(_refusal(code, kept, error))


def _offered(source: Source, code: str) -> bool:
    return file_code(code) in source.jurisdictions()  # type: ignore[attr-defined]


def _not_in_source(code: str) -> BundleError:
    return BundleError(f"{code} is not in this source", code="NOT_OFFERED")


def _keep_metadata(folders: tuple[Path | None, Path], code: str) -> None:
    before, building = folders
    folder = building / "tuf" / file_code(code)
    shutil.rmtree(folder, ignore_errors=True)
    if before is not None and (before / "tuf" / file_code(code)).is_dir():
        shutil.copytree(before / "tuf" / file_code(code), folder, symlinks=True)


def _refusal(code: str, kept: Part | None, error: BundleError) -> Change:
    version = kept.jurisdiction.version if kept else None
    as_of = kept.jurisdiction.as_of if kept else None
    refused = None if error.code == "NOT_OFFERED" else error.code
    return Change(code, version, version, as_of, refused=refused, message=error.message)


def _store(
    building: Path,
    pin: Pin,
    made: _Set,
    peers: Sequence[PeerInfo],
    before: Path | None,
    now: int,
) -> None:
    write_store(
        building / "trust.db",
        home=pin.info.jurisdiction,
        parts=list(made.parts.values()),
        peers=peers,
        clock_mark=_clock_mark(made, before, now),
        refused=made.refused,
    )


def _clock_mark(made: _Set, before: Path | None, now: int) -> int:
    """The latest time proven: by the heads, or by a clock inside the life of accepted data."""
    newest = max(made.expiries)
    marks = [min(part.jurisdiction.as_of, newest) for part in made.parts.values()]
    if before is not None:
        marks.append(int(TrustStore(before / "trust.db").meta["clock_mark"]))
    if now < newest:
        marks.append(now)
    return max(marks)


def _switch(home: Path, building: Path) -> None:
    """Put a finished set in force by one rename, then forget the sets before it."""
    numbers = [int(p.name[4:]) for p in home.glob("set-*") if p.name[4:].isdigit()]
    target = home / f"set-{max(numbers, default=0) + 1}"
    _sync_tree(building)
    building.rename(target)
    write_atomic(home / CURRENT, f"{target.name}\n".encode())
    (home / _REFUSED).unlink(missing_ok=True)
    for old in home.glob("set-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    for left in home.glob(".new-*"):
        if left != building:
            shutil.rmtree(left, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_symlink():
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


_REFUSED = "refused.json"


def _note_refusal(home: Path, code: str, reason: str) -> None:
    """Later verdicts say that an update was refused."""
    write_atomic(home / _REFUSED, dump_json({code: reason}))


def refused_updates(home: Path) -> Mapping[str, str]:
    """Jurisdiction -> code of an update of home that was refused since the last good one."""
    try:
        refused: Mapping[str, str] = parse_json(read_bounded(home / _REFUSED, 4096))
    except (UnavailableError, InputError):
        return {}
    return refused


# --- a bundle used once ---------------------------------------------------------------------------


def load_bundle(
    place: str | Path, *, now: datetime, pin: Pin | None = None, jurisdiction: str | None = None
) -> Bundle:
    """Open a zip or folder for one check, with no other state than the pin.

    Without a pin only a development root is taken: that of `jurisdiction`, or the first one of
    the set. Raises BundleError, UnavailableError, UsageError.
    """
    with open_source(place) as source, tempfile.TemporaryDirectory() as scratch:
        chosen = pin or _development_pin(source, jurisdiction)
        made = _Set()
        clock = to_seconds(now)
        folders = (None, Path(scratch))
        files = _take(made, source, chosen.root, None, folders, {}, clock)
        peers = list(peers_of(files))
        _take_peers(made, source, files, peers, folders, {}, clock)
        tables = combine(
            chosen.info.jurisdiction,
            list(made.parts.values()),
            peers,
            clock_mark=max(part.jurisdiction.as_of for part in made.parts.values()),
            refused=made.refused,
        )
        return Bundle(tables)


def _development_pin(source: FolderSource | ZipSource, jurisdiction: str | None) -> Pin:
    offered = source.jurisdictions()
    wanted = file_code(jurisdiction) if jurisdiction else (offered[0] if offered else "")
    if wanted not in offered:
        raise BundleError(
            f"the bundle holds no data of {jurisdiction or 'any jurisdiction'}",
            code="BUNDLE_INCOMPLETE",
        )
    pin = Pin(b"".join(source.read(f"{wanted}/metadata/1.root.json")))
    if not pin.info.dev:
        raise UsageError(
            "this bundle needs the published root of its jurisdiction",
            hint="Give it with --root FILE, or run `verifier init --root FILE` once.",
        )
    return pin
