"""Processes that check and seal, beside the one that writes.

They are forked once the trust data and a key from a file are open, so that nobody is asked for a
passphrase twice and pages are shared; a signing device is opened by each anew. A worker ends with
the process that made it, even if that one is killed.
"""

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import c_bool
from datetime import datetime
from typing import Any, Protocol

from issuer.bulk.folder import Folder, digest_of
from issuer.bulk.models import Given, Job, RowFault, SealedChunk, SealedRow
from issuer.bulk.sealing import Sealer
from issuer.issuance.models import Taken
from talentseal.errors import UnavailableError, UsageError

SLICE_ROWS = 250
_LOOK_SECONDS = 0.5
_COLLECT_AFTER = 50_000  # objects, a few megabytes; the usual 700 are one or two rows
_IN_WORKER: list["Alone"] = []  # what this process works on
_Columns = Sequence[Sequence[Any]]


class Work(Protocol):
    """The rows of a job checked or sealed, in their order.

    ahead  how many chunks are begun before the first of them is recorded
    """

    @property
    def ahead(self) -> int: ...

    def check(self, *, now: datetime) -> Generator[list[RowFault]]:
        """The faults of slice after slice."""
        ...

    def start(self, chunk: int, given: Sequence[Given], *, now: datetime) -> "Pending":
        """Seal a chunk and write it beside its place."""
        ...


class Pending(Protocol):
    def result(self) -> SealedChunk: ...


@contextmanager
def working(sealer: Sealer, job: Job, folder: Folder | None, workers: int) -> Iterator[Work]:
    """Work done by so many processes; one means this process itself. Raises UnavailableError.

    folder  where chunks go; checking needs none
    """
    alone = Alone(sealer, job, folder)
    with _rare_collections():
        if workers == 1:
            yield alone
            return
        context = multiprocessing.get_context("fork")
        given_up = context.RawValue(c_bool, False)  # no lock: a worker may be killed holding it
        arguments = (alone, os.getpid(), given_up)
        try:
            pool = ProcessPoolExecutor(workers, context, _begin, arguments)
            with pool, _giving_up(pool, given_up):
                yield Many(pool, len(job.rows), workers + 1)
        except BrokenProcessPool as error:
            raise UnavailableError(
                "a worker process has ended",
                hint="What is on record stays; run again with --resume.",
            ) from error


@contextmanager
def _giving_up(pool: ProcessPoolExecutor, given_up: c_bool) -> Iterator[None]:
    """Whoever interrupts waits for nobody: a worker may hang in a signing device."""
    try:
        with _cancelling(pool):
            yield
    except KeyboardInterrupt:
        given_up.value = True
        pool.shutdown(wait=False, cancel_futures=True)
        raise


@contextmanager
def _cancelling(pool: ProcessPoolExecutor) -> Iterator[None]:
    """After a fault nothing more is begun, and who is at work clears up what it half wrote."""
    try:
        yield
    except Exception:
        pool.shutdown(cancel_futures=True)
        raise


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the collector of reference cycles look seldom, and never at what was there before.

    The work makes none. Looking through all trust data again and again would cost as much as many
    signatures, and in a worker copy every page of it.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class Alone:
    """All of it in this process."""

    ahead = 0

    def __init__(self, sealer: Sealer, job: Job, folder: Folder | None) -> None:
        self._sealer, self._job, self._folder = sealer, job, folder

    def check(self, *, now: datetime) -> Generator[list[RowFault]]:
        for part in _slices(len(self._job.rows)):
            yield self.check_slice(part, now)

    def check_slice(self, part: range, now: datetime) -> list[RowFault]:
        rows = self._job.rows
        return [fault for at in part for fault in self._sealer.faults(rows[at], at + 1, now=now)]

    def start(self, chunk: int, given: Sequence[Given], *, now: datetime) -> "Done":
        return Done(self.seal_chunk(chunk, given, now))

    def seal_chunk(self, chunk: int, given: Sequence[Given], now: datetime) -> SealedChunk:
        if self._folder is None:
            raise UsageError("there is no folder for what is sealed")
        places = self._job.chunk(chunk)
        rows = self._job.rows[places.start : places.stop]
        first = places.start + 1
        with self._folder.keep(chunk) as file:
            sealed = self._sealer.seal(rows, given, first, now=now, write=file.write)
            digest = digest_of(
                [(at, row.number, row.sha256) for at, row in enumerate(sealed, first)]
            )
            file.put(self._folder.part(chunk, digest))
        return SealedChunk(digest, sealed)


class Done:
    def __init__(self, chunk: SealedChunk) -> None:
        self._chunk = chunk

    def result(self) -> SealedChunk:
        return self._chunk


class Many:
    """Slices to be checked and chunks to be sealed, each by whichever process is free.

    The rows themselves are there already, and what is handed out never passes through here.
    """

    def __init__(self, pool: ProcessPoolExecutor, rows: int, ahead: int) -> None:
        self._pool, self._rows, self.ahead = pool, rows, ahead

    def check(self, *, now: datetime) -> Generator[list[RowFault]]:
        futures = [self._pool.submit(_check_there, part, now) for part in _slices(self._rows)]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def start(self, chunk: int, given: Sequence[Given], *, now: datetime) -> "AtWork":
        numbers, indices = zip(*given, strict=True)
        told = (numbers, *zip(*indices, strict=True))  # columns are pickled at a sixth of the cost
        return AtWork(self._pool.submit(_seal_there, chunk, told, now), given)


class AtWork:
    """A chunk at work in another process, which tells what is not known here, by columns too."""

    def __init__(self, future: "Future[tuple[str, _Columns]]", given: Sequence[Given]) -> None:
        self._future, self._given = future, given

    def result(self) -> SealedChunk:
        digest, columns = self._future.result()
        rows = [
            SealedRow(number, form, taken, sha256, kid, expires_at)
            for (number, taken), form, sha256, kid, expires_at in zip(
                self._given, *columns, strict=True
            )
        ]
        return SealedChunk(digest, rows)


def _slices(rows: int) -> list[range]:
    return [range(rows)[at : at + SLICE_ROWS] for at in range(0, rows, SLICE_ROWS)]


# --- in a worker ----------------------------------------------------------------------------------


def _begin(alone: Alone, parent: int, given_up: c_bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; who made us decides
    _IN_WORKER[:] = [alone]
    threading.Thread(target=_end_with, args=(parent, given_up), daemon=True).start()


def _end_with(parent: int, given_up: c_bool) -> None:
    while os.getppid() == parent and not given_up.value:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _check_there(part: range, now: datetime) -> list[RowFault]:
    return _IN_WORKER[0].check_slice(part, now)


def _seal_there(chunk: int, told: _Columns, now: datetime) -> tuple[str, _Columns]:
    numbers, *indices = told
    given = list(map(Given, numbers, map(Taken, *indices)))
    digest, rows = _IN_WORKER[0].seal_chunk(chunk, given, now)
    _, forms, _, *others = zip(*rows, strict=True)
    return digest, (forms, *others)
