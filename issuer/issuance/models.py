"""What is asked for, what is decided about it, and what comes out: plain values without a place.

A form is one way to carry a certificate: `wallet` (SD-JWT VC), `code` (the wallet's code) or
`paper` (a code to print). Each form has its own status index, so that two forms of one
certificate cannot be told to belong together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from talentseal.codetext import write_text
from talentseal.keys import PublicKey
from talentseal.qr import Level, version_of
from talentseal.reading import Evidence
from talentseal.sdjwt import Envelope
from talentseal.type_metadata import CredentialType

Place = tuple[str, int]  # status list and index
LANGUAGES = ("zh-Hans", "zh-Hant", "en", "pt")


class Taken(NamedTuple):
    """A status index that was taken for good.

    block, turn  the number of the block that it came from, and where it stood there
    """

    uri: str
    idx: int
    block: int
    turn: int

    @property
    def place(self) -> Place:
        return self.uri, self.idx


class NamedKey(NamedTuple):
    """A holder's public key that is sound as a JWK, of which no key is made: sealing names it only.

    jwk  the required members alone
    """

    jwk: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sealed.

    wallet     key of the wallet form, if one is wanted
    code       holder's key of the code, if one is wanted or known
    paper      the code is printed; without `code` it can never become dynamic
    languages  best first; two of each text enter a code
    host       of the page that the code's link leads to
    """

    type_id: str
    territory: Sequence[str]
    claims: Mapping[str, Any]
    wallet: PublicKey | NamedKey | None = None
    code: PublicKey | None = None
    paper: bool = False
    languages: Sequence[str] = LANGUAGES
    level: Level = "M"
    host: str = ""

    @property
    def forms(self) -> list[str]:
        code_form = "paper" if self.paper else "code"
        wants_code = self.paper or self.code is not None
        return [*(["wallet"] if self.wallet else []), *([code_form] if wants_code else [])]


@dataclass(frozen=True, slots=True)
class Plan:
    """A certificate without a seal and without an index: everything else is settled.

    one_language  the code holds one language only, since with two its symbol would be too large
    """

    order: Order
    kind: CredentialType
    iss: str
    iat: int
    nbf: int | None
    exp: int
    x5c: Sequence[str]
    one_language: bool = False

    def envelope(self, place: Place) -> Envelope:
        return Envelope(self.iss, self.iat, self.exp, self.nbf, self.order.territory, *place)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A certificate in the forms asked for: SD-JWT text, and the bytes of a code."""

    text: str | None
    code: bytes | None

    def evidence(self) -> Iterator[Evidence]:
        if self.text is not None:
            yield Evidence(text=self.text)
        if self.code is not None:
            yield Evidence(code=self.code)


@dataclass(frozen=True, slots=True)
class Issued:
    """A sealed certificate on record, and the number under which it can be revoked."""

    number: str
    order: Order
    sealed: Sealed
    one_language: bool

    def code_text(self) -> str:
        return code_text(self.sealed.code or b"", self.order)


def code_text(code: bytes, order: Order) -> str:
    """The text of a code in the form that gives the smallest symbol at the level in use."""
    return write_text(
        code, host=order.host, version_of=lambda text: version_of(text, level=order.level)
    )
