"""Receipts: that a check happened, under which rules and data, and how it ended.

A receipt holds outcome and codes, type and issuer, policy, times and versions, and a salted digest
of what was shown, by which its owner can prove later that it was this very text. It holds no claim,
number or key. Receipts are written a little after the answer, in one transaction for many, so that
a check does not wait for a disk; what a killed process had not written yet is lost, and with it
nothing but the receipt. Each is deleted when its time has come.
"""

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, delete, insert, select, tuple_

from schemas.verdict import Verdict
from talentseal.encoding import b64url_encode, dump_json, format_time, parse_json
from verifier.database import reading, receipt, transaction
from verifier.station import DAY_SECONDS, Random

MAX_WAITING = 100_000  # a database that is gone for long: the oldest are let go
_ID_BYTES, _SALT_BYTES = 16, 16


class Receipts:
    """The receipts of one service: taken at once, written by `write`.

    days  how long each is kept
    """

    def __init__(self, engine: Engine, *, days: int, random: Random) -> None:
        self._engine, self._days, self._random = engine, days, random
        self._waiting: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def take(self, verdict: Verdict, evidence: str) -> str:
        """Note a check; the id of its receipt."""
        row = self._row(verdict, evidence)
        with self._lock:
            self._waiting.append(row)
            del self._waiting[:-MAX_WAITING]
        number: str = row["id"]
        return number

    def write(self) -> int:
        """Write what waits; how many. What cannot be written goes on waiting."""
        with self._lock:
            rows, self._waiting = self._waiting, []
        if not rows:
            return 0
        try:
            with transaction(self._engine) as db:
                db.execute(insert(receipt), rows)
        except BaseException:
            with self._lock:
                self._waiting[:0] = rows
            raise
        return len(rows)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _row(self, verdict: Verdict, evidence: str) -> dict[str, Any]:
        salt = b64url_encode(self._random(_SALT_BYTES))
        shown = verdict.credential
        at = verdict.evaluated_at
        return {
            "id": b64url_encode(self._random(_ID_BYTES)),
            "at": at,
            "delete_after": at + self._days * DAY_SECONDS,
            "outcome": verdict.outcome,
            "codes": dump_json([str(c.code) for c in verdict.checks if c.code]).decode(),
            "vct": shown.type if shown else None,
            "issuer": shown.issuer if shown else None,
            "policy": verdict.policy,
            "place": verdict.place,
            "purpose": verdict.purpose,
            "bundle": dump_json({j: s.version for j, s in verdict.bundle.items()}).decode(),
            "salt": salt,
            "evidence_sha256": evidence_digest(salt, evidence),
        }


def evidence_digest(salt: str, evidence: str) -> str:
    """SHA-256, hex, of salt and evidence: how an owner shows that a receipt is about this text."""
    return hashlib.sha256(f"{salt}\n{evidence}".encode()).hexdigest()


def forget(engine: Engine, *, now: int) -> int:
    """Delete the receipts whose time has come; how many."""
    with transaction(engine) as db:
        return db.execute(delete(receipt).where(receipt.c.delete_after <= now)).rowcount


def listed(engine: Engine, *, after: str | None, limit: int) -> Sequence[Any]:
    """Receipts, newest first, after the one of this key (`at/id`)."""
    query = select(receipt).order_by(receipt.c.at.desc(), receipt.c.id.desc()).limit(limit)
    if after is not None:
        at, _, number = after.partition("/")
        if at.isascii() and at.isdigit() and len(at) < 13:
            query = query.where(tuple_(receipt.c.at, receipt.c.id) < (int(at), number))
    with reading(engine) as db:
        return db.execute(query).all()


def find(engine: Engine, number: str) -> Any | None:
    with reading(engine) as db:
        return db.execute(select(receipt).where(receipt.c.id == number)).one_or_none()


def key_of(row: Any) -> str:
    return f"{row.at}/{row.id}"


def document(row: Any) -> dict[str, Any]:
    """A receipt as it is shown."""
    return {
        "id": row.id,
        "at": format_time(row.at),
        "delete_after": format_time(row.delete_after),
        "outcome": row.outcome,
        "codes": parse_json(row.codes.encode(), top=list),
        "vct": row.vct,
        "issuer": row.issuer,
        "policy": row.policy,
        "place": row.place,
        "purpose": row.purpose,
        "bundle": parse_json(row.bundle.encode()),
        "salt": row.salt,
        "evidence_sha256": row.evidence_sha256,
    }
