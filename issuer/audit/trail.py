"""The audit trail: one row an act, in the act's own transaction, each row sealed to the one before.

A row names an act, who did it (the opaque id of an officer, or `operator` for the command line) and
what it was done to; never a claim, a name or a key. Its digest is SHA-256 over the digest of the
row before and its own members, so that a row changed, taken out or put in between breaks the chain
from there on. The database refuses changes by trigger; the chain tells when somebody got past it.

Not promised: that rows cut off at the end are missed. Keep the newest digest elsewhere for that.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from issuer.database import audit
from talentseal.service import chain

OPERATOR = "operator"
FACTS = ("number", "at", "act", "actor", "certificate", "issuance", "reason", "count")
_PIECE = 1000
_LAST = select(audit.c.number, audit.c.digest).order_by(audit.c.number.desc()).limit(1)
_ADD = insert(audit)


def note(db: Connection, act: str, *, at: int, actor: str = OPERATOR, **facts: Any) -> None:
    """One row, in the transaction of the act itself; a transaction that writes is alone.

    facts  certificate, issuance, reason, count
    """
    last = db.execute(_LAST).one_or_none()
    number, previous = (last.number + 1, last.digest) if last else (1, chain.BEGINNING)
    row = {"number": number, "at": at, "act": act, "actor": actor, **facts}
    digest = digest_of(previous, row)
    db.execute(_ADD, {**row, "previous": previous, "digest": digest})


def digest_of(previous: str, row: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a row behind `previous`; members that are absent count as null."""
    return chain.digest_of(previous, _fact(row))


def _fact(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in FACTS}


def check_chain(db: Connection) -> int:
    """Recompute every row; how many there are. Raises UnavailableError where one does not fit."""
    wanted = select(audit).order_by(audit.c.number).execution_options(yield_per=_PIECE)
    return chain.check_chain(_links(found._asdict() for found in db.execute(wanted)))


def _links(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Each row with its digest; without, where its number or the digest before is not as it was."""
    previous = chain.BEGINNING
    for place, row in enumerate(rows, 1):
        fits = row["number"] == place and row["previous"] == previous
        yield _fact(row), row["digest"] if fits else None
        previous = row["digest"]


def newest_digest(db: Connection) -> str:
    """The end of the chain, to be kept elsewhere."""
    newest = select(audit.c.digest).order_by(audit.c.number.desc()).limit(1)
    return db.execute(newest).scalar() or chain.BEGINNING


def listed(
    db: Connection, filters: Mapping[str, str], *, after: int, limit: int
) -> list[dict[str, Any]]:
    """Rows behind a number, in order. `filters`: columns from the caller's allow-list."""
    query = select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(limit)
    for name, value in filters.items():
        query = query.where(audit.c[name] == value)
    return [row._asdict() for row in db.execute(query)]
