"""Operators of a verifier: accounts with roles and a bearer token each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from talentseal.encoding import to_seconds
from talentseal.service.accounts import Accounts
from talentseal.service.auth import Actor
from verifier.database import operator, reading, transaction

ROLES = ("desk", "auditor")
"""`desk` asks for presentations and reads their results, `auditor` reads receipts."""
OPERATORS = Accounts(operator, "operator", "verifier operator list", ROLES)


def new_operator(engine: Engine, name: str, roles: Sequence[str], *, now: datetime) -> str:
    """Make an account; its token, which nobody can read again. Raises UsageError, RefusedError."""
    with transaction(engine) as db:
        return OPERATORS.new(db, name, roles, at=to_seconds(now))[1]


def end_operator(engine: Engine, name: str, *, now: datetime) -> None:
    """End an account; its token is refused from now on. Raises RefusedError `NOT_FOUND`."""
    with transaction(engine) as db:
        OPERATORS.end(db, name, at=to_seconds(now))


def operators(engine: Engine) -> list[dict[str, Any]]:
    with reading(engine) as db:
        return OPERATORS.every(db)


def find_actor(db: Connection, token: str) -> Actor:
    """Whose token it is. Raises RefusedError `UNAUTHENTICATED`."""
    return OPERATORS.holder_of(db, token)
