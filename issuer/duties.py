"""What a running issuer does by itself: carry orders, top up indices, renew trust, erase claims."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from issuer.authorization.service import forget as forget_tokens
from issuer.custody.service import bring_trust
from issuer.database import idempotency, transaction
from issuer.issuances.service import forget
from issuer.office import TRUST_SOURCE, Office
from issuer.status.blocks import top_up
from issuer.status.outbox import Carrier
from talentseal.commandline import setting
from talentseal.encoding import from_seconds, to_seconds
from talentseal.errors import TalentsealError
from talentseal.service.app import Service
from talentseal.service.database import forget_erased
from talentseal.service.erasing import CautiousClock
from talentseal.service.idempotency import forget_answers
from talentseal.service.jobs import Repeating
from talentseal.trustdb import mark_of

OUTBOX, BLOCKS, TRUST, RETENTION = "outbox", "blocks", "trust", "retention"
_OUTBOX_SECONDS = 2.0  # between looks; after a failure the carrier itself rests longer
_BLOCKS_SECONDS = 10.0
_LOOK_SECONDS = 2.0  # at the trust data that is held, which a command may have brought
_TRUST_SECONDS, _TRUST_RETRY_SECONDS = 300, 30  # between two synchronisations; after a failure
_RETENTION_SECONDS = 300.0


class Duties:
    """The background jobs of one issuer."""

    def __init__(
        self,
        office: Office,
        clock: Callable[[], datetime],
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._office, self._clock = office, clock
        self._cautious = CautiousClock(steady)
        self._carrier = Carrier(office, clock)
        self._held: object = None  # the state of the trust data last taken up; none is yet
        self._bring_at = 0  # NumericDate; the source is asked from then on
        self._jobs: dict[str, Repeating] = {}

    def jobs(self, service: Service) -> Sequence[Repeating]:
        """The jobs, new for each start of the application."""
        work: Sequence[tuple[str, Callable[[], object], float]] = (
            (OUTBOX, self._carrier.run, _OUTBOX_SECONDS),
            (BLOCKS, self.store_indices, _BLOCKS_SECONDS),
            (TRUST, self.renew_trust, _LOOK_SECONDS),
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

    def refused(self) -> Sequence[str]:
        """The registry's codes for orders that it refused when last asked."""
        return self._carrier.refused

    def erase(self) -> None:
        """What nobody needs any more: claims, offers, tokens, nonces, answers to be repeated."""
        before = self._cautious.believed(to_seconds(self._clock()), proven=self._proven())
        moment = from_seconds(before)
        forget(self._office, now=moment)
        with transaction(self._office.engine) as db:
            forget_tokens(db, now=moment)
            forget_answers(db, idempotency, now=before)
        forget_erased(self._office.engine)

    def _proven(self) -> int | None:
        """What trust data prove of the time; None without: claims are erased all the same."""
        try:
            bundle = self._office.bundle
        except TalentsealError:
            return None
        held = bundle.jurisdictions.get(bundle.home)
        return held.as_of if held else None

    def store_indices(self) -> None:
        """Keep enough status indices in store."""
        top_up(self._office, now=self._clock())

    def renew_trust(self) -> None:
        """Bring the trust data when it is time to; take up what is there, whoever brought it."""
        try:
            self._bring()
        finally:
            held = mark_of(self._office.trust)
            if held != self._held:
                self._held = held
                self._office.renew()

    def _bring(self) -> None:
        """From the source, if one is set, once the issuer is enrolled and its root is known."""
        source, moment = setting(TRUST_SOURCE), self._clock()
        now = to_seconds(moment)
        is_early = self._bring_at - _TRUST_SECONDS <= now < self._bring_at  # by a steady clock
        if source is None or is_early or not self._office.is_enrolled():
            return
        self._bring_at = now + _TRUST_RETRY_SECONDS
        bring_trust(self._office, source=source, now=moment)
        self._bring_at = now + _TRUST_SECONDS
