"""A delivery in flight: waited for, asked for again, judged, and stored whole or not at all.

What an issuer has given and what it has promised stand in the vault with all that it takes to go
on. One command at a time has a delivery in hand: it says so in the vault, by a time before which
nobody else goes on with it, before it asks the issuer for anything. So two commands never ask for
the same thing, and one that was killed is taken over from a minute later. Every answer is
remembered before the next question.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from schemas.openid4vci import CredentialAnswer, TokenAnswer
from talentseal.bundle import Bundle
from talentseal.commandline import note
from talentseal.encoding import from_seconds
from talentseal.errors import (
    InputError,
    ProtocolError,
    RefusedError,
    TalentsealError,
    UsageError,
)
from wallet_cli.calling import Wallet
from wallet_cli.issuance import ask_again, notify, refresh
from wallet_cli.receive import Delivered, Offer, judge_issued, keep, read_item
from wallet_cli.vault import SDJWT, Content, Holding, Pending, Vault

ACCEPTED, FAILURE = "credential_accepted", "credential_failure"
ASKING_SECONDS = 60  # no command takes as long between two questions
_EXPIRES_SOON = 5  # seconds
_CODES = "/codes"  # a second identifier under which an issuer offers codes alone
# Words after which asking again is of no use.
_FINAL = frozenset(
    ("invalid_transaction_id", "credential_request_denied", "invalid_token", "invalid_grant")
)


class Taker(NamedTuple):
    """Where things go, and by what they are judged."""

    vault: Vault
    bundle: Bundle
    wallet: Wallet
    lang: str
    sleep: Callable[[float], None]


class Taken(NamedTuple):
    """What was stored, or what is still to come."""

    holdings: list[Holding]
    pending: Pending | None


class Failed(NamedTuple):
    """A delivery that another command can go on with, or that has ended, and why."""

    pending: Pending
    error: TalentsealError


# --- going on -------------------------------------------------------------------------------------


def resume(wanted: str | None, taker: Taker, wait: int) -> tuple[list[Taken], list[Failed]]:
    """Ask again for what issuers promised; one that fails keeps none of the others.

    Raises UsageError where nothing of the kind is known.
    """
    found = [
        entry
        for entry in taker.vault.read().pending
        if entry.id.startswith(wanted or "") and is_begun(entry)
    ]
    if not found:
        raise _nothing_waits()
    taken: list[Taken] = []
    failed: list[Failed] = []
    for pending in found:
        try:
            taken.append(settle(pending.id, taker, wait))
        except TalentsealError as error:
            failed.append(Failed(pending, error))
    return taken, failed


def give_up(wanted: str, vault: Vault) -> Pending:
    """Wait no longer for what an issuer promised: its keys are free again. Raises UsageError."""
    found = [entry for entry in vault.read().pending if wanted and entry.id.startswith(wanted)]
    if len(found) != 1:
        raise _nothing_waits()
    with vault.change() as content:
        end(content, found[0])
    return found[0]


def _nothing_waits() -> UsageError:
    return UsageError("nothing is waited for", code="NOT_FOUND", hint="See `wallet receive`.")


def settle(wanted: str, taker: Taker, wait: int) -> Taken:
    """Wait as long as allowed; store what came, or tell what is known of what will.

    Raises RefusedError where another command has ended it, and what asking and judging raise.
    """
    patience = wait
    while True:
        pending, is_ours = _take_up(taker.vault, wanted, taker.wallet.clock())
        if is_ours:
            with _in_hand(taker.vault, wanted):
                if not pending.waiting:
                    return Taken(_store(pending, taker), None)
                save(taker.vault, _poll(pending, taker))
            continue
        pause = max(pending.again_at - taker.wallet.clock(), 0)
        if pause > patience:
            return Taken([], pending)
        taker.sleep(pause)
        patience -= max(pause, 1)


def _take_up(vault: Vault, wanted: str, now: int) -> tuple[Pending, bool]:
    """A delivery as it is now, and whether it is ours to go on with from here."""
    with vault.change() as content:
        pending = _find(content, wanted)
        if pending.again_at > now:
            return pending, False
        _swap(content, held(pending, now))
    return replace(pending, again_at=0), True


@contextmanager
def _in_hand(vault: Vault, wanted: str) -> Iterator[None]:
    """Whoever breaks off lets others go on at once."""
    try:
        yield
    except BaseException:
        leave(vault, wanted)
        raise


def _poll(pending: Pending, taker: Taker) -> Pending:
    """Ask once for every transaction; one that will come to nothing is given up alone."""
    wallet, waiting = taker.wallet, pending.waiting
    try:
        pending = _refreshed(pending, taker)
    except ProtocolError as refusal:
        return _without(replace(pending, waiting=()), refusal, taker)
    pending = replace(pending, waiting=(), again_at=0)
    for at, entry in enumerate(waiting):
        left = waiting[at + 1 :]
        kind = {name: entry[name] for name in entry if name != "transaction_id"}
        try:
            transaction = entry["transaction_id"]
            answer = ask_again(pending.deferred_endpoint, transaction, pending.token, wallet)
        except ProtocolError as refusal:
            whole = replace(pending, waiting=[*pending.waiting, *left])
            _without(whole, refusal, taker)
        else:
            pending = with_answer(pending, answer, kind, wallet.clock())
        whole = replace(pending, waiting=[*pending.waiting, *left])
        save(taker.vault, held(whole, wallet.clock()))
    return pending


def _without(left: Pending, refusal: ProtocolError, taker: Taker) -> Pending:
    """What is left of a delivery after an issuer's last word on a part of it.

    Raises the refusal where it is not the last word, or nothing is left.
    """
    if refusal.error not in _FINAL:
        raise refusal
    if not is_begun(left):
        _forget(taker.vault, left)
        raise refusal
    note(f"The issuer will not deliver all of it: {refusal.message}")
    return left


def _refreshed(pending: Pending, taker: Taker) -> Pending:
    """The same with a token that is still good, where the issuer gave the means.

    Remembered at once: an issuer may have ended the old means with it (RFC 9700 §4.14.2).
    """
    now = taker.wallet.clock()
    ended = pending.token_until is not None and pending.token_until <= now + _EXPIRES_SOON
    if not ended or pending.refresh_token is None:
        return pending
    token = refresh(pending.token_endpoint, pending.refresh_token, taker.wallet)
    fresh = with_token(pending, token, now)
    save(taker.vault, held(fresh, now))
    return fresh


# --- what stands in the vault ---------------------------------------------------------------------


def is_begun(pending: Pending) -> bool:
    """Whether the issuer has given or promised anything yet."""
    return bool(pending.waiting or pending.arrived)


def with_token(pending: Pending, token: TokenAnswer, now: int) -> Pending:
    """The same with what an issuer gave to ask with."""
    return replace(
        pending,
        token=token.access_token,
        token_until=None if token.expires_in is None else now + token.expires_in,
        refresh_token=token.refresh_token or pending.refresh_token,
    )


def with_answer(
    pending: Pending, answer: CredentialAnswer, kind: Mapping[str, str], now: int
) -> Pending:
    """What is in flight, after one more answer."""
    if answer.transaction_id is not None and answer.interval is not None:
        later = {"transaction_id": answer.transaction_id, **kind}
        again = max(pending.again_at, now + answer.interval)
        return replace(pending, waiting=[*pending.waiting, later], again_at=again)
    come = [{**kind, "credential": entry.credential} for entry in answer.credentials or ()]
    named = [answer.notification_id] if answer.notification_id else []
    return replace(
        pending,
        arrived=[*pending.arrived, *come],
        notifications=[*pending.notifications, *named],
    )


def held(pending: Pending, now: int) -> Pending:
    """The same in this command's hand, for the time of one more question."""
    return replace(pending, again_at=now + ASKING_SECONDS)


