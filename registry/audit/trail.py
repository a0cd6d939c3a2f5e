"""The trail of acts: written in the transaction of the act itself, so that none is without a row.

Statements, orders and publications are records of their own, each signed; the trail says which
person's account, or which program, has made them. It names accounts and bodies, never persons. The
database refuses changes by trigger; a chain over the rows tells when somebody got past it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from registry.audit.models import AuditLinkRow, AuditRow
from talentseal.encoding import format_time
from talentseal.service.chain import BEGINNING, check_chain, digest_of

COMMAND_LINE = "command line"
FACTS = ("number", "at", "actor", "act", "subject")
_PIECE = 1000
FILTERS = frozenset({"actor", "act", "subject"})


def note(session: Session, *, at: int, actor: str, act: str, subject: str) -> None:
    """Write one row. `at` is a NumericDate; a transaction that writes is alone."""
    newest = select(func.max(AuditRow.number))
    number, previous = (session.scalar(newest) or 0) + 1, newest_digest(session)
    row = AuditRow(number=number, at=at, actor=actor, act=act, subject=subject)
    session.add(row)
    session.flush()
    session.add(AuditLinkRow(number=number, digest=digest_of(previous, _fact(row))))
    session.flush()


def _fact(row: AuditRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FACTS}


def check(session: Session) -> int:
    """Recompute the chain; how many rows. Raises UnavailableError where one does not fit."""
    wanted = _linked().execution_options(yield_per=_PIECE)
    return check_chain((_fact(row), digest) for row, digest in session.execute(wanted))


def _linked() -> Select[AuditRow, str]:
    """Every row with its digest, in order."""
    linked = AuditLinkRow.number == AuditRow.number
    return (
        select(AuditRow, AuditLinkRow.digest)
        .outerjoin(AuditLinkRow, linked)
        .order_by(AuditRow.number)
    )


def listed(
    session: Session, filters: Mapping[str, str], *, after: int, limit: int
) -> list[dict[str, Any]]:
    """Rows behind a number, in the order in which they were written. `filters`: of `FILTERS`."""
    wanted = _linked().where(AuditRow.number > after).limit(limit)
    for name in filters.keys() & FILTERS:
        wanted = wanted.where(getattr(AuditRow, name) == filters[name])
    return [
        {**_fact(row), "at": format_time(row.at), "digest": digest}
        for row, digest in session.execute(wanted)
    ]


def newest_digest(session: Session) -> str:
    """The end of the chain, to be kept elsewhere: rows cut off are noticed by it alone."""
    wanted = select(AuditLinkRow.digest).order_by(AuditLinkRow.number.desc()).limit(1)
    return session.scalar(wanted) or BEGINNING
