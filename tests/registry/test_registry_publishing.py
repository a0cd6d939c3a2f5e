import json
import os
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from postgres import both_databases
from registry_desk import HK, STATION, SZ, Desk, folder_fetcher, read_repository
from tuf.ngclient import Updater

from registry.office import open_office
from registry.publishing.service import current_files, publish
from registry.settings import load_settings
from schemas.types import TYPE_IDS, load_type
from talentseal.artefacts import HEAD, parse_head, parse_hosts, parse_root
from talentseal.commandline import now
from talentseal.encoding import from_seconds, parse_time, to_seconds
from talentseal.errors import BundleError, Exit, RefusedError
from talentseal.status import StatusList
from talentseal.sync import Pin, open_source, synchronise
from talentseal.trustdb import open_bundle

DAY = 86_400


def versions(desk: Desk, code: str = SZ) -> dict[str, int]:
    return dict(desk.ask("jurisdiction", "show", code)["versions"])


def grant(desk: Desk, kind: str = "talent-confirmation/1") -> None:
    desk.ask("grant", "new", "--issuer", STATION, "--type", kind, "--territory", SZ)


def later(seconds: int) -> datetime:
    return from_seconds(to_seconds(now()) + seconds)


def publish_after(seconds: int) -> None:
    """Publish as the command does, at another time."""
    publish(open_office(load_settings(), later(seconds)), after_pause=True)


def status_rights(desk: Desk) -> list[str]:
    rights = desk.ask("grant", "list", "--jurisdiction", SZ)
    return sorted(one["jti"] for one in rights if one["uri_prefix"] and one["kind"] == "grant")


def test_the_right_to_publish_status_is_granted_again_before_it_runs_out(desk: Desk) -> None:
    first = status_rights(desk)
    publish_after(690 * DAY)
    assert status_rights(desk) == first
    publish_after(710 * DAY)
    publish_after(710 * DAY + 3600)
    (old,) = first
    (new,) = set(status_rights(desk)) - {old}
    assert new


def metadata(desk: Desk, name: str, code: str = "CN-4403") -> bytes:
    return (desk.public / code / "metadata" / name).read_bytes()


# --- what the world reads -------------------------------------------------------------------------


@both_databases
def test_the_reference_client_admits_everything(desk: Desk) -> None:
    files = desk.read(SZ)
    kinds = {path.split("/")[0] for path in files}
    assert kinds == {"ca", "lists", "peers", "policy", "status", "types"}
    for type_id in TYPE_IDS:
        assert files[f"types/{type_id}.json"] == load_type(type_id)
    assert parse_hosts(files["policy/verifier-hosts.json"]) == ["verify.sz.example"]
    assert len([path for path in files if path.endswith((".jwt", ".cwt"))]) == 2


def test_our_member_of_the_root_survives_the_reference_client(desk: Desk, tmp_path: Path) -> None:
    folder = desk.public / "HK"
    updater = Updater(
        str(tmp_path),
        "folder://metadata/",
        fetcher=folder_fetcher(folder),
        bootstrap=metadata(desk, "1.root.json", "HK"),
    )
    updater.refresh()
    assert parse_root((tmp_path / "root.json").read_bytes())[0].jurisdiction == HK


def test_the_head_speaks_of_what_is_published(desk: Desk) -> None:
    before = to_seconds(now())
    desk.ask("publish")
    head = parse_head(desk.read(SZ)["status/head.json"])
    held = versions(desk)
    assert (head.jurisdiction, head.root_version) == (SZ, 1)
    assert head.targets_version == held["targets"]
    assert before <= head.issued_at <= to_seconds(now())
    assert head.negative_count == 0


def test_the_status_role_may_speak_of_status_only(desk: Desk) -> None:
    signed = json.loads(metadata(desk, f"{versions(desk)['targets']}.targets.json"))["signed"]
    (role,) = signed["delegations"]["roles"]
    assert (role["name"], role["paths"], role["terminating"]) == ("status", ["status/*"], True)
    assert not [path for path in signed["targets"] if path.startswith("status/")]


def test_lifetimes_are_those_of_the_design(desk: Desk) -> None:
    lives = {"root": 365, "targets": 365, "status": 7, "snapshot": 30}
    held = versions(desk)
    for role, days in {**lives, "timestamp": 7}.items():
        name = "timestamp.json" if role == "timestamp" else f"{held[role]}.{role}.json"
        expires = json.loads(metadata(desk, name))["signed"]["expires"]
        left = to_seconds(parse_time(expires)) - to_seconds(now())
        assert abs(left - days * DAY) < 3600


# --- versions -------------------------------------------------------------------------------------


@both_databases
def test_publishing_nothing_new_renews_freshness_and_nothing_else(desk: Desk) -> None:
    before, files = versions(desk), desk.read(SZ)
    desk.ask("publish")
    after = versions(desk)
    assert after["targets"] == before["targets"]
    assert all(after[r] == before[r] + 1 for r in ("status", "snapshot", "timestamp"))
    again = desk.read(SZ)
    renewed = {path for path in files if path.startswith("status/")}
    if parse_head(again[HEAD]).issued_at == parse_head(files[HEAD]).issued_at:
        renewed.remove(HEAD)  # it tells seconds, and both fell into one
    assert {path for path in files if files[path] != again[path]} == renewed


