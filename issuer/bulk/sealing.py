"""Rows to certificates: what a worker process does, again and again.

Everything that rows have in common is settled once: the judgement on this issuer's rights is asked
once for all rows of the same place, profession and term. The work on some rows goes by steps, each
over all of them, because a signature leaves nothing of the rest in the processor's caches.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

from issuer.bulk.models import Given, RowFault, SealedRow, Terms
from issuer.bulk.rows import open_row, reopen_row
from issuer.issuance.judging import check_sealed
from issuer.issuance.models import NamedKey, Order, Plan, Sealed, code_text
from issuer.issuance.sealing import Random, seal
from issuer.issuance.service import HOUR_SECONDS, planned, settled
from issuer.office import Office, Standing
from schemas.credentials import load_table, validate_claims
from schemas.types import vct_of
from talentseal.bundle import Bundle
from talentseal.encoding import b64url_encode, b64url_encode_all, dump_json, to_seconds
from talentseal.errors import InputError, TalentsealError, UsageError
from talentseal.keys import PublicKey, SoftwareSigner, signer_from_secret
from talentseal.sdjwt import Content, Envelope, Unsealed, prepare
from talentseal.type_metadata import CredentialType

STEP_ROWS = 50  # what one step handles stays in the processor's caches
LOOK_EVERY = 64  # of so many certificates one goes through the whole procedure of a verifier
SMALL_ROW_BYTES = 24 * 1024  # as base64 with salts and digests, far below what is read at most
_MAX_FRAMES = 10_000
_PLAIN = frozenset((str, type(None)))
_Scope = tuple[object, ...]
_Row = Mapping[str, Any]


class Made(NamedTuple):
    """A certificate. Its text is long, so pieces of it are put together once, where they go.

    row     for the books
    sealed  its bytes, in pieces
    told    the members of its line but number and row, in pieces
    """

    row: SealedRow
    sealed: Sequence[bytes]
    told: Sequence[bytes]


class Frame(NamedTuple):
    """What rows of one scope and term share: a plan without what is the row's own, and its key.

    envelope  all of it but the row's status index
    """

    kid: str
    public: PublicKey
    exp: int
    envelope: tuple[str, int, int, int | None, Sequence[str]]
    x5c: Sequence[str]


@dataclass
class Sealer:
    """Checks and seals rows under one set of terms; belongs to one process.

    uri  of a status list, for drafts: as long as any that is used, as no draft may be the smaller
    """

    office: Office
    bundle: Bundle
    standing: Standing
    terms: Terms
    uri: str
    random: Random = os.urandom
    _frames: dict[_Scope, Frame] = field(default_factory=dict)
    _judged: dict[_Scope, tuple[str, int, int]] = field(default_factory=dict)
    _begun: dict[bytes, "hashlib._Hash"] = field(default_factory=dict)
    _sealed: int = 0

    def faults(self, row: bytes, number: int, *, now: datetime) -> list[RowFault]:
        """Everything wrong with a row: its claims, its key, this issuer's rights over it."""
        try:
            document = open_row(row)
            PublicKey.check_jwk(document.get("holder", self._stand_in))
        except InputError as error:
            return [RowFault(number, "/holder", error.code, error.message)]
        places, claims = self._territory(document), document["claims"]
        found = validate_claims(self.terms.type_id, claims, territory=places)
        if found:
            return [
                RowFault(number, _pointer(one.pointer), one.error, one.message) for one in found
            ]
        try:
            self._judge(document, len(row), now)
        except TalentsealError as error:
            return [RowFault(number, "", error.code, error.message)]
        return []

    @cached_property
    def _stand_in(self) -> Mapping[str, str]:
        return signer_from_secret(1).public.jwk

    def _judge(self, row: _Row, size: int, now: datetime) -> None:
        """A code is drafted each time: only then is its size known. So is a large row."""
        if "holder" in row and size <= SMALL_ROW_BYTES:
            self._frame(row, _hour(now), now)
        else:
            self._settled(self._order(row), now)

    # --- sealing

    def seal(
        self,
        rows: Sequence[bytes],
        given: Sequence[Given],
        first: int,
        *,
        now: datetime,
        write: Callable[[bytes], None],
    ) -> list[SealedRow]:
        """Seal rows that have no faults; `first` is the number of the first. Raises our errors.

        write  takes what is handed out, a line of JSON for each, while it is fresh; it counts for
               nothing if an error is raised
        """
        sealed: list[SealedRow] = []
        looked: list[Made] = []
        for at in range(0, len(rows), STEP_ROWS):
            step = [reopen_row(row) for row in rows[at : at + STEP_ROWS]]
            made = self._seal_step(step, given[at : at + STEP_ROWS], now)
            write(_lines(made, first + at))
            sealed += [one.row for one in made]
            looked += made[-self._sealed % LOOK_EVERY :: LOOK_EVERY]
            self._sealed += len(made)
        self._look(looked, now)
        return sealed

    def _seal_step(self, rows: Sequence[_Row], given: Sequence[Given], now: datetime) -> list[Made]:
        chosen = [at for at, row in enumerate(rows) if "holder" in row]
        texts = self._wallets([rows[at] for at in chosen], [given[at] for at in chosen], now)
        if len(texts) == len(rows):
            return texts
        done = dict(zip(chosen, texts, strict=True))
        return [
            done.get(at) or self._code(row, one, now)
            for at, (row, one) in enumerate(zip(rows, given, strict=True))
        ]

    def _wallets(self, rows: Sequence[_Row], given: Sequence[Given], now: datetime) -> list[Made]:
        hour = _hour(now)
        frames = [self._frame(row, hour, now) for row in rows]
        contents = [
            Content(
                row["claims"], Envelope(*envelope, *taken.place), _required(row["holder"]), key, x5c
            )
            for row, (_, key, _, envelope, x5c), (_, taken) in zip(rows, frames, given, strict=True)
        ]
        made = prepare(contents, self._kind, randomness=self.random)
        hashed = [self._hashed(one) for one in made]
        signatures = self._signatures(made, hashed, [frame.kid for frame in frames])
        return [
            _as_text(one, signature, state, frame, its)
            for one, signature, state, frame, its in zip(
                made, signatures, hashed, frames, given, strict=True
            )
        ]

    def _hashed(self, unsealed: Unsealed) -> "hashlib._Hash":
        """SHA-256 over what is to be signed, ready to go on. The beginning is hashed once."""
        begun = self._begun.get(unsealed.start)
        if begun is None:
            begun = sha256(unsealed.start)
            if len(self._begun) < _MAX_FRAMES:
                self._begun[unsealed.start] = begun
        state = begun.copy()
        state.update(unsealed.body)
        return state

    def _signatures(
        self, made: Sequence[Unsealed], hashed: Sequence["hashlib._Hash"], kids: Sequence[str]
    ) -> list[bytes]:
        """In base64url. A signing device takes longer than all the rest: there nothing is saved."""
        signers = {kid: self.office.signer(kid) for kid in set(kids)}
        only = signers[kids[0]] if len(signers) == 1 else None
        if isinstance(only, SoftwareSigner) and only.public.alg == "ES256":
            return b64url_encode_all(only.sign_hashed([state.digest() for state in hashed]))
        return b64url_encode_all([
            signers[kid].sign(one.signing_input) for one, kid in zip(made, kids, strict=True)
        ])  # fmt: skip

    def _code(self, row: _Row, given: Given, now: datetime) -> Made:
        order = self._order(row)
        plan, kid = self._settled(order, now)
        sealed = seal(
            plan, {"paper": given.taken.place}, self.office.signer(kid), random=self.random
        )
        code = sealed.code or b""
        digest = sha256(code).hexdigest()
        credential = {"format": "talentseal_cwt", "credential": b64url_encode(code)}
        told = dump_json({"credentials": [credential], "code": code_text(code, order)})
        row_made = SealedRow(given.number, "paper", given.taken, digest, kid, plan.exp)
        return Made(row_made, (code,), (told[1:-1],))

    def _look(self, made: Sequence[Made], now: datetime) -> None:
        """These through the whole procedure: after each other, which is cheaper."""
        for row, pieces, _ in made:
            sealed, is_code = b"".join(pieces), row.form == "paper"
            check_sealed(
                Sealed(None, sealed) if is_code else Sealed(sealed.decode(), None),
                self.bundle,
                now=now,
            )

    # --- what rows share

    def _order(self, row: _Row) -> Order:
        holder, terms = row.get("holder"), self.terms
        return Order(
            terms.type_id,
            self._territory(row),
            row["claims"],
            None if holder is None else NamedKey(_required(holder)),
            paper=holder is None,
            languages=terms.languages,
            host=terms.host,
        )

    def _territory(self, row: _Row) -> Sequence[str]:
        return row.get("territory") or self.terms.territory

    def _frame(self, row: _Row, hour: int, now: datetime) -> Frame:
        """The frame of a row for a wallet. Raises our errors where a verifier would refuse it."""
        whole = (hour, *self._territory(row), *self._told(row, self._deciding_claims))
        held = self._frames.get(whole)
        if held is None:
            held = self._new_frame(row, now)
            if len(self._frames) < _MAX_FRAMES:
                self._frames[whole] = held
        return held

    def _new_frame(self, row: _Row, now: datetime) -> Frame:
        """Judged anew, unless the same rights were judged for a term no shorter and no longer."""
        order, chains = self._order(row), dict(self.standing.keys)
        plan = planned(self.bundle, order, self.standing.iss, self.standing.keys[0][1], now)
        scope, term = (*self._scope(row), plan.iat), plan.exp - plan.iat
        kid, shortest, longest = self._judged.get(scope, ("", 0, 0))
        if kid and shortest <= term <= longest:
            return self._frame_of(replace(plan, x5c=chains[kid]), kid)
        plan, kid = self._settled(order, now)
        self._judged[scope] = (kid, min(term, shortest or term), max(term, longest))
        return self._frame_of(plan, kid)

    def _frame_of(self, plan: Plan, kid: str) -> Frame:
        public = self.office.signer(kid).public
        envelope = (plan.iss, plan.iat, plan.exp, plan.nbf, plan.order.territory)
        return Frame(kid, public, plan.exp, envelope, plan.x5c)

    def _settled(self, order: Order, now: datetime) -> tuple[Plan, str]:
        return settled(self.bundle, order, self.standing, self.uri, now=now, random=self.random)

    def _scope(self, row: _Row) -> _Scope:
        """All that the judgement on a row may depend on besides the key and the term."""
        return (tuple(self._territory(row)), *self._told(row, self._scope_claims))

    def _told(self, row: _Row, names: Sequence[str]) -> _Scope:
        told = tuple(map(row["claims"].get, names))
        return told if _PLAIN.issuperset(map(type, told)) else (repr(told),)

    @cached_property
    def _kind(self) -> CredentialType:
        kind = self.bundle.find_type(vct_of(self.terms.type_id))
        if kind is None:
            raise UsageError("the trust data here does not define this type", hint="issuer sync")
        return kind

    @cached_property
    def _scope_claims(self) -> Sequence[str]:
        profession = self._kind.profession_claim
        return (*self._kind.territory_claims, *([profession] if profession else []))

    @cached_property
    def _deciding_claims(self) -> Sequence[str]:
        """What decides upon a frame: scope and term."""
        term = load_table(self.terms.type_id).term
        dates = (term.until, term.counted_from, term.starts)
        return (*self._scope_claims, *(name for name in dates if name))


