"""One database, many threads, a server that goes away: the same promises on both kinds."""

import gc
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from parts import need
from postgres import Cluster, both_databases
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError

from talentseal.errors import Exit, InputError, UnavailableError, UsageError
from talentseal.service.database import (
    MAX_OVERFLOW,
    POOL_SIZE,
    Schema,
    connect,
    forget_erased,
    read_only,
)

SCHEMA = Schema("test", Path(__file__).parent, "0001")
THREADS, TURNS = 8, 25
# Nobody listens there, and nobody may hear of what stands before the @.
SECRET = "s3cr3t-of-nobody"
CLOSED = f"postgresql://clerk:{SECRET}@127.0.0.1:1/records"


@pytest.fixture
def url(tmp_path: Path, its_cluster: Cluster | None) -> str:
    return its_cluster.new() if its_cluster else f"sqlite:///{tmp_path / 'some.db'}"


@pytest.fixture
def engine(url: str) -> Engine:
    """A database with one table of numbers and one counter."""
    made = connect(url)
    with made.begin() as db:
        db.execute(text("CREATE TABLE line (number INTEGER PRIMARY KEY)"))
        db.execute(text("CREATE TABLE counter (value INTEGER NOT NULL)"))
        db.execute(text("INSERT INTO counter VALUES (0)"))
    return made


def reading(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that only reads, with the driver's own errors."""
    return read_only(engine).begin()


def count(engine: Engine) -> int:
    with reading(engine) as db:
        return int(db.execute(text("SELECT count(*) FROM line")).scalar_one())


def add_line(engine: Engine) -> int:
    """The next number, read first and written afterwards: right only if writers take turns."""
    with engine.begin() as db:
        number = db.execute(text("SELECT coalesce(max(number), 0) + 1 FROM line")).scalar_one()
        value = db.execute(text("SELECT value FROM counter")).scalar_one()
        db.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
        db.execute(text("INSERT INTO line VALUES (:number)"), {"number": number})
    return int(number)


# --- writers and readers --------------------------------------------------------------------------


@both_databases
def test_eight_threads_number_their_lines_without_gap_or_repetition(engine: Engine) -> None:
    start = threading.Barrier(THREADS)

    def work(_: int) -> list[int]:
        start.wait(30)
        return [add_line(engine) for _ in range(TURNS)]

    with ThreadPoolExecutor(THREADS) as pool:
        numbers = [number for part in pool.map(work, range(THREADS)) for number in part]
    assert sorted(numbers) == list(range(1, THREADS * TURNS + 1))
    with reading(engine) as db:
        assert db.execute(text("SELECT value FROM counter")).scalar_one() == THREADS * TURNS


@both_databases
def test_more_threads_than_connections_wait_for_their_turn(engine: Engine) -> None:
    with ThreadPoolExecutor(40) as pool:
        numbers = list(pool.map(lambda _: add_line(engine), range(80)))
        assert set(pool.map(lambda _: count(engine), range(80))) == {80}
    assert len(set(numbers)) == 80


@both_databases
def test_who_only_reads_waits_for_no_writer_and_sees_one_moment(engine: Engine) -> None:
    add_line(engine)
    with engine.begin() as writer:
        writer.execute(text("INSERT INTO line VALUES (2)"))
        assert count(engine) == 1  # at once, and nothing that is not committed
    with reading(engine) as reader:
        before = reader.execute(text("SELECT count(*) FROM line")).scalar_one()
        add_line(engine)
        assert reader.execute(text("SELECT count(*) FROM line")).scalar_one() == before == 2
    assert count(engine) == 3


@both_databases
def test_who_only_reads_can_write_nothing_and_the_next_writer_can(engine: Engine) -> None:
    for _ in range(3):  # on whichever connection
        with pytest.raises(DBAPIError, match=r"readonly|read-only"), reading(engine) as db:
            db.execute(text("INSERT INTO line VALUES (7)"))
        add_line(engine)
    assert count(engine) == 3


@both_databases
def test_an_abandoned_transaction_leaves_nothing_and_lets_the_next_one_in(engine: Engine) -> None:
    connection = engine.connect()
    connection.execute(text("INSERT INTO line VALUES (9)"))
    connection.close()
    assert add_line(engine) == 1


@both_databases
def test_a_writer_that_waits_too_long_is_told_so(engine: Engine, url: str) -> None:
    impatient = connect(url, busy_milliseconds=200)
    with engine.begin(), pytest.raises(UnavailableError) as refusal, SCHEMA.guarded():
        add_line(impatient)
    assert refusal.value.code == "DEPENDENCY_UNAVAILABLE"
    assert "another writer" in refusal.value.message
    assert add_line(impatient) == 1


def write(engine: Engine, statement: str) -> None:
    with SCHEMA.transaction(engine) as db:
        db.execute(text(statement))


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'some.db'}")
    event.listen(engine, "connect", lambda db, _: db.execute("PRAGMA max_page_count=3"))
    large = "CREATE TABLE line AS SELECT zeroblob(100000) AS words"
    with pytest.raises(UnavailableError, match="no room left on its disk") as refused:
        write(engine, large)
    assert refused.value.hint.startswith("Make room")


