import shutil
import sqlite3
from pathlib import Path

import pytest
from simulator import World

from talentseal.bundle import Bundle, Event, Part
from talentseal.compiling import compile_part, peers_of
from talentseal.encoding import from_seconds
from talentseal.errors import InputError
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.status import StatusList
from talentseal.trustdb import (
    CURRENT,
    STORE,
    Ratchet,
    Stored,
    TrustStore,
    current_set,
    forget_refusal,
    note_refusal,
    open_bundle,
    ratchet_of,
    refused_updates,
    write_store,
)
from talentseal.verify import verify

CITY = "CN/9999"


@pytest.fixture(scope="module")
def world() -> World:
    world = World.honest()
    world.city.withdraw(world.city.bodies["station"].grants[0], "from", world.start)
    return world


@pytest.fixture(scope="module")
def stored(world: World) -> Stored:
    files = {code: office.files() for code, office in world.offices.items()}
    peers = peers_of(files[CITY])
    parts = [compile_part(files[CITY], None, now=world.now)]
    parts += [compile_part(files[peer.jurisdiction], peer, now=world.now) for peer in peers]
    ratchets = {part.jurisdiction.code: ratchet_of(part, None, 0) for part in parts}
    return Stored(CITY, parts, peers, ratchets, clock_mark=7, refused={"MO": "BUNDLE_TAMPERED"})


@pytest.fixture
def home(stored: Stored, tmp_path: Path) -> Path:
    """A trust folder with one set in force."""
    folder = tmp_path / "trust" / "set-1"
    folder.mkdir(parents=True)
    write_store(folder / STORE, stored)
    (tmp_path / "trust" / CURRENT).write_text("set-1\n")
    return tmp_path / "trust"


def outcome(world: World, bundle: Bundle) -> tuple[str, list[str]]:
    policy = Policy(home=CITY, place=CITY, purpose="employment")
    held = world.city.issue()
    verdict = verify(Evidence(held.text), bundle, policy, now=from_seconds(world.now))
    return verdict.outcome, [str(code) for code in verdict.codes]


