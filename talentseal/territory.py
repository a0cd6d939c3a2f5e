"""Places and professions as the signed statements use them.

The notation and the containment of one place in another stand in `schemas.territory`; here they
meet the library.
"""

from schemas.territory import contains, is_profession, parse_territory, profession_contains


def is_territory(text: object) -> bool:
    """Whether `text` is the one spelling of a place: `CN`, `CN/4403`, `CN/4403/x-qianhai`."""
    return parse_territory(text) is not None


__all__ = ["contains", "is_profession", "is_territory", "profession_contains"]
