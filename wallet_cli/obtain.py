"""From an offer to a delivery in flight: fresh keys made, one a copy, and everything asked for.

What arrives is matched to the keys by the one that it names; what becomes of it then, and of what
an issuer promises for later, is the affair of `delivery`. What is told of both stands here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from schemas.openid4vci import TokenAnswer
from talentseal.bundle import Bundle
from talentseal.commandline import note
from talentseal.encoding import format_time, parse_time, to_seconds
from talentseal.errors import (
    InputError,
    RefusedError,
    TalentsealError,
)
from talentseal.policy import MAX_AGE_SECONDS
from talentseal.terminal import escape
from wallet_cli.ask import ask_offer, refuse_unattended
from wallet_cli.calling import Wallet
from wallet_cli.delivery import (
    Failed,
    Taken,
    Taker,
    end,
    held,
    is_begun,
    leave,
    save,
    settle,
    with_answer,
    with_token,
)
from wallet_cli.issuance import (
    Dataset,
    Plan,
    ask_for,
    datasets_of,
    fetch_offer,
    get_token,
    make_plan,
)
from wallet_cli.vault import SDJWT, Content, Key, Pending, signer_of
from wallet_cli.view import list_document, list_text

BROKEN_OFF_SECONDS = 3600  # no issuer takes as long for its first answer


class Options(NamedTuple):
    """What the command line says.

    wait  seconds for which what is promised for later is waited for
    """

    yes: bool
    tx_code: str | None
    copies: int
    wait: int


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
        if not leave(taker.vault, pending.id):  # whoever breaks off leaves no keys behind
            raise
        if isinstance(error, TalentsealError):
            error.hint = f"What came before is kept; go on: wallet receive --resume {pending.id}"
        raise
    save(taker.vault, pending)
    if pending.waiting and not options.wait:
        return Taken([], pending)
    return settle(pending.id, taker, options.wait)


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
        is_empty = not is_begun(pending)
        if is_empty and to_seconds(parse_time(pending.asked)) < now - BROKEN_OFF_SECONDS:
            end(content, pending)


def _check_trust(bundle: Bundle, *, now: int) -> None:
    """An offer is good once: it is not used up while nothing that arrives could be judged."""
    home = bundle.jurisdictions.get(bundle.home)
    if not bundle.is_clock_sound(now):
        raise RefusedError(
            "this device's clock is earlier than a time already proven",
            code="CLOCK_ROLLED_BACK",
            hint="Set the clock, or run `wallet sync` if it is right; then use the offer.",
        )
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
    blank = Pending(
        id=kids[0][:8], issuer=plan.issuer, asked=format_time(now), again_at=0, token="",
        token_until=None, refresh_token=None, token_endpoint=plan.token_endpoint,
        deferred_endpoint=metadata.deferred_credential_endpoint or "",
        notification_endpoint=metadata.notification_endpoint,
        notifications=(), waiting=(), arrived=(), kids=kids,
    )  # fmt: skip
    return with_token(blank, token, now)


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
        now = taker.wallet.clock()
        pending = with_answer(pending, answer, {**kind, "request": str(number)}, now)
        if number < len(asked):
            save(taker.vault, held(pending, now))
    return pending


# --- what is said about it ------------------------------------------------------------------------


def taken_document(
    taken: Sequence[Taken], failed: Sequence[Failed], bundle: Bundle, now: datetime
) -> dict[str, Any]:
    """`wallet receive --json` of an offer: what was stored, what is waited for, what failed."""
    return {
        "received": [list_document(held, bundle, now) for one in taken for held in one.holdings],
        "waiting": [
            {"id": one.pending.id, "issuer": one.pending.issuer, "again_at": one.pending.again_at}
            for one in taken
            if one.pending is not None
        ],
        "failed": [
            {
                "id": one.pending.id, "issuer": one.pending.issuer,
                "code": one.error.code, "message": one.error.message,
            }
            for one in failed
        ],
    }  # fmt: skip


def taken_text(
    taken: Sequence[Taken], failed: Sequence[Failed], bundle: Bundle, now: datetime, lang: str
) -> str:
    texts = []
    for one in taken:
        texts += [f"Received.\n{list_text(held, bundle, now, lang)}" for held in one.holdings]
        if one.pending is not None:
            texts.append(_pending_text(one.pending))
    texts += [
        f"Failed, from {escape(one.pending.issuer)}: {escape(one.error.message)}. {one.error.hint}"
        for one in failed
    ]
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
