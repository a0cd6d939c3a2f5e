"""What a withdrawal does to something sealed before or after it.

A right, a recognition and a delegation end by the same few words (`from`, `void`, `suspend` and
`resume`, `review`, `anchored`), and this is the one place that knows what each does to a seal of a
given time. Who may withdraw what is left to `statements`, which right counts to `trust`.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol


class Ending(Protocol):
    """A withdrawal, or what a bundle keeps of one."""

    @property
    def effect(self) -> str: ...

    @property
    def at(self) -> int: ...


class Effect(NamedTuple):
    """What withdrawals do to something sealed at a given time.

    word   the end of the code (GRANT_WITHDRAWN, DELEGATION_SUSPENDED); NOT_ANCHORED stands alone
    ended  passes, and the right has ended since by now: remark GRANT_ENDED_SINCE
    """

    result: Literal["pass", "fail", "unknown"]
    word: Literal["WITHDRAWN", "SUSPENDED", "VOID", "UNDER_REVIEW", "NOT_ANCHORED"] | None
    ended: bool


_UNTOUCHED = Effect("pass", None, ended=False)
_ENDED_SINCE = Effect("pass", None, ended=True)
_VOID = Effect("fail", "VOID", ended=False)
_WITHDRAWN = Effect("fail", "WITHDRAWN", ended=False)
_SUSPENDED = Effect("fail", "SUSPENDED", ended=False)
_NOT_ANCHORED = Effect("fail", "NOT_ANCHORED", ended=False)
_UNDER_REVIEW = Effect("unknown", "UNDER_REVIEW", ended=False)


def never() -> bool:
    """No list of survivors is held: nothing is proven to have been sealed before."""
    return False


def effect_at(
    withdrawals: Sequence[Ending], iat: int, *, now: int, survives: Callable[[], bool] = never
) -> Effect:
    """What the withdrawals of one statement do to something sealed at `iat`; the worst counts.

    now       an end announced for a later day is no end yet
    survives  whether the sealed thing was provably anchored before the end; asked only for
              `anchored`
    """
    if not withdrawals:
        return _UNTOUCHED
    reached = {one.effect for one in withdrawals if one.at <= iat}
    later = {one.effect for one in withdrawals if one.at > iat}
    if "void" in reached | later:
        return _VOID
    if reached & {"from", "review", "anchored"}:
        return _WITHDRAWN
    if "suspend" in reached and _is_suspended(withdrawals, iat):
        return _SUSPENDED
    if "anchored" in later and not survives():
        return _NOT_ANCHORED
    if "review" in later:
        return _UNDER_REVIEW
    has_ended = any(one.effect != "resume" and iat < one.at <= now for one in withdrawals)
    return _ENDED_SINCE if has_ended else _UNTOUCHED


def _is_suspended(withdrawals: Sequence[Ending], iat: int) -> bool:
    """Whether the last word by `iat` was `suspend`; of two at one hour the stricter is the last."""
    turns = [
        (one.at, one.effect == "suspend")
        for one in withdrawals
        if one.at <= iat and one.effect in ("suspend", "resume")
    ]
    return max(turns)[1]
