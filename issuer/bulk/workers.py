"""Processes that check and seal, beside the one that writes.

They are forked once the trust data and a key from a file are open, so that nobody is asked for a
passphrase twice and pages are shared; a signing device is opened by each anew. A worker ends with
the process that made it, even if that one is killed.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from issuer.bulk.models import RowFault, SealedRow
from issuer.bulk.sealing import LOOK_EVERY, Sealer
from issuer.issuance.models import Place
from talentseal.errors import UnavailableError

SLICE_ROWS = 100
_LOOK_SECONDS = 0.5
_IN_WORKER: list[Sealer] = []  # what this process seals with


class Work(Protocol):
    """Rows checked or sealed, in their order."""

    def check(self, rows: Sequence[bytes], first: int, *, now: datetime) -> list[RowFault]:
        """Every fault of these rows; `first` is the number of the first."""
        ...

    def start(
        self, rows: Sequence[bytes], places: Sequence[Place], *, now: datetime
    ) -> "Pending": ...


class Pending(Protocol):
    def result(self) -> list[SealedRow]: ...


@contextmanager
def working(sealer: Sealer, workers: int) -> Iterator[Work]:
    """Work done by so many processes; one means this process itself. Raises UnavailableError."""
    if workers == 1:
        yield Alone(sealer)
        return
    context = multiprocessing.get_context("fork")
    arguments = (sealer, os.getpid())
    try:
        with ProcessPoolExecutor(workers, context, _begin, arguments) as pool:
            yield Many(pool)
    except BrokenProcessPool as error:
        raise UnavailableError(
            "a worker process has ended", hint="What is on record stays; run again with --resume."
        ) from error


class Alone:
    """All of it in this process."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def check(self, rows: Sequence[bytes], first: int, *, now: datetime) -> list[RowFault]:
        return _check(self._sealer, rows, first, now)

    def start(self, rows: Sequence[bytes], places: Sequence[Place], *, now: datetime) -> "Done":
        return Done(_seal(self._sealer, rows, places, now))


class Done:
    def __init__(self, rows: list[SealedRow]) -> None:
        self._rows = rows

    def result(self) -> list[SealedRow]:
        return self._rows


class Many:
    """Slices of the rows, each to whichever process is free."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def check(self, rows: Sequence[bytes], first: int, *, now: datetime) -> list[RowFault]:
        futures = [
            self._pool.submit(_check_there, rows[at : at + SLICE_ROWS], first + at, now)
            for at in range(0, len(rows), SLICE_ROWS)
        ]
        return [fault for future in futures for fault in future.result()]

    def start(self, rows: Sequence[bytes], places: Sequence[Place], *, now: datetime) -> "Joined":
        return Joined([
            self._pool.submit(
                _seal_there, rows[at : at + SLICE_ROWS], places[at : at + SLICE_ROWS], now
            )
            for at in range(0, len(rows), SLICE_ROWS)
        ])  # fmt: skip


class Joined:
    def __init__(self, futures: Sequence[Future[list[SealedRow]]]) -> None:
        self._futures = futures

    def result(self) -> list[SealedRow]:
        return [row for future in self._futures for row in future.result()]


# --- in a worker ----------------------------------------------------------------------------------


def _begin(sealer: Sealer, parent: int) -> None:
    _IN_WORKER[:] = [sealer.own()]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _check_there(rows: Sequence[bytes], first: int, now: datetime) -> list[RowFault]:
    return _check(_IN_WORKER[0], rows, first, now)


def _seal_there(rows: Sequence[bytes], places: Sequence[Place], now: datetime) -> list[SealedRow]:
    return _seal(_IN_WORKER[0], rows, places, now)


def _check(sealer: Sealer, rows: Sequence[bytes], first: int, now: datetime) -> list[RowFault]:
    return [
        fault
        for number, row in enumerate(rows, first)
        for fault in sealer.faults(row, number, now=now)
    ]


def _seal(
    sealer: Sealer, rows: Sequence[bytes], places: Sequence[Place], now: datetime
) -> list[SealedRow]:
    return [
        sealer.seal(row, place, now=now, look=at % LOOK_EVERY == 0)
        for at, (row, place) in enumerate(zip(rows, places, strict=True))
    ]
