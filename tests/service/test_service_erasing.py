import pytest

from talentseal.service.erasing import BEYOND_PROOF_SECONDS, CONFIRM_SECONDS, CautiousClock

NOW = 1_795_251_600
MONTH = 31 * 24 * 3600


class Hands:
    """A clock that is set by the test, beside a steady one."""

    def __init__(self) -> None:
        self.passed, self.wrong = 0.0, 0
        self._clock = CautiousClock(lambda: 777.25 + self.passed)

    @property
    def now(self) -> int:
        return NOW + int(self.passed) + self.wrong

    def look(self, after: float = 0, *, wrong: int = 0, proven: int | None = None) -> int:
        """How far a clock that is `wrong` by so much is behind, or 0 where all is believed."""
        self.passed, self.wrong = self.passed + after, wrong
        return self.now - self._clock.believed(self.now, proven=proven)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_a_right_clock_is_believed_an_hour_after_the_start(hands: Hands) -> None:
    assert hands.look() == hands.now  # nothing is
    assert hands.look(60) == hands.now
    assert hands.look(CONFIRM_SECONDS - 60) <= 1
    for _ in range(100):
        assert hands.look(60) <= 1


def test_a_right_clock_is_believed_at_once_beside_young_trust_data(hands: Hands) -> None:
    assert hands.look(proven=NOW - 3600) == 0


@pytest.mark.parametrize("every", [60, 300, 3600])
def test_a_leap_is_not_believed_until_it_has_lasted_for_an_hour(hands: Hands, every: int) -> None:
    for _ in range(1 + 2 * CONFIRM_SECONDS // every):
        hands.look(every)
    left = CONFIRM_SECONDS
    while left > 0:
        assert hands.look(every, wrong=MONTH) >= MONTH
        left -= every
    assert hands.look(every, wrong=MONTH) <= 1


@pytest.mark.parametrize("wrong", [MONTH, -MONTH])
def test_a_clock_that_was_wrong_at_one_look_is_believed_again(hands: Hands, wrong: int) -> None:
    for _ in range(70):
        hands.look(60)
    hands.look(60, wrong=wrong)
    late = [hands.look(60) for _ in range(62)]
    assert late[-1] <= 1  # behind once, it keeps things for an hour more
    assert wrong < 0 or max(late) <= 1


def test_a_leap_at_the_start_is_not_believed_beyond_what_trust_data_prove(hands: Hands) -> None:
    assert hands.look(wrong=MONTH) == hands.now
    assert hands.look(1, wrong=MONTH, proven=NOW) >= MONTH - BEYOND_PROOF_SECONDS
    assert hands.look(1, proven=NOW) == 0


def test_what_is_believed_is_never_after_the_clock(hands: Hands) -> None:
    assert hands.look(wrong=-MONTH, proven=NOW) == 0
    assert hands.look(2 * CONFIRM_SECONDS, wrong=-2 * MONTH, proven=NOW) == 0
