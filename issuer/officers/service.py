"""Officers: accounts made and ended by the operator, with an audit row for either."""

import os
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from issuer.audit.trail import note
from issuer.database import officer, reading, transaction
from issuer.office import Office
from talentseal.encoding import to_seconds
from talentseal.service.accounts import Accounts
from talentseal.service.auth import Actor

PREPARER, APPROVER, ISSUER = "preparer", "approver", "issuer"
REVOKER, AUDITOR, ADMIN = "revoker", "auditor", "admin"
ROLES = (PREPARER, APPROVER, ISSUER, REVOKER, AUDITOR, ADMIN)
OFFICERS = Accounts(officer, "officer", "issuer officer list", ROLES)


def new_officer(
    office: Office,
    name: str,
    roles: Collection[str],
    *,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> tuple[str, str]:
    """Make an account; its id, and its token, which is told this once.

    Raises UsageError, RefusedError.
    """
    at = to_seconds(now)
    with transaction(office.engine) as db:
        made = OFFICERS.new(db, name, roles, at=at, random=random)
        note(db, "officer-made", at=at, reason=" ".join(sorted(set(roles))))
    return made


def end_officer(office: Office, name: str, *, now: datetime) -> None:
    """End an account at once; its acts stay in the audit trail. Raises RefusedError."""
    at = to_seconds(now)
    with transaction(office.engine) as db:
        note(db, "officer-ended", at=at, reason=OFFICERS.end(db, name, at=at))


def officers(office: Office) -> list[dict[str, Any]]:
    with reading(office.engine) as db:
        return OFFICERS.every(db)


def find_officer(office: Office, token: str) -> Actor:
    """Who holds this token. Raises RefusedError `UNAUTHENTICATED`."""
    with reading(office.engine) as db:
        return OFFICERS.holder_of(db, token)


def acting(db: Connection, actor: Actor, *roles: str) -> Actor:
    """The officer as of now, in the transaction of an act. Raises RefusedError."""
    return OFFICERS.as_of_now(db, actor, *roles)
