"""Revoking, suspending, reinstating: the act and its signed order stand or fall together.

The order is stored in the transaction of the act (an outbox) and then left in the exchange folder;
what could not be left there goes out with the next command. An order covers every form of the
certificate. The reason stays in this issuer's records; the public list carries only a value.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from issuer.database import certificate, form, outbox, reading, transaction
from issuer.issuance.service import spelled
from issuer.office import Office, note
from schemas.data import status_reasons
from schemas.registry import STATUS_ORDER_TYP, StatusChange, StatusOrder
from talentseal.encoding import b64url_encode, dump_json, to_seconds
from talentseal.errors import RefusedError, UnavailableError, UsageError
from talentseal.files import write_atomic
from talentseal.jose import sign_jws
from talentseal.keys import Signer
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


def change(
    office: Office,
    act: str,
    number: str,
    *,
    reason: str,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> str:
    """Change the status of every form of one certificate; its number in its one spelling.

    Raises UsageError, RefusedError `NOT_FOUND` or `STATE_CONFLICT`; UnavailableError where the act
    is on record and its order could not be left in the exchange folder yet.
    """
    check_reason(act, reason)
    number, at = spelled(number), to_seconds(now)
    signer = office.keystore.load(office.signing_keys()[0][0])
    iss, jti = office.entity_id, b64url_encode(random(_JTI_BYTES))
    with transaction(office.engine) as db:
        value = _step(db, act, number)
        seq = (db.execute(select(func.max(outbox.c.seq))).scalar() or 0) + 1
        changes = _changes(db, number, value)
        order = StatusOrder(iss=iss, jti=jti, iat=at, seq=seq, changes=changes)
        db.execute(insert(outbox).values(seq=seq, jti=jti, order_jws=_signed(order, signer)))
        note(db, act, at=at, certificate=number, reason=reason)
    try:
        deliver(office, now=now)
    except UnavailableError as error:
        raise UnavailableError(
            f"{number}: {act} is on record, but its order waits: {error.message}",
            code=error.code,
            hint="It goes out with the next command of this program.",
        ) from error
    return number


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


def _step(db: Connection, act: str, number: str) -> int:
    """Move the certificate to its next state and return the value for the list."""
    state = db.execute(select(certificate.c.state).where(certificate.c.id == number)).scalar()
    if state is None:
        raise RefusedError(
            f"no certificate {number[:20]!r} was sealed here",
            code="NOT_FOUND",
            hint="See: issuer list",
        )
    target, value, allowed = _ACTS[act]
    if state not in allowed:
        raise RefusedError(
            f"this certificate is {state}: it cannot be changed by {act}",
            code="STATE_CONFLICT",
            hint="A revoked certificate stays revoked; issue a new one.",
        )
    db.execute(update(certificate).where(certificate.c.id == number).values(state=target))
    return value


def _changes(db: Connection, number: str, value: int) -> list[StatusChange]:
    rows = db.execute(select(form).where(form.c.certificate == number)).all()
    return [StatusChange(uri=row.uri, idx=row.idx, value=value) for row in rows]


def _signed(order: StatusOrder, signer: Signer) -> str:
    header = {"typ": STATUS_ORDER_TYP, "kid": signer.public.kid}
    return sign_jws(dump_json(order.model_dump()), header, signer)


def deliver(office: Office, *, now: datetime) -> list[str]:
    """Leave every order that has not been left yet in the exchange folder; twice does no harm.

    Returns the identifiers of the orders. Raises UnavailableError; what was left stays so.
    """
    with reading(office.engine) as db:
        waiting: Sequence[Any] = db.execute(
            select(outbox).where(outbox.c.delivered_at.is_(None)).order_by(outbox.c.seq)
        ).all()
    if waiting:
        _make_folder(office)
    for row in waiting:
        write_atomic(office.orders / f"{row.jti}.jws", row.order_jws.encode(), mode=0o644)
        with transaction(office.engine) as db:
            db.execute(
                update(outbox).where(outbox.c.seq == row.seq).values(delivered_at=to_seconds(now))
            )
    return [row.jti for row in waiting]


def _make_folder(office: Office) -> None:
    try:
        office.orders.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"the exchange folder {office.orders} cannot be made ({error.strerror})"
        ) from error
