"""Offers and key proofs of OpenID4VCI: what issuer and wallet must understand alike.

An offer tells a wallet where to go; it holds no personal data and is believed by nobody. A key
proof shows that whoever asks for a credential holds the key to which it will be bound, now, for
this issuer and this nonce. Endpoints, tokens and the memory of nonces are the issuer's; consent
and storage are the wallet's.

Standard: OpenID4VCI 1.0 (final) §4.1 (offers), §8.2 and appendix F.1 (proofs), §12.2 (metadata).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from schemas.openid4vci import CredentialOffer, CredentialRequest
from talentseal.encoding import (
    CLOCK_SKEW_SECONDS,
    MAX_METADATA_BYTES,
    MAX_TIME,
    dump_json,
    is_time,
    parse_json,
)
from talentseal.errors import InputError, ProtocolError
from talentseal.jose import is_sealed_by, parse_jws, sign_jws
from talentseal.keys import JOSE_ALGORITHMS, PublicKey, Signer
from talentseal.links import OFFER_SCHEMES, check_url, make_link, parameters_of, well_known
from talentseal.shapes import parse_shape, read_shape

SCHEME = "openid-credential-offer"
ISSUER_METADATA = "openid-credential-issuer"
SERVER_METADATA = "oauth-authorization-server"
PROOF_TYP = "openid4vci-proof+jwt"
PROOF_WINDOW_SECONDS = 300
_KEY_HEADERS = frozenset(("jwk", "kid", "x5c"))
_PROOF_ALGORITHMS = frozenset(("ES256",))
_MAX_NONCE_CHARS = 1024


# --- offers (§4.1) --------------------------------------------------------------------------------


class OfferLink(NamedTuple):
    """What a link holds: the offer itself, or where it lies."""

    offer: CredentialOffer | None
    uri: str | None


def is_offer_link(text: str) -> bool:
    return text.partition(":")[0].lower() in OFFER_SCHEMES


def parse_offer_link(link: str, *, dev: bool = False) -> OfferLink:
    """A link as an issuer shows it; exactly one of the two ways. Raises InputError `MALFORMED`."""
    parameters = parameters_of(link, OFFER_SCHEMES)
    value, uri = parameters.get("credential_offer"), parameters.get("credential_offer_uri")
    if (value is None) == (uri is None):
        raise InputError("an offer comes by value or by reference, one of both", code="MALFORMED")
    if value is not None:
        return OfferLink(parse_offer(value.encode(), dev=dev), None)
    check_url(uri or "", dev=dev)
    return OfferLink(None, uri)


def parse_offer(data: bytes, *, dev: bool = False) -> CredentialOffer:
    """An offer. Raises InputError `MALFORMED` or `TOO_LARGE`."""
    offer = parse_shape(CredentialOffer, data, "an offer")
    check_url(offer.credential_issuer, dev=dev)
    return offer


def offer_link(offer: CredentialOffer) -> str:
    """A link that holds the offer itself."""
    return make_link(SCHEME, {"credential_offer": dump_json(offer.document()).decode()})


def offer_link_to(uri: str) -> str:
    """A link to where the offer lies, short enough for a code."""
    return make_link(SCHEME, {"credential_offer_uri": uri})


def issuer_metadata_url(issuer: str, *, dev: bool = False) -> str:
    """Where a Credential Issuer's metadata lies (§12.2.2). Raises InputError `MALFORMED`."""
    return well_known(issuer, ISSUER_METADATA, dev=dev)


def server_metadata_url(issuer: str, *, dev: bool = False) -> str:
    """Where an authorization server's metadata lies (RFC 8414 §3.1)."""
    return well_known(issuer, SERVER_METADATA, dev=dev)


# --- key proofs (appendix F.1) --------------------------------------------------------------------


class Proof(NamedTuple):
    """A proof in which everything is right but the nonce, which only its issuer can judge."""

    key: PublicKey
    nonce: str


def make_proof(
    signer: Signer, *, issuer: str, nonce: str | None, issued_at: int, client_id: str | None = None
) -> str:
    """A `jwt` proof for one key.

    issuer     Credential Issuer Identifier
    client_id  None where the wallet stays anonymous
    """
    claims: dict[str, Any] = {"aud": issuer, "iat": issued_at}
    claims |= {} if nonce is None else {"nonce": nonce}
    claims |= {} if client_id is None else {"iss": client_id}
    return sign_jws(dump_json(claims), {"typ": PROOF_TYP, "jwk": signer.public.jwk}, signer)


