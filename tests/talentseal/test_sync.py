import io
import os
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from simulator import DAY, HOUR, FileSource, World, key

from talentseal.artefacts import HEAD, dump_head
from talentseal.bundle import Bundle
from talentseal.encoding import from_seconds
from talentseal.errors import BundleError, UnavailableError, UsageError
from talentseal.sync import (
    Change,
    FolderSource,
    Pin,
    load_bundle,
    open_source,
    refused_updates,
    synchronise,
)
from talentseal.trustdb import current_set, open_bundle

CITY = "CN/9999"
Files = dict[str, bytes]


@pytest.fixture
def world() -> World:
    return World.honest()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "trust"


def pin(world: World, code: str = CITY) -> Pin:
    return Pin(world.offices[code].tuf.root_bytes(1))


def bring(
    world: World, home: Path, files: Mapping[str, bytes], *, only_home: bool = False
) -> dict[str, Change]:
    now = from_seconds(world.now)
    changes = synchronise(home, FileSource(files), pin(world), now=now, only_home=only_home)
    return {change.jurisdiction: change for change in changes}


def code_of(error: pytest.ExceptionInfo[BundleError]) -> str:
    return error.value.code


def archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return buffer.getvalue()


# --- the course of things -------------------------------------------------------------------------


def test_a_set_is_brought_and_then_a_newer_one(world: World, home: Path) -> None:
    first = bring(world, home, world.publish())
    assert {code: (c.before, c.after) for code, c in first.items()} == {
        "CN/9999": (None, 1), "HK": (None, 1), "MO": (None, 1),
    }  # fmt: skip
    assert all(change.size_bytes > 1000 for change in first.values())
    world.turn(HOUR)
    second = bring(world, home, world.publish())
    assert {code: (c.before, c.after) for code, c in second.items()} == {
        "CN/9999": (1, 2), "HK": (1, 2), "MO": (1, 2),
    }  # fmt: skip
    assert second[CITY].as_of == world.now
    assert world.check(world.hk.issue("qual-01"), bundle=open_bundle(home)).outcome == "accept"


def test_the_same_set_again_changes_nothing(world: World, home: Path) -> None:
    files = world.publish()
    bring(world, home, files)
    again = bring(world, home, files)
    assert {(c.before, c.after, c.refused) for c in again.values()} == {(1, 1, None)}


def test_two_sets_are_kept_and_no_rubble(world: World, home: Path) -> None:
    (home / ".new-left-by-a-crash").mkdir(parents=True)
    home.chmod(0o700)
    for _ in range(4):
        bring(world, home, world.publish(), only_home=True)
    assert sorted(p.name for p in home.iterdir()) == [".lock", "current", "set-3", "set-4"]


def test_a_reader_keeps_its_set_while_the_next_comes_into_force(world: World, home: Path) -> None:
    bring(world, home, world.publish())
    bundle = open_bundle(home)
    title = world.city.issue()
    world.city.set_status(title, 1)
    bring(world, home, world.publish())
    assert world.check(title, bundle=bundle).outcome == "accept"
    assert world.check(title, bundle=open_bundle(home)).outcome == "refuse"


def test_a_peer_that_the_source_does_not_offer_stays_as_it_was(world: World, home: Path) -> None:
    bring(world, home, world.publish())
    files = {name: data for name, data in world.publish().items() if not name.startswith("HK/")}
    changes = bring(world, home, files)
    assert (changes["HK"].before, changes["HK"].after, changes["HK"].refused) == (1, 1, None)
    assert "not in this source" in changes["HK"].message
    bundle = open_bundle(home)
    assert (bundle.jurisdictions["HK"].version, bundle.jurisdictions["MO"].version) == (1, 2)
    assert not bundle.refused


def test_home_alone_leaves_the_peers_as_they_are_held(world: World, home: Path) -> None:
    bring(world, home, world.publish())
    changes = bring(world, home, world.publish(), only_home=True)
    assert set(changes) == {CITY}
    versions = {code: j.version for code, j in open_bundle(home).jurisdictions.items()}
    assert versions == {"CN/9999": 2, "HK": 1, "MO": 1}


# --- refusals -------------------------------------------------------------------------------------


