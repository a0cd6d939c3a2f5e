"""A lock that is given in the order in which it was asked for.

Python's own goes to whoever is quick: of several threads that come back at once, the one that has
just let go is nearest, and another may wait for seconds behind a device that is never idle. Here
whoever lets go hands over to the one that has waited longest.
"""

import threading
from collections import deque


class FairLock:
    """Held by one thread at a time; not to be asked for twice by the same."""

    def __init__(self) -> None:
        self._inner = threading.Lock()  # for an instant, around what follows
        self._is_held = False
        self._queue: deque[threading.Lock] = deque()  # each is closed until its turn has come

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def acquire(self, *, timeout: float) -> bool:
        """Wait for one's turn, so many seconds at most; False where it did not come."""
        with self._inner:
            if not self._is_held:
                self._is_held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._queue.append(turn)
        is_given = False
        try:
            is_given = turn.acquire(timeout=timeout)
        finally:  # an interrupted wait is given up like a long one
            if not is_given:
                self._give_up(turn)
        return is_given

    def _give_up(self, turn: threading.Lock) -> None:
        with self._inner:
            if turn in self._queue:
                self._queue.remove(turn)
                return
        self.release()  # it came at the last moment

    def release(self) -> None:
        with self._inner:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._is_held = False
