"""A registry goes on from a copy of its database: no block twice, no list backwards."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from backups import copy_database, restore_database
from postgres import both_databases
from registry_desk import STATION, SZ, Desk
from registry_service import Caller, calling, order, published_versions

from talentseal.encoding import inflate
from talentseal.errors import Exit
from talentseal.keys import SoftwareSigner
from talentseal.status import StatusList, parse_status_token


def block(desk: Desk, count: int = 16) -> tuple[str, list[int]]:
    """URI and indices of a block for the station."""
    answer = desk.ask("issuer", "block", "--issuer", STATION, "--block", str(count))
    (found,) = answer["blocks"]
    return found["uri"], found["indices"]


def value(desk: Desk, uri: str, idx: int) -> int | None:
    """What the world reads."""
    token = parse_status_token(desk.read(SZ)[f"status/{uri.rsplit('/', 1)[1]}.jwt"])
    data = inflate(token.compressed, max_bytes=2**20)
    return StatusList(uri, token.bits, data, token.issued_at, None, None).value(idx)


def timestamp(desk: Desk) -> int:
    versions: dict[str, int] = desk.ask("jurisdiction", "show", SZ)["versions"]
    return versions["timestamp"]


@both_databases
def test_no_block_is_handed_out_twice(
    desk: Desk, station_key: SoftwareSigner, tmp_path: Path
) -> None:
    uri, early = block(desk)
    copy = copy_database(desk.database, tmp_path / "copy.db")
    _, late = block(desk)
    before = timestamp(desk)
    restore_database(copy, desk.database)

    told = desk.ask("restored")
    assert uri in told["closed"][SZ]
    assert timestamp(desk) > before
    other, fresh = block(desk)
    assert not {(other, idx) for idx in fresh} & {(uri, idx) for idx in (*early, *late)}
    # What the closed list says is still changed by its owner, and still published.
    desk.order(station_key, 1, [(uri, early[0], 1)])
    desk.ask("publish")
    assert value(desk, uri, early[0]) == 1


def test_operators_who_are_active_in_the_copy_are_named(desk: Desk, tmp_path: Path) -> None:
    desk.ask("operator", "new", "Is ended after", "--role", "admin")
    copy = copy_database(desk.database, tmp_path / "copy.db")
    desk.ask("operator", "end", "Is ended after")
    restore_database(copy, desk.database)
    assert desk.ask("restored")["accounts"] == [{"name": "Is ended after", "roles": ["admin"]}]
    desk.ask("operator", "end", "Is ended after")
    ran = desk.run("restored")
    assert "No operator is active in the copy." in ran.out


def test_a_copy_that_just_goes_on_would_hand_out_a_block_again(desk: Desk, tmp_path: Path) -> None:
    """What the step is for; it also shows that the test above could fail."""
    copy = copy_database(desk.database, tmp_path / "copy.db")
    lost = block(desk)
    restore_database(copy, desk.database)
    assert block(desk) == lost


@both_databases
def test_a_copy_older_than_the_published_files_publishes_nothing(
    desk: Desk, station_key: SoftwareSigner, tmp_path: Path
) -> None:
    uri, indices = block(desk)
    copy = copy_database(desk.database, tmp_path / "copy.db")
    desk.order(station_key, 1, [(uri, indices[0], 1)])
    desk.ask("publish")
    newest = copy_database(desk.database, tmp_path / "newest.db")
    restore_database(copy, desk.database)
    assert desk.refused("restored") == (Exit.REFUSE, "ROLLBACK_REFUSED")
    assert value(desk, uri, indices[0]) == 1
    assert desk.refused("issuer", "block", "--issuer", STATION)[1] == "ROLLBACK_REFUSED"
    restore_database(newest, desk.database)
    desk.ask("restored")
    assert value(desk, uri, indices[0]) == 1
    assert block(desk)[0] != uri


def send(caller: Caller, orders: Sequence[str]) -> None:
    for text in orders:
        assert caller.sign("/v1/status/orders", text).status_code == 200


@pytest.mark.timeout(180)
@both_databases
def test_a_copy_made_while_orders_come_in_goes_on_and_they_come_again(
    desk: Desk, station_key: SoftwareSigner, tmp_path: Path
) -> None:
    with calling(desk) as caller:
        found = caller.block(station_key, 40)
        uri, indices = found["uri"], found["indices"]
        orders = [order(station_key, at + 1, [(uri, idx, 1)]) for at, idx in enumerate(indices)]
        worker = threading.Thread(target=send, args=(caller, orders[:20]))
        worker.start()
        copy_database(desk.database, tmp_path / "early.db")
        worker.join(120)
        caller.wait_for(uri, indices[19], 1)
    newest = copy_database(desk.database, tmp_path / "newest.db")
    restore_database(newest, desk.database)
    desk.ask("restored")
    with calling(desk) as caller:
        before = published_versions(caller)["timestamp"]
        send(caller, orders)  # as `issuer resend` does: those that are known, and more
        caller.wait_for(uri, indices[39], 1)
        assert published_versions(caller)["timestamp"] > before
        held = caller.status(uri)
    assert [held.value(idx) for idx in indices] == [1] * 40
    restore_database(tmp_path / "early.db", desk.database)  # whole, and older
    assert desk.refused("restored")[1] == "ROLLBACK_REFUSED"