def test_home_that_is_refused_leaves_everything_and_says_so_later(world: World, home: Path) -> None:
    first = world.publish()
    bring(world, home, world.publish())
    before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
    with pytest.raises(BundleError) as refusal:
        bring(world, home, first)
    assert code_of(refusal) == "ROLLBACK_REFUSED"
    assert refused_updates(home) == {CITY: "ROLLBACK_REFUSED"}
    assert {p: p.read_bytes() for p in before} == before
    assert "UPDATE_REFUSED" in world.check(world.city.issue(), bundle=open_bundle(home)).remarks
    bring(world, home, world.publish())
    assert refused_updates(home) == {}


def test_a_first_set_that_is_refused_leaves_nothing(world: World, home: Path) -> None:
    with pytest.raises(BundleError):
        bring(world, home, {})
    assert current_set(home) is None
    assert not open_bundle(home).jurisdictions


@pytest.mark.parametrize("office", ["CN/9999", "HK"])
def test_data_that_must_be_witnessed_is_not_taken_without(
    world: World, home: Path, office: str
) -> None:
    bring(world, home, world.publish())
    world.offices[office].tuf.new_root(tlog_policy_s256="0" * 64)
    files = world.publish()
    if office == CITY:
        with pytest.raises(BundleError) as refusal:
            bring(world, home, files)
        assert code_of(refusal) == "NOT_WITNESSED"
    else:
        assert bring(world, home, files)["HK"].refused == "NOT_WITNESSED"
    assert open_bundle(home).jurisdictions[office].version == 1


def test_one_jurisdiction_served_as_another_is_refused(world: World, home: Path) -> None:
    files = world.publish()
    swapped = {n.replace("HK/", "MO/", 1): d for n, d in files.items() if n.startswith("HK/")}
    changes = bring(world, home, {**files, **swapped})
    assert changes["MO"].refused in ("BUNDLE_SIGNATURE", "BUNDLE_TAMPERED")
    assert "MO" not in open_bundle(home).jurisdictions


def test_a_peer_that_left_cannot_come_back_older(world: World, home: Path) -> None:
    # Home stops introducing Hong Kong and later introduces it again; somebody serves old files.
    old = world.publish()
    bring(world, home, world.publish())
    introduced = list(world.city.peers)
    world.city.peers = [peer for peer in introduced if peer.jurisdiction != "HK"]
    bring(world, home, world.publish())
    assert "HK" not in open_bundle(home).jurisdictions
    world.city.peers = introduced
    files = {n: d for n, d in world.publish().items() if not n.startswith("HK/")}
    files |= {name: data for name, data in old.items() if name.startswith("HK/")}
    assert bring(world, home, files)["HK"].refused == "ROLLBACK_REFUSED"


def test_a_new_epoch_starts_a_peer_anew_and_an_older_one_does_not(world: World, home: Path) -> None:
    for _ in range(3):
        bring(world, home, world.publish())
    fresh = World.honest(world.now)  # Hong Kong lost its root: new keys, versions from one again
    fresh.hk.tuf.signers["timestamp"] = list(fresh.mo.tuf.signers["timestamp"])
    fresh.hk.tuf.roots.clear()
    world.offices["HK"] = fresh.hk
    old_peers = list(world.city.peers)
    world.city.peers = [p for p in old_peers if p.jurisdiction != "HK"]
    world.city.introduce(fresh.hk, epoch=2)
    changes = bring(world, home, world.publish())
    assert (changes["HK"].refused, changes["HK"].before, changes["HK"].after) == (None, None, 1)
    world.city.peers = [replace(p, epoch=1) for p in world.city.peers]
    assert bring(world, home, world.publish())["HK"].refused == "ROLLBACK_REFUSED"


def test_no_peer_can_push_the_clock_mark_beyond_the_life_of_home(world: World, home: Path) -> None:
    world.city.tuf.expires["timestamp"] = from_seconds(world.now + 7 * DAY)
    far = world.now + 3650 * DAY
    files = world.publish()
    head = replace(world.hk.head(1, 1), issued_at=far, list_sequence=1)
    tokens = world.hk.status_tokens()
    files |= world.hk.tuf.assemble(world.hk.own_targets(), {**tokens, HEAD: dump_head(head)})
    bring(world, home, files)
    assert open_bundle(home).jurisdictions["HK"].as_of == far
    assert open_bundle(home).clock_mark == world.now


