"""Orders of status: their numbers and signatures, also of those made while the clock was ahead.

The registry takes an order by its number, once, and none that is from a time to come. An order that
was made while this clock was ahead would be refused until that time, and the certificate stay good
so long. It is signed anew with the present time, under the same number and with the same contents,
so that a registry that has it nevertheless knows it again.

Numbers rise. After a restore they begin at the millisecond (issuer/restoring.py); if the clock was
ahead then, the registry refuses them too, as they would leave no room for later ones. Once it has,
such orders get numbers of the present, each in its turn: below every order that still waits, above
every one that the registry may have.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from issuer.database import outbox, transaction
from issuer.office import ORDER_FLOOR, Office, find_fact, set_profile, standing_in
from schemas.registry import MAX_ORDERS_AHEAD, ORDERS_A_SECOND, STATUS_ORDER_TYP, StatusOrder
from talentseal.encoding import CLOCK_SKEW_SECONDS, dump_json, parse_json, to_seconds
from talentseal.errors import UnavailableError
from talentseal.jose import parse_jws, sign_jws
from talentseal.keys import Signer

MAX_ORDER_BYTES, MAX_ORDER_MEMBERS = 2 * 1024 * 1024, 50_000  # of ten thousand changes


def next_seq(db: Connection) -> int:
    """One more than any order before, also than those that a restored database has forgotten."""
    newest = db.execute(select(func.max(outbox.c.seq))).scalar() or 0
    return max(newest, int(find_fact(db, ORDER_FLOOR) or 0)) + 1


def signed(order: StatusOrder, signer: Signer) -> str:
    header = {"typ": STATUS_ORDER_TYP, "kid": signer.public.kid}
    return sign_jws(dump_json(order.model_dump()), header, signer)


def is_ahead(row: Any, now: datetime) -> bool:
    """Whether an order was made at a time that is still to come."""
    made_at: int | None = row.made_at
    return made_at is not None and made_at > to_seconds(now) + CLOCK_SKEW_SECONDS


def is_beyond(seq: int, now: datetime) -> bool:
    """Whether no registry whose clock is right takes such a number."""
    return seq > to_seconds(now) * ORDERS_A_SECOND + MAX_ORDERS_AHEAD


def sign_anew(office: Office, row: Any, *, now: datetime, renumber: bool = False) -> Any:
    """The order of a row with the present time; the row as it is now, None if it is gone.

    renumber  the registry has refused it, and its number is beyond what it takes

    Raises UsageError, UnavailableError without a key, or where an earlier one waits for its number.
    """
    office.check_key()
    with transaction(office.engine) as db:
        which = (outbox.c.jti == row.jti) & outbox.c.delivered_at.is_(None)
        found = db.execute(select(outbox).where(which)).one_or_none()
        if found is None or found.order_jws != row.order_jws:
            return found  # another process was at it
        seq = _present_seq(db, found.seq, now) if renumber else found.seq
        text = _with(db, office, found.order_jws, seq=seq, now=now)
        values = {"seq": seq, "order_jws": text, "made_at": to_seconds(now)}
        db.execute(update(outbox).where(which).values(**values))
        return db.execute(select(outbox).where(which)).one()


def _with(db: Connection, office: Office, text: str, *, seq: int, now: datetime) -> str:
    """An order of ours under another time, and perhaps another number, signed."""
    payload = parse_jws(text, max_bytes=MAX_ORDER_BYTES).payload
    kept = parse_json(payload, max_bytes=MAX_ORDER_BYTES, max_members=MAX_ORDER_MEMBERS)
    order = StatusOrder.model_validate({**kept, "iat": to_seconds(now), "seq": seq})
    return signed(order, office.signer(standing_in(db).keys[0][0]))


def _present_seq(db: Connection, before: int, now: datetime) -> int:
    """The next number at this time, for an order with one of a time to come.

    A floor that was laid while the clock was ahead is lowered. Raises UnavailableError where an
    earlier order has such a number too: its act was before, so its new number must be.
    """
    present = to_seconds(now) * ORDERS_A_SECOND
    column, beyond = outbox.c, outbox.c.seq > present + MAX_ORDERS_AHEAD
    wanted = select(func.min(column.seq)).where(column.delivered_at.is_(None), beyond)
    if (db.execute(wanted).scalar() or before) < before:
        raise UnavailableError("an earlier order waits for its number")
    floor = int(find_fact(db, ORDER_FLOOR) or 0)
    if is_beyond(floor, now):
        floor = present
        set_profile(db, {ORDER_FLOOR: str(floor)})
    taken = or_(column.delivered_at.is_not(None), ~beyond)
    newest = db.execute(select(func.max(column.seq)).where(taken)).scalar() or 0
    return max(newest, floor) + 1