def save(vault: Vault, pending: Pending) -> None:
    """Remember what became of a delivery. Raises RefusedError where it was ended meanwhile."""
    with vault.change() as content:
        _swap(content, pending)


def leave(vault: Vault, wanted: str) -> bool:
    """Ask for nothing more; whether something has come already, which is left for `resume`."""
    with vault.change() as content:
        for pending in [entry for entry in content.pending if entry.id == wanted]:
            if is_begun(pending):
                _swap(content, replace(pending, again_at=0))
                return True
            end(content, pending)
    return False


def end(content: Content, pending: Pending) -> None:
    """Nothing stays of a delivery: neither its keys nor what was promised."""
    content.drop_keys(pending.kids)
    content.pending = [entry for entry in content.pending if entry.id != pending.id]


def _find(content: Content, wanted: str) -> Pending:
    for pending in content.pending:
        if pending.id == wanted:
            return pending
    raise RefusedError(
        "another command has taken this delivery, or given it up",
        code="STATE_CONFLICT",
        hint="See `wallet list`.",
    )


def _swap(content: Content, pending: Pending) -> None:
    before = _find(content, pending.id)
    content.pending = [*(entry for entry in content.pending if entry is not before), pending]


def _forget(vault: Vault, pending: Pending) -> bool:
    """End a delivery; whether it was still there."""
    with vault.change() as content:
        was_there = any(entry.id == pending.id for entry in content.pending)
        end(content, pending)
    return was_there


# --- judging and keeping --------------------------------------------------------------------------


def _store(pending: Pending, taker: Taker) -> list[Holding]:
    """Judge everything, store it, tell the issuer. Raises InputError, RefusedError."""
    try:
        with taker.vault.change() as content:
            _find(content, pending.id)
            judged = _judge(pending, content, taker)
            for offer, holding in judged:
                keep(content, offer, holding)
            end(content, pending)
    except (InputError, RefusedError) as error:
        if _forget(taker.vault, pending):
            _tell(pending, FAILURE, taker.wallet)
            error.hint = error.hint or "Nothing was stored. Ask the issuer what went wrong."
        raise
    _tell(pending, ACCEPTED, taker.wallet)
    return [holding for _, holding in judged]


def _judge(pending: Pending, content: Content, taker: Taker) -> list[tuple[Offer, Holding]]:
    ours = [key for key in content.keys if key.kid in pending.kids]
    arrived = sorted(pending.arrived, key=lambda entry: entry["format"] != SDJWT)
    return judge_issued(
        [Delivered(read_item(entry), entry["vct"], entry.get("request", "")) for entry in arrived],
        _sealed_by(pending.issuer),
        Content(keys=ours, holdings=content.holdings),
        taker.bundle,
        now=from_seconds(taker.wallet.clock()),
        lang=taker.lang,
    )


def _sealed_by(issuer: str) -> str | None:
    """The body that must have sealed what this issuer delivers; in development it may differ."""
    return issuer.removesuffix(_CODES) if issuer.startswith("https://") else None


def _tell(pending: Pending, event: str, wallet: Wallet) -> None:
    notify(pending.notification_endpoint, pending.notifications, event, pending.token, wallet)