def test_the_clock_mark_never_goes_back(world: World, home: Path) -> None:
    bring(world, home, world.publish())
    mark = open_bundle(home).clock_mark
    files = world.publish()
    now = from_seconds(world.now - 5 * DAY)  # the desk's clock is set back
    synchronise(home, FileSource(files), pin(world), now=now, only_home=True)
    assert open_bundle(home).clock_mark == mark


def test_a_clock_that_leapt_ahead_for_a_moment_does_not_lock_the_desk(
    world: World, home: Path
) -> None:
    files = FileSource(world.publish())
    ahead = from_seconds(world.now + 2 * DAY)
    synchronise(home, files, pin(world), now=ahead, only_home=True)
    assert open_bundle(home).clock_mark <= world.now + HOUR
    synchronise(home, files, pin(world), now=from_seconds(world.now), only_home=True)
    assert open_bundle(home).is_clock_sound(world.now)
    assert not open_bundle(home).is_clock_sound(world.now - HOUR)


def test_a_damaged_set_is_not_silently_replaced(world: World, home: Path) -> None:
    bring(world, home, world.publish())
    current = current_set(home)
    assert current is not None
    (current / "trust.db").write_bytes(b"damaged")
    with pytest.raises(UnavailableError) as refusal:
        bring(world, home, world.publish())
    assert refusal.value.code == "TRUST_DATA_CORRUPT"
    assert str(home) in refusal.value.hint


def test_one_synchronisation_at_a_time(world: World, home: Path) -> None:
    files = world.publish()
    inside, go_on = threading.Event(), threading.Event()

    class Slow(FileSource):
        def read(self, name: str) -> Iterator[bytes]:
            inside.set()
            assert go_on.wait(30)
            yield from super().read(name)

    first = threading.Thread(
        target=synchronise,
        args=(home, Slow(files), pin(world)),
        kwargs={"now": from_seconds(world.now), "only_home": True},
    )
    first.start()
    assert inside.wait(30)
    with pytest.raises(UnavailableError, match="under way"):
        bring(world, home, files, only_home=True)
    go_on.set()
    first.join()
    assert open_bundle(home).jurisdictions[CITY].version == 1


def test_a_folder_open_to_others_holds_no_trust(world: World, home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)
    with pytest.raises(UnavailableError, match="open to other users"):
        bring(world, home, world.publish())


def test_the_list_office_can_send_status_to_nobody_else(world: World, home: Path) -> None:
    tuf = world.city.tuf
    signed = tuf._targets

    def delegating(files: Mapping[str, bytes], *, delegate: bool) -> object:
        targets = signed(files, delegate=delegate)
        if delegate:
            role = targets.delegations.roles.pop("status")
            role.name = "mallory"
            targets.delegations.roles["mallory"] = role
        return targets

    tuf._targets = delegating  # type: ignore[method-assign]
    with pytest.raises(BundleError) as refusal:
        bring(world, home, world.publish())
    assert code_of(refusal) in ("BUNDLE_TAMPERED", "BUNDLE_INCOMPLETE")


# --- folders and archives -------------------------------------------------------------------------


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_a_folder_is_read_and_so_is_the_folder_around_it(world: World, tmp_path: Path) -> None:
    outer = tmp_path / "public"
    write(outer / "tuf", world.publish())
    for place in (outer, outer / "tuf"):
        with open_source(place) as source:
            assert source.jurisdictions() == ["CN-9999", "HK", "MO"]
            assert b"".join(source.read("HK/metadata/1.root.json")) == pin(world, "HK").root


def test_a_folder_gives_regular_files_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    source = FolderSource(tmp_path)
    assert b"".join(source.read("file")) == b"x"
    for name in ("pipe", "folder", "none", "../file", "/etc/hostname", "folder/../file", "a\x00"):
        with pytest.raises(FileNotFoundError):
            list(source.read(name))
    with pytest.raises(BundleError) as refusal:
        list(source.read("link"))
    assert code_of(refusal) == "BUNDLE_INCOMPLETE"


def test_a_place_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as refusal, open_source(tmp_path / "none.zip"):
        pytest.fail("opened")
    assert refusal.value.code == "INPUT_UNREADABLE"