def _hour(now: datetime) -> int:
    return to_seconds(now) // HOUR_SECONDS


def _as_text(
    unsealed: Unsealed, signature: bytes, hashed: "hashlib._Hash", frame: Frame, given: Given
) -> Made:
    start, body, tail = unsealed
    rest = b".%b%b" % (signature, tail)
    hashed.update(rest)
    digest = hashed.hexdigest()
    row = SealedRow(given.number, "wallet", given.taken, digest, frame.kid, frame.exp)
    return Made(row, (start, body, rest), (_BEFORE, start, body, rest, _AFTER))


# Around letters, digits and `-_.~`: in such a text there is nothing that JSON would escape.
_BEFORE = b'"credentials":[{"format":"dc+sd-jwt","credential":"'
_AFTER = b'"}]'


def _lines(made: Sequence[Made], first: int) -> bytes:
    """A line of JSON for each."""
    pieces: list[bytes] = []
    for at, one in enumerate(made, first):
        pieces.append(b'{"row":%d,"id":"%b",' % (at, one.row.number.encode()))
        pieces.extend(one.told)
        pieces.append(b"}\n")
    return b"".join(pieces)


def _required(jwk: Mapping[str, str]) -> Mapping[str, str]:
    """The members that make a key, without what else somebody wrote beside them."""
    if jwk.keys() == _MEMBERS_OF_P256:
        return jwk
    return {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}


_MEMBERS_OF_P256 = {"kty", "crv", "x", "y"}


def _pointer(pointer: str) -> str:
    return pointer if pointer.startswith("rule:") else f"/claims{pointer}"
