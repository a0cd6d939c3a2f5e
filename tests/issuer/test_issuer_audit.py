"""The audit trail: never changed, and where somebody got past that, found out at the start."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from issuer_desk import BUREAU, Bureau
from postgres import both_databases
from sqlalchemy import text

from issuer.app import create_app
from issuer.audit.trail import check_chain
from issuer.database import reading, transaction
from issuer.issuance.service import check_direct
from issuer.office import Office
from talentseal.errors import Exit, RefusedError, UnavailableError


@both_databases
@pytest.mark.parametrize("act", ["UPDATE audit SET act = 'x'", "DELETE FROM audit"])
def test_the_trail_refuses_changes(bureau: Bureau, act: str) -> None:
    engine = Office.here().engine
    with pytest.raises(UnavailableError), transaction(engine) as db:
        db.execute(text(act))
    with reading(engine) as db:
        assert check_chain(db) == bureau.rows("SELECT count(*) FROM audit")[0][0]


@pytest.mark.parametrize(
    "act",
    [
        "UPDATE audit SET actor = 'nobody' WHERE number = 1",
        "UPDATE audit SET at = at + 1 WHERE number = 2",
        "UPDATE audit SET previous = 'x' WHERE number = 2",
        "UPDATE audit SET act = x'ff' WHERE number = 1",
        "DELETE FROM audit WHERE number = 1",
        "UPDATE audit SET number = number + 1 WHERE number = (SELECT max(number) FROM audit)",
    ],
)
def test_a_trail_that_was_changed_behind_the_service_is_not_served(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    monkeypatch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)
    bureau.seal("--paper")
    for name in ("update", "delete"):
        bureau.change(f"DROP TRIGGER audit_no_{name}")
    bureau.change(act)
    with pytest.raises(UnavailableError, match="audit trail was changed"):
        create_app(Office.here())
    code, told = bureau.problem("audit")
    assert code == Exit.UNAVAILABLE
    assert "audit trail was changed" in told["title"]


@both_databases
def test_the_trail_is_checked_and_its_end_told_by_a_command(bureau: Bureau) -> None:
    before = bureau.ask("audit")
    bureau.seal("--paper")
    after = bureau.ask("audit")
    assert after["rows"] > before["rows"] > 0
    newest = "SELECT digest FROM audit ORDER BY number DESC LIMIT 1"
    assert before["digest"] != after["digest"] == bureau.rows(newest)[0][0]


def test_a_trail_without_an_act_is_not_called_whole(bureau: Bureau) -> None:
    """Cut off to the last row, or of another folder than was meant."""
    bureau.change("DROP TRIGGER audit_no_delete")
    bureau.change("DELETE FROM audit")
    code, told = bureau.problem("audit")
    assert (code, told["title"]) == (Exit.USAGE, "no act is on record here")


def test_a_damaged_file_is_not_served(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)
    with closing(sqlite3.connect(bureau.database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(bureau.database.read_bytes())
    for page in range(4096, len(data) - 4096, 8192):
        data[page : page + 64] = b"\xff" * 64
    bureau.database.write_bytes(data)
    with pytest.raises(UnavailableError):
        create_app(Office.here())


def test_older_acts_are_chained_when_the_database_is_migrated(tmp_path: Path) -> None:
    from alembic import command

    from issuer.database import SCHEMA
    from talentseal.service.database import connect

    old = tmp_path / "old.db"
    engine = connect(f"sqlite:///{old}")
    with SCHEMA.explained("cannot be made"):
        command.upgrade(SCHEMA.config(engine), "0002")
    with engine.begin() as db:
        for number in range(1, 4):
            db.execute(text("INSERT INTO audit (number, act, at) VALUES (:n, 'sealed', :n)"),
                       {"n": number})  # fmt: skip
    SCHEMA.migrate(engine)
    with reading(engine) as db:
        assert check_chain(db) == 3
        assert db.execute(text("SELECT DISTINCT actor FROM audit")).scalars().all() == ["operator"]


def test_one_person_alone_seals_by_command_under_a_development_root_only(bureau: Bureau) -> None:
    bundle = bureau.bundle()
    check_direct(bundle, "professional-title/1")
    held = bundle.jurisdictions[bundle.home]
    bundle.jurisdictions = {bundle.home: held._replace(dev=False)}
    check_direct(bundle, "professional-qualification/1")
    with pytest.raises(RefusedError) as caught:
        check_direct(bundle, "professional-title/1")
    assert caught.value.code == "SEPARATION_OF_DUTIES"
