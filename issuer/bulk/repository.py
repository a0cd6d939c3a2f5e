"""Jobs and what they have sealed, written many rows at once.

PostgreSQL takes them by COPY, SQLite by one statement for many rows; both within the transaction of
the chunk.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from issuer.bulk.models import CHUNK_ROWS, Job, SealedRow
from issuer.database import bulk_chunk, bulk_job
from talentseal.encoding import dump_json
from talentseal.errors import RefusedError

# Statements are built once: with the caches cold from sealing, building takes longer than asking.
_JOB, _CHUNK = bulk_job.c, bulk_chunk.c
_PROGRESS = select(_JOB.done, _JOB.rows, _JOB.chunk_rows, _JOB.ended_at).where(
    _JOB.id == bindparam("job")
)
_ADVANCE = (
    update(bulk_job)
    .where(_JOB.id == bindparam("job"), _JOB.done == bindparam("before"))
    .values(done=bindparam("after"), ended_at=bindparam("end"))
)
_DIGEST = select(_CHUNK.sha256).where(
    _CHUNK.job == bindparam("job"), _CHUNK.number == bindparam("at")
)
_ADD_CHUNK = insert(bulk_chunk)


def progress(db: Connection, job: str) -> int | None:
    """How many chunks are on record; None for a job that was never begun.

    Raises RefusedError for one that was ended before it was done.
    """
    row = db.execute(_PROGRESS, {"job": job}).one_or_none()
    if row is None:
        return None
    if row.ended_at is not None and row.done * row.chunk_rows < row.rows:
        raise RefusedError(
            "this job was ended when the database was restored",
            code="STATE_CONFLICT",
            hint="Seal the rows that its folder does not hold from a file of their own.",
        )
    return int(row.done)


def end_all(db: Connection, *, at: int) -> int:
    """End the jobs that are at work; how many. None of them goes on."""
    column = bulk_job.c
    return db.execute(
        update(bulk_job).where(column.ended_at.is_(None)).values(ended_at=at)
    ).rowcount


def begin(db: Connection, job: Job, *, at: int) -> None:
    """Put a job on record. Raises RefusedError where another process has begun it meanwhile."""
    if progress(db, job.id) is not None:
        raise _of_another()
    db.execute(
        insert(bulk_job).values(
            id=job.id, type=job.terms.type_id, rows=len(job.rows), chunk_rows=CHUNK_ROWS, done=0,
            created_at=at,
        )
    )  # fmt: skip


def advance(db: Connection, job: Job, number: int, digest: str, *, at: int) -> None:
    """Chunk `number` is on record. Raises RefusedError where another process was quicker."""
    end = at if number + 1 == job.chunks else None
    moved = db.execute(_ADVANCE, {"job": job.id, "before": number, "after": number + 1, "end": end})
    if moved.rowcount != 1:
        raise _of_another()
    db.execute(_ADD_CHUNK, {"job": job.id, "number": number, "sha256": digest})


def _of_another() -> RefusedError:
    return RefusedError(
        "another process works on this job",
        code="STATE_CONFLICT",
        hint="Let it end, or end it and run this again with --resume.",
    )


def digest_of_chunk(db: Connection, job: str, number: int) -> str | None:
    return db.execute(_DIGEST, {"job": job, "at": number}).scalar()


_TAKEN = "SELECT id FROM certificate WHERE id "


def taken_numbers(db: Connection, numbers: Iterable[str]) -> set[str]:
    """Those that a certificate has already, asked for in one parameter, however many they are."""
    wanted = list(numbers)
    if db.dialect.name == "postgresql":
        return set(db.exec_driver_sql(f"{_TAKEN} = ANY(%s)", (wanted,)).scalars())
    listed = "IN (SELECT value FROM json_each(?))"
    return set(db.exec_driver_sql(_TAKEN + listed, (dump_json(wanted).decode(),)).scalars())


_CERTIFICATES = "certificate (id, type, kid, sealed_at, expires_at, state)"
_FORMS = "form (certificate, form, block, turn, idx, sha256)"
_INSERT = {
    _CERTIFICATES: f"INSERT INTO {_CERTIFICATES} VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608  our own
    _FORMS: f"INSERT INTO {_FORMS} VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
}


def add_all(db: Connection, type_id: str, sealed: Sequence[SealedRow], *, at: int) -> None:
    """Put certificates on record, each with its one form.

    In the orders that the tables like best: numbers sorted, and indices as they were taken.
    """
    certificates = [
        (number, type_id, kid, at, until, "valid") for number, _, _, _, kid, until in sealed
    ]
    certificates.sort()
    _add_many(db, _CERTIFICATES, certificates)
    forms = [
        (number, form, block, turn, idx, sha256)
        for number, form, (_, idx, block, turn), sha256, _, _ in sealed
    ]
    _add_many(db, _FORMS, forms)


def _add_many(db: Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    """Table  one of the two above: nothing from outside becomes SQL"""
    if db.dialect.name != "postgresql":
        db.exec_driver_sql(_INSERT[table], rows)
        return
    with db.connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
