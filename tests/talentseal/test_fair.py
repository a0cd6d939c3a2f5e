"""A lock in the order of asking: nobody who lets go comes back before those who wait."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from talentseal.fair import FairLock

LONG = 60.0


def until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def test_turns_come_in_the_order_of_asking() -> None:
    lock, seen = FairLock(), list[int]()

    def work(number: int) -> None:
        assert lock.acquire(timeout=LONG)
        seen.append(number)
        lock.release()

    with ThreadPoolExecutor(9) as pool:
        assert lock.acquire(timeout=0)
        running = []
        for number in range(9):
            running.append(pool.submit(work, number))
            until(lambda wanted=number + 1: lock.waiting == wanted)  # type: ignore[misc]
        lock.release()
        for one in running:
            one.result(LONG)
    assert seen == list(range(9))


def test_who_lets_go_and_asks_again_comes_after_who_waits() -> None:
    lock, rounds = FairLock(), 50
    seen: list[str] = []

    def work() -> None:
        assert lock.acquire(timeout=LONG)
        seen.append("other")
        lock.release()

    with ThreadPoolExecutor(1) as pool:
        assert lock.acquire(timeout=0)
        for _ in range(rounds):
            running = pool.submit(work)
            until(lambda: lock.waiting == 1)
            lock.release()
            assert lock.acquire(timeout=LONG)
            seen.append("again")
            running.result(LONG)
    assert seen == ["other", "again"] * rounds


def test_who_gives_up_is_passed_over() -> None:
    lock = FairLock()
    assert lock.acquire(timeout=0)
    assert not lock.acquire(timeout=0.01)
    assert lock.waiting == 0
    lock.release()
    assert lock.acquire(timeout=0)


def test_one_holds_it_and_none_is_forgotten_however_many_give_up() -> None:
    lock, inside, most = FairLock(), 0, 0

    def work(_: int) -> int:
        nonlocal inside, most
        held = 0
        for _ in range(300):
            if lock.acquire(timeout=0.0002):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0001)
                inside -= 1
                held += 1
                lock.release()
        return held

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4)))
    assert (most, lock.waiting) == (1, 0)
    assert lock.acquire(timeout=0)
