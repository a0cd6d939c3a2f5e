"""Addresses that others give us: what an address must look like, and where none may lead.

An address that came from outside (an offer, a request, a type document, a redirect) names a place
that we are asked to call. This module promises that what it lets through has one reading, as
`https://host[:port]/path`, and says of a network address whether the whole internet can reach it.
Looking names up and connecting is left to `wire`, asking and answering to `fetch`.

Standards: RFC 3986, RFC 5891 (names), IANA special-purpose address registries (RFC 6890 §2.2).
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple, NoReturn

from talentseal.errors import InputError, RefusedError

MAX_URL_CHARS = 2048
HTTPS_PORT = 443
_MAX_HOST_CHARS = 253
# Visible ASCII; no user, no fragment, no backslash, which some readers take for a slash.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]*:[0-9a-f:.]*\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:[/?](?:(?![#\\])[!-~])*)?)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Names end in letters; whatever ends in a number is read as an IPv4 address somewhere.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Not globally reachable, or multicast: IANA IPv4 Special-Purpose Address Registry, 2025-10.
_CLOSED_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
            "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
_GLOBAL_6 = IPv6Network("2000::/3")  # the only unicast space that is handed out
# Exceptions in it: IETF protocols (Teredo among them), documentation, 6to4; same registry for IPv6.
_CLOSED_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in IPv6 spelling


class Target(NamedTuple):
    """An address in its one reading.

    host  a name or a literal address in lower case, IPv6 without brackets
    path  with its query, beginning with a slash
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as a request states them; the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = HTTPS_PORT if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


def parse_url(url: str, *, ports: Collection[int] = (), loopback: bool = False) -> Target:
    """Read an address that somebody gave us.

    ports     ports allowed beside 443
    loopback  development: http, and any port, where the host is the machine itself

    Raises InputError `MALFORMED` or `TOO_LARGE`; RefusedError for a scheme, host or port that is
    not called.
    """
    if len(url) > MAX_URL_CHARS:
        raise InputError(f"an address of more than {MAX_URL_CHARS} characters", code="TOO_LARGE")
    match = _URL.fullmatch(url)
    if match is None:
        raise InputError("not an address of the form https://host/path", code="MALFORMED")
    scheme, host = match["scheme"].lower(), _checked_host(match["host"].lower())
    port = int(match["port"] or (HTTPS_PORT if scheme == "https" else 80))
    path = match["path"] if match["path"].startswith("/") else f"/{match['path']}"
    if not (loopback and is_loopback(host)):
        _check_public(scheme, host, port, ports)
    return Target(scheme, host, port, path)


def _check_public(scheme: str, host: str, port: int, ports: Collection[int]) -> None:
    if scheme != "https":
        refuse(f"{host} is not called without https")
    if port != HTTPS_PORT and port not in ports:
        refuse(f"port {port} of {host} is not called")
    if is_literal(host) and not is_public(host):
        refuse(f"{host} is not on the public internet")
    if "." not in host and ":" not in host:
        refuse(f"{host} is no public name")


def refuse(message: str) -> NoReturn:
    raise RefusedError(
        message, code="REQUEST_INVALID", hint="Do not use what gave this address; report it."
    )


def _checked_host(host: str) -> str:
    if host.startswith("["):
        return _literal(host[1:-1])
    labels = host.split(".")
    if len(host) > _MAX_HOST_CHARS or not all(map(_LABEL.fullmatch, labels)):
        raise InputError("a host name that is none", code="MALFORMED")
    if _NUMBER.fullmatch(labels[-1]):
        return _literal(host)
    if any(label[2:4] == "--" for label in labels):
        _check_idna(host)
    return host


def _literal(text: str) -> str:
    """An address in its usual spelling alone: no octal, hexadecimal or shortened form."""
    try:
        address = ip_address(text)
    except ValueError as error:
        raise InputError("a network address in an odd spelling", code="MALFORMED") from error
    return str(address)


def _check_idna(host: str) -> None:
    """A name in another script must be the one encoding of a permitted name (RFC 5891 §4.2)."""
    import idna

    try:
        idna.encode(host, strict=True)
    except idna.IDNAError as error:
        raise InputError("an international name that is none", code="MALFORMED") from error


def is_literal(host: str) -> bool:
    """Whether a host that was read is an address in place of a name."""
    return ":" in host or host.rpartition(".")[2].isdecimal()


def is_loopback(host: str) -> bool:
    """Whether a host, as spelled, is this machine: `localhost` or a loopback address."""
    if host == "localhost":
        return True
    return is_literal(host) and ip_address(host).is_loopback


def is_public(text: str) -> bool:
    """Whether an address, as a name service gave it, can be reached by the whole internet.

    IPv6 spellings that hold an IPv4 address are judged by that address, or not reachable.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_4(address)
    return address.scope_id is None and _is_public_6(address)


def _is_public_4(address: IPv4Address) -> bool:
    return not any(address in network for network in _CLOSED_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address in _NAT64:
        return _is_public_4(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_6 and not any(address in network for network in _CLOSED_6)
