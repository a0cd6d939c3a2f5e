"""After a restore: nothing that was done since the copy is done a second time.

A copy of the database knows nothing of what was sealed, ordered and handed out after it was made.
So, in one transaction, every status index that it believes free is used up, an open request for
indices is forgotten (its block may be used), and orders are numbered from the present millisecond
on, which no order of a registry has reached that counts by ones. A block of indices that comes in a
file is taken in only with a code that is made now, so that no file of before fits. Offers, tokens
and nonces end; what was approved must be approved anew, since it may be sealed already; bulk jobs
do not go on.

Then waiting orders go out, the trust data is brought, and what the public lists say of certificates
on record is taken over where it is the stricter: their officer revoked them after the copy. Last,
new indices are asked for where the registry has an address. Doing all of it again does no harm.

Not promised: certificates that were sealed after the copy are good and not on record here; officers
who were ended after it are active again, and are named.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from issuer.audit.trail import note
from issuer.authorization import service as authorization
from issuer.bulk import repository as bulk
from issuer.custody.service import bring_trust
from issuer.database import certificate, form, profile, status_block, transaction
from issuer.issuances import repository as issuances
from issuer.office import ORDER_FLOOR, RESTORED_AT, RESTORED_CODE, Office, set_profile
from issuer.officers.service import OFFICERS
from issuer.status.blocks import ASKED, top_up
from issuer.status.outbox import deliver, registry_url
from schemas.registry import ORDERS_A_SECOND
from talentseal.bundle import Bundle
from talentseal.encoding import to_seconds
from talentseal.status import INVALID, SUSPENDED, StatusList

_STATES: Mapping[int, str] = {INVALID: "revoked", SUSPENDED: "suspended"}
_CODE_BYTES = 5  # a person may have to type it
_STRICTNESS = ("valid", "suspended", "revoked")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done.

    retired     status indices that were used up
    reopened    issuances that must be approved anew, or have ended
    taken_over  certificates whose state was learned from the public lists
    left        status indices in store; None where the registry has no address
    code        what a block of indices that comes by file must carry from now on
    accounts    name and roles of the officers who are active in the copy: whoever was ended since
                has a token that works again
    """

    retired: int
    reopened: int
    taken_over: int
    left: int | None
    code: str
    accounts: Sequence[Mapping[str, Any]]


def restored(
    office: Office,
    *,
    source: str,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> Restored:
    """Go on from a copy of the database, once, before anything else.

    source  folder, zip or URL with the newest trust data

    Raises UsageError, UnavailableError, BundleError. The indices are used up in any case.
    """
    code = random(_CODE_BYTES).hex()
    with transaction(office.engine) as db:
        retired, reopened = _begin_anew(db, at=to_seconds(now), code=code)
    deliver(office, now=now)
    bring_trust(office, source=source, now=now)
    office.renew()
    bundle = office.bundle
    with transaction(office.engine) as db:
        taken_over = _take_over(db, bundle, at=to_seconds(now))
        accounts = OFFICERS.active(db)
    left = None if registry_url() is None else top_up(office, now=now)
    return Restored(retired, reopened, taken_over, left, code, accounts)


def _begin_anew(db: Connection, *, at: int, code: str) -> tuple[int, int]:
    """Indices used up, and issuances reopened."""
    retired = _retire(db)
    db.execute(delete(profile).where(profile.c.name == ASKED))
    set_profile(
        db, {RESTORED_AT: str(at), RESTORED_CODE: code, ORDER_FLOOR: str(at * ORDERS_A_SECOND)}
    )
    authorization.end_all(db)
    ended = bulk.end_all(db, at=at)
    reopened = _reopen(db)
    note(db, "restored", at=at, count=retired, reason=f"reopened {reopened}, jobs ended {ended}")
    return retired, reopened


def _retire(db: Connection) -> int:
    column = status_block.c
    left = db.execute(select(func.sum(column.size - column.used))).scalar()
    db.execute(update(status_block).values(used=column.size))
    return int(left or 0)


def _reopen(db: Connection) -> int:
    """What could be sealed may be sealed already: a person looks. What was in part has ended."""
    found = issuances.ready(db)
    for one in found:
        if one.certificate is None:
            issuances.take_back(db, one)
        else:
            issuances.give_up(db, one)
    return len(found)


def _take_over(db: Connection, bundle: Bundle, *, at: int) -> int:
    """The stricter of what is on record and what the lists say; how many certificates changed."""
    said = _said(db, bundle)
    column = certificate.c
    stricter = [
        (row.id, said[row.id])
        for row in db.execute(select(column.id, column.state))
        if row.id in said and _STRICTNESS.index(said[row.id]) > _STRICTNESS.index(row.state)
    ]
    for number, state in stricter:
        values = {"state": state, "version": column.version + 1}
        db.execute(update(certificate).where(column.id == number).values(**values))
        note(db, "state taken over", at=at, certificate=number, reason=state)
    return len(stricter)


def _said(db: Connection, bundle: Bundle) -> dict[str, str]:
    """Number of a certificate -> the strictest state that the lists say of its forms."""
    found: dict[str, str] = {}
    blocks = db.execute(select(status_block.c.number, status_block.c.uri))
    uris = {row.number: row.uri for row in blocks}
    lists = {uri: bundle.find_status(bundle.home, uri) for uri in set(uris.values())}
    for row in db.execute(select(form.c.certificate, form.c.block, form.c.idx)):
        held = lists[uris[row.block]]
        value = held.value(row.idx) if isinstance(held, StatusList) else None
        state = None if value is None else _STATES.get(value)
        if state is not None:
            found[row.certificate] = max(found.get(row.certificate, state), state,
                                         key=_STRICTNESS.index)  # fmt: skip
    return found
