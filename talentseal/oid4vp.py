"""Requests for presentations and the answers to them: built, signed, read and refused.

A verifier says who it is by a client identifier with a prefix. `x509_san_dns:` and `x509_hash:`
are proven by a signed request object whose certificate leads to an authority that the wallet knows;
`redirect_uri:` proves nothing but where the answer goes. A request with any defect is refused
before anything is sent, and only what stands inside a request object counts. What the person is
asked, and what is posted, is left to the wallet.

Standards: OpenID4VP 1.0 (final) §5, §8; request objects RFC 9101; `x5c` RFC 7515 §4.1.6.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

from schemas.openid4vp import (
    DIRECT_POST,
    DIRECT_POST_JWT,
    REQUEST_TYP,
    SDJWT_FORMAT,
    STATIC_AUDIENCE,
    ClientMetadata,
    DcqlQuery,
    RequestParameters,
)
from talentseal import jwe
from talentseal.encoding import (
    CLOCK_SKEW_SECONDS,
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    b64url_encode,
    dump_json,
    malformed,
    parse_json,
)
from talentseal.errors import InputError, RefusedError
from talentseal.jose import check_header, is_sealed_by, parse_jws, sign_jws
from talentseal.keys import Signer
from talentseal.links import REQUEST_SCHEMES, check_url, make_link, parameters_of
from talentseal.shapes import read_shape
from talentseal.x509 import leaf_under, parse_x5c

if TYPE_CHECKING:
    from cryptography import x509

SCHEME = "openid4vp"
REDIRECT_URI, X509_SAN_DNS, X509_HASH = "redirect_uri", "x509_san_dns", "x509_hash"
REQUEST_SECONDS = 600
ACCESS_DENIED = "access_denied"
_SIGNED = (X509_SAN_DNS, X509_HASH)
_OBJECTS = ("dcql_query", "client_metadata")  # JSON texts where they stand in a link
_ALGORITHMS = ("ES256",)
_MAX_VP_TOKEN_DEPTH = 8


class Invocation(NamedTuple):
    """What a link says, before anything is fetched or believed.

    parameters  all of the link's, for a request that is not signed
    """

    client_id: str
    request_uri: str | None
    request: str | None
    method: Literal["get", "post"]
    parameters: Mapping[str, str]


class Request(NamedTuple):
    """A request in which everything is right.

    host         proven by a certificate where `signed`, else merely where the answer goes
    elsewhere    host that gets the answer, where the certificate does not name it; else None
    name         organisation in the certificate, None where there is none
    keys, enc_values  for an encrypted answer
    """

    client_id: str
    host: str
    name: str | None
    signed: bool
    response_uri: str
    response_mode: str
    nonce: str
    state: str | None
    query: DcqlQuery
    keys: Sequence[Mapping[str, Any]]
    enc_values: Sequence[str] | None
    elsewhere: str | None = None

    @property
    def encrypted(self) -> bool:
        return self.response_mode == DIRECT_POST_JWT


class Response(NamedTuple):
    """An answer as it arrived: presentations not yet looked at, or an error."""

    vp_token: Any
    error: str | None
    state: str | None


# --- client identifiers (§5.9.3) ------------------------------------------------------------------


def client_id_of_host(host: str) -> str:
    return f"{X509_SAN_DNS}:{host}"


def client_id_of_leaf(der: bytes) -> str:
    """By the SHA-256 of the leaf certificate's DER bytes."""
    return f"{X509_HASH}:{b64url_encode(hashlib.sha256(der).digest())}"


def client_id_of_uri(response_uri: str) -> str:
    return f"{REDIRECT_URI}:{response_uri}"


# --- the verifier's side --------------------------------------------------------------------------


