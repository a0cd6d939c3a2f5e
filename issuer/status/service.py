"""Revoking, suspending, reinstating: the act and its signed order stand or fall together.

The order is stored in the transaction of the act (an outbox) and then left in the exchange folder;
what a crash kept from being left there goes out with the next command.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from issuer.database import certificate, form, outbox, transaction
from issuer.office import Office, note
from schemas.data import status_reasons
from schemas.registry import STATUS_ORDER_TYP, StatusChange, StatusOrder
from talentseal.encoding import b64url_encode, dump_json, to_seconds
from talentseal.errors import RefusedError, UsageError
from talentseal.files import write_atomic
from talentseal.jose import sign_jws
from talentseal.status import INVALID, SUSPENDED, VALID

_ACTS = {"revoke": ("revoked", INVALID), "suspend": ("suspended", SUSPENDED),
         "reinstate": ("valid", VALID)}  # fmt: skip
_FROM = {"revoke": ("valid", "suspended"), "suspend": ("valid",), "reinstate": ("suspended",)}
_WORD = {"revoke": "INVALID", "suspend": "SUSPENDED"}


def change(office: Office, act: str, number: str, *, reason: str, now: datetime) -> None:
    """Change the status of every form of one certificate. Raises UsageError, RefusedError."""
    check_reason(act, reason)
    kid, _ = office.signing_key()
    signer = office.keystore.load(kid)
    iss, at = office.profile("entity_id"), to_seconds(now)
    with transaction(office.engine) as db:
        state = db.execute(
            select(certificate.c.state).where(certificate.c.id == number.upper())
        ).scalar()
        if state is None:
            raise UsageError(f"no certificate {number[:20]!r} was sealed here", code="NOT_FOUND")
        if state not in _FROM[act]:
            raise RefusedError(
                f"this certificate is {state}: it cannot be changed by {act}",
                code="STATE_CONFLICT", hint="A revoked certificate stays revoked; issue a new one.",
            )  # fmt: skip
        target, value = _ACTS[act]
        db.execute(
            update(certificate).where(certificate.c.id == number.upper()).values(state=target)
        )
        seq = (db.execute(select(func.max(outbox.c.seq))).scalar() or 0) + 1
        rows = db.execute(select(form).where(form.c.certificate == number.upper())).all()
        changes = [StatusChange(uri=row.uri, idx=row.idx, value=value) for row in rows]
        order = StatusOrder(
            iss=iss, jti=b64url_encode(os.urandom(16)), iat=at, seq=seq, changes=changes
        )
        header = {"typ": STATUS_ORDER_TYP, "kid": kid}
        text = sign_jws(dump_json(order.model_dump()), header, signer)
        db.execute(insert(outbox).values(seq=seq, jti=order.jti, order_jws=text))
        note(db, act, at=at, certificate=number.upper(), reason=reason)
    deliver(office, now=now)


def check_reason(act: str, reason: str) -> None:
    reasons = status_reasons()
    if act == "reinstate":
        return
    fitting = sorted(name for name, word in reasons.items() if word == _WORD[act])
    if reason not in fitting:
        raise UsageError(f"{reason[:40]!r} is no reason to {act}",
                         hint=f"One of {', '.join(fitting)}.")  # fmt: skip


def deliver(office: Office, *, now: datetime) -> Sequence[str]:
    """Leave every order that has not been left yet in the exchange folder; twice does no harm."""
    with transaction(office.engine) as db:
        waiting: Sequence[Any] = db.execute(
            select(outbox).where(outbox.c.delivered_at.is_(None)).order_by(outbox.c.seq)
        ).all()
    for row in waiting:
        office.orders.mkdir(parents=True, exist_ok=True)
        write_atomic(office.orders / f"{row.jti}.jws", row.order_jws.encode(), mode=0o644)
        with transaction(office.engine) as db:
            db.execute(
                update(outbox).where(outbox.c.seq == row.seq).values(delivered_at=to_seconds(now))
            )
    return [row.jti for row in waiting]
