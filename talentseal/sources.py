"""Where trust data comes from: a folder, a zip, or a registry over the network.

Each is a transport only: named files, read within bounds, of which nothing is believed. A folder
gives regular files, a zip is never extracted, a registry is asked through the hardened fetcher.
That a file is what a jurisdiction signed is left to `sync`, which is the caller.

Standards: APPNOTE 6.3.10 (zip), TUF 1.0 §5 (names of files).
"""

import os
import re
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from talentseal.encoding import MAX_LIST_BYTES
from talentseal.errors import BundleError, InputError, UnavailableError, UsageError

if TYPE_CHECKING:
    from talentseal.fetch import Fetcher

MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
MAX_EXPANDED_BYTES = 256 * 1024 * 1024
MAX_RATIO = 100
MAX_ARCHIVE_MEMBERS = 10_000
# The operator chose the registry, and a list of 8 MiB may come over a slow line: longer than for an
# address that somebody gave us, and still with an end, of one file and of all.
FILE_SECONDS = 30.0
ALL_SECONDS = 900.0
_MEMBER = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_CHUNK_BYTES = 64 * 1024
# What the archive library is known to raise on broken archives.
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,  # NotImplementedError among them
)
_END = struct.Struct("<4s4H2LH")  # end of central directory, APPNOTE 6.3.10 §4.3.16
_END_MARK = b"PK\x05\x06"
_MAX_END_BYTES = _END.size + 0xFFFF
_MAX_DIRECTORY_BYTES = 4 * 1024 * 1024  # 10,000 members with names of 350 characters
_FIRST_ROOT = "{}/metadata/1.root.json"
_NOT_THERE = frozenset({403, 404, 410})


class Source(Protocol):
    """Named files from somewhere; nothing they say is believed."""

    def read(self, name: str) -> Iterator[bytes]:
        """Chunks of one file. Raises FileNotFoundError, BundleError where it cannot be read."""
        ...

    def offers(self, code: str) -> bool:
        """Whether the repository of a jurisdiction, by its file code, can be had here."""
        ...

    def jurisdictions(self) -> Sequence[str]:
        """File codes (`CN-4403`) of the repositories on offer, the owner's own first if known."""
        ...


class FolderSource:
    """A folder as `registry publish` writes it; only regular files are read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> Iterator[bytes]:
        if not _MEMBER.fullmatch(name) or ".." in name.split("/"):
            raise FileNotFoundError(name)
        try:
            with open(self._open(name), "rb") as file:  # noqa: PTH123 - a descriptor, no path
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BundleError(f"{name} cannot be read", code="BUNDLE_INCOMPLETE") from error

    def _open(self, name: str) -> int:
        """A descriptor of a regular file, never through a link; a pipe must not hang us."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self.folder / name, flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(name)
        return descriptor

    def offers(self, code: str) -> bool:
        return code in self.jurisdictions()

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
        except _BROKEN_ZIP as error:
            raise BundleError(f"{name} is damaged", code="BUNDLE_TAMPERED") from error

    def offers(self, code: str) -> bool:
        return _FIRST_ROOT.format(code) in self.members

    def jurisdictions(self) -> list[str]:
        """In the order of the archive: the first is the exporter's own."""
        names = [name for name in self.members if name.endswith("/metadata/1.root.json")]
        return [name.split("/", 1)[0] for name in names]


class HttpSource:
    """A registry over the network; its files lie below `/tuf/`, as in a published folder.

    base  its URL, with or without `/tuf`
    end   moment of the monotonic clock after which no further file is asked for

    Raises InputError or RefusedError where the URL is not one that is called.
    """

    def __init__(self, base: str, fetcher: "Fetcher", *, end: float) -> None:
        self.base = base.rstrip("/").removesuffix("/tuf")
        self._fetcher, self._end = fetcher, end
        fetcher.target(self.base)

    def read(self, name: str) -> Iterator[bytes]:
        if not _MEMBER.fullmatch(name) or ".." in name.split("/"):
            raise FileNotFoundError(name)
        if time.monotonic() > self._end:
            raise UnavailableError("the registry took too long over all", hint="Try again later.")
        try:
            # Any type but a page of HTML: what counts are signature and digest.
            answer = self._fetcher.get(
                f"{self.base}/tuf/{name}", accept="*/*", max_bytes=MAX_LIST_BYTES
            )
        except InputError as error:
            code = "BUNDLE_TOO_LARGE" if error.code == "TOO_LARGE" else "BUNDLE_TAMPERED"
            raise BundleError(f"{name}: {error.message}", code=code) from error
        if answer.status in _NOT_THERE:
            raise FileNotFoundError(name)
        yield answer.document

    def offers(self, code: str) -> bool:
        try:
            return any(self.read(_FIRST_ROOT.format(code)))
        except FileNotFoundError:
            return False

    def jurisdictions(self) -> list[str]:
        """A registry is asked for what one knows of. Raises UsageError."""
        raise UsageError(
            "a registry gives the data of a jurisdiction that is named",
            hint="Name it with --jurisdiction, or its root with --root.",
        )


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


def is_url(place: str | Path) -> bool:
    """Whether a source is a registry's URL and no path."""
    return str(place).lower().startswith(("https://", "http://"))


@contextmanager
def open_source(place: str | Path) -> Iterator[Source]:
    """The files of a registry, of a zip, or of a folder.

    place  URL or path

    Raises BundleError `BUNDLE_UNSAFE`, UnavailableError; InputError or RefusedError for an URL that
    is not called.
    """
    if is_url(place):
        from talentseal.fetch import fetcher_from_settings

        with fetcher_from_settings(total_seconds=FILE_SECONDS, keep=True) as fetcher:
            yield HttpSource(str(place), fetcher, end=time.monotonic() + ALL_SECONDS)
        return
    path = Path(place)
    if path.is_dir():
        inner = path / "tuf"
        yield FolderSource(inner if inner.is_dir() else path)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be read", code="INPUT_UNREADABLE", hint="Check the path and its rights."
        ) from error
    with file, _archive(file, path.name) as archive:
        yield ZipSource(archive)


def _archive(file: BinaryIO, name: str) -> zipfile.ZipFile:
    """Open an archive whose directory is small enough to be listed. Raises BundleError."""
    try:
        _check_directory(file)
        return zipfile.ZipFile(file)
    except _BROKEN_ZIP as error:
        raise _unsafe(f"{name} is no zip archive") from error


def _check_directory(file: BinaryIO) -> None:
    """Refuse a directory of a million entries before a list is made of it."""
    size = file.seek(0, os.SEEK_END)
    if size > MAX_ARCHIVE_BYTES:
        raise _unsafe(f"more than {MAX_ARCHIVE_BYTES} bytes")
    file.seek(max(0, size - _MAX_END_BYTES))
    tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise _unsafe("it has no directory")
    _, _, _, _, members, length, _, _ = _END.unpack_from(tail, at)
    if members > MAX_ARCHIVE_MEMBERS or length > _MAX_DIRECTORY_BYTES:
        raise _unsafe(f"more than {MAX_ARCHIVE_MEMBERS} members")
