"""A service's own database: how it is opened, migrated and told apart from another version.

SQLite (WAL, `synchronous=FULL`) or PostgreSQL by URL, and the same promise on both: what was
acknowledged survives a power cut, and a transaction that writes is alone. It waits for the one
before it at its beginning, so that everything it reads is still so when it commits: sequence
numbers, counters and versions need no further lock (docs/decisions/0011). A transaction that only
reads (`read_only`) waits for nobody and sees one moment of the database. Errors of the driver leave
as UnavailableError, without the URL they came from; a value that cannot be kept as InputError.
Tables, and what is done in a transaction, are the service's own.
"""

import logging
import os
import sqlite3
import stat
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from talentseal.errors import InputError, UnavailableError, UsageError
from talentseal.files import PRIVATE_FILE

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_MILLISECONDS = 15_000  # a writer waits that long for the one before it
_MOMENT_MILLISECONDS = 100  # that what is no act waits for others
POOL_SIZE = 8
MAX_OVERFLOW = 12  # 20 connections of a process at most; threads beyond that wait
POOL_WAIT_SECONDS = 15
RECYCLE_SECONDS = 1800

_LOG = logging.getLogger(__name__)
_DRIVERS = ("postgresql", "postgresql+psycopg")
_READ_ONLY = "talentseal_read_only"
_BEGIN_WRITING = "BEGIN IMMEDIATE"
_WRITERS = 0x7461_6C65_6E74  # "talent": the advisory lock that a writing transaction holds
_NO_WRITING = (
    "may be read but not written",
    "Check the rights of file and folder; that a server is no standby. Nothing was changed.",
)
# How codes of PostgreSQL and SQLite begin -> what is said of them, and what to do.
_FAULTS: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("55P03", "SQLITE_BUSY"): (
        "is kept busy by another writer", "Nothing was changed; try again.",
    ),
    ("53100", "SQLITE_FULL"): (
        "has no room left on its disk", "Make room there, then try again. Nothing was changed.",
    ),
    ("58030", "SQLITE_IOERR"): (
        "could not be read or written by its disk",
        "Check the disk, its room and quota, and the system's log. Nothing was changed.",
    ),
    ("25006", "0A000", "SQLITE_READONLY"): _NO_WRITING,  # 0A000: to write, asked of a standby
    ("57014", "25P03", "40001", "40P01"): (
        "took too long, or another writer was in the way", "Nothing was changed; try again.",
    ),
    ("42501",): (
        "does not grant its user what is needed",
        "Grant it (operate.md, Databases), or make it the owner. Nothing was changed.",
    ),
    ("XX001", "XX002", "SQLITE_CORRUPT", "SQLITE_NOTADB"): (
        "is damaged, or is no database", "Restore the last backup. Nothing was changed.",
    ),
}  # fmt: skip

