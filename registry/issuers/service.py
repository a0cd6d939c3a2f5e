"""Enrolment: an issuer shows that it holds a key, and gets a certificate and status indices.

The request is signed by the key it carries; the body's host must lie in the name spaces of the
jurisdiction. Being enrolled is no right: without a grant an issuer is not even listed. Asking again
with the same request gives the same answer, and another key is a second key of the same issuer.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from registry.issuers import repository
from registry.issuers.alike import check_unlike
from registry.issuers.certificates import certify
from registry.issuers.models import EntityKeyRow, EntityRow
from registry.jurisdictions.models import JurisdictionRow
from registry.naming import check_names, is_body
from registry.office import DAY_SECONDS, Office
from registry.publishing.repository import versions
from registry.status_lists.repository import blocks_of
from registry.status_lists.service import block_document, reserve_block
from schemas.registry import ENROLMENT_REQUEST_TYP, RESTORE_CODE, Enrolment, EnrolmentRequest
from talentseal.encoding import CLOCK_SKEW_SECONDS, MAX_JWS_BYTES, parse_json
from talentseal.errors import InputError, RefusedError, UnavailableError, UsageError
from talentseal.jose import check_header, is_sealed_by, kid_of, parse_jws
from talentseal.keys import PublicKey

MAX_REQUEST_AGE_SECONDS = 30 * DAY_SECONDS
_CODE = re.compile(RESTORE_CODE)


def parse_request(text: str, *, now: int) -> tuple[EnrolmentRequest, PublicKey]:
    """A request and the key that has signed it and is asked to be listed.

    Raises InputError: `MALFORMED`, `TYPE_CONFUSION`, `SIGNATURE_INVALID`, `REQUEST_INVALID` ...
    """
    jws = parse_jws(text)
    check_header(jws.header, ENROLMENT_REQUEST_TYP)
    claims = parse_json(jws.payload, max_bytes=MAX_JWS_BYTES)
    try:
        request = EnrolmentRequest.model_validate(claims)
    except ValidationError as error:
        fields = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise InputError(
            f"the request does not say what it must: {', '.join(fields)}", code="REQUEST_INVALID"
        ) from error
    public = PublicKey.from_jwk(request.jwk)
    if kid_of(jws.header) != public.kid or not is_sealed_by(jws, public):
        raise InputError(
            "the request is not signed by the key it carries", code="SIGNATURE_INVALID"
        )
    if not now - MAX_REQUEST_AGE_SECONDS < request.iat <= now + CLOCK_SKEW_SECONDS:
        raise InputError(
            "the request is too old, or from the future",
            code="REQUEST_INVALID",
            hint="Make a new one.",
        )
    return request, public


def enrol(
    office: Office,
    session: Session,
    jurisdiction: JurisdictionRow,
    text: str,
    *,
    kind: str,
    block: int,
) -> Enrolment:
    """List the key of a request and answer it.

    kind   `issuer` or `authority`; an authority gets neither certificate nor status indices
    block  number of status indices for a new issuer

    Raises InputError, RefusedError `ISSUER_OUTSIDE_NAMESPACE`, or `STATE_CONFLICT` for a body that
    reads like another, UsageError.
    """
    request, public = parse_request(text, now=office.now)
    check_body(jurisdiction, request)
    entity = repository.find_entity(session, jurisdiction.code, request.iss, kind)
    if entity is None:
        check_unlike(session, jurisdiction.code, request.iss)
        entity = repository.add_entity(
            session,
            jurisdiction.code,
            entity_id=request.iss,
            kind=kind,
            names=request.names,
            now=office.now,
        )
    _list_key(office, session, jurisdiction, entity, public=public, proof=text)
    if kind == "issuer" and not blocks_of(session, entity.id):
        reserve_block(office, session, entity, block)
    return answer(session, entity, [one.id for one in blocks_of(session, entity.id)])


def check_body(jurisdiction: JurisdictionRow, request: EnrolmentRequest) -> None:
    """Raises UsageError, RefusedError `ISSUER_OUTSIDE_NAMESPACE`."""
    check_names(request.names)
    inside = is_body(request.iss, jurisdiction.namespaces)
    if not inside or request.iss == jurisdiction.entity_id:
        raise RefusedError(
            f"{request.iss} is no body in the name spaces of {jurisdiction.code}",
            code="ISSUER_OUTSIDE_NAMESPACE",
            hint=f"Its host must lie in: {', '.join(jurisdiction.namespaces)}.",
        )


def _list_key(
    office: Office,
    session: Session,
    jurisdiction: JurisdictionRow,
    entity: EntityRow,
    *,
    public: PublicKey,
    proof: str,
) -> None:
    purpose = "credential" if entity.kind == "issuer" else "statement"
    known = [row.kid for row in repository.keys_of(session, entity, purpose)]
    if public.kid in known:
        return
    holders = repository.find_credential_keys(session, public.kid)
    if any(holder.id != entity.id for _, holder in holders):
        raise RefusedError(
            "this key is listed for another body", code="STATE_CONFLICT", hint="Make a new key."
        )
    office.note(session, "key", entity.entity_id)
    if entity.kind == "issuer":
        add_certified_key(
            office, session, jurisdiction, entity, public, purpose=purpose, proof=proof
        )
    else:
        repository.add_key(session, entity, public, purpose=purpose, nbf=office.start, proof=proof)


def add_certified_key(
    office: Office,
    session: Session,
    jurisdiction: JurisdictionRow,
    entity: EntityRow,
    public: PublicKey,
    *,
    purpose: str,
    proof: str | None = None,
) -> EntityKeyRow:
    """List a key with a certificate of the jurisdiction's authority."""
    certified = certify(
        office, jurisdiction, public, entity_id=entity.entity_id, name=entity.names["en"]
    )
    return repository.add_key(
        session,
        entity,
        public,
        purpose=purpose,
        nbf=certified.nbf,
        sign_until=certified.sign_until,
        x5c=certified.x5c,
        proof=proof,
    )


