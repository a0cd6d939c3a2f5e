import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hostile import Speak, answer, files, saying, server
from simulator import DAY, HOUR, FileSource, World

from talentseal.encoding import from_seconds
from talentseal.sync import Pin, synchronise
from talentseal.trustdb import current_set
from verifier.offline.refresh import FIRST_RETRY_SECONDS, Refresher

CITY = "CN/9999"
# Between two checks: a thread that never rests keeps the other from the interpreter for 5 ms at
# each of its many thousand files.
BREATH_SECONDS = 0.001


class Desk:
    """A verifier with a registry whose answers a test sets."""

    def __init__(self, folder: Path) -> None:
        self.world = World.honest()
        self.home = folder / "trust"
        self.published: dict[str, bytes] = {}
        self.speak: Speak = files(self.published)
        self.made: list[Refresher] = []
        self.url = ""
        self.publish()

    def publish(self) -> None:
        self.world.turn(HOUR)
        self.published.clear()
        self.published.update(self.world.publish())

    def serve(self, connection: socket.socket, request: bytes) -> None:
        self.speak(connection, request)

    def clock(self) -> datetime:
        return from_seconds(self.world.now)

    @property
    def pin(self) -> Pin:
        return Pin(self.world.offices[CITY].tuf.root_bytes(1))

    def refresher(self, *, every_seconds: float = 3600, spread: float = 0.5) -> Refresher:
        made = Refresher(
            self.home, self.url, self.pin, every_seconds=every_seconds, clock=self.clock,
            spread=lambda: spread,
        )  # fmt: skip
        self.made.append(made)
        return made

    def outside(self) -> None:
        """What `verifier sync` does in another process."""
        synchronise(self.home, FileSource(self.published), self.pin, now=self.clock())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("TALENTSEAL_DEV", "1")
    desk = Desk(tmp_path)
    with server(desk.serve) as heard:
        desk.url = heard.url
        yield desk
        for refresher in desk.made:
            refresher.stop()


def version(refresher: Refresher) -> int | None:
    held = refresher.bundle.jurisdictions.get(CITY)
    return None if held is None else held.version


def until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_nothing_is_held_until_something_is_brought(desk: Desk) -> None:
    refresher = desk.refresher()
    assert (version(refresher), refresher.age_seconds(desk.clock())) == (None, None)
    assert refresher.refresh_now()
    assert (version(refresher), refresher.last_problem) == (1, None)


def test_who_has_just_synchronised_waits_for_the_next_time(desk: Desk) -> None:
    refresher = desk.refresher()
    refresher.refresh_now()
    desk.publish()
    refresher.start()
    time.sleep(0.3)  # the thread would ask within milliseconds
    assert version(refresher) == 1


def test_a_newer_set_takes_the_place_of_the_old_one_at_once(desk: Desk) -> None:
    refresher = desk.refresher()
    refresher.refresh_now()
    before = refresher.bundle
    title = desk.world.city.issue()
    desk.world.city.set_status(title, 1)
    desk.publish()
    assert refresher.refresh_now()
    assert desk.world.check(title, bundle=before).outcome == "accept"
    assert desk.world.check(title, bundle=refresher.bundle).outcome == "refuse"


def test_age_is_that_of_the_own_jurisdiction(desk: Desk) -> None:
    refresher = desk.refresher()
    refresher.refresh_now()
    assert refresher.age_seconds(desk.clock()) == 0
    assert refresher.age_seconds(from_seconds(desk.world.now + DAY)) == DAY


@pytest.mark.parametrize(
    ("speak", "code"),
    [
        (saying(answer(status=503)), "DEPENDENCY_UNAVAILABLE"),
        (saying(answer(b"<html>", kind="text/html")), "DEPENDENCY_UNAVAILABLE"),
        (saying(answer(b"{}")), "BUNDLE_TAMPERED"),
    ],
)
def test_whatever_fails_leaves_the_last_good_set(desk: Desk, speak: Speak, code: str) -> None:
    refresher = desk.refresher()
    refresher.refresh_now()
    honest, desk.speak = desk.speak, speak
    assert not refresher.refresh_now()
    assert (version(refresher), refresher.last_problem) == (1, code)
    desk.speak = honest
    desk.publish()
    assert refresher.refresh_now()
    assert (version(refresher), refresher.last_problem) == (2, None)


def test_an_update_that_was_refused_is_remarked_on_from_now_on(desk: Desk) -> None:
    refresher = desk.refresher()
    old = dict(desk.published)
    desk.publish()
    refresher.refresh_now()
    desk.published.clear()
    desk.published.update(old)
    assert not refresher.refresh_now()
    assert refresher.last_problem == "ROLLBACK_REFUSED"
    assert refresher.bundle.refused == {CITY: "ROLLBACK_REFUSED"}


