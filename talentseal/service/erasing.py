"""How far a clock is believed where something is erased because its time has come.

A clock may be a month ahead for some seconds, after a start or a mistake, and what was erased in
them does not come back. So whoever erases goes by the earliest time that the clock has told within
the last hour, counted on by a steady clock that nobody sets: a leap is believed once it has lasted
for an hour, and a right clock is believed to the second. For the first hour after a start a time is
believed that trust data, which others have signed, has proven, and a little beyond it; so a desk
that runs for minutes at a time erases too.
"""

import time
from collections.abc import Callable

CONFIRM_SECONDS = 3600
BEYOND_PROOF_SECONDS = 3 * 3600  # trust data is published hourly and fetched after that


class CautiousClock:
    """The clock of one eraser, asked at each of its runs.

    steady  seconds of a clock that only runs forward
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._looks: list[tuple[float, float]] = []  # steady time, and how far the clock is beyond

    def believed(self, now: int, *, proven: int | None = None) -> int:
        """What had ended by then (NumericDate) may be erased; 0 or more, never after `now`.

        now     by the clock that may be wrong
        proven  a time that has passed for certain, if one is known
        """
        steady = self._steady()
        self._looks.append((steady, now - steady))
        known = 0 if proven is None else proven + BEYOND_PROOF_SECONDS
        return min(now, max(self._confirmed(steady), known))

    def _confirmed(self, steady: float) -> int:
        """The earliest time that the clock has told within the hour; 0 before an hour is full."""
        old = [at for at, _ in self._looks if at <= steady - CONFIRM_SECONDS]
        if not old:
            return 0
        self._looks = [look for look in self._looks if look[0] >= old[-1]]
        return int(steady + min(ahead for _, ahead in self._looks))
