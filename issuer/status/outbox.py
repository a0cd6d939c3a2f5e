"""Orders on their way to the registry: over HTTP where it has an address, else by a shared folder.

An order is stored with its act and delivered afterwards, in order, as often as it takes: the
registry knows an order that it has had. What cannot be delivered waits; `Carrier` tries again, with
longer and longer rests, and at once when there is a new act. An order that the registry refuses
keeps nobody behind it waiting; one that was made while the clock was ahead is signed anew
(`issuer.status.ordering`). The registry proves by the order's own
signature who sent it; no password travels.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Column, func, select, update

from issuer.database import outbox, reading, transaction
from issuer.office import Office
from issuer.status.ordering import is_ahead, is_beyond, sign_anew
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
REASON = ".jws.json"  # how the file of the reason is named after its order
MAX_REASON_BYTES = 64 * 1024
FORGOTTEN = "NOT_FOUND"  # how the registry refuses an order for indices that it does not know
FORGOTTEN_HINT = "It knows indices of ours no more, as after a restore of it. Run: issuer resend"
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
    sent, kept = _carry(office, now=now, fetcher=fetcher)
    _tell_kept(kept)
    return sent


def _carry(
    office: Office, *, now: datetime, fetcher: Fetcher | None = None
) -> tuple[list[str], list[TalentsealError]]:
    """The same; also why single orders could not be sent, which keeps no other waiting."""
    url, last = registry_url(), 0
    sent, kept = list[str](), list[TalentsealError]()
    while waiting := _waiting(office, last):
        last = waiting[-1].seq
        if url is None:
            make_folder(office)
            sent += _deliver_each(office, waiting, lambda row: _leave(office, row, now), now, kept)
            continue
        with fetcher or fetcher_from_settings(keep=True) as calls:
            sent += _deliver_each(
                office, waiting, lambda row: post_order(calls, url, row), now, kept
            )
    return sent, kept


def _tell_kept(kept: Sequence[TalentsealError]) -> None:
    """Raises UnavailableError where an order could not be sent."""
    refused = _refusals(kept)
    if refused:
        forgotten = FORGOTTEN_HINT if FORGOTTEN in refused else ""
        raise UnavailableError(
            f"the registry refused {len(refused)} orders, the first of them: {refused[0]}",
            hint=forgotten
            or "Is a clock wrong, or was a database restored? See docs/operate.md:"
            " Orders that are not done; Backup and restore.",
        )
    if kept:
        raise UnavailableError(
            f"{len(kept)} orders cannot be signed anew: {kept[0].message}", hint=kept[0].hint
        )


def _refusals(kept: Sequence[TalentsealError]) -> list[str]:
    """The registry's codes."""
    return [error.code for error in kept if isinstance(error, RefusedError)]


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
    kept: list[TalentsealError],
) -> list[str]:
    """The identifiers of those that the registry has now; why it lacks others goes to `kept`."""
    sent: list[str] = []
    for row in waiting:
        if not _is_sent(office, row, send, now, kept):
            continue
        with transaction(office.engine) as db:
            db.execute(
                update(outbox).where(outbox.c.jti == row.jti).values(delivered_at=to_seconds(now))
            )
        sent.append(row.jti)
    return sent


def _is_sent(
    office: Office,
    row: Any,
    send: Callable[[Any], None],
    now: datetime,
    kept: list[TalentsealError],
) -> bool:
    """Send one order, signed anew first where its time lies ahead, or once its number does."""
    if is_ahead(row, now):
        row = _anew(office, row, now, kept)
    for may_renumber in (True, False):
        if row is None:
            return False
        try:
            send(row)
        except RefusedError as error:
            if not (may_renumber and error.code == "REQUEST_INVALID" and is_beyond(row.seq, now)):
                kept.append(error)
                return False
            row = _anew(office, row, now, kept, renumber=True)
        else:
            return True
    return False


def _anew(
    office: Office,
    row: Any,
    now: datetime,
    kept: list[TalentsealError],
    *,
    renumber: bool = False,
) -> Any:
    """The order signed anew; None where that cannot be done now, or need not any more."""
    try:
        return sign_anew(office, row, now=now, renumber=renumber)
    except (InputError, UnavailableError, UsageError) as error:
        kept.append(error)
        return None


