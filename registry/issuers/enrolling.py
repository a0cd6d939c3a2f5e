"""Enrolment from outside: a request waits for an operator; asking again tells what became of it.

Whoever holds a key may ask; nobody is listed by asking. The request says nothing but what the body
is called and which key it has, is signed by that key, and is kept a month at most unless it was
accepted. How many wait is bounded, so that strangers cannot fill the books. Where no more may wait
the oldest gives way, first of the same key, then of the same body: a stranger who names somebody
else's body can push its request out, never keep it out, and an operator accepts by the key's
identifier, which the body tells on another way (docs/decisions/0015).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from registry.issuers import repository
from registry.issuers.alike import check_unlike
from registry.issuers.models import EnrolmentRequestRow
from registry.issuers.service import (
    MAX_REQUEST_AGE_SECONDS,
    answer,
    check_body,
    enrol,
    parse_request,
)
from registry.jurisdictions.models import JurisdictionRow
from registry.jurisdictions.repository import all_jurisdictions, get_jurisdiction
from registry.office import Office
from registry.status_lists.repository import blocks_of
from registry.status_lists.signed import digest_of
from schemas.registry import EnrolmentRequest, EnrolmentState
from talentseal.encoding import format_time
from talentseal.errors import RefusedError
from talentseal.keys import PublicKey
from talentseal.statements import is_entity_id
from talentseal.trust import is_inside

MAX_WAITING = 1000
MAX_WAITING_OF_BODY = 20
WAITING, ACCEPTED, REFUSED = "waiting", "accepted", "refused"


def receive(office: Office, text: str) -> EnrolmentState:
    """Keep a request for an operator; what became of it if it was here before.

    Raises InputError, RefusedError `ISSUER_OUTSIDE_NAMESPACE`, `STATE_CONFLICT`, UsageError.
    """
    request, public = parse_request(text, now=office.now)
    with office.transaction() as session:
        jurisdiction = _jurisdiction_of(session, request.iss)
        check_body(jurisdiction, request)
        row = repository.find_request(session, digest_of(text))
        if row is None:
            check_unlike(session, jurisdiction.code, request.iss)
            row = _keep(office, session, jurisdiction, request, public, text)
        return _state(session, row)


def _jurisdiction_of(session: Session, entity_id: str) -> JurisdictionRow:
    """The one whose name spaces hold that body; they do not overlap."""
    for row in all_jurisdictions(session):
        if is_entity_id(entity_id) and is_inside(entity_id, row.namespaces):
            return row
    raise RefusedError(
        "the body lies in the name spaces of no jurisdiction here", code="ISSUER_OUTSIDE_NAMESPACE"
    )


def _keep(  # noqa: PLR0917  the parts of one request
    office: Office,
    session: Session,
    jurisdiction: JurisdictionRow,
    request: EnrolmentRequest,
    public: PublicKey,
    text: str,
) -> EnrolmentRequestRow:
    holders = repository.find_credential_keys(session, public.kid)
    is_listed = any(holder.entity_id == request.iss for _, holder in holders)
    if not is_listed:
        _make_room(session, request.iss, public.kid)
    row = EnrolmentRequestRow(
        id=digest_of(text),
        jurisdiction=jurisdiction.code,
        entity_id=request.iss,
        names=request.names,
        kid=public.kid,
        jws=text,
        state=ACCEPTED if is_listed else WAITING,
        received_at=office.now,
        decided_at=office.now if is_listed else None,
        decided_by=office.actor if is_listed else None,
    )
    repository.add_request(session, row)
    return row


def _make_room(session: Session, entity_id: str, kid: str) -> None:
    """For one more: what the key asked before gives way, then the oldest beyond the bounds."""
    giving_way = [
        *repository.waiting_of(session, entity_id, kid),
        *repository.waiting_beyond(session, MAX_WAITING_OF_BODY - 1, entity_id),
        *repository.waiting_beyond(session, MAX_WAITING - 1),
    ]
    for row in {row.id: row for row in giving_way}.values():
        repository.remove_request(session, row)


def _state(session: Session, row: EnrolmentRequestRow) -> EnrolmentState:
    found = None
    if row.state == ACCEPTED:
        for kind in ("issuer", "authority"):
            entity = repository.find_entity(session, row.jurisdiction, row.entity_id, kind)
            if entity is not None and found is None:
                found = answer(session, entity, [one.id for one in blocks_of(session, entity.id)])
    return EnrolmentState.model_validate({"id": row.id, "state": row.state, "answer": found})


# --- deciding -------------------------------------------------------------------------------------


def accept(
    office: Office, session: Session, request_id: str, *, kind: str, block: int
) -> tuple[EnrolmentState, str]:  # fmt: skip
    """List the key of a waiting request; also the jurisdiction's code.

    Raises RefusedError `NOT_FOUND`, `STATE_CONFLICT`, and what `enrol` raises.
    """
    row = _waiting(session, request_id)
    jurisdiction = get_jurisdiction(session, row.jurisdiction)
    enrol(office, session, jurisdiction, row.jws, kind=kind, block=block)
    _decide(office, row, ACCEPTED)
    return _state(session, row), row.jurisdiction


def refuse(office: Office, session: Session, request_id: str) -> EnrolmentState:
    """Raises RefusedError `NOT_FOUND`, `STATE_CONFLICT`."""
    row = _waiting(session, request_id)
    _decide(office, row, REFUSED)
    office.note(session, "enrolment refused", row.entity_id)
    return _state(session, row)


def refuse_all(office: Office, session: Session, entity_id: str) -> int:
    """Refuse what waits in the name of a body; how many. Accept its own request before."""
    found = repository.waiting_of(session, entity_id)
    for row in found:
        _decide(office, row, REFUSED)
    if found:
        office.note(session, "enrolments refused", entity_id)
    return len(found)


def _waiting(session: Session, request_id: str) -> EnrolmentRequestRow:
    row = repository.find_request(session, request_id)
    if row is None:
        raise RefusedError("there is no such request", code="NOT_FOUND")
    if row.state != WAITING:
        raise RefusedError(f"the request was {row.state} already", code="STATE_CONFLICT")
    return row


def _decide(office: Office, row: EnrolmentRequestRow, state: str) -> None:
    row.state, row.decided_at, row.decided_by = state, office.now, office.actor


def forget_requests(office: Office) -> None:
    """Remove requests that nobody has accepted in a month: they are too old to be accepted."""
    with office.transaction() as session:
        repository.remove_requests(session, before=office.now - MAX_REQUEST_AGE_SECONDS)


def shown(row: EnrolmentRequestRow) -> Mapping[str, Any]:
    """A request for operators."""
    return {
        "id": row.id,
        "jurisdiction": row.jurisdiction,
        "entity_id": row.entity_id,
        "names": row.names,
        "kid": row.kid,
        "state": row.state,
        "received_at": format_time(row.received_at),
        "decided_at": format_time(row.decided_at) if row.decided_at else None,
        "decided_by": row.decided_by,
    }
