"""Work in the background: something done again and again while a service runs.

A run that fails is logged and counted, and the next one is tried; a failing job never ends the
service and never runs twice at once. `wake` asks for a run now, which is how an act that others
wait for is carried out in seconds although the clock would let it rest. `stop` waits for the run
at work, so that nothing is cut in two.
"""

import threading
from collections.abc import Callable

from talentseal.errors import TalentsealError
from talentseal.service.logs import Log, fault_fields
from talentseal.service.metrics import Metrics

STOP_SECONDS = 30.0


class Repeating:
    """One job of a service, in a thread of its own.

    every_seconds  the rest between two runs; after a failure as well
    run_at_end     one run more when the service stops, for what has come in meanwhile
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        *,
        every_seconds: float,
        log: Log,
        metrics: Metrics,
        run_at_end: bool = False,
    ) -> None:
        self.name, self.problem = name, ""
        self._work, self._every = work, every_seconds
        self._log, self._metrics, self._run_at_end = log, metrics, run_at_end
        self._wake, self._ended = threading.Event(), False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Run soon; several calls while a run is at work lead to one more run."""
        self._wake.set()

    def stop(self) -> None:
        """No further run; returns when the present one has ended."""
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def run_once(self) -> bool:
        """One run; what goes wrong is logged and counted, not raised."""
        try:
            self._work()
        except TalentsealError as error:
            self._tell("failed", code=error.code)
        except Exception as error:  # noqa: BLE001  the outermost door of a thread
            self._tell("faulty", code="INTERNAL_ERROR", **fault_fields(error))
        else:
            self.problem = ""
            self._metrics.jobs.labels(self.name, "done").inc()
            return True
        return False

    def _tell(self, outcome: str, *, code: str, **fields: str) -> None:
        self.problem = code
        self._metrics.jobs.labels(self.name, outcome).inc()
        self._log.warning("job", job=self.name, code=code, **fields)

    def _run(self) -> None:
        while not self._ended:
            self._wake.clear()
            self.run_once()
            if not self._ended:
                self._wake.wait(self._every)
        if self._run_at_end:
            self.run_once()
