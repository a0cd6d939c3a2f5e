"""A bulk job: every row checked before any is sealed, then chunk after chunk, each once.

A chunk takes its status indices for good, is sealed and written beside its place by whoever is
free, brought to the disk, put on record in one transaction - certificates, their forms, the line of
the audit trail, the job's progress - and only then moved to its place. Whatever is killed when: a
chunk on record is not sealed again and its file is found or moved; a chunk that is not on record
was never handed out, and is sealed anew under new indices.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from issuer.audit.trail import note
from issuer.bulk import repository
from issuer.bulk.folder import Folder
from issuer.bulk.models import CHUNK_ROWS, Given, Job, RowFault, SealedChunk
from issuer.bulk.sealing import Sealer
from issuer.bulk.workers import SLICE_ROWS, Pending, Work, working
from issuer.database import reading, transaction
from issuer.issuance.repository import longest_uri, room, take_in, usable_list, usable_list_in
from issuer.issuance.sealing import Random
from issuer.issuance.service import check_direct, new_number, new_numbers
from issuer.office import Office, standing_in
from issuer.status.blocks import top_up
from talentseal.encoding import to_seconds
from talentseal.errors import RefusedError, UnavailableError, UsageError

MAX_FAULTS = 1000
ALIKE = 2  # first characters that the numbers of a chunk share: one part in 1024 of all numbers
Clock = Callable[[], datetime]
Told = Callable[[int], None]
"""Is told how many rows are done."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run over a job.

    out    folder for what is sealed
    told   hears of the progress
    """

    office: Office
    job: Job
    out: Path
    clock: Clock
    told: Told
    random: Random = os.urandom

    @property
    def folder(self) -> Folder:
        return Folder(self.out, self.job.id, self.job.terms.host)


def sealer_of(office: Office, job: Job) -> Sealer:
    """What rows are checked and sealed with. Raises UsageError, UnavailableError."""
    bundle = office.bundle
    with reading(office.engine) as db:
        standing, longest = standing_in(db), longest_uri(db)
    office.check_key(standing.keys[0][0])
    check_direct(bundle, job.terms.type_id)
    return Sealer(office, bundle, standing, job.terms, longest or f"{standing.iss}/status/0")


def check(office: Office, job: Job, *, workers: int, now: datetime, told: Told) -> list[RowFault]:
    """The faults of all rows, at most `MAX_FAULTS`; nothing is kept."""
    with working(sealer_of(office, job), job, None, workers) as work:
        return _faults(work, job, now, told)


def _faults(work: Work, job: Job, now: datetime, told: Told) -> list[RowFault]:
    faults: list[RowFault] = []
    with closing(work.check(now=now)) as found:
        for number, some in enumerate(found, 1):
            faults += some
            told(min(number * SLICE_ROWS, len(job.rows)))
            if len(faults) >= MAX_FAULTS:
                break
    return faults[:MAX_FAULTS]


def run(task: Run, *, resume: bool, workers: int) -> list[RowFault]:
    """Check all rows, then seal those that are not on record yet; faults end it before it begins.

    Raises UsageError for a job that was begun (without `resume`) or has ended, RefusedError
    `STATE_CONFLICT` where two processes work on it or a lost database did, UnavailableError.
    """
    done = _done(task, resume=resume)
    _check_room(task, done)
    with working(sealer_of(task.office, task.job), task.job, task.folder, workers) as work:
        if done is None:
            faults = _faults(work, task.job, task.clock(), lambda _: None)
            if faults:
                return faults
            with transaction(task.office.engine) as db:
                repository.begin(db, task.job, at=to_seconds(task.clock()))
        _seal_all(task, work, done or 0)
    return []


def _done(task: Run, *, resume: bool) -> int | None:
    job = task.job
    with reading(task.office.engine) as db:
        done = repository.progress(db, job.id)
        digest = repository.digest_of_chunk(db, job.id, done - 1) if done else None
    if done is None and task.folder.is_used():
        raise RefusedError(
            f"{task.out} holds rows of this file that are not in the database",
            code="STATE_CONFLICT",
            hint="A database that was lost has sealed them: keep them, they are good. To seal "
            "every row anew all the same, name another folder.",
        )
    if done == job.chunks:
        if task.folder.finish(done - 1, digest):
            task.folder.end()
            raise UsageError("every row of this file is sealed", hint="See: issuer list")
        raise UsageError(
            f"every row of this file is sealed, and the last are not in {task.out}",
            hint="Unless they were moved from there: name the folder of before, which may hold "
            "them in a .part file.",
        )
    if done is not None and not resume:
        raise UsageError(
            f"{done * CHUNK_ROWS} of {len(job.rows)} rows are sealed already",
            hint="Go on with --resume.",
        )
    if done is None and resume:
        raise UsageError(
            "nothing of this file is sealed yet: it was changed since, or nothing was begun",
            hint="Resume with the file as it was; without --resume every row is sealed anew.",
        )
    if done and not task.folder.finish(done - 1, digest):
        raise UsageError(
            f"the rows that were sealed last are not in {task.out}",
            hint="Resume with the folder of before, and put back what was moved from there.",
        )
    return done


def _check_room(task: Run, done: int | None) -> None:
    """Raises UnavailableError where indices are missing for what is left and none are to be had."""
    left = len(task.job.rows) - (done or 0) * CHUNK_ROWS
    with reading(task.office.engine) as db:
        if room(db) >= left:
            usable_list_in(db, task.office.bundle)
            return
    free = top_up(task.office, now=task.clock(), least=left)
    if free < left:
        raise UnavailableError(
            f"{left} status indices are needed, {free} are left",
            code="STATUS_LIST_UNPUBLISHED",
            hint="Ask for a block with `registry issuer block`, then run `issuer enrol FILE`.",
        )
    usable_list(task.office.engine, task.office.bundle)


# --- chunks ---------------------------------------------------------------------------------------


def _seal_all(task: Run, work: Work, begin: int) -> None:
    for number, now, pending in _ahead(task, work, begin):
        _record(task, number, pending.result(), now)
        task.told(min((number + 1) * CHUNK_ROWS, len(task.job.rows)))
    task.folder.end()


def _ahead(task: Run, work: Work, begin: int) -> Iterator[tuple[int, datetime, Pending]]:
    """The chunks in order, each begun while others before it are sealed and recorded."""
    waiting: deque[tuple[int, datetime, Pending]] = deque()
    drawn: set[str] = set()
    for number in range(begin, task.job.chunks):
        now = task.clock()
        waiting.append((number, now, _start(task, work, number, now, drawn)))
        if len(waiting) > work.ahead:
            yield waiting.popleft()
    yield from waiting


def _start(task: Run, work: Work, number: int, now: datetime, drawn: set[str]) -> Pending:
    given = give(task, len(task.job.chunk(number)), drawn)
    return work.start(number, given, now=now)


def give(task: Run, count: int, drawn: set[str]) -> list[Given]:
    """Numbers and indices for so many rows, on record at once. Raises UnavailableError.

    drawn  numbers that this run has given already
    """
    with transaction(task.office.engine) as db:
        indices = take_in(db, task.office.bundle, count)
        numbers = _numbers(task, db, count, drawn)
    return list(map(Given, numbers, indices))


def _numbers(task: Run, db: Connection, count: int, drawn: set[str]) -> list[str]:
    """Numbers that no certificate has, on record or (`drawn`) on its way there in this run.

    They begin alike, so that they stand together in every index of the database: a chunk changes
    some pages of it and not hundreds, however many certificates are on record.
    """
    fresh: set[str] = set()
    start = new_number(task.random)[:ALIKE]
    while len(fresh) < count:
        found = set(new_numbers(task.random, count - len(fresh), start=start)) - drawn
        fresh |= found - repository.taken_numbers(db, found)
    drawn |= fresh
    return list(fresh)


def _record(task: Run, number: int, chunk: SealedChunk, now: datetime) -> None:
    """What lies beside its place: on the disk, on record, in its place."""
    job, at = task.job, to_seconds(now)
    task.folder.settle(number, chunk.digest)
    with transaction(task.office.engine) as db:
        repository.advance(db, job, number, chunk.digest, at=at)
        repository.add_all(db, job.terms.type_id, chunk.rows, at=at)
        note(db, "sealed-in-bulk", at=at, count=len(chunk.rows), reason=job.id)
    task.folder.put(number, chunk.digest)
