"""Blocks shown to a restored registry go back to whom they were given to, and to nobody else."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from backups import copy_database, restore_database
from postgres import both_databases
from registry_desk import HK, STATION, SZ, Desk
from registry_service import (
    Caller,
    block_request,
    calling,
    held_block,
    order,
    signed,
)
from sqlalchemy import text as sql

from registry.database import transaction
from registry.office import Office, open_office
from registry.settings import load_settings
from registry.status_lists.held_blocks import answer_held
from registry.status_lists.orders import take_order
from registry.status_lists.requests import answer_request
from registry.status_lists.service import STEP
from schemas.registry import HELD_BLOCK_ENDING, STATUS_BLOCK_REQUEST_TYP
from talentseal.commandline import now
from talentseal.encoding import to_seconds
from talentseal.errors import Exit, RefusedError, TalentsealError
from talentseal.keys import SoftwareSigner, signer_from_secret
from talentseal.service.database import connect

OTHER = "https://skills.sz.example"
PATH = "/v1/status/blocks/held"
Block = Mapping[str, Any]


def office() -> Office:
    return open_office(load_settings(), now())


def ask_block(signer: SoftwareSigner, count: int, **claims: Any) -> Block:
    return answer_request(office(), block_request(signer, count, **claims))[0].model_dump()


def refusal(text: str) -> str:
    with pytest.raises(TalentsealError) as caught:
        answer_held(office(), text)
    return caught.value.code


def acts(desk: Desk) -> list[tuple[str, str, str]]:
    with calling(desk) as caller:
        query = {"act": "block taken back"}
        items = caller.get("/v1/audit", "reader", params=query).json()["items"]
    return [(one["act"], one["actor"], one["subject"]) for one in items]


@pytest.fixture
def other_key(desk: Desk) -> SoftwareSigner:
    """The key of another issuer of the same jurisdiction."""
    key = signer_from_secret(44_04)
    desk.ask("issuer", "new", "--jurisdiction", SZ, "--request", desk.request(key, OTHER))
    desk.ask("publish")
    return key


@pytest.fixture
def forgotten(desk: Desk, station_key: SoftwareSigner, tmp_path: Path) -> Callable[[int], Block]:
    """Makes a block for the station, of which the registry then knows nothing any more."""

    def make(count: int) -> Block:
        copy = copy_database(desk.database, tmp_path / "copy.db")
        block = ask_block(station_key, count)
        restore_database(copy, desk.database)
        desk.ask("restored")
        return block

    return make


@both_databases
def test_a_forgotten_block_is_on_record_again_whole_and_audited(
    desk: Desk, station_key: SoftwareSigner, forgotten: Callable[[int], Block]
) -> None:
    block = forgotten(2 * STEP + 1)
    first, last = block["indices"][0], block["indices"][-1]
    wanted = order(station_key, 1, [(block["uri"], first, 1), (block["uri"], last, 2)])
    with pytest.raises(RefusedError, match="not given to this issuer") as caught:
        take_order(office(), wanted)
    assert (caught.value.code, "issuer resend" in caught.value.hint) == ("NOT_FOUND", True)
    assert answer_held(office(), held_block(station_key, block)).state == "taken back"
    assert answer_held(office(), held_block(station_key, block)).state == "known"
    assert take_order(office(), wanted)[1].state == "applied"
    assert acts(desk) == [("block taken back", STATION, STATION)]
    answer = desk.ask("issuer", "new", "--jurisdiction", SZ, "--request", desk.request(station_key))
    kept = next(one for one in answer["blocks"] if one["block"] == block["block"])
    assert kept["indices"] == block["indices"]
    assert kept["made_at"] <= block["made_at"]  # an issuer that was restored refuses it


@both_databases
def test_only_the_whole_block_of_the_same_issuer_is_taken_back(
    desk: Desk,
    station_key: SoftwareSigner,
    other_key: SoftwareSigner,
    forgotten: Callable[[int], Block],
) -> None:
    block = forgotten(16)
    indices = block["indices"]
    half = {**block, "indices": indices[:8]}
    rear = {**block, "indices": indices[8:]}
    turned = {**block, "indices": indices[::-1]}
    for wrong in (half, rear, turned, {**block, "block": "b-" + "0" * 32}):
        assert refusal(held_block(station_key, wrong)) == "NOT_FOUND"
    longer = held_block(station_key, block, count=17)
    assert refusal(longer) == "NOT_FOUND"
    # Whoever has seen every certificate, or even the answer itself, gets nothing by it.
    assert refusal(held_block(other_key, block, iss=OTHER)) == "NOT_FOUND"
    seen = {**block, "indices": indices[:1]}
    assert refusal(held_block(other_key, seen, iss=OTHER)) == "NOT_FOUND"
    assert refusal(held_block(other_key, block)) == "KEY_UNKNOWN"
    assert acts(desk) == []
    assert answer_held(office(), held_block(station_key, block)).state == "taken back"
    assert refusal(held_block(other_key, block, iss=OTHER)) == "NOT_FOUND"


def test_a_block_of_another_list_or_jurisdiction_is_refused(
    desk: Desk, station_key: SoftwareSigner, forgotten: Callable[[int], Block]
) -> None:
    block = forgotten(16)
    for uri in ("https://trust.sz.example/status/nothing", another_list(desk, HK)):
        assert refusal(held_block(station_key, {**block, "uri": uri})) == "NOT_FOUND"


def another_list(desk: Desk, code: str) -> str:
    with calling(desk) as caller:
        uris: list[str] = caller.get("/status").json()["status_lists"]
    return next(uri for uri in uris if code.lower() in uri)


def test_a_list_that_still_hands_out_blocks_takes_none_back(
    desk: Desk, station_key: SoftwareSigner, tmp_path: Path
) -> None:
    copy = copy_database(desk.database, tmp_path / "copy.db")
    block = ask_block(station_key, 16)
    restore_database(copy, desk.database)
    assert refusal(held_block(station_key, block)) == "STATE_CONFLICT"
    desk.ask("restored")
    assert answer_held(office(), held_block(station_key, block)).state == "taken back"


@both_databases
def test_what_was_given_out_again_stays_with_whom_it_was_given_to(
    desk: Desk, station_key: SoftwareSigner, other_key: SoftwareSigner, tmp_path: Path
) -> None:
    """The registry went on from its copy without the step."""
    copy = copy_database(desk.database, tmp_path / "copy.db")
    lost = [ask_block(station_key, 16) for _ in range(2)]
    restore_database(copy, desk.database)
    again = ask_block(other_key, 8, iss=OTHER)
    assert set(again["indices"]) < set(lost[0]["indices"])
    desk.ask("restored")
    assert refusal(held_block(station_key, lost[0])) == "STATE_CONFLICT"
    assert answer_held(office(), held_block(station_key, lost[1])).state == "taken back"
    idx = lost[0]["indices"][0]
    with pytest.raises(RefusedError):
        take_order(office(), order(station_key, 1, [(again["uri"], idx, 1)]))
    taken = order(other_key, 1, [(again["uri"], idx, 1)], iss=OTHER)
    assert take_order(office(), taken)[1].state == "applied"


def test_a_key_that_was_compromised_shows_nothing(
    desk: Desk, station_key: SoftwareSigner, forgotten: Callable[[int], Block]
) -> None:
    block = forgotten(16)
    with transaction(connect(desk.database)) as session:
        session.execute(
            sql("UPDATE entity_key SET state = 'compromised' WHERE purpose = 'credential'")
        )
    assert refusal(held_block(station_key, block)) == "KEY_UNKNOWN"


def test_a_block_from_before_names_were_proofs_is_known_while_it_is_on_record(
    desk: Desk, station_key: SoftwareSigner
) -> None:
    with closing(sqlite3.connect(desk.home / "registry" / "registry.db")) as db, db:
        db.execute("UPDATE status_block SET id = 'b-0123456789abcdef'")
        db.execute("UPDATE status_entry SET block = 'b-0123456789abcdef'")
    answer = desk.ask("issuer", "new", "--jurisdiction", SZ, "--request", desk.request(station_key))
    (block,) = answer["blocks"]
    assert answer_held(office(), held_block(station_key, block)).state == "known"
    assert refusal(held_block(station_key, block, count=255)) == "NOT_FOUND"


def test_over_http_every_refusal_is_a_problem_document(
    desk: Desk, station_key: SoftwareSigner, forgotten: Callable[[int], Block]
) -> None:
    block = forgotten(16)
    with calling(desk) as caller:
        assert problem(caller, held_block(station_key, block, block="b-1")) == (404, "NOT_FOUND")
        for wrong in (
            {"count": 0}, {"count": 70_000}, {"first": -1}, {"first": 2**20}, {"first": "1"},
            {"jti": "short"}, {"block": "x" * 65}, {"uri": ""}, {"uri": "x" * 2049}, {"more": 1},
            {"iat": to_seconds(now()) + 7200},
        ):  # fmt: skip
            told = problem(caller, held_block(station_key, block, **wrong))
            assert told == (400, "REQUEST_INVALID"), wrong
        request = signed({}, STATUS_BLOCK_REQUEST_TYP, station_key)
        assert problem(caller, request) == (400, "TYPE_CONFUSION")
        stranger = held_block(signer_from_secret(9), block)
        assert problem(caller, stranger) == (403, "KEY_UNKNOWN")
        assert caller.client.post(PATH, json={}).status_code == 415
        text = held_block(station_key, block)
        answers = [caller.sign(PATH, text).json() for _ in range(2)]
    assert answers == [
        {"state": state, "block": block["block"]} for state in ("taken back", "known")
    ]


def problem(caller: Caller, text: str) -> tuple[int, str]:
    answer = caller.sign(PATH, text)
    return answer.status_code, answer.json()["code"]


def test_a_block_in_the_exchange_folder_comes_before_every_order(
    desk: Desk, station_key: SoftwareSigner, forgotten: Callable[[int], Block]
) -> None:
    block = forgotten(16)
    desk.order(station_key, 1, [(block["uri"], block["indices"][3], 1)], name="a")
    for name, text in (("z", held_block(station_key, block)), ("bad", "no jws")):
        (desk.orders / f"{name}{HELD_BLOCK_ENDING}").write_text(text)
    elsewhere = desk.run("publish", "--jurisdiction", HK, "--json")
    told = [(one["file"], one["state"]) for one in json.loads(elsewhere.out)["orders"]]
    assert told == [("bad.block.jws", "refused")]  # what is of Shenzhen stays
    outcomes = desk.ask("publish")["orders"]
    told = [(one["file"], one["state"]) for one in outcomes]
    assert told == [("z.block.jws", "taken back"), ("a.jws", "applied")]
    assert elsewhere.code == Exit.REFER
