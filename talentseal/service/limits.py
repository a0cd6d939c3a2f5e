"""How often one address may ask: so many requests in a window, counted here and nowhere else.

Addresses are coarse (a network of 256, a /48 of IPv6) and forgotten with their window. Counting is
per process and costs a microsecond, because every request pays for it; a limit across processes is
the reverse proxy's.

Standard: draft-ietf-httpapi-ratelimit-headers for the words of the answer.
"""

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from talentseal.errors import UsageError

MAX_ADDRESSES = 50_000  # of one window; more is an attack, and they then share one count
_UNITS = {"second": 1, "minute": 60, "hour": 3600}
_RATE = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour)")
_EVERYBODY = "everybody else"


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    amount: int
    seconds: int


class Use(NamedTuple):
    """What one request was told: how many are left, and seconds until the window ends."""

    is_allowed: bool
    left: int
    seconds: int


def parse_rate(text: str, setting: str) -> Rate:
    """`600/minute` as a rate. Raises UsageError that names the setting."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise UsageError(f"{setting} is no rate", hint="Such as 600/minute.")
    return Rate(int(found[1]), _UNITS[found[2]])


class Limiter:
    """The counts of the window that runs. Not for several threads: the door's loop asks alone."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._ends = 0.0
        self._counts: dict[str, int] = {}
        self.policy = b'"default";q=%d;w=%d' % rate

    def use(self, address: str, now: float) -> Use:
        """Count one request. `now` in seconds of any clock that only rises."""
        if now >= self._ends:
            self._ends = now + self._rate.seconds
            self._counts.clear()
        if address not in self._counts and len(self._counts) >= MAX_ADDRESSES:
            address = _EVERYBODY
        count = self._counts[address] = self._counts.get(address, 0) + 1
        left = max(0, self._rate.amount - count)
        return Use(count <= self._rate.amount, left, int(self._ends - now) + 1)


@lru_cache(4096)
def near(host: str) -> str:
    """An address, coarsely; "local" for a socket of the file system."""
    try:
        address = ip_address(host)
    except ValueError:
        return "local"
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
