"""Every migration of every role, one by one, on both databases, with rows already in the tables."""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from backups import copy_database, restore_database
from postgres import POSTGRESQL, Cluster, both_databases
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    inspect,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import JSON

from issuer import database as issuer
from issuer.issuance.repository import add_block, indices_of
from registry import database as registry
from registry.tables import metadata as registry_metadata
from talentseal.errors import UnavailableError
from talentseal.service.database import Schema, connect, read_only
from talentseal.service.migrations import append_only
from verifier import database as verifier

ROLES = {
    "issuer": (issuer.SCHEMA, issuer.metadata),
    "registry": (registry.SCHEMA, registry_metadata),
    "verifier": (verifier.SCHEMA, verifier.metadata),
}
LIST = "https://a.example/1"
ROOT = Path(__file__).resolve().parents[2]
ADD_BLOCK = (
    "INSERT INTO status_block (block, uri, packed, size, used) "
    "VALUES (:block, :uri, :packed, :size, :used)"
)
ADD_FORM = (
    "INSERT INTO form (certificate, form, list, idx, sha256) "
    "VALUES (:at, 'paper', :list, :idx, :at)"
)
Blocks = Mapping[str, tuple[str, Sequence[int], int]]
each_role = pytest.mark.parametrize("role", sorted(ROLES))


@pytest.fixture
def engine(tmp_path: Path, its_cluster: Cluster | None) -> Engine:
    return connect(its_cluster.new() if its_cluster else f"sqlite:///{tmp_path / 'some.db'}")


def revisions(schema: Schema) -> list[str]:
    """From the oldest to the newest."""
    scripts = ScriptDirectory(str(schema.scripts))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def differences(engine: Engine, metadata: MetaData) -> list[Any]:
    with read_only(engine).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def value_for(column: Column[Any]) -> Any:
    """Something for a column that must have a value; the same for all, so that keys agree."""
    kinds = ((Boolean, False), (Integer, 1), (LargeBinary, b"1"), (JSON, ["1"]))
    return next((value for kind, value in kinds if isinstance(column.type, kind)), "1")


def fill(engine: Engine) -> set[str]:
    """One row in every table that has none yet; returns the names of all."""
    with engine.begin() as db:
        found = MetaData()
        found.reflect(db)
        tables = [table for table in found.sorted_tables if table.name != "alembic_version"]
        for table in tables:
            if db.execute(table.select().limit(1)).first() is None:
                db.execute(insert(table).values({c.name: value_for(c) for c in required(table)}))
    return {table.name for table in tables}


def required(table: Table) -> Iterator[Column[Any]]:
    return (column for column in table.columns if column.primary_key or not column.nullable)


@each_role
@both_databases
def test_every_migration_meets_the_rows_of_the_one_before(engine: Engine, role: str) -> None:
    schema, metadata = ROLES[role]
    filled: set[str] = set()
    for revision in revisions(schema):
        command.upgrade(schema.config(engine), revision)
        assert schema.found(engine) == revision
        filled = fill(engine)
    assert differences(engine, metadata) == []
    assert filled == set(metadata.tables)


@both_databases
def test_forms_keep_their_lists_when_lists_get_numbers(engine: Engine) -> None:
    command.upgrade(issuer.SCHEMA.config(engine), "0004")
    places = [("https://b.example/2", 7), ("https://a.example/1", 7), ("https://b.example/2", 8)]
    form = "INSERT INTO form (certificate, form, uri, idx, sha256) VALUES (:c, 'paper', :u, :i, '')"
    block = (
        "INSERT INTO status_block (number, block, uri, indices, size, used) "
        "VALUES (1, 'new', 'https://c.example/3', '[1]', 1, 0)"
    )
    with engine.begin() as db:
        db.execute(text(block))
        db.execute(text(form), [{"c": str(c), "u": u, "i": i} for c, (u, i) in enumerate(places)])
    command.upgrade(issuer.SCHEMA.config(engine), "0005")
    found = "SELECT certificate, uri, idx FROM form JOIN status_list ON list = number ORDER BY 1"
    with read_only(engine).connect() as db:
        assert db.execute(text(found)).all() == [(str(c), *place) for c, place in enumerate(places)]
        known = db.execute(text("SELECT uri FROM status_list ORDER BY number")).scalars().all()
    assert known == ["https://a.example/1", "https://b.example/2", "https://c.example/3"]


