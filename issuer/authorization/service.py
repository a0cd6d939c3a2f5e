"""Offers, the tokens they are redeemed for, and nonces.

An offer belongs to one issuance. Its identifier, the pre-authorized code and the token are random;
the database holds their digests, and the code is derived from the identifier, so that a reader of
the database can redeem nothing. The transaction code goes another way than the offer; after five
wrong ones the offer is dead, whoever tried and from where. A code is redeemed once: of many at the
same moment one gets the token.

A nonce carries its own time and seal; only spent ones are stored, so that asking for nonces costs
nothing. A nonce is spent at the very end of a request that was otherwise good.

Standard: OpenID4VCI 1.0 (final) §4.1, §6, §7; RFC 6749 §5; RFC 6750; RFC 9396 §5.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from sqlalchemy import Connection, delete

from issuer.authorization import repository
from issuer.authorization.repository import Token
from issuer.database import profile, transaction
from issuer.office import Office, find_fact, set_profile
from schemas.openid4vci import PRE_AUTHORIZED, CredentialOffer
from talentseal.encoding import b64url_decode, b64url_encode, to_seconds
from talentseal.errors import InputError, ProtocolError
from talentseal.oid4vci import offer_link_to

OFFER_SECONDS = 600
TOKEN_SECONDS = 300
NONCE_SECONDS = 300
MAX_TRIES = 5
TX_DIGITS = 6
_SECRET_BYTES = 16
NONCE_KEY = "nonce_key"
_TIME_BYTES, _MAC_BYTES = 8, 16

Random = Callable[[int], bytes]


class Offer(NamedTuple):
    """What an officer hands on: the link, and, by another way, the transaction code."""

    link: str
    uri: str
    tx_code: str
    expires_at: int


class Redeemed(NamedTuple):
    """An access token, told once."""

    token: str
    expires_in: int


# --- offers ---------------------------------------------------------------------------------------


def make_offer(
    db: Connection,
    base: str,
    issuance: str,
    configurations: Sequence[str],
    *,
    now: datetime,
    random: Random = os.urandom,
) -> Offer:
    """Offer an issuance to whoever gets link and transaction code; an earlier offer of it ends.

    Whoever used that one gets nothing any more: a person who was mistaken for the holder must not
    wait with a ticket until the certificate is approved.

    base  Credential Issuer Identifier
    """
    offer_id, at = b64url_encode(random(_SECRET_BYTES)), to_seconds(now)
    code = _code_of(offer_id)
    tx_code = f"{int.from_bytes(random(8)) % 10**TX_DIGITS:0{TX_DIGITS}}"
    repository.end_offers(db, issuance)
    repository.add_offer(
        db,
        id_sha256=_digest(offer_id),
        code_sha256=_digest(code),
        tx_sha256=_digest(f"{code}\n{tx_code}"),
        issuance=issuance,
        configurations=configurations,
        expires_at=at + OFFER_SECONDS,
    )
    uri = f"{base}/offers/{offer_id}"
    return Offer(offer_link_to(uri), uri, tx_code, at + OFFER_SECONDS)


def find_offer(
    db: Connection, base: str, offer_id: str, *, now: datetime
) -> CredentialOffer | None:
    """The offer that lies at an address, until it is used or has ended."""
    row = repository.offer_by_id(db, _digest(offer_id))
    if row is None or not _is_open(row, to_seconds(now)):
        return None
    told = "Six digits that you received another way than this offer."
    tx_code = {"input_mode": "numeric", "length": TX_DIGITS, "description": told}
    return CredentialOffer.model_validate(
        {
            "credential_issuer": base,
            "credential_configuration_ids": repository.names(row.configurations),
            "grants": {
                PRE_AUTHORIZED: {"pre-authorized_code": _code_of(offer_id), "tx_code": tx_code}
            },
        }
    )


def _is_open(row: Any, at: int) -> bool:
    """Whether an offer was neither used nor guessed at too often, and its time has not passed."""
    return row.used_at is None and row.tries < MAX_TRIES and at < row.expires_at


def _code_of(offer_id: str) -> str:
    """The pre-authorized code of an offer; nobody gets it without the offer's identifier."""
    return b64url_encode(hmac.digest(offer_id.encode(), b"pre-authorized code", "sha256"))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


# --- tokens ---------------------------------------------------------------------------------------


