"""Accounts of those who call a service: a name, roles, and one bearer token.

A token is told once, when the account is made; only its digest is kept. An account that has ended
stays in the table, so that nobody gets its name again and what it did keeps its author. An act
asks again inside its own transaction (`as_of_now`): whoever has lost a role or the account since
the request began does nothing any more. One person with two accounts is not noticed here; who gets
one is the operator's care.
"""

import os
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, Row, Table, insert, select, update

from talentseal.encoding import b64url_encode, dump_json, format_time, parse_json
from talentseal.errors import RefusedError, UsageError
from talentseal.service.auth import Actor, check_roles, new_token, token_digest, unauthenticated

MAX_NAME = 200
_ID_BYTES = 12


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one service.

    table   with id, name, roles, token_sha256, created_at and ended_at
    noun    what their holders are called
    listed  the command that lists them
    roles   those that there are
    """

    table: Table
    noun: str
    listed: str
    roles: tuple[str, ...]

    def new(
        self,
        db: Connection,
        name: str,
        roles: Collection[str],
        *,
        at: int,
        random: Callable[[int], bytes] = os.urandom,
    ) -> tuple[str, str]:
        """Make an account; its id, and its token, which nobody can read again.

        Raises UsageError, RefusedError `STATE_CONFLICT` for a name that is taken, or that could be
        read as one: case, width and spaces do not tell names apart.
        """
        check_roles(roles, self.roles)
        if not (0 < len(name) <= MAX_NAME and name.isprintable() and name == name.strip()):
            raise UsageError(
                f"a name has 1 to {MAX_NAME} characters that can be printed, no space at its ends"
            )
        if _plain(name) in map(_plain, db.scalars(select(self.table.c.name))):
            raise RefusedError(
                f"the name is taken by an {self.noun}",
                code="STATE_CONFLICT",
                hint=f"Another name? See: {self.listed}",
            )
        account, token = b64url_encode(random(_ID_BYTES)), new_token()
        db.execute(
            insert(self.table).values(
                id=account, name=name, roles=self._kept(roles), created_at=at,
                token_sha256=token_digest(token),
            )
        )  # fmt: skip
        return account, token

    def end(self, db: Connection, name: str, *, at: int) -> str:
        """End an account at once; its id. Raises RefusedError `NOT_FOUND`."""
        row = self._find(db, self.table.c.name == name)
        if row is None or row.ended_at is not None:
            raise RefusedError(
                f"no {self.noun} of that name is at work",
                code="NOT_FOUND",
                hint=f"See: {self.listed}",
            )
        db.execute(update(self.table).where(self.table.c.id == row.id).values(ended_at=at))
        return str(row.id)

    def every(self, db: Connection) -> list[dict[str, Any]]:
        """All accounts in the order in which they were made, for people and machines to read."""
        wanted = select(self.table).order_by(self.table.c.created_at, self.table.c.id)
        return [
            {
                "id": row.id,
                "name": row.name,
                "roles": _roles(row),
                "created_at": format_time(row.created_at),
                "ended_at": format_time(row.ended_at) if row.ended_at else None,
            }
            for row in db.execute(wanted)
        ]

    def active(self, db: Connection) -> list[dict[str, Any]]:
        """Name and roles of every account that has not ended."""
        return [
            {"name": one["name"], "roles": one["roles"]}
            for one in self.every(db)
            if one["ended_at"] is None
        ]

    def reminder(self, active: Sequence[Mapping[str, Any]]) -> str:
        """What a person is told of them after a restore: a copy knows nobody who was ended since.

        active  as told by `active`
        """
        if not active:
            return f"No {self.noun} is active in the copy."
        lines = [f"  {one['name']}  ({', '.join(one['roles'])})" for one in active]
        end = self.listed.removesuffix("list") + "end NAME"
        return "\n".join(
            [f"Active in the copy, each with the token of then ({self.noun}s):", *lines,
             f"Who was ended after the copy must be ended again: {end}"]
        )  # fmt: skip

    def holder_of(self, db: Connection, token: str) -> Actor:
        """Whose token it is. Raises RefusedError `UNAUTHENTICATED`."""
        return _actor(self._find(db, self.table.c.token_sha256 == token_digest(token)))

    def as_of_now(self, db: Connection, actor: Actor, *roles: str) -> Actor:
        """The account as of now, in the transaction of an act that one of `roles` may do.

        Raises RefusedError `UNAUTHENTICATED` or `ROLE_MISSING`.
        """
        found = _actor(self._find(db, self.table.c.id == actor.id))
        found.require(*roles)
        return found

    def _find(self, db: Connection, which: Any) -> Row[Any] | None:
        return db.execute(select(self.table).where(which)).one_or_none()

    def _kept(self, roles: Collection[str]) -> list[str] | str:
        found = sorted(set(roles))
        is_json = isinstance(self.table.c.roles.type, JSON)
        return found if is_json else dump_json(found).decode()


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _actor(row: Row[Any] | None) -> Actor:
    if row is None or row.ended_at is not None:
        raise unauthenticated()
    return Actor(row.id, frozenset(_roles(row)))


def _roles(row: Row[Any]) -> list[str]:
    found = row.roles
    roles: list[str] = parse_json(found.encode(), top=list) if isinstance(found, str) else found
    return roles
