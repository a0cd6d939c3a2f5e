"""Sealing: claims in, a certificate out, and a record without anything about the person.

The order is: validate every claim; take status indices; seal; judge the result by the same steps as
a verifier would, against this issuer's own trust data; only then record it and hand it out. An
index once taken is never used again, whatever happens after.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from issuer.database import certificate, form, status_block, transaction
from issuer.office import Office, note
from schemas.credentials import validate_claims, validity_of
from schemas.types import TYPE_IDS, vct_of
from talentseal import cwt, sdjwt
from talentseal.encoding import from_seconds, parse_json, to_seconds
from talentseal.errors import RefusedError, UnavailableError, UsageError
from talentseal.keys import PublicKey, Signer
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.sdjwt import Envelope
from talentseal.status import StatusList
from talentseal.type_metadata import CredentialType
from talentseal.verify import verify

HOUR_SECONDS = 3600
ID_CHARACTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing looks like another
ID_LENGTH = 8
# What a fresh certificate must pass; status and holder are not about the issuer.
_OWN_CHECKS = frozenset(
    ("format", "issuer_key", "certificate", "signature", "key_time", "authority", "scope",
     "approval", "validity")
)  # fmt: skip


class ClaimsInvalidError(RefusedError):
    """Claims that break their table; `errors` names every fault."""

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        listed = "; ".join(f"{e['pointer']} {e['message']}" for e in errors)
        super().__init__(f"the claims are refused: {listed}", code="CLAIMS_INVALID",
                         hint="Correct the fields named.")  # fmt: skip
        self.errors = errors


@dataclass(frozen=True)
class Order:
    """What is to be sealed. `wallet`, `code`: the holder's keys for either form."""

    type_id: str
    territory: Sequence[str]
    claims: Mapping[str, Any]
    wallet: PublicKey | None = None
    code: PublicKey | None = None
    paper: bool = False
    languages: Sequence[str] = ("zh-Hans", "zh-Hant", "en", "pt")


@dataclass(frozen=True)
class Sealed:
    """A certificate in the forms asked for: SD-JWT text, and the bytes of a code."""

    id: str
    text: str | None
    code: bytes | None


def issue(office: Office, order: Order, *, now: datetime) -> Sealed:
    """Seal one certificate. Raises RefusedError with the code a verifier would give."""
    check_claims(order)
    kind = office.bundle.find_type(vct_of(order.type_id))
    if kind is None:
        raise UsageError("this issuer holds no trust data yet", hint="Run: issuer sync")
    kid, chain = office.signing_key()
    signer = office.keystore.load(kid)
    sealed = _seal(office, order, kind, signer=signer, chain=chain, now=now)
    _judge(office, sealed, now)
    return sealed


def check_claims(order: Order) -> None:
    if order.type_id not in TYPE_IDS:
        raise UsageError(f"no type {order.type_id[:60]!r}", hint=f"One of {', '.join(TYPE_IDS)}.")
    faults = validate_claims(order.type_id, order.claims, territory=order.territory)
    if faults:
        raise ClaimsInvalidError(
            [{"pointer": f.pointer, "error": f.error, "message": f.message} for f in faults]
        )


def _seal(
    office: Office,
    order: Order,
    kind: CredentialType,
    *,
    signer: Signer,
    chain: Sequence[str],
    now: datetime,
) -> Sealed:
    at = to_seconds(now)
    iat = at - at % HOUR_SECONDS
    begins, ends = validity_of(order.type_id, order.claims, issued_at=from_seconds(iat))
    nbf, exp = to_seconds(begins) if begins else None, to_seconds(ends)
    iss = office.profile("entity_id")

    def envelope(place: tuple[str, int]) -> Envelope:
        return Envelope(iss, iat, exp, nbf, order.territory, *place)

    number = _new_id()
    wanted = [name for name, asked in (("wallet", order.wallet), ("code", order.code),
                                       ("paper", order.paper)) if asked]  # fmt: skip
    places = _record(office, order, number, wanted, kid=signer.public.kid, at=at, exp=exp)
    text = code = None
    if order.wallet is not None:
        text = sdjwt.issue(
            order.claims, envelope(places["wallet"]), kind, holder_jwk=order.wallet.jwk,
            signer=signer, x5c=chain, randomness=os.urandom,
        )  # fmt: skip
    if order.code is not None or order.paper:
        code = cwt.issue(
            order.claims, envelope(places["code" if order.code else "paper"]), kind,
            holder=order.code, languages=order.languages, signer=signer, identifier=os.urandom(16),
        )  # fmt: skip
    return Sealed(number, text, code)


