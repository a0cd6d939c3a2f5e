"""Operators: made and ended at the machine, known by a token, asked for their roles at every act.

A token is shown once, when it is made; only its digest is kept. An account that has ended stays in
the table. An act asks again inside its own transaction (`acting`): whoever has lost the account
since the request began does nothing any more.
"""

import secrets
from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from registry.office import Office
from registry.operators import repository
from registry.operators.models import OperatorRow
from talentseal.encoding import format_time
from talentseal.errors import RefusedError, UsageError
from talentseal.service.auth import Actor, check_roles, new_token, token_digest, unauthenticated

ADMIN, REGISTRAR, READER = "admin", "registrar", "reader"
ROLES = (ADMIN, REGISTRAR, READER)
"""`admin` does everything, `registrar` lists issuers and grants rights, `reader` looks."""
MAX_NAME = 80


def new_operator(office: Office, name: str, roles: Collection[str]) -> str:
    """Make an account; its token, which nobody can read again. Raises UsageError, RefusedError."""
    check_roles(roles, ROLES)
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise UsageError("a name is one printable line", hint=f"At most {MAX_NAME} characters.")
    token = new_token()
    row = OperatorRow(
        id=secrets.token_urlsafe(16),
        name=name,
        roles=sorted(set(roles)),
        token_sha256=token_digest(token),
        created_at=office.now,
        ended_at=None,
    )
    with office.transaction() as session:
        if repository.by_name(session, name):
            raise RefusedError(
                f"there is an operator {name} already", code="STATE_CONFLICT", hint="Another name?"
            )
        repository.add(session, row)
        office.note(session, "operator", row.id)
    return token


def end_operator(office: Office, name: str) -> None:
    """End an account; its token is refused from now on. Raises RefusedError `NOT_FOUND`."""
    with office.transaction() as session:
        row = repository.by_name(session, name)
        if row is None or row.ended_at is not None:
            raise RefusedError(
                f"no operator {name[:MAX_NAME]} is at work",
                code="NOT_FOUND",
                hint="See: registry operator list",
            )
        row.ended_at = office.now
        office.note(session, "operator ended", row.id)


def operators(office: Office) -> list[dict[str, Any]]:
    with office.reading() as session:
        return [
            {
                "id": row.id,
                "name": row.name,
                "roles": row.roles,
                "created_at": format_time(row.created_at),
                "ended_at": format_time(row.ended_at) if row.ended_at else None,
            }
            for row in repository.every(session)
        ]


def find_operator(office: Office, token: str) -> Actor:
    """Whose token it is. Raises RefusedError `UNAUTHENTICATED`."""
    with office.reading() as session:
        return _actor(repository.by_digest(session, token_digest(token)))


def acting(session: Session, actor: Actor, *roles: str) -> Actor:
    """The account as of now, in the transaction of an act.

    Raises RefusedError `UNAUTHENTICATED` or `ROLE_MISSING`.
    """
    found = _actor(repository.at_work(session, actor.id))
    found.require(*roles)
    return found


def _actor(row: OperatorRow | None) -> Actor:
    if row is None:
        raise unauthenticated()
    return Actor(row.id, frozenset(row.roles))
