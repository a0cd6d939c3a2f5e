"""The trail of acts: changes are refused, and a chain tells of those that were made somehow."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from postgres import Cluster, both_databases
from registry_desk import Desk
from sqlalchemy import text

from registry.app import create_app
from registry.database import SCHEMA, transaction
from registry.office import open_office
from registry.settings import load_settings
from talentseal.commandline import now
from talentseal.errors import Exit, UnavailableError
from talentseal.service.database import connect

SZ = "CN/4403"


def behind(desk: Desk, *acts: str) -> None:
    """What somebody does who has the database itself."""
    engine = connect(desk.database)
    with engine.begin() as db:
        for act in acts:
            db.execute(text(act))


def unlocked(*tables: str) -> Sequence[str]:
    return [f"DROP TRIGGER {table}_no_{act}" for table in tables for act in ("update", "delete")]


@both_databases
def test_the_trail_is_whole_and_refuses_changes(desk: Desk) -> None:
    before = desk.ask("audit")
    desk.ask("jurisdiction", "new", "MO", "--entity-id", "https://root.mo.example", "--name",
             "en=Example", "--namespace", "mo.example")  # fmt: skip
    after = desk.ask("audit")
    assert after["rows"] > before["rows"] > 0
    assert after["digest"] != before["digest"]
    engine = connect(desk.database)
    for act in ("UPDATE audit SET act = 'x'", "DELETE FROM audit_link"):
        with pytest.raises(UnavailableError), transaction(engine) as session:
            session.execute(text(act))
    assert desk.ask("audit") == after


@pytest.mark.parametrize(
    "act",
    [
        "UPDATE audit SET actor = 'nobody' WHERE number = 1",
        "UPDATE audit SET at = at + 1 WHERE number = 2",
        "DELETE FROM audit_link WHERE number = (SELECT max(number) FROM audit)",
        "INSERT INTO audit VALUES (900, 1, 'nobody', 'grant', 'x')",
    ],
)
def test_a_trail_that_was_changed_is_named_and_not_served(desk: Desk, act: str) -> None:
    behind(desk, *unlocked("audit", "audit_link"), act)
    assert desk.refused("audit")[0] == Exit.UNAVAILABLE
    with pytest.raises(UnavailableError, match="audit trail was changed"):
        create_app(open_office(load_settings(), now()))


def test_a_row_that_was_taken_out_breaks_the_chain(desk: Desk) -> None:
    link, row = "DELETE FROM audit_link WHERE number = 2", "DELETE FROM audit WHERE number = 2"
    behind(desk, *unlocked("audit", "audit_link"), link, row)
    assert desk.refused("audit")[0] == Exit.UNAVAILABLE


@both_databases
def test_older_acts_are_chained_when_the_database_is_migrated(
    tmp_path: Path, its_cluster: Cluster | None
) -> None:
    from alembic import command

    from registry.audit.trail import check, note

    engine = connect(its_cluster.new() if its_cluster else f"sqlite:///{tmp_path / 'old.db'}")
    with SCHEMA.explained("cannot be made"):
        command.upgrade(SCHEMA.config(engine), "0002")
    with engine.begin() as db:
        for number in (1, 2, 5):  # numbers of what was taken back are missing
            db.execute(
                text("INSERT INTO audit VALUES (:n, 7, 'command line', 'grant', 'x')"),
                {"n": number},
            )
    SCHEMA.migrate(engine)
    with transaction(engine) as session:
        assert check(session) == 3
        note(session, at=8, actor="command line", act="grant", subject="y")
        assert check(session) == 4
