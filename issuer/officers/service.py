"""Officers: made and ended by the operator, known by a token, asked for their roles at every act.

An act asks again inside its own transaction (`acting`): whoever has lost a role or the account
since the request began does nothing any more. One person with two accounts is not noticed here;
who gets an account is the operator's care.
"""

import os
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from issuer.audit.trail import note
from issuer.database import reading, transaction
from issuer.office import Office
from issuer.officers import repository
from talentseal.encoding import b64url_encode, to_seconds
from talentseal.errors import RefusedError, UsageError
from talentseal.service.auth import Actor, check_roles, new_token, token_digest, unauthenticated

PREPARER, APPROVER, ISSUER = "preparer", "approver", "issuer"
REVOKER, AUDITOR, ADMIN = "revoker", "auditor", "admin"
ROLES = (PREPARER, APPROVER, ISSUER, REVOKER, AUDITOR, ADMIN)
MAX_NAME = 200
_ID_BYTES = 9


def new_officer(
    office: Office,
    name: str,
    roles: Collection[str],
    *,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> tuple[str, str]:
    """Make an account; its id, and its token, which is told this once.

    Raises UsageError for a name that is taken or none, RefusedError for a role not known here.
    """
    check_roles(roles, ROLES)
    if not (0 < len(name) <= MAX_NAME and name.isprintable()):
        raise UsageError(f"a name has 1 to {MAX_NAME} characters that can be printed")
    officer_id, token, at = b64url_encode(random(_ID_BYTES)), new_token(), to_seconds(now)
    with transaction(office.engine) as db:
        if repository.by_name(db, name):
            raise UsageError("an officer of that name exists", hint="See: issuer officer list")
        repository.add(db, officer_id, name, roles, token_digest(token), at=at)
        note(db, "officer-made", at=at, reason=" ".join(sorted(set(roles))))
    return officer_id, token


def end_officer(office: Office, name: str, *, now: datetime) -> None:
    """End an account at once; its acts stay in the audit trail. Raises RefusedError."""
    at = to_seconds(now)
    with transaction(office.engine) as db:
        row = repository.by_name(db, name)
        if row is None or row.ended_at is not None:
            raise RefusedError(
                "no officer of that name is active",
                code="NOT_FOUND",
                hint="See: issuer officer list",
            )
        repository.end(db, row.id, at=at)
        note(db, "officer-ended", at=at, reason=row.id)


def officers(office: Office) -> list[dict[str, Any]]:
    with reading(office.engine) as db:
        return repository.every(db)


def find_officer(office: Office, token: str) -> Actor:
    """Who holds this token. Raises RefusedError `UNAUTHENTICATED`."""
    with reading(office.engine) as db:
        found = repository.by_token(db, token_digest(token))
    if found is None:
        raise unauthenticated()
    return found


def acting(db: Connection, actor: Actor, *roles: str) -> Actor:
    """The officer as of now, in the transaction of an act.

    Raises RefusedError `UNAUTHENTICATED` or `ROLE_MISSING`.
    """
    found = repository.by_id(db, actor.id)
    if found is None:
        raise unauthenticated()
    found.require(*roles)
    return found
