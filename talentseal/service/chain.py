"""The chain that makes an audit trail tell when somebody got past its triggers.

The digest of a row is SHA-256 over the digest of the row before and the row's own members, so that
a row changed, taken out or put in between breaks the chain from there on.

Not promised: that rows cut off at the end are missed. Keep the newest digest elsewhere for that.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from talentseal.encoding import canonical_json
from talentseal.errors import UnavailableError

BEGINNING = "0" * 64
_KEPT = frozenset((str, int, type(None)))  # what a row is made of; SQLite would take anything


def digest_of(previous: str, fact: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a row behind `previous`; the members of `fact` are texts, integers, None."""
    return hashlib.sha256(previous.encode() + canonical_json(fact)).hexdigest()


def check_chain(rows: Iterable[tuple[Mapping[str, Any], str | None]]) -> int:
    """Recompute every row; how many there are. Raises UnavailableError where one does not fit.

    rows  in order, each with its fact and the digest that is kept of it
    """
    previous, count = BEGINNING, 0
    for fact, digest in rows:
        count += 1
        if not _KEPT.issuperset(map(type, fact.values())) or digest != digest_of(previous, fact):
            raise UnavailableError(
                f"the audit trail was changed at its row {count}",
                hint="Restore the last good backup and find out who had access.",
            )
        previous = digest
    return count