# What PostgreSQL is asked for, unless the URL says otherwise. Seconds, or settings of a session.
_POSTGRES_PARAMETERS: Mapping[str, str | int] = {
    "application_name": "talentseal",
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
# Milliseconds. A migration may take as long as it needs; a writer that hangs lets the others in;
# what was acknowledged is on a disk.
_POSTGRES_OPTIONS = (
    "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 "
    "-c synchronous_commit=on -c timezone=UTC"
)


# --- the schema -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Schema:
    """What one service's database must look like.

    owner     the service, as its errors call it
    scripts   folder of its Alembic migrations
    revision  the newest of them
    own       a table that its first migration makes and no other service has; "": not looked for
    """

    owner: str
    scripts: Path
    revision: str
    own: str = ""

    def found(self, engine: Engine) -> str | None:
        """The revision of a database, None for one that holds nothing.

        Raises UnavailableError for one that a newer program or another service has made, or that
        cannot be opened.
        """
        with self.explained("cannot be opened"), read_only(engine).connect() as connection:
            tables = inspect(connection)
            if not tables.has_table("alembic_version"):
                return None
            is_own = not self.own or tables.has_table(self.own)
            query = text("SELECT version_num FROM alembic_version")
            found: str | None = connection.execute(query).scalar()
        if not is_own:
            raise UnavailableError(
                "the database belongs to another service",
                hint=f"Name the one of this service in TALENTSEAL_{self.owner.upper()}_DB.",
            )
        if found is not None and found > self.revision:
            raise UnavailableError(
                "the database was made by a newer version of this program",
                hint="Install that version; nothing was changed.",
            )
        return found

    def open(self, url: str) -> Engine:
        """An engine for `url`, whose database is made if there is none.

        Raises UsageError for a database that is older than this program, UnavailableError for one
        that is newer, damaged or of another kind.
        """
        engine = connect(url)
        found = self.found(engine)
        if found is None:
            self.migrate(engine)
        elif found < self.revision:
            raise UsageError(
                "the database is older than this program", hint=f"Run: {self.owner} migrate"
            )
        return engine

    def check_ready(self, engine: Engine) -> None:
        """What readiness asks: is it this service's database, and could an act be written now?

        A writer at work is no fault. Room on the disk is not looked for: that takes a writing.

        Raises UnavailableError.
        """
        self.found(engine)
        with self.explained("cannot be written"):
            if _could_write(engine):
                return
        what, hint = _NO_WRITING
        raise UnavailableError(f"the {self.owner}'s database {what}", hint=hint)

    @contextmanager
    def transaction(self, engine: Engine) -> Iterator[Connection]:
        """All or nothing, and alone: commits at the end, rolls back on any error.

        Raises UnavailableError, InputError.
        """
        with self.guarded(), engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self, engine: Engine) -> Iterator[Connection]:
        """One moment of the database; nothing can be written. Never within `transaction`.

        Raises UnavailableError.
        """
        with self.transaction(read_only(engine)) as connection:
            yield connection

    def migrate(
        self, engine: Engine, *, told: Callable[[str, str], None] = lambda _found, _wanted: None
    ) -> None:
        """Bring a database to this schema. Raises UnavailableError.

        told  called with the revision of an older database and with this one, before a work that
              may take a while
        """
        from alembic import command

        found = self.found(engine)
        if found is not None and found < self.revision:
            told(found, self.revision)
        with self.explained("cannot be brought to this version"):
            command.upgrade(self.config(engine), self.revision)

    def config(self, engine: Engine) -> "Config":
        """What Alembic needs to find the migrations and the database."""
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(self.scripts).replace("%", "%%"))
        config.attributes["engine"] = engine
        return config

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Errors of the driver as a sentence about this database, with what to do."""
        try:
            yield
        except SQLAlchemyError as error:
            raise self._explain(error, what) from error

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """The same around a transaction, of which nothing has been done.

        Raises InputError for a value that cannot be kept: that is no fault of the database.
        """
        try:
            yield
        except DataError as error:
            raise InputError(
                "a value that the database cannot hold",
                code="REQUEST_INVALID",
                hint="Texts hold no NUL. Nothing was changed.",
            ) from error
        except SQLAlchemyError as error:
            raise self._explain(error, f"refused: {type(error).__name__}") from error

    def _explain(self, error: SQLAlchemyError, what: str) -> UnavailableError:
        """Never the driver's own words: they may quote addresses and values."""
        if isinstance(error, PoolTimeoutError):
            return UnavailableError(
                f"the {self.owner}'s database has too many users at once",
                code="OVERLOADED",
                hint="Try again in a moment.",
            )
        fault = _fault(error)
        if fault is not None:
            what, hint = fault
        elif _is_gone(error):
            what = "cannot be reached, or does not let us in"
            hint = "Check that its server runs and has connections to spare, and that the setting "
            hint += "names the right user, password and database; then look whether the last act "
            hint += "is on record before you repeat it."
        else:
            hint = "Check where it lies and its rights. Nothing was changed."
        return UnavailableError(f"the {self.owner}'s database {what}", hint=hint)


def _fault(error: SQLAlchemyError) -> tuple[str, str] | None:
    """What the driver's code says is wrong, and what to do; None for a code that says little."""
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or ""
    return next((told for codes, told in _FAULTS.items() if code.startswith(codes)), None)


