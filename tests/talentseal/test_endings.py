"""What withdrawals do: the table of effects, several of them, and the moment of looking."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talentseal.endings import Effect, effect_at
from talentseal.statements import EFFECTS

HOUR = 3600


class End(NamedTuple):
    effect: str
    at: int


PASS = Effect("pass", None, ended=False)
ENDED = Effect("pass", None, ended=True)
AT = 100 * HOUR
BEFORE, AFTER = AT - HOUR, AT + HOUR


LATER = 1000 * HOUR


def fails(word: Any) -> Effect:
    return Effect("fail", word, ended=False)


def weighed(ends: Sequence[End], iat: int, **more: Any) -> Effect:
    """Looked at long after everything has happened."""
    return effect_at(ends, iat, now=LATER, **more)


@pytest.mark.parametrize(
    ("effect", "before", "after"),
    [
        ("suspend", ENDED, fails("SUSPENDED")),
        ("from", ENDED, fails("WITHDRAWN")),
        ("review", Effect("unknown", "UNDER_REVIEW", ended=False), fails("WITHDRAWN")),
        ("anchored", fails("NOT_ANCHORED"), fails("WITHDRAWN")),
        ("void", fails("VOID"), fails("VOID")),
        ("resume", PASS, PASS),
    ],
)
def test_the_table_of_effects_holds(effect: str, before: Effect, after: Effect) -> None:
    ends = [End(effect, AT)]
    assert weighed(ends, BEFORE) == before
    assert weighed(ends, AT) == after
    assert weighed(ends, AFTER) == after


def test_nothing_withdrawn_changes_nothing() -> None:
    assert weighed([], AT) == PASS


def test_what_was_sealed_during_a_suspension_stays_refused_after_it() -> None:
    ends = [End("resume", AT + 10 * HOUR), End("suspend", AT)]  # order of publication is no matter
    assert weighed(ends, BEFORE) == ENDED
    assert weighed(ends, AT + 9 * HOUR) == fails("SUSPENDED")
    assert weighed(ends, AT + 10 * HOUR) == PASS


def test_a_second_suspension_counts_for_itself() -> None:
    hours = {"suspend": (0, 20), "resume": (10, 30)}
    ends = [End(effect, AT + h * HOUR) for effect, pair in hours.items() for h in pair]
    words = [weighed(ends, AT + h * HOUR).word for h in (5, 15, 25, 35)]
    assert words == ["SUSPENDED", None, "SUSPENDED", None]


def test_suspended_and_resumed_in_one_hour_stays_suspended() -> None:
    assert weighed([End("resume", AT), End("suspend", AT)], AT) == fails("SUSPENDED")
    assert weighed([End("suspend", AT), End("resume", AT)], AT) == fails("SUSPENDED")


def test_a_survivor_of_an_end_for_cause_is_valid() -> None:
    ends = [End("anchored", AT)]
    assert weighed(ends, BEFORE, survives=lambda: True) == ENDED
    assert weighed(ends, AFTER, survives=lambda: True) == fails("WITHDRAWN")


@pytest.mark.parametrize(
    ("one", "other", "iat", "word"),
    [
        ("from", "void", BEFORE, "VOID"),
        ("from", "anchored", BEFORE, "NOT_ANCHORED"),
        ("anchored", "review", BEFORE, "NOT_ANCHORED"),
        ("from", "review", BEFORE, "UNDER_REVIEW"),
        ("suspend", "from", AFTER, "WITHDRAWN"),
        ("suspend", "void", AFTER, "VOID"),
    ],
)
def test_of_two_withdrawals_the_worse_one_counts(one: str, other: str, iat: int, word: str) -> None:
    assert weighed([End(one, AT), End(other, AT)], iat).word == word
    assert weighed([End(other, AT), End(one, AT)], iat).word == word


def test_survival_is_asked_only_where_it_decides() -> None:
    asked = []

    def survives() -> bool:
        asked.append(1)
        return True

    weighed([End("from", AT), End("void", AT)], BEFORE, survives=survives)
    assert not asked
    weighed([End("anchored", AT)], BEFORE, survives=survives)
    assert asked


_ENDS = st.lists(st.builds(End, st.sampled_from(sorted(EFFECTS)), st.integers(0, 9)), max_size=5)
_RANK = {None: 0, "UNDER_REVIEW": 1}


@given(ends=_ENDS, iat=st.integers(0, 9), more=st.sampled_from(["from", "void", "anchored"]))
def test_another_end_never_makes_a_thing_good(ends: list[End], iat: int, more: str) -> None:
    worse = weighed([*ends, End(more, 5)], iat)
    assert _RANK.get(worse.word, 2) >= _RANK.get(weighed(ends, iat).word, 2)


@pytest.mark.parametrize("effect", ["suspend", "from"])
def test_an_end_announced_for_a_later_day_is_no_end_yet(effect: str) -> None:
    ends = [End(effect, AT)]
    assert effect_at(ends, BEFORE, now=AT - 1) == PASS
    assert effect_at(ends, BEFORE, now=AT) == ENDED


@pytest.mark.parametrize("effect", ["review", "anchored", "void"])
def test_what_an_announced_end_takes_from_earlier_seals_it_takes_at_once(effect: str) -> None:
    ends = [End(effect, AT)]
    assert effect_at(ends, BEFORE, now=BEFORE) == effect_at(ends, BEFORE, now=LATER)
