"""Turns at dear work: so many at once, a few more wait a while, and nobody else does.

Reading a picture takes seconds and hundreds of megabytes where a check takes neither. Whoever
finds the queue full, or waits too long in it, is told to come back, and costs nothing more.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from talentseal.errors import UnavailableError

WAITING_FOR_EACH = 8  # wait for one that is at work; more would not be served in time anyway
WAIT_SECONDS = 20.0


class Turns:
    """Not for several threads: the service's loop alone takes and gives turns.

    at_once  how many are at work
    waiting  how many more may wait
    seconds  how long each of them waits
    """

    def __init__(self, at_once: int, *, waiting: int, seconds: float = WAIT_SECONDS) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._waiting, self._seconds = 0, seconds
        self._most_waiting = waiting

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One turn. Raises UnavailableError `OVERLOADED` where none comes in time."""
        await self._wait()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self) -> None:
        if self._free.locked() and self._waiting >= self._most_waiting:
            raise _overloaded()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise _overloaded() from error
        finally:
            self._waiting -= 1


class Crowd:
    """Who is at the same long work, none of whom is made to wait; the service's loop asks alone.

    at_once  how many may be at it when another comes
    of_one   how many of these from one address
    """

    def __init__(self, at_once: int, *, of_one: int) -> None:
        self._at_once, self._of_one = at_once, of_one
        self._present: Counter[str] = Counter()

    def check_room(self, address: str) -> None:
        """Raises UnavailableError `OVERLOADED` where one more from there is too many."""
        if self._present.total() >= self._at_once or self._present[address] >= self._of_one:
            raise _overloaded()

    @contextmanager
    def joined(self, address: str) -> Iterator[None]:
        """Be there; between `check_room` and this nothing is awaited."""
        self._present[address] += 1
        try:
            yield
        finally:
            self._leave(address)

    @contextmanager
    def away(self, address: str) -> Iterator[None]:
        """Be somewhere else for a while, within `joined`."""
        self._leave(address)
        try:
            yield
        finally:
            self._present[address] += 1

    def _leave(self, address: str) -> None:
        self._present[address] -= 1
        if not self._present[address]:
            del self._present[address]


def _overloaded() -> UnavailableError:
    return UnavailableError(
        "too many others wait for the same work", code="OVERLOADED", hint="Try again later."
    )