def _is_gone(error: SQLAlchemyError) -> bool:
    """A server that did not answer, or stopped in the midst of it."""
    if not isinstance(error, DBAPIError):
        return False
    refused = isinstance(error, OperationalError) and error.statement is None
    return error.connection_invalidated or (refused and not hasattr(error.orig, "sqlite_errorcode"))


# --- opening --------------------------------------------------------------------------------------


def connect(
    url: str,
    *,
    busy_milliseconds: int = BUSY_MILLISECONDS,
    pool_wait_seconds: float = POOL_WAIT_SECONDS,
) -> Engine:
    """An engine for `url`; no connection is made yet. Its transactions write, one at a time.

    busy_milliseconds  how long a writer waits for the one before it
    pool_wait_seconds  how long a thread waits for a connection

    Raises UsageError for a URL that cannot be meant, UnavailableError `NOT_OFFERED` for a kind of
    database that this version or this installation does not know.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # of a port that is no number
        raise UsageError(
            "the database URL cannot be read",
            hint="Signs such as @ : / in a name or a password are written %40 %3A %2F.",
        ) from None  # the error quotes the URL, and with it a password
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, busy_milliseconds, pool_timeout=pool_wait_seconds)
    if parsed.drivername in _DRIVERS:
        return _postgres(parsed, busy_milliseconds, pool_timeout=pool_wait_seconds)
    raise UnavailableError(
        f"databases of the kind {parsed.drivername[:40]} are not part of this version",
        code="NOT_OFFERED",
        hint="Use sqlite:///<path> or postgresql://<user>@<host>/<name>.",
    )


def _sqlite(url: URL, busy_milliseconds: int, *, pool_timeout: float) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise UsageError("a database in memory keeps nothing", hint="Use sqlite:///<path>.")
    # A connection wanders between threads with its transactions, and is in one at a time.
    threads = {"check_same_thread": False}
    engine = _engine(url, connect_args=threads, pool_timeout=pool_timeout)
    for name in ("", "-wal", "-shm"):
        _close_to_others(Path(f"{url.database}{name}"))
    event.listen(engine, "do_connect", _make_private)
    event.listen(engine, "connect", partial(_prepare_sqlite, busy_milliseconds))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(
    _dialect: object, _record: object, arguments: Sequence[str], _parameters: object
) -> None:
    """A new file is its owner's alone, wherever it lies; SQLite gives new companions the same."""
    with suppress(OSError):  # it is there, or SQLite will say what is wrong
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open(arguments[0], flags, PRIVATE_FILE))


def _close_to_others(path: Path) -> None:
    """Take the rights of others on a file that is there, and say so; or that it must be done.

    By its name: to open and close a file of SQLite's would end the locks that it holds there.
    """
    with suppress(OSError):  # it is not there, or SQLite will say what is wrong
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISREG(found.st_mode) and mode & 0o077:
            what = "was" if _is_made_private(path, found.st_uid) else "is, until: chmod 600,"
            _LOG.warning("the database file %s %s open to others (mode %03o)", path, what, mode)


def _is_made_private(path: Path, owner: int) -> bool:
    if owner != os.geteuid():
        return False  # the rights of somebody else's file are not ours to change
    with suppress(OSError):
        path.chmod(PRIVATE_FILE)
        return True
    return False


def _postgres(url: URL, busy_milliseconds: int, *, pool_timeout: float) -> Engine:
    chosen = {name: value for name, value in _POSTGRES_PARAMETERS.items() if name not in url.query}
    own = url.query.get("options", "")
    options = f"-c lock_timeout={busy_milliseconds} {_POSTGRES_OPTIONS} "
    options += own if isinstance(own, str) else " ".join(own)
    try:
        engine = _engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={**chosen, "options": options.strip()},
            pool_timeout=pool_timeout,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
        )
    except ImportError as error:
        raise UnavailableError(
            "PostgreSQL needs the extra `postgres`, which is not installed",
            code="NOT_OFFERED",
            hint='Run: pip install "talentseal[postgres]"',
        ) from error
    event.listen(engine, "begin", _begin_postgres)
    event.listen(engine, "checkin", _forget_mode)
    return engine


def _engine(url: URL, **options: Any) -> Engine:
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=MAX_OVERFLOW,
        pool_recycle=RECYCLE_SECONDS,
        hide_parameters=True,  # no value of a row in any error
        **options,
    )
    _end_with(engine)
    return engine


