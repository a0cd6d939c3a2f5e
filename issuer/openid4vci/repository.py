"""The rows of deferred requests and of notifications that are expected."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from issuer.authorization.repository import Token
from issuer.database import deferral, notification
from talentseal.encoding import dump_json, parse_json

_MAX_JWKS_BYTES = 64 * 1024


class Deferred(NamedTuple):
    """A request that waits for its issuance."""

    issuance: str
    configuration: str
    jwks: Sequence[Mapping[str, Any]]
    expires_at: int


def defer(
    db: Connection,
    digest: str,
    held: Token,
    configuration: str,
    jwks: Sequence[Mapping[str, str]],
    *,
    expires_at: int,
) -> None:
    db.execute(
        insert(deferral).values(
            transaction_sha256=digest, token_sha256=held.digest, issuance=held.issuance,
            configuration=configuration, jwks=dump_json(list(jwks)).decode(),
            expires_at=expires_at,
        )
    )  # fmt: skip


def deferred(db: Connection, digest: str, token_digest: str) -> Deferred | None:
    chosen = select(deferral).where(
        deferral.c.transaction_sha256 == digest, deferral.c.token_sha256 == token_digest
    )
    row = db.execute(chosen).one_or_none()
    if row is None:
        return None
    jwks = parse_json(row.jwks.encode(), max_bytes=_MAX_JWKS_BYTES, top=list)
    return Deferred(row.issuance, row.configuration, jwks, row.expires_at)


def waits(db: Connection, token_digest: str) -> bool:
    """Whether another request of the token is deferred."""
    chosen = select(deferral.c.issuance).where(deferral.c.token_sha256 == token_digest)
    return db.execute(chosen).first() is not None


def end_deferral(db: Connection, digest: str) -> None:
    db.execute(delete(deferral).where(deferral.c.transaction_sha256 == digest))


def expect(db: Connection, digest: str, held: Token, certificate: str, *, expires_at: int) -> None:
    db.execute(
        insert(notification).values(
            id_sha256=digest, token_sha256=held.digest, certificate=certificate,
            expires_at=expires_at,
        )
    )  # fmt: skip


def expected(db: Connection, digest: str, token_digest: str) -> Any | None:
    chosen = select(notification).where(
        notification.c.id_sha256 == digest, notification.c.token_sha256 == token_digest
    )
    return db.execute(chosen).one_or_none()


def record(db: Connection, digest: str, event: str) -> None:
    db.execute(update(notification).where(notification.c.id_sha256 == digest).values(event=event))
