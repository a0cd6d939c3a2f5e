"""An issuance: what one certificate will say, on its way from a draft to a seal.

    prepared --approved by another officer--> approved --> offered --> issued
    prepared | approved | offered --> withdrawn

A correction brings it back to `prepared`: what was approved is what is sealed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from issuer.issuance.models import LANGUAGES, Order
from talentseal.keys import PublicKey

PREPARED, APPROVED, OFFERED = "prepared", "approved", "offered"
ISSUED, WITHDRAWN = "issued", "withdrawn"
OPEN = (PREPARED, APPROVED, OFFERED)
READY = (APPROVED, OFFERED)
State = Literal["prepared", "approved", "offered", "issued", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Draft:
    """What an officer prepares.

    claims     decoded JSON, validated before it is kept
    languages  of texts in a code, best first
    """

    type_id: str
    claims: Mapping[str, Any]
    territory: Sequence[str]
    languages: Sequence[str] = LANGUAGES

    def order(
        self,
        *,
        wallet: PublicKey | None = None,
        code: PublicKey | None = None,
        paper: bool = False,
        host: str = "",
    ) -> Order:
        return Order(
            self.type_id, self.territory, self.claims, wallet, code, paper=paper,
            languages=self.languages, host=host,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Issuance:
    """One row of the table. `claims` is None once they have been erased."""

    id: str
    type_id: str
    claims: Mapping[str, Any] | None
    territory: Sequence[str]
    languages: Sequence[str]
    state: str
    prepared_by: str
    approved_by: str | None
    version: int
    created_at: int
    ends_at: int
    certificate: str | None

    @property
    def draft(self) -> Draft:
        return Draft(self.type_id, self.claims or {}, self.territory, self.languages)


@dataclass(frozen=True, slots=True)
class Copies:
    """What was sealed of one certificate: a text for each wallet key, bytes for each code."""

    number: str
    wallet: Sequence[str]
    codes: Sequence[bytes]
