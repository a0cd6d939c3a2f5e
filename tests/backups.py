"""Copies of databases made while others write, and put in the place of what was lost."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


def copy_database(source: Path, target: Path) -> Path:
    """As `sqlite3 SOURCE ".backup TARGET"`, in small pieces so that writers come in between."""
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy, pages=8, sleep=0.001)
    return target


def restore_database(copy: Path, place: Path) -> None:
    """The database at `place` is lost; the copy takes its place."""
    for end in ("", "-wal", "-shm"):
        place.with_name(place.name + end).unlink(missing_ok=True)
    shutil.copy(copy, place)
    with closing(sqlite3.connect(place)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
