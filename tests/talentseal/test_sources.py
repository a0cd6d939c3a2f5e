import gzip
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import Heard, Speak, answer, dripping, files, path_of, saying, server
from simulator import HOUR, World

from talentseal.encoding import from_seconds
from talentseal.errors import (
    BundleError,
    InputError,
    RefusedError,
    TalentsealError,
    UnavailableError,
    UsageError,
)
from talentseal.fetch import Fetcher
from talentseal.sources import HttpSource
from talentseal.sync import (
    Change,
    Pin,
    development_pin,
    open_source,
    refused_updates,
    synchronise,
)
from talentseal.trustdb import open_bundle

CITY = "CN/9999"
Files = dict[str, bytes]


@pytest.fixture
def world() -> World:
    return World.honest()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "trust"


@pytest.fixture(autouse=True)
def _development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALENTSEAL_DEV", "1")


class Registry:
    """Published files over HTTP; `speak` may be replaced while it runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.published: Files = {}
        self.speak: Speak = files(self.published)

    def publish(self) -> None:
        self.world.turn(HOUR)
        self.published.clear()
        self.published.update(self.world.publish())

    def serve(self, connection: socket.socket, request: bytes) -> None:
        self.speak(connection, request)

    def cut(self, file: str, length: int) -> None:
        """From now on, one file ends too early."""
        honest = files(self.published)

        def speak(connection: socket.socket, request: bytes) -> None:
            if not path_of(request).endswith(file):
                honest(connection, request)
                return
            data = self.published[path_of(request).removeprefix("/tuf/")]
            whole = answer(data, kind="application/octet-stream")
            connection.sendall(whole[: len(whole) - len(data) + length])
            connection.shutdown(socket.SHUT_RDWR)

        self.speak = speak


@pytest.fixture
def registry(world: World) -> Registry:
    made = Registry(world)
    made.publish()
    return made


@pytest.fixture
def heard(registry: Registry) -> Iterator[Heard]:
    with server(registry.serve) as running:
        yield running


def bring(world: World, home: Path, url: str) -> dict[str, Change]:
    pin = Pin(world.offices[CITY].tuf.root_bytes(1))
    with open_source(url) as source:
        changes = synchronise(home, source, pin, now=from_seconds(world.now))
    return {change.jurisdiction: change for change in changes}


def versions(home: Path) -> dict[str, int]:
    return {code: state.version for code, state in open_bundle(home).jurisdictions.items()}


def quick(url: str) -> HttpSource:
    """A source whose files have half a second each."""
    fetcher = Fetcher(dev=True, total_seconds=0.5)
    return HttpSource(url, fetcher, end=time.monotonic() + 60)


# --- the course of things -------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "/", "/tuf", "/tuf/"])
def test_a_set_is_brought_from_a_registry(
    registry: Registry, heard: Heard, home: Path, suffix: str
) -> None:
    world = registry.world
    first = bring(world, home, heard.url + suffix)
    assert {code: (c.before, c.after) for code, c in first.items()} == {
        "CN/9999": (None, 1), "HK": (None, 1), "MO": (None, 1),
    }  # fmt: skip
    assert world.check(world.hk.issue("qual-01"), bundle=open_bundle(home)).outcome == "accept"


def test_a_newer_set_is_brought_over_one_connection(
    registry: Registry, heard: Heard, home: Path
) -> None:
    bring(registry.world, home, heard.url)
    title = registry.world.city.issue()
    registry.world.city.set_status(title, 1)
    registry.publish()
    before = heard.connections
    assert bring(registry.world, home, heard.url)[CITY].after == 2
    assert heard.connections == before + 1
    assert registry.world.check(title, bundle=open_bundle(home)).outcome == "refuse"


def test_no_request_names_a_certificate_or_us(registry: Registry, heard: Heard, home: Path) -> None:
    bring(registry.world, home, heard.url)
    assert all(path_of(request).startswith("/tuf/") for request in heard.requests)
    assert {tuple(heard.headers(at)) for at in range(len(heard.requests))} == {
        ("host", "user-agent", "accept", "accept-encoding")
    }


def test_a_registry_is_found_on_this_machine_under_its_public_name(
    registry: Registry, heard: Heard, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALENTSEAL_DEV_HOSTS", f"root.example={heard.url}")
    assert bring(registry.world, home, "https://root.example")[CITY].after == 1
    assert heard.headers()["host"] == "root.example"


def test_files_may_come_compressed(registry: Registry, heard: Heard, home: Path) -> None:
    def speak(connection: socket.socket, request: bytes) -> None:
        data = registry.published.get(path_of(request).removeprefix("/tuf/"))
        if data is None:
            connection.sendall(answer(status=404))
        else:
            connection.sendall(answer(gzip.compress(data), Content_Encoding="gzip"))

    registry.speak = speak
    assert bring(registry.world, home, heard.url)[CITY].after == 1


def test_a_peer_that_the_registry_does_not_have_stays_as_it_was(
    registry: Registry, heard: Heard, home: Path
) -> None:
    bring(registry.world, home, heard.url)
    registry.publish()
    for name in [name for name in registry.published if name.startswith("HK/")]:
        del registry.published[name]
    changes = bring(registry.world, home, heard.url)
    assert (changes["HK"].before, changes["HK"].after, changes["HK"].refused) == (1, 1, None)
    assert "not in this source" in changes["HK"].message
    assert versions(home) == {"CN/9999": 2, "HK": 1, "MO": 2}


def test_a_development_root_is_taken_where_its_jurisdiction_is_named(
    registry: Registry, heard: Heard
) -> None:
    registry.world.hk.dev = True
    registry.world.hk.tuf.roots.clear()
    registry.publish()
    with open_source(heard.url) as source:
        assert development_pin(source, "HK").info.jurisdiction == "HK"
        with pytest.raises(BundleError, match="no data of SG"):
            development_pin(source, "SG")
        with pytest.raises(UsageError) as refusal:
            development_pin(source, None)
    assert "--jurisdiction" in refusal.value.hint


# --- networks and registries that fail ------------------------------------------------------------


@pytest.mark.parametrize(
    "file", ["timestamp.json", "2.snapshot.json", "2.targets.json", "issuers.jws", "head.json"]
)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_download_that_is_cut_leaves_the_last_good_set(
    registry: Registry, heard: Heard, home: Path, file: str, share: float
) -> None:
    bring(registry.world, home, heard.url)
    registry.publish()
    names = [name for name in registry.published if name.startswith("CN-9999/") and
             name.endswith(file)]  # fmt: skip
    registry.cut(names[0], int(len(registry.published[names[0]]) * share))
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with pytest.raises(UnavailableError) as refusal:
        bring(registry.world, home, heard.url)
    assert refusal.value.code == "DEPENDENCY_UNAVAILABLE"
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert refused_updates(home) == {}  # nothing was said against the set
    registry.speak = files(registry.published)
    assert bring(registry.world, home, heard.url)[CITY].after == 2


def test_a_peer_whose_download_is_cut_keeps_its_part_and_home_goes_on(
    registry: Registry, heard: Heard, home: Path
) -> None:
    bring(registry.world, home, heard.url)
    registry.publish()
    registry.cut("HK/metadata/timestamp.json", 10)
    changes = bring(registry.world, home, heard.url)
    assert (changes["HK"].refused, changes["HK"].after) == (None, 1)
    assert "HTTP" in changes["HK"].message
    assert versions(home) == {"CN/9999": 2, "HK": 1, "MO": 2}
    assert not open_bundle(home).refused


def test_a_registry_that_goes_back_is_refused(registry: Registry, heard: Heard, home: Path) -> None:
    old = dict(registry.published)
    registry.publish()
    bring(registry.world, home, heard.url)
    registry.published.clear()
    registry.published.update(old)
    with pytest.raises(BundleError) as refusal:
        bring(registry.world, home, heard.url)
    assert refusal.value.code == "ROLLBACK_REFUSED"
    assert refused_updates(home) == {CITY: "ROLLBACK_REFUSED"}


def test_a_file_that_is_changed_on_the_way_is_refused(
    registry: Registry, heard: Heard, home: Path
) -> None:
    bring(registry.world, home, heard.url)
    registry.publish()
    name = next(n for n in registry.published if n.startswith("CN-9999/") and "issuers" in n)
    registry.published[name] = registry.published[name][:-1] + b"!"
    with pytest.raises(BundleError) as refusal:
        bring(registry.world, home, heard.url)
    assert refusal.value.code == "BUNDLE_TAMPERED"
    assert versions(home)[CITY] == 1


OFFLINE = [
    (saying(answer(b"<html>Welcome</html>", kind="text/html")), "DEPENDENCY_UNAVAILABLE"),
    (saying(answer(b"", status=302, Location="http://127.0.0.1:1/")), "DEPENDENCY_UNAVAILABLE"),
    (saying(answer(status=503)), "DEPENDENCY_UNAVAILABLE"),
    (saying(answer(status=404)), "BUNDLE_INCOMPLETE"),
    (saying(answer(b"{}")), "BUNDLE_TAMPERED"),
    (saying(answer(b"{}", Content_Encoding="gzip")), "BUNDLE_TAMPERED"),
    (saying(answer(bytes(9_000_000))), "BUNDLE_TOO_LARGE"),
    (saying(answer(bytes(600_000))), "BUNDLE_TOO_LARGE"),
]


@pytest.mark.parametrize(("speak", "code"), OFFLINE)
def test_whatever_a_registry_says_instead_the_last_good_set_stays(
    registry: Registry, heard: Heard, home: Path, speak: Speak, code: str
) -> None:
    bring(registry.world, home, heard.url)
    registry.speak = speak
    with pytest.raises(TalentsealError) as refusal:
        bring(registry.world, home, heard.url)
    assert refusal.value.code == code
    assert versions(home) == {"CN/9999": 1, "HK": 1, "MO": 1}


def test_a_registry_that_drips_is_left(registry: Registry, heard: Heard, home: Path) -> None:
    registry.speak = dripping(answer(bytes(10_000), kind="application/octet-stream"))
    began = time.monotonic()
    pin = Pin(registry.world.offices[CITY].tuf.root_bytes(1))
    with pytest.raises(UnavailableError, match="in time"):
        synchronise(home, quick(heard.url), pin, now=from_seconds(registry.world.now))
    assert time.monotonic() - began < 5


def test_all_files_together_have_an_end_too(registry: Registry, heard: Heard, home: Path) -> None:
    source = HttpSource(heard.url, Fetcher(dev=True), end=time.monotonic() - 1)
    pin = Pin(registry.world.offices[CITY].tuf.root_bytes(1))
    with pytest.raises(UnavailableError, match="too long"):
        synchronise(home, source, pin, now=from_seconds(registry.world.now))
    assert not heard.requests


def test_names_that_lead_elsewhere_are_not_asked_for(heard: Heard) -> None:
    source = quick(heard.url)
    for name in ("../secret", "a/../b", "/a", "a//b", "a?b", "a#b", "%2e%2e/a", "a b", "", "a\n"):
        with pytest.raises(FileNotFoundError):
            list(source.read(name))
    assert not heard.requests


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://registry.example", RefusedError),
        ("https://10.0.0.1", RefusedError),
        ("https://user@registry.example", InputError),
        ("https://registry.example:22", RefusedError),
    ],
)
def test_a_registry_has_an_address_that_may_be_called(
    registry: Registry, home: Path, url: str, error: type[TalentsealError]
) -> None:
    with pytest.raises(error):
        bring(registry.world, home, url)
    assert not home.exists()