def test_the_list_takes_its_next_number_only_when_it_says_something_else(desk: Desk) -> None:
    def sequence() -> int:
        return parse_head(desk.read(SZ)["status/head.json"]).list_sequence

    first = sequence()
    desk.ask("publish")
    assert sequence() == first
    grant(desk)
    desk.ask("publish")
    assert sequence() == first + 1


def test_one_jurisdiction_can_be_published_alone(desk: Desk) -> None:
    before = versions(desk, HK)
    told = desk.ask("publish", "--jurisdiction", SZ)["jurisdictions"]
    assert [one["jurisdiction"] for one in told] == [SZ]
    assert versions(desk, HK) == before
    assert desk.refused("publish", "--jurisdiction", "MO") == (Exit.USAGE, "NOT_FOUND")


def test_metadata_is_renewed_before_it_ends(desk: Desk) -> None:
    before = versions(desk)
    publish_after(30 * DAY)
    assert versions(desk)["targets"] == before["targets"]
    publish_after(130 * DAY)  # the list is near its NextUpdate
    assert versions(desk)["targets"] == before["targets"] + 1


def test_the_next_root_is_signed_before_the_last_one_ends(desk: Desk, tmp_path: Path) -> None:
    folder = desk.public / "CN-4403"
    pinned = (folder / "metadata" / "1.root.json").read_bytes()
    publish_after(300 * DAY)
    assert versions(desk)["root"] == 1
    publish_after(310 * DAY)
    publish_after(310 * DAY + 3600)
    assert versions(desk)["root"] == 2
    info, version = parse_root((folder / "metadata" / "2.root.json").read_bytes())
    assert (info, version) == (parse_root(pinned)[0], 2)
    for moment, alarms in ((310 * DAY + 3600, []), (0, ["CLOCK_ROLLED_BACK"])):
        with open_source(str(desk.public)) as source:
            home = tmp_path / str(moment)
            (change, *_) = synchronise(home, source, Pin(pinned), now=later(moment))
        assert (change.refused, list(change.alarms)) == (None, alarms)


def test_a_clock_that_leapt_ahead_publishes_nothing_until_somebody_says_so(desk: Desk) -> None:
    before = versions(desk)
    office = open_office(load_settings(), later(200 * DAY))
    with pytest.raises(RefusedError, match="200 days ago") as refused:
        publish(office)
    assert refused.value.code == "STATE_CONFLICT"
    assert versions(desk) == before
    publish(open_office(load_settings(), later(29 * DAY)))
    assert versions(desk)["timestamp"] == before["timestamp"] + 1


def test_a_clock_that_lies_behind_is_named(desk: Desk) -> None:
    publish_after(2 * DAY)
    (told, *_) = desk.ask("publish")["jurisdictions"]
    assert 2 * DAY - 600 < told["behind_seconds"] <= 2 * DAY
    assert "CLOCK" in desk.run("publish").out


def test_a_clock_that_went_back_never_makes_older_words(desk: Desk) -> None:
    before = parse_head(desk.read(SZ)["status/head.json"]).issued_at
    publish_after(-2 * DAY)
    assert parse_head(desk.read(SZ)["status/head.json"]).issued_at == before


def test_earlier_versions_stay_for_readers_under_way(desk: Desk) -> None:
    folder = desk.public / "CN-4403"
    before = {path for path in folder.rglob("*") if path.is_file()}
    grant(desk)
    desk.ask("publish")
    assert before <= {path for path in folder.rglob("*") if path.is_file()}


def test_what_nothing_names_for_a_week_leaves_the_folder(desk: Desk) -> None:
    folder = desk.public / "CN-4403"
    stranger = folder / "targets" / "README.txt"
    stranger.write_text("not a publication's")
    os.utime(stranger, (0, 0))

    def files() -> set[str]:
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    publish_after(0)
    office = open_office(load_settings(), now())
    with office.reading() as session:
        first = current_files(session, SZ).keys()
    publish_after(20 * DAY)  # only now is it named no more
    publish_after(26 * DAY)
    assert first <= files()
    publish_after(29 * DAY)
    gone = first - files()
    assert {name.rpartition(".")[0].partition(".")[2] for name in gone if "metadata" in name} == {
        "status", "snapshot",
    }  # fmt: skip
    assert any(name.endswith(".head.json") for name in gone)
    assert {"metadata/1.root.json", "metadata/timestamp.json", "targets/README.txt"} <= files()
    assert desk.read(SZ).keys() >= {"status/head.json", "lists/issuers.jws"}


@pytest.mark.parametrize("days", ["0", "a week", "-1"])
def test_days_to_keep_are_a_number(desk: Desk, monkeypatch: pytest.MonkeyPatch, days: str) -> None:
    monkeypatch.setenv("TALENTSEAL_KEEP_DAYS", days)
    assert desk.refused("publish")[0] == Exit.USAGE


# --- accidents ------------------------------------------------------------------------------------