def _new_id() -> str:
    return "".join(ID_CHARACTERS[byte & 31] for byte in os.urandom(ID_LENGTH))


def _record(
    office: Office, order: Order, number: str, wanted: Sequence[str], *, kid: str, at: int, exp: int
) -> dict[str, tuple[str, int]]:
    """Take an index for each form and record the certificate, in one transaction."""
    with transaction(office.engine) as db:
        places = {name: _take_index(office, db) for name in wanted}
        db.execute(
            insert(certificate).values(
                id=number, type=order.type_id, kid=kid, sealed_at=at, expires_at=exp, state="valid"
            )
        )
        rows = [
            {"certificate": number, "form": name, "uri": uri, "idx": idx}
            for name, (uri, idx) in places.items()
        ]
        db.execute(insert(form), rows)
        note(db, "sealed", at=at, certificate=number)
    return places


def _take_index(office: Office, db: Any) -> tuple[str, int]:
    """The next index of a block with room, whose list is public. Raises UnavailableError."""
    rows = db.execute(select(status_block).where(status_block.c.used < status_block.c.size)).all()
    jurisdiction = office.bundle.home
    for row in rows:
        if not isinstance(office.bundle.find_status(jurisdiction, row.uri), StatusList):
            continue
        block = status_block.c
        taken = db.execute(
            update(status_block)
            .where(block.block == row.block, block.used < block.size)
            .values(used=block.used + 1)
            .returning(block.used)
        ).scalar()
        if taken is not None:
            indices = parse_json(row.indices.encode(), max_members=200_000, top=list)
            return row.uri, indices[taken - 1]
    if rows:
        raise UnavailableError(
            "the status list is not yet readable in public", code="STATUS_LIST_UNPUBLISHED",
            hint="Run `registry publish`, then `issuer sync`.",
        )  # fmt: skip
    raise UnavailableError(
        "no status indices are left", code="STATUS_LIST_UNPUBLISHED",
        hint="Ask for a block with `registry issuer block`, then run `issuer enrol FILE`.",
    )  # fmt: skip


def _judge(office: Office, sealed: Sealed, now: datetime) -> None:
    """Ask our own verifier, with our own trust data, before anybody else sees it."""
    shown = [Evidence(text=sealed.text)] if sealed.text else []
    shown += [Evidence(code=sealed.code)] if sealed.code else []
    for evidence in shown:
        verdict = verify(evidence, office.bundle, Policy(recognition=False), now=now)
        for check in verdict.checks:
            begins_later = str(check.code) == "NOT_YET_VALID"
            if check.check in _OWN_CHECKS and check.result in ("fail", "unknown"):
                if begins_later:
                    continue
                raise RefusedError(
                    f"a verifier would not take this certificate: {check.code}",
                    code=str(check.code),
                    hint="Nothing was handed out; its status indices are not used again.",
                )


def listed(office: Office) -> list[dict[str, Any]]:
    """Everything sealed, without a word about persons."""
    columns = certificate.c
    with transaction(office.engine) as db:
        rows = db.execute(
            select(
                columns.id, columns.type, columns.state, columns.sealed_at, columns.expires_at
            ).order_by(columns.sealed_at)
        ).all()
    names = ("id", "type", "state", "sealed_at", "expires_at")
    return [dict(zip(names, row, strict=True)) for row in rows]
