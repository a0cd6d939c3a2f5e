"""The publisher of a running registry: what others wait for at once, everything else every hour.

An order that is on record wakes it; the orders of a moment go out in one publication of the status
lists that changed. What operators decide, and the hour, bring a whole one, which says anew that
nothing is missing. Orders that lie in the exchange folder are taken as well. What could not be
published stays due and is tried again, with longer rests, until it is.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.jurisdictions.repository import all_jurisdictions
from registry.office import DAY_SECONDS, Office
from registry.publishing.models import PublicationRow
from registry.publishing.repository import latest
from registry.publishing.service import Published, publish
from registry.status_lists.orders import Outcome, waiting_files
from registry.status_lists.tokens import Reader
from talentseal.encoding import to_seconds
from talentseal.errors import TalentsealError

ACTOR = "publisher"
TICK_SECONDS = 0.25
LOOK_SECONDS = 2.0  # between two looks at the hour and the exchange folder
GATHER_SECONDS = 1.0  # between two publications: what comes in meanwhile goes out together
WHOLE_SECONDS = 3600  # a whole one at least this often
BEFORE_END_SECONDS = 2 * DAY_SECONDS  # and in any case so long before the metadata ends
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 60.0


@dataclass
class _Rest:
    """How long a jurisdiction that could not be published is left alone. Seconds."""

    seconds: float = 0.0
    until: float = 0.0

    def lengthen(self, moment: float) -> None:
        self.seconds = min(max(FIRST_REST_SECONDS, 2 * self.seconds), LONGEST_REST_SECONDS)
        self.until = moment + self.seconds


class Publisher:
    """Decides what is due and publishes it; run by one background job.

    reader  how new status lists are read back; None: from the public folder
    told    called after every publication with the seconds that it took
    taken   called for every order that lay in the exchange folder
    """

    def __init__(
        self,
        office: Office,
        clock: Callable[[], datetime],
        *,
        reader: Reader | None,
        told: Callable[[Published, float], None],
        taken: Callable[[Outcome], None],
    ) -> None:
        self._office, self._clock, self._reader = office, clock, reader
        self._told, self._taken = told, taken
        self._lock = threading.Lock()
        self._status: set[str] = set()
        self._whole: set[str] = set()
        self._rests: dict[str, _Rest] = {}
        self._is_first, self._staying = True, set[str]()
        self._until, self._look_at = 0.0, 0.0
        self.wake: Callable[[], None] = lambda: None

    # what others say

    def ordered(self, jurisdiction: str) -> None:
        """A status of this jurisdiction was changed, and that is on record."""
        with self._lock:
            self._status.add(jurisdiction)
        self.wake()

    def changed(self, *jurisdictions: str) -> None:
        """Something else was changed in these jurisdictions."""
        with self._lock:
            self._whole.update(jurisdictions)
        self.wake()

    # the job

    def run(self) -> None:
        """Publish what is due. Raises the first fault; what it hindered is still due."""
        moment = time.monotonic()
        if moment < self._until:
            return
        if moment >= self._look_at:
            self._look_at = moment + LOOK_SECONDS
            self._look()
        faults = [fault for code in self._due(moment) if (fault := self._publish(code))]
        if faults:
            raise faults[0]

    def _look(self) -> None:
        """Note what the hour, or a file in the exchange folder, makes due."""
        with self._office.reading() as session:
            codes = [row.code for row in all_jurisdictions(session)]
            stamped = {code: latest(session, code, "timestamp") for code in codes}
        now = to_seconds(self._clock())
        late = {code for code, found in stamped.items() if self._is_late(found, now)}
        waiting = waiting_files(self._office.settings.exchange)
        self._is_first, self._staying = False, self._staying & waiting
        with self._lock:
            self._whole |= late
            self._status |= set(codes) if waiting - self._staying else set()

    def _is_late(self, stamp: PublicationRow | None, now: int) -> bool:
        if stamp is None or self._is_first:
            return True
        ends = (stamp.expires or 0) - BEFORE_END_SECONDS
        return now >= min(stamp.created_at + WHOLE_SECONDS, ends)

    def _due(self, moment: float) -> list[str]:
        with self._lock:
            codes = sorted(self._whole | self._status)
        return [code for code in codes if self._rests.get(code, _Rest()).until <= moment]

    def _publish(self, code: str) -> TalentsealError | None:
        """Publish one jurisdiction; a fault is returned, so that others get their turn."""
        with self._lock:  # what comes in from here on is for the next publication
            whole, status = code in self._whole, code in self._status
            self._whole.discard(code)
            self._status.discard(code)
        begun, is_done = time.monotonic(), False
        try:
            office = self._office.at(self._clock(), actor=ACTOR)
            published, outcomes = publish(office, [code], whole=whole, reader=self._reader)
            is_done = True
        except TalentsealError as error:
            return error
        finally:  # whatever it was: a fault of the system too
            if not is_done:
                self._put_off(code, whole=whole, status=status)
        self._rests.pop(code, None)
        self._until = time.monotonic() + GATHER_SECONDS
        self._tell(published, outcomes, time.monotonic() - begun)
        return None

    def _put_off(self, code: str, *, whole: bool, status: bool) -> None:
        """It stays due, after a rest."""
        with self._lock:
            self._whole |= {code} if whole else set()
            self._status |= {code} if status else set()
        self._rests.setdefault(code, _Rest()).lengthen(time.monotonic())

    def _tell(
        self, published: Sequence[Published], outcomes: Sequence[Outcome], seconds: float
    ) -> None:
        for one in published:
            self._told(one, seconds)
        for outcome in outcomes:
            self._taken(outcome)
            if outcome.stays:  # it does not make a publication due again and again
                self._staying.add(outcome.file)
