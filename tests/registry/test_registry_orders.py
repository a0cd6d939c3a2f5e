import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from postgres import both_databases
from registry_desk import STATION, SZ, Desk

from registry.office import open_office
from registry.publishing.publisher import (
    FIRST_REST_SECONDS,
    GATHER_SECONDS,
    LOOK_SECONDS,
    Publisher,
)
from registry.publishing.service import Published
from registry.settings import load_settings
from registry.status_lists.orders import take_order
from talentseal.artefacts import parse_root
from talentseal.commandline import now
from talentseal.encoding import to_seconds
from talentseal.errors import Exit
from talentseal.keys import PublicKey, SoftwareSigner, new_signer
from talentseal.lote import parse_list
from talentseal.status import StatusList, admit


@pytest.fixture
def block(desk: Desk) -> tuple[str, list[int]]:
    """A block of the station: the list's URI and its indices."""
    (found,) = desk.ask("issuer", "block", "--issuer", STATION)["blocks"]
    return found["uri"], found["indices"]


def published_list(desk: Desk, uri: str) -> StatusList:
    """The list as a stranger reads it: from the public files, both forms alike."""
    files = desk.read(SZ)
    root = parse_root((desk.public / "CN-4403" / "metadata" / "1.root.json").read_bytes())[0]
    listed = parse_list(files["lists/issuers.jws"].decode(), list_jkt=root.list_jkt, now=None)
    jwks = [key.jwk for one in listed.entities if one.kind == "status" for key in one.keys]
    keys = {key.kid: key for key in map(PublicKey.from_jwk, jwks)}
    name = uri.rsplit("/", 1)[1]
    lists = [
        admit(files[f"status/{name}.{form}"], uri=uri, keys=keys, now=to_seconds(now()))
        for form in ("jwt", "cwt")
    ]
    assert lists[0].data == lists[1].data
    return lists[0]


def published(desk: Desk, *argv: str) -> list[Any]:
    """What became of the orders; the command's exit tells of those that are not done."""
    ran = desk.run("publish", *argv, "--json")
    told: list[Any] = json.loads(ran.out)["orders"]
    undone = any(one["state"] == "refused" or one["outdated"] for one in told)
    assert ran.code == (Exit.REFER if undone else Exit.OK)
    return told