def check_proofs(
    request: CredentialRequest,
    *,
    issuer: str,
    now: int,
    batch_size: int,
    client_id: str | None = None,
) -> list[Proof]:
    """The proofs of a request, one to `batch_size`, by distinct keys and with one nonce.

    client_id  of the wallet that the token belongs to, None for an anonymous one

    Raises ProtocolError `invalid_proof` or `invalid_credential_request`. Whether the nonce was
    given out and is unused is for the caller, after everything else: `invalid_nonce`.
    """
    texts = _texts_of(request.proofs, batch_size)
    proofs = [check_proof(text, issuer=issuer, now=now, client_id=client_id) for text in texts]
    if len({proof.key for proof in proofs}) != len(proofs):
        _no_proof("two proofs by one key")
    if len({proof.nonce for proof in proofs}) != 1:
        _no_proof("proofs with different nonces")
    return proofs


def _texts_of(proofs: Any, batch_size: int) -> Sequence[str]:
    if not isinstance(proofs, dict) or proofs.keys() != {"jwt"}:
        _no_proof("proofs of exactly one type, jwt, are needed")
    texts: Any = proofs["jwt"]
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        _no_proof("the proofs are no list of texts")
    if len(texts) > batch_size:
        raise ProtocolError(
            f"{len(texts)} proofs; at most {batch_size} are taken",
            error="invalid_credential_request",
        )
    return list(texts)


def check_proof(text: str, *, issuer: str, now: int, client_id: str | None = None) -> Proof:
    """One `jwt` proof with its key in the header. Raises ProtocolError `invalid_proof`."""
    try:
        token = parse_jws(text)
        key = _proof_key(token.header)
        claims: dict[str, Any] = parse_json(token.payload)
    except InputError as error:
        raise ProtocolError(error.message, error="invalid_proof") from error
    if not is_sealed_by(token, key):
        _no_proof("the signature is not by the key shown")
    if claims.get("aud") != issuer:
        _no_proof("the proof is made for another issuer")
    issued_at: Any = claims.get("iat")
    if not is_time(issued_at) or abs(now - issued_at) > PROOF_WINDOW_SECONDS:
        _no_proof("the proof is not of now")
    _check_bounds(claims, now)
    if "iss" in claims and (client_id is None or claims["iss"] != client_id):
        _no_proof("the proof names another wallet than the token")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not 0 < len(nonce) <= _MAX_NONCE_CHARS:
        _no_proof("the proof has no nonce")
    return Proof(key, nonce)


def _check_bounds(claims: Mapping[str, Any], now: int) -> None:
    """The bounds that a wallet may have set to its proof (RFC 7519 §4.1.4, §4.1.5)."""
    ends, starts = claims.get("exp", MAX_TIME), claims.get("nbf", 0)
    if not (is_time(ends) and is_time(starts)):
        _no_proof("exp or nbf is no time")
    if ends <= now - CLOCK_SKEW_SECONDS or starts > now + CLOCK_SKEW_SECONDS:
        _no_proof("the proof has ended, or does not hold yet")


def _proof_key(header: Mapping[str, Any]) -> PublicKey:
    """The key of a proof: `jwk`, the one way that is offered. Raises InputError."""
    if header.get("typ") != PROOF_TYP:
        _no_proof("a token of another kind than a key proof")
    if "crit" in header or "b64" in header:
        _no_proof("a critical header is not understood")
    alg = header.get("alg")
    if not isinstance(alg, str) or JOSE_ALGORITHMS.get(alg) not in _PROOF_ALGORITHMS:
        _no_proof("the signature algorithm is not on the list")
    if header.keys() & _KEY_HEADERS != {"jwk"}:
        _no_proof("a proof shows exactly one key, as jwk")
    return PublicKey.from_jwk(header["jwk"])


def parse_credential_request(data: bytes) -> CredentialRequest:
    """The body of a credential request. Raises ProtocolError `invalid_credential_request`.

    Exactly one of identifier and configuration id; no `proof` of before the final text.
    """
    try:
        document = parse_json(data, max_bytes=MAX_METADATA_BYTES)
        request = read_shape(CredentialRequest, document, "a credential request")
    except InputError as error:
        raise ProtocolError(error.message, error="invalid_credential_request") from error
    named = (request.credential_identifier, request.credential_configuration_id)
    if named.count(None) != 1 or "proof" in document:
        raise ProtocolError(
            "one of credential_identifier and credential_configuration_id, and no proof member",
            error="invalid_credential_request",
        )
    return request


def _no_proof(message: str) -> NoReturn:
    raise ProtocolError(message, error="invalid_proof")
