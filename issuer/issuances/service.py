"""Four eyes and one seal: what officers do with a certificate before anybody holds it.

Every act runs in one transaction: the officer's roles as of now, the version the officer has read,
the state, the change and its line in the audit trail stand or fall together. Claims are validated
and held against this issuer's own grants before they are kept, and are erased with the seal or the
end. Nobody approves what they prepared. A preparer sees what is their own; for anything else there
is no such thing.

Sealing takes a status index for each copy in that same transaction: whoever gets the answer finds
it on record, and of two at once one wins.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from issuer.audit.trail import note
from issuer.authorization.repository import end_offers
from issuer.database import transaction
from issuer.issuance.judging import check_sealed
from issuer.issuance.models import Issued, Order, Sealed
from issuer.issuance.repository import Record, add_copies_in, add_in, take_in, usable_list_in
from issuer.issuance.sealing import Random, seal
from issuer.issuance.service import check_claims, digests, new_number, settled
from issuer.issuances import repository
from issuer.issuances.models import APPROVED, OPEN, PREPARED, READY, WITHDRAWN, Copies, Draft
from issuer.issuances.models import Issuance as Row
from issuer.office import Office, standing_in
from issuer.officers.service import APPROVER, ISSUER, PREPARER, acting
from talentseal.encoding import b64url_encode, to_seconds
from talentseal.errors import RefusedError
from talentseal.keys import PublicKey, signer_from_secret
from talentseal.service.auth import Actor

LIFE_SECONDS = 30 * 24 * 3600
READERS = (PREPARER, APPROVER, ISSUER)
MORE_SECONDS = 600  # for another form of a certificate that was sealed in one
WALLET = "wallet"  # actor of what a holder's wallet fetched
_ID_BYTES = 16
_ERASED_AT_ONCE = 500

Match = Callable[[str], None]
"""Raises where the caller has not read the version whose tag is given."""


def tag_of(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


# --- before the seal ------------------------------------------------------------------------------


def _judge(db: Connection, office: Office, draft: Draft, *, now: datetime) -> None:
    """Would this issuer be allowed to seal it now? Nothing is kept, no key is used.

    Raises RefusedError `CLAIMS_INVALID` with every fault, or the code of a verifier's step.
    """
    order = draft.order(wallet=signer_from_secret(1).public)  # a holder's key is not known yet
    check_claims(order)
    standing = standing_in(db)
    settled(office.bundle, order, standing, f"{standing.iss}/status/0", now=now)


def prepare(
    db: Connection,
    office: Office,
    actor: Actor,
    draft: Draft,
    *,
    now: datetime,
    random: Random = os.urandom,
) -> Row:
    """Keep a draft that this issuer may seal. Raises RefusedError."""
    acting(db, actor, PREPARER)
    _judge(db, office, draft, now=now)
    issuance_id, at = b64url_encode(random(_ID_BYTES)), to_seconds(now)
    row = repository.add(db, issuance_id, draft, by=actor.id, at=at, ends_at=at + LIFE_SECONDS)
    note(db, "prepared", at=at, actor=actor.id, issuance=issuance_id)
    return row


def correct(
    db: Connection,
    office: Office,
    actor: Actor,
    issuance_id: str,
    draft: Draft,
    *,
    match: Match,
    now: datetime,
) -> Row:
    """Another content for what one has prepared; it must be approved anew. Raises RefusedError.

    Offers end with the content they were made for, and so do the tickets of wallets that used
    them: the other content may be about somebody else.
    """
    acting(db, actor, PREPARER)
    row = _found(db, actor, issuance_id, own=True)
    match(tag_of(row.version))
    _expect(row, OPEN)
    _expect_unsealed(row)
    _judge(db, office, draft, now=now)
    repository.replace(db, row, draft)
    end_offers(db, row.id)
    note(db, "corrected", at=to_seconds(now), actor=actor.id, issuance=row.id)
    return _again(db, row)


def approve(
    db: Connection, actor: Actor, issuance_id: str, *, match: Match, now: datetime
) -> Row:  # fmt: skip
    """The second pair of eyes. Raises RefusedError `APPROVER_IS_ISSUER` for one's own."""
    acting(db, actor, APPROVER)
    row = _found(db, actor, issuance_id)
    match(tag_of(row.version))
    if row.prepared_by == actor.id:
        raise RefusedError(
            "nobody approves what they prepared themselves",
            code="APPROVER_IS_ISSUER",
            hint="Another officer has to approve it.",
        )
    _expect(row, (PREPARED,))
    repository.step(db, row, APPROVED, approved_by=actor.id)
    note(db, "approved", at=to_seconds(now), actor=actor.id, issuance=row.id)
    return _again(db, row)


def withdraw(
    db: Connection, actor: Actor, issuance_id: str, *, match: Match, now: datetime
) -> Row:  # fmt: skip
    """Give it up; its claims are erased. Raises RefusedError."""
    acting(db, actor, *READERS)
    row = _found(db, actor, issuance_id)
    match(tag_of(row.version))
    _expect(row, OPEN)
    _expect_unsealed(row)
    repository.step(db, row, WITHDRAWN)
    note(db, "withdrawn", at=to_seconds(now), actor=actor.id, issuance=row.id)
    return _again(db, row)


# --- looking --------------------------------------------------------------------------------------


def read(db: Connection, actor: Actor, issuance_id: str) -> Row:
    """One issuance with its claims, while it has them. Raises RefusedError `NOT_FOUND`."""
    return _found(db, actor, issuance_id)


