"""Operators: accounts made and ended at the machine, with an audit row for either."""

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from registry.office import Office
from registry.operators.models import OperatorRow
from talentseal.service.accounts import Accounts
from talentseal.service.auth import Actor

ADMIN, REGISTRAR, READER = "admin", "registrar", "reader"
ROLES = (ADMIN, REGISTRAR, READER)
"""`admin` does everything, `registrar` lists issuers and grants rights, `reader` looks."""
OPERATORS = Accounts(
    cast("Table", OperatorRow.__table__), "operator", "registry operator list", ROLES
)


def new_operator(office: Office, name: str, roles: Collection[str]) -> str:
    """Make an account; its token, which nobody can read again. Raises UsageError, RefusedError."""
    with office.transaction() as session:
        account, token = OPERATORS.new(session.connection(), name, roles, at=office.now)
        office.note(session, "operator", account)
    return token


def end_operator(office: Office, name: str) -> None:
    """End an account; its token is refused from now on. Raises RefusedError `NOT_FOUND`."""
    with office.transaction() as session:
        account = OPERATORS.end(session.connection(), name, at=office.now)
        office.note(session, "operator ended", account)


def operators(office: Office) -> list[dict[str, Any]]:
    with office.reading() as session:
        return OPERATORS.every(session.connection())


def find_operator(office: Office, token: str) -> Actor:
    """Whose token it is. Raises RefusedError `UNAUTHENTICATED`."""
    with office.reading() as session:
        return OPERATORS.holder_of(session.connection(), token)


def acting(session: Session, actor: Actor, *roles: str) -> Actor:
    """The account as of now, in the transaction of an act. Raises RefusedError."""
    return OPERATORS.as_of_now(session.connection(), actor, *roles)