def test_a_disk_that_refuses_to_write_is_told_as_such(tmp_path: Path) -> None:
    """The system lets this process write no byte beyond the first four thousand of a file."""
    url = f"sqlite:///{tmp_path / 'some.db'}"
    program = f"""if True:
        import resource
        from pathlib import Path
        from talentseal.errors import UnavailableError
        from talentseal.service.database import Schema, connect
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            Schema("test", Path("."), "0001").found(connect({url!r}))
        except UnavailableError as error:
            print(error.message)
    """
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout == "the test's database could not be read or written by its disk\n"


def test_a_database_that_may_only_be_read_is_told_as_such(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'some.db'}")
    with pytest.raises(UnavailableError, match="may be read but not written"):
        write(read_only(engine), "CREATE TABLE line (number INTEGER)")


@pytest.mark.parametrize(
    ("before", "statement", "told"),
    [
        ("SET LOCAL statement_timeout = 10", "SELECT pg_sleep(5)", "took too long"),
        ("SET LOCAL ROLE pg_monitor", "CREATE TABLE line (number INTEGER)", "does not grant"),
        ("SELECT 1", "DO 'BEGIN RAISE SQLSTATE ''0A000''; END'", "may be read but not written"),
    ],
)
def test_what_a_server_refuses_is_told_as_such(
    cluster: Cluster, before: str, statement: str, told: str
) -> None:
    engine = connect(cluster.new())

    def act() -> None:
        with SCHEMA.transaction(engine) as db:
            db.execute(text(before))
            db.execute(text(statement))

    with pytest.raises(UnavailableError, match=told):
        act()


def test_a_server_that_has_no_such_database_is_not_said_to_be_away(cluster: Cluster) -> None:
    url = cluster.new().rpartition("/")[0] + "/nowhere"
    with pytest.raises(UnavailableError, match="or does not let us in") as refused:
        SCHEMA.found(connect(url))
    assert "database" in refused.value.hint


# --- could it be written? -------------------------------------------------------------------------


@both_databases
def test_a_database_that_can_be_written_is_ready_beside_a_writer_at_work(engine: Engine) -> None:
    SCHEMA.check_ready(engine)
    with engine.begin() as writer:
        writer.execute(text("INSERT INTO line VALUES (1)"))
        began = time.monotonic()
        SCHEMA.check_ready(engine)
        assert time.monotonic() - began < 5  # it does not wait for the writer
    SCHEMA.check_ready(engine)
    add_line(engine)
    assert count(engine) == 2


def test_a_file_that_cannot_be_written_is_not_ready(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with connect(f"sqlite:///{path}").begin() as db:
        db.execute(text("CREATE TABLE line (number INTEGER)"))
    engine = connect(f"sqlite:///{path}")
    place = f"file:{path}?mode=ro"  # the rights of a file stop no superuser
    event.listen(
        engine, "do_connect", lambda *_: sqlite3.connect(place, uri=True, check_same_thread=False)
    )
    with pytest.raises(UnavailableError, match="may be read but not written"):
        SCHEMA.check_ready(engine)
    assert SCHEMA.found(engine) is None


def test_a_server_that_is_set_to_read_only_is_not_ready_and_is_not_overruled(
    cluster: Cluster,
) -> None:
    engine = connect(f"{cluster.new()}&options=-c%20default_transaction_read_only%3Don")
    for _ in range(2):
        with pytest.raises(UnavailableError, match="may be read but not written"):
            SCHEMA.check_ready(engine)
        with pytest.raises(UnavailableError, match="may be read but not written"):
            write(engine, "CREATE TABLE line (number INTEGER)")  # over the connection that read


def test_a_damaged_file_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "some.db").write_bytes(b"no database" * 1000)
    with pytest.raises(UnavailableError, match="is damaged, or is no database"):
        SCHEMA.found(connect(f"sqlite:///{tmp_path / 'some.db'}"))


