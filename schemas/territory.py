"""Places and professions as paths, and whether one lies inside another.

A territory is `CC`, `CC/<digits>`, `CC/<digits>/x-<zone>` or `CC/x-<zone>`: an ISO 3166-1 alpha-2
code, the GB/T 2260 number with its trailing zero pairs dropped (2 digits a province, 4 a city,
6 a district; 9 with the GB/T 10114 street), and the name of a zone that has no number. Every
place has exactly one spelling, so texts may be compared. A profession is a path of lower-case
segments (`engineer/civil`) or, for titles, `series/<01..27>`.

These functions decide who may seal what for which place: they are total, they answer False for
anything that does not parse, and they know no map. Whether a place exists is left to the data
of a registry.
"""

import re
from functools import cache, lru_cache
from typing import NamedTuple

from schemas.data import code_lists

MAX_TERRITORY_CHARACTERS = 48  # CC + 9 digits + the longest zone
MAX_PROFESSION_CHARACTERS = 120

# A trailing pair 00 would be a second spelling of the place above (CN/440300 of CN/4403); a
# street may stand below a city without districts, so its middle pair may be 00 (CN/441900003).
_DIGITS = r"(?!00)[0-9]{2}(?:(?!00)[0-9]{2}|[0-9]{2}(?!00)[0-9]{2}|[0-9]{4}(?!000)[0-9]{3})?"
_TERRITORY = re.compile(rf"([A-Z]{{2}})(?:/({_DIGITS}))?(?:/x-([a-z0-9-]{{2,32}}))?")
_PROFESSION = re.compile(r"[a-z_]+(?:/[a-z0-9_]+)*")
_SERIES = re.compile(r"series/(?:0[1-9]|1[0-9]|2[0-7])")


class Territory(NamedTuple):
    """A parsed place; `digits` and `zone` are empty where the path has none."""

    country: str
    digits: str = ""
    zone: str = ""

    def __str__(self) -> str:
        zone = f"x-{self.zone}" if self.zone else ""
        return "/".join(part for part in (self.country, self.digits, zone) if part)


def parse_territory(text: object) -> Territory | None:
    """The place that `text` names, or None; any other spelling of a place is no place."""
    if not isinstance(text, str) or len(text) > MAX_TERRITORY_CHARACTERS:
        return None
    return _parse(text)


def contains(outer: object, inner: object) -> bool:
    """Whether `inner` lies in `outer`, by the notation alone: CN does not contain HK.

    A country contains everything below it, a number every number it begins and the zones there;
    a zone contains only itself, and nothing says in which district it lies.
    """
    big, small = parse_territory(outer), parse_territory(inner)
    if big is None or small is None or big.country != small.country:
        return False
    if big.zone:
        return big == small
    return not big.digits or (bool(small.digits) and small.digits.startswith(big.digits))


def is_profession(text: object) -> bool:
    """Whether a grant may name `text`: `architect`, `engineer/civil`, `series/05`."""
    return is_profession_path(text) or (
        isinstance(text, str) and _SERIES.fullmatch(text) is not None
    )


def is_profession_path(text: object) -> bool:
    """Whether `text` is a profession of a person: like `is_profession`, without title series."""
    if not isinstance(text, str) or len(text) > MAX_PROFESSION_CHARACTERS:
        return False
    return _PROFESSION.fullmatch(text) is not None and text.split("/", 1)[0] in _first_segments()


def profession_contains(outer: str, inner: str) -> bool:
    """Equal, or `inner` continues `outer` by whole segments."""
    return inner == outer or inner.startswith(outer + "/")


@lru_cache(maxsize=4096)
def _parse(text: str) -> Territory | None:
    match = _TERRITORY.fullmatch(text)
    return Territory(*(part or "" for part in match.groups())) if match else None


@cache
def _first_segments() -> frozenset[str]:
    return frozenset(code_lists()["profession"])
