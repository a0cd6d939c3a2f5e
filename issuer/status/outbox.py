"""Orders on their way to the registry: over HTTP where it has an address, else by a shared folder.

An order is stored with its act and delivered afterwards, in order, as often as it takes: the
registry knows an order that it has had. What cannot be delivered waits; `Carrier` tries again, with
longer and longer rests, and at once when there is a new act. The registry proves by the order's own
signature who sent it; no password travels.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select, update

from issuer.database import outbox, reading, transaction
from issuer.office import Office
from schemas.registry import MAX_BLOCK
from talentseal.commandline import setting
from talentseal.encoding import parse_json, to_seconds
from talentseal.errors import InputError, TalentsealError, UnavailableError, UsageError
from talentseal.fetch import Answer, Fetcher, fetcher_from_settings
from talentseal.files import write_atomic

REGISTRY_URL = "TALENTSEAL_REGISTRY_URL"
JOSE = "application/jose"
MAX_ANSWER_BYTES = 1024 * 1024
MAX_ANSWER_MEMBERS = MAX_BLOCK + 16
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 1, 300
_AT_ONCE = 200
_ANSWERS = ("application/json", "application/problem+json")


def registry_url() -> str | None:
    """Where the registry listens, if orders go there over HTTP. Raises UsageError."""
    url = setting(REGISTRY_URL)
    if url is None:
        return None
    if urlsplit(url).scheme not in ("https", "http"):
        raise UsageError(f"{REGISTRY_URL} is no address", hint="Such as https://registry.example")
    return url.rstrip("/")


def deliver(office: Office, *, now: datetime, fetcher: Fetcher | None = None) -> list[str]:
    """Send every order that is still here, oldest first; twice does no harm.

    Returns the identifiers of the orders. Raises UnavailableError for what must wait; what was
    delivered stays so.
    """
    url, sent = registry_url(), list[str]()
    while waiting := _waiting(office):
        if url is None:
            _make_folder(office)
            _deliver_each(office, waiting, lambda row: _leave(office, row), now)
        else:
            with fetcher or fetcher_from_settings(keep=True) as calls:
                _deliver_each(office, waiting, lambda row: post_order(calls, url, row), now)
        sent += [row.jti for row in waiting]
    return sent


def _waiting(office: Office) -> Sequence[Any]:
    wanted = select(outbox).where(outbox.c.delivered_at.is_(None)).order_by(outbox.c.seq)
    with reading(office.engine) as db:
        return db.execute(wanted.limit(_AT_ONCE)).all()


def _deliver_each(
    office: Office, waiting: Sequence[Any], send: Callable[[Any], None], now: datetime
) -> None:
    for row in waiting:
        send(row)
        with transaction(office.engine) as db:
            db.execute(
                update(outbox).where(outbox.c.seq == row.seq).values(delivered_at=to_seconds(now))
            )


def _leave(office: Office, row: Any) -> None:
    write_atomic(office.orders / f"{row.jti}.jws", row.order_jws.encode(), mode=0o644)


def _make_folder(office: Office) -> None:
    try:
        office.orders.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"the exchange folder {office.orders} cannot be made ({error.strerror})"
        ) from error


def post_order(fetcher: Fetcher, url: str, row: Any) -> None:
    """Hand one order to the registry. Raises UnavailableError unless it has it afterwards."""
    document = post_signed(fetcher, f"{url}/v1/status/orders", row.order_jws)
    if document.get("state") not in ("applied", "known") or document.get("seq") != row.seq:
        raise UnavailableError("the registry's answer to an order is none")


def post_signed(fetcher: Fetcher, url: str, jws: str) -> dict[str, Any]:
    """Post a signed document; the registry's JSON answer. Raises UnavailableError."""
    try:
        answer = fetcher.post(
            url, accept=_ANSWERS, max_bytes=MAX_ANSWER_BYTES, body=jws.encode(), content_type=JOSE
        )
        if answer.status >= 400:
            raise UnavailableError(f"the registry refused: {_code(answer)}")
        document: dict[str, Any] = parse_json(
            answer.document, max_bytes=MAX_ANSWER_BYTES, max_members=MAX_ANSWER_MEMBERS
        )
    except InputError as error:
        raise UnavailableError("the registry's answer cannot be read", code=error.code) from error
    return document


def _code(answer: Answer) -> str:
    """The reason code of a refusal, if it holds one of ours."""
    try:
        code = parse_json(answer.body).get("code")
    except InputError:
        code = None
    if isinstance(code, str) and code.isascii() and code.replace("_", "").isalpha():
        return code[:60]
    return str(answer.status)


def backlog(office: Office, *, now: datetime) -> tuple[int, int]:
    """How many orders wait, and how many since when: the age of the oldest act in seconds."""
    wanted = select(func.count(), func.min(outbox.c.made_at)).where(outbox.c.delivered_at.is_(None))
    with reading(office.engine) as db:
        count, oldest = db.execute(wanted).one()
    return count, to_seconds(now) - oldest if count and oldest is not None else 0


class Carrier:
    """Delivers again and again; after a failure it rests longer each time.

    It belongs to one background job and is never run twice at once.
    """

    def __init__(self, office: Office, clock: Callable[[], datetime]) -> None:
        self._office, self._clock = office, clock
        self._rest, self._until, self._new = 0, 0, False

    def called(self) -> None:
        """There is a new order: try without waiting for the rest to end, once."""
        self._new = True

    def run(self) -> None:
        """One attempt, unless it is time to rest. Raises what `deliver` raises."""
        now = self._clock()
        if to_seconds(now) < self._until and not self._new:
            return
        self._new = False
        try:
            deliver(self._office, now=now)
        except TalentsealError:
            self._rest = min(max(FIRST_REST_SECONDS, self._rest * 2), LONGEST_REST_SECONDS)
            self._until = to_seconds(now) + self._rest
            raise
        self._rest = self._until = 0
