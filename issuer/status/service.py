"""Revoking, suspending, reinstating: the act and its signed order stand or fall together.

The order is stored in the transaction of the act (an outbox) and then delivered to the registry
(`issuer.status.outbox`); what could not be delivered goes out later. An order covers every form of
the certificate. The reason stays in this issuer's records; the public list carries only a value.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from issuer.audit.trail import OPERATOR, note
from issuer.database import certificate, form, outbox, status_block, transaction
from issuer.issuance.service import spelled
from issuer.office import Office, standing_in
from issuer.status.ordering import next_seq, signed
from issuer.status.outbox import FORGOTTEN_HINT, deliver
from schemas.data import status_reasons
from schemas.registry import StatusChange, StatusOrder
from talentseal.encoding import b64url_encode, to_seconds
from talentseal.errors import RefusedError, UnavailableError, UsageError
from talentseal.status import INVALID, SUSPENDED, VALID

# act -> state after it, value in the list, states it may begin in
_ACTS: Mapping[str, tuple[str, int, Sequence[str]]] = {
    "revoke": ("revoked", INVALID, ("valid", "suspended")),
    "suspend": ("suspended", SUSPENDED, ("valid",)),
    "reinstate": ("valid", VALID, ("suspended",)),
}
_VALUES = {"revoke": "INVALID", "suspend": "SUSPENDED"}
# Operation 06 of the published status codes: a withheld licence is given back.
_REINSTATING = ("returned",)
_JTI_BYTES = 16


def change(office: Office, act: str, number: str, *, reason: str, now: datetime) -> str:
    """Change the status of every form of one certificate; its number in its one spelling.

    Raises UsageError, RefusedError `NOT_FOUND` or `STATE_CONFLICT`; UnavailableError where the act
    is on record and its order could not be delivered yet.
    """
    check_reason(act, reason)
    number = spelled(number)
    office.check_key()
    with transaction(office.engine) as db:
        change_in(db, office, act, number, reason=reason, now=now)
    try:
        deliver(office, now=now)
    except UnavailableError as error:
        raise UnavailableError(
            f"{number}: {act} is on record, but its order waits: {error.message}",
            code=error.code,
            hint=error.hint
            if error.hint == FORGOTTEN_HINT
            else "It goes out with the next command of this program.",
        ) from error
    return number


def change_in(
    db: Connection,
    office: Office,
    act: str,
    number: str,
    *,
    reason: str,
    now: datetime,
    actor: str = OPERATOR,
    match: Callable[[str], None] | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> None:
    """The change, its signed order and its line of the audit trail, in the caller's transaction.

    match  raises where the caller has not read the version whose tag is given

    Raises UsageError, RefusedError `NOT_FOUND` or `STATE_CONFLICT`, UnavailableError without a key.
    """
    check_reason(act, reason)
    at, standing = to_seconds(now), standing_in(db)
    value = _step(db, act, number, match)
    signer = office.signer(standing.keys[0][0])
    seq = next_seq(db)
    jti = b64url_encode(random(_JTI_BYTES))
    order = StatusOrder(
        iss=standing.iss, jti=jti, iat=at, seq=seq, changes=_changes(db, number, value)
    )
    made = {"seq": seq, "jti": jti, "order_jws": signed(order, signer), "made_at": at}
    db.execute(insert(outbox).values(**made))
    note(db, act, at=at, actor=actor, certificate=number, reason=reason)


def reasons_for(act: str) -> list[str]:
    """The codes that may be given for an act; `other` is for people, not for a program."""
    if act == "reinstate":
        return list(_REINSTATING)
    return sorted(name for name, value in status_reasons().items() if value == _VALUES[act])


def check_reason(act: str, reason: str) -> None:
    fitting = reasons_for(act)
    if reason not in fitting:
        raise UsageError(
            f"{reason[:40]!r} is no reason to {act}", hint=f"One of {', '.join(fitting)}."
        )


def _step(db: Connection, act: str, number: str, match: Callable[[str], None] | None) -> int:
    """Move the certificate to its next state and return the value for the list."""
    column = certificate.c
    row = db.execute(select(column.state, column.version).where(column.id == number)).one_or_none()
    if row is None:
        raise unknown(number)
    if match is not None:
        match(f'"{row.version}"')
    state = row.state
    target, value, allowed = _ACTS[act]
    if state not in allowed:
        raise RefusedError(
            f"this certificate is {state}: it cannot be changed by {act}",
            code="STATE_CONFLICT",
            hint="A revoked certificate stays revoked; issue a new one.",
        )
    db.execute(
        update(certificate).where(column.id == number).values(state=target, version=row.version + 1)
    )
    return value


def unknown(number: str) -> RefusedError:
    return RefusedError(
        f"no certificate {number[:20]!r} was sealed here",
        code="NOT_FOUND",
        hint="See: issuer list",
    )


def _changes(db: Connection, number: str, value: int) -> list[StatusChange]:
    wanted = select(status_block.c.uri, form.c.idx).where(form.c.certificate == number)
    rows = db.execute(wanted.join(status_block, form.c.block == status_block.c.number)).all()
    return [StatusChange(uri=row.uri, idx=row.idx, value=value) for row in rows]