def redeem(
    office: Office,
    grant: str | None,
    code: str | None,
    tx_code: str | None,
    *,
    details: Collection[str] = (),
    now: datetime,
    random: Random = os.urandom,
) -> Redeemed:
    """An access token for a pre-authorized code. Raises ProtocolError (OpenID4VCI §6.3).

    A wrong transaction code is counted before it is refused, also when many come at once.

    details  configurations that are asked for by name: one that is not offered is refused, and the
             code stays good
    """
    if grant != PRE_AUTHORIZED:
        error = "unsupported_grant_type" if grant else "invalid_request"
        raise ProtocolError("only pre-authorized codes are taken", error=error)
    if not code or not tx_code:
        _refuse("a code and a transaction code are wanted", "invalid_request")
    at, token = to_seconds(now), b64url_encode(random(_SECRET_BYTES * 2))
    with transaction(office.engine) as db:
        row = _offer_for(db, code, tx_code, at)
        if row is not None:
            names = repository.names(row.configurations)
            if not set(details) <= set(names):
                _refuse("details of something that is not offered", "invalid_authorization_details")
            repository.use_offer(db, row.code_sha256, at=at)
            repository.add_token(
                db, _digest(token), row.issuance, names, expires_at=at + TOKEN_SECONDS
            )
    if row is None:
        _refuse("the code or the transaction code is not good, or no longer", "invalid_grant")
    return Redeemed(token, TOKEN_SECONDS)


def _offer_for(db: Connection, code: str, tx_code: str, at: int) -> Any | None:
    """The open offer of both codes; a wrong transaction code is counted."""
    row = repository.offer_by_code(db, _digest(code))
    expected = row.tx_sha256 if row is not None else "0" * 64
    is_right = hmac.compare_digest(_digest(f"{code}\n{tx_code}"), expected)
    if row is None or not _is_open(row, at):
        return None
    if not is_right:
        repository.count_try(db, row.code_sha256)
    return row if is_right else None


def find_token(db: Connection, token: str, *, now: datetime | None) -> Token:
    """What a token stands for; with `now` None also one that has ended, for what it began.

    Raises ProtocolError `invalid_token`.
    """
    found = repository.token(db, _digest(token))
    if found is None or (now is not None and found.expires_at <= to_seconds(now)):
        _refuse("the access token is not good, or no longer", "invalid_token")
    return found


def _refuse(message: str, error: str) -> NoReturn:
    raise ProtocolError(message, error=error)


# --- nonces ---------------------------------------------------------------------------------------


def new_nonce(office: Office, *, now: datetime, random: Random = os.urandom) -> str:
    """A nonce for key proofs: its end, chance, and our seal over both."""
    ends = (to_seconds(now) + NONCE_SECONDS).to_bytes(_TIME_BYTES)
    body = ends + random(_SECRET_BYTES)
    return b64url_encode(body + _seal(_nonce_key(office, random), body))


def spend_nonce(db: Connection, office: Office, nonce: str, *, now: datetime) -> None:
    """Use a nonce up, in the transaction of what it was used for.

    Raises ProtocolError `invalid_nonce` for one that is foreign, spent or has ended.
    """
    ends = _ends_of(office, nonce)
    if ends is None or ends <= to_seconds(now):
        _refuse("the nonce is not one that holds now", "invalid_nonce")
    if not repository.spend(db, _digest(nonce), expires_at=ends):
        _refuse("the nonce was used before", "invalid_nonce")


def _ends_of(office: Office, nonce: str) -> int | None:
    try:
        data = b64url_decode(nonce)
    except InputError:
        return None
    body, seal = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
    if len(body) != _TIME_BYTES + _SECRET_BYTES:
        return None
    if not hmac.compare_digest(seal, _seal(_nonce_key(office, os.urandom), body)):
        return None
    return int.from_bytes(body[:_TIME_BYTES])


def _seal(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:_MAC_BYTES]


def _nonce_key(office: Office, random: Random) -> bytes:
    """The secret of this issuer's nonces, made when it is first wanted."""
    kept = office.find_profile(NONCE_KEY)
    if kept is None:
        with transaction(office.engine) as db:
            kept = find_fact(db, NONCE_KEY)
            if kept is None:
                kept = b64url_encode(random(32))
                set_profile(db, {NONCE_KEY: kept})
    return b64url_decode(kept)


def end_all(db: Connection) -> None:
    """End every offer, token and nonce, and the secret that nonces are sealed with."""
    repository.end_all(db)
    db.execute(delete(profile).where(profile.c.name == NONCE_KEY))


def forget(db: Connection, *, now: datetime) -> None:
    """Delete offers, tokens and nonces whose time has passed."""
    repository.forget(db, before=to_seconds(now))
