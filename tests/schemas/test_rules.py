from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rules import MAX_DEPTH, UNKNOWN, evaluate, expression_fault, facts_of, judge

FACTS = {"yes": True, "no": False, "n": 5, "day": "2000-02-29", "word": "b", "list": ["a", "b"]}
YES, NO, GONE = {"fact": "yes"}, {"fact": "no"}, {"fact": "gone"}

OPERATORS = ("fact", "known", "all", "any", "not", "eq", "in", "contains", "lt", "years", "as_of")
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | st.builds(
            lambda op, arg: {op: arg},
            st.sampled_from(OPERATORS),
            st.lists(inner, max_size=3) | inner,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (YES, True),
        (GONE, UNKNOWN),
        ({"known": "yes"}, True),
        ({"known": "gone"}, False),
        ({"not": YES}, False),
        ({"not": GONE}, UNKNOWN),
        ({"all": [YES, GONE]}, UNKNOWN),
        ({"all": [NO, GONE]}, False),
        ({"all": [GONE, NO]}, False),
        ({"all": [YES, YES]}, True),
        ({"all": []}, True),
        ({"any": [GONE, YES]}, True),
        ({"any": [NO, GONE]}, UNKNOWN),
        ({"any": [NO, NO]}, False),
        ({"any": []}, False),
        ({"eq": [{"fact": "n"}, 5]}, True),
        ({"eq": [YES, 1]}, False),
        ({"eq": [{"fact": "n"}, "5"]}, False),
        ({"eq": [GONE, 5]}, UNKNOWN),
        ({"eq": [{"fact": "list"}, ["a", "b"]]}, UNKNOWN),
        ({"lt": [{"fact": "n"}, 6]}, True),
        ({"lt": [{"fact": "n"}, 5]}, False),
        ({"le": [{"fact": "n"}, 5]}, True),
        ({"gt": [{"fact": "n"}, 5]}, False),
        ({"ge": [{"fact": "n"}, 5]}, True),
        ({"le": ["2026-01-31", "2026-02-01"]}, True),
        ({"lt": [{"fact": "n"}, "6"]}, UNKNOWN),
        ({"lt": [NO, YES]}, UNKNOWN),
        ({"in": [{"fact": "word"}, ["a", "b"]]}, True),
        ({"in": [1, [True]]}, False),
        ({"in": [{"fact": "word"}, "abc"]}, UNKNOWN),
        ({"contains": [{"fact": "list"}, "b"]}, True),
        ({"contains": [{"fact": "list"}, "c"]}, False),
        ({"contains": [GONE, "c"]}, UNKNOWN),
        ({"as_of": True}, "2026-11-21"),
        ({"years": [{"fact": "day"}, {"as_of": True}]}, 26),
    ],
)
def test_an_expression_is_true_false_or_unknown(expression: Any, value: Any) -> None:
    assert expression_fault(expression) is None
    result = evaluate(expression, FACTS, as_of="2026-11-21")
    assert result is value or (type(result) is type(value) and result == value)


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        ("2000-02-29", "2001-02-28", 0),
        ("2000-02-29", "2001-03-01", 1),
        ("1961-02-28", "2027-02-27", 65),
        ("1961-02-28", "2027-02-28", 66),
        ("2000-02-29", "2004-02-29", 4),
        ("2000-02-30", "2004-02-29", UNKNOWN),
        ("20000229", "2004-02-29", UNKNOWN),
        (5, "2004-02-29", UNKNOWN),
    ],
)
def test_years_are_completed_on_the_day_itself(born: Any, on: str, years: Any) -> None:
    assert evaluate({"years": [born, on]}, {}) == years


@pytest.mark.parametrize(
    ("expression", "needs"),
    [
        ({"all": [YES, GONE, {"eq": [{"fact": "other"}, 1]}]}, {"gone", "other"}),
        ({"all": [GONE, NO]}, set()),
        ({"any": [GONE, YES]}, set()),
        ({"not": GONE}, {"gone"}),
        ({"lt": [GONE, {"fact": "other"}]}, {"gone", "other"}),
        ({"known": "gone"}, set()),
        ({"any": [{"all": [NO, {"fact": "other"}]}, GONE]}, {"gone"}),
    ],
)
def test_only_facts_that_could_have_decided_are_needed(expression: Any, needs: set[str]) -> None:
    assert judge(expression, FACTS).needs == needs


@pytest.mark.parametrize(
    "expression",
    [
        {},
        {"fact": "yes", "known": "yes"},
        {"fact": 5},
        {"fact": ""},
        {"known": None},
        {"all": YES},
        {"eq": [YES]},
        {"eq": [1, 1, 1]},
        {"add": [1, 1]},
        {"not": [YES]},
        {"as_of": False},
        {"all": [YES] * 257},
        {"in": [1, [[1]]]},
    ],
)
def test_what_breaks_the_grammar_is_named_and_never_true(expression: Any) -> None:
    assert expression_fault(expression)
    assert evaluate(expression, FACTS) is not True


def test_the_deepest_expression_is_read_and_one_level_more_is_unknown() -> None:
    expression: Any = True
    for _ in range(MAX_DEPTH):
        expression = {"all": [expression]}
    assert expression_fault(expression) is None
    assert evaluate(expression, {}) is True
    assert expression_fault({"all": [expression]})
    assert evaluate({"all": [expression]}, {}) is UNKNOWN


def test_a_nest_of_a_hundred_thousand_levels_is_only_unknown() -> None:
    expression: Any = True
    for _ in range(100_000):
        expression = {"not": expression}
    assert evaluate(expression, {}) is UNKNOWN
    assert expression_fault(expression)
    assert facts_of(expression) == frozenset()


def test_facts_are_found_wherever_they_stand() -> None:
    expression = {"any": [{"not": {"known": "a"}}, {"le": [{"fact": "b"}, {"fact": "c.d"}]}]}
    assert facts_of(expression) == {"a", "b", "c.d"}


@given(JSON, st.dictionaries(st.text(max_size=4), JSON, max_size=3))
def test_no_expression_and_no_fact_can_make_the_evaluator_fail(expression: Any, facts: Any) -> None:
    assert isinstance(judge(expression, facts, as_of="2026-11-21").needs, frozenset)
    facts_of(expression)
    expression_fault(expression)


@given(JSON)
def test_without_facts_an_unknown_condition_stays_unknown_when_negated(expression: Any) -> None:
    if evaluate(expression, {}) is UNKNOWN:
        assert evaluate({"not": expression}, {}) is UNKNOWN