def put_aside(office: Office, column: Column[Any] = outbox.c.jti, ending: str = "") -> list[str]:
    """The codes by which the registry has put aside orders of ours in the shared folder.

    column, ending  what other documents of ours are named by, and how their names end before .jws
    """
    folder = office.orders / REFUSED
    try:
        names = sorted(path.stem for path in folder.glob(f"*{ending}.jws"))[:_AT_ONCE]
    except OSError:  # the folder is the registry's own
        return []
    with reading(office.engine) as db:
        stems = [name.removesuffix(ending) for name in names]
        ours = db.execute(select(column).where(column.in_(stems))).scalars().all()
    return [_reason(office, f"{one}{ending}") for one in ours]


def _reason(office: Office, stem: str) -> str:
    """The code that the registry has left beside a document that it put aside."""
    try:
        path = office.orders / REFUSED / f"{stem}{REASON}"
        found = parse_json(read_bounded(path, MAX_REASON_BYTES)).get("code")
    except (InputError, UnavailableError):
        found = None
    return _known(found) or "no reason given"


def _leave(office: Office, row: Any, now: datetime) -> None:
    """Leave an order in the folder. Raises RefusedError for one whose number was refused there."""
    if is_beyond(row.seq, now):
        code = _reason(office, row.jti)
        if code == "REQUEST_INVALID":
            raise RefusedError(f"the registry refused: {code}", code=code)
    leave(office, row.jti, row.order_jws)


def leave(office: Office, stem: str, jws: str) -> None:
    """Leave a signed document in the shared folder. Raises UnavailableError."""
    for ending in (".jws", REASON):  # of an earlier attempt
        with suppress(OSError):
            (office.orders / REFUSED / f"{stem}{ending}").unlink()
    write_atomic(office.orders / f"{stem}.jws", jws.encode(), mode=0o644)


def make_folder(office: Office) -> None:
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


def post_held(fetcher: Fetcher, url: str, jws: str) -> bool:
    """Show the registry a block of ours; whether it had forgotten it. Raises as `post_order`."""
    state = _posted(fetcher, f"{url}/v1/status/blocks/held", jws).get("state")
    if state not in ("taken back", "known"):
        raise UnavailableError("the registry's answer to a block is none")
    return bool(state == "taken back")


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


class Backlog(NamedTuple):
    """How many orders wait, and the ages of the oldest and the newest of those acts in seconds."""

    waiting: int
    oldest: int
    newest: int


def backlog(office: Office, *, now: datetime) -> Backlog:
    """What waits. An age is below zero where an act was made while the clock was ahead."""
    made_at = outbox.c.made_at
    wanted = select(func.count(), func.min(made_at), func.max(made_at))
    with reading(office.engine) as db:
        count, first, last = db.execute(wanted.where(outbox.c.delivered_at.is_(None))).one()
    if first is None:
        return Backlog(count, 0, 0)
    return Backlog(count, to_seconds(now) - first, to_seconds(now) - last)


class Carrier:
    """Delivers again and again; after a failure it rests longer each time.

    It belongs to one background job and is never run twice at once.

    steady   seconds of a clock that nobody sets: a rest is no longer for a leap of the other one

    refused  the registry's codes for orders that it refused when last asked
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
        self.refused: Sequence[str] = ()

    def called(self) -> None:
        """There is a new order: try without waiting for the rest to end, once."""
        self._new = True

    def run(self) -> None:
        """One attempt, unless it is time to rest. Raises what `deliver` raises."""
        if self._steady() < self._until and not self._new:
            return
        self._new = False
        try:
            _, kept = _carry(self._office, now=self._clock())
            self.refused = _refusals(kept)
            _tell_kept(kept)
        except TalentsealError:
            self._rest = min(max(FIRST_REST_SECONDS, self._rest * 2), LONGEST_REST_SECONDS)
            self._until = self._steady() + self._rest
            raise
        self._rest, self._until = 0, 0.0
