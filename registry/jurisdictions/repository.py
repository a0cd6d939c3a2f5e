"""All SQL about jurisdictions."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.jurisdictions.models import JurisdictionRow
from talentseal.errors import UsageError


def all_jurisdictions(session: Session) -> Sequence[JurisdictionRow]:
    return session.scalars(select(JurisdictionRow).order_by(JurisdictionRow.code)).all()


def find_jurisdiction(session: Session, code: str) -> JurisdictionRow | None:
    return session.get(JurisdictionRow, code)


def get_jurisdiction(session: Session, code: str) -> JurisdictionRow:
    """Raises UsageError `NOT_FOUND`."""
    found = find_jurisdiction(session, code)
    if found is None:
        raise UsageError(
            f"there is no jurisdiction {code} in this registry",
            code="NOT_FOUND",
            hint="See: registry jurisdiction list",
        )
    return found
