"""Documents that issuers sign with a listed key: orders and requests, opened and not yet believed.

What they ask for is judged elsewhere; here the type, the shape, the key, the signature and the time
are. A document carries its own proof of who sent it, so that no password is needed.

Standard: RFC 7515.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy.orm import Session

from registry.issuers.models import EntityKeyRow, EntityRow
from registry.issuers.repository import find_credential_keys
from schemas.registry import HeldBlock, StatusBlockRequest, StatusOrder
from talentseal.encoding import CLOCK_SKEW_SECONDS, parse_json
from talentseal.errors import InputError, RefusedError
from talentseal.jose import check_header, is_sealed_by, kid_of, parse_jws
from talentseal.keys import PublicKey

MAX_SIGNED_BYTES = 2 * 1024 * 1024  # an order of ten thousand changes
MAX_SIGNED_MEMBERS = 50_000


Document = TypeVar("Document", StatusOrder, StatusBlockRequest, HeldBlock)


def text_of(data: bytes) -> str:
    """The text of a document. Raises InputError `MALFORMED`."""
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise InputError("a signed document is ASCII text", code="MALFORMED") from error


def digest_of(text: str) -> str:
    """SHA-256 (hex) by which a document is known again."""
    return hashlib.sha256(text.encode()).hexdigest()


def open_signed(
    session: Session, text: str, typ: str, model: type[Document], *, now: int
) -> tuple[Document, EntityRow]:
    """The document, and the issuer whose listed key has signed it.

    Raises InputError, or RefusedError `KEY_UNKNOWN` for a key that is not listed.
    """
    jws = parse_jws(text, max_bytes=MAX_SIGNED_BYTES)
    check_header(jws.header, typ)
    document = _parse(jws.payload, model)
    key, issuer = _key_of(find_credential_keys(session, kid_of(jws.header)), document.iss)
    if not is_sealed_by(jws, PublicKey.from_jwk(key.jwk)):
        raise InputError("the signature does not hold", code="SIGNATURE_INVALID")
    if document.iat > now + CLOCK_SKEW_SECONDS:
        raise InputError("a document from the future", code="REQUEST_INVALID")
    return document, issuer


def parse_signed(text: str, model: type[Document]) -> Document:
    """A document that was taken before; neither signature nor time is looked at again."""
    return _parse(parse_jws(text, max_bytes=MAX_SIGNED_BYTES).payload, model)


def _parse(payload: bytes, model: type[Document]) -> Document:
    """Raises InputError `MALFORMED`, `TOO_LARGE`, `REQUEST_INVALID`."""
    claims = parse_json(payload, max_bytes=MAX_SIGNED_BYTES, max_members=MAX_SIGNED_MEMBERS)
    try:
        return model.model_validate(claims)
    except ValidationError as error:
        raise InputError(
            "the document does not have the shape of its type", code="REQUEST_INVALID"
        ) from error


def _key_of(
    candidates: Sequence[tuple[EntityKeyRow, EntityRow]], iss: str
) -> tuple[EntityKeyRow, EntityRow]:
    for key, issuer in candidates:
        if issuer.entity_id == iss and key.state != "compromised":
            return key, issuer
    raise RefusedError(
        "no issuer of that name has the key that signed this",
        code="KEY_UNKNOWN",
        hint="Sign with a key that was enrolled.",
    )
