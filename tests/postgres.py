"""A PostgreSQL cluster of the tests' own, and the mark of a test that runs over both databases.

The cluster is the one of `scripts/postgres.sh`: in a folder of its own, on loopback. A test gets a
fresh database in it, empty or a copy of one that a fixture has prepared.
"""

import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from homes import copy_home
from parts import need

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "postgres.sh"
SQLITE, POSTGRESQL = "sqlite", "postgresql"
both_databases = pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL], indirect=True)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster.

    url   leads to its maintenance database, without a password
    made  URLs of the databases that were made through this very object
    """

    folder: Path
    url: str
    made: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new(self, template: str = "template1") -> str:
        """URL of a new database, empty or a copy of the one with the URL `template`."""
        name, source = f"t{next(self._numbers)}", _name(template)
        with self.admin() as db:
            db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                       [source])  # fmt: skip
            db.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY file_copy')
        self.made.append(self.url.replace("/postgres?", f"/{name}?"))
        return self.made[-1]

    def clear(self) -> None:
        """Drop what was made, whoever still uses it."""
        with self.admin() as db:
            for url in self.made:
                db.execute(f'DROP DATABASE "{_name(url)}" WITH (FORCE)')

    @contextmanager
    def admin(self) -> Iterator[Any]:
        with direct(self.url) as db:
            yield db

    def crash(self) -> None:
        """End the server as a crash does; it is back when this returns."""
        _script("restart", self.folder)

    def remove(self) -> None:
        _script("remove", self.folder)


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def program(name: str) -> str:
    """A program of PostgreSQL, such as pg_dump, from the same place as the cluster's."""
    return str(next(path / name for path in _places() if (path / name).is_file()))


def _places() -> list[Path]:
    named = os.environ.get("TALENTSEAL_PG_BIN")
    return [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))[::-1]


@contextmanager
def direct(url: str) -> Iterator[Any]:
    """A connection that goes past the program; every statement is a transaction of its own."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def _script(act: str, folder: Path) -> str:
    done = subprocess.run(
        [str(SCRIPT), act, str(folder)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A new cluster, gone at the end. Where there is no PostgreSQL the test says so."""
    need(
        "PostgreSQL",
        present=any((place / "initdb").is_file() for place in _places()),
        remedy="install the package postgresql, or name its folder in TALENTSEAL_PG_BIN",
    )
    home = Path(mkdtemp(prefix="talentseal-pg-"))
    home.chmod(0o755)  # the server may run as another user
    cluster = Cluster(home / "cluster", _script("start", home / "cluster"))
    try:
        yield cluster
    finally:
        cluster.remove()
        home.rmdir()


# --- homes over PostgreSQL ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepared:
    """A home whose databases are in a cluster, for tests to copy.

    databases  setting -> URL of the database to copy
    """

    home: Path
    databases: Mapping[str, str]

    def copy(self, home: Path, cluster: Cluster) -> Mapping[str, str]:
        """Copy all of it to `home`; returns the settings of the copy."""
        copy_home(self.home, home)
        return {name: cluster.new(url) for name, url in self.databases.items()}
