"""Numbers of people, bodies and licences: is this one well formed, and how far could we tell?

Every value is normalised, then matched against its pattern, then a birth date inside it must be
a real day, then the check digit must fit. A result names the stage that refused, or the last
one reached, so that a number without a public check rule (Macao, travel permits, passports) is
never called verified. Forms and their sources are in `data/identifiers.json`; the arithmetic is
here (ISO 7064 MOD 11-2 and MOD 37,36, GB 32100-2015, ICAO Doc 9303 part 3).

Nothing is looked up: a well-formed number says nothing about a person. No number is ever made.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal, TypeAlias

from schemas.data import load_data

MAX_IDENTIFIER_CHARACTERS = 128  # the longest form, a licence identifier, has 104

Stage: TypeAlias = Literal["pattern", "date", "check"]

_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # without I O S V Z
_UNTOUCHED = ("mrz_check_digit",)  # a machine-read line has one spelling
_KEEP_CASE = (*_UNTOUCHED, "work_permit_number", "mo_bir")
_BRACKETED = {
    "hkid": re.compile("([A-Z]{1,2}[0-9]{6})([0-9A])"),
    "mo_bir": re.compile("([0-9]{7})([0-9])"),
}
_FULL_WIDTH_BRACKETS = str.maketrans("（）", "()")
_BORN = ("resident_id", "hkmo_residence_permit", "foreign_pr_card")


@dataclass(frozen=True, slots=True)
class IdentifierResult:
    """What could be said about a value.

    stage     the stage that refused it, or the last one that applied to it
    verified  a check digit exists for this form and fits; False for every format-only number
    """

    ok: bool
    stage: Stage
    verified: bool
    normalised: str


def identifier_kinds() -> frozenset[str]:
    """The kinds that `check_identifier` knows."""
    return frozenset(_patterns())


def normalise(kind: str, value: str) -> str:
    """The stored spelling of what a person typed; a value that fits no form stays as it is."""
    if kind in _UNTOUCHED:
        return value
    text = value.strip()
    if kind in _BRACKETED:
        text = text.translate(_FULL_WIDTH_BRACKETS)
    if kind not in _KEEP_CASE and text.isascii():  # beyond ASCII, upper() may change letters
        text = text.upper()
    if kind == "passport":
        return text.replace(" ", "")
    bare = _BRACKETED[kind].fullmatch(text) if kind in _BRACKETED else None
    return f"{bare[1]}({bare[2]})" if bare else text


def check_identifier(kind: str, value: str) -> IdentifierResult:
    """Judge `value` as a number of `kind`; a kind that is not in the data raises KeyError."""
    pattern = _patterns()[kind]
    if len(value) > MAX_IDENTIFIER_CHARACTERS:
        return IdentifierResult(ok=False, stage="pattern", verified=False, normalised=value)
    text = normalise(kind, value)

    def result(stage: Stage, *, ok: bool, verified: bool = False) -> IdentifierResult:
        return IdentifierResult(ok=ok, stage=stage, verified=verified, normalised=text)

    if pattern.fullmatch(text) is None:
        return result("pattern", ok=False)
    dated = kind in _BORN and len(text) == 18
    if dated and not _is_day(text[6:14]):
        return result("date", ok=False)
    if kind not in _CHECKS or (kind == "foreign_pr_card" and not dated):
        return result("date" if dated else "pattern", ok=True)
    fits = _CHECKS[kind](text)
    return result("check", ok=fits, verified=fits)


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    records = load_data("identifiers.json")["identifiers"]
    return {record["id"]: re.compile(record["pattern"]) for record in records}


def _is_day(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return False
    return True


# --- check digits -----------------------------------------------------------------------------


def _mod_11_2(text: str) -> bool:
    """ISO 7064, pure system: the weighted sum with the check character is 1 modulo 11."""
    digits = [10 if c == "X" else int(c) for c in text]
    return sum(d * pow(2, i, 11) for i, d in enumerate(reversed(digits))) % 11 == 1


def _mod_37_36(text: str) -> bool:
    """ISO 7064, hybrid system, over letters and digits; the last one is the check character."""
    carry = 36
    for character in text[:-1]:
        total = (carry + _ALPHANUMERIC.index(character)) % 36 or 36
        carry = total * 2 % 37
    return (carry + _ALPHANUMERIC.index(text[-1])) % 36 == 1


def _licence_id(text: str) -> bool:
    return _mod_37_36("".join(text.split(".")[5:]))  # without the five arcs of the root


def _uscc(text: str) -> bool:
    """GB 32100-2015: weights 3^i modulo 31 make the whole code, check character included, 0."""
    values = [_USCC.index(character) for character in text]
    return (sum(v * pow(3, i, 31) for i, v in enumerate(values[:17])) + values[17]) % 31 == 0


def _hkid(text: str) -> bool:
    """Weights 9 down to 1 over eight places (a blank counts 36) and the check, modulo 11."""
    places = f"{text[:-3]:>8}" + text[-2]
    values = [36 if c == " " else _ALPHANUMERIC.index(c) for c in places]
    return sum(v * w for v, w in zip(values, range(9, 0, -1), strict=True)) % 11 == 0


def _machine_readable(text: str) -> bool:
    """Weights 7 3 1 repeated, fillers count 0, modulo 10."""
    values = [0 if c == "<" else _ALPHANUMERIC.index(c) for c in text[:-1]]
    return sum(v * (7, 3, 1)[i % 3] for i, v in enumerate(values)) % 10 == int(text[-1])


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "licence_id": _licence_id,
    "uscc": _uscc,
    "resident_id": _mod_11_2,
    "hkmo_residence_permit": _mod_11_2,
    "foreign_pr_card": _mod_11_2,
    "hkid": _hkid,
    "mrz_check_digit": _machine_readable,
}