@both_databases
def test_forms_learn_the_turns_of_their_indices(engine: Engine) -> None:
    """Two blocks of one list and one of another; index 5 is twice in one, and 9 in no block."""
    command.upgrade(issuer.SCHEMA.config(engine), "0006")
    lists = ["https://a.example/1", "https://b.example/2", "https://c.example/3"]
    blocks = {
        "first": (lists[0], [7, 5, 3], 2),
        "again": (lists[0], [5, 8], 2),
        "other": (lists[1], [5], 1),
    }
    forms = [(0, 5), (0, 8), (0, 7), (1, 5), (2, 9), (2, 4)]  # number of the list less one, index
    with engine.begin() as db:
        add_before_0007(db, lists, blocks)
        rows = [{"at": str(at), "list": one + 1, "idx": idx} for at, (one, idx) in enumerate(forms)]
        db.execute(text(ADD_FORM), rows)
    issuer.SCHEMA.migrate(engine)
    wanted = (
        "SELECT certificate, status_block.block, turn, uri, idx, sha256 FROM form "
        "JOIN status_block ON form.block = number ORDER BY certificate"
    )
    turns = [
        ("first", 1),
        ("again", 1),
        ("first", 0),
        ("other", 0),
        ("before-1", 1),
        ("before-1", 0),
    ]
    with engine.begin() as db:
        assert db.execute(text(wanted)).all() == [
            (str(at), *turn, lists[number], idx, str(at))
            for at, (turn, (number, idx)) in enumerate(zip(turns, forms, strict=True))
        ]
        made = "SELECT size, used, packed FROM status_block WHERE block = 'before-1'"
        assert db.execute(text(made)).one() == (2, 2, struct.pack(">2I", 4, 9))
        add_block(db, "next", lists[2], [1])  # numbers of blocks go on where they were
        assert indices_of(db, lists[2]) == {4, 9, 1}


@both_databases
def test_indices_keep_their_order_when_they_are_packed(engine: Engine) -> None:
    command.upgrade(issuer.SCHEMA.config(engine), "0005")
    block = (
        "INSERT INTO status_block (number, block, uri, indices, size, used) "
        "VALUES (:n, :b, 'https://c.example/3', :i, 4, 1)"
    )
    with engine.begin() as db:
        db.execute(text(block), {"n": 1, "b": "some", "i": "[7,1048575,0,300]"})
        db.execute(text(block), {"n": 2, "b": "one", "i": "[5]"})
        db.execute(text(block), {"n": 3, "b": "none", "i": "[]"})
        db.execute(text(block), {"n": 4, "b": "impossible", "i": "[5,-1]"})
        db.execute(text(block), {"n": 5, "b": "unreadable", "i": "[5, x]"})
    issuer.SCHEMA.migrate(engine)
    with read_only(engine).connect() as db:
        found = db.execute(text("SELECT packed, size, used FROM status_block ORDER BY number"))
        (packed, *rest), (one, *_), (none, *_), (_, *ended), (_, *torn) = found.all()
        assert indices_of(db, "https://c.example/3") == {7, 1048575, 0, 300, 5}
    assert (struct.unpack(">4I", packed), rest) == ((7, 1048575, 0, 300), [4, 1])
    assert (one, none) == (bytes((0, 0, 0, 5)), b"")
    assert ended == torn == [4, 4]  # used up


@both_databases
def test_nothing_more_is_used_of_blocks_that_are_not_what_they_should_be(engine: Engine) -> None:
    """One block holds an index of another, and from one more was sealed than it says."""
    command.upgrade(issuer.SCHEMA.config(engine), "0006")
    blocks = {
        "good": (LIST, [1, 2, 3, 4], 1),
        "shares": (LIST, [9, 3, 8], 1),
        "forgot": (LIST, [5, 6, 7], 1),
    }
    with engine.begin() as db:
        add_before_0007(db, [LIST], blocks)
        forms = [{"at": str(idx), "list": 1, "idx": idx} for idx in (1, 9, 5, 6)]
        db.execute(text(ADD_FORM), forms)
    issuer.SCHEMA.migrate(engine)
    with read_only(engine).connect() as db:
        found = db.execute(text("SELECT block, used FROM status_block ORDER BY number")).all()
        turns = db.execute(text("SELECT idx, block, turn FROM form ORDER BY idx")).all()
    assert found == [("good", 1), ("shares", 3), ("forgot", 3)]
    assert turns == [(1, 1, 0), (5, 3, 0), (6, 3, 1), (9, 2, 0)]


