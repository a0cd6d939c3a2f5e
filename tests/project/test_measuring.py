"""The measuring itself is right: ratios, limits, refusals before figures, honest gaps."""

import json
from dataclasses import replace
from itertools import count

import pytest

from benchmarks import report
from benchmarks.goals import GOALS
from benchmarks.inputs import NotJudgedError, check_refusals, flip_bytes, flip_text, seeded
from benchmarks.pairing import (
    Limit,
    Pairing,
    PeerFigure,
    compare,
    p10,
    pair,
    result,
    result_times_better,
)

STEADY = Pairing(floor_us=75.0, ours_us=150.0, ratio_p10=2.0, ratio_median=2.1, blocks=300)


def test_blocks_are_interleaved_and_their_order_is_swapped() -> None:
    order: list[str] = []
    clock = count().__next__
    pair(
        lambda: order.append("floor"),
        lambda: order.append("ours"),
        blocks=3,
        calls=1,
        clock=lambda: float(clock()),
    )
    assert order[2:] == ["floor", "ours", "ours", "floor", "floor", "ours"]


def test_a_call_that_costs_twice_the_floor_has_the_ratio_two() -> None:
    now = [0.0]

    def spend(seconds: float) -> None:
        now[0] += seconds

    measured = pair(
        lambda: spend(10e-6), lambda: spend(20e-6), blocks=10, calls=5, clock=lambda: now[0]
    )
    assert measured.ratio_p10 == pytest.approx(2.0)
    assert measured.ratio_median == pytest.approx(2.0)
    assert measured.floor_us == pytest.approx(10.0)
    assert measured.blocks == 10


def test_one_disturbed_block_moves_neither_figure() -> None:
    floors = [1.0] * 20
    ours = [2.0] * 19 + [500.0]
    measured = compare(floors, ours, calls=1)
    assert (measured.ratio_p10, measured.ratio_median) == (2.0, 2.0)


def test_p10_leaves_a_tenth_below() -> None:
    assert p10([float(n) for n in range(100)]) == 10.0


@pytest.mark.parametrize("blocks", [0, 1])
def test_too_few_blocks_are_no_measurement(blocks: int) -> None:
    with pytest.raises(ValueError, match="two blocks"):
        pair(int, int, blocks=blocks)


def test_a_limit_holds_at_its_value_and_the_tolerance_only_where_asked() -> None:
    most, least = Limit("<=", 2.0), Limit(">=", 50)
    assert most.holds(2.0)
    assert not most.holds(2.01)
    assert most.holds(2.39, tolerance=0.2)
    assert not most.holds(2.41, tolerance=0.2)
    assert least.holds(50)
    assert not least.holds(49)
    assert least.holds(41, tolerance=0.2)
    assert not least.holds(39, tolerance=0.2)


def test_a_goal_is_missed_when_a_complete_peer_is_too_close() -> None:
    ours = result(GOALS[1], STEADY, inputs="a credential", refusals_checked=3)
    far = replace(ours, peers=(PeerFigure("far", "1", 4.7),))
    near = replace(ours, peers=(PeerFigure("far", "1", 4.7), PeerFigure("near", "1", 3.0)))
    lax = replace(ours, peers=(PeerFigure("lax", "1", 1.0, skips=("expired",)),))
    assert ours.met()
    assert far.met()
    assert not near.met()
    assert lax.met()  # it leaves out what ours does, so it is no rival


def test_times_better_turns_the_ratio_round() -> None:
    quick = Pairing(floor_us=100.0, ours_us=2.0, ratio_p10=0.02, ratio_median=0.025, blocks=30)
    found = result_times_better(GOALS[13], quick, inputs="a list", refusals_checked=1)
    assert found.ratio_p10 == pytest.approx(50)
    assert found.ratio_median == pytest.approx(40)


def test_what_accepts_a_bad_input_gets_no_figure() -> None:
    assert check_refusals(lambda text: text == "good", good="good", bad={"a": "x", "b": "y"}) == 2
    with pytest.raises(NotJudgedError, match="bad signature"):
        check_refusals(lambda _: True, good="good", bad={"signature": "altered"})
    with pytest.raises(NotJudgedError, match="good input"):
        check_refusals(lambda _: False, good="good", bad={})


def test_inputs_are_the_same_in_every_run_and_flips_change_one_place() -> None:
    assert seeded("a").random() == seeded("a").random() != seeded("b").random()
    assert flip_text("AxA", 0) == "BxA"
    assert flip_bytes(b"\x00\x01", 1) == b"\x00\x00"


def test_the_page_shows_every_goal_and_says_what_is_missing() -> None:
    ours = result(GOALS[1], STEADY, inputs="a credential of 2 kB", refusals_checked=3)
    peers = (
        PeerFigure("lax", "0.1", 3.2, skips=("expired",)),
        PeerFigure("gone", missing="not installed"),
    )
    document = report.describe(
        [replace(ours, peers=peers, why_not_lower="two signatures")],
        report.machine(0.0, quick=True),
    )
    page = report.render(json.loads(json.dumps(document)))
    assert "`lax` 0.1: 3.20 [accepts: expired]; `gone` missing: not installed" in page
    assert "**2.00** / 2.10" in page
    assert "Why not lower: two signatures" in page
    assert page.count("not measured yet") == len(GOALS) - 1


def test_a_busy_machine_marks_the_run() -> None:
    machine = report.machine(10_000.0, quick=True)
    assert report.describe([], machine)["noisy"]
    assert "Noisy run" in report.render(report.describe([], machine))