@pytest.mark.parametrize("field", ["members", "length"])
def test_a_directory_of_a_million_entries_is_never_listed(tmp_path: Path, field: str) -> None:
    data = bytearray(archive({"HK/a": b"x"}))
    end = data.rindex(b"PK\x05\x06")
    if field == "members":
        data[end + 8 : end + 12] = b"\xff\xff\xff\xff"
    else:
        data[end + 12 : end + 16] = (5 * 1024 * 1024).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(bytes(data))
    with pytest.raises(BundleError) as refusal, open_source(tmp_path / "x.zip"):
        pytest.fail("opened")
    assert code_of(refusal) == "BUNDLE_UNSAFE"


@pytest.fixture(scope="module")
def small() -> tuple[World, Files]:
    """One jurisdiction on its own: a bundle that is small enough to be cut everywhere."""
    world = World()
    city = world.jurisdiction("CN/9999", namespace="city.example", name="Example City")
    city.dev = True
    city.grant(city.body("bureau"))
    return world, world.publish()


def test_an_archive_cut_off_anywhere_is_refused(small: tuple[World, Files], tmp_path: Path) -> None:
    world, files = small
    whole = archive(files)
    path = tmp_path / "cut.zip"
    now = from_seconds(world.now)
    path.write_bytes(whole)
    assert load_bundle(path, now=now).jurisdictions
    for length in range(0, len(whole), 64):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError) as refusal:
            load_bundle(path, now=now)
        assert code_of(refusal) == "BUNDLE_UNSAFE"


def test_an_archive_with_any_byte_changed_is_refused_or_the_same(
    small: tuple[World, Files], tmp_path: Path
) -> None:
    world, files = small
    whole = archive(files)
    path = tmp_path / "changed.zip"
    now = from_seconds(world.now)
    path.write_bytes(whole)
    honest = load_bundle(path, now=now)
    step = max(1, len(whole) // 97)
    for at in range(0, len(whole), step):
        changed = bytearray(whole)
        changed[at] ^= 1 << (at % 8)
        path.write_bytes(bytes(changed))
        outcome = attempt(path, world)
        if isinstance(outcome, str):
            assert outcome in REFUSALS
        else:  # a date or an attribute of the archive itself: nothing that was signed
            assert outcome.jurisdictions == honest.jurisdictions


REFUSALS = (
    "BUNDLE_UNSAFE",
    "BUNDLE_TAMPERED",
    "BUNDLE_SIGNATURE",
    "BUNDLE_INCOMPLETE",
    "BUNDLE_TOO_LARGE",
)


def attempt(path: Path, world: World) -> Bundle | str:
    try:
        return load_bundle(path, now=from_seconds(world.now))
    except BundleError as error:
        return error.code


# --- a bundle used once ---------------------------------------------------------------------------


def test_a_bundle_is_opened_by_its_pin_alone(world: World, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(archive(world.publish()))
    now = from_seconds(world.now)
    bundle = load_bundle(path, now=now, pin=pin(world, "HK"))
    assert (bundle.home, bundle.clock_mark) == ("HK", world.now)
    assert world.check(world.city.issue(), home="HK", bundle=bundle).outcome == "accept"
    with pytest.raises(UsageError, match="published root"):
        load_bundle(path, now=now)
    stranger = World()
    other = stranger.jurisdiction("CN/9999", namespace="city.example", name="Mallory's City")
    other.statement_key = key("mallory")
    other.tuf.signers["root"].reverse()
    other.tuf.thresholds["root"] = 1
    with pytest.raises(BundleError) as refusal:
        load_bundle(path, now=now, pin=Pin(other.tuf.root_bytes(1)))
    assert code_of(refusal) in ("BUNDLE_SIGNATURE", "BUNDLE_TAMPERED", "WRONG_NETWORK")


def test_a_development_set_needs_no_pin(small: tuple[World, Files], tmp_path: Path) -> None:
    world, files = small
    write(tmp_path / "files", files)
    now = from_seconds(world.now)
    for home in (None, CITY):
        assert load_bundle(tmp_path / "files", now=now, jurisdiction=home).home == CITY
    with pytest.raises(BundleError) as refusal:
        load_bundle(tmp_path / "files", now=now, jurisdiction="HK")
    assert code_of(refusal) == "BUNDLE_INCOMPLETE"
    (tmp_path / "files" / "CN-9999" / "metadata" / "1.root.json").write_bytes(bytes(600_000))
    with pytest.raises(BundleError) as refusal:
        load_bundle(tmp_path / "files", now=now)
    assert code_of(refusal) == "BUNDLE_TOO_LARGE"