def request_claims(
    *,
    client_id: str,
    response_uri: str,
    nonce: str,
    state: str,
    query: DcqlQuery,
    client_name: str,
    issued_at: int,
    seconds: int = REQUEST_SECONDS,
    wallet_nonce: str | None = None,
    encryption_key: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The claims of a request object; with an encryption key the answer is to be encrypted."""
    algorithms = list(_ALGORITHMS)
    metadata: dict[str, Any] = {
        "client_name": client_name,
        "vp_formats_supported": {
            SDJWT_FORMAT: {"sd-jwt_alg_values": algorithms, "kb-jwt_alg_values": algorithms}
        },
    }
    if encryption_key is not None:
        metadata["jwks"] = {"keys": [dict(encryption_key)]}
        metadata["encrypted_response_enc_values_supported"] = list(jwe.ENC_VALUES)
    return {
        "response_type": "vp_token",
        "response_mode": DIRECT_POST if encryption_key is None else DIRECT_POST_JWT,
        "client_id": client_id,
        "response_uri": response_uri,
        "nonce": nonce,
        "state": state,
        "dcql_query": query.document(),
        "client_metadata": metadata,
        "aud": STATIC_AUDIENCE,
        "iat": issued_at,
        "exp": issued_at + seconds,
        **({} if wallet_nonce is None else {"wallet_nonce": wallet_nonce}),
    }


def sign_request(claims: Mapping[str, Any], *, signer: Signer, x5c: Sequence[str]) -> str:
    """A request object (RFC 9101).

    x5c  leaf first, anchor left out, standard base64; the leaf's key is the signer's
    """
    return sign_jws(dump_json(dict(claims)), {"typ": REQUEST_TYP, "x5c": list(x5c)}, signer)


def request_link(
    client_id: str, request_uri: str, *, post: bool = False, scheme: str = SCHEME
) -> str:
    """What a code or a button carries: the wallet fetches the request object itself."""
    method = {"request_uri_method": "post"} if post else {}
    return make_link(scheme, {"client_id": client_id, "request_uri": request_uri, **method})


def unsigned_link(claims: Mapping[str, Any], *, scheme: str = SCHEME) -> str:
    """A whole request in a link, for `redirect_uri:` identifiers, which prove nothing."""
    carried = {name: claims[name] for name in claims if name not in ("aud", "iat", "exp")}
    texts = {
        name: value if isinstance(value, str) else dump_json(value).decode()
        for name, value in carried.items()
    }
    return make_link(scheme, texts)


def read_response(
    fields: Mapping[str, str], *, private_key: Mapping[str, str] | None = None
) -> Response:
    """The form of an answer; fields that are not ours are ignored (§8.2, §8.3.1).

    private_key  JWK of the request, where the answer must be encrypted; a plain error is taken

    Raises InputError `MALFORMED`, `TOO_LARGE`, `ALG_NOT_ALLOWED`.
    """
    if "response" in fields:
        if private_key is None:
            malformed("an encrypted answer where none was asked for")
        members = parse_json(
            jwe.decrypt(fields["response"], private_key),
            max_bytes=jwe.MAX_JWE_CHARS,
            max_depth=_MAX_VP_TOKEN_DEPTH,
        )
        return _response(members, members.get("vp_token"))
    token = fields.get("vp_token")
    if token is None or "error" in fields:
        return _response(fields, None)
    if private_key is not None:
        malformed("a plain answer where an encrypted one was asked for")
    value = parse_json(
        token.encode("utf-8", "surrogatepass"),
        max_bytes=jwe.MAX_JWE_CHARS,
        max_depth=_MAX_VP_TOKEN_DEPTH,
    )
    return _response(fields, value)


def _response(members: Mapping[str, Any], vp_token: Any) -> Response:
    error, state = members.get("error"), members.get("state")
    if (error is None) == (vp_token is None):
        malformed("an answer holds either presentations or an error")
    if not isinstance(error, str | None) or not isinstance(state, str | None):
        malformed("error and state are texts")
    return Response(vp_token, error, state)


# --- the wallet's side: reading a request ---------------------------------------------------------


def parse_invocation(link: str) -> Invocation:
    """A link as a wallet is called with it. Raises InputError, RefusedError."""
    parameters = parameters_of(link, REQUEST_SCHEMES)
    uri, value = parameters.get("request_uri"), parameters.get("request")
    method = parameters.get("request_uri_method", "get")
    if "client_id" not in parameters:
        _refuse("the request does not say who asks")
    if uri is not None and value is not None:
        _refuse("the request comes twice, by value and by reference")
    if method not in ("get", "post") or ("request_uri_method" in parameters and uri is None):
        _refuse("the request is to be fetched in a way that does not exist")
    prefix = prefix_of(parameters["client_id"])
    if (uri is None and value is None) != (prefix == REDIRECT_URI):
        _refuse("a request that is not signed, or one whose signature nothing could prove")
    chosen: Literal["get", "post"] = "post" if method == "post" else "get"
    return Invocation(parameters["client_id"], uri, value, chosen, parameters)


def prefix_of(client_id: str) -> str:
    """The prefix of a client identifier. Raises RefusedError for one that is not read here."""
    prefix, colon, rest = client_id.partition(":")
    if not colon or not rest or prefix not in (REDIRECT_URI, *_SIGNED):
        _refuse("the verifier identifies itself in a way that is not known here")
    return prefix


def read_request_object(
    text: str,
    *,
    client_id: str,
    anchors: "Sequence[x509.Certificate]",
    now: int,
    wallet_nonce: str | None = None,
    dev: bool = False,
) -> Request:
    """A signed request, believed only after certificate, signature and every parameter.

    client_id     the identifier of the link, with its prefix
    anchors       authorities to which the verifier's certificate must lead
    wallet_nonce  what was posted, if anything; it must come back

    Raises InputError (`MALFORMED`, `TYPE_CONFUSION`, `CERT_PATH_INVALID`, `SIGNATURE_INVALID` ...)
    or RefusedError `REQUEST_INVALID`. Nothing is to be sent then.
    """
    prefix = prefix_of(client_id)
    token = parse_jws(text)
    check_header(token.header, REQUEST_TYP)
    chain = parse_x5c(token.header.get("x5c"))
    leaf = leaf_under(chain, anchors=anchors, at=now)
    if leaf.public is None or not is_sealed_by(token, leaf.public):
        raise InputError("not signed by the key of its certificate", code="SIGNATURE_INVALID")
    asked = read_shape(RequestParameters, parse_json(token.payload), "a request object")
    if asked.client_id != client_id:
        _refuse("the request names another verifier than the link")
    _check_name(prefix, client_id, chain[0], leaf.hosts)
    _check_times(asked, now)
    if asked.aud is not None and asked.aud != STATIC_AUDIENCE:
        _refuse("the request is meant for another wallet")
    if asked.wallet_nonce != wallet_nonce and wallet_nonce is not None:
        _refuse("the request does not answer this wallet's own nonce")
    request = _request(asked, dev=dev)
    if prefix == X509_SAN_DNS and request.host != client_id.partition(":")[2]:
        _refuse("the answer would go to another host than the verifier's own")
    is_own = request.host in leaf.hosts
    return request._replace(
        host=request.host if is_own else next(iter(leaf.hosts), ""),
        name=leaf.organisation,
        signed=True,
        elsewhere=None if is_own else request.host,
    )


def read_unsigned_request(invocation: Invocation, *, dev: bool = False) -> Request:
    """A request that stands in its link and proves nothing. Raises InputError, RefusedError."""
    if prefix_of(invocation.client_id) != REDIRECT_URI or invocation.request_uri is not None:
        _refuse("the request is not signed")
    values: dict[str, Any] = {
        name: _parsed(text) if name in _OBJECTS else text
        for name, text in invocation.parameters.items()
        if name not in ("aud", "iat", "nbf", "exp")
    }
    asked = read_shape(RequestParameters, values, "a request")
    request = _request(asked, dev=dev)
    if request.response_uri != invocation.client_id.partition(":")[2]:
        _refuse("the answer would go elsewhere than the verifier's name says")
    return request


def _parsed(text: str) -> Any:
    data = text.encode("utf-8", "surrogatepass")
    return parse_json(data, max_bytes=MAX_METADATA_BYTES, max_depth=MAX_METADATA_DEPTH)


def _check_name(prefix: str, client_id: str, leaf: bytes, hosts: Sequence[str]) -> None:
    """Whether the certificate is that of the client identifier."""
    if prefix == REDIRECT_URI:
        _refuse("a request with a redirect_uri identifier cannot be signed")
    if prefix == X509_HASH and client_id != client_id_of_leaf(leaf):
        _refuse("the request names another certificate than the one that signed it")
    if prefix == X509_SAN_DNS and client_id.partition(":")[2] not in hosts:
        _refuse("the request names another host than the certificate that signed it")


def _check_times(asked: RequestParameters, now: int) -> None:
    if asked.exp is not None and asked.exp <= now - CLOCK_SKEW_SECONDS:
        _refuse("the request has expired")
    if max(asked.iat or 0, asked.nbf or 0) > now + CLOCK_SKEW_SECONDS:
        _refuse("the request lies in the future")


def _request(asked: RequestParameters, *, dev: bool) -> Request:
    """A request by the parameters that no way of signing changes; its host is the answer's."""
    given = asked.model_fields_set
    if asked.response_type != "vp_token":
        _refuse("the request asks for something else than a presentation")
    if asked.response_mode not in (DIRECT_POST, DIRECT_POST_JWT):
        _refuse("the answer is wanted in a way that is not known here")
    if "transaction_data" in given:
        _refuse("the request asks for agreement to a transaction, which is not supported")
    if "redirect_uri" in given:
        _refuse("the request names a redirect address beside the one for the answer")
    if asked.nonce is None:
        _refuse("the request has no nonce, so an answer could be used again")
    if asked.response_uri is None:
        _refuse("the request does not say where the answer goes")
    if asked.dcql_query is None or "scope" in given:
        _refuse("the request must hold one query in DCQL, and no scope")
    metadata = asked.client_metadata or ClientMetadata()
    return Request(
        client_id=asked.client_id,
        host=check_url(asked.response_uri, dev=dev),
        name=None,
        signed=False,
        response_uri=asked.response_uri,
        response_mode=asked.response_mode,
        nonce=asked.nonce,
        state=asked.state,
        query=asked.dcql_query,
        keys=metadata.jwks.keys if metadata.jwks else (),
        enc_values=metadata.encrypted_response_enc_values_supported,
    )


def _refuse(message: str) -> NoReturn:
    raise RefusedError(
        message,
        code="REQUEST_INVALID",
        hint="Nothing was sent. Ask the verifier for a new request.",
    )


# --- the wallet's side: answering -----------------------------------------------------------------


def presentation_form(request: Request, vp_token: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The form that carries presentations by query id. Raises RefusedError without a usable key."""
    shown = {name: list(texts) for name, texts in vp_token.items()}
    if request.encrypted:
        return {"response": _encrypted(request, {"vp_token": shown})}
    return {"vp_token": dump_json(shown).decode(), **_state(request)}


def error_form(request: Request, error: str = ACCESS_DENIED) -> dict[str, str]:
    """The form that says no; encrypted where that was asked for and can be done (§8.3.1)."""
    if request.encrypted:
        try:
            return {"response": _encrypted(request, {"error": error})}
        except RefusedError:
            return {"error": error, **_state(request)}
    return {"error": error, **_state(request)}


def _encrypted(request: Request, members: Mapping[str, Any]) -> str:
    payload = dump_json({**members, **_state(request)})
    return jwe.encrypt(payload, request.keys, request.enc_values)


def _state(request: Request) -> dict[str, str]:
    return {} if request.state is None else {"state": request.state}
