"""One row to one certificate: what a worker process does, again and again.

Everything that rows have in common is settled once: the judgement on this issuer's rights is asked
once for all rows of the same place, profession and term, and chance comes from the system in large
pieces. What one certificate takes of these is cut off and never used again.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from issuer.bulk.models import RowFault, SealedRow, Terms
from issuer.bulk.rows import open_row
from issuer.issuance.judging import check_sealed
from issuer.issuance.models import NamedKey, Order, Place, Plan, Sealed, code_text
from issuer.issuance.sealing import seal
from issuer.issuance.service import HOUR_SECONDS, planned, settled
from issuer.office import Office, Standing
from schemas.credentials import load_table, validate_claims
from schemas.types import vct_of
from talentseal.bundle import Bundle
from talentseal.encoding import b64url_encode, to_seconds
from talentseal.errors import InputError, TalentsealError, UsageError
from talentseal.keys import PublicKey, signer_from_secret

_PIECE_BYTES = 64 * 1024
_MAX_PLANS = 10_000
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
    """Checks and seals rows under one set of terms; belongs to one process.

    uri  of a status list, for drafts
    """

    office: Office
    bundle: Bundle
    standing: Standing
    terms: Terms
    uri: str
    chance: Chance = field(default_factory=Chance)
    _plans: dict[_Scope, tuple[Plan, str]] = field(default_factory=dict)
    _judged: dict[_Scope, tuple[str, int, int]] = field(default_factory=dict)

    def own(self) -> "Sealer":
        """The same for another process: chance is never shared."""
        return replace(self, chance=Chance(), _plans={}, _judged={})

    def faults(self, row: bytes, number: int, *, now: datetime) -> list[RowFault]:
        """Everything wrong with a row: its claims, its key, this issuer's rights over it."""
        try:
            document = open_row(row)
            PublicKey.check_jwk(document.get("holder", self._stand_in))
        except InputError as error:
            return [RowFault(number, "/holder", error.code, error.message)]
        order = self._order(document)
        found = validate_claims(order.type_id, order.claims, territory=order.territory)
        if found:
            return [
                RowFault(number, _pointer(one.pointer), one.error, one.message) for one in found
            ]
        try:
            self._plan(order, now)
        except TalentsealError as error:
            return [RowFault(number, "", error.code, error.message)]
        return []

    @cached_property
    def _stand_in(self) -> Mapping[str, str]:
        return signer_from_secret(1).public.jwk

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
            None if holder is None else NamedKey(_required(holder)),
            paper=holder is None,
            languages=terms.languages,
            host=terms.host,
        )

    def _plan(self, order: Order, now: datetime) -> tuple[Plan, str]:
        """The plan and its key. A code is drafted each time: only then is its size known."""
        if order.wallet is None:
            return self._settled(order, now)
        dates = self._told(order, self._term_claims)
        scope = (*self._scope(order), *dates, to_seconds(now) // HOUR_SECONDS)
        held = self._plans.get(scope)
        if held is None:
            held = self._new_plan(order, now)
            if len(self._plans) < _MAX_PLANS:
                self._plans[scope] = held
        plan, kid = held
        settled_plan = Plan(
            order, plan.kind, plan.iss, plan.iat, plan.nbf, plan.exp, plan.x5c, plan.one_language
        )
        return settled_plan, kid

    def _new_plan(self, order: Order, now: datetime) -> tuple[Plan, str]:
        """Judged anew, unless the same rights were judged for a term no shorter and no longer."""
        chains = dict(self.standing.keys)
        plan = planned(self.bundle, order, self.standing.iss, self.standing.keys[0][1], now)
        scope, term = (*self._scope(order), plan.iat), plan.exp - plan.iat
        kid, shortest, longest = self._judged.get(scope, ("", 0, 0))
        if kid and shortest <= term <= longest:
            return replace(plan, x5c=chains[kid]), kid
        plan, kid = self._settled(order, now)
        self._judged[scope] = (kid, min(term, shortest or term), max(term, longest))
        return plan, kid

    def _settled(self, order: Order, now: datetime) -> tuple[Plan, str]:
        return settled(self.bundle, order, self.standing, self.uri, now=now, random=self.chance)

    def _scope(self, order: Order) -> _Scope:
        """All that the judgement on a row may depend on besides the key and the term."""
        return (tuple(order.territory), *self._told(order, self._scope_claims))

    def _told(self, order: Order, names: Sequence[str]) -> _Scope:
        values = [order.claims.get(name) for name in names]
        return tuple([value if isinstance(value, str) else repr(value) for value in values])

    @cached_property
    def _scope_claims(self) -> Sequence[str]:
        kind = self.bundle.find_type(vct_of(self.terms.type_id))
        if kind is None:
            raise UsageError("the trust data here does not define this type", hint="issuer sync")
        return (*kind.territory_claims, *([kind.profession_claim] if kind.profession_claim else []))

    @cached_property
    def _term_claims(self) -> Sequence[str]:
        term = load_table(self.terms.type_id).term
        return [name for name in (term.until, term.counted_from, term.starts) if name]


def _required(jwk: Mapping[str, str]) -> dict[str, str]:
    """The members that make a key, without what else somebody wrote beside them."""
    return {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}


def _pointer(pointer: str) -> str:
    return pointer if pointer.startswith("rule:") else f"/claims{pointer}"


def _row(sealed: Sealed, plan: Plan, place: Place, kid: str) -> SealedRow:
    (form,) = plan.order.forms
    if sealed.text is not None:
        digest = sha256(sealed.text.encode()).hexdigest()
        return SealedRow(form, sealed.text, "", place, digest, kid, plan.exp)
    code = sealed.code or b""
    text, digest = code_text(code, plan.order), sha256(code).hexdigest()
    return SealedRow(form, b64url_encode(code), text, place, digest, kid, plan.exp)