def role_keys(session: Session, row: JurisdictionRow, purpose: str) -> Sequence[EntityKeyRow]:
    """The root's keys for one purpose. Raises UnavailableError where there are none."""
    root = repository.find_entity(session, row.code, row.entity_id, "root")
    keys = repository.keys_of(session, root, purpose) if root else []
    if not keys:
        raise UnavailableError(f"{row.code} has no key for {purpose}: the database is damaged")
    return keys


def answer(
    session: Session, entity: EntityRow, blocks: list[str], *, code: str | None = None
) -> Enrolment:
    """What an issuer needs besides the public trust data; `blocks` names the ones to tell.

    code  as for `another_block`
    """
    root = versions(session, entity.jurisdiction, "root")[0]
    keys = repository.keys_of(session, entity, "credential")
    return Enrolment(
        entity_id=entity.entity_id,
        jurisdiction=entity.jurisdiction,
        root_s256=root.sha256,
        x5c={key.kid: key.x5c for key in keys},
        blocks=[block_document(session, block, code=code) for block in blocks],
    )


def another_block(
    office: Office, session: Session, issuer: EntityRow, count: int, *, code: str | None = None
) -> Enrolment:
    """One more block of status indices.

    code  told by `issuer restored`; the block shows by it that it was made after that

    Raises UsageError, UnavailableError `STATUS_LIST_UNPUBLISHED`.
    """
    if code is not None and not _CODE.fullmatch(code):
        raise UsageError(
            "this is no code of a restore", hint="Name the one that `issuer restored` told."
        )
    block = reserve_block(office, session, issuer, count).id
    return answer(session, issuer, [block], code=code)


def describe(session: Session, entity: EntityRow) -> dict[str, Any]:
    """An entity for people and machines."""
    purpose = "credential" if entity.kind == "issuer" else "statement"
    return {
        "entity_id": entity.entity_id,
        "jurisdiction": entity.jurisdiction,
        "kind": entity.kind,
        "names": entity.names,
        "keys": [row.kid for row in repository.keys_of(session, entity, purpose)],
        "blocks": [block.id for block in blocks_of(session, entity.id)],
    }
