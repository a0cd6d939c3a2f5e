"""Trust data kept young while a verifier runs.

A thread synchronises with a source every so often, with a spread so that many desks do not come at
once, and puts the new set in the place of the old one in a single step: a check that has begun ends
under the data that it began with. Whatever fails leaves the last good data in force, is remembered
for readiness and metrics, and is tried again sooner than usual. A set that another process brought
is taken up as well. What the age of the data means for a verdict is left to the policy.

Clock and spread are parameters; nothing runs before `start`.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from talentseal.bundle import Bundle
from talentseal.encoding import to_seconds
from talentseal.errors import TalentsealError, UnavailableError
from talentseal.sources import Source, open_source
from talentseal.sync import Pin, synchronise
from talentseal.trustdb import mark_of, open_bundle

FIRST_RETRY_SECONDS = 30.0
STOP_SECONDS = 5.0
_SPREAD = 0.1  # a tenth of the interval sooner or later


class Refresher:
    """The trust data in force, and the thread that keeps it young.

    home           the trust folder, as `verifier sync` uses it
    source         URL of a registry, zip or folder
    every_seconds  between two synchronisations
    clock          the time, for judging what is brought
    spread         numbers from 0 to 1, drawn once for each pause

    Raises UnavailableError where the data in force cannot be read.
    """

    def __init__(
        self,
        home: Path,
        source: str,
        pin: Pin,
        *,
        every_seconds: float,
        clock: Callable[[], datetime],
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._home, self._source, self._pin = home, source, pin
        self._every, self._clock, self._spread = every_seconds, clock, spread
        self._turn, self._ended, self._failures = threading.Lock(), threading.Event(), 0
        self._has_tried = False
        self._thread: threading.Thread | None = None
        self._seen = mark_of(home)
        self._bundle = open_bundle(home)
        self.last_problem: str | None = self._bundle.fault

    @property
    def bundle(self) -> Bundle:
        """The data in force; take it once for a check."""
        return self._bundle

    def age_seconds(self, now: datetime) -> int | None:
        """How old the data of the own jurisdiction is; None where none is held."""
        bundle = self._bundle
        held = bundle.jurisdictions.get(bundle.home)
        return None if held is None else to_seconds(now) - held.as_of

    def start(self) -> None:
        """Synchronise from now on, at once if that was not tried yet, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="trust data", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No further file is asked for. Waits a few seconds for the file under way, no longer."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def refresh_now(self) -> bool:
        """Synchronise once. False where it failed: `last_problem` then has the code."""
        with self._turn:
            self._has_tried = True
            problem = self._bring()
            try:
                self._take_up()
            except TalentsealError as error:
                problem = problem or error.code
            self._failures = self._failures + 1 if problem else 0
            self.last_problem = problem
            return problem is None

    def pause_seconds(self) -> float:
        """Until the next synchronisation: the interval, or less after a failure."""
        pause = self._every
        if self._failures:
            pause = min(pause, FIRST_RETRY_SECONDS * 2 ** min(self._failures - 1, 16))
        return pause * (1 - _SPREAD + 2 * _SPREAD * self._spread())

    def _run(self) -> None:
        while not self._ended.wait(self.pause_seconds() if self._has_tried else 0):
            self.refresh_now()

    def _bring(self) -> str | None:
        """A new set into the folder. The code of what went wrong, if something did."""
        try:
            with open_source(self._source) as source:
                changes = synchronise(
                    self._home, _Stoppable(source, self._ended), self._pin, now=self._clock()
                )
        except TalentsealError as error:
            return error.code
        except Exception:  # noqa: BLE001  the outermost door of a thread
            return "INTERNAL_ERROR"
        return next((change.refused for change in changes if change.refused), None)

    def _take_up(self) -> None:
        """Load the set in force if it is another one. Raises UnavailableError."""
        mark = mark_of(self._home)
        if mark == self._seen:
            return
        bundle = open_bundle(self._home)
        if bundle.fault:
            raise UnavailableError("the stored trust data is damaged", code=bundle.fault)
        self._bundle, self._seen = bundle, mark


class _Stoppable:
    """A source that gives no further file once the verifier is stopping."""

    def __init__(self, source: Source, ended: threading.Event) -> None:
        self._source, self._ended = source, ended

    def read(self, name: str) -> Iterator[bytes]:
        if self._ended.is_set():
            raise UnavailableError("the verifier is stopping")
        yield from self._source.read(name)

    def offers(self, code: str) -> bool:
        return self._source.offers(code)

    def jurisdictions(self) -> Sequence[str]:
        return self._source.jurisdictions()
