"""What a job hands out: a file for each chunk, beside its place until the chunk is on record.

The name beside the place holds the digest of the chunk, so that one that was sealed twice, because
somebody was killed in between, is never mistaken for the one on record. The digest is made of those
of its certificates, which are there already: to hash megabytes once more would take a tenth of the
time of a signature for each.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from talentseal.codetext import parse_text
from talentseal.encoding import b64url_decode, dump_json, parse_json
from talentseal.errors import InputError, UnavailableError
from talentseal.files import Growing, growing, read_bounded, sync, sync_names

MAX_CHUNK_BYTES = 1024 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024
# What a line of a chunk is about: the row's number, the certificate's, its SHA-256 (hex).
Entry = tuple[int, str, str]


def digest_of(entries: Iterable[Entry]) -> str:
    """What a chunk goes by: SHA-256 (hex) over its entries."""
    lines = [f"{row} {number} {digest}\n" for row, number, digest in entries]
    return sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one job. Chunks are numbered from 0, files from 1.

    host  to which the links of codes lead
    """

    path: Path
    job: str
    host: str

    @contextmanager
    def keep(self, number: int) -> Iterator[Growing]:
        """A chunk to be written, of which nothing stays unless it is given its name: `part`.

        Raises UnavailableError.
        """
        with growing(self.path, f".{self.job[:12]}-{number + 1:05}.") as file:
            yield file

    def settle(self, number: int, digest: str) -> None:
        """Return once a chunk that was kept is on the disk. Raises UnavailableError.

        Somebody who resumes the job may have put another on record and removed this one.
        """
        part = self.part(number, digest)
        if part.exists() or not self._place(number).exists():
            sync(part)

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
        if not _is_whole(read_bounded(part, MAX_CHUNK_BYTES), digest, self.host):
            raise UnavailableError(f"{part} is not what was put on record")
        self.put(number, digest)
        return True

    def is_used(self) -> bool:
        """Whether chunks of this job are here, in their places or beside them."""
        return any(self.path.glob(f"{self.job[:12]}-*"))

    def end(self) -> None:
        """Once nothing is left to be sealed: names that last, without what killed runs had left.

        That is what they had begun, and chunks beside their places that are not on record: whoever
        handed one out would hand out what nobody can revoke. Raises UnavailableError.
        """
        for path in (*self.path.glob(f".{self.job[:12]}-*"), *self._overtaken()):
            with suppress(OSError):  # it may be deleted by hand
                path.unlink()
        sync_names(self.path)

    def _overtaken(self) -> Iterator[Path]:
        """Chunks beside their places, where others are that were put on record."""
        for path in self.path.glob(f"{self.job[:12]}-*.part"):
            if path.with_name(f"{path.name.partition('.')[0]}.jsonl").exists():
                yield path

    def _place(self, number: int) -> Path:
        return self.path / f"{self.job[:12]}-{number + 1:05}.jsonl"

    def part(self, number: int, digest: str) -> Path:
        """Where a chunk of this digest stands beside its place."""
        return self.path / f"{self.job[:12]}-{number + 1:05}.{digest[:16]}.part"


# --- what a file says of itself -------------------------------------------------------------------


def _is_whole(data: bytes, digest: str, host: str) -> bool:
    """Whether a file is the chunk that was put on record; older versions hashed the file itself."""
    if sha256(data).hexdigest() == digest:
        return True
    try:
        return digest_of([_entry(line, host) for line in data.splitlines()]) == digest
    except (InputError, KeyError, TypeError, ValueError):  # another file, or a part of one
        return False


def _entry(line: bytes, host: str) -> Entry:
    """What a line is about. Raises InputError and others where it is none, or says more."""
    document = parse_json(line, max_bytes=MAX_LINE_BYTES)
    (handed,) = document["credentials"]
    form, text, code = handed["format"], handed["credential"], document.get("code")
    sealed = text.encode() if form == "dc+sd-jwt" else b64url_decode(text)
    if code is not None and parse_text(code)[:2] != (sealed, host):
        raise ValueError("a code that is not its certificate, or leads elsewhere")
    credentials = [{"format": form, "credential": text}]
    told = {"row": document["row"], "id": document["id"], "credentials": credentials}
    if dump_json(told if code is None else {**told, "code": code}) != line:
        raise ValueError("a line with more in it than was sealed")
    return document["row"], document["id"], sha256(sealed).hexdigest()
