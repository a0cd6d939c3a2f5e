"""Numbers for Prometheus: what was asked, how long it took, how old the data is.

Labels come from fixed sets only (route templates, methods, statuses): nothing that a caller writes
becomes a label. A gauge may be a function that is asked when the numbers are read.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"


class Metrics:
    """The numbers of one service; each has a registry of its own, so that tests do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "talentseal_requests", "Requests answered.", ["method", "route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "talentseal_request_seconds", "Seconds to the answer.", ["route"],
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.running = Gauge(
            "talentseal_requests_running", "Requests at work.", registry=self.registry
        )
        self.jobs = Counter(
            "talentseal_job_runs", "Background runs.", ["job", "outcome"], registry=self.registry
        )

        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def gauge(self, name: str, about: str, ask: Callable[[], float]) -> None:
        """A number that is asked for when somebody reads it. `name` without the prefix."""
        gauge = Gauge(f"talentseal_{name}", about, registry=self.registry)
        gauge.set_function(ask)

    def count(self, name: str, about: str, *labels: str) -> Counter:
        """A counter of the service's own, such as checks by outcome. `name` without the prefix."""
        return Counter(f"talentseal_{name}", about, labels, registry=self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else OTHER
        found = self._answers.get((known, route, status))
        if found is None:  # looked up once: every request comes here
            found = self.requests.labels(known, route, str(status)), self.seconds.labels(route)
            self._answers[known, route, status] = found
        count, seconds_of_route = found
        count.inc()
        seconds_of_route.observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)
