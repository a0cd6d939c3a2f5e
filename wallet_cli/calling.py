"""How the wallet is called from outside: by a link typed, pasted, or read from a picture.

A link is text of somebody else's making; here it is only found, not followed. Requests to the hosts
that it names go through the one fetcher, each of them announced to the person before it is asked.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from talentseal import qr
from talentseal.commandline import note, now, setting
from talentseal.encoding import to_seconds
from talentseal.errors import InputError
from talentseal.files import read_bounded
from talentseal.links import MAX_LINK_CHARS, check_url, scheme_of
from talentseal.terminal import escape

if TYPE_CHECKING:
    from talentseal.fetch import Fetcher

_MAX_FILE_BYTES = 10 * 1024 * 1024
_WEB = frozenset(("https", "http"))


class Wallet(NamedTuple):
    """The means of one conversation: fetcher, clock (NumericDate) and the development switch."""

    fetcher: "Fetcher"
    clock: Callable[[], int]
    dev: bool


def open_wallet() -> Wallet:
    """The means that the operator's settings describe. Raises UsageError for bad settings."""
    from talentseal.fetch import DEV, fetcher_from_settings

    return Wallet(fetcher_from_settings(), lambda: to_seconds(now()), setting(DEV) == "1")


def link_in(argument: str, schemes: Collection[str]) -> str | None:
    """The link that an argument is, or that a picture of this name holds; None if there is none.

    schemes  those of the links meant, beside web addresses typed as they are

    Raises UnavailableError for a picture that cannot be read.
    """
    if scheme_of(argument) in {*schemes, *_WEB}:
        return argument
    path = Path(argument)
    if not path.is_file():
        return None
    data = read_bounded(path, _MAX_FILE_BYTES)
    if not (qr.looks_like_picture(data) or qr.looks_like_pdf(data)):
        text = data[: MAX_LINK_CHARS + 1].decode("ascii", "replace").strip()
        return text if scheme_of(text) in schemes else None
    found = [text for text in qr.read(data) if scheme_of(text) in schemes]
    if len(found) > 1:
        raise InputError("more than one link in one picture", code="NOT_A_CREDENTIAL")
    return found[0] if found else None


def announce(url: str, *, dev: bool) -> None:
    """Name a host before it is asked. Raises InputError for what is no address."""
    note(f"Asking {escape(check_url(url, dev=dev))}")
