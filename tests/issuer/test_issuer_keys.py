import json
import shutil
from pathlib import Path

import pytest
from issuer_desk import BUREAU, TITLE, Bureau, forms
from registry_desk import SZ

from talentseal import sdjwt
from talentseal.errors import Exit
from talentseal.keys import new_signer


def test_an_issuer_without_a_grant_is_told_that_nobody_knows_it(newcomer: Bureau) -> None:
    newcomer.enrolled()
    code, problem = newcomer.refused_seal("--paper")
    assert (code, problem["code"]) == (Exit.REFUSE, "ISSUER_UNKNOWN")
    newcomer.registry.ask("grant", "new", "--issuer", BUREAU, "--type", TITLE, "--territory", SZ)
    newcomer.registry.ask("publish")
    newcomer.sync()
    assert newcomer.seal("--paper")["id"]


def test_nothing_can_be_sealed_before_enrolment(newcomer: Bureau) -> None:
    assert newcomer.refused_seal("--paper")[0] == Exit.USAGE
    newcomer.list_key()
    assert newcomer.refused_seal("--paper")[0] == Exit.USAGE
    assert [row["enrolled"] for row in newcomer.ask("keys", "list")["keys"]] == [False]


@pytest.mark.parametrize(
    "options",
    [
        ("--entity-id", "https://other.sz.example", "--name", "en=Other"),
        ("--entity-id", BUREAU, "--name", "Other"),
        ("--entity-id", BUREAU, "--name", "zh-Hans=示例"),
        ("--entity-id", "http://titles.sz.example", "--name", "en=Other"),
    ],
)
def test_a_key_is_made_only_for_this_very_body(bureau: Bureau, options: tuple[str, ...]) -> None:
    held = sorted(path.name for path in (bureau.home / "issuer" / "keys").iterdir())
    assert bureau.refused("keys", "new", "--dev", *options)[0] == Exit.USAGE
    assert sorted(path.name for path in (bureau.home / "issuer" / "keys").iterdir()) == held


def test_a_second_key_waits_until_a_grant_names_it(bureau: Bureau) -> None:
    first = bureau.ask("keys", "list")["keys"][0]["kid"]
    bureau.change("UPDATE key SET created_at = created_at - 10")
    bureau.list_key()
    bureau.registry.ask("publish")
    bureau.enrol()
    assert [row["enrolled"] for row in bureau.ask("keys", "list")["keys"]] == [True, True]
    text = forms(bureau.seal("--holder-jwk", bureau.keys(new_signer())))["dc+sd-jwt"]
    assert sdjwt.parse(text).jws.header["kid"] == first


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("entity_id", "https://other.sz.example", "REQUEST_INVALID"),
        ("root_s256", "00" * 32, "WRONG_NETWORK"),
        ("jurisdiction", "HK", "WRONG_NETWORK"),
        ("x5c", {}, "REQUEST_INVALID"),
        ("blocks", "all", "REQUEST_INVALID"),
    ],
)
def test_an_answer_that_is_not_for_this_issuer_changes_nothing(
    bureau: Bureau, member: str, value: object, code: str
) -> None:
    path = bureau.home / "answer.json"
    answer = json.loads(path.read_bytes())
    path.write_text(json.dumps({**answer, member: value}))
    before = bureau.rows("SELECT * FROM profile ORDER BY name")
    assert bureau.refused("enrol", str(path), "--trust", bureau.public) == (Exit.REFUSE, code)
    assert bureau.rows("SELECT * FROM profile ORDER BY name") == before


@pytest.mark.parametrize("indices", [[70_000, 70_001, 70_000], [-1], [2**20], "of another block"])
def test_a_block_with_an_index_that_none_may_have_is_not_taken_in(
    bureau: Bureau, indices: object
) -> None:
    path = bureau.home / "answer.json"
    answer = json.loads(path.read_bytes())
    (block,) = answer["blocks"]
    if not isinstance(indices, list):
        indices = [70_000, block["indices"][5]]
    odd = {**block, "block": "odd", "indices": indices}
    path.write_text(json.dumps({**answer, "blocks": [odd]}))
    before = bureau.rows("SELECT block FROM status_block")
    assert bureau.refused("enrol", str(path), "--trust", bureau.public)[0] == Exit.REFUSE
    assert bureau.rows("SELECT block FROM status_block") == before


def test_trust_data_comes_from_the_source_of_the_settings(
    bureau: Bureau, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bureau.refused("sync")[0] == Exit.USAGE
    archive = str(tmp_path / "bundle.zip")
    bureau.registry.ask("bundle", "export", archive)
    monkeypatch.setenv("TALENTSEAL_TRUST_SOURCE", archive)
    assert bureau.ask("sync")["jurisdictions"][0]["jurisdiction"] == SZ


def test_a_database_of_another_version_is_refused(bureau: Bureau) -> None:
    bureau.change("UPDATE alembic_version SET version_num = '9999'")
    assert bureau.run("list").code == Exit.UNAVAILABLE
    assert bureau.run("migrate").code == Exit.UNAVAILABLE
    bureau.change("UPDATE alembic_version SET version_num = '0000'")
    assert "issuer migrate" in bureau.run("list").err


def test_a_damaged_database_is_named_and_left_alone(bureau: Bureau) -> None:
    for path in bureau.database.parent.glob("issuer.db-*"):
        path.unlink()
    bureau.database.write_bytes(b"not a database, " * 1024)
    ran = bureau.run("list")
    assert ran.code == Exit.UNAVAILABLE
    assert "database" in ran.err
    assert bureau.database.read_bytes() == b"not a database, " * 1024


def test_the_help_of_every_command_begins_with_an_example(bureau: Bureau) -> None:
    shutil.rmtree(bureau.home / "issuer")
    for command in ("keys new", "keys list", "keys rotate", "enrol", "sync", "issue", "list",
                    "revoke", "suspend", "reinstate", "migrate"):  # fmt: skip
        ran = bureau.run(*command.split(), "--help")
        assert f"Example: issuer {command}" in " ".join(ran.out.split())
    assert not (bureau.home / "issuer").exists()
