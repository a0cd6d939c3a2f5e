"""What a job hands out: a file for each chunk, beside its place until the chunk is on record.

The name beside the place holds the digest of what is in it, so that a chunk that was sealed twice,
because somebody was killed in between, is never mistaken for the one on record.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from talentseal.errors import UnavailableError
from talentseal.files import Growing, growing, read_bounded, sync

MAX_CHUNK_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one job. Chunks are numbered from 0, files from 1."""

    path: Path
    job: str

    @contextmanager
    def keep(self, number: int) -> Iterator["Kept"]:
        """A chunk to be written, of which nothing stays unless it is put beside its place.

        Raises UnavailableError.
        """
        with growing(self.path, f".{self.job[:12]}-{number + 1:05}.") as file:
            yield Kept(file, partial(self.part, number))

    def settle(self, number: int, digest: str) -> None:
        """Return once a chunk that was kept is on the disk. Raises UnavailableError."""
        sync(self.part(number, digest))

    def put(self, number: int, digest: str) -> None:
        """Move a chunk that is on record to its place. Raises UnavailableError.

        Somebody who resumes the job may have found it on record and moved it already.
        """
        place = self._place(number)
        try:
            self.part(number, digest).replace(place)
        except OSError as error:
            if not (isinstance(error, FileNotFoundError) and place.exists()):
                raise UnavailableError(
                    f"{place} cannot be written ({error.strerror})",
                    hint="What is on record stays; once it can be, run again with --resume.",
                ) from error

    def finish(self, number: int, digest: str | None) -> bool:
        """The same for one that was put on record just before the end, unless it was done then.

        False: it is not here. Raises UnavailableError where the file is not what was put on record.
        """
        if digest is None or self._place(number).exists():
            return True
        part = self.part(number, digest)
        if not part.exists():
            return False
        if sha256(read_bounded(part, MAX_CHUNK_BYTES)).hexdigest() != digest:
            raise UnavailableError(f"{part} is not what was put on record")
        self.put(number, digest)
        return True

    def clear(self) -> None:
        """Remove what killed runs had begun to write, once nothing is left to be sealed."""
        for path in self.path.glob(f".{self.job[:12]}-*"):
            with suppress(OSError):  # it may be deleted by hand
                path.unlink()

    def _place(self, number: int) -> Path:
        return self.path / f"{self.job[:12]}-{number + 1:05}.jsonl"

    def part(self, number: int, digest: str) -> Path:
        """Where a chunk of this SHA-256 (hex) stands beside its place."""
        return self.path / f"{self.job[:12]}-{number + 1:05}.{digest[:16]}.part"


class Kept:
    """A chunk that is being written; lines are hashed while they are fresh."""

    def __init__(self, file: Growing, part: Callable[[str], Path]) -> None:
        self._file, self._part, self._hashed = file, part, sha256()

    def write(self, lines: bytes) -> None:
        """Raises UnavailableError."""
        self._hashed.update(lines)
        self._file.write(lines)

    def put_beside(self) -> str:
        """Put it beside its place; its SHA-256, hex. Raises UnavailableError.

        It is on the disk after `settle`, for which whoever has more to seal need not wait.
        """
        digest = self._hashed.hexdigest()
        self._file.put(self._part(digest))
        return digest
