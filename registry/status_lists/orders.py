"""Orders of issuers: signed files in the exchange folder, taken once, applied or refused.

An order is signed by a listed key of the issuer and numbered. It is taken once: the same file again
changes nothing, another file under the same number is refused. Orders may arrive in any order: an
older one never undoes a newer one, except that a revocation always holds. An index can be changed
only by the issuer it was given to, and what was revoked stays revoked.

Taken orders are moved to `done/`, refused ones to `refused/` with the reason beside them.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.orm import Session

from registry.issuers.models import EntityKeyRow, EntityRow
from registry.issuers.repository import find_credential_keys
from registry.office import Office
from registry.status_lists import repository
from registry.status_lists.models import StatusEntryRow, StatusOrderRow
from schemas.registry import STATUS_ORDER_TYP, StatusChange, StatusOrder
from talentseal.commandline import problem_document
from talentseal.encoding import CLOCK_SKEW_SECONDS, dump_json, parse_json
from talentseal.errors import InputError, RefusedError, TalentsealError, UnavailableError
from talentseal.files import read_bounded, write_atomic
from talentseal.jose import check_header, is_sealed_by, kid_of, parse_jws
from talentseal.keys import PublicKey

MAX_ORDER_BYTES = 2 * 1024 * 1024  # ten thousand changes
MAX_ORDER_MEMBERS = 50_000
MAX_FILES = 10_000  # of one run; the rest waits for the next
INVALID, SUSPENDED = 1, 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. `state`: `applied`, `known` (taken before) or `refused`."""

    file: str
    state: str
    issuer: str = ""
    seq: int = 0
    changes: int = 0
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """An order whose signature and shape hold, with the issuer it comes from."""

    order: StatusOrder
    issuer: EntityRow
    text: str
    path: Path


def take_orders(office: Office, jurisdictions: Sequence[str]) -> list[Outcome]:
    """Take every order of issuers of these jurisdictions; others are left where they are."""
    opened, outcomes = _open_all(office)
    for order in sorted(opened, key=lambda one: (one.order.iss, one.order.seq)):
        if order.issuer.jurisdiction in jurisdictions:
            outcomes.append(_take(office, order))
    return outcomes


def _open_all(office: Office) -> tuple[list[Opened], list[Outcome]]:
    opened, refused = [], []
    for path in _order_files(office.settings.exchange):
        try:
            opened.append(_open_file(office, path))
        except UnavailableError as error:
            if error.code != "TOO_LARGE":
                raise  # a disk or permission fault: nothing is refused for that
            refused.append(_refuse(path, error))
        except (InputError, RefusedError) as error:
            refused.append(_refuse(path, error))
    return opened, refused


def _order_files(exchange: Path) -> list[Path]:
    folder = exchange / "orders"
    found = sorted(path for path in folder.glob("*.jws") if path.is_file() or path.is_symlink())
    return found[:MAX_FILES]


def _open_file(office: Office, path: Path) -> Opened:
    if path.is_symlink():
        raise InputError("an order is a file, no link", code="MALFORMED")
    data = read_bounded(path, MAX_ORDER_BYTES)
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise InputError("an order is ASCII text", code="MALFORMED") from error
    with office.reading() as session:
        return _open(session, text, path, now=office.now)


def _open(session: Session, text: str, path: Path, *, now: int) -> Opened:
    """Raises InputError, or RefusedError `KEY_UNKNOWN` for a key that is not listed."""
    jws = parse_jws(text, max_bytes=MAX_ORDER_BYTES)
    check_header(jws.header, STATUS_ORDER_TYP)
    order = parse_order(jws.payload)
    candidates = find_credential_keys(session, kid_of(jws.header))
    key, issuer = _key_of(candidates, order.iss)
    if not is_sealed_by(jws, PublicKey.from_jwk(key.jwk)):
        raise InputError("the signature does not hold", code="SIGNATURE_INVALID")
    if order.iat > now + CLOCK_SKEW_SECONDS:
        raise InputError("an order from the future", code="REQUEST_INVALID")
    return Opened(order, issuer, text, path)


