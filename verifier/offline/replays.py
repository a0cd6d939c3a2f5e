"""Which live proofs were used already: the same proof is never good twice at one desk.

A memory is asked and told in one step, so of two checks at the same moment one is the first. What
it holds are digests of proofs, nothing about persons, and each is forgotten when the proof itself
would be too old to count and some thousand others have become so since: a clock that leaps ahead
and back makes no proof new again. `MemoryReplays` lasts for one run, `StoredReplays` for all runs
of a desk and for several processes at once.
"""

import sqlite3
from pathlib import Path

from talentseal.errors import UnavailableError
from talentseal.files import PRIVATE_FILE

MAX_PROOFS = 1_000_000  # within some ten minutes: no desk sees as many
KEPT_PROOFS = 10_000  # of those that seem to be too old, the last: the clock may be wrong
_WAIT_SECONDS = 10.0
_SCHEMA = """
create table if not exists proof (key blob primary key, until integer not null) without rowid;
create index if not exists proof_until on proof (until);
"""
_FORGET = """
delete from proof where key in
(select key from proof where until < ? order by until desc limit -1 offset ?)
"""


class MemoryReplays:
    """Used proofs, for as long as one run lasts."""

    def __init__(self) -> None:
        self._used: set[bytes] = set()

    def first_use(self, key: bytes, *, until: int) -> bool:  # noqa: ARG002 - a run is short
        """Record `key`; False if it was there."""
        fresh = key not in self._used
        self._used.add(key)
        return fresh


class StoredReplays:
    """Used proofs in an SQLite file, shared by all processes of a desk.

    now   NumericDate by the desk's own clock: what ended before it is forgotten
    kept  of what is to be forgotten so many stay, but never so many that none finds room

    The file is opened when the first proof is shown. Every failure is UnavailableError: a proof
    that cannot be remembered is not accepted.
    """

    def __init__(
        self, path: Path, *, now: int, max_proofs: int = MAX_PROOFS, kept: int = KEPT_PROOFS
    ) -> None:
        self._path = path
        self._now = now
        self._max_proofs, self._kept = max_proofs, min(kept, max_proofs // 2)

    def first_use(self, key: bytes, *, until: int) -> bool:
        """Record `key` atomically; False if it was there."""
        try:
            self._path.touch(PRIVATE_FILE)
            db = sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)
            try:
                return self._record(db, key, until)
            finally:
                db.close()
        except (sqlite3.Error, OSError) as error:
            raise UnavailableError(  # without the path: strangers read this too
                f"the memory of used proofs, {self._path.name}, cannot be kept",
                hint="Make its folder writable; if the file is damaged, move it away.",
            ) from error

    def _record(self, db: sqlite3.Connection, key: bytes, until: int) -> bool:
        db.executescript(_SCHEMA)
        db.execute("begin immediate")
        db.execute(_FORGET, (self._now, self._kept))
        (held,) = db.execute("select count(*) from proof").fetchone()
        if held >= self._max_proofs:
            db.execute("rollback")
            raise UnavailableError(f"more than {self._max_proofs} proofs within minutes")
        added = db.execute("insert or ignore into proof values (?, ?)", (key, until)).rowcount
        db.execute("commit")
        return added == 1
