"""Blocks of status indices, asked for by issuers themselves.

An issuer signs the request; the same request again gets the same block, so that one whose answer
was lost can ask without harm. A block is on record, and its list published and read back, before
the answer goes out; a large one is recorded in steps, for which no order has to wait. How much one
issuer may take in a day is bounded: a stolen key must not use up the lists of everybody.
"""

import time

from sqlalchemy.orm import Session

from registry.issuers.models import EntityRow
from registry.office import DAY_SECONDS, Office
from registry.status_lists import repository
from registry.status_lists.models import StatusBlockRequestRow
from registry.status_lists.service import Rest, block_document, record_indices, take_block
from registry.status_lists.signed import digest_of, open_signed
from schemas.registry import STATUS_BLOCK_REQUEST_TYP, StatusBlock, StatusBlockRequest
from talentseal.errors import InputError, RefusedError

MAX_AGE_SECONDS = DAY_SECONDS
MAX_A_DAY = 2**20  # a list


def answer_request(
    office: Office, text: str, *, rest: Rest = time.sleep
) -> tuple[StatusBlock, EntityRow]:
    """The block for a signed request, and the issuer that it comes from.

    rest  waits a number of seconds, between steps, for others to write

    Raises InputError, RefusedError `KEY_UNKNOWN`, `IDEMPOTENCY_CONFLICT`, `RATE_LIMITED`,
    UnavailableError `STATUS_LIST_UNPUBLISHED`.
    """
    with office.reading() as session:
        request, issuer = open_signed(
            session, text, STATUS_BLOCK_REQUEST_TYP, StatusBlockRequest, now=office.now
        )
    office = office.at(office.moment, actor=issuer.entity_id)
    with office.transaction() as session:
        block = _known(session, issuer, request, text)
        if block is None:
            block = _new_block(office, session, issuer, request, text)
    record_indices(office, block, rest=rest)
    with office.reading() as session:
        return block_document(session, block), issuer


def _known(
    session: Session, issuer: EntityRow, request: StatusBlockRequest, text: str
) -> str | None:
    known = repository.find_block_request(session, issuer.id, request.jti)
    if known is not None and known.sha256 != digest_of(text):
        raise RefusedError(
            "a request under this `jti` was answered already, with other contents",
            code="IDEMPOTENCY_CONFLICT",
            hint="Give every request its own `jti`.",
        )
    return known.block if known else None


def _new_block(
    office: Office, session: Session, issuer: EntityRow, request: StatusBlockRequest, text: str
) -> str:
    if request.iat <= office.now - MAX_AGE_SECONDS:
        raise InputError("the request is too old", code="REQUEST_INVALID", hint="Make a new one.")
    since = office.now - DAY_SECONDS
    if repository.indices_since(session, issuer.id, since) + request.count > MAX_A_DAY:
        raise RefusedError(
            f"an issuer gets {MAX_A_DAY} indices a day at most",
            code="RATE_LIMITED",
            hint="Ask the registry's operator if that is meant.",
        )
    block = take_block(office, session, issuer, request.count).id
    row = StatusBlockRequestRow(
        issuer=issuer.id,
        jti=request.jti,
        sha256=digest_of(text),
        block=block,
        taken_at=office.now,
    )
    repository.add_block_request(session, row)
    return block
