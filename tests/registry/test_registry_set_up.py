import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres import both_databases
from registry_desk import SZ, Desk
from sqlalchemy import Engine, text

from registry.database import REVISION, SCHEMA, check_schema, transaction
from registry.tables import TABLES, metadata
from talentseal.errors import Exit, UnavailableError, UsageError
from talentseal.service.database import connect


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = connect(f"sqlite:///{tmp_path / 'new.db'}")
    SCHEMA.migrate(made)
    return made


@both_databases
def test_a_development_registry_is_private_and_made_once(empty: Desk) -> None:
    first = empty.ask("init", "--dev")
    kept = (empty.home / "registry" / "keys" / "keystore.json").read_bytes()
    assert empty.ask("init", "--dev") == first
    assert (empty.home / "registry" / "keys" / "keystore.json").read_bytes() == kept
    for folder in ("registry", "registry/keys"):
        assert (empty.home / folder).stat().st_mode & 0o777 == 0o700
    assert empty.orders.is_dir()


def test_a_production_registry_is_not_promised(empty: Desk) -> None:
    assert empty.refused("init") == (Exit.USAGE, "NOT_OFFERED")
    assert not empty.home.exists()


@pytest.mark.parametrize(
    "argv",
    [
        ("publish",),
        ("jurisdiction", "list"),
        ("issuer", "list"),
        ("grant", "list"),
        ("bundle", "export", "all.zip"),
    ],
)
def test_before_init_every_command_says_what_to_do(empty: Desk, argv: tuple[str, ...]) -> None:
    ran = empty.run(*argv)
    assert ran.code == Exit.USAGE
    assert "registry init --dev" in ran.err


def test_every_help_begins_with_an_example(empty: Desk) -> None:
    commands = [
        (), ("init",), ("migrate",), ("publish",), ("jurisdiction",), ("jurisdiction", "new"),
        ("jurisdiction", "list"), ("jurisdiction", "show"), ("issuer",), ("issuer", "new"),
        ("issuer", "list"), ("issuer", "block"), ("grant",), ("grant", "delegate"),
        ("grant", "new"), ("grant", "withdraw"), ("grant", "list"), ("recognition",),
        ("recognition", "new"), ("recognition", "withdraw"), ("recognition", "list"),
        ("bundle",), ("bundle", "export"),
    ]  # fmt: skip
    for command in commands:
        ran = empty.run(*command, "--help")
        assert ran.code == Exit.OK
        lines = [line.strip() for line in ran.out.splitlines() if line.strip()]
        assert lines[1].startswith("Example: registry "), command


def test_the_tables_are_what_the_migrations_make(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert len(TABLES) + 1 == len(metadata.tables)  # and the kept answers


def test_the_program_knows_its_newest_migration() -> None:
    folder = SCHEMA.scripts
    assert ScriptDirectory(str(folder)).get_current_head() == REVISION


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    SCHEMA.migrate(engine)
    check_schema(engine)


def test_a_database_of_a_newer_program_is_left_alone(engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnavailableError, match="newer"):
        check_schema(engine)
    with pytest.raises(UnavailableError, match="newer"):
        SCHEMA.migrate(engine)


def test_an_older_database_asks_to_be_migrated(engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(UsageError, match="older"):
        check_schema(engine)


def test_what_was_acknowledged_survives_a_power_cut(engine: Engine) -> None:
    with transaction(engine) as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA synchronous")) == 2  # FULL
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


@pytest.mark.parametrize("url", ["postgresql+psycopg2://localhost/x", "mysql://localhost/x"])
def test_other_databases_are_not_promised(url: str) -> None:
    with pytest.raises(UnavailableError) as refusal:
        connect(url)
    assert refusal.value.code == "NOT_OFFERED"


def test_a_text_that_is_no_url_is_refused() -> None:
    with pytest.raises(UsageError):
        connect("not a url")


def test_a_damaged_database_is_named(desk: Desk) -> None:
    path = desk.home / "registry" / "registry.db"
    for name in ("registry.db-wal", "registry.db-shm"):
        (path.parent / name).unlink(missing_ok=True)
    path.write_bytes(b"this is no database at all" * 100)
    ran = desk.run("publish")
    assert ran.code == Exit.UNAVAILABLE
    assert "database" in ran.err


@pytest.mark.parametrize(
    "act",
    [
        "UPDATE statement SET sha256 = 'x'",
        "DELETE FROM statement",
        "UPDATE publication SET sha256 = 'x'",
        "DELETE FROM publication",
    ],
)
def test_what_was_said_is_never_changed(desk: Desk, act: str) -> None:
    with closing(sqlite3.connect(desk.home / "registry" / "registry.db")) as database:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            database.execute(act)
        assert database.execute("SELECT count(*) FROM statement").fetchone()[0] > 0


def test_the_database_may_live_elsewhere(
    empty: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALENTSEAL_REGISTRY_DB", f"sqlite:///{tmp_path / 'other.db'}")
    empty.ask("init", "--dev")
    assert (tmp_path / "other.db").exists()
    assert empty.ask("jurisdiction", "list") == []


def test_without_its_passphrase_no_key_is_used(desk: Desk) -> None:
    (desk.home / "registry" / "dev-passphrase").write_text("wrong\n")
    assert desk.refused("publish")[0] == Exit.UNAVAILABLE
    assert desk.ask("jurisdiction", "list")[0]["jurisdiction"] == SZ  # reading needs none