def test_what_is_missing_in_the_folder_is_written_again(desk: Desk) -> None:
    for path in (desk.public / "CN-4403").rglob("*"):
        if path.is_file() and path.parent.name != "metadata":
            path.unlink()
    (desk.public / "CN-4403" / "metadata" / ".timestamp.json.half").write_text("half")
    desk.ask("publish")
    assert len(desk.read(SZ)) > 10
    assert not list((desk.public / "CN-4403").rglob(".*"))


def test_what_is_torn_in_the_folder_is_written_again(desk: Desk) -> None:
    before = desk.read(SZ)
    folder = desk.public / "CN-4403"
    target = next(folder.glob("targets/types/*/*.json"))
    newest = f"{versions(desk)['snapshot']}.snapshot.json"
    for path in (target, folder / "metadata" / "1.root.json", folder / "metadata" / newest):
        path.write_bytes(path.read_bytes()[:40])
    desk.ask("publish")
    assert desk.read(SZ).keys() == before.keys()
    assert target.stat().st_size > 40


def test_an_old_copy_of_the_database_publishes_and_serves_nothing(desk: Desk) -> None:
    database = desk.home / "registry" / "registry.db"
    copy = {p.name: p.read_bytes() for p in database.parent.glob("registry.db*")}
    desk.ask("publish")
    before = desk.read(SZ)
    for path in database.parent.glob("registry.db*"):
        path.unlink()
    for name, data in copy.items():
        (database.parent / name).write_bytes(data)
    assert desk.refused("publish") == (Exit.REFUSE, "ROLLBACK_REFUSED")
    ran = desk.run("serve", "--port", "0")
    assert (ran.code, "[ROLLBACK_REFUSED]" in ran.err) == (Exit.REFUSE, True)
    assert desk.read(SZ) == before


def test_a_version_with_other_contents_is_never_overwritten(desk: Desk) -> None:
    name = f"{versions(desk)['snapshot']}.snapshot.json"
    (desk.public / "CN-4403" / "metadata" / name).write_bytes(b"{}")
    with pytest.raises(BundleError, match="does not know"):
        publish_after(0)


# --- the zip --------------------------------------------------------------------------------------


def test_the_zip_holds_the_published_files_and_nothing_else(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "all.zip"
    desk.ask("bundle", "export", str(file))
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names)
        archive.extractall(tmp_path / "out")
    for code, folder in ((SZ, "CN-4403"), (HK, "HK")):
        assert read_repository(tmp_path / "out" / folder) == desk.read(code)
    inside = {path.relative_to(desk.public).as_posix() for path in desk.public.rglob("*.*")}
    assert set(names) <= inside


@both_databases
def test_the_same_files_make_the_same_zip_with_home_first(desk: Desk, tmp_path: Path) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    for file in (one, other):
        argv = ("--jurisdiction", SZ, "--jurisdiction", HK)
        desk.ask("bundle", "export", str(file), *argv)
    assert one.read_bytes() == other.read_bytes()
    desk.ask("bundle", "export", str(other), "--jurisdiction", HK)
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        assert first.namelist()[0].startswith("CN-4403/")
        assert {name.split("/")[0] for name in second.namelist()} == {"HK"}


def test_a_zip_of_nothing_is_refused(desk: Desk, tmp_path: Path) -> None:
    argv = ("bundle", "export", str(tmp_path / "x.zip"), "--jurisdiction", "MO")
    assert desk.refused(*argv) == (Exit.USAGE, "NOT_FOUND")
    assert not (tmp_path / "x.zip").exists()
    nowhere = ("bundle", "export", str(tmp_path / "no" / "folder.zip"))
    assert desk.run(*nowhere).code == Exit.UNAVAILABLE


# --- a desk that synchronises ---------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["folder", "zip"])
def test_a_desk_takes_everything_from_the_folder_or_the_zip(
    desk: Desk, tmp_path: Path, transport: str
) -> None:
    desk.ask(
        "recognition", "new", "--home", HK, "--of", SZ,
        "--type", "professional-title/1", "--purpose", "employment",
    )  # fmt: skip
    desk.ask("publish")
    file = tmp_path / "all.zip"
    desk.ask("bundle", "export", str(file))
    place = file if transport == "zip" else desk.public
    home = tmp_path / "desk"
    with open_source(place) as source:
        changes = synchronise(home, source, Pin(metadata(desk, "1.root.json", "HK")), now=now())
    assert {(one.jurisdiction, one.refused, tuple(one.alarms)) for one in changes} == {
        (HK, None, ()),
        (SZ, None, ()),
    }
    bundle = open_bundle(home)
    assert bundle.find_issuer(STATION) == [SZ]
    (right,) = bundle.find_rights(SZ, STATION)
    assert right.fault is None
    (recognition,) = bundle.find_recognitions(HK, SZ)
    assert recognition.fault is None
    uri = next(iter(bundle.jurisdictions[SZ].status_uris))
    name = next(path for path in desk.read(SZ) if path.endswith(".cwt")).removeprefix("status/")
    listed = bundle.find_status(SZ, uri + name.removesuffix(".cwt"))
    assert isinstance(listed, StatusList)
    assert listed.size == 2**20
