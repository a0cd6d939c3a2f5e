"""How often one address may ask, and how many requests are at work: counted here, nowhere else.

Addresses are coarse (a network of 256, a /48 of IPv6) and forgotten with their window. Counting is
per process and costs a microsecond, because every request pays for it; a limit across processes is
the reverse proxy's.

Standard: draft-ietf-httpapi-ratelimit-headers for the words of the answer.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from talentseal.errors import UnavailableError, UsageError

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


class Room:
    """The requests at work, and those whose callers are waited for; the door's loop asks alone.

    Who sends a body or reads an answer slowly takes no place of those at work. Of the slow, one
    address has a share; beyond that the one that has been slow for longest gives way.
    """

    def __init__(self, places: int) -> None:
        self.at_work = 0
        self._places = places
        self._share, self._most = max(8, places // 4), 4 * places
        self._slow: dict[Stay, str] = {}  # in the order in which they came

    @property
    def is_full(self) -> bool:
        return self.at_work >= self._places

    def enter(self, address: str, give_way: Callable[[], None] | None) -> "Stay":
        """A place for one more.

        give_way  ends the wait for a body that has not come yet; None: it has, or there is none
        """
        if give_way is not None:
            self.make_room(address)
        return Stay(self, address, give_way)

    def make_room(self, address: str) -> None:
        """Let one more of this address be slow."""
        same = [stay for stay, other in self._slow.items() if other == address]
        if len(same) >= self._share:
            same[0].give_way()
        elif len(self._slow) >= self._most:
            next(iter(self._slow)).give_way()

    def start(self, stay: "Stay", address: str | None) -> None:
        """Count a request among the slow ones of an address, or among those at work."""
        if address is None:
            self.at_work += 1
        else:
            self._slow[stay] = address

    def stop(self, stay: "Stay") -> None:
        """Count it no more, wherever it was."""
        if self._slow.pop(stay, None) is None and not stay.gave_way:
            self.at_work -= 1


class Stay:
    """One request in the room, until it leaves."""

    __slots__ = ("_end_wait", "_room", "gave_way")

    def __init__(self, room: Room, address: str, give_way: Callable[[], None] | None) -> None:
        self._room, self._end_wait, self.gave_way = room, give_way, False
        room.start(self, address if give_way else None)

    def give_way(self) -> None:
        """Another takes the place of this slow one."""
        self._room.stop(self)
        self.gave_way = True
        if self._end_wait is not None:
            self._end_wait()

    def begin(self) -> None:
        """The body has come. Raises UnavailableError `OVERLOADED` where no place is left."""
        if self._end_wait is None or self.gave_way:
            return
        if self._room.is_full:
            raise UnavailableError(
                "too many requests are at work", code="OVERLOADED", hint="Try again later."
            )
        self._room.stop(self)
        self._room.start(self, None)
        self._end_wait = None

    def await_reader(self, address: str, give_way: Callable[[], None]) -> None:
        """A piece of the answer is to be taken; `give_way` ends the wait for that."""
        self._room.stop(self)
        self._room.make_room(address)
        self._end_wait = give_way
        self._room.start(self, address)

    def go_on(self) -> None:
        """The piece was taken: back to work, which was begun before."""
        if not self.gave_way:
            self._room.stop(self)
            self._room.start(self, None)
        self._end_wait = None

    def leave(self) -> None:
        """The answer is out."""
        self._room.stop(self)
