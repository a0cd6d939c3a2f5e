"""The trail of acts: written in the transaction of the act itself, so that none is without a row.

Statements, orders and publications are records of their own, each signed; the trail says which
person's account, or which program, has made them. It names accounts and bodies, never persons.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.audit.models import AuditRow
from talentseal.encoding import format_time

COMMAND_LINE = "command line"
FILTERS = frozenset({"actor", "act", "subject"})


def note(session: Session, *, at: int, actor: str, act: str, subject: str) -> None:
    """Write one row. `at` is a NumericDate."""
    session.add(AuditRow(at=at, actor=actor, act=act, subject=subject))


def listed(
    session: Session, filters: Mapping[str, str], *, after: int, limit: int
) -> Sequence[AuditRow]:
    """Rows behind a number, in the order in which they were written. `filters`: of `FILTERS`."""
    wanted = select(AuditRow).where(AuditRow.number > after)
    for name in filters.keys() & FILTERS:
        wanted = wanted.where(getattr(AuditRow, name) == filters[name])
    return session.scalars(wanted.order_by(AuditRow.number).limit(limit)).all()


def shown(row: AuditRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "at": format_time(row.at),
        "actor": row.actor,
        "act": row.act,
        "subject": row.subject,
    }
