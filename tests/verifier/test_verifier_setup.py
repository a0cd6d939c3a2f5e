"""The pin and the trust data of a desk, by the program's commands."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from verifier_desk import CITY, VerifierDesk, codes, write_zip

from talentseal.errors import Exit
from talentseal.sync import Pin
from talentseal.trustdb import current_set, open_bundle

# --- init -----------------------------------------------------------------------------------------


def test_a_root_is_pinned_and_its_fingerprint_shown_in_groups(desk: VerifierDesk) -> None:
    root = desk.root()
    expected = Pin(Path(root).read_bytes()).fingerprint
    ran = desk.run("init", "--root", root)
    groups = " ".join(expected[i : i + 4] for i in range(0, 64, 4))
    assert (ran.code, groups in ran.out) == (Exit.OK, True)
    assert "DEVELOPMENT ROOT" in ran.err
    assert (desk.home / "pin" / "root.json").read_bytes() == Path(root).read_bytes()
    assert desk.run("init", "--root", root, "--json").document == {
        "jurisdiction": CITY,
        "entity_id": "https://root.city.example",
        "fingerprint": expected,
        "compared": False,
        "dev": True,
    }


def test_a_production_root_makes_no_noise(desk: VerifierDesk) -> None:
    desk.world.city.dev = False
    desk.world.city.tuf.roots.clear()
    ran = desk.run("init", "--root", desk.root())
    assert (ran.code, ran.err) == (Exit.OK, "")


@pytest.mark.parametrize("spelling", [str, str.upper, lambda t: f"{t[:4]}:{t[4:32]} {t[32:]}"])
def test_the_published_fingerprint_is_compared(desk: VerifierDesk, spelling: object) -> None:
    root = desk.root()
    fingerprint = Pin(Path(root).read_bytes()).fingerprint
    assert callable(spelling)
    assert desk.run("init", "--root", root, "--fingerprint", spelling(fingerprint)).code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--fingerprint", "0" * 64), "BUNDLE_TAMPERED"),
        (("--fingerprint", ""), "BUNDLE_TAMPERED"),
        (("--jurisdiction", "HK"), "WRONG_NETWORK"),
    ],
)
def test_a_root_that_differs_is_not_pinned(
    desk: VerifierDesk, options: tuple[str, ...], code: str
) -> None:
    ran = desk.run("init", "--root", desk.root(), *options, "--json")
    assert (ran.code, ran.document["code"]) == (Exit.REFUSE, code)
    assert not desk.home.exists()


def test_a_pin_is_never_silently_replaced(desk: VerifierDesk) -> None:
    desk.run("init", "--root", desk.root())
    ran = desk.run("init", "--root", desk.root("HK"), "--json")
    assert (ran.code, ran.document["code"]) == (Exit.REFUSE, "STATE_CONFLICT")
    assert desk.run("init", "--root", desk.root()).code == Exit.OK


@pytest.mark.parametrize("content", [b"", b"{}", b'{"signed": {}}', b"\xff\xfe"])
def test_what_is_no_root_is_refused(desk: VerifierDesk, content: bytes) -> None:
    ran = desk.run("init", "--root", desk.file("x.json", content), "--json")
    assert (ran.code, ran.document["code"]) == (Exit.REFUSE, "BUNDLE_TAMPERED")


def test_a_root_that_demands_witnesses_is_refused(desk: VerifierDesk) -> None:
    data = desk.world.city.tuf.new_root(tlog_policy_s256="0" * 64)
    ran = desk.run("init", "--root", desk.file("x.json", data), "--json")
    assert (ran.code, ran.document["code"]) == (Exit.REFUSE, "NOT_WITNESSED")


# --- sync -----------------------------------------------------------------------------------------


def test_each_jurisdiction_is_told_on_a_line(desk: VerifierDesk) -> None:
    desk.ready()
    ran = desk.run("sync", "--from", desk.publish())
    lines = ran.out.splitlines()
    assert ran.code == Exit.OK
    assert [line.split("  ")[:2] for line in lines] == [
        ["CN/9999", "version 1 -> 2"], ["HK", "version 1 -> 2"], ["MO", "version 1 -> 2"],
    ]  # fmt: skip
    assert "KiB" in lines[0]
    assert "as of 20" in lines[0]


def test_a_source_is_taken_from_the_settings(
    desk: VerifierDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.run("init", "--root", desk.root())
    assert desk.run("sync").code == Exit.USAGE
    monkeypatch.setenv("TALENTSEAL_TRUST_SOURCE", desk.publish())
    ran = desk.run("sync", "--json")
    assert ran.code == Exit.OK
    changes = {one["jurisdiction"]: one for one in ran.document["changes"]}
    assert (changes["HK"]["before"], changes["HK"]["after"]) == (None, 1)
    assert ran.document["home"] == CITY


def test_nothing_is_brought_without_a_pin_or_from_an_address_that_is_not_called(
    desk: VerifierDesk,
) -> None:
    assert desk.run("sync", "--from", desk.publish()).code == Exit.USAGE
    desk.run("init", "--root", desk.root())
    ran = desk.run("sync", "--from", "http://127.0.0.1:8701", "--json")
    assert (ran.code, ran.document["code"]) == (Exit.REFUSE, "REQUEST_INVALID")


def test_an_older_set_is_refused_and_the_newer_one_stays(desk: VerifierDesk) -> None:
    desk.ready()
    desk.publish("new.zip")
    assert desk.run("sync", "--from", str(desk.folder / "new.zip")).code == Exit.OK
    ran = desk.run("sync", "--from", str(desk.folder / "all.zip"))
    assert ran.code == Exit.REFUSE
    assert "[ROLLBACK_REFUSED]" in ran.err
    assert open_bundle(desk.home / "trust").jurisdictions[CITY].version == 2
    verdict = desk.check("--json", desk.file("a.txt", desk.world.city.issue().text)).document
    assert verdict["outcome"] == "accept"
    assert "UPDATE_REFUSED" in [check["code"] for check in verdict["checks"]]


def test_a_refused_peer_is_told_and_the_rest_is_taken(desk: VerifierDesk) -> None:
    desk.ready()
    files = desk.world.publish()
    name = next(n for n in files if n.startswith("HK/") and n.endswith(".issuers.jws"))
    files[name] = b"tampered"
    for file, data in files.items():
        path = desk.folder / "files" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    ran = desk.run("sync", "--from", str(desk.folder / "files"))
    assert ran.code == Exit.REFUSE
    city, hongkong, _ = ran.out.splitlines()
    assert "version 1 -> 2" in city
    assert hongkong.startswith("HK  REFUSED BUNDLE_TAMPERED: ")
    assert hongkong.endswith("version 1 kept")


def test_a_file_that_is_missing_leaves_by_four(desk: VerifierDesk) -> None:
    desk.ready()
    files = desk.world.publish()
    del files["CN-9999/metadata/timestamp.json"]
    path = desk.file("x.zip", b"")
    write_zip(Path(path), files)
    ran = desk.run("sync", "--from", path, "--json")
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "BUNDLE_INCOMPLETE")


def test_an_archive_that_is_none_is_unsafe(desk: VerifierDesk) -> None:
    desk.run("init", "--root", desk.root())
    ran = desk.run("sync", "--from", desk.file("x.zip", b"no archive"), "--json")
    assert (ran.code, ran.document["code"]) == (Exit.REFUSE, "BUNDLE_UNSAFE")


def test_a_root_under_other_keys_than_pinned_brings_nothing(desk: VerifierDesk) -> None:
    desk.run("init", "--root", desk.root("HK"))
    files = {n: d for n, d in desk.world.publish().items() if n.startswith("CN-9999/")}
    served = {name.replace("CN-9999/", "HK/", 1): data for name, data in files.items()}
    path = write_zip(desk.folder / "x.zip", served)
    ran = desk.run("sync", "--from", str(path), "--json")
    assert (ran.code, ran.document["code"]) == (Exit.REFUSE, "BUNDLE_SIGNATURE")


def test_damaged_trust_data_is_never_believed(desk: VerifierDesk) -> None:
    desk.ready()
    current = current_set(desk.home / "trust")
    assert current is not None
    (current / "trust.db").write_bytes(b"damaged")
    ran = desk.check("--json", desk.file("a.txt", desk.world.city.issue().text))
    assert (ran.code, codes(ran.document)) == (Exit.REFER, ["TRUST_DATA_CORRUPT"])
    ran = desk.run("sync", "--from", desk.publish(), "--json")
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "TRUST_DATA_CORRUPT")


@pytest.mark.slow
def test_a_synchronisation_killed_at_any_moment_leaves_the_old_set_or_the_new(
    desk: VerifierDesk,
) -> None:
    desk.ready()
    dice = random.Random(4403)  # noqa: S311 - moments, no secrets
    published = 1
    for _ in range(8):
        before = open_bundle(desk.home / "trust").jurisdictions[CITY].version
        published += 1
        process = subprocess.Popen(
            [sys.executable, "-m", "verifier.cli", "sync", "--from", desk.publish()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TALENTSEAL_HOME": str(desk.folder / "home")},
        )
        wait_for_building(desk, process)
        time.sleep(dice.random() * 0.4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        bundle = open_bundle(desk.home / "trust")
        assert bundle.fault is None
        assert bundle.jurisdictions[CITY].version in (before, published)
        title = desk.world.city.issue()
        assert desk.world.check(title, bundle=bundle).outcome == "accept"
    assert desk.run("sync", "--from", str(desk.folder / "all.zip")).code == Exit.OK
    left = sorted(path.name for path in (desk.home / "trust").glob(".new-*"))
    assert not left


def wait_for_building(desk: VerifierDesk, process: "subprocess.Popen[bytes]") -> None:
    """Until the work has begun, or is already done."""
    known = set((desk.home / "trust").glob(".new-*"))
    while process.poll() is None and set((desk.home / "trust").glob(".new-*")) <= known:
        time.sleep(0.005)


# --- policies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["default", "desk", "strict"])
def test_a_shipped_profile_shows_every_member_and_reads_back(desk: VerifierDesk, name: str) -> None:
    shown = desk.run("policy", "show", name).out
    assert len(json.loads(shown)) == 14
    found = desk.run("policy", "test", desk.file("p.json", shown), "--json").document
    assert found["policy"] == f"{name}@1"
    assert bool(found["softens"]) == (name == "desk")
    assert bool(found["tightens"]) == (name == "strict")


def test_a_policy_tells_what_it_changes(desk: VerifierDesk) -> None:
    policy = {
        "name": "hr", "outcomes": {"NOT_RECOGNISED": "refer", "TRUST_DATA_STALE": "refuse"},
        "max_age_seconds": 3600,
    }  # fmt: skip
    lines = desk.run("policy", "test", desk.file("p.json", json.dumps(policy))).out.splitlines()
    assert lines == [
        "hr@1 is a policy.",
        "tightens  TRUST_DATA_STALE  accept -> refuse",
        "softens  NOT_RECOGNISED  refuse -> refer",
        "sets  max_age_seconds  3600",
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('{"outcomes": {"SIGNATURE_INVALID": "refer"}}', "REQUEST_INVALID"),
        ('{"colour": "green"}', "REQUEST_INVALID"),
        ('{"name": "a", "name": "b"}', "MALFORMED"),
        ("", "MALFORMED"),
    ],
)
def test_a_bad_policy_is_refused(desk: VerifierDesk, content: str, code: str) -> None:
    path = desk.file("p.json", content)
    ran = desk.run("policy", "test", path, "--json")
    assert (ran.code, ran.document["code"]) == (Exit.REFUSE, code)
    assert desk.run("check", "--policy", path, path).code == Exit.USAGE
    assert desk.run("policy", "show", "generous").code == Exit.USAGE
