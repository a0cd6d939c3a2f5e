"""A registry goes on from a copy that lacks a block: what was sealed from it can be revoked."""

import json
import time
from pathlib import Path

import pytest
from backups import copy_database, restore_database
from issuer_desk import BUREAU, Bureau
from postgres import both_databases
from registry_desk import SZ
from serving import http_client, serving

from issuer.app import create_app as create_issuer
from issuer.office import Office
from registry.app import create_app
from registry.office import open_office
from registry.settings import load_settings
from talentseal.commandline import now
from talentseal.errors import Exit
from talentseal.status import StatusList

REVOKE = ("--reason", "rescinded")


def seal_from_a_forgotten_block(bureau: Bureau, copy: Path) -> str:
    """Number of a certificate sealed from a block that the registry's copy does not know."""
    copy_database(bureau.registry.database, copy)
    answer = bureau.home / "another.json"
    bureau.registry.ask("issuer", "block", "--issuer", BUREAU, "--out", str(answer))
    bureau.ask("enrol", str(answer), "--trust", bureau.public)
    bureau.change("UPDATE status_block SET used = size WHERE number = 1")
    number: str = bureau.seal("--paper")["id"]
    (newest,) = json.loads(answer.read_bytes())["blocks"]
    assert places(bureau) == [(newest["uri"], newest["indices"][0])]
    restore_database(copy, bureau.registry.database)
    bureau.registry.ask("restored")
    return number


def places(bureau: Bureau) -> list[tuple[str, int]]:
    return [
        (uri, idx)
        for uri, idx in bureau.rows(
            "SELECT uri, idx FROM form JOIN status_block ON form.block = number"
        )
    ]


def said(bureau: Bureau) -> int | None:
    """What the world reads of the only certificate."""
    bureau.registry.ask("publish")
    bureau.sync()
    ((uri, idx),) = places(bureau)
    held = bureau.bundle().find_status(SZ, uri)
    assert isinstance(held, StatusList)
    return held.value(idx)


def wait_until_told(url: str) -> None:
    """The running service says what is to be done."""
    deadline = time.monotonic() + 60
    told: dict[str, str] = {}
    while "issuer resend" not in told.get("detail", ""):
        assert time.monotonic() < deadline, told
        with http_client() as client:
            told = client.get(url).json()["parts"]["outbox"]


def wait_for_blocks(bureau: Bureau, count: int) -> None:
    deadline = time.monotonic() + 60
    while bureau.rows("SELECT count(*) FROM status_block") != [(count,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def far(patch: pytest.MonkeyPatch, url: str) -> None:
    patch.setenv("TALENTSEAL_DEV", "1")
    patch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)
    patch.setenv("TALENTSEAL_REGISTRY_URL", url)


@both_databases
def test_by_file_a_forgotten_block_is_taken_back_and_what_was_sealed_from_it_revoked(
    bureau: Bureau, tmp_path: Path
) -> None:
    number = seal_from_a_forgotten_block(bureau, tmp_path / "copy.db")
    bureau.ask("revoke", number, *REVOKE)
    refused = bureau.registry.run("publish", "--json")
    (order,) = json.loads(refused.out)["orders"]
    assert (refused.code, order["code"]) == (Exit.REFER, "NOT_FOUND")
    assert "NOT_FOUND" in bureau.run("list").err
    for days in ("0", "-3", "99999999999999999999"):
        assert bureau.refused("resend", "--days", days) == (Exit.USAGE, "REQUEST_INVALID")
    told = bureau.ask("resend")
    assert told == {
        "orders": 1,
        "blocks": {"taken_back": 0, "known": 0, "left": 2, "refused": []},
    }
    outcomes = bureau.registry.ask("publish")["orders"]
    assert sorted(one["state"] for one in outcomes) == ["applied", "known", "taken back"]
    assert outcomes[-1]["state"] == "applied"  # after the blocks
    assert said(bureau) == 1


@both_databases
def test_over_http_a_forgotten_block_is_taken_back_and_what_was_sealed_from_it_revoked(
    bureau: Bureau, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = seal_from_a_forgotten_block(bureau, tmp_path / "copy.db")
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(monkeypatch, registry)
        code, problem = bureau.problem("revoke", number, *REVOKE)
        assert (code, problem["code"]) == (Exit.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
        assert ("NOT_FOUND" in problem["title"], "issuer resend" in str(problem)) == (True, True)
        with serving(create_issuer(Office.here())) as url:
            wait_until_told(f"{url}/readyz")
            wait_for_blocks(bureau, 3)
        told = bureau.ask("resend")
        # The first block, and one that the service has asked for, are known.
        assert told["blocks"] == {"taken_back": 1, "known": 2, "left": 0, "refused": []}
        again = bureau.ask("resend")
        assert again["blocks"] == {"taken_back": 0, "known": 3, "left": 0, "refused": []}
    monkeypatch.delenv("TALENTSEAL_REGISTRY_URL")
    assert said(bureau) == 1


def test_a_block_that_was_put_aside_in_the_folder_is_told(bureau: Bureau) -> None:
    bureau.change("UPDATE status_block SET block = 'b-of-somebody-else'")
    bureau.ask("resend")
    assert bureau.registry.run("publish").code == Exit.REFER
    told = bureau.run("list").err
    assert "took 1 blocks not back: NOT_FOUND." in told


def test_a_block_that_the_registry_refuses_is_told_and_the_orders_go_out_all_the_same(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    bureau.change("UPDATE status_block SET block = 'b-of-somebody-else'")
    number = bureau.seal("--paper")["id"]
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(monkeypatch, registry)
        bureau.ask("revoke", number, *REVOKE)
        ran = bureau.run("resend", "--json")
    assert ran.code == Exit.REFER
    told = json.loads(ran.out)
    assert told["orders"] == 1
    ((uri, _),) = places(bureau)
    refused = {"block": "b-of-somebody-else", "uri": uri, "code": "NOT_FOUND"}
    assert told["blocks"] == {"taken_back": 0, "known": 0, "left": 0, "refused": [refused]}
    assert "refused block b-of-somebody-else" in ran.err


@both_databases
def test_a_block_that_no_registry_gave_is_shown_to_none(bureau: Bureau) -> None:
    """Such a one was made by a migration, for forms whose index no block knew."""
    bureau.change(
        "INSERT INTO status_block (block, uri, size, used, packed) "
        "SELECT 'before-1', uri, 70000, 70000, '' FROM status_block"
    )
    told = bureau.ask("resend")["blocks"]
    assert (told["left"], told["refused"]) == (1, [])
    outcomes = bureau.registry.ask("publish")["orders"]
    assert [one["state"] for one in outcomes] == ["known"]
