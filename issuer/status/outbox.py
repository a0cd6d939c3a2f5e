"""Orders on their way to the registry: over HTTP where it has an address, else by a shared folder.

An order is stored with its act and delivered afterwards, in order, as often as it takes: the
registry knows an order that it has had. What cannot be delivered waits; `Carrier` tries again, with
longer and longer rests, and at once when there is a new act. An order that the registry refuses
keeps nobody behind it waiting. The registry proves by the order's own
signature who sent it; no password travels.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select, update

from issuer.database import outbox, reading, transaction
from issuer.office import Office
from schemas.registry import MAX_BLOCK
from talentseal.commandline import setting
from talentseal.encoding import parse_json, to_seconds
from talentseal.errors import (
    InputError,
    RefusedError,
    TalentsealError,
    UnavailableError,
    UsageError,
)
from talentseal.fetch import Answer, Fetcher, fetcher_from_settings
from talentseal.files import read_bounded, write_atomic

REGISTRY_URL = "TALENTSEAL_REGISTRY_URL"
JOSE = "application/jose"
MAX_ANSWER_BYTES = 1024 * 1024
MAX_ANSWER_MEMBERS = MAX_BLOCK + 16
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 1, 300
REFUSED = "refused"  # below the orders, where the registry puts aside what it cannot take
MAX_REASON_BYTES = 64 * 1024
_AT_ONCE = 200
_FINAL = (400, 403, 404, 409, 422)  # what an order says is refused
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
    url, last = registry_url(), 0
    sent, refused = list[str](), list[RefusedError]()
    while waiting := _waiting(office, last):
        last = waiting[-1].seq
        if url is None:
            _make_folder(office)
            sent += _deliver_each(office, waiting, lambda row: _leave(office, row), now, refused)
            continue
        with fetcher or fetcher_from_settings(keep=True) as calls:
            sent += _deliver_each(
                office, waiting, lambda row: post_order(calls, url, row), now, refused
            )
    if refused:
        raise UnavailableError(
            f"the registry refused {len(refused)} orders, the first of them: {refused[0].code}",
            hint="Was a database restored? See docs/operate.md, Backup and restore; then resend.",
        )
    return sent


def resend(office: Office, *, since: int) -> int:
    """Let orders made since a moment (NumericDate) go out again; how many. Twice does no harm."""
    column = outbox.c
    with transaction(office.engine) as db:
        chosen = column.delivered_at.is_not(None) & (column.made_at >= since)
        return db.execute(update(outbox).where(chosen).values(delivered_at=None)).rowcount


def _waiting(office: Office, last: int) -> Sequence[Any]:
    """Orders behind a number that were not delivered yet."""
    column = outbox.c
    wanted = select(outbox).where(column.delivered_at.is_(None), column.seq > last)
    with reading(office.engine) as db:
        return db.execute(wanted.order_by(column.seq).limit(_AT_ONCE)).all()


def _deliver_each(
    office: Office,
    waiting: Sequence[Any],
    send: Callable[[Any], None],
    now: datetime,
    refused: list[RefusedError],
) -> list[str]:
    """The identifiers of those that the registry has now; refusals are added to `refused`."""
    sent: list[str] = []
    for row in waiting:
        try:
            send(row)
        except RefusedError as error:
            refused.append(error)
            continue
        with transaction(office.engine) as db:
            db.execute(
                update(outbox).where(outbox.c.seq == row.seq).values(delivered_at=to_seconds(now))
            )
        sent.append(row.jti)
    return sent


def put_aside(office: Office) -> list[str]:
    """The codes by which the registry has put aside orders of ours in the shared folder."""
    folder = office.orders / REFUSED
    try:
        names = sorted(path.stem for path in folder.glob("*.jws"))[:_AT_ONCE]
    except OSError:  # the folder is the registry's own
        return []
    with reading(office.engine) as db:
        ours = db.execute(select(outbox.c.jti).where(outbox.c.jti.in_(names))).scalars().all()
    return [_reason(folder / f"{jti}.json") for jti in ours]


def _reason(path: Path) -> str:
    try:
        found = parse_json(read_bounded(path, MAX_REASON_BYTES)).get("code")
    except (InputError, UnavailableError):
        found = None
    return _known(found) or "no reason given"


def _leave(office: Office, row: Any) -> None:
    for ending in ("jws", "json"):  # of an earlier attempt
        with suppress(OSError):
            (office.orders / REFUSED / f"{row.jti}.{ending}").unlink()
    write_atomic(office.orders / f"{row.jti}.jws", row.order_jws.encode(), mode=0o644)


def _make_folder(office: Office) -> None:
    try:
        office.orders.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"the exchange folder {office.orders} cannot be made ({error.strerror})"
        ) from error


def post_order(fetcher: Fetcher, url: str, row: Any) -> None:
    """Hand one order to the registry.

    Raises RefusedError where it is refused for what it says, UnavailableError where the registry
    does not have it afterwards for another reason.
    """
    document = _posted(fetcher, f"{url}/v1/status/orders", row.order_jws)
    if document.get("state") not in ("applied", "known") or document.get("seq") != row.seq:
        raise UnavailableError("the registry's answer to an order is none")
    if document.get("outdated", 0) != 0:
        raise RefusedError(
            "the registry holds later orders that are not of this database", code="STATE_CONFLICT"
        )


def post_signed(fetcher: Fetcher, url: str, jws: str) -> dict[str, Any]:
    """Post a signed document; the registry's JSON answer. Raises UnavailableError."""
    try:
        return _posted(fetcher, url, jws)
    except RefusedError as error:
        raise UnavailableError(error.message, hint=error.hint) from error


