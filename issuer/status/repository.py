"""Certificates as they stand: number, type, state, version, forms. Nothing of any person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from issuer.database import certificate, form

_COLUMN = certificate.c


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate on record.

    seq    its place in the order in which certificates came on record
    forms  how many copies of each form there are
    """

    seq: int
    id: str
    type_id: str
    state: str
    version: int
    sealed_at: int
    expires_at: int
    forms: Mapping[str, int]


def find(db: Connection, number: str) -> Certificate | None:
    found = _with_forms(db, select(certificate).where(_COLUMN.id == number))
    return found[0] if found else None


def listed(
    db: Connection, filters: Mapping[str, str], *, after: int, limit: int
) -> list[Certificate]:
    """Those beyond `after`, in order. `filters`: columns from the caller's allow-list."""
    query = select(certificate).where(_COLUMN.seq > after).order_by(_COLUMN.seq).limit(limit)
    for name, value in filters.items():
        query = query.where(_COLUMN[name] == value)
    return _with_forms(db, query)


def _with_forms(db: Connection, query: Any) -> list[Certificate]:
    rows = db.execute(query).all()
    numbers = [row.id for row in rows]
    wanted = select(form.c.certificate, form.c.form).where(form.c.certificate.in_(numbers))
    held: dict[str, dict[str, int]] = {number: {} for number in numbers}
    for number, name in db.execute(wanted.order_by(form.c.form)):
        held[number][name] = held[number].get(name, 0) + 1
    return [
        Certificate(
            row.seq,
            row.id,
            row.type,
            row.state,
            row.version,
            row.sealed_at,
            row.expires_at,
            held[row.id],
        )
        for row in rows
    ]