def listed(
    db: Connection,
    actor: Actor,
    filters: Mapping[str, str],
    *,
    after: tuple[int, str] | None,
    limit: int,
) -> list[Row]:
    """Those that the officer may see, oldest first and without claims."""
    seen = {} if _sees_all(actor) else {"prepared_by": actor.id}
    return repository.listed(db, {**filters, **seen}, after=after, limit=limit)


def _sees_all(actor: Actor) -> bool:
    return bool(actor.roles & {APPROVER, ISSUER})


def _found(db: Connection, actor: Actor, issuance_id: str, *, own: bool = False) -> Row:
    row = repository.find(db, issuance_id)
    if row is None or (row.prepared_by != actor.id and (own or not _sees_all(actor))):
        raise _unknown()
    return row


def _again(db: Connection, row: Row) -> Row:
    found = repository.find(db, row.id)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> RefusedError:
    return RefusedError("no such issuance is here", code="NOT_FOUND", hint="Check the number.")


def _expect(row: Row, states: Sequence[str]) -> None:
    if row.state not in states:
        raise RefusedError(
            f"this issuance is {row.state}",
            code="STATE_CONFLICT",
            hint=f"The act is for what is {' or '.join(states)}.",
        )


def _expect_unsealed(row: Row) -> None:
    if row.certificate is not None:
        raise RefusedError(
            "a copy of this is sealed already",
            code="STATE_CONFLICT",
            hint="Revoke the certificate and prepare another one.",
        )


# --- the seal -------------------------------------------------------------------------------------


def issue_on_paper(
    db: Connection, office: Office, actor: Actor, issuance_id: str, *, match: Match, now: datetime
) -> Issued:
    """Seal an approved issuance as one code to print. Raises RefusedError, UnavailableError."""
    acting(db, actor, ISSUER)
    row = _found(db, actor, issuance_id)
    match(tag_of(row.version))
    _expect(row, READY)
    order = row.draft.order(paper=True, host=office.host)
    number, made, one_language = _seal(db, office, row, [order], now=now, actor=actor.id)
    return Issued(number, order, made[0], one_language)


def seal_copies(
    office: Office,
    db: Connection,
    issuance_id: str,
    wallet_keys: Sequence[PublicKey],
    code_keys: Sequence[PublicKey],
    *,
    more: bool = False,
    now: datetime,
    actor: str = WALLET,
) -> Copies:
    """Seal an approved issuance once for each key, all of it in the caller's transaction.

    more  another form may follow within minutes; claims are kept until then

    Each copy has its own status index; all of them are one certificate, with one number. Raises
    RefusedError `NOT_FOUND`, `STATE_CONFLICT` (sealed already, or not approved) or the code of a
    verifier's step; UnavailableError where the key or an index is missing.
    """
    row = repository.find(db, issuance_id)
    if row is None:
        raise _unknown()
    _expect(row, READY)
    orders = [row.draft.order(wallet=key) for key in wallet_keys]
    orders += [row.draft.order(code=key, host=office.host) for key in code_keys]
    number, made, _ = _seal(db, office, row, orders, more=more, now=now, actor=actor)
    texts = [one.text for one in made if one.text is not None]
    return Copies(number, texts, [one.code for one in made if one.code is not None])


def _seal(
    db: Connection,
    office: Office,
    row: Row,
    orders: Sequence[Order],
    *,
    more: bool = False,
    now: datetime,
    actor: str,
    random: Random = os.urandom,
) -> tuple[str, list[Sealed], bool]:
    """Number, a sealed copy for each order, and whether the code had room for one language only."""
    bundle, standing = office.bundle, standing_in(db)
    uri = usable_list_in(db, bundle)
    plans = {
        form: settled(bundle, order, standing, uri, now=now, random=random)
        for form, order in {order.forms[0]: order for order in orders}.items()
    }
    signers = {form: office.signer(kid) for form, (_, kid) in plans.items()}
    number, made, copies = row.certificate or new_number(random), [], []
    for order, taken in zip(orders, take_in(db, bundle, len(orders)), strict=True):
        (form,) = order.forms
        plan = replace(plans[form][0], order=order)
        sealed = seal(plan, {form: taken.place}, signers[form], random=random)
        check_sealed(sealed, bundle, now=now)
        made.append(sealed)
        copies.append((form, taken, digests(order, sealed)[form]))
    expires_at, kid = max((plan.exp, kid) for plan, kid in plans.values())
    record = Record(number, row.type_id, kid, to_seconds(now), expires_at, copies)
    if row.certificate is None:
        add_in(db, record, actor=actor, issuance=row.id)
    else:
        add_copies_in(db, record, actor=actor, issuance=row.id)
    if more:
        repository.sealed_in_part(db, row, number, ends_at=to_seconds(now) + MORE_SECONDS)
    else:
        repository.sealed(db, row, number)
    return number, made, any(plan.one_language for plan, _ in plans.values())


# --- retention ------------------------------------------------------------------------------------


def forget(office: Office, *, now: datetime) -> int:
    """Give up what nobody has sealed in time and erase its claims; how many there were."""
    at, count = to_seconds(now), 0
    while True:
        with transaction(office.engine) as db:
            ended = repository.due(db, at=at, limit=_ERASED_AT_ONCE)
            for row in ended:
                repository.give_up(db, row)
                note(db, "expired", at=at, issuance=row.id)
        count += len(ended)
        if len(ended) < _ERASED_AT_ONCE:
            return count