def _posted(fetcher: Fetcher, url: str, jws: str) -> dict[str, Any]:
    """The same; raises RefusedError too, for refusals that another try will not change."""
    try:
        answer = fetcher.post(
            url, accept=_ANSWERS, max_bytes=MAX_ANSWER_BYTES, body=jws.encode(), content_type=JOSE
        )
        if answer.status in _FINAL:
            code = _code(answer)
            raise RefusedError(f"the registry refused: {code}", code=code)
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
    return _known(code) or str(answer.status)


def _known(code: object) -> str | None:
    if isinstance(code, str) and code.isascii() and code.replace("_", "").isalpha():
        return code[:60]
    return None


def backlog(office: Office, *, now: datetime) -> tuple[int, int]:
    """How many orders wait, and how many since when: the age of the oldest act in seconds."""
    wanted = select(func.count(), func.min(outbox.c.made_at)).where(outbox.c.delivered_at.is_(None))
    with reading(office.engine) as db:
        count, oldest = db.execute(wanted).one()
    return count, to_seconds(now) - oldest if count and oldest is not None else 0


class Carrier:
    """Delivers again and again; after a failure it rests longer each time.

    It belongs to one background job and is never run twice at once.

    steady  seconds of a clock that nobody sets: a rest is no longer for a leap of the other one
    """

    def __init__(
        self,
        office: Office,
        clock: Callable[[], datetime],
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._office, self._clock, self._steady = office, clock, steady
        self._rest, self._until, self._new = 0, 0.0, False

    def called(self) -> None:
        """There is a new order: try without waiting for the rest to end, once."""
        self._new = True

    def run(self) -> None:
        """One attempt, unless it is time to rest. Raises what `deliver` raises."""
        if self._steady() < self._until and not self._new:
            return
        self._new = False
        try:
            deliver(self._office, now=self._clock())
        except TalentsealError:
            self._rest = min(max(FIRST_REST_SECONDS, self._rest * 2), LONGEST_REST_SECONDS)
            self._until = self._steady() + self._rest
            raise
        self._rest, self._until = 0, 0.0
