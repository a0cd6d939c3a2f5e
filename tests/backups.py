"""Copies of databases made while others write, and put in the place of what was lost.

A database is named by its URL, as the programs name it, and copied by its own means, as operators
are told to.
"""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from postgres import direct, program

_FILE = "sqlite:///"


def copy_database(url: str, target: Path) -> Path:
    """A copy in the file `target`, made in small pieces so that writers come in between."""
    if not url.startswith(_FILE):
        run_program("pg_dump", "--format=custom", f"--file={target}", url)
        return target
    source = url.removeprefix(_FILE)
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy, pages=8, sleep=0.001)
    return target


def restore_database(copy: Path, url: str) -> None:
    """The database is lost; the copy takes its place."""
    if not url.startswith(_FILE):
        _make_empty(url)
        run_program("pg_restore", "--exit-on-error", f"--dbname={url}", str(copy))
        return
    place = Path(url.removeprefix(_FILE))
    for end in ("", "-wal", "-shm"):
        place.with_name(place.name + end).unlink(missing_ok=True)
    shutil.copy(copy, place)
    with closing(sqlite3.connect(place)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _make_empty(url: str) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    with direct(url.replace(f"/{name}?", "/postgres?")) as db:
        db.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        db.execute(f'CREATE DATABASE "{name}"')


def run_program(name: str, *argv: str) -> None:
    """Run a program of PostgreSQL, which must succeed."""
    subprocess.run([program(name), *argv], check=True, timeout=60)
