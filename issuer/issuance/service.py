"""Sealing: claims in, a certificate out, and a record without anything about the person.

The order matters. Every claim is validated; a draft without signature is judged as a verifier
would; only then are status indices taken, for good. The certificate is sealed, judged again, put on
record, and handed out last. A crash costs an index, or leaves a certificate on record that nobody
got; it never leaves one in the world that cannot be revoked.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import datetime

from issuer.issuance import repository
from issuer.issuance.judging import check_draft, check_sealed
from issuer.issuance.models import Issued, Order, Plan, Sealed
from issuer.issuance.repository import Record
from issuer.issuance.sealing import Random, draft, seal
from issuer.office import Office, Standing
from schemas.credentials import load_table, validate_claims, validity_of
from schemas.types import TYPE_IDS, vct_of
from talentseal.bundle import Bundle, ListedKey
from talentseal.encoding import from_seconds, to_seconds
from talentseal.errors import RefusedError, UsageError
from talentseal.trust import all_inside

HOUR_SECONDS = 3600
ID_CHARACTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing looks like another
ID_LENGTH = 8
_CHARACTER_OF_BYTE = ID_CHARACTERS.encode() * 8  # by the five lower bits


def issue(office: Office, order: Order, *, now: datetime, random: Random = os.urandom) -> Issued:
    """Seal one certificate and put it on record.

    Raises RefusedError `CLAIMS_INVALID` with every fault, or with the code that a verifier would
    give; UnavailableError `STATUS_LIST_UNPUBLISHED`; UsageError.
    """
    check_claims(order)
    standing, bundle = office.standing(), office.bundle
    check_direct(bundle, order.type_id)
    _take_in_indices(office, len(order.forms), now=now)
    uri = repository.usable_list(office.engine, bundle)
    plan, kid = settled(bundle, order, standing, uri, now=now, random=random)
    signer = office.signer(kid)
    taken = repository.take_indices(office.engine, bundle, order.forms)
    sealed = seal(plan, {form: one.place for form, one in taken.items()}, signer, random=random)
    check_sealed(sealed, bundle, now=now)
    number = new_number(random)
    copies = [(name, taken[name], digest) for name, digest in digests(order, sealed).items()]
    repository.add(
        office.engine, Record(number, order.type_id, kid, to_seconds(now), plan.exp, copies)
    )
    return Issued(number, order, sealed, plan.one_language)


def _take_in_indices(office: Office, count: int, *, now: datetime) -> None:
    """Ask the registry for more where these would not do. Raises UnavailableError."""
    from issuer.status.blocks import top_up

    top_up(office, now=now, least=count)


def check_direct(bundle: Bundle, type_id: str) -> None:
    """May one person alone seal this, by a command? Only under a development root, or by the type.

    Raises RefusedError `SEPARATION_OF_DUTIES`.
    """
    held = bundle.jurisdictions.get(bundle.home)
    if held is not None and not held.dev and load_table(type_id).two_officers:
        raise RefusedError(
            f"{type_id} takes two officers",
            code="SEPARATION_OF_DUTIES",
            hint="Prepare it in the service (`issuer serve`), where another officer approves it.",
        )


def check_claims(order: Order) -> None:
    """Raises UsageError for an unknown type, RefusedError `CLAIMS_INVALID` with every fault."""
    if order.type_id not in TYPE_IDS:
        raise UsageError(f"no type {order.type_id[:60]!r}", hint=f"One of {', '.join(TYPE_IDS)}.")
    faults = validate_claims(order.type_id, order.claims, territory=order.territory)
    if not faults:
        return
    lines = "".join(f"\n  {fault.pointer or '/'}  {fault.message}" for fault in faults)
    refusal = RefusedError(
        f"The claims are refused:{lines}", code="CLAIMS_INVALID", hint="Correct the fields named."
    )
    refusal.errors = [
        {"pointer": fault.pointer, "error": fault.error, "message": fault.message}
        for fault in faults
    ]
    raise refusal


def settled(
    bundle: Bundle,
    order: Order,
    standing: Standing,
    uri: str,
    *,
    now: datetime,
    random: Random = os.urandom,
) -> tuple[Plan, str]:
    """The plan and the newest key with which a verifier would take it.

    Raises RefusedError with the code that a verifier would give.
    """
    refusals = []
    for kid, chain in standing.keys:
        key = _listed_key(bundle, standing.iss, kid)
        if isinstance(key, RefusedError):
            refusals.append(key)
            continue
        unjudged = planned(bundle, order, standing.iss, chain, now)
        plan, unsigned = draft(unjudged, uri, key.public, random=random)
        try:
            check_draft(unsigned, key, bundle, now=now)
        except RefusedError as refusal:
            refusals.append(refusal)
        else:
            return plan, kid
    raise refusals[0]


def _listed_key(bundle: Bundle, iss: str, kid: str) -> ListedKey | RefusedError:
    for key in bundle.find_keys(kid):
        if key.entry.iss == iss:
            return key
    return RefusedError(
        "this issuer's key is not in the published trust data",
        code="KEY_UNKNOWN" if bundle.find_issuer(iss) else "ISSUER_UNKNOWN",
        hint="An issuer is listed with its first grant: `registry publish`, then `issuer sync`.",
    )


def planned(bundle: Bundle, order: Order, iss: str, chain: Sequence[str], now: datetime) -> Plan:
    kind = bundle.find_type(vct_of(order.type_id))
    if kind is None:
        raise UsageError("the trust data here does not define this type", hint="Run: issuer sync")
    at = to_seconds(now)
    iat = at - at % HOUR_SECONDS
    begins, ends = validity_of(order.type_id, order.claims, issued_at=from_seconds(iat))
    limit = _longest_term(bundle, iss, kind.vct, order.territory)
    exp = to_seconds(ends)
    return Plan(
        order=order,
        kind=kind,
        iss=iss,
        iat=iat,
        nbf=to_seconds(begins) if begins else None,
        exp=exp if limit is None else min(exp, iat + limit - limit % HOUR_SECONDS),
        x5c=chain,
    )


def _longest_term(bundle: Bundle, iss: str, vct: str, territory: Sequence[str]) -> int | None:
    """Seconds that the widest fitting grant allows a certificate to last; None sets no limit."""
    terms = [
        right.max_validity
        for right in bundle.find_rights(bundle.home, iss)
        if vct in right.vct and all_inside(territory, right.territory)
    ]
    limits = [term for term in terms if term is not None]
    return max(limits) if limits and len(limits) == len(terms) else None


def digests(order: Order, sealed: Sealed) -> dict[str, str]:
    parts = [part for part in (sealed.text and sealed.text.encode(), sealed.code) if part]
    return {
        name: hashlib.sha256(part).hexdigest()
        for name, part in zip(order.forms, parts, strict=True)
    }


def new_number(random: Callable[[int], bytes]) -> str:
    """A number to type and to say, 40 bits that nobody can guess."""
    return new_numbers(random, 1)[0]


def new_numbers(random: Callable[[int], bytes], count: int, *, start: str = "") -> list[str]:
    """So many of them that begin so; two may be equal."""
    length = ID_LENGTH - len(start)
    text = random(count * length).translate(_CHARACTER_OF_BYTE).decode()
    return [start + text[at : at + length] for at in range(0, len(text), length)]


def spelled(number: str) -> str:
    """A typed number in its one spelling: O is 0, I and L are 1 (Crockford's base 32)."""
    return number.strip().upper().translate(str.maketrans("OIL", "011"))