def outcome(desk: Desk) -> Any:
    (one,) = published(desk, "--jurisdiction", SZ)
    return one


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_a_revocation_is_published_at_once_in_both_forms(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    assert published_list(desk, uri).value(indices[0]) == 0
    desk.order(station_key, 1, [(uri, indices[0], 1), (uri, indices[1], 2)])
    told = outcome(desk)
    assert (told["state"], told["issuer"], told["seq"], told["changes"]) == (
        "applied", STATION, 1, 2,
    )  # fmt: skip
    held = published_list(desk, uri)
    assert [held.value(idx) for idx in indices[:3]] == [1, 2, 0]
    assert names(desk.orders / "done") == {"order-1.jws"}


@both_databases
def test_a_suspension_can_be_lifted_and_a_revocation_cannot(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    desk.order(station_key, 1, [(uri, indices[0], 2), (uri, indices[1], 1)])
    desk.order(station_key, 2, [(uri, indices[0], 0)])
    desk.ask("publish")
    assert published_list(desk, uri).value(indices[0]) == 0
    for seq, value in ((3, 0), (4, 2)):
        desk.order(station_key, seq, [(uri, indices[2], 1), (uri, indices[1], value)])
        assert outcome(desk)["code"] == "STATE_CONFLICT"
    held = published_list(desk, uri)
    assert held.value(indices[1]) == 1
    assert held.value(indices[2]) == 0  # an order holds whole or not at all


def test_the_same_order_again_changes_nothing(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    path = desk.order(station_key, 1, [(uri, indices[0], 2)])
    text = path.read_text()
    assert outcome(desk)["state"] == "applied"
    desk.order(station_key, 2, [(uri, indices[0], 0)])
    desk.ask("publish")
    (desk.orders / "replayed.jws").write_text(text)
    assert outcome(desk)["state"] == "known"
    assert published_list(desk, uri).value(indices[0]) == 0


def test_the_same_order_signed_anew_with_another_time_is_known(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    """Its issuer may have made it while its clock was ahead, and not know that it was taken."""
    uri, indices = block
    desk.order(station_key, 1, [(uri, indices[0], 2)])
    assert outcome(desk)["state"] == "applied"
    desk.order(station_key, 2, [(uri, indices[0], 0)])
    desk.ask("publish")
    desk.order(station_key, 1, [(uri, indices[0], 2)], iat=to_seconds(now()) - 100)
    assert outcome(desk)["state"] == "known"
    assert published_list(desk, uri).value(indices[0]) == 0


@pytest.mark.parametrize("changes", [{"jti": "other"}, {"jti": "order-1", "seq": 9}])
@both_databases
def test_a_number_or_a_name_is_used_once(
    desk: Desk,
    station_key: SoftwareSigner,
    block: tuple[str, list[int]],
    changes: dict[str, Any],
) -> None:
    uri, indices = block
    desk.order(station_key, 1, [(uri, indices[0], 2)])
    desk.ask("publish")
    desk.order(station_key, 1, [(uri, indices[0], 0)], name="second", **changes)
    told = outcome(desk)
    assert (told["state"], told["code"]) == ("refused", "IDEMPOTENCY_CONFLICT")
    assert published_list(desk, uri).value(indices[0]) == 2


def test_orders_hold_by_number_whatever_their_arrival(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    desk.order(station_key, 3, [(uri, indices[0], 0), (uri, indices[1], 0)])
    desk.ask("publish")
    desk.order(station_key, 2, [(uri, indices[0], 2), (uri, indices[1], 1)])
    ran = desk.run("publish", "--jurisdiction", SZ)
    assert (ran.code, "applied  1 changes overtaken" in ran.out) == (Exit.REFER, True)
    held = published_list(desk, uri)
    assert held.value(indices[0]) == 0  # the later word stands
    assert held.value(indices[1]) == 1  # but a revocation always holds


def test_of_several_waiting_orders_the_lower_number_goes_first(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    desk.order(station_key, 2, [(uri, indices[0], 0)], name="a-first-by-name")
    desk.order(station_key, 1, [(uri, indices[0], 2)], name="b-second-by-name")
    told = published(desk)
    assert [one["seq"] for one in told] == [1, 2]
    assert published_list(desk, uri).value(indices[0]) == 0


# --- orders that are refused ----------------------------------------------------------------------


def assert_refused(desk: Desk, code: str, file: str = "order-1.jws") -> None:
    before = names(desk.orders / "refused")
    told = outcome(desk)
    assert (told["state"], told["code"]) == ("refused", code)
    assert names(desk.orders / "refused") - before == {file, f"{file}.json"}
    reason = json.loads((desk.orders / "refused" / f"{file}.json").read_text())
    assert reason["code"] == code
    assert reason["title"]


def test_nobody_changes_the_status_of_another_issuers_credential(
    desk: Desk, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    thief = new_signer()
    other = "https://other.sz.example"
    request = desk.request(thief, other)
    desk.ask("issuer", "new", "--jurisdiction", SZ, "--request", request)
    desk.order(thief, 1, [(uri, indices[0], 1)], iss=other)
    assert_refused(desk, "NOT_FOUND")
    desk.order(thief, 1, [(uri, indices[0], 1)], name="in-the-station-s-name")
    assert_refused(desk, "KEY_UNKNOWN", "in-the-station-s-name.jws")
    assert published_list(desk, uri).value(indices[0]) == 0


def test_an_index_that_was_never_given_out_is_refused(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    free = next(idx for idx in range(2000) if idx not in indices)
    desk.order(station_key, 1, [(uri, free, 1)])
    assert_refused(desk, "NOT_FOUND")
    desk.order(station_key, 1, [(f"{uri}x", indices[0], 1)])
    told = outcome(desk)
    assert told["code"] == "NOT_FOUND"


def test_an_unlisted_key_orders_nothing(desk: Desk, block: tuple[str, list[int]]) -> None:
    uri, indices = block
    desk.order(new_signer(), 1, [(uri, indices[0], 1)])
    assert_refused(desk, "KEY_UNKNOWN")


def test_an_altered_order_is_refused(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    path = desk.order(station_key, 1, [(uri, indices[0], 2)])
    other = desk.order(station_key, 1, [(uri, indices[0], 1)], name="other")
    header, payload, _ = path.read_text().split(".")
    path.write_text(".".join([header, payload, other.read_text().split(".")[2]]))
    other.unlink()
    assert_refused(desk, "SIGNATURE_INVALID")


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"changes": []}, "REQUEST_INVALID"),
        ({"changes": [{"uri": "x", "idx": 1, "value": 3}]}, "REQUEST_INVALID"),
        ({"changes": [{"uri": "x", "idx": -1, "value": 1}]}, "REQUEST_INVALID"),
        ({"seq": 0}, "REQUEST_INVALID"),
        ({"seq": "1"}, "REQUEST_INVALID"),
        ({"seq": 2**53 - 1}, "REQUEST_INVALID"),  # no later order could speak
        ({"surprise": True}, "REQUEST_INVALID"),
        ({"iat": 2**40}, "REQUEST_INVALID"),
    ],
)
def test_an_order_of_another_shape_is_refused(
    desk: Desk, station_key: SoftwareSigner, claims: dict[str, Any], code: str
) -> None:
    desk.order(station_key, 1, [("https://trust.sz.example/status/x", 1, 1)], **claims)
    assert_refused(desk, code)


def test_an_index_stands_once_in_an_order(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    desk.order(station_key, 1, [(uri, indices[0], 1), (uri, indices[0], 2)])
    assert_refused(desk, "REQUEST_INVALID")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "MALFORMED"),
        (b"\xff\xfe", "MALFORMED"),
        (b"a.b.c", "MALFORMED"),
        (b"." * 3_000_000, "TOO_LARGE"),
    ],
)
def test_other_bytes_are_refused_and_do_not_stop_the_rest(
    desk: Desk,
    station_key: SoftwareSigner,
    block: tuple[str, list[int]],
    data: bytes,
    code: str,
) -> None:
    uri, indices = block
    (desk.orders / "bad.jws").write_bytes(data)
    desk.order(station_key, 1, [(uri, indices[0], 1)])
    told = {one["file"]: one for one in published(desk)}
    assert told["bad.jws"]["code"] == code
    assert told["order-1.jws"]["state"] == "applied"


def test_a_refusal_finds_room_beside_a_file_of_the_longest_name(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    longest = f"{'a' * 251}.jws"
    (desk.orders / longest).write_text("bad")
    desk.order(station_key, 1, [(uri, indices[0], 1)])
    told = {one["file"]: one["state"] for one in published(desk)}
    assert told == {longest: "refused", "order-1.jws": "applied"}
    assert names(desk.orders / "refused") == {longest, f"{'a' * 200}.json"}


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").touch()


def a_file_that_may_not_be_read(path: Path) -> None:
    path.touch(0)


@pytest.mark.parametrize("hostile", [a_pipe, a_folder, a_file_that_may_not_be_read])
@pytest.mark.parametrize("name", [b"a.jws", b"a-\xff\n.jws"])
def test_what_cannot_be_read_is_set_aside_and_keeps_nobody_waiting(
    desk: Desk,
    station_key: SoftwareSigner,
    block: tuple[str, list[int]],
    hostile: Callable[[Path], None],
    name: bytes,
) -> None:
    uri, indices = block
    path = desk.orders / os.fsdecode(name)
    hostile(path)
    desk.order(station_key, 1, [(uri, indices[0], 1)])
    bad, good = published(desk)
    root_reads_all = hostile is a_file_that_may_not_be_read and os.geteuid() == 0
    assert bad["code"] == ("MALFORMED" if root_reads_all else "INPUT_UNREADABLE")
    assert (bad["state"], bad["stays"], good["state"]) == ("refused", False, "applied")
    assert published_list(desk, uri).value(indices[0]) == 1
    assert names(desk.orders) == {"done", "refused"}
    assert names(desk.orders / "refused") == {path.name, f"{bad['file']}.json"}


def test_a_file_that_alone_cannot_be_moved_stays_and_keeps_nobody_waiting(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    for folder, name in (("refused", "bad"), ("done", "order-1")):
        a_folder_in_the_way = desk.orders / folder / f"{name}.jws" / "inside"
        a_folder_in_the_way.mkdir(parents=True)
    (desk.orders / "bad.jws").write_text("bad")
    desk.order(station_key, 1, [(uri, indices[0], 1)])
    for state in ("applied", "known"):
        told = {one["file"]: one for one in published(desk)}
        assert told["bad.jws"]["code"] == "MALFORMED"
        assert told["order-1.jws"]["state"] == state
        assert all(one["stays"] for one in told.values())
    assert published_list(desk, uri).value(indices[0]) == 1


def test_a_file_that_stays_does_not_make_the_publisher_publish_again_and_again(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    (desk.orders / "refused" / "bad.jws" / "in-the-way").mkdir(parents=True)
    (desk.orders / "bad.jws").write_text("bad")
    published: list[Published] = []
    publisher = Publisher(
        open_office(load_settings(), now()),
        now,
        reader=None,
        told=lambda one, _: published.append(one),
        taken=lambda _: None,
    )
    publisher.run()
    count = len(published)
    assert count > 0
    time.sleep(LOOK_SECONDS + 0.1)
    publisher.run()
    assert len(published) == count
    desk.order(station_key, 1, [(block[0], block[1][0], 1)])
    time.sleep(LOOK_SECONDS + 0.1)
    publisher.run()
    assert len(published) > count


def test_an_order_stays_due_whatever_the_fault_of_its_publication(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    publisher = Publisher(
        open_office(load_settings(), now()), now, reader=None, told=lambda _, __: None,
        taken=lambda _: None,
    )  # fmt: skip
    publisher.run()
    sent = desk.order(station_key, 1, [(uri, indices[0], 1)])
    take_order(open_office(load_settings(), now()), sent.read_text())  # by HTTP, not by its file
    sent.unlink()
    lock, aside = load_settings().publish_lock, desk.home / "lock"
    time.sleep(GATHER_SECONDS)
    lock.rename(aside)
    lock.mkdir()  # any fault of the system, such as too many open files
    publisher.ordered(SZ)
    with pytest.raises(IsADirectoryError):
        publisher.run()
    lock.rmdir()
    aside.rename(lock)
    time.sleep(FIRST_REST_SECONDS)
    publisher.run()
    assert published_list(desk, uri).value(indices[0]) == 1


def test_a_link_is_no_order(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("private")
    (desk.orders / "link.jws").symlink_to(secret)
    assert_refused(desk, "MALFORMED", "link.jws")
    assert secret.read_text() == "private"


def test_only_files_named_as_orders_are_taken(desk: Desk) -> None:
    (desk.orders / "note.txt").write_text("hello")
    assert published(desk) == []
    assert (desk.orders / "note.txt").exists()


def test_orders_of_another_jurisdiction_wait(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    path = desk.order(station_key, 1, [(uri, indices[0], 1)])
    assert published(desk, "--jurisdiction", "HK") == []
    assert path.exists()
    assert outcome(desk)["state"] == "applied"


@both_databases
def test_a_large_order_is_applied_whole(desk: Desk, station_key: SoftwareSigner) -> None:
    argv = ("issuer", "block", "--issuer", STATION, "--block", "5000")
    (block,) = desk.ask(*argv)["blocks"]
    desk.order(station_key, 1, [(block["uri"], idx, 1) for idx in block["indices"]])
    assert outcome(desk)["changes"] == 5000
    held = published_list(desk, block["uri"])
    assert all(held.value(idx) == 1 for idx in block["indices"])


def test_a_folder_that_cannot_be_written_stops_the_command(desk: Desk) -> None:
    (desk.orders / "bad.jws").write_text("bad")
    (desk.orders / "refused").write_text("in the way")
    assert desk.run("publish").code == Exit.UNAVAILABLE


def test_an_exchange_folder_that_cannot_be_read_is_said(desk: Desk) -> None:
    desk.orders.rmdir()
    desk.orders.write_text("in the way")
    ran = desk.run("publish")
    assert ran.code == Exit.UNAVAILABLE
    assert "exchange folder" in ran.err


@both_databases
def test_an_order_that_no_database_can_hold_is_refused_and_keeps_nobody_waiting(
    desk: Desk, station_key: SoftwareSigner, block: tuple[str, list[int]]
) -> None:
    uri, indices = block
    desk.order(station_key, 1, [(uri, indices[0], 1)], name="a-poisoned", jti="order\0")
    desk.order(station_key, 2, [(f"{uri}\0", indices[0], 1)], name="b-poisoned")
    desk.order(station_key, 3, [(uri, indices[1], 1)])
    told = {one["file"]: one["state"] for one in published(desk)}
    assert told["order-3.jws"] == "applied"
    assert published_list(desk, uri).value(indices[1]) == 1
    assert names(desk.orders / "refused") >= {"a-poisoned.jws", "b-poisoned.jws"}
