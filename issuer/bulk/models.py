"""What a bulk job is about: rows of a file, what is wrong with them, what became of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from issuer.issuance.models import Place

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


class SealedRow(NamedTuple):
    """One certificate of a job. `credential`: SD-JWT text, or base64url of a code's bytes."""

    form: str
    credential: str
    code_text: str
    place: Place
    sha256: str
    kid: str
    expires_at: int


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

    def chunk(self, number: int) -> Sequence[bytes]:
        """The rows of one chunk; the first is 0."""
        return self.rows[number * CHUNK_ROWS : (number + 1) * CHUNK_ROWS]


def job_id(data: bytes, terms: Terms) -> str:
    """The same for the same file under the same terms."""
    told = "\n".join((terms.type_id, *terms.territory, *terms.languages, terms.host))
    return hashlib.sha256(hashlib.sha256(data).digest() + told.encode()).hexdigest()[:32]
