"""Credentials for wallets: the checks of a request in their order, sealing, and what comes after.

The first check that fails decides the answer; the nonce is spent last, in the transaction that
seals, so that a request refused for another reason may be repeated with it. Every key of a request
gets a copy of its own with its own status index. An issuance that is not approved yet is deferred:
the keys wait with it, and the same access token fetches the copies later.

Standard: OpenID4VCI 1.0 (final) §8 (credential), §9 (deferred), §11 (notification).
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from issuer.audit.trail import note
from issuer.authorization import repository as tokens
from issuer.authorization.repository import Token
from issuer.authorization.service import find_token, spend_nonce
from issuer.database import transaction
from issuer.issuances import repository as issuances
from issuer.issuances.models import PREPARED, WITHDRAWN
from issuer.issuances.service import WALLET as ACTOR
from issuer.issuances.service import seal_copies
from issuer.office import Office
from issuer.openid4vci import repository
from issuer.openid4vci.metadata import BATCH_SIZE, WALLET, Configuration, configurations
from schemas.openid4vci import CredentialRequest, Notification
from talentseal.encoding import b64url_encode, to_seconds
from talentseal.errors import InputError, ProtocolError, RefusedError
from talentseal.keys import PublicKey
from talentseal.oid4vci import check_proofs, parse_credential_request
from talentseal.shapes import read_shape

DEFERRAL_SECONDS = 30 * 24 * 3600
NOTIFICATION_SECONDS = 24 * 3600
INTERVAL_SECONDS = 60
IDENTIFIER_SUFFIX = ".1"
ACCEPTED = "credential_accepted"
_ID_BYTES = 16

Random = Callable[[int], bytes]


class Handed(NamedTuple):
    """What a request is answered with: copies, or the ticket of a deferred one."""

    credentials: Sequence[str] = ()
    notification_id: str = ""
    transaction_id: str = ""

    def document(self) -> dict[str, Any]:
        if self.transaction_id:
            return {"transaction_id": self.transaction_id, "interval": INTERVAL_SECONDS}
        credentials = [{"credential": text} for text in self.credentials]
        return {"credentials": credentials, "notification_id": self.notification_id}


def issue(
    office: Office,
    token: str,
    body: bytes,
    *,
    issuer: str,
    now: datetime,
    random: Random = os.urandom,
) -> Handed:
    """Answer a credential request. Raises ProtocolError with the word of §8.3.1.

    issuer  Credential Issuer Identifier
    """
    with transaction(office.engine) as db:
        held = find_token(db, token, now=now)
        request = parse_credential_request(body)
        wanted = _configuration(request)
        if wanted.name not in held.configurations:
            raise ProtocolError("the token does not cover that", error="insufficient_scope")
        if request.credential_response_encryption is not None:
            raise ProtocolError(
                "encrypted answers are not offered", error="invalid_encryption_parameters"
            )
        proofs = check_proofs(request, issuer=issuer, now=to_seconds(now), batch_size=BATCH_SIZE)
        spend_nonce(db, office, proofs[0].nonce, now=now)
        if wanted.name not in held.open:
            raise ProtocolError("it was handed out already", error="credential_request_denied")
        keys = [proof.key for proof in proofs]
        return _hand_out(db, office, held, wanted, keys, now=now, random=random)


def _configuration(request: CredentialRequest) -> Configuration:
    """Raises ProtocolError `unknown_credential_configuration` or `..._identifier`."""
    known, identifier = configurations(), request.credential_identifier
    if identifier is not None:
        name = identifier.removesuffix(IDENTIFIER_SUFFIX)
        if name == identifier or name not in known:
            raise ProtocolError("no such credential", error="unknown_credential_identifier")
        return known[name]
    found = known.get(request.credential_configuration_id or "")
    if found is None:
        raise ProtocolError("no such configuration", error="unknown_credential_configuration")
    return found


def _hand_out(
    db: Connection,
    office: Office,
    held: Token,
    wanted: Configuration,
    keys: Sequence[PublicKey],
    *,
    now: datetime,
    random: Random,
) -> Handed:
    row = issuances.find(db, held.issuance)
    if row is None or row.state == WITHDRAWN:
        raise _denied()
    left = tokens.close(db, held, wanted.name)
    if row.state == PREPARED:
        ticket, ends = b64url_encode(random(_ID_BYTES)), to_seconds(now) + DEFERRAL_SECONDS
        jwks = [key.jwk for key in keys]
        repository.defer(db, _digest(ticket), held, wanted.name, jwks, expires_at=ends)
        note(db, "deferred", at=to_seconds(now), actor=ACTOR, issuance=held.issuance)
        return Handed(transaction_id=ticket)
    return _seal(db, office, held, wanted, keys, more=bool(left), now=now, random=random)


def _seal(
    db: Connection,
    office: Office,
    held: Token,
    wanted: Configuration,
    keys: Sequence[PublicKey],
    *,
    more: bool,
    now: datetime,
    random: Random,
) -> Handed:
    wallet_keys, code_keys = (keys, ()) if wanted.form == WALLET else ((), keys)
    try:
        copies = seal_copies(office, db, held.issuance, wallet_keys, code_keys, more=more, now=now)
    except RefusedError as error:
        raise _denied() from error
    number = b64url_encode(random(_ID_BYTES))
    ends = to_seconds(now) + NOTIFICATION_SECONDS
    repository.expect(db, _digest(number), held, copies.number, expires_at=ends)
    texts = copies.wallet or [b64url_encode(code) for code in copies.codes]
    return Handed(texts, number)


def _denied() -> ProtocolError:
    return ProtocolError("this certificate is not issued", error="credential_request_denied")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


# --- deferred (§9) --------------------------------------------------------------------------------


def fetch_deferred(
    office: Office, token: str, ticket: str, *, now: datetime, random: Random = os.urandom
) -> Handed:
    """The copies that were deferred, or the same ticket again. The token may have ended meanwhile.

    Raises ProtocolError `invalid_transaction_id` or `credential_request_denied`.
    """
    with transaction(office.engine) as db:
        held = find_token(db, token, now=None)
        found = repository.deferred(db, _digest(ticket), held.digest)
        if found is None or found.expires_at <= to_seconds(now):
            raise ProtocolError("no such transaction", error="invalid_transaction_id")
        row = issuances.find(db, found.issuance)
        if row is None or row.state == WITHDRAWN:
            denied = True
            repository.end_deferral(db, _digest(ticket))
        elif row.state == PREPARED:
            return Handed(transaction_id=ticket)
        else:
            denied = False
            repository.end_deferral(db, _digest(ticket))
            wanted = configurations()[found.configuration]
            keys = [PublicKey.from_jwk(jwk) for jwk in found.jwks]
            more = bool(held.open) or repository.waits(db, held.digest)
            handed = _seal(db, office, held, wanted, keys, more=more, now=now, random=random)
    if denied:
        raise _denied()
    return handed


# --- notification (§11) ---------------------------------------------------------------------------


def notified(office: Office, token: str, document: dict[str, Any], *, now: datetime) -> None:
    """Note what the wallet made of a credential; the same again changes nothing.

    One that was accepted may still be deleted or fail. These two are final: what comes after them
    is answered as ever and noted nowhere, or a wallet could fill the audit trail.

    Raises ProtocolError `invalid_notification_id` or `invalid_notification_request`.
    """
    try:
        told = read_shape(Notification, document, "a notification")
    except InputError as error:
        raise ProtocolError(error.message, error="invalid_notification_request") from error
    with transaction(office.engine) as db:
        held = find_token(db, token, now=None)
        found = repository.expected(db, _digest(told.notification_id), held.digest)
        if found is None or found.expires_at <= to_seconds(now):
            raise ProtocolError("no such notification", error="invalid_notification_id")
        if found.event is None or (found.event == ACCEPTED and told.event != ACCEPTED):
            repository.record(db, _digest(told.notification_id), told.event)
            note(
                db, told.event.replace("_", "-"), at=to_seconds(now), actor=ACTOR,
                certificate=found.certificate, issuance=held.issuance,
            )  # fmt: skip
