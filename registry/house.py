"""A registry that serves: one open office, the shelf of what is published, the publisher.

Endpoints ask it for a view of the office for the present act, and tell it what must be published.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from registry.issuers.enrolling import forget_requests
from registry.office import Office
from registry.publishing.publisher import ACTOR, TICK_SECONDS, Publisher
from registry.publishing.service import Published
from registry.publishing.shelf import Shelf
from registry.status_lists.models import StatusListRow
from registry.status_lists.orders import Outcome
from registry.status_lists.tokens import Reader
from registry.tables import idempotency
from talentseal.commandline import setting
from talentseal.encoding import MAX_LIST_BYTES, from_seconds, to_seconds
from talentseal.errors import InputError, UnavailableError
from talentseal.fetch import fetcher_from_settings
from talentseal.service.app import Service
from talentseal.service.erasing import CautiousClock
from talentseal.service.idempotency import forget_answers
from talentseal.service.jobs import Repeating

REGISTRY_URL = "TALENTSEAL_REGISTRY_URL"
FORGET_SECONDS = 600.0  # several looks at the clock within an hour
MEDIA_TYPES = {"jwt": "application/statuslist+jwt", "cwt": "application/statuslist+cwt"}
Clock = Callable[[], datetime]


class House:
    """What the endpoints of one registry share."""

    def __init__(
        self,
        office: Office,
        clock: Clock,
        shelf: Shelf,
        service: Service,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.office, self.clock, self.shelf, self._service = office, clock, shelf, service
        self._cautious = CautiousClock(steady)
        self.reader = public_reader()
        self.publisher = Publisher(
            office, clock, reader=self.reader, told=self._published, taken=self._filed
        )
        metrics = service.metrics
        self._publications = metrics.count("publications", "Publications.", "jurisdiction")
        self._orders = metrics.count("orders", "Status orders by what became of them.", "state")

    def view(self, actor: str = ACTOR) -> Office:
        """The office for an act of this moment."""
        return self.office.at(self.clock(), actor=actor)

    def jobs(self) -> Sequence[Repeating]:
        """The background jobs, new for each start of the application."""
        publisher = self._service.job("publisher", self.publisher.run, every_seconds=TICK_SECONDS)
        self.publisher.wake = publisher.wake
        forget = self._service.job("retention", self._forget, every_seconds=FORGET_SECONDS)
        return publisher, forget

    def _forget(self) -> None:
        """What nobody needs any more: requests without an answer, answers to be repeated."""
        believed = self._cautious.believed(to_seconds(self.clock()))
        office = self.office.at(from_seconds(believed), actor=ACTOR)
        forget_requests(office)
        with office.transaction() as session:
            forget_answers(session, idempotency, now=believed)

    def ordered(self, jurisdiction: str, state: str) -> None:
        """An order of an issuer of that jurisdiction is on record."""
        self._orders.labels(state).inc()
        self.publisher.ordered(jurisdiction)

    def _published(self, one: Published, seconds: float) -> None:
        self._publications.labels(one.jurisdiction).inc()
        self._service.log.info(
            "published", jurisdiction=one.jurisdiction, version=one.versions["timestamp"],
            duration_ms=round(1000 * seconds, 1),
        )  # fmt: skip

    def _filed(self, outcome: Outcome) -> None:
        self._orders.labels(outcome.state).inc()
        if outcome.code:
            self._service.log.warning("order refused", code=outcome.code)


def public_reader() -> Reader | None:
    """Reads a status list through the address that everybody uses, if there is one.

    Raises UsageError for a setting that makes no sense.
    """
    base = setting(REGISTRY_URL)
    if base is None:
        return None
    fetcher = fetcher_from_settings()

    def read(one: StatusListRow, form: str, _digest: str) -> bytes:
        url = f"{base.rstrip('/')}/status/{one.id}"
        try:
            answer = fetcher.get(url, accept=MEDIA_TYPES[form], max_bytes=MAX_LIST_BYTES)
        except InputError as error:
            raise UnavailableError(
                f"the list {one.id} cannot be read in public",
                code="STATUS_LIST_UNPUBLISHED",
                hint=f"Does {REGISTRY_URL} lead here?",
            ) from error
        return answer.document

    return read
