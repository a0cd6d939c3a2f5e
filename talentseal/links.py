"""Links by which a browser or a code calls a wallet, and the URLs that they name.

A link carries its parameters once each; a URL in it is https, with a host and no secret part, so
that the host shown to a person is the host that is asked. Plain http exists for loopback under the
development switch alone. Nothing is fetched here; the fetcher checks every address again.

Standards: URI RFC 3986, well-known places RFC 8615 with the path insertion of RFC 8414 §3.1.
"""

from collections.abc import Collection, Mapping
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from talentseal.encoding import malformed, too_large
from talentseal.errors import InputError

OFFER_SCHEMES = frozenset(("openid-credential-offer", "haip-vci"))
REQUEST_SCHEMES = frozenset(("openid4vp", "haip-vp"))
MAX_LINK_CHARS = 32 * 1024
MAX_URL_CHARS = 2048
MAX_PARAMETERS = 64
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


def scheme_of(link: str) -> str:
    """What stands before the first colon, in lower case."""
    return link.partition(":")[0].lower()


def parameters_of(link: str, schemes: Collection[str]) -> dict[str, str]:
    """The query parameters of a link of one of these schemes, each at most once.

    Raises InputError `MALFORMED` or `TOO_LARGE`.
    """
    if len(link) > MAX_LINK_CHARS:
        too_large(f"a link of {len(link)} characters; at most {MAX_LINK_CHARS} are read")
    if not link.isascii() or not link.isprintable() or scheme_of(link) not in schemes:
        malformed("not a link of a kind that is read here")
    query = link.partition("?")[2].partition("#")[0]
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError as error:
        raise InputError("a link with parameters that cannot be read", code="MALFORMED") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        malformed("a parameter stands twice in a link")
    return found


def make_link(scheme: str, parameters: Mapping[str, str]) -> str:
    return f"{scheme}://?{urlencode(parameters)}"


def check_url(url: str, *, dev: bool) -> str:
    """The host of a URL that may be asked: https, no user, no fragment. Raises InputError.

    dev  plain http is allowed where the host is this machine
    """
    if len(url) > MAX_URL_CHARS:
        too_large(f"a URL of {len(url)} characters; at most {MAX_URL_CHARS} are read")
    parts = _split(url)
    host = parts.hostname or ""
    if not host or "@" in parts.netloc or "#" in url or "\\" in url:
        _no_url()
    if parts.scheme != "https" and not (dev and parts.scheme == "http" and host in _LOOPBACK):
        _no_url()
    return host


def well_known(identifier: str, name: str, *, dev: bool) -> str:
    """Where the metadata of an identifier lies: the name goes between host and path.

    `https://h/t/a` -> `https://h/.well-known/<name>/t/a`. Raises InputError like `check_url`.
    """
    check_url(identifier, dev=dev)
    parts = _split(identifier)
    if "?" in identifier:
        malformed("an identifier has no query")
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.rstrip('/')}"


def _split(url: str) -> SplitResult:
    if not url.isascii() or not url.isprintable() or " " in url:
        _no_url()
    try:
        parts = urlsplit(url)
        _ = parts.port  # refuses what is no number
    except ValueError as error:
        raise InputError("not a URL", code="MALFORMED") from error
    return parts


def _no_url() -> NoReturn:
    malformed("not an https URL with a host and nothing but a path and query behind it")
