"""Places and professions as the signed statements use them, and their form in file names.

The notation and the containment of one place in another stand in `schemas.territory`; here they
meet the library. A jurisdiction is named by its root territory; where a slash may not stand (URLs,
file names, targets of a repository) `CN/4403` is written `CN-4403`.
"""

from schemas.territory import contains, is_profession, parse_territory, profession_contains
from talentseal.errors import InputError


def is_territory(text: object) -> bool:
    """Whether `text` is the one spelling of a place: `CN`, `CN/4403`, `CN/4403/x-qianhai`."""
    return parse_territory(text) is not None


def jurisdiction_file_name(territory: str) -> str:
    """`CN/4403` as `CN-4403`. Raises InputError `CLAIM_INVALID` for what is no territory."""
    return str(_territory(territory)).replace("/", "-")


def jurisdiction_of_file_name(name: str) -> str:
    """`CN-4403` as `CN/4403`. Raises InputError `CLAIM_INVALID` for any other spelling."""
    above, mark, zone = name.partition("-x-")  # a zone may hold hyphens of its own
    path = above.replace("-", "/") + (f"/x-{zone}" if mark else "")
    return str(_territory("" if "/" in name else path))


def _territory(text: str) -> object:
    place = parse_territory(text)
    if place is None:
        raise InputError("not a territory such as CN/4403", code="CLAIM_INVALID")
    return place


__all__ = [
    "contains",
    "is_profession",
    "is_territory",
    "jurisdiction_file_name",
    "jurisdiction_of_file_name",
    "profession_contains",
]
