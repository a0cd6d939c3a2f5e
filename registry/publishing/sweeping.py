"""What nothing names any more leaves the public folder, once no reader under way can want it.

A reader takes `timestamp.json` first and what it leads to afterwards, perhaps through a mirror that
lags behind; so a file stays for days after the last publication that names it. The time of a file
says when it was last seen to be named, give or take a day. Roots stay for ever, as readers walk
from one to the next, and so does whatever no publisher has written. The database keeps everything.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from registry.office import DAY_SECONDS
from registry.publishing.shelf import TIMESTAMP, is_name

_ROOT = ".root.json"


def mark_named(folder: Path, names: Collection[str], *, now: int) -> None:
    """Note on the files of a jurisdiction that they are named now.

    names  below `folder`, as published
    """
    for name in names:
        path = folder / name
        with suppress(OSError):  # it is not there, and will be written
            if name != TIMESTAMP and path.lstat().st_mtime < now - DAY_SECONDS:
                os.utime(path, (now, now))


def remove_unnamed(folder: Path, names: Collection[str], *, now: int, keep_days: int) -> int:
    """Remove what `names` does not hold and was not named for so long; how many files that were."""
    oldest = now - (keep_days + 1) * DAY_SECONDS
    removed = 0
    for path in _published(folder):
        if path.relative_to(folder).as_posix() not in names:
            with suppress(OSError):  # it stays until the next time
                if path.lstat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
    return removed


def _published(folder: Path) -> Iterator[Path]:
    """What a publisher has written, but for what is never removed."""
    for where, _, files in os.walk(folder):
        for file in files:
            path = Path(where, file)
            name = path.relative_to(folder).as_posix()
            if is_name(name) and name != TIMESTAMP and not name.endswith(_ROOT):
                yield path
