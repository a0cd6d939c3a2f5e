"""The rows of offers, tokens and spent nonces; secrets come here as digests."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from issuer.database import access_token, deferral, notification, offer, spent_nonce
from talentseal.encoding import dump_json, parse_json

_KEPT_SECONDS = 3600  # a used offer or a token that has ended is remembered so long


class Token(NamedTuple):
    """An access token. `open`: configurations of which nothing was handed out yet."""

    digest: str
    issuance: str
    configurations: Sequence[str]
    open: Sequence[str]
    expires_at: int


def names(text: str) -> list[str]:
    return [str(name) for name in parse_json(text.encode(), top=list)]


def _text(listed: Sequence[str]) -> str:
    return dump_json(list(listed)).decode()


# --- offers ---------------------------------------------------------------------------------------


def add_offer(db: Connection, *, configurations: Sequence[str], **row: Any) -> None:
    db.execute(insert(offer).values(tries=0, configurations=_text(configurations), **row))


def end_offers(db: Connection, issuance: str) -> None:
    """Forget the offers of an issuance, and the tokens and tickets that they were used for."""
    for table in (offer, access_token, deferral):
        db.execute(delete(table).where(table.c.issuance == issuance))


def offer_by_id(db: Connection, id_sha256: str) -> Any | None:
    return db.execute(select(offer).where(offer.c.id_sha256 == id_sha256)).one_or_none()


def offer_by_code(db: Connection, code_sha256: str) -> Any | None:
    return db.execute(select(offer).where(offer.c.code_sha256 == code_sha256)).one_or_none()


def count_try(db: Connection, code_sha256: str) -> None:
    chosen = offer.c.code_sha256 == code_sha256
    db.execute(update(offer).where(chosen).values(tries=offer.c.tries + 1))


def use_offer(db: Connection, code_sha256: str, *, at: int) -> None:
    db.execute(update(offer).where(offer.c.code_sha256 == code_sha256).values(used_at=at))


# --- tokens ---------------------------------------------------------------------------------------


def add_token(
    db: Connection, digest: str, issuance: str, configurations: Sequence[str], *, expires_at: int
) -> None:
    listed = _text(configurations)
    db.execute(
        insert(access_token).values(
            token_sha256=digest, issuance=issuance, configurations=listed, open=listed,
            expires_at=expires_at,
        )
    )  # fmt: skip


def token(db: Connection, digest: str) -> Token | None:
    chosen = select(access_token).where(access_token.c.token_sha256 == digest)
    row = db.execute(chosen).one_or_none()
    if row is None:
        return None
    return Token(digest, row.issuance, names(row.configurations), names(row.open), row.expires_at)


def close(db: Connection, held: Token, configuration: str) -> Sequence[str]:
    """Note that a configuration was handed out; what is still open."""
    left = [name for name in held.open if name != configuration]
    chosen = access_token.c.token_sha256 == held.digest
    db.execute(update(access_token).where(chosen).values(open=_text(left)))
    return left


# --- nonces, and what follows an issuance ---------------------------------------------------------


def spend(db: Connection, digest: str, *, expires_at: int) -> bool:
    """Record a nonce as used; False if it was. A transaction that writes is alone."""
    known = select(spent_nonce.c.expires_at).where(spent_nonce.c.nonce_sha256 == digest)
    if db.execute(known).first() is not None:
        return False
    db.execute(insert(spent_nonce).values(nonce_sha256=digest, expires_at=expires_at))
    return True


def end_all(db: Connection) -> None:
    for table in (offer, access_token, spent_nonce, deferral, notification):
        db.execute(delete(table))


def forget(db: Connection, *, before: int) -> None:
    late = before - _KEPT_SECONDS
    db.execute(delete(offer).where(offer.c.expires_at < late))
    held = select(deferral.c.token_sha256).where(deferral.c.expires_at > before)
    told = select(notification.c.token_sha256).where(notification.c.expires_at > before)
    old = access_token.c.expires_at < late
    waits = access_token.c.token_sha256.in_(held) | access_token.c.token_sha256.in_(told)
    db.execute(delete(access_token).where(old, ~waits))
    for table in (spent_nonce, deferral, notification):
        db.execute(delete(table).where(table.c.expires_at < before))
