"""The table of officers; tokens are kept as digests."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from issuer.database import officer
from talentseal.encoding import dump_json, parse_json
from talentseal.service.auth import Actor


def add(
    db: Connection, officer_id: str, name: str, roles: Collection[str], digest: str, *, at: int
) -> None:
    held = dump_json(sorted(set(roles))).decode()
    db.execute(
        insert(officer).values(
            id=officer_id, name=name, roles=held, token_sha256=digest, created_at=at
        )
    )


def by_name(db: Connection, name: str) -> Row[Any] | None:
    return db.execute(select(officer).where(officer.c.name == name)).one_or_none()


def every(db: Connection) -> list[dict[str, Any]]:
    rows = db.execute(select(officer).order_by(officer.c.created_at, officer.c.id)).all()
    return [
        {"id": row.id, "name": row.name, "roles": _roles(row), "created_at": row.created_at,
         "ended_at": row.ended_at}
        for row in rows
    ]  # fmt: skip


def end(db: Connection, officer_id: str, *, at: int) -> None:
    db.execute(update(officer).where(officer.c.id == officer_id).values(ended_at=at))


def by_token(db: Connection, digest: str) -> Actor | None:
    """The officer with this token, unless the account has ended."""
    return _actor(db, officer.c.token_sha256 == digest)


def by_id(db: Connection, officer_id: str) -> Actor | None:
    return _actor(db, officer.c.id == officer_id)


def _actor(db: Connection, which: Any) -> Actor | None:
    row = db.execute(select(officer).where(which, officer.c.ended_at.is_(None))).one_or_none()
    return None if row is None else Actor(row.id, frozenset(_roles(row)))


def _roles(row: Row[Any]) -> list[str]:
    roles: list[str] = parse_json(row.roles.encode(), top=list)
    return roles
