"""The same call twice is done once: `Idempotency-Key`, kept beside the act it belongs to.

The key and the answer are written in the transaction of the act. A process that dies leaves both or
neither, and of two calls at once the second waits for the first and gets its answer. A key with
another body is refused. Answers are kept for a day, by a clock that is believed with caution
(`talentseal.service.erasing`): a leap makes no call new that was made minutes ago.

    kept = claim(db, call)
    if kept is None:
        kept = keep(db, call, 201, {...}, now=now)
    return kept.response()

Standard: draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from talentseal.encoding import dump_json
from talentseal.errors import RefusedError, UsageError
from talentseal.service.migrations import NUMBER

if TYPE_CHECKING:  # a command that needs no mapper does not load one
    from sqlalchemy.orm import Session

KEEP_SECONDS = 24 * 3600
_KEY = re.compile(r"[A-Za-z0-9._~-]{16,64}")


def idempotency_table(metadata: MetaData) -> Table:
    """The table that a service keeps answers in, for its metadata and its migrations."""
    return Table(
        "idempotency",
        metadata,
        Column("call", String(64), primary_key=True),  # SHA-256 of who, where and the key
        Column("body_sha256", String(64), nullable=False),
        Column("status", NUMBER, nullable=False),
        Column("answer", LargeBinary, nullable=False),
        Column("kept_at", NUMBER, nullable=False),
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One creating call: who calls what under which key, and with which body (digests, hex)."""

    id: str
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a call, from this time or from before."""

    status: int
    answer: bytes


def key_of(header: str | None) -> str:
    """The key in a header `Idempotency-Key`; blanks around a value are none of it (RFC 9110 §5.5).

    Raises UsageError `IDEMPOTENCY_KEY_MISSING`.
    """
    key = (header or "").strip(" \t")
    if not _KEY.fullmatch(key):
        raise UsageError(
            "a call that creates something carries an Idempotency-Key",
            code="IDEMPOTENCY_KEY_MISSING",
            hint="16 to 64 characters of A-Z a-z 0-9 . _ ~ -, new for each act.",
        )
    return key


def call_of(key: str, actor: str, *, method: str, path: str, body: bytes) -> Call:
    """The call that a request makes.

    actor  id of the account: keys of others are never seen
    body   the octets, as they came
    """
    named = f"{actor}\n{method}\n{path}\n{key}"
    digests = (hashlib.sha256(part).hexdigest() for part in (named.encode(), body))
    return Call(*digests)


def claim(db: "Connection | Session", table: Table, call: Call) -> Kept | None:
    """The answer of an earlier call under the same key; None if this is the first.

    Raises RefusedError `IDEMPOTENCY_CONFLICT` for another body.
    """
    row = db.execute(select(table).where(table.c.call == call.id)).one_or_none()
    if row is None:
        return None
    if row.body_sha256 != call.body_sha256:
        raise RefusedError(
            "this Idempotency-Key was used with another body",
            code="IDEMPOTENCY_CONFLICT",
            hint="Use a new key for a new act.",
        )
    return Kept(row.status, row.answer)


def forget_answers(db: "Connection | Session", table: Table, *, now: int) -> None:
    """Delete the answers that have been kept for a day."""
    db.execute(delete(table).where(table.c.kept_at < now - KEEP_SECONDS))


def keep(
    db: "Connection | Session", table: Table, call: Call, status: int, document: object, *, now: int
) -> Kept:
    """Keep the answer, in the transaction of the act.

    Raises RefusedError `IDEMPOTENCY_CONFLICT` if another call with the key has just ended; the
    act is then undone with its transaction.
    """
    answer = dump_json(document)
    row = {"call": call.id, "body_sha256": call.body_sha256, "status": status, "answer": answer}
    try:
        db.execute(insert(table).values(**row, kept_at=now))
    except IntegrityError as error:
        raise RefusedError(
            "a call with this Idempotency-Key is at work",
            code="IDEMPOTENCY_CONFLICT",
            hint="Send it again in a moment; you get its answer.",
        ) from error
    return Kept(status, answer)
