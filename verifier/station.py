"""A running verifier: its trust data, its policies, its memory of proofs, its database.

The trust data comes from `current`, which a background refresher replaces whole; a check takes it
once at its beginning, so that nothing changes under it. The clock is a parameter.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from schemas.openid4vp import DcqlQuery
from talentseal.bundle import Bundle, Memo
from talentseal.commandline import note_migration, now, role_home, setting
from talentseal.encoding import to_seconds
from talentseal.errors import InputError, UnavailableError, UsageError
from talentseal.files import make_private_folder, read_bounded
from talentseal.policy import MAX_POLICY_BYTES, SHIPPED, Policy, parse_policy, shipped
from verifier.access import Access
from verifier.database import SCHEMA, open_database
from verifier.offline.pin import stored_pin
from verifier.offline.replays import StoredReplays

ROLE = "verifier"
DATABASE = "TALENTSEAL_VERIFIER_DB"
URL = "TALENTSEAL_VERIFIER_URL"
DEFAULT_URL = "http://127.0.0.1:8703"
RECEIPT_DAYS = "TALENTSEAL_RECEIPT_DAYS"
FILE_READERS = "TALENTSEAL_FILE_READERS"
_DEFAULT_RECEIPT_DAYS = 30
_MOST_FILE_READERS = 4  # unless the operator, who knows the memory, says more
TRUST, REPLAYS, POLICIES = "trust", "replays.db", "policies"
_POLICY_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
DAY_SECONDS = 24 * 3600

Clock = Callable[[], datetime]
Random = Callable[[int], bytes]


class TrustSource(Protocol):
    """What holds the trust data in force and keeps it young."""

    @property
    def bundle(self) -> Bundle: ...

    def start(self) -> None:
        """Keep it young from now on, in the background."""

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Station:
    """One verifier's service and everything that it needs.

    home    the verifier's folder
    trust   the trust data in force
    url     where others reach this service
    access  its key and certificate towards wallets, if it has them

    file_readers  how many pictures and PDFs are read at once
    """

    home: Path
    trust: TrustSource
    clock: Clock = now
    random: Random = os.urandom
    url: str = DEFAULT_URL
    receipt_days: int = _DEFAULT_RECEIPT_DAYS
    file_readers: int = _MOST_FILE_READERS
    name: str = "Verifier"
    access: Access | None = None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    queries: Mapping[str, DcqlQuery] = field(default_factory=dict)

    @cached_property
    def engine(self) -> Engine:
        return open_database(database_url(self.home))

    @cached_property
    def _own_home(self) -> str:
        pin = stored_pin(self.home)
        return pin.info.jurisdiction if pin else ""

    @cached_property
    def _cases(self) -> Memo[tuple[str, str, str | None, str | None], Policy]:
        return Memo(256)

    def replays(self) -> StoredReplays:
        return StoredReplays(self._memory, now=to_seconds(self.clock()))

    @cached_property
    def _memory(self) -> Path:
        return self.home / REPLAYS

    def policy(self, name: str, *, place: str | None, purpose: str | None) -> Policy:
        """A policy by name, with what this check declares. Raises UsageError `REQUEST_INVALID`."""
        found = self.policies.get(name)
        if found is None:
            known = ", ".join(sorted(self.policies))
            raise UsageError(f"no policy of the name {name[:40]!r} is here", hint=f"Known: {known}")
        case = (name, self.trust.bundle.home or self._own_home, place, purpose)
        policy = self._cases.get(case)
        if policy is None:
            policy = replace(
                found,
                home=found.home or case[1],
                place=place or found.place,
                purpose=purpose or found.purpose,
            )
            self._cases.put(case, policy)
        return policy


def database_url(home: Path) -> str:
    make_private_folder(home)
    return setting(DATABASE) or f"sqlite:///{home / 'verifier.db'}"


def open_engine() -> Engine:
    """The database of this home. Raises UsageError, UnavailableError."""
    return open_database(database_url(role_home(ROLE)))


def migrate() -> None:
    """Bring the database to the schema of this program. Raises UnavailableError."""
    from talentseal.service.database import connect

    SCHEMA.migrate(connect(database_url(role_home(ROLE))), told=note_migration)


def load_policies(home: Path) -> dict[str, Policy]:
    """The shipped policies and those in the folder `policies`. Raises UsageError.

    A file that cannot be read as a policy keeps the service from starting: a check must never run
    under another policy than the one that was written.
    """
    found = {name: shipped(name) for name in SHIPPED}
    for path in sorted((home / POLICIES).glob("*.json")):
        if not _POLICY_NAME.fullmatch(path.stem) or path.stem in SHIPPED:
            raise UsageError(f"{path.name} is no name for a policy of one's own")
        try:
            found[path.stem] = parse_policy(read_bounded(path, MAX_POLICY_BYTES))
        except InputError as error:
            raise UsageError(f"{path.name}: {error.message}", hint=error.hint) from error
    return found


def receipt_days() -> int:
    """How long receipts are kept. Raises UsageError."""
    text = setting(RECEIPT_DAYS) or str(_DEFAULT_RECEIPT_DAYS)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text)):
        raise UsageError(f"{RECEIPT_DAYS} is no number of days")
    return int(text)


def file_readers() -> int:
    """How many pictures and PDFs are read at once: one a processor. Raises UsageError."""
    text = setting(FILE_READERS) or str(min(os.cpu_count() or 1, _MOST_FILE_READERS))
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 4 and int(text)):
        raise UsageError(f"{FILE_READERS} is no number of files")
    return int(text)


def trust_state(station: Station) -> dict[str, object]:
    """Age of the trust data, for readiness. Raises UnavailableError where it no longer answers."""
    bundle, at = station.trust.bundle, to_seconds(station.clock())
    held = bundle.jurisdictions.get(bundle.home)
    if held is None:
        raise UnavailableError("no trust data is held", code="DEPENDENCY_UNAVAILABLE")
    age = at - held.as_of
    limit = station.policies["default"].max_age
    if age > limit:
        raise UnavailableError(f"the trust data is {age} seconds old, more than {limit}")
    if not bundle.is_clock_sound(at):
        raise UnavailableError("the clock is behind a time that signed data prove")
    return {"age_seconds": age, "jurisdictions": len(bundle.jurisdictions)}
