"""A service's own database: how it is opened, migrated and told apart from another version.

SQLite in WAL mode with `synchronous=FULL`: what was acknowledged survives a power cut. Every
transaction takes the write lock at its beginning, so that two processes wait for each other
instead of failing half-way, and never take the same status index. Errors of the driver leave as
UnavailableError. Tables, and what is done in a transaction, are the service's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from talentseal.errors import UnavailableError, UsageError

BUSY_MILLISECONDS = 15_000


@dataclass(frozen=True, slots=True)
class Schema:
    """What one service's database must look like.

    owner     the service, as its errors call it
    scripts   folder of its Alembic migrations
    revision  the newest of them
    """

    owner: str
    scripts: Path
    revision: str

    def found(self, engine: Engine) -> str | None:
        """The revision of a database, None for one that holds nothing.

        Raises UnavailableError for one that a newer program has made, or that cannot be opened.
        """
        with self.explained("cannot be opened"), engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            query = text("SELECT version_num FROM alembic_version")
            found: str | None = connection.execute(query).scalar()
        if found is not None and found > self.revision:
            raise UnavailableError(
                "the database was made by a newer version of this program",
                hint="Install that version; nothing was changed.",
            )
        return found

    def migrate(self, engine: Engine) -> None:
        """Bring a database to this schema. Raises UnavailableError."""
        from alembic import command
        from alembic.config import Config

        self.found(engine)
        config = Config()
        config.set_main_option("script_location", str(self.scripts).replace("%", "%%"))
        config.attributes["engine"] = engine
        with self.explained("cannot be brought to this version"):
            command.upgrade(config, self.revision)

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Errors of the driver as a sentence about this database, with what to do."""
        try:
            yield
        except SQLAlchemyError as error:
            raise UnavailableError(
                f"the {self.owner}'s database {what}",
                hint="Check its path and rights; restore the last backup if it is damaged.",
            ) from error

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """The same around a transaction, of which nothing has been done."""
        try:
            yield
        except SQLAlchemyError as error:
            raise UnavailableError(
                f"the {self.owner}'s database refused: {type(error).__name__}",
                hint="Check that the disk has room and the file is whole; nothing was changed.",
            ) from error


def connect(url: str) -> Engine:
    """An engine for `url`; no connection is made yet. Raises UsageError, UnavailableError."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError("the database URL cannot be read") from error
    if parsed.get_backend_name() != "sqlite":
        raise UnavailableError(
            f"databases of the kind {parsed.get_backend_name()} are not part of this version",
            code="NOT_OFFERED",
            hint="Use sqlite:///<path>.",
        )
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say
    for pragma in (
        f"busy_timeout={BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