@both_databases
def test_a_form_with_an_index_that_no_list_has_is_refused_by_its_name(engine: Engine) -> None:
    command.upgrade(issuer.SCHEMA.config(engine), "0006")
    with engine.begin() as db:
        add_before_0007(db, [LIST], {"one": (LIST, [5], 1)})
        db.execute(text(ADD_FORM), [{"at": "a", "list": 1, "idx": -5}])
    with pytest.raises(UnavailableError, match="an index that no status list has"):
        issuer.SCHEMA.migrate(engine)


@both_databases
def test_of_a_block_that_was_cut_short_nothing_more_is_used(engine: Engine) -> None:
    command.upgrade(issuer.SCHEMA.config(engine), "0006")
    with engine.begin() as db:
        add_before_0007(db, [LIST], {"one": (LIST, [5, 6], 1)})
        cut = text("UPDATE status_block SET packed = :packed")
        db.execute(cut, {"packed": bytes((0, 0, 0, 5, 0))})
        db.execute(text(ADD_FORM), [{"at": "a", "list": 1, "idx": 5}])
    issuer.SCHEMA.migrate(engine)
    with read_only(engine).connect() as db:
        assert db.execute(text("SELECT used FROM status_block")).scalars().all() == [2]
        assert db.execute(text("SELECT idx, block, turn FROM form")).all() == [(5, 1, 0)]


@both_databases
def test_no_form_is_lost_because_its_list_is_unknown(engine: Engine) -> None:
    """Written by hand: no version ever left such a row. The database stays as it was."""
    command.upgrade(issuer.SCHEMA.config(engine), "0006")
    with engine.begin() as db:
        add_before_0007(db, [LIST], {"one": (LIST, [5], 1)})
        db.execute(text(ADD_FORM), [{"at": "a", "list": 1, "idx": 5}])
        db.execute(text(ADD_FORM), [{"at": "b", "list": 2, "idx": 5}])
    with pytest.raises(UnavailableError, match="1 sealed forms name a status list"):
        issuer.SCHEMA.migrate(engine)
    with read_only(engine).connect() as db:
        assert db.execute(text("SELECT list, idx FROM form ORDER BY 1")).all() == [(1, 5), (2, 5)]


def add_before_0007(db: Connection, lists: Sequence[str], blocks: Blocks) -> None:
    """Status lists and blocks as they stood then. Block -> list, indices, how many were used."""
    for number, uri in enumerate(lists, 1):
        found = {"number": number, "uri": uri}
        db.execute(text("INSERT INTO status_list VALUES (:number, :uri)"), found)
    for block, (uri, indices, used) in blocks.items():
        packed = struct.pack(f">{len(indices)}I", *indices)
        told = {"block": block, "uri": uri, "packed": packed, "size": len(indices), "used": used}
        db.execute(text(ADD_BLOCK), told)


@pytest.mark.parametrize("kind", [POSTGRESQL], indirect=True)
def test_what_the_owner_said_once_holds_for_the_tables_of_every_migration(engine: Engine) -> None:
    """The two commands of the operator's page, with the names of here."""
    page = (ROOT / "docs" / "operate.md").read_text("utf-8")
    said = re.findall(r"^psql issuer -c '(ALTER DEFAULT PRIVILEGES .*)'$", page, re.MULTILINE)
    assert len(said) == 2
    add = (
        "INSERT INTO certificate (id, type, kid, sealed_at, expires_at, state) "
        "VALUES (:id, 'some/1', 'K', 1, 9, 'valid')"
    )
    with engine.begin() as db:
        db.execute(text("CREATE ROLE desk"))
        for line in said:
            db.execute(text(line.replace("ROLE issuer", "ROLE CURRENT_USER")))
    try:
        for revision in ("0004", issuer.REVISION):
            command.upgrade(issuer.SCHEMA.config(engine), revision)
            with engine.begin() as db:
                db.execute(text("SET LOCAL ROLE desk"))
                db.execute(text(add), {"id": revision})
        with engine.begin() as db:
            assert db.execute(text("SELECT count(*) FROM certificate")).scalar() == 2
    finally:
        with engine.begin() as db:
            db.execute(text("DROP OWNED BY desk"))
            db.execute(text("DROP ROLE desk"))