def test_a_peer_that_is_refused_is_a_problem_although_home_went_on(desk: Desk) -> None:
    refresher = desk.refresher()
    refresher.refresh_now()
    desk.publish()
    desk.published["HK/metadata/timestamp.json"] = b"{}"
    assert not refresher.refresh_now()
    assert (version(refresher), refresher.last_problem) == (2, "BUNDLE_TAMPERED")


def test_a_set_that_another_process_brought_is_taken_up(desk: Desk) -> None:
    refresher = desk.refresher()
    desk.outside()
    desk.speak = saying(answer(status=503))
    assert version(refresher) is None
    assert not refresher.refresh_now()
    assert version(refresher) == 1


def test_a_bundle_is_loaded_again_only_where_the_set_is_another(desk: Desk) -> None:
    refresher = desk.refresher()
    refresher.refresh_now()
    held = refresher.bundle
    desk.speak = saying(answer(status=503))
    refresher.refresh_now()
    assert refresher.bundle is held


def test_a_damaged_set_never_replaces_a_good_one(desk: Desk) -> None:
    refresher = desk.refresher()
    refresher.refresh_now()
    desk.outside()
    folder = current_set(desk.home)
    assert folder is not None
    (folder / "trust.db").write_bytes(b"damaged")
    assert not refresher.refresh_now()
    assert (version(refresher), refresher.last_problem) == (1, "TRUST_DATA_CORRUPT")


def test_a_start_from_damage_is_told(desk: Desk) -> None:
    desk.outside()
    folder = current_set(desk.home)
    assert folder is not None
    (folder / "trust.db").write_bytes(b"damaged")
    assert desk.refresher().last_problem == "TRUST_DATA_CORRUPT"


def test_a_source_that_is_none_is_a_problem_and_no_crash(desk: Desk) -> None:
    desk.url = "http://registry.example"
    refresher = desk.refresher()
    assert not refresher.refresh_now()
    assert refresher.last_problem == "REQUEST_INVALID"


# --- the thread -----------------------------------------------------------------------------------


def test_pauses_are_spread_and_shorter_after_failures(desk: Desk) -> None:
    assert desk.refresher(spread=0.0).pause_seconds() == pytest.approx(3240)
    assert desk.refresher(spread=1.0).pause_seconds() == pytest.approx(3960)
    refresher = desk.refresher()
    desk.speak = saying(answer(status=503))
    pauses = []
    for _ in range(10):
        refresher.refresh_now()
        pauses.append(refresher.pause_seconds())
    assert pauses[:3] == pytest.approx([FIRST_RETRY_SECONDS * factor for factor in (1, 2, 4)])
    assert pauses[-1] == pytest.approx(3600)
    desk.speak = files(desk.published)
    refresher.refresh_now()
    assert refresher.pause_seconds() == pytest.approx(3600)


def test_a_running_refresher_brings_what_is_published(desk: Desk) -> None:
    refresher = desk.refresher(every_seconds=0.05)
    refresher.start()
    until(lambda: version(refresher) == 1)
    desk.outside()
    until(lambda: refresher.bundle.clock_mark == desk.world.now)
    refresher.stop()
    held = refresher.bundle
    time.sleep(0.3)
    assert refresher.bundle is held


def test_a_refresher_at_rest_stops_at_once(desk: Desk) -> None:
    refresher = desk.refresher()
    refresher.start()
    until(lambda: version(refresher) == 1)
    began = time.monotonic()
    refresher.stop()
    assert time.monotonic() - began < 1


def test_a_refresher_at_work_stops_after_the_file_at_hand(desk: Desk) -> None:
    asked = threading.Event()
    honest = files(desk.published)
    stopping = threading.Event()

    def speak(connection: socket.socket, request: bytes) -> None:
        asked.set()
        stopping.wait(20)
        honest(connection, request)

    desk.speak = speak
    refresher = desk.refresher()
    refresher.start()
    assert asked.wait(20)
    threading.Timer(0.2, stopping.set).start()
    refresher.stop()
    assert not [t for t in threading.enumerate() if t.name == "trust data" and t.is_alive()]
    assert version(refresher) is None


def test_checks_go_on_while_the_set_is_replaced(desk: Desk) -> None:
    refresher = desk.refresher()
    refresher.refresh_now()
    title = desk.world.city.issue()
    outcomes: set[str] = set()
    ended = threading.Event()

    def check() -> None:
        while not ended.wait(BREATH_SECONDS):
            outcomes.add(desk.world.check(title, bundle=refresher.bundle).outcome)

    thread = threading.Thread(target=check)
    thread.start()
    try:
        for _ in range(4):
            refresher.refresh_now()
    finally:
        ended.set()
        thread.join()
    assert outcomes == {"accept"}
