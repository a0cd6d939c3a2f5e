"""Stories about what a desk holds and asks: no data, damaged data, and its own rules."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from forging import result_of, said
from simulator import DAY, FileSource, World

from talentseal import sdjwt
from talentseal.bundle import Bundle, combine
from talentseal.compiling import compile_part, peers_of
from talentseal.encoding import from_seconds
from talentseal.policy import Policy, shipped
from talentseal.sync import Pin, synchronise
from talentseal.trustdb import current_set, open_bundle

HERE = Policy(home="CN/9999", place="CN/9999", purpose="employment")


def synced(world: World, folder: Path) -> Path:
    pin = Pin(world.city.tuf.root_bytes(1))
    source = FileSource(world.publish())
    synchronise(folder, source, pin, now=from_seconds(world.now), only_home=True)
    current = current_set(folder)
    assert current is not None
    return current / "trust.db"


def test_a_desk_without_trust_data_cannot_say_yes_or_no(world: World, tmp_path: Path) -> None:
    title = world.city.issue()
    verdict = world.check(title, bundle=open_bundle(tmp_path))
    assert said(verdict) == ("refer", ["NO_TRUST_DATA"])
    assert set(verdict.questions.values()) == {"unknown"}
    assert verdict.credential is None


def _turned_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = data.index(b"https://bureau.city.example")
    data[place + 9] ^= 1
    path.write_bytes(bytes(data))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096])


def _edited(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("update row set body = replace(body, 'bureau', 'barony') where kind = 'key'")
    db.close()


def _another_file(path: Path) -> None:
    path.write_bytes(b"not a database at all")


@pytest.mark.parametrize("damage", [_turned_byte, _cut, _edited, _another_file])
def test_damaged_trust_data_cannot_answer(
    world: World, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    title = world.city.issue()
    store = synced(world, tmp_path)
    assert said(world.check(title, bundle=open_bundle(tmp_path))) == ("accept", [])
    store.chmod(0o600)

    damage(store)

    verdict = world.check(title, bundle=open_bundle(tmp_path))
    assert said(verdict) == ("refer", ["TRUST_DATA_CORRUPT"])
    assert verdict.credential is None


def test_a_development_peer_cannot_stand_beside_production_data(world: World) -> None:
    files = {code: office.files() for code, office in world.offices.items()}
    served = replace(files["HK"], root=replace(files["HK"].root, dev=True))
    bundle = world.bundle(files={"HK": served})
    assert said(world.check(world.hk.issue("qual-01"), bundle=bundle)) == (
        "refuse",
        ["DEV_TRUST_REFUSED"],
    )
    assert said(world.check(world.city.issue(), bundle=bundle)) == ("accept", [])


def test_stale_data_is_said_to_be_stale_and_expired_data_answers_nothing(world: World) -> None:
    title, bundle = world.city.issue(), world.bundle()
    strict = replace(shipped("strict"), home="CN/9999", place="CN/9999", holder="optional")
    stale = world.check(title, bundle=bundle, at=world.now + 2 * DAY)
    assert said(stale) == ("accept", [])
    assert "TRUST_DATA_STALE" in stale.remarks
    assert world.check(title, bundle=bundle, at=world.now + 2 * DAY, policy=strict).outcome == (
        "refuse"
    )
    expired = world.check(title, bundle=bundle, at=world.now + 8 * DAY)
    assert expired.outcome == "refer"
    assert expired.headline == "TRUST_DATA_EXPIRED"
    assert expired.questions["authentic"] == "unknown"


def test_data_that_no_witness_saw_says_so(world: World) -> None:
    assert "UNWITNESSED" in world.check(world.city.issue()).remarks


def test_an_update_that_was_refused_is_remarked_until_the_next(world: World) -> None:
    title = world.city.issue()
    files = {code: office.files() for code, office in world.offices.items()}
    part = compile_part(files["CN/9999"], None, now=world.now)
    peers = peers_of(files["CN/9999"])
    refused = {"CN/9999": "ROLLBACK_REFUSED"}
    bundle = Bundle(combine("CN/9999", [part], peers, refused=refused))
    verdict = world.check(title, bundle=bundle)
    assert said(verdict) == ("accept", [])
    assert ("pass", "UPDATE_REFUSED") in result_of(verdict, "trust_data")


def test_a_desk_that_asks_for_a_type_takes_no_other(calm: World, city_bundle: Bundle) -> None:
    title = calm.city.issue()
    permits = frozenset(("https://types.talentseal.example/foreigner-work-permit/1",))
    verdict = calm.check(title, bundle=city_bundle, policy=replace(HERE, types=permits))
    assert said(verdict) == ("refuse", ["TYPE_NOT_ACCEPTED"])
    assert verdict.questions["authentic"] == "pass"


def test_a_desk_that_trusts_some_issuers_takes_no_other(calm: World, city_bundle: Bundle) -> None:
    title = calm.city.issue()
    some = replace(HERE, issuers=frozenset(("https://station.city.example",)))
    verdict = calm.check(title, bundle=city_bundle, policy=some)
    assert said(verdict) == ("refuse", ["ISSUER_NOT_ACCEPTED"])


def test_what_a_desk_needs_and_does_not_see_is_no_yes(calm: World, city_bundle: Bundle) -> None:
    title = calm.city.issue()
    needy = replace(HERE, required=frozenset(("birthdate",)))
    assert said(calm.check(title, bundle=city_bundle, policy=needy)) == ("accept", [])
    shown = sdjwt.disclose(title.text, ["family_name"])
    verdict = calm.check(shown, bundle=city_bundle, policy=needy)
    assert said(verdict) == ("refer", ["CLAIM_NOT_DISCLOSED"])


@pytest.mark.parametrize("result", ["not_found", "contradicted", "body_silent"])
def test_a_genuine_report_of_a_negative_result_is_no_yes(
    calm: World, city_bundle: Bundle, result: str
) -> None:
    honest = calm.city.issue("report-01")
    assert said(calm.check(honest, bundle=city_bundle)) == ("accept", [])
    report = calm.city.issue("report-01", claims={"result": result})
    for shown in (report.text, report.code):
        verdict = calm.check(shown, bundle=city_bundle)
        assert said(verdict) == ("refer", ["REPORT_RESULT_NOT_POSITIVE"])
        assert verdict.questions["authentic"] == "pass"
        assert [caution.effect for caution in verdict.cautions] == ["refer"]
