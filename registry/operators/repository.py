"""All SQL about operators."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.operators.models import OperatorRow


def every(session: Session) -> Sequence[OperatorRow]:
    return session.scalars(select(OperatorRow).order_by(OperatorRow.name)).all()


def by_name(session: Session, name: str) -> OperatorRow | None:
    return session.scalars(select(OperatorRow).where(OperatorRow.name == name)).one_or_none()


def by_digest(session: Session, digest: str) -> OperatorRow | None:
    """The account at work whose token has this digest."""
    wanted = select(OperatorRow).where(
        OperatorRow.token_sha256 == digest, OperatorRow.ended_at.is_(None)
    )
    return session.scalars(wanted).one_or_none()


def at_work(session: Session, operator_id: str) -> OperatorRow | None:
    found = session.get(OperatorRow, operator_id)
    return found if found is not None and found.ended_at is None else None


def add(session: Session, row: OperatorRow) -> None:
    session.add(row)
    session.flush()
