"""What a bulk job is about: rows of a file, what is wrong with them, what became of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from issuer.issuance.models import Taken

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_ROWS = 100_000
MAX_ROW_BYTES = 64 * 1024
CHUNK_ROWS = 1000  # one transaction, and what is repeated after a crash


class RowFault(NamedTuple):
    """One thing wrong with one row: its number, a JSON pointer into it, error word, sentence."""

    row: int
    pointer: str
    error: str
    message: str


class Given(NamedTuple):
    """What a row is given before it is sealed: its certificate's number and its status index."""

    number: str
    taken: Taken


class SealedRow(NamedTuple):
    """One certificate of a job, for the books. `sha256`: hex, of its bytes."""

    number: str
    form: str
    taken: Taken
    sha256: str
    kid: str
    expires_at: int


class SealedChunk(NamedTuple):
    """A chunk whose file lies beside its place, under a name with this digest."""

    digest: str
    rows: Sequence[SealedRow]


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every row that does not say otherwise."""

    type_id: str
    territory: Sequence[str]
    languages: Sequence[str]
    host: str


@dataclass(frozen=True, slots=True)
class Job:
    """A file and its terms. Its id is made of all that decides what is sealed.

    rows  each as one JSON object: `claims`, and where given `territory` and `holder`
    """

    id: str
    terms: Terms
    rows: Sequence[bytes]

    @property
    def chunks(self) -> int:
        return -(-len(self.rows) // CHUNK_ROWS)

    def chunk(self, number: int) -> range:
        """Where the rows of one chunk stand; the first is 0."""
        return range(len(self.rows))[number * CHUNK_ROWS : (number + 1) * CHUNK_ROWS]


def job_id(data: bytes, terms: Terms) -> str:
    """The same for the same file under the same terms."""
    told = "\n".join((terms.type_id, *terms.territory, *terms.languages, terms.host))
    return hashlib.sha256(hashlib.sha256(data).digest() + told.encode()).hexdigest()[:32]
