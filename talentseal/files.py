"""Files, read within bounds and written whole or not at all.

Reading opens regular files only, never through a link at the last step, and stops at a cap.
Writing puts a finished temporary file in place of the old one: whoever reads, even after a power
cut, finds the old content or the new. `private` files are for secrets and personal data: mode 0600
in a folder of mode 0700, both owned by the person running the program; anything looser is refused.

What the bytes mean is left to the callers. Failures are UnavailableError with a hint.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from talentseal.errors import UnavailableError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_OTHERS = 0o077
# NONBLOCK: opening a pipe that nobody writes to must not hang.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file of at most `max_bytes`. Raises UnavailableError."""
    return _read(path, max_bytes, private=False)


def read_private(path: Path, max_bytes: int) -> bytes:
    """`read_bounded` of a file that nobody else may read. Raises UnavailableError."""
    return _read(path, max_bytes, private=True)


def write_atomic(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Write `path` anew, or replace it, and return once it is on the disk.

    Raises UnavailableError (`STORAGE_FULL` when that is the cause); the old content then stays.
    """
    _write(path, data, mode, os.replace)


class Growing:
    """A file that is written bit by bit and has no name of its own until it is whole."""

    def __init__(self, file: BinaryIO, temporary: Path) -> None:
        self._file, self._temporary = file, temporary

    def write(self, data: bytes) -> None:
        """Raises UnavailableError."""
        with _explained(self._temporary, "written"):
            self._file.write(data)

    def put(self, path: Path) -> None:
        """Give it a name in its folder. A power cut may take it until `sync`: nobody waits here.

        Raises UnavailableError.
        """
        with _explained(path, "written"):
            self._file.flush()
            self._temporary.replace(path)


@contextmanager
def growing(folder: Path, prefix: str, *, mode: int = PRIVATE_FILE) -> Iterator[Growing]:
    """A file in `folder` that is gone at the end unless it was given a name.

    Raises UnavailableError.
    """
    with _explained(folder, "written"):
        descriptor, temporary = _temporary(folder, prefix, mode)
    file = os.fdopen(descriptor, "wb")
    try:
        yield Growing(file, temporary)
    finally:
        with suppress(OSError):  # a full disk refuses what `put` has not brought there once more
            file.close()
        with suppress(OSError):
            temporary.unlink()  # gone already when it was given a name


def sync(path: Path) -> None:
    """Return once a file, under this name, is on the disk. Raises UnavailableError."""
    with _explained(path, "written"):
        descriptor = os.open(path, _READ)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(path.parent)


def sync_names(folder: Path) -> None:
    """Return once the names in a folder would survive a power cut. Raises UnavailableError."""
    with _explained(folder, "written"):
        sync_folder(folder)


def write_private(path: Path, data: bytes) -> None:
    """`write_atomic` into a folder that only its owner may enter. Raises UnavailableError."""
    check_private_folder(path.parent)
    write_atomic(path, data)


def write_new(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """`write_atomic` that never replaces: of two writers one succeeds. Raises UnavailableError."""
    _write(path, data, mode, os.link)


def check_new(path: Path) -> None:
    """Refuse early what `write_new` would refuse at last. Raises UnavailableError."""
    with _explained(path, "written"):
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def make_private_folder(folder: Path) -> None:
    """Make `folder` with mode 0700 unless it exists, and check it. Raises UnavailableError."""
    with _explained(folder, "made"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=PRIVATE_FOLDER)
    check_private_folder(folder)


def check_private_folder(folder: Path) -> None:
    """Refuse a folder that is a link, somebody else's or open to others. UnavailableError."""
    with _explained(folder, "read"):
        found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnavailableError(f"{folder} is not a folder", hint="Name the folder itself, no link.")
    _check_private(folder, found, "700")


def _check_private(path: Path, found: os.stat_result, mode: str) -> None:
    if found.st_uid != os.geteuid():
        raise UnavailableError(
            f"{path} belongs to another user", hint="Run as its owner, or give it to this user."
        )
    if found.st_mode & _OTHERS:
        raise UnavailableError(
            f"{path} is open to other users (mode {stat.S_IMODE(found.st_mode):03o})",
            hint=f"If nobody else has read it: chmod {mode} {path}",
        )


def _read(path: Path, max_bytes: int, *, private: bool) -> bytes:
    with _explained(path, "read"):
        descriptor = os.open(path, _READ)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise UnavailableError(f"{path} is not a regular file", code="INPUT_UNREADABLE")
            if private:
                _check_private(path, found, "600")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(max_bytes + 1)
        finally:
            os.close(descriptor)
    if len(data) > max_bytes:
        raise UnavailableError(f"{path} is larger than {max_bytes} bytes", code="TOO_LARGE")
    return data


def _write(path: Path, data: bytes, mode: int, place: Callable[[Path, Path], None]) -> None:
    with _explained(path, "written"):
        descriptor, temporary = _temporary(path.parent, f".{path.name}.", mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)  # gone already when it was renamed
        sync_folder(path.parent)


def _temporary(folder: Path, prefix: str, mode: int) -> tuple[int, Path]:
    """A new file under a random name: its descriptor and its path. Raises OSError."""
    import tempfile  # readers need no random names

    descriptor, name = tempfile.mkstemp(dir=folder, prefix=prefix)
    os.fchmod(descriptor, mode)
    return descriptor, Path(name)


def sync_folder(folder: Path) -> None:
    """Make names in `folder` survive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_SENTENCES = {
    errno.ENOENT: "does not exist",
    errno.EACCES: "may not be {}: permission denied",
    errno.EPERM: "may not be {}: not permitted",
    errno.EROFS: "may not be {}: the disk is read-only",
    errno.ELOOP: "is a link, and links are not followed",
    errno.EEXIST: "exists already",
    errno.ENOTDIR: "stands behind something that is not a folder",
    errno.ENXIO: "is not a regular file",
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def _explained(path: Path, verb: str) -> Iterator[None]:
    """Turn an OSError about `path` into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise UnavailableError(
                f"no room to write {path}",
                code="STORAGE_FULL",
                hint="Make room; nothing was changed.",
            ) from error
        sentence = _SENTENCES.get(error.errno or 0, f"cannot be {{}} ({error.strerror})")
        code = "INPUT_UNREADABLE" if verb == "read" else "DEPENDENCY_UNAVAILABLE"
        raise UnavailableError(f"{path} {sentence.format(verb)}", code=code) from error
    except ValueError as error:  # a NUL byte in the name
        raise UnavailableError("not a file name", code="INPUT_UNREADABLE") from error
