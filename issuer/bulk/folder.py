"""What a job hands out: a file for each chunk, beside its place until the chunk is on record.

The name beside the place holds the digest of what is in it, so that a chunk that was sealed twice,
because somebody was killed in between, is never mistaken for the one on record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from talentseal.errors import UnavailableError
from talentseal.files import read_bounded, sync, write_unsynced

MAX_CHUNK_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one job. Chunks are numbered from 0, files from 1."""

    path: Path
    job: str

    def keep(self, number: int, content: Sequence[bytes]) -> str:
        """Write a chunk beside its place; its SHA-256, hex. Raises UnavailableError.

        It is on the disk after `settle`, for which whoever has more to seal need not wait.

        content  in pieces: a whole one is never put together
        """
        hashed = sha256()
        for piece in content:
            hashed.update(piece)
        digest = hashed.hexdigest()
        write_unsynced(self._part(number, digest), content)
        return digest

    def settle(self, number: int, digest: str) -> None:
        """Return once a chunk that was kept is on the disk. Raises UnavailableError."""
        sync(self._part(number, digest))

    def put(self, number: int, digest: str) -> None:
        """Move a chunk that is on record to its place."""
        self._part(number, digest).replace(self._place(number))

    def finish(self, number: int, digest: str | None) -> None:
        """The same for one that was put on record just before the end, unless it was done then.

        Raises UnavailableError where the file is not what was put on record.
        """
        if digest is None or self._place(number).exists():
            return
        part = self._part(number, digest)
        if not part.exists():
            return
        if sha256(read_bounded(part, MAX_CHUNK_BYTES)).hexdigest() != digest:
            raise UnavailableError(f"{part} is not what was put on record")
        self.put(number, digest)

    def _place(self, number: int) -> Path:
        return self.path / f"{self.job[:12]}-{number + 1:05}.jsonl"

    def _part(self, number: int, digest: str) -> Path:
        return self.path / f"{self.job[:12]}-{number + 1:05}.{digest[:16]}.part"
