"""The table of issuances: the only place where claims of a person stand, and not for long."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, tuple_, update

from issuer.database import issuance
from issuer.issuances.models import (
    ISSUED,
    OFFERED,
    OPEN,
    PREPARED,
    READY,
    WITHDRAWN,
    Draft,
    Issuance,
)
from talentseal.encoding import dump_json, parse_json

MAX_CLAIMS_BYTES = 256 * 1024
_COLUMN = issuance.c


def add(
    db: Connection, issuance_id: str, draft: Draft, *, by: str, at: int, ends_at: int
) -> Issuance:
    db.execute(
        insert(issuance).values(
            id=issuance_id, state="prepared", prepared_by=by, version=1, created_at=at,
            ends_at=ends_at, **_content(draft),
        )
    )  # fmt: skip
    return Issuance(
        issuance_id, draft.type_id, draft.claims, draft.territory, draft.languages, "prepared", by,
        None, 1, at, ends_at, None,
    )  # fmt: skip


def replace(db: Connection, before: Issuance, draft: Draft) -> None:
    """Another content; an approval of the one before is gone."""
    _change(db, before, {**_content(draft), "state": "prepared", "approved_by": None})


def step(db: Connection, before: Issuance, state: str, *, approved_by: str | None = None) -> None:
    """Move on; claims are erased when there is nowhere left to go."""
    values: dict[str, Any] = {"state": state}
    if approved_by is not None:
        values["approved_by"] = approved_by
    _change(db, before, values if state in OPEN else {**values, "claims": None})


def sealed(db: Connection, before: Issuance, number: str) -> None:
    _change(db, before, {"state": ISSUED, "claims": None, "certificate": number})


def sealed_in_part(db: Connection, before: Issuance, number: str, *, ends_at: int) -> None:
    """One form is sealed; the claims stay for another until `ends_at`."""
    values = {"state": OFFERED, "certificate": number, "ends_at": min(ends_at, before.ends_at)}
    _change(db, before, values)


def find(db: Connection, issuance_id: str) -> Issuance | None:
    row = db.execute(select(issuance).where(_COLUMN.id == issuance_id)).one_or_none()
    return None if row is None else _read(row)


def listed(
    db: Connection, filters: Mapping[str, str], *, after: tuple[int, str] | None, limit: int
) -> list[Issuance]:
    """Oldest first, without claims. `filters`: columns from the caller's allow-list."""
    columns = [column for column in _COLUMN if column.name != "claims"]
    query = select(*columns).order_by(_COLUMN.created_at, _COLUMN.id).limit(limit)
    for name, value in filters.items():
        query = query.where(_COLUMN[name] == value)
    if after is not None:
        query = query.where(tuple_(_COLUMN.created_at, _COLUMN.id) > tuple_(*after))
    return [_read(row) for row in db.execute(query)]


def due(db: Connection, *, at: int, limit: int) -> list[Issuance]:
    """Those that nobody has sealed in time."""
    query = select(issuance).where(_COLUMN.state.in_(OPEN), _COLUMN.ends_at <= at).limit(limit)
    return [_read(row) for row in db.execute(query)]


def ready(db: Connection) -> list[Issuance]:
    """Those that could be sealed at once."""
    return [_read(row) for row in db.execute(select(issuance).where(_COLUMN.state.in_(READY)))]


def take_back(db: Connection, before: Issuance) -> None:
    """It must be approved anew."""
    _change(db, before, {"state": PREPARED, "approved_by": None})


def give_up(db: Connection, before: Issuance) -> None:
    """Its time has passed: what was sealed of it stays, and its claims are erased."""
    step(db, before, WITHDRAWN if before.certificate is None else ISSUED)


def _change(db: Connection, before: Issuance, values: Mapping[str, Any]) -> None:
    db.execute(
        update(issuance)
        .where(_COLUMN.id == before.id, _COLUMN.version == before.version)
        .values(**values, version=before.version + 1)
    )


def _content(draft: Draft) -> dict[str, Any]:
    return {
        "type": draft.type_id,
        "claims": dump_json(draft.claims).decode(),
        "territory": dump_json(list(draft.territory)).decode(),
        "languages": dump_json(list(draft.languages)).decode(),
    }


def _read(row: Row[Any]) -> Issuance:
    claims = getattr(row, "claims", None)
    return Issuance(
        row.id,
        row.type,
        parse_json(claims.encode(), max_bytes=MAX_CLAIMS_BYTES) if claims else None,
        parse_json(row.territory.encode(), top=list),
        parse_json(row.languages.encode(), top=list),
        row.state,
        row.prepared_by,
        row.approved_by,
        row.version,
        row.created_at,
        row.ends_at,
        row.certificate,
    )