def altered(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def test_what_was_written_comes_back(home: Path, stored: Stored) -> None:
    held = TrustStore(home / "set-1" / STORE).held()
    for part in stored.parts:
        back = held.parts[part.jurisdiction.code]
        assert list(back.keys) == list(part.keys)
        assert back.status == part.status
        assert dict(back.types) == dict(part.types)
        assert back.negatives == part.negatives
        assert [right.jti for right in back.rights] == [right.jti for right in part.rights]
        assert [list(r.events) for r in back.rights] == [list(r.events) for r in part.rights]
        assert [r.origin for r in back.recognitions] == [r.origin for r in part.recognitions]
    assert dict(held.ratchets) == dict(stored.ratchets)
    assert open_bundle(home).clock_mark == 7
    assert any(event for part in stored.parts for r in part.rights for event in r.events)
    assert all(
        isinstance(e, Event) for p in held.parts.values() for r in p.rights for e in r.events
    )


def test_a_stored_bundle_judges_as_the_compiled_one(home: Path, world: World) -> None:
    bundle = open_bundle(home)
    assert (bundle.home, bundle.clock_mark, bundle.fault) == (CITY, 7, None)
    assert outcome(world, bundle) == ("accept", [])
    assert outcome(world, world.bundle()) == ("accept", [])


def test_nothing_held_is_no_fault(tmp_path: Path, world: World) -> None:
    for home in (tmp_path / "none", tmp_path):
        assert current_set(home) is None
        assert outcome(world, open_bundle(home)) == ("refer", ["NO_TRUST_DATA"])


@pytest.mark.parametrize("name", ["../outside", "set-", "set-1/../../outside", "set-9", "", "x"])
def test_the_name_of_the_set_leads_nowhere_else(home: Path, name: str) -> None:
    (home.parent / "outside").mkdir()
    (home / CURRENT).write_text(name)
    assert current_set(home) is None


@pytest.mark.parametrize(
    "statement",
    [
        "update row set body = cast(replace(body, 'CN/9999', 'CN/9998') as blob)",
        "update row set body = cast(body as text) || ' ' where kind = 'jurisdiction'",
        "delete from row where kind = 'right' and rowid % 2 = 0",
        "update meta set value = '0' where name = 'clock_mark'",
        "update meta set value = 'HK' where name = 'home'",
        "update meta set value = '{}' where name = 'refused'",
        "update meta set value = '9' where name = 'schema'",
        "update status set issued_at = issued_at + 1",
        "delete from status",
        "delete from meta where name = 'digest'",
        "drop table row",
    ],
)
def test_an_altered_store_is_noticed_when_opened(home: Path, world: World, statement: str) -> None:
    altered(home / "set-1" / STORE, statement)
    assert outcome(world, open_bundle(home)) == ("refer", ["TRUST_DATA_CORRUPT"])
    with pytest.raises(InputError) as refusal:
        TrustStore(home / "set-1" / STORE)
    assert refusal.value.code == "TRUST_DATA_CORRUPT"


def test_a_damaged_file_is_refused_wherever_it_is_damaged(home: Path, world: World) -> None:
    path = home / "set-1" / STORE
    whole = path.read_bytes()
    cuts = [whole[: len(whole) * n // 16] for n in range(16)]
    for data in (b"", b"not a database", bytes(8192), *cuts):
        path.write_bytes(data)
        said = outcome(world, open_bundle(home))
        assert said in [("refer", ["TRUST_DATA_CORRUPT"]), ("refer", ["STATUS_MALFORMED"])], (
            len(data),
            said,
        )
    path.unlink()
    assert outcome(world, open_bundle(home)) == ("refer", ["TRUST_DATA_CORRUPT"])


def test_an_altered_status_list_is_noticed_when_asked(home: Path, world: World) -> None:
    altered(home / "set-1" / STORE, "update status set data = zeroblob(length(data) + 1)")
    assert outcome(world, open_bundle(home)) == ("refer", ["STATUS_MALFORMED"])


def test_a_set_that_was_swept_away_leaves_its_reader_in_doubt(home: Path, world: World) -> None:
    bundle = open_bundle(home)
    shutil.rmtree(home / "set-1")
    assert outcome(world, bundle) == ("refer", ["STATUS_UNAVAILABLE"])


def test_a_refused_update_is_told_with_every_verdict_until_the_next(
    home: Path, world: World
) -> None:
    note_refusal(home, CITY, "ROLLBACK_REFUSED")
    assert dict(open_bundle(home).refused) == {CITY: "ROLLBACK_REFUSED", "MO": "BUNDLE_TAMPERED"}
    verdict = world.check(world.city.issue(), bundle=open_bundle(home))
    assert verdict.outcome == "accept"
    assert "UPDATE_REFUSED" in verdict.remarks
    forget_refusal(home)
    assert dict(open_bundle(home).refused) == {"MO": "BUNDLE_TAMPERED"}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"a": 1}', bytes(5000)])
def test_a_damaged_mark_of_refusal_is_nothing_worse(home: Path, data: bytes) -> None:
    (home / "refused.json").write_bytes(data)
    assert refused_updates(home) == {}


def test_ratchets_only_tighten(stored: Stored) -> None:
    part: Part = stored.parts[0]
    before = Ratchet(1, 1, 1, frozenset(), frozenset({"old thief"}))
    stolen = part._replace(keys=[part.keys[0]._replace(compromised_at=1), *part.keys[1:]])
    after = ratchet_of(stolen, before, 1)
    assert after.stolen == {"old thief", part.keys[0].kid}
    assert (after.version, after.negatives) == (part.jurisdiction.version, part.negatives)


def test_lists_are_read_only_when_asked_for(home: Path, world: World) -> None:
    store = TrustStore(home / "set-1" / STORE)
    assert not store.tables().status
    found = store.status(CITY, world.city.status_uri)
    assert isinstance(found, StatusList)
    assert found.value(0) == 0
    assert store.status(CITY, "https://nowhere.example/1") is None