def _end_with(engine: Engine) -> None:
    """An engine that nobody holds any more takes its connections with it, in good order."""
    opened: set[Any] = set()
    event.listen(engine, "connect", lambda connection, _record: opened.add(connection))
    event.listen(engine, "close", lambda connection, _record: opened.discard(connection))
    weakref.finalize(engine, _close, opened, os.getpid())


def _close(opened: set[Any], owner: int) -> None:
    if os.getpid() == owner:  # a forked child leaves those of its parent alone
        for connection in opened:
            connection.close()


def forget_erased(engine: Engine) -> None:
    """Empty the write-ahead file of SQLite, where what was erased can still be read.

    While others keep on reading or writing it stays as it is, until the next time. PostgreSQL
    keeps such traces too, until it uses their place again; nothing here changes that.
    """
    if engine.dialect.name == "sqlite":
        with _hurried(engine) as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def _hurried(engine: Engine) -> Iterator[Any]:
    """A cursor of SQLite's own, in no transaction, that waits for others but a moment."""
    connection = engine.raw_connection()
    cursor = connection.cursor()
    ((usual,),) = cursor.execute("PRAGMA busy_timeout").fetchall()
    try:
        cursor.execute(f"PRAGMA busy_timeout={_MOMENT_MILLISECONDS}")
        yield cursor
    finally:
        cursor.execute(f"PRAGMA busy_timeout={usual}")
        connection.close()


def _could_write(engine: Engine) -> bool:
    """Whether a transaction that writes could begin. Raises errors of the driver."""
    if engine.dialect.name == "sqlite":
        return _could_write_sqlite(engine)
    asked = text("SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')")
    with read_only(engine).connect() as connection:  # behind no writer's lock
        is_standby, is_set = connection.execute(asked).one()
    return not is_standby and is_set == "off"


def _could_write_sqlite(engine: Engine) -> bool:
    with _hurried(engine) as cursor:
        try:
            cursor.execute("PRAGMA query_only=0")
            cursor.execute(_BEGIN_WRITING)  # alone it is content with a file that is only read
            cursor.execute("PRAGMA user_version=0")  # what it is; and nothing reaches the disk
            cursor.execute("ROLLBACK")
        except sqlite3.Error as error:
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                return True
            raise OperationalError(_BEGIN_WRITING, None, error) from error
    return True


# --- beginning ------------------------------------------------------------------------------------


def read_only(engine: Engine) -> Engine:
    """The same database, connections shared, for transactions that only read.

    They take no lock, see one moment of the database from their first query on, and an attempt to
    write fails. Never begin one within a transaction that writes: it does not see what that one
    did, and both hold a connection.
    """
    if engine.dialect.name == "postgresql":
        return engine.execution_options(
            **{_READ_ONLY: True}, isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    return engine.execution_options(**{_READ_ONLY: True})


def _is_read_only(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get(_READ_ONLY))


def _prepare_sqlite(busy_milliseconds: int, connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say
    for pragma in (
        f"busy_timeout={busy_milliseconds}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # what is erased is overwritten
        "cache_size=-16384",  # KiB: entries of indices come in no order, and 2 MiB are few pages
        "wal_autocheckpoint=4096",  # pages: one that is written again and again is copied once
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    only = _is_read_only(connection)
    connection.exec_driver_sql(f"PRAGMA query_only={int(only)}")
    connection.exec_driver_sql("BEGIN" if only else _BEGIN_WRITING)


def _forget_mode(connection: Any, _record: object) -> None:
    """After reading, the next transaction is again what the server's settings make of it.

    SQLAlchemy would leave READ WRITE behind, over a `default_transaction_read_only` of who keeps
    the database.
    """
    if connection is not None and not connection.closed:
        connection.read_only = None


def _begin_postgres(connection: Connection) -> None:
    """Wait for the writer before, as `BEGIN IMMEDIATE` does.

    The lock ends with the transaction, after its commit can be seen; under READ COMMITTED every
    later statement of this transaction looks at the database anew, so it sees all of that.
    """
    if not _is_read_only(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
