"""Operators of a verifier: accounts with roles and a bearer token each.

A token is shown once, when it is made; only its digest is kept. An account that has ended stays in
the table, so that nobody gets its name again.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from talentseal.encoding import dump_json, format_time, parse_json, to_seconds
from talentseal.errors import RefusedError, UsageError
from talentseal.service.auth import Actor, check_roles, new_token, token_digest, unauthenticated
from verifier.database import operator, reading, transaction

ROLES = ("desk", "auditor")
"""`desk` asks for presentations and reads their results, `auditor` reads receipts."""
_MAX_NAME = 80


def new_operator(engine: Engine, name: str, roles: Sequence[str], *, now: datetime) -> str:
    """Make an account; its token, which nobody can read again. Raises UsageError, RefusedError."""
    check_roles(roles, ROLES)
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise UsageError("a name is one printable line", hint=f"At most {_MAX_NAME} characters.")
    token = new_token()
    row = {
        "id": secrets.token_urlsafe(16),
        "name": name,
        "roles": dump_json(sorted(set(roles))).decode(),
        "token_sha256": token_digest(token),
        "created_at": to_seconds(now),
    }
    with transaction(engine) as db:
        if db.execute(select(operator.c.id).where(operator.c.name == name)).first():
            raise RefusedError(
                f"there is an operator {name} already", code="STATE_CONFLICT", hint="Another name?"
            )
        db.execute(insert(operator).values(**row))
    return token


def end_operator(engine: Engine, name: str, *, now: datetime) -> None:
    """End an account; its token is refused from now on. Raises RefusedError `NOT_FOUND`."""
    with transaction(engine) as db:
        ended = db.execute(
            update(operator)
            .where(operator.c.name == name, operator.c.ended_at.is_(None))
            .values(ended_at=to_seconds(now))
        )
    if not ended.rowcount:
        raise RefusedError(
            f"no operator {name[:_MAX_NAME]} is at work", code="NOT_FOUND",
            hint="See: verifier operator list",
        )  # fmt: skip


def operators(engine: Engine) -> list[dict[str, Any]]:
    with reading(engine) as db:
        rows = db.execute(select(operator).order_by(operator.c.name)).all()
    return [
        {
            "name": row.name,
            "roles": _roles(row.roles),
            "created_at": format_time(row.created_at),
            "ended_at": format_time(row.ended_at) if row.ended_at else None,
        }
        for row in rows
    ]


def find_actor(db: Connection, token: str) -> Actor:
    """Whose token it is. Raises RefusedError `UNAUTHENTICATED`."""
    row = db.execute(
        select(operator.c.id, operator.c.roles).where(
            operator.c.token_sha256 == token_digest(token), operator.c.ended_at.is_(None)
        )
    ).first()
    if row is None:
        raise unauthenticated()
    return Actor(row.id, frozenset(_roles(row.roles)))


def _roles(text: str) -> list[str]:
    return [str(role) for role in parse_json(text.encode(), top=list)]