def test_a_value_that_cannot_be_kept_is_the_callers_fault_not_the_databases(
    cluster: Cluster,
) -> None:
    engine = connect(cluster.new())
    with (
        pytest.raises(InputError, match="cannot hold") as refused,
        SCHEMA.guarded(),
        reading(engine) as db,
    ):
        db.execute(text("SELECT :asked"), {"asked": "a\0b"})
    assert refused.value.code == "REQUEST_INVALID"


def test_a_new_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'some.db'}")
    with engine.begin() as db:
        db.execute(text("CREATE TABLE line (number INTEGER PRIMARY KEY)"))
    with engine.begin() as db:
        db.execute(text("INSERT INTO line VALUES (1)"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"some.db": 0o600, "some.db-wal": 0o600, "some.db-shm": 0o600}


def test_files_that_others_could_read_are_closed_to_them_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "some.db"
    with connect(f"sqlite:///{path}").begin() as db:
        db.execute(text("CREATE TABLE line (number INTEGER PRIMARY KEY)"))
        assert not caplog.records
        for one in tmp_path.iterdir():
            one.chmod(0o644)
        connect(f"sqlite:///{path}")
        assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"the database file {path}{name} was open to others (mode 644)"
        for name in ("", "-shm", "-wal")
    ]


def test_of_somebody_else_s_file_it_is_said_and_nothing_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    need("the right to give a file away", present=os.geteuid() == 0, remedy="run as root")
    path = tmp_path / "some.db"
    path.touch()
    path.chmod(0o640)
    os.chown(path, 65534, -1)
    assert count_tables(connect(f"sqlite:///{path}")) == 0
    assert path.stat().st_mode & 0o777 == 0o640
    assert "chmod 600" in caplog.text


def count_tables(engine: Engine) -> int:
    with reading(engine) as db:
        return int(db.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one())


def test_a_crowd_that_finds_no_connection_is_told_so(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'some.db'}", pool_wait_seconds=0.05)
    held = [read_only(engine).connect() for _ in range(POOL_SIZE + MAX_OVERFLOW)]
    with pytest.raises(UnavailableError) as refusal, SCHEMA.guarded(), reading(engine):
        pass
    assert refusal.value.code == "OVERLOADED"
    for connection in held:
        connection.close()


# --- a server that is not there -------------------------------------------------------------------


def test_a_pooled_call_after_an_immediate_restart_succeeds(cluster: Cluster) -> None:
    engine = connect(cluster.new())
    with engine.begin() as db:
        db.execute(text("CREATE TABLE line (number INTEGER PRIMARY KEY)"))
    with engine.connect() as one, read_only(engine).connect() as two:  # two in the pool
        one.execute(text("INSERT INTO line VALUES (1)"))
        two.execute(text("SELECT 1"))
        one.commit()
    assert "in pool: 2" in engine.pool.status()
    cluster.crash()
    for _ in range(3):
        assert count(engine) == 1
    with engine.begin() as db:
        db.execute(text("INSERT INTO line VALUES (2)"))
    assert count(engine) == 2


def test_a_server_that_stops_in_the_midst_undoes_the_act_and_is_named(cluster: Cluster) -> None:
    engine = connect(cluster.new())
    with engine.begin() as db:
        db.execute(text("CREATE TABLE line (number INTEGER PRIMARY KEY)"))

    def write() -> None:
        with SCHEMA.guarded(), engine.begin() as db:
            db.execute(text("INSERT INTO line VALUES (1)"))
            cluster.crash()
            db.execute(text("INSERT INTO line VALUES (2)"))

    with pytest.raises(UnavailableError) as refusal:
        write()
    assert refusal.value.code == "DEPENDENCY_UNAVAILABLE"
    assert "cannot be reached" in refusal.value.message
    assert count(engine) == 0


