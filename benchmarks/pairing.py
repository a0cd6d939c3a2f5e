"""How anything is measured here: two things side by side, never one against a stored number.

A shared machine wobbles by a third from minute to minute, a ratio taken inside one run by about a
twentieth. So a figure is made of pairs of blocks: some calls of the floor, as many of ours, order
swapped every time. The ratio of the two p10 values is what a goal is held against; the median of
the per-block ratios stands beside it and shows how steady the run was. CPU time, not wall time.

Needs the standard library alone, because the foreign verifiers measure themselves with it too,
by their own interpreter (`peers/driver.py`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

BLOCKS = 300  # fewer, and the p10 of a busy machine is still noise
QUICK_BLOCKS = 60
CALLS = 25  # long enough to drown the clock's own cost, short enough to dodge the scheduler

TOLERANCE = 0.20  # a run fails only this far beyond its goal; the table shows the plain truth

Act = Callable[[], object]
Clock = Callable[[], float]


def blocks_for(*, quick: bool) -> int:
    """How many pairs of blocks a bench takes in a quick or a full run."""
    return QUICK_BLOCKS if quick else BLOCKS


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two things measured together; times are microseconds of CPU for one call, p10 of blocks."""

    floor_us: float
    ours_us: float
    ratio_p10: float  # ours / floor
    ratio_median: float  # median over blocks of ours / floor
    blocks: int


def pair(
    floor: Act, ours: Act, *, blocks: int, calls: int = CALLS, clock: Clock = time.thread_time
) -> Pairing:
    """Measure `floor` and `ours` in interleaved blocks of `calls` calls each.

    blocks  pairs of blocks; at least 2, and 300 for a figure that a goal is held against
    clock   seconds of CPU of this thread; pass `time.perf_counter` only where wall time is meant
    """
    return compare(*take(floor, ours, blocks=blocks, calls=calls, clock=clock), calls=calls)


def take(
    floor: Act, ours: Act, *, blocks: int, calls: int, clock: Clock
) -> tuple[list[float], list[float]]:
    """The seconds of each block of `floor` and of `ours`, for whoever joins several such rows.

    Parameters as in `pair`. Raises ValueError for fewer than two blocks or one call.
    """
    if blocks < 2 or calls < 1:
        raise ValueError("a pairing needs two blocks of one call at least")
    block_seconds(floor, calls, clock)  # steady state: caches filled, code specialised
    block_seconds(ours, calls, clock)
    floors: list[float] = []
    all_ours: list[float] = []
    for number in range(blocks):
        if number % 2:
            all_ours.append(block_seconds(ours, calls, clock))
            floors.append(block_seconds(floor, calls, clock))
        else:
            floors.append(block_seconds(floor, calls, clock))
            all_ours.append(block_seconds(ours, calls, clock))
    return floors, all_ours


def block_seconds(act: Act, calls: int, clock: Clock) -> float:
    """Seconds that `calls` calls of `act` take, one after another."""
    start = clock()
    for _ in range(calls):
        act()
    return clock() - start


def compare(floors: Sequence[float], ours: Sequence[float], *, calls: int) -> Pairing:
    """Turn two equally long rows of block times (seconds) into a pairing."""
    floor_p10, ours_p10 = p10(floors), p10(ours)
    ratios = [mine / theirs for theirs, mine in zip(floors, ours, strict=True)]
    return Pairing(
        floor_us=floor_p10 / calls * 1e6,
        ours_us=ours_p10 / calls * 1e6,
        ratio_p10=ours_p10 / floor_p10,
        ratio_median=median(ratios),
        blocks=len(ratios),
    )


def p10(values: Sequence[float]) -> float:
    """The value below which a tenth lies: the machine at its best, without its luckiest moment."""
    return sorted(values)[len(values) // 10]


@dataclass(frozen=True, slots=True)
class Limit:
    """What a goal promises about its ratio."""

    op: Literal["<=", ">="]
    value: float

    def holds(self, ratio: float, *, tolerance: float = 0.0) -> bool:
        """Whether `ratio` keeps the promise, or comes within `tolerance` (a share) of it."""
        if self.op == "<=":
            return ratio <= self.value * (1 + tolerance)
        return ratio >= self.value * (1 - tolerance)

    def __str__(self) -> str:
        return f"{self.op} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise about speed or size, as the performance page lists it."""

    id: int
    name: str
    limit: Limit
    floor: str  # what 1.0 stands for, in a few words
    times_faster_than_peers: float | None = None  # than the fastest peer that checks everything
    excused: frozenset[str] = frozenset()  # what a peer may leave out and still count as complete


@dataclass(frozen=True, slots=True)
class PeerFigure:
    """A foreign implementation, measured by itself against its own floor, or missing and why."""

    name: str
    version: str | None = None
    ratio: float | None = None  # its p10 over its own floor's p10
    skips: tuple[str, ...] = ()  # the bad inputs that it accepted
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class GoalResult:
    """What a bench found out about one goal.

    ratio_p10 is on the scale of the goal's limit: for `<=` ours over the floor, for `>=` how many
    times we are better. `inputs` names what was measured: bytes, claims, disclosures, list size.
    """

    goal: Goal
    ratio_p10: float
    ratio_median: float
    floor_us: float
    ours_us: float
    blocks: int
    inputs: str
    refusals_checked: int
    peers: tuple[PeerFigure, ...] = ()
    why_not_lower: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def met(self, *, tolerance: float = 0.0) -> bool:
        """Whether the limit holds, and the lead over complete peers, where one is promised."""
        return self.goal.limit.holds(self.ratio_p10, tolerance=tolerance) and self._leads(tolerance)

    def _leads(self, tolerance: float) -> bool:
        lead = self.goal.times_faster_than_peers
        rivals = [
            peer.ratio
            for peer in self.peers
            if peer.ratio is not None and self.goal.excused.issuperset(peer.skips)
        ]
        if lead is None or not rivals:
            return True
        return min(rivals) / self.ratio_p10 >= lead * (1 - tolerance)


def result(goal: Goal, pairing: Pairing, *, inputs: str, refusals_checked: int) -> GoalResult:
    """The result of a goal of the form "at most so many floors"; add peers with `replace`."""
    return GoalResult(
        goal=goal,
        ratio_p10=pairing.ratio_p10,
        ratio_median=pairing.ratio_median,
        floor_us=pairing.floor_us,
        ours_us=pairing.ours_us,
        blocks=pairing.blocks,
        inputs=inputs,
        refusals_checked=refusals_checked,
    )


def result_times_better(
    goal: Goal, pairing: Pairing, *, inputs: str, refusals_checked: int
) -> GoalResult:
    """The result of a goal of the form "at least so many times better than the floor"."""
    return GoalResult(
        goal=goal,
        ratio_p10=1 / pairing.ratio_p10,
        ratio_median=1 / pairing.ratio_median,
        floor_us=pairing.floor_us,
        ours_us=pairing.ours_us,
        blocks=pairing.blocks,
        inputs=inputs,
        refusals_checked=refusals_checked,
    )