@both_databases
def test_certificates_are_numbered_in_the_order_of_their_sealing(engine: Engine) -> None:
    command.upgrade(issuer.SCHEMA.config(engine), "0007")
    add = (
        "INSERT INTO certificate (id, type, kid, sealed_at, expires_at, state, version) "
        "VALUES (:id, 'some/1', 'K', :at, 9, 'revoked', 2)"
    )
    with engine.begin() as db:
        times = {"A": 3, "C": 2, "B": 2}
        db.execute(text(add), [{"id": name, "at": at} for name, at in times.items()])
    issuer.SCHEMA.migrate(engine)
    with engine.begin() as db:
        db.execute(insert(issuer.certificate).values(
            id="D", type="some/1", kid="K", sealed_at=1, expires_at=9, state="valid"))  # fmt: skip
        found = db.execute(text("SELECT * FROM certificate ORDER BY seq")).all()
    assert found == [
        (1, "B", "some/1", "K", 2, 9, "revoked", 2), (2, "C", "some/1", "K", 2, 9, "revoked", 2),
        (3, "A", "some/1", "K", 3, 9, "revoked", 2), (4, "D", "some/1", "K", 1, 9, "valid", 1),
    ]  # fmt: skip


@each_role
@both_databases
def test_an_empty_database_becomes_what_the_program_expects(engine: Engine, role: str) -> None:
    schema, metadata = ROLES[role]
    assert schema.found(engine) is None
    schema.migrate(engine)
    schema.migrate(engine)
    assert schema.found(engine) == schema.revision == revisions(schema)[-1]
    assert differences(engine, metadata) == []


@each_role
def test_every_number_is_wide_enough_for_the_year_2039(role: str) -> None:
    _, metadata = ROLES[role]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    narrow = [
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if column.type.compile(dialect) in ("INTEGER", "SMALLINT")
    ]
    assert narrow == []


@each_role
@both_databases
def test_partial_indexes_are_partial_on_both(engine: Engine, role: str, kind: str) -> None:
    schema, metadata = ROLES[role]
    schema.migrate(engine)
    wanted = {
        index.name
        for table in metadata.tables.values()
        for index in table.indexes
        if any(index.dialect_options[name].get("where") is not None for name in DIALECTS)
    }
    with read_only(engine).connect() as connection:
        inspector = inspect(connection)
        made = {
            index["name"]
            for table in metadata.tables
            for index in inspector.get_indexes(table)
            if f"{kind}_where" in index.get("dialect_options", {})
        }
    assert made == wanted


DIALECTS = ("sqlite", "postgresql")


@both_databases
def test_rows_of_an_append_only_table_are_never_changed(engine: Engine, kind: str) -> None:
    with engine.begin() as db:
        db.execute(text("CREATE TABLE said (word VARCHAR PRIMARY KEY)"))
        operations = Operations(MigrationContext.configure(db))
        append_only(operations, "said")
        db.execute(text("CREATE TABLE more (word VARCHAR PRIMARY KEY)"))
        append_only(operations, "more")
        db.execute(text("INSERT INTO said VALUES ('yes')"))
    acts = ["UPDATE said SET word = 'no'", "DELETE FROM said"]
    for act in [*acts, "TRUNCATE said"] if kind == POSTGRESQL else acts:
        with pytest.raises(IntegrityError, match="rows of said are never changed"):
            run(engine, act)
    with read_only(engine).connect() as connection:
        assert connection.execute(text("SELECT word FROM said")).scalars().all() == ["yes"]


def test_a_dump_that_is_restored_keeps_revision_rows_and_triggers(
    cluster: Cluster, tmp_path: Path
) -> None:
    schema, metadata = ROLES["registry"]
    source, copy = cluster.new(), cluster.new()
    schema.migrate(connect(source))
    fill(connect(source))
    restore_database(copy_database(source, tmp_path / "registry.dump"), copy)
    restored = connect(copy)
    assert schema.found(restored) == schema.revision
    assert differences(restored, metadata) == []
    with pytest.raises(IntegrityError, match="rows of statement are never changed"):
        run(restored, "DELETE FROM statement")


def run(engine: Engine, statement: str) -> None:
    with engine.begin() as db:
        db.execute(text(statement))
