"""From an offer to certificates in the vault: asked, delivered, judged, and kept or not.

Fresh keys are made for every delivery, one a copy. What arrives is matched to them by the key that
it names, judged by the one procedure, and stored whole or not at all; the issuer is told which.
What an issuer promises for later is kept with all that it takes to ask again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from schemas.openid4vci import CredentialAnswer, TokenAnswer
from talentseal.bundle import Bundle
from talentseal.commandline import note
from talentseal.encoding import format_time, from_seconds, parse_time, to_seconds
from talentseal.errors import (
    InputError,
    ProtocolError,
    RefusedError,
    TalentsealError,
    UsageError,
)
from talentseal.policy import MAX_AGE_SECONDS
from talentseal.terminal import escape
from wallet_cli.ask import ask_offer, refuse_unattended
from wallet_cli.calling import Wallet
from wallet_cli.issuance import (
    Dataset,
    Plan,
    ask_again,
    ask_for,
    datasets_of,
    fetch_offer,
    get_token,
    make_plan,
    notify,
    refresh,
)
from wallet_cli.receive import Delivered, Offer, judge_issued, keep, read_item
from wallet_cli.vault import SDJWT, Content, Holding, Key, Pending, Vault, signer_of
from wallet_cli.view import list_document, list_text

ACCEPTED, FAILURE = "credential_accepted", "credential_failure"
BROKEN_OFF_SECONDS = 3600  # no issuer takes as long for its first answer
ASKING_SECONDS = 300  # and none for one that comes after others
_CODES = "/codes"  # a second identifier under which an issuer offers codes alone
# Words after which asking again is of no use.
_FINAL = frozenset(
    ("invalid_transaction_id", "credential_request_denied", "invalid_token", "invalid_grant")
)


class Options(NamedTuple):
    """What the command line says.

    wait  seconds for which what is promised for later is waited for
    """

    yes: bool
    tx_code: str | None
    copies: int
    wait: int


class Taker(NamedTuple):
    """Where things go, and by what they are judged."""

    vault: Vault
    bundle: Bundle
    wallet: Wallet
    lang: str
    sleep: Callable[[float], None]


class Taken(NamedTuple):
    """What was stored, or what is still to come."""

    holdings: Sequence[Holding]
    pending: Pending | None


# --- a new offer ----------------------------------------------------------------------------------


def take_offer(link: str, taker: Taker, options: Options) -> Taken:
    """Receive what a link offers.

    Raises UsageError, RefusedError, InputError or UnavailableError. Nothing is stored then; what an
    issuer gave before it failed is kept to be judged by `resume`, since the offer is used up.
    """
    refuse_unattended(yes=options.yes, action="an issuer is asked")
    wallet = taker.wallet
    _check_trust(taker.bundle, now=wallet.clock())
    plan = make_plan(fetch_offer(link, wallet), wallet)
    copies = min(options.copies, plan.batch_size)
    if copies < options.copies:
        note(f"The issuer makes at most {copies} at once.")
    tx_code = ask_offer(
        plan, taker.bundle, copies=copies, tx_code=options.tx_code, yes=options.yes,
        lang=taker.lang, dev=wallet.dev,
    )  # fmt: skip
    _check_room(taker, sum(_counts([one.format for one in plan.wanted], copies)))
    token = get_token(plan, tx_code, wallet)
    datasets = datasets_of(plan, token)
    pending, keys = _begin(taker, plan, [one.wanted.format for one in datasets], copies, token)
    try:
        pending = _ask_for_all(plan, list(zip(datasets, keys, strict=True)), pending, taker)
    except BaseException as error:
        if not _leave(taker.vault, pending.id):  # whoever breaks off leaves no keys behind
            raise
        if isinstance(error, TalentsealError):
            error.hint = f"What came before is kept; go on: wallet receive --resume {pending.id}"
        raise
    _save(taker.vault, pending)
    return _settle(pending, taker, options.wait)


def _counts(formats: Sequence[str], copies: int) -> list[int]:
    """How many keys each thing on offer needs: only wallet credentials come in several copies."""
    return [copies if form == SDJWT else 1 for form in formats]


def _check_room(taker: Taker, count: int) -> None:
    """An offer is good once: it is not used up while there is no room for its keys."""
    with taker.vault.change() as content:
        _sweep(content, now=taker.wallet.clock())
        content.check_room(count)


def _sweep(content: Content, *, now: int) -> None:
    """Give up deliveries that were broken off long ago before the issuer said anything."""
    for pending in content.pending:
        is_empty = not pending.waiting and not pending.arrived
        if is_empty and to_seconds(parse_time(pending.asked)) < now - BROKEN_OFF_SECONDS:
            _end(content, pending)


def _check_trust(bundle: Bundle, *, now: int) -> None:
    """An offer is good once: it is not used up while nothing that arrives could be judged."""
    home = bundle.jurisdictions.get(bundle.home)
    if bundle.fault is None and home is not None and now - home.as_of <= MAX_AGE_SECONDS:
        return
    raise RefusedError(
        "the trust data of this wallet is missing or too old to judge a certificate by",
        code="TRUST_DATA_EXPIRED",
        hint="Run `wallet sync`, then use the offer.",
    )


def _begin(
    taker: Taker, plan: Plan, formats: Sequence[str], copies: int, token: TokenAnswer
) -> tuple[Pending, list[list[Key]]]:
    """Fresh keys and what they are for, on the disk before anybody hears of them.

    How many certificates there are is known only now that the offer is used up: where they are more
    than there is room for keys, each of them gets one all the same.
    """
    made: list[list[Key]] = []
    with taker.vault.change() as content:
        fewer = max(1, min(copies, content.room // max(1, len(formats))))
        for count in _counts(formats, fewer):
            kids = [content.add_key(taker.wallet.clock()).kid for _ in range(count)]
            made.append([key for key in content.keys if key.kid in kids])
        pending = _pending(plan, [key.kid for keys in made for key in keys], token, taker.wallet)
        content.pending = [*content.pending, pending]
    return pending, made


def _pending(plan: Plan, kids: Sequence[str], token: TokenAnswer, wallet: Wallet) -> Pending:
    metadata, now = plan.metadata, wallet.clock()
    return Pending(
        id=kids[0][:8], issuer=plan.issuer, asked=format_time(now), again_at=0,
        token=token.access_token,
        token_until=None if token.expires_in is None else now + token.expires_in,
        refresh_token=token.refresh_token, token_endpoint=plan.token_endpoint,
        deferred_endpoint=metadata.deferred_credential_endpoint or "",
        notification_endpoint=metadata.notification_endpoint,
        notifications=(), waiting=(), arrived=(), kids=kids,
    )  # fmt: skip


def _ask_for_all(
    plan: Plan, asked: Sequence[tuple[Dataset, Sequence[Key]]], pending: Pending, taker: Taker
) -> Pending:
    """Ask for one after the other, remembering each answer before the next question.

    Until all have answered, `resume` lets it be: it would end what is still being asked for.
    """
    for number, (dataset, keys) in enumerate(asked, 1):
        signers = [signer_of(key) for key in keys]
        answer = ask_for(plan, dataset, pending.token, signers, taker.wallet)
        if answer.transaction_id is not None and not pending.deferred_endpoint:
            raise InputError("the issuer promises for later and says not where", code="MALFORMED")
        configuration = dataset.wanted.configuration
        kind = {"format": configuration.format, "vct": configuration.vct or ""}
        pending = _with(pending, answer, {**kind, "request": str(number)}, taker.wallet.clock())
        if number < len(asked):
            until = taker.wallet.clock() + ASKING_SECONDS
            _save(taker.vault, replace(pending, again_at=max(pending.again_at, until)))
    return pending


def _with(pending: Pending, answer: CredentialAnswer, kind: Mapping[str, str], now: int) -> Pending:
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


# --- what was promised ----------------------------------------------------------------------------


def resume(wanted: str | None, taker: Taker, options: Options) -> list[Taken]:
    """Ask again for what issuers promised. Raises UsageError where nothing of the kind is known."""
    found = [
        entry
        for entry in taker.vault.read().pending
        if entry.id.startswith(wanted or "") and (entry.waiting or entry.arrived)
    ]
    if not found:
        raise _nothing_waits()
    return [_settle(pending, taker, options.wait) for pending in found]


def give_up(wanted: str, vault: Vault) -> Pending:
    """Wait no longer for what an issuer promised: its keys are free again. Raises UsageError."""
    found = [entry for entry in vault.read().pending if wanted and entry.id.startswith(wanted)]
    if len(found) != 1:
        raise _nothing_waits()
    _forget(vault, found[0])
    return found[0]


def _nothing_waits() -> UsageError:
    return UsageError("nothing is waited for", code="NOT_FOUND", hint="See `wallet receive`.")


def _settle(pending: Pending, taker: Taker, wait: int) -> Taken:
    """Wait as long as allowed; store what came, or what is known of what will."""
    patience = wait
    while pending.waiting or pending.again_at > taker.wallet.clock():
        pause = max(pending.again_at - taker.wallet.clock(), 0)
        if pause > patience:
            return Taken((), pending)
        taker.sleep(pause)
        patience -= max(pause, 1)
        before, pending = pending, _find(taker.vault, pending.id)
        if pending.waiting and pending.again_at <= before.again_at:
            pending = _poll(pending, taker)
    return Taken(_store(pending, taker), None)


def _find(vault: Vault, wanted: str) -> Pending:
    """What is in flight, as it is now. Raises RefusedError where another command has ended it."""
    for pending in vault.read().pending:
        if pending.id == wanted:
            return pending
    raise _ended()


def _poll(pending: Pending, taker: Taker) -> Pending:
    """Ask once for every transaction, remembering each answer before the next question."""
    wallet = taker.wallet
    try:
        pending = _refreshed(pending, wallet)
        waiting = pending.waiting
        pending = replace(pending, waiting=(), again_at=0)
        for at, entry in enumerate(waiting):
            answer = ask_again(
                pending.deferred_endpoint, entry["transaction_id"], pending.token, wallet
            )
            kind = {name: entry[name] for name in entry if name != "transaction_id"}
            pending = _with(pending, answer, kind, wallet.clock())
            _save(taker.vault, replace(pending, waiting=[*pending.waiting, *waiting[at + 1 :]]))
    except ProtocolError as refusal:
        if refusal.error in _FINAL:
            _forget(taker.vault, pending)
        raise
    return pending


def _refreshed(pending: Pending, wallet: Wallet) -> Pending:
    """The same with a token that is still good, where the issuer gave the means."""
    ended = pending.token_until is not None and pending.token_until <= wallet.clock() + 5
    if not ended or pending.refresh_token is None:
        return pending
    token = refresh(pending.token_endpoint, pending.refresh_token, wallet)
    return replace(
        pending,
        token=token.access_token,
        token_until=None if token.expires_in is None else wallet.clock() + token.expires_in,
        refresh_token=token.refresh_token or pending.refresh_token,
    )


def _save(vault: Vault, pending: Pending) -> None:
    """Remember what became of a delivery. Raises RefusedError where it was ended meanwhile."""
    with vault.change() as content:
        _swap(content, pending)


def _swap(content: Content, pending: Pending) -> None:
    others = [entry for entry in content.pending if entry.id != pending.id]
    if len(others) == len(content.pending):
        raise _ended()
    content.pending = [*others, pending]


def _ended() -> RefusedError:
    return RefusedError(
        "another command has taken this delivery, or given it up",
        code="STATE_CONFLICT",
        hint="See `wallet list`.",
    )


def _forget(vault: Vault, pending: Pending) -> None:
    """Nothing stays of a delivery: neither its keys nor what was promised."""
    with vault.change() as content:
        _end(content, pending)


def _leave(vault: Vault, wanted: str) -> bool:
    """Ask for nothing more; whether something has come already, which is left for `resume`."""
    with vault.change() as content:
        for pending in [entry for entry in content.pending if entry.id == wanted]:
            if pending.waiting or pending.arrived:
                _swap(content, replace(pending, again_at=0))
                return True
            _end(content, pending)
    return False


def _end(content: Content, pending: Pending) -> None:
    content.drop_keys(pending.kids)
    content.pending = [entry for entry in content.pending if entry.id != pending.id]


# --- judging and keeping --------------------------------------------------------------------------


def _store(pending: Pending, taker: Taker) -> list[Holding]:
    """Judge everything, store it, tell the issuer. Raises InputError, RefusedError."""
    try:
        judged = _judge(pending, taker)
        with taker.vault.change() as content:
            for offer, holding in judged:
                keep(content, offer, holding)
            _end(content, pending)
    except (InputError, RefusedError) as error:
        _forget(taker.vault, pending)
        _tell(pending, FAILURE, taker.wallet)
        if not error.hint:
            error.hint = "Nothing was stored. Ask the issuer what went wrong."
        raise
    _tell(pending, ACCEPTED, taker.wallet)
    return [holding for _, holding in judged]


def _judge(pending: Pending, taker: Taker) -> list[tuple[Offer, Holding]]:
    now = from_seconds(taker.wallet.clock())
    held = taker.vault.read()
    ours = [key for key in held.keys if key.kid in pending.kids]
    arrived = sorted(pending.arrived, key=lambda entry: entry["format"] != SDJWT)
    return judge_issued(
        [Delivered(read_item(entry), entry["vct"], entry.get("request", "")) for entry in arrived],
        _sealed_by(pending.issuer),
        Content(keys=ours, holdings=held.holdings),
        taker.bundle,
        now=now,
        lang=taker.lang,
    )


def _sealed_by(issuer: str) -> str | None:
    """The body that must have sealed what this issuer delivers; in development it may differ."""
    return issuer.removesuffix(_CODES) if issuer.startswith("https://") else None


def _tell(pending: Pending, event: str, wallet: Wallet) -> None:
    notify(pending.notification_endpoint, pending.notifications, event, pending.token, wallet)


# --- what is said about it ------------------------------------------------------------------------


def taken_document(taken: Sequence[Taken], bundle: Bundle, now: datetime) -> dict[str, Any]:
    """`wallet receive --json` of an offer: what was stored, and what is waited for."""
    return {
        "received": [list_document(held, bundle, now) for one in taken for held in one.holdings],
        "waiting": [
            {"id": one.pending.id, "issuer": one.pending.issuer, "again_at": one.pending.again_at}
            for one in taken
            if one.pending is not None
        ],
    }


def taken_text(taken: Sequence[Taken], bundle: Bundle, now: datetime, lang: str) -> str:
    texts = []
    for one in taken:
        texts += [f"Received.\n{list_text(held, bundle, now, lang)}" for held in one.holdings]
        if one.pending is not None:
            texts.append(_pending_text(one.pending))
    return "\n".join(texts)


def _pending_text(pending: Pending) -> str:
    again = format_time(pending.again_at)
    if not pending.waiting:
        return (
            f"{escape(pending.issuer)} is being asked by another command. If there is none, ask "
            f"again after {again}:\n  wallet receive --resume {pending.id}"
        )
    return (
        f"{escape(pending.issuer)} will deliver later. Ask again after {again}:\n"
        f"  wallet receive --resume {pending.id}"
    )
