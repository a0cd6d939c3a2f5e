"""Conditions as data: small expressions with three answers, true, false and unknown.

Claim tables, cautions and rule sets all speak this language, so it is kept tiny: no arithmetic,
no loops, no text functions, nothing that could surprise an authority that signs a rule. What
cannot be decided stays `UNKNOWN` and never counts as true. Evaluation never raises and never
runs deep: an expression that breaks the grammar is unknown too, and `expression_fault` tells its
author what is wrong before it is published. Choosing the rule set in force, and what follows
from an answer, is left to the callers.

| expression | value |
|---|---|
| `{"fact": "a.b"}` | the fact, or unknown if absent |
| `{"known": "a.b"}` | whether it is present |
| `{"all": [...]}`, `{"any": [...]}`, `{"not": x}` | one false settles `all`, one true `any` |
| `{"eq": [a, b]}`, `lt`, `le`, `gt`, `ge` | comparison; days compare as `YYYY-MM-DD` text |
| `{"in": [a, [...]]}`, `{"contains": [[...], a]}` | membership |
| `{"years": [d1, d2]}` | completed years from one day to another |
| `{"as_of": true}` | the day of evaluation |
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from enum import Enum
from operator import ge, gt, le, lt
from typing import Any, Final, NamedTuple, TypeAlias

MAX_DEPTH = 32  # the deepest published rule has 6 levels
MAX_OPERANDS = 256


class Unknown(Enum):
    """The third answer; a single value, so that `is UNKNOWN` narrows types."""

    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = Unknown.UNKNOWN
Value: TypeAlias = Any  # any JSON value a fact or a literal may have


class Judgement(NamedTuple):
    """The value of an expression and the facts that were read, absent and could have decided."""

    value: Value | Unknown
    needs: frozenset[str] = frozenset()


def evaluate(expression: Value, facts: Mapping[str, Value], *, as_of: str = "") -> Value | Unknown:
    """The value of `expression` over `facts` (flat names, `holder.birthdate`), or UNKNOWN.

    as_of  the day of evaluation, `YYYY-MM-DD`; empty makes `as_of` itself unknown
    """
    return judge(expression, facts, as_of=as_of).value


def judge(expression: Value, facts: Mapping[str, Value], *, as_of: str = "") -> Judgement:
    """Like `evaluate`, and says which absent facts kept the answer from being known."""
    return _judge(expression, _World(facts, as_of), MAX_DEPTH)


def facts_of(expression: Value) -> frozenset[str]:
    """Every fact the expression names, wherever it stands."""
    return frozenset(
        arg
        for op, arg in _nodes(expression, MAX_DEPTH)
        if op in ("fact", "known") and _is_text(arg)
    )


def expression_fault(expression: Value) -> str | None:
    """A sentence on the first thing that breaks the grammar; None if the expression is sound."""
    return _fault(expression, MAX_DEPTH)


# --- evaluation -------------------------------------------------------------------------------


class _World(NamedTuple):
    facts: Mapping[str, Value]
    as_of: str


_DONT_KNOW = Judgement(UNKNOWN)


def _judge(expression: Value, world: _World, depth: int) -> Judgement:
    if not isinstance(expression, dict):
        return Judgement(expression)  # a literal
    if depth == 0 or len(expression) != 1:
        return _DONT_KNOW
    ((operator, operand),) = expression.items()
    if operator in _LEAVES:
        return _LEAVES[operator](operand, world)
    if operator == "not":
        return _negate(_judge(operand, world, depth - 1))
    if not isinstance(operand, list) or len(operand) > MAX_OPERANDS:
        return _DONT_KNOW
    if operator in ("all", "any"):
        return _settle(operand, world, depth, settles=operator == "any")
    if operator not in _PAIRS or len(operand) != 2:
        return _DONT_KNOW
    left, right = (_judge(side, world, depth - 1) for side in operand)
    needs = left.needs | right.needs
    if left.value is UNKNOWN or right.value is UNKNOWN:
        return Judgement(UNKNOWN, needs)
    return Judgement(_PAIRS[operator](left.value, right.value), needs)


def _fact(name: Value, world: _World) -> Judgement:
    if not _is_text(name):
        return _DONT_KNOW
    if name in world.facts:
        return Judgement(world.facts[name])
    return Judgement(UNKNOWN, frozenset((name,)))


def _known(name: Value, world: _World) -> Judgement:
    return Judgement(name in world.facts) if _is_text(name) else _DONT_KNOW


def _as_of(_: Value, world: _World) -> Judgement:
    return Judgement(world.as_of) if world.as_of else _DONT_KNOW


def _negate(inner: Judgement) -> Judgement:
    if not isinstance(inner.value, bool):
        return Judgement(UNKNOWN, inner.needs)
    return Judgement(not inner.value, inner.needs)


def _settle(clauses: list[Value], world: _World, depth: int, *, settles: bool) -> Judgement:
    """`any` is settled by a true clause, `all` by a false one; then nothing is needed any more."""
    needs: frozenset[str] = frozenset()
    undecided = False
    for clause in clauses:
        judged = _judge(clause, world, depth - 1)
        if judged.value is settles:
            return Judgement(settles)
        if not isinstance(judged.value, bool):  # unknown, or no answer to yes or no
            undecided = True
            needs |= judged.needs
    return Judgement(UNKNOWN, needs) if undecided else Judgement(not settles)


def _equal(left: Value, right: Value) -> bool | Unknown:
    if not (_is_scalar(left) and _is_scalar(right)):
        return UNKNOWN  # lists are looked into, not compared
    return type(left) is type(right) and bool(left == right)  # in JSON, true is not 1


def _member(item: Value, values: Value) -> bool | Unknown:
    if not isinstance(values, list) or not _is_scalar(item):
        return UNKNOWN
    return any(_equal(item, value) is True for value in values)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool | Unknown]:
    def order(left: Value, right: Value) -> bool | Unknown:
        if type(left) is not type(right) or type(left) not in (str, int):
            return UNKNOWN
        return compare(left, right)

    return order


def _years(start: Value, end: Value) -> int | Unknown:
    """Completed years; who was born on 29 February completes one on 1 March."""
    first, last = _day(start), _day(end)
    if first is None or last is None:
        return UNKNOWN
    return last.year - first.year - ((last.month, last.day) < (first.month, first.day))


def _day(text: Value) -> date | None:
    try:
        day = date.fromisoformat(text) if _is_text(text) else None
    except ValueError:
        return None
    return day if day is not None and day.isoformat() == text else None


def _is_text(value: Value) -> bool:
    return isinstance(value, str)


def _is_scalar(value: Value) -> bool:
    return value is None or isinstance(value, str | int)


_LEAVES: Mapping[str, Callable[[Value, _World], Judgement]] = {
    "fact": _fact,
    "known": _known,
    "as_of": _as_of,
}
_PAIRS: Mapping[str, Callable[[Value, Value], Value | Unknown]] = {
    "eq": _equal,
    "in": _member,
    "contains": lambda values, item: _member(item, values),
    "lt": _ordered(lt),
    "le": _ordered(le),
    "gt": _ordered(gt),
    "ge": _ordered(ge),
    "years": _years,
}


# --- grammar ----------------------------------------------------------------------------------


def _fault(expression: Value, depth: int) -> str | None:
    if isinstance(expression, list):
        sound = len(expression) <= MAX_OPERANDS and all(_is_scalar(item) for item in expression)
        return None if sound else "A list holds at most 256 texts, numbers, true, false or null."
    if not isinstance(expression, dict):
        return None if _is_scalar(expression) else "A literal is a text, an integer, or a boolean."
    if depth == 0:
        return f"An expression has at most {MAX_DEPTH} levels."
    if len(expression) != 1:
        return "An expression has exactly one operator."
    ((operator, operand),) = expression.items()
    return _operand_fault(operator, operand, depth)


def _operand_fault(operator: str, operand: Value, depth: int) -> str | None:
    if operator in ("fact", "known"):
        return None if _is_text(operand) and operand else f"`{operator}` takes the name of a fact."
    if operator == "as_of":
        return None if operand is True else "`as_of` takes true."
    if operator == "not":
        return _fault(operand, depth - 1)
    if operator not in ("all", "any") and operator not in _PAIRS:
        return "The operator is not one of this language."
    if not isinstance(operand, list) or len(operand) > MAX_OPERANDS:
        return f"`{operator}` takes a list of at most {MAX_OPERANDS}."
    if operator in _PAIRS and len(operand) != 2:
        return f"`{operator}` takes exactly two operands."
    return next((f for f in (_fault(item, depth - 1) for item in operand) if f), None)


def _nodes(expression: Value, depth: int) -> Iterator[tuple[str, Value]]:
    if isinstance(expression, dict) and depth:
        for operator, operand in expression.items():
            yield operator, operand
            for item in operand if isinstance(operand, list) else [operand]:
                yield from _nodes(item, depth - 1)
