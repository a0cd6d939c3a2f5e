"""What a running issuer does by itself: carry orders, top up indices, renew trust, erase claims."""

from collections.abc import Callable, Sequence
from datetime import datetime

from issuer.authorization.service import forget as forget_tokens
from issuer.custody.service import bring_trust
from issuer.database import transaction
from issuer.issuances.service import forget
from issuer.office import TRUST_SOURCE, Office
from issuer.status.blocks import top_up
from issuer.status.outbox import Carrier
from talentseal.commandline import setting
from talentseal.service.app import Service
from talentseal.service.jobs import Repeating

OUTBOX, BLOCKS, TRUST, RETENTION = "outbox", "blocks", "trust", "retention"
_OUTBOX_SECONDS = 2.0  # between looks; after a failure the carrier itself rests longer
_BLOCKS_SECONDS = 60.0
_TRUST_SECONDS = 300.0
_RETENTION_SECONDS = 300.0


class Duties:
    """The background jobs of one issuer."""

    def __init__(self, office: Office, clock: Callable[[], datetime]) -> None:
        self._office, self._clock = office, clock
        self._carrier = Carrier(office, clock)
        self._jobs: dict[str, Repeating] = {}

    def jobs(self, service: Service) -> Sequence[Repeating]:
        """The jobs, new for each start of the application."""
        work: Sequence[tuple[str, Callable[[], object], float]] = (
            (OUTBOX, self._carrier.run, _OUTBOX_SECONDS),
            (BLOCKS, self.store_indices, _BLOCKS_SECONDS),
            (TRUST, self.renew_trust, _TRUST_SECONDS),
            (RETENTION, self.erase, _RETENTION_SECONDS),
        )
        self._jobs = {
            name: Repeating(
                name, act, every_seconds=every, log=service.log, metrics=service.metrics
            )
            for name, act, every in work
        }
        return tuple(self._jobs.values())

    def ordered(self) -> None:
        """An order has been stored: carry it now."""
        self._carrier.called()
        if OUTBOX in self._jobs:
            self._jobs[OUTBOX].wake()

    def erase(self) -> None:
        """What nobody needs any more: claims, offers, tokens, nonces."""
        now = self._clock()
        forget(self._office, now=now)
        with transaction(self._office.engine) as db:
            forget_tokens(db, now=now)

    def store_indices(self) -> None:
        """Keep enough status indices in store."""
        top_up(self._office, now=self._clock())

    def renew_trust(self) -> None:
        """Bring the trust data from its source, if one is set, and read it afresh in any case."""
        source = setting(TRUST_SOURCE)
        try:
            if source is not None:
                bring_trust(self._office, source=source, now=self._clock())
        finally:
            self._office.renew()
