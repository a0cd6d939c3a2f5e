"""One row to one certificate: what a worker process does, again and again.

Everything that rows have in common is settled once: the judgement on this issuer's rights is asked
once for all rows of the same place, profession and term, and chance comes from the system in large
pieces. What one certificate takes of these is cut off and never used again.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from issuer.bulk.models import RowFault, SealedRow, Terms
from issuer.bulk.rows import open_row
from issuer.issuance.judging import check_sealed
from issuer.issuance.models import Order, Place, Plan, Sealed, code_text
from issuer.issuance.sealing import seal
from issuer.issuance.service import planned, settled
from issuer.office import Office, Standing
from schemas.credentials import validate_claims
from talentseal.bundle import Bundle
from talentseal.encoding import b64url_encode
from talentseal.errors import InputError, TalentsealError
from talentseal.keys import PublicKey

_PIECE_BYTES = 64 * 1024
LOOK_EVERY = 64  # of so many certificates one goes through the whole procedure of a verifier
_Scope = tuple[object, ...]


class Chance:
    """The system's generator, asked for large pieces; of one process alone."""

    def __init__(self) -> None:
        self._piece, self._at = b"", 0

    def __call__(self, count: int) -> bytes:
        if self._at + count > len(self._piece):
            self._piece, self._at = os.urandom(max(_PIECE_BYTES, count)), 0
        start = self._at
        self._at += count
        return self._piece[start : self._at]


@dataclass
class Sealer:
    """Checks and seals rows under one set of terms; belongs to one process."""

    office: Office
    bundle: Bundle
    standing: Standing
    terms: Terms
    uri: str  # of a status list, for drafts
    chance: Chance = field(default_factory=Chance)
    _judged: dict[_Scope, tuple[str, int, int]] = field(default_factory=dict)

    def own(self) -> "Sealer":
        """The same for another process: chance is never shared."""
        return replace(self, chance=Chance(), _judged={})

    def faults(self, row: bytes, number: int, *, now: datetime) -> list[RowFault]:
        """Everything wrong with a row: its claims, its key, this issuer's rights over it."""
        try:
            order = self._order(open_row(row))
        except InputError as error:
            return [RowFault(number, "/holder", error.code, error.message)]
        found = validate_claims(order.type_id, order.claims, territory=order.territory)
        if found:
            return [
                RowFault(number, one.pointer if one.pointer[:5] == "rule:"
                         else f"/claims{one.pointer}", one.error, one.message)
                for one in found
            ]  # fmt: skip
        try:
            self._plan(order, now)
        except TalentsealError as error:
            return [RowFault(number, "", error.code, error.message)]
        return []

    def seal(self, row: bytes, place: Place, *, now: datetime, look: bool) -> SealedRow:
        """Seal a row that has no faults. Raises our errors.

        look  have the certificate go through the whole procedure of a verifier
        """
        order = self._order(open_row(row))
        plan, kid = self._plan(order, now)
        (form,) = order.forms
        sealed = seal(plan, {form: place}, self.office.signer(kid), random=self.chance)
        if look:
            check_sealed(sealed, self.bundle, now=now)
        return _row(sealed, plan, place, kid)

    def _order(self, row: dict[str, Any]) -> Order:
        holder, terms = row.get("holder"), self.terms
        return Order(
            terms.type_id,
            row.get("territory") or terms.territory,
            row["claims"],
            None if holder is None else PublicKey.from_jwk(holder),
            paper=holder is None,
            languages=terms.languages,
            host=terms.host,
        )

    def _plan(self, order: Order, now: datetime) -> tuple[Plan, str]:
        """The plan and its key. A code is drafted each time: only then is its size known."""
        if order.wallet is None:
            return settled(self.bundle, order, self.standing, self.uri, now=now, random=self.chance)
        chains = dict(self.standing.keys)
        first = next(iter(chains.values()))
        plan = planned(self.bundle, order, self.standing.iss, first, now)
        scope, term = self._scope(plan), plan.exp - plan.iat
        kid, shortest, longest = self._judged.get(scope, ("", 0, 0))
        if not (kid and shortest <= term <= longest):
            plan, kid = settled(
                self.bundle, order, self.standing, self.uri, now=now, random=self.chance
            )
            self._judged[scope] = (kid, min(term, shortest or term), max(term, longest))
            return plan, kid
        if chains[kid] is not first:
            plan = planned(self.bundle, order, self.standing.iss, chains[kid], now)
        return plan, kid

    def _scope(self, plan: Plan) -> _Scope:
        """All that the judgement on a row may depend on besides the key and the term."""
        claims, kind = plan.order.claims, plan.kind
        names: Sequence[str] = (*kind.territory_claims, kind.profession_claim or "")
        told = [claims.get(name) for name in names]
        texts = [value if isinstance(value, str) else repr(value) for value in told]
        return (tuple(plan.order.territory), *texts, plan.iat)


def _row(sealed: Sealed, plan: Plan, place: Place, kid: str) -> SealedRow:
    (form,) = plan.order.forms
    if sealed.text is not None:
        digest = sha256(sealed.text.encode()).hexdigest()
        return SealedRow(form, sealed.text, "", place, digest, kid, plan.exp)
    code = sealed.code or b""
    text, digest = code_text(code, plan.order), sha256(code).hexdigest()
    return SealedRow(form, b64url_encode(code), text, place, digest, kid, plan.exp)
