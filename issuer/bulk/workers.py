"""Processes that check and seal, beside the one that writes.

They are forked once the trust data and a key from a file are open, so that nobody is asked for a
passphrase twice and pages are shared; a signing device is opened by each anew. A worker ends with
the process that made it, even if that one is killed.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from issuer.bulk.models import Given, Job, RowFault, SealedSlice
from issuer.bulk.sealing import Sealer
from talentseal.errors import UnavailableError

SLICE_ROWS = 250
_LOOK_SECONDS = 0.5
_IN_WORKER: list["Alone"] = []  # what this process works on


class Work(Protocol):
    """The rows of a job checked or sealed, in their order."""

    def check(self, *, now: datetime) -> Generator[list[RowFault]]:
        """The faults of slice after slice."""
        ...

    def start(self, rows: range, given: Sequence[Given], *, now: datetime) -> "Pending":
        """Seal the rows at these places of the job."""
        ...


class Pending(Protocol):
    def result(self) -> list[SealedSlice]: ...


@contextmanager
def working(sealer: Sealer, job: Job, workers: int) -> Iterator[Work]:
    """Work done by so many processes; one means this process itself. Raises UnavailableError."""
    alone = Alone(sealer, job.rows)
    if workers == 1:
        yield alone
        return
    context = multiprocessing.get_context("fork")
    arguments = (alone, os.getpid())
    try:
        with ProcessPoolExecutor(workers, context, _begin, arguments) as pool:
            yield Many(pool, len(job.rows))
    except BrokenProcessPool as error:
        raise UnavailableError(
            "a worker process has ended", hint="What is on record stays; run again with --resume."
        ) from error


class Alone:
    """All of it in this process."""

    def __init__(self, sealer: Sealer, rows: Sequence[bytes]) -> None:
        self._sealer, self._rows = sealer, rows

    def check(self, *, now: datetime) -> Generator[list[RowFault]]:
        for part in _slices(range(len(self._rows))):
            yield self.check_slice(part, now)

    def check_slice(self, part: range, now: datetime) -> list[RowFault]:
        return [
            fault for at in part for fault in self._sealer.faults(self._rows[at], at + 1, now=now)
        ]

    def start(self, rows: range, given: Sequence[Given], *, now: datetime) -> "Done":
        return Done([self.seal_slice(rows, given, now)])

    def seal_slice(self, part: range, given: Sequence[Given], now: datetime) -> SealedSlice:
        rows = self._rows[part.start : part.stop]
        return self._sealer.seal(rows, given, part.start + 1, now=now)


class Done:
    def __init__(self, slices: list[SealedSlice]) -> None:
        self._slices = slices

    def result(self) -> list[SealedSlice]:
        return self._slices


class Many:
    """Slices of the rows, each to whichever process is free. The rows themselves are there."""

    def __init__(self, pool: ProcessPoolExecutor, rows: int) -> None:
        self._pool, self._rows = pool, rows

    def check(self, *, now: datetime) -> Generator[list[RowFault]]:
        parts = _slices(range(self._rows))
        futures = [self._pool.submit(_check_there, part, now) for part in parts]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def start(self, rows: range, given: Sequence[Given], *, now: datetime) -> "Joined":
        return Joined([
            self._pool.submit(
                _seal_there, part, given[part.start - rows.start : part.stop - rows.start], now
            )
            for part in _slices(rows)
        ])  # fmt: skip


class Joined:
    def __init__(self, futures: Sequence[Future[SealedSlice]]) -> None:
        self._futures = futures

    def result(self) -> list[SealedSlice]:
        return [future.result() for future in self._futures]


def _slices(rows: range) -> list[range]:
    return [rows[at : at + SLICE_ROWS] for at in range(0, len(rows), SLICE_ROWS)]


# --- in a worker ----------------------------------------------------------------------------------


def _begin(alone: Alone, parent: int) -> None:
    _IN_WORKER[:] = [alone]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _check_there(part: range, now: datetime) -> list[RowFault]:
    return _IN_WORKER[0].check_slice(part, now)


def _seal_there(part: range, given: Sequence[Given], now: datetime) -> SealedSlice:
    return _IN_WORKER[0].seal_slice(part, given, now)
