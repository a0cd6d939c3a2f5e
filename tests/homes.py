"""Copies of the folders in which programs keep what is theirs: tests share what took long."""

import gc
import shutil
from pathlib import Path


def copy_home(home: Path, target: Path) -> None:
    """Copy all of it.

    A command that ran in this process may still hold its database, until the collector of cycles
    comes by; with the last connection SQLite removes files, maybe in the middle of a copy.
    """
    if any(home.rglob("*-wal")):
        gc.collect()
    shutil.copytree(home, target, symlinks=True)
