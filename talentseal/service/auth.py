"""Bearer tokens of officers and operators: made once, kept as digests, compared without leaking.

A token is 256 random bits with a prefix that says what it is, so that a scanner finds a lost one.
Who holds it and what roles that person has is kept by each service; here are only the parts that
all of them share.

Standard: RFC 6750 §2.1; the token travels in the `Authorization` header and nowhere else.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from talentseal.errors import RefusedError

PREFIX = "tsk_"
_MAX_TOKEN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an account of this service and what it may do.

    id     of the account; goes into the audit trail
    roles  names from the service's own list
    """

    id: str
    roles: frozenset[str]

    def require(self, *roles: str) -> None:
        """Raises RefusedError `ROLE_MISSING` unless the account has one of these roles."""
        if not self.roles & set(roles):
            raise RefusedError(
                "this account has no role for that",
                code="ROLE_MISSING",
                hint=f"Needed: {' or '.join(roles)}. Ask whoever runs this service.",
            )


def new_token() -> str:
    """A token to hand out once."""
    return PREFIX + secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    """What is kept of a token: SHA-256, hex. A token has 256 random bits: no salt is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def bearer_of(authorization: str | None) -> str:
    """The token in a header `Authorization`. Raises RefusedError `UNAUTHENTICATED`."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip(" \t")
    if scheme.lower() != "bearer" or not token or len(token) > _MAX_TOKEN_CHARACTERS:
        raise unauthenticated()
    return token


def unauthenticated() -> RefusedError:
    """The one answer to no token, a wrong one and one that was withdrawn."""
    return RefusedError(
        "no valid token came with this request",
        code="UNAUTHENTICATED",
        hint="Send `Authorization: Bearer ...` with a token of this service.",
    )


def check_roles(wanted: Collection[str], known: Collection[str]) -> None:
    """Raises RefusedError for a role that this service does not have."""
    strange = sorted(set(wanted) - set(known))
    if strange or not wanted:
        raise RefusedError(
            f"no such role: {', '.join(strange) or '(none given)'}",
            code="REQUEST_INVALID",
            hint=f"Roles here: {', '.join(sorted(known))}.",
        )
