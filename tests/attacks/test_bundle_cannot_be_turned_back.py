"""Stories about real repositories: whatever a courier or a network does, home stays in force."""

import hashlib
import io
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from forging import said
from simulator import DAY, HOUR, FileSource, Held, Office, World, key, tuf_signer

from schemas.verdict import Verdict
from talentseal.artefacts import HEAD, LIST, STATUS, VERIFIER_HOSTS, dump_head
from talentseal.bundle import Bundle
from talentseal.compiling import compile_part
from talentseal.encoding import dump_json, from_seconds, parse_json
from talentseal.errors import BundleError
from talentseal.sync import (
    Change,
    Pin,
    _clock_mark,
    _Set,
    open_source,
    refused_updates,
    synchronise,
)
from talentseal.trustdb import current_set, open_bundle

Files = dict[str, bytes]
PAST = datetime(2020, 1, 1, tzinfo=UTC)


class Desk:
    """A verifier of the city with its own trust folder."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder / "trust"
        self.pin = Pin(world.city.tuf.root_bytes(1))

    def sync(self, files: Mapping[str, bytes], *, only_home: bool = True) -> list[Change]:
        now = from_seconds(self.world.now)
        source = FileSource(files)
        return list(synchronise(self.folder, source, self.pin, now=now, only_home=only_home))

    def refuses(self, files: Mapping[str, bytes]) -> str:
        """The code of a refusal, after which everything is as it was."""
        before = self.state()
        with pytest.raises(BundleError) as refusal:
            self.sync(files)
        assert self.state() == before
        if before is not None:
            assert refused_updates(self.folder) == {"CN/9999": refusal.value.code}
        return refusal.value.code

    def state(self) -> dict[str, bytes] | None:
        current = current_set(self.folder)
        if current is None:
            return None
        files = {p for p in current.rglob("*") if p.is_file()}
        return {str(path): path.read_bytes() for path in files}

    @property
    def bundle(self) -> Bundle:
        return open_bundle(self.folder)

    @property
    def version(self) -> int:
        return self.bundle.jurisdictions["CN/9999"].version

    def check(self, held: Held, at: int | None = None) -> Verdict:
        return self.world.check(held, bundle=self.bundle, at=at)


@pytest.fixture
def desk(world: World, tmp_path: Path) -> Desk:
    return Desk(world, tmp_path)


def path_of(files: Mapping[str, bytes], ending: str) -> str:
    return next(name for name in files if name.startswith("CN-9999/") and name.endswith(ending))


# --- versions and expiry --------------------------------------------------------------------------


def test_an_older_bundle_cannot_replace_a_newer_one(desk: Desk) -> None:
    # A title is sealed and then revoked; the desk has heard of it.
    title = desk.world.city.issue()
    before = desk.world.publish()
    desk.world.city.set_status(title, 1)
    desk.sync(desk.world.publish())
    assert said(desk.check(title)) == ("refuse", ["REVOKED"])

    assert desk.refuses(before) == "ROLLBACK_REFUSED"

    assert desk.version == 2
    assert said(desk.check(title)) == ("refuse", ["REVOKED"])


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "status", "root"])
def test_expired_metadata_cannot_enter(desk: Desk, role: str) -> None:
    desk.sync(desk.world.publish())
    tuf = desk.world.city.tuf
    tuf.expires[role] = PAST
    if role == "root":
        tuf.new_root()
    assert desk.refuses(desk.world.publish()) == "TRUST_DATA_EXPIRED"
    assert desk.version == 1


def test_an_old_snapshot_cannot_hide_under_a_new_timestamp(desk: Desk) -> None:
    first = desk.world.publish()
    desk.sync(first)
    second = desk.world.publish()
    second["CN-9999/metadata/2.snapshot.json"] = first["CN-9999/metadata/1.snapshot.json"]
    assert desk.refuses(second) == "BUNDLE_TAMPERED"


@pytest.mark.parametrize("role", ["targets", "status"])
def test_old_lists_cannot_be_mixed_with_new_ones(desk: Desk, role: str) -> None:
    first = desk.world.publish()
    desk.sync(first)
    second = desk.world.publish()
    second[f"CN-9999/metadata/2.{role}.json"] = first[f"CN-9999/metadata/1.{role}.json"]
    assert desk.refuses(second) == "BUNDLE_TAMPERED"


def test_a_byte_of_the_list_cannot_change_on_the_way(desk: Desk) -> None:
    desk.sync(desk.world.publish())
    files = desk.world.publish()
    name = path_of(files, ".issuers.jws")
    damaged = bytearray(files[name])
    damaged[len(damaged) // 2] ^= 1
    assert desk.refuses({**files, name: bytes(damaged)}) == "BUNDLE_TAMPERED"


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("metadata/timestamp.json", "BUNDLE_INCOMPLETE"),
        ("2.snapshot.json", "BUNDLE_INCOMPLETE"),
        ("2.targets.json", "BUNDLE_INCOMPLETE"),
        ("2.status.json", "BUNDLE_INCOMPLETE"),
        (".issuers.jws", "BUNDLE_INCOMPLETE"),
        (".head.json", "BUNDLE_INCOMPLETE"),
    ],
)
def test_a_missing_file_leaves_everything_as_it_was(desk: Desk, ending: str, code: str) -> None:
    desk.sync(desk.world.publish())
    files = desk.world.publish()
    del files[path_of(files, ending)]
    assert desk.refuses(files) == code


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("ending", ["metadata/timestamp.json", "2.targets.json", ".issuers.jws"])
def test_a_file_cut_anywhere_is_refused(desk: Desk, ending: str, share: float) -> None:
    desk.sync(desk.world.publish())
    files = desk.world.publish()
    name = path_of(files, ending)
    files[name] = files[name][: int(len(files[name]) * share)]
    assert desk.refuses(files) in ("BUNDLE_TAMPERED", "BUNDLE_SIGNATURE")


def test_a_timestamp_of_ten_megabytes_is_cut_short(desk: Desk) -> None:
    desk.sync(desk.world.publish())
    files = desk.world.publish()
    read = 0

    class Endless(FileSource):
        def read(self, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
            nonlocal read
            if not name.endswith("timestamp.json"):
                yield from super().read(name)
                return
            for _ in range(10 * 1024):
                read += 1024
                yield b" " * 1024

    now = from_seconds(desk.world.now)
    with pytest.raises(BundleError) as refusal:
        synchronise(desk.folder, Endless(files), desk.pin, now=now, only_home=True)
    assert refusal.value.code == "BUNDLE_TOO_LARGE"
    assert read <= 64 * 1024
    assert desk.version == 1


def test_a_captive_portal_cannot_pass_for_trust_data(desk: Desk) -> None:
    desk.sync(desk.world.publish())
    page = b"<!doctype html><title>Sign in</title>"
    files = dict.fromkeys(desk.world.publish(), page)
    assert desk.refuses(files) in ("BUNDLE_TAMPERED", "BUNDLE_SIGNATURE")


# --- roles and keys -------------------------------------------------------------------------------


def test_the_status_role_cannot_publish_the_trust_list(desk: Desk) -> None:
    city = desk.world.city
    desk.sync(desk.world.publish())
    mallory = city.body("mallory")
    city.grant(mallory)
    forged = city.list_text().encode()
    del city.bodies["mallory"]
    city.tuf.publish()
    status = {**city.status_tokens(), LIST: forged, "survivors/key.bin": bytes(16)}
    status[HEAD] = dump_head(city.head(1, city.tuf.versions["targets"]))
    own = city.own_targets()
    files = city.tuf.assemble(own, status)
    listed = hashlib.sha256(own[LIST]).hexdigest()
    files[f"CN-9999/targets/lists/{listed}.issuers.jws"] = own[LIST]

    desk.sync(files)

    # The files were there and nobody looked: the path is not delegated.
    assert not desk.bundle.find_issuer(mallory.entity_id)
    assert said(desk.check(city.issue())) == ("accept", [])


def test_the_list_office_cannot_speak_for_status(desk: Desk) -> None:
    city = desk.world.city
    desk.sync(desk.world.publish())
    own = {**city.own_targets(), f"{STATUS}own.jwt": b"forged"}
    assert desk.refuses(city.tuf.publish(targets=own)) == "BUNDLE_TAMPERED"


def test_one_jurisdiction_cannot_be_served_as_another(desk: Desk) -> None:
    desk.sync(desk.world.publish())
    files = desk.world.publish()
    served = {n.replace("HK/", "CN-9999/", 1): d for n, d in files.items() if n.startswith("HK/")}
    assert desk.refuses(served) == "BUNDLE_SIGNATURE"


def test_a_desk_that_slept_through_two_roots_catches_up(desk: Desk) -> None:
    desk.sync(desk.world.publish())
    tuf = desk.world.city.tuf
    tuf.new_root()
    tuf.signers["timestamp"] = [tuf_signer("a new timestamp key")]
    tuf.new_root()
    desk.sync(desk.world.publish())
    assert desk.version == 2


def _strangers(office: Office) -> list[object]:
    del office
    return [tuf_signer("stranger 1"), tuf_signer("stranger 2")]


def _one_of_two(office: Office) -> list[object]:
    return office.tuf.signers["root"][:1]


@pytest.mark.parametrize("signers", [_strangers, _one_of_two])
def test_a_root_cannot_follow_without_the_officers_before(
    desk: Desk, signers: Callable[[Office], list[object]]
) -> None:
    city = desk.world.city
    desk.sync(desk.world.publish())
    city.tuf.new_root(signers=signers(city))
    assert desk.refuses(desk.world.publish()) == "BUNDLE_SIGNATURE"


def test_one_officer_under_two_names_is_one_officer(desk: Desk) -> None:
    city = desk.world.city
    desk.sync(desk.world.publish())
    document = parse_json(city.tuf.new_root(signers=_one_of_two(city)), max_depth=32)
    document["signatures"].append(document["signatures"][0])
    city.tuf.roots[-1] = dump_json(document)
    assert desk.refuses(desk.world.publish()) in ("BUNDLE_SIGNATURE", "BUNDLE_TAMPERED")


def test_a_root_that_is_withheld_holds_back_what_it_would_allow(desk: Desk) -> None:
    desk.sync(desk.world.publish())
    tuf = desk.world.city.tuf
    tuf.signers["timestamp"] = [tuf_signer("a new timestamp key")]
    tuf.new_root()
    files = desk.world.publish()
    del files["CN-9999/metadata/2.root.json"]
    assert desk.refuses(files) == "BUNDLE_SIGNATURE"
    assert desk.version == 1


def test_a_stolen_timestamp_key_locks_nobody_out_for_good(desk: Desk) -> None:
    desk.sync(desk.world.publish())
    tuf = desk.world.city.tuf
    honest = dict(tuf.versions)
    tuf.versions["timestamp"] = 2**31 - 1
    desk.sync(desk.world.publish())  # a thief jumps ahead
    tuf.versions = {**tuf.versions, "timestamp": honest["timestamp"] + 1}

    assert desk.refuses(desk.world.publish()) == "ROLLBACK_REFUSED"

    # The officers take the key away; honest data is good again.
    tuf.signers["timestamp"] = [tuf_signer("a new timestamp key")]
    tuf.new_root()
    desk.sync(desk.world.publish())
    assert desk.bundle.fault is None


# --- the jurisdiction's own words -----------------------------------------------------------------


def test_a_development_root_cannot_slip_into_production(desk: Desk) -> None:
    city = desk.world.city
    desk.sync(desk.world.publish())
    city.dev = True
    city.tuf.new_root()
    assert desk.refuses(desk.world.publish()) == "DEV_TRUST_REFUSED"


def test_a_production_root_cannot_follow_a_development_one(tmp_path: Path) -> None:
    world = World()
    city = world.jurisdiction("CN/9999", namespace="city.example", name="Example City")
    city.dev = True
    city.grant(city.body("bureau"))
    desk = Desk(world, tmp_path)
    desk.sync(world.publish())
    assert "DEV_TRUST" in desk.check(world.city.issue()).remarks
    world.city.dev = False
    world.city.tuf.new_root()
    assert desk.refuses(world.publish()) == "DEV_TRUST_REFUSED"


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "https://other.example"},
        {"jurisdiction": "HK"},
        {"entity_id": "https://root.mallory.example"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_root_cannot_turn_into_another_body(desk: Desk, changes: dict[str, str]) -> None:
    desk.sync(desk.world.publish())
    desk.world.city.tuf.new_root(**changes)
    assert desk.refuses(desk.world.publish()) == "WRONG_NETWORK"


def test_the_list_office_cannot_swap_its_own_key(desk: Desk) -> None:
    city = desk.world.city
    desk.sync(desk.world.publish())
    city.list_key = key("list office's own")
    assert desk.refuses(desk.world.publish()) == "BUNDLE_SIGNATURE"


def test_the_list_office_cannot_bring_its_own_authority(desk: Desk) -> None:
    city = desk.world.city
    desk.sync(desk.world.publish())
    from talentseal import x509

    der = x509.der_of(desk.world.hk.root)
    own = {**city.own_targets(), f"ca/{hashlib.sha256(der).hexdigest()}.der": der}
    assert desk.refuses(city.tuf.publish(targets=own)) == "BUNDLE_TAMPERED"


def test_a_withdrawal_cannot_be_left_out_of_the_list(desk: Desk) -> None:
    # The bureau's grant is withdrawn; the list office signs its list without the withdrawal.
    city = desk.world.city
    bureau = city.bodies["bureau"]
    first = desk.world.publish()
    city.withdraw(bureau.grants[0], "void", desk.world.start)
    head = city.head(1, 2)
    kept = list(bureau.statements)
    bureau.statements.clear()
    own = city.own_targets()
    bureau.statements[:] = kept
    desk.sync(first)

    dropped = city.tuf.publish(targets=own)

    assert head.negative_count == 1
    assert desk.refuses(dropped) == "HEAD_MISMATCH"


def test_a_withdrawal_that_was_seen_cannot_vanish(desk: Desk) -> None:
    # List office and status office together forget a withdrawal that the desk has seen.
    city = desk.world.city
    title = city.issue()
    city.withdraw(city.bodies["bureau"].grants[0], "void", desk.world.start)
    desk.sync(desk.world.publish())
    assert said(desk.check(title)) == ("refuse", ["GRANT_VOID"])

    city.bodies["bureau"].statements.clear()

    assert desk.refuses(desk.world.publish()) == "STATEMENT_VANISHED"
    assert said(desk.check(title)) == ("refuse", ["GRANT_VOID"])


def test_a_stolen_key_cannot_be_shown_as_good_again(desk: Desk) -> None:
    city = desk.world.city
    bureau = city.bodies["bureau"]
    honest = bureau.keys[0]
    bureau.keys[0] = replace(honest, state="compromised")
    desk.sync(desk.world.publish())
    bureau.keys[0] = honest
    assert desk.refuses(desk.world.publish()) == "KEY_STATE_IMPROVED"


def test_a_frozen_jurisdiction_grows_old_and_cannot_be_kept_young(desk: Desk) -> None:
    # Somebody serves old contents again and again; the head tells their age.
    city = desk.world.city
    title = city.issue()
    old_own, old_head = city.own_targets(), dump_head(city.head(1, 1))
    old_status = city.status_tokens()

    def replayed() -> Files:
        city.tuf.publish(targets=old_own)
        return city.tuf.assemble(old_own, {**old_status, HEAD: old_head})

    desk.sync(replayed())
    assert "TRUST_DATA_STALE" not in desk.check(title).remarks
    desk.world.turn(2 * DAY)
    desk.sync(replayed())
    stale = desk.check(title)
    assert said(stale) == ("accept", [])
    assert "TRUST_DATA_STALE" in stale.remarks
    desk.world.turn(6 * DAY)
    expired = desk.check(title)
    assert expired.outcome == "refer"
    assert expired.codes[0] == "TRUST_DATA_EXPIRED"


def test_a_new_head_cannot_stand_over_old_contents(desk: Desk) -> None:
    city = desk.world.city
    old_own = city.own_targets()
    desk.sync(city.tuf.publish(targets=old_own))
    city.withdraw(city.bodies["bureau"].grants[0], "from", desk.world.start)
    city.list_text()  # the list goes on; only its number is told by the head
    assert desk.refuses(city.tuf.publish(targets=old_own)) == "HEAD_MISMATCH"


def test_an_older_status_list_cannot_clear_a_revoked_title(desk: Desk) -> None:
    city = desk.world.city
    title = city.issue()
    old_tokens = city.status_tokens()
    desk.world.turn(HOUR)
    city.set_status(title, 1)
    desk.sync(desk.world.publish())
    city.tuf.publish()
    head = dump_head(city.head(1, city.tuf.versions["targets"]))
    files = city.tuf.assemble(city.own_targets(), {**old_tokens, HEAD: head})

    change = desk.sync(files)[0]

    assert list(change.alarms) == ["STATUS_ROLLBACK"]
    assert said(desk.check(title)) == ("refuse", ["REVOKED"])


# --- peers ----------------------------------------------------------------------------------------


def test_a_peer_that_is_refused_keeps_its_previous_data(desk: Desk) -> None:
    world = desk.world
    qual = world.hk.issue("qual-01")
    desk.sync(world.publish(), only_home=False)
    world.turn(HOUR)
    files = world.publish()
    name = next(n for n in files if n.startswith("HK/") and n.endswith(".issuers.jws"))
    files[name] = files[name][:-1]

    changes = {change.jurisdiction: change for change in desk.sync(files, only_home=False)}

    assert (changes["CN/9999"].refused, changes["HK"].refused) == (None, "BUNDLE_TAMPERED")
    verdict = desk.check(qual)
    assert said(verdict) == ("accept", [])
    assert "UPDATE_REFUSED" in verdict.remarks


def test_two_peers_cannot_claim_the_same_names(desk: Desk) -> None:
    world = desk.world
    world.city.peers[-1] = replace(world.city.peers[-1], namespaces=["mo.example", "x.hk.example"])
    changes = {c.jurisdiction: c for c in desk.sync(world.publish(), only_home=False)}
    assert changes["HK"].refused is None
    assert changes["MO"].refused == "NAMESPACE_OVERLAP"
    assert "MO" not in desk.bundle.jurisdictions


def test_a_peer_cannot_swap_the_root_that_home_introduced(desk: Desk) -> None:
    world = desk.world
    world.city.peers[0] = replace(world.city.peers[0], root_s256="0" * 64)
    changes = {c.jurisdiction: c for c in desk.sync(world.publish(), only_home=False)}
    assert changes["HK"].refused == "BUNDLE_TAMPERED"
    assert "HK" not in desk.bundle.jurisdictions


# --- clocks ---------------------------------------------------------------------------------------


def test_a_clock_set_back_a_day_is_noticed(desk: Desk) -> None:
    title = desk.world.city.issue(at=desk.world.now - 2 * DAY)
    desk.sync(desk.world.publish())
    assert said(desk.check(title)) == ("accept", [])
    verdict = desk.check(title, at=desk.world.now - DAY)
    assert said(verdict) == ("refer", ["CLOCK_ROLLED_BACK"])
    assert verdict.questions["authentic"] == "unknown"


def test_a_clock_once_far_ahead_locks_nobody_out(world: World) -> None:
    # Timestamps live for a week; the desk's clock is once ten years ahead, then right again.
    part = compile_part(world.city.files(), None, now=world.now)
    made = _Set(parts={"CN/9999": part}, expiries=[world.now + 7 * DAY])
    assert _clock_mark(made, world.now + HOUR) == world.now + HOUR
    assert _clock_mark(made, world.now + 2 * DAY) == world.now + HOUR
    assert _clock_mark(made, world.now + 3650 * DAY) == world.now


# --- archives -------------------------------------------------------------------------------------


def _traversal(archive: zipfile.ZipFile) -> None:
    archive.writestr("../../etc/passwd", b"x")


def _absolute(archive: zipfile.ZipFile) -> None:
    archive.writestr("/etc/passwd", b"x")


def _backslash(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("CN-9999")
    info.filename = "CN-9999\\metadata"
    archive.writestr(info, b"x")


def _hidden_dots(archive: zipfile.ZipFile) -> None:
    archive.writestr("CN-9999/../x", b"x")


def _link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("CN-9999/metadata/link.json")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, b"/etc/passwd")


def _device(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("CN-9999/metadata/device")
    info.create_system = 3
    info.external_attr = (stat.S_IFCHR | 0o666) << 16
    archive.writestr(info, b"")


def _bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("CN-9999/bomb", bytes(4 * 1024 * 1024), zipfile.ZIP_DEFLATED)


def _thousands(archive: zipfile.ZipFile) -> None:
    for number in range(10_001):
        archive.writestr(f"CN-9999/{number}", b"")


def _twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("CN-9999/a", b"x")
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("CN-9999/a", b"y")


def _lzma(archive: zipfile.ZipFile) -> None:
    archive.writestr("CN-9999/a", b"x" * 100, zipfile.ZIP_LZMA)


@pytest.mark.parametrize(
    "act",
    [
        _traversal,
        _absolute,
        _backslash,
        _hidden_dots,
        _link,
        _device,
        _bomb,
        _thousands,
        _twice,
        _lzma,
    ],
)
def test_an_unsafe_archive_is_refused_before_anything_is_read(
    tmp_path: Path, act: Callable[[zipfile.ZipFile], None]
) -> None:
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("CN-9999/metadata/1.root.json", b"{}")
        act(archive)
    with pytest.raises(BundleError) as refusal, open_source(path):
        pytest.fail("opened")
    assert refusal.value.code == "BUNDLE_UNSAFE"
    assert [p.name for p in tmp_path.iterdir()] == ["bundle.zip"]


def test_an_encrypted_member_or_no_archive_at_all_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("CN-9999/a", b"x")
    data = bytearray(buffer.getvalue())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    for number, content in enumerate((bytes(data), b"no archive", b"")):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(content)
        with pytest.raises(BundleError) as refusal, open_source(path):
            pytest.fail("opened")
        assert refusal.value.code == "BUNDLE_UNSAFE"


def test_an_honest_archive_gives_the_same_as_the_files(desk: Desk, tmp_path: Path) -> None:
    files = desk.world.publish()
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    now = from_seconds(desk.world.now)
    with open_source(path) as source:
        synchronise(desk.folder, source, desk.pin, now=now, only_home=True)
    assert said(desk.check(desk.world.city.issue())) == ("accept", [])


def test_a_page_that_the_jurisdiction_does_not_name_is_no_page_of_its() -> None:
    world = World.honest()
    assert VERIFIER_HOSTS in world.city.own_targets()
    assert "verify.talentseal.example" in world.bundle().jurisdictions["CN/9999"].verifier_hosts