def _key_of(
    candidates: Sequence[tuple[EntityKeyRow, EntityRow]], iss: str
) -> tuple[EntityKeyRow, EntityRow]:
    for key, issuer in candidates:
        if issuer.entity_id == iss and key.state != "compromised":
            return key, issuer
    raise RefusedError(
        "no issuer of that name has the key that signed the order",
        code="KEY_UNKNOWN",
        hint="Sign with a key that was enrolled.",
    )


def parse_order(payload: bytes) -> StatusOrder:
    """Raises InputError `MALFORMED`, `TOO_LARGE`, `REQUEST_INVALID`."""
    claims = parse_json(payload, max_bytes=MAX_ORDER_BYTES, max_members=MAX_ORDER_MEMBERS)
    try:
        return StatusOrder.model_validate(claims)
    except ValidationError as error:
        raise InputError(
            "the order does not have the shape of one", code="REQUEST_INVALID"
        ) from error


# --- taking ---------------------------------------------------------------------------------------


def _take(office: Office, opened: Opened) -> Outcome:
    try:
        with office.transaction() as session:
            is_new = apply_order(session, opened, now=office.now)
    except RefusedError as error:
        return _refuse(opened.path, error)
    _move(opened.path, "done")
    order = opened.order
    state = "applied" if is_new else "known"
    return Outcome(opened.path.name, state, order.iss, order.seq, len(order.changes))


def apply_order(session: Session, opened: Opened, *, now: int) -> bool:
    """Apply an order whole or not at all; False if it was taken before.

    Raises RefusedError `IDEMPOTENCY_CONFLICT`, `NOT_FOUND`, `STATE_CONFLICT`, `REQUEST_INVALID`.
    """
    order, issuer = opened.order, opened.issuer
    digest = hashlib.sha256(opened.text.encode()).hexdigest()
    known = repository.find_order(session, issuer.id, order.seq, order.jti)
    if known is not None:
        if known.sha256 == digest:
            return False
        raise RefusedError(
            f"order {order.seq} of this issuer was taken already, with other contents",
            code="IDEMPOTENCY_CONFLICT",
            hint="Give the order the next number.",
        )
    entries = _own_entries(session, issuer, order.changes)
    for change in order.changes:
        _apply(entries[change.uri, change.idx], change, order.seq, now=now)
    row = StatusOrderRow(
        issuer=issuer.id,
        seq=order.seq,
        jti=order.jti,
        sha256=digest,
        jws=opened.text,
        taken_at=now,
    )
    repository.add_order(session, row)
    return True


def _own_entries(
    session: Session, issuer: EntityRow, changes: Sequence[StatusChange]
) -> Mapping[tuple[str, int], StatusEntryRow]:
    wanted = [(change.uri, change.idx) for change in changes]
    if len(set(wanted)) != len(wanted):
        raise RefusedError("an index stands twice in the order", code="REQUEST_INVALID")
    entries = repository.entries_of_issuer(session, issuer.id, wanted)
    if len(entries) != len(wanted):
        raise RefusedError(
            "the order names an index that was not given to this issuer",
            code="NOT_FOUND",
            hint="An issuer changes the status of its own credentials only.",
        )
    return entries


def _apply(entry: StatusEntryRow, change: StatusChange, seq: int, *, now: int) -> None:
    if seq < entry.seq and change.value != INVALID:
        return  # a later order has spoken
    if entry.value == INVALID and change.value != INVALID:
        raise RefusedError(
            f"index {change.idx} was revoked, and that is for good",
            code="STATE_CONFLICT",
            hint="Issue a new credential instead.",
        )
    if entry.value != change.value:
        entry.value, entry.changed_at = change.value, now
    entry.seq = max(seq, entry.seq)


# --- files ----------------------------------------------------------------------------------------


def _refuse(path: Path, error: TalentsealError) -> Outcome:
    reason = dump_json(problem_document(error))
    folder = path.parent / "refused"
    folder.mkdir(exist_ok=True)
    write_atomic(folder / f"{path.name}.json", reason, mode=0o644)
    _move(path, "refused")
    return Outcome(path.name, "refused", code=error.code, message=error.message)


def _move(path: Path, name: str) -> None:
    folder = path.parent / name
    try:
        folder.mkdir(exist_ok=True)
        os.replace(path, folder / path.name)  # noqa: PTH105  a link is moved, not followed
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be moved to {name}/", hint="Check the rights of the exchange folder."
        ) from error