def test_no_password_of_a_url_is_ever_told() -> None:
    engine = connect(CLOSED)
    assert SECRET not in repr(engine)
    with pytest.raises(UnavailableError) as refusal:
        SCHEMA.found(engine)
    assert refusal.value.code == "DEPENDENCY_UNAVAILABLE"
    assert SECRET not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql:/clerk:{SECRET}@127.0.0.1/records",
        f"postgresql://clerk:{SECRET}@127.0.0.1:port/records",
        f"postgresql://127.0.0.1:{SECRET}/records",  # in the place of the port
        SECRET,
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        connect(url)
    assert SECRET not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize("driver", ["mysql", "postgresql+psycopg2", "postgresql+asyncpg"])
def test_other_databases_and_drivers_are_not_promised(driver: str) -> None:
    with pytest.raises(UnavailableError) as refusal:
        connect(f"{driver}://clerk:{SECRET}@127.0.0.1/records")
    assert refusal.value.code == "NOT_OFFERED"
    assert SECRET not in "".join(traceback.format_exception(refusal.value))


WITHOUT_EXTRA = """
import sys
sys.modules["psycopg"] = None  # as where it is not installed
from issuer.cli import main
main(["list", "--json"])
"""


def test_a_missing_extra_is_named_in_one_sentence(tmp_path: Path) -> None:
    settings = {"TALENTSEAL_HOME": str(tmp_path), "TALENTSEAL_ISSUER_DB": CLOSED}
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == Exit.UNAVAILABLE
    assert json.loads(ran.stdout)["code"] == "NOT_OFFERED"
    assert "the extra `postgres`" in ran.stderr
    assert SECRET not in ran.stdout + ran.stderr


# --- what is asked of a server --------------------------------------------------------------------


def test_a_session_has_limits_and_the_url_may_set_others(cluster: Cluster) -> None:
    url = cluster.new()
    assert shown(connect(url), "lock_timeout") == "15s"
    assert shown(connect(url), "synchronous_commit") == "on"
    assert shown(connect(url), "application_name") == "talentseal"
    own = connect(f"{url}&options=-c%20statement_timeout%3D5s&application_name=issuer")
    assert shown(own, "statement_timeout") == "5s"
    assert shown(own, "lock_timeout") == "15s"
    assert shown(own, "application_name") == "issuer"


def test_the_forms_of_a_url_that_the_manual_shows_are_taken(cluster: Cluster) -> None:
    port = (cluster.folder / "port").read_text().strip()
    passfile = f"passfile={cluster.folder / 'password'}"
    for url in (
        f"postgresql://talentseal@127.0.0.1:{port}/postgres?{passfile}",
        f"postgresql+psycopg://talentseal@127.0.0.1:{port}/postgres?{passfile}",
        f"postgresql://talentseal@/postgres?host={cluster.folder}&port={port}&{passfile}",
    ):
        assert shown(connect(url), "server_encoding") == "UTF8"


def shown(engine: Engine, name: str) -> str:
    with reading(engine) as db:
        return str(db.execute(text(f"SHOW {name}")).scalar_one())


def test_a_dropped_engine_leaves_no_connection_behind(cluster: Cluster) -> None:
    url = cluster.new()
    for _ in range(3):
        shown(connect(url), "lock_timeout")
    gc.collect()
    deadline = time.monotonic() + 10
    while True:
        with cluster.admin() as db:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
            (left,) = db.execute(query, [url.partition("?")[0].rpartition("/")[2]]).fetchone()
        if not left:
            return
        assert time.monotonic() < deadline, f"{left} connections are left"
        time.sleep(0.02)


def test_what_was_erased_is_in_no_file_of_sqlite(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'some.db'}")
    with engine.begin() as db:
        db.execute(text("CREATE TABLE claim (value TEXT)"))
        db.execute(text("INSERT INTO claim VALUES (:value)"), {"value": SECRET * 100})
    with engine.begin() as db:
        db.execute(text("UPDATE claim SET value = NULL"))
    forget_erased(engine)
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with reading(engine) as db:
        assert db.execute(text("SELECT count(*) FROM claim")).scalar_one() == 1


@both_databases
def test_erasing_for_good_waits_for_nobody_and_harms_nothing(engine: Engine) -> None:
    with reading(engine) as db:
        assert db.execute(text("SELECT value FROM counter")).scalar_one() == 0
        with engine.begin() as other:
            other.execute(text("UPDATE counter SET value = 7"))
        forget_erased(engine)
        assert db.execute(text("SELECT value FROM counter")).scalar_one() == 0
    forget_erased(engine)
    with reading(engine) as db:
        assert db.execute(text("SELECT value FROM counter")).scalar_one() == 7
