"""What names of bodies, hosts and types must look like before the registry keeps them."""

import re
from collections.abc import Iterable, Mapping

from schemas.types import TYPE_IDS, vct_of
from talentseal.errors import UsageError
from talentseal.statements import is_entity_id
from talentseal.territory import is_profession, is_territory
from talentseal.trust import is_inside
from talentseal.x509 import host_of

MAX_NAME_CHARS = 200
_LANG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")


def check_names(names: Mapping[str, str], *, max_chars: int = MAX_NAME_CHARS) -> None:
    """A name by language tag, English among them. Raises UsageError."""
    if "en" not in names:
        raise UsageError("a name in English is needed", hint="Add a name with the tag en.")
    for tag, name in names.items():
        if not _LANG.fullmatch(tag):
            raise UsageError("a name has a language tag such as en or zh-Hans")
        if not 0 < len(name) <= max_chars or not name.isprintable():
            raise UsageError(f"the name with the tag {tag} is empty, unprintable or too long")


def is_host(text: str) -> bool:
    """A DNS name of two labels at least, in lower case."""
    return _HOST.fullmatch(text) is not None


def is_body(entity_id: str, namespaces: Iterable[str]) -> bool:
    """Whether this may name a body: an https URL whose host is a DNS name in the name spaces."""
    is_url = is_entity_id(entity_id) and is_host(host_of(entity_id))
    return is_url and is_inside(entity_id, namespaces)


def check_scope(territory: Iterable[str], profession: Iterable[str] | None) -> None:
    """Places and professions in their one spelling. Raises UsageError."""
    for place in territory:
        if not is_territory(place):
            raise UsageError(
                f"{place} is no territory", hint="Such as HK, CN/4403 or CN/4403/x-qianhai."
            )
    for path in profession or ():
        if not is_profession(path):
            raise UsageError(f"{path} is no profession", hint="Such as engineer or series/05.")


def vcts_of(types: Iterable[str]) -> list[str]:
    """`professional-title/1` as its `vct`. Raises UsageError for a type nobody publishes."""
    return [_vct_of(name) for name in dict.fromkeys(types)]


def _vct_of(name: str) -> str:
    if name not in TYPE_IDS:
        raise UsageError(f"{name} is no type known here", hint=f"Known: {', '.join(TYPE_IDS)}.")
    return vct_of(name)
