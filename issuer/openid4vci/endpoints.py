"""The addresses that wallets call: metadata, offers, token, nonce, credential and what follows.

Their refusals are the protocol's own JSON (`error`, `error_description`), never problem documents;
descriptions are ASCII and quote nothing. Members and parameters that nobody knows are ignored, as
the standard demands.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from issuer.authorization import service as authorization
from issuer.database import reading
from issuer.office import Office
from issuer.openid4vci import metadata, service
from schemas.openid4vci import DETAILS_TYPE, DeferredRequest
from talentseal.commandline import setting
from talentseal.encoding import dump_json, parse_json
from talentseal.errors import InputError, ProtocolError, TalentsealError, UnavailableError
from talentseal.service.answers import add_public, public
from talentseal.service.forms import FORM, media_type_of, read_form
from talentseal.shapes import read_shape

JSON = "application/json"
REGISTRY_URL = "TALENTSEAL_REGISTRY_URL"
METADATA_SECONDS = 300
_NO_STORE = {"Cache-Control": "no-store"}
_STATUS = {"invalid_token": 401, "insufficient_scope": 403}
_UNAVAILABLE = "temporarily_unavailable"
_MAX_DETAILS_BYTES = 16 * 1024

Clock = Callable[[], datetime]


def wallet_router(office: Office, base: str, clock: Clock) -> APIRouter:
    """`base`: Credential Issuer Identifier, an https URL without a slash at its end."""
    router = APIRouter(tags=["openid4vci"])
    _add_metadata(router, office, base, clock)
    _add_offers(router, office, base, clock)
    _add_token(router, office, clock)
    _add_credentials(router, office, base, clock)
    return router


def answer(document: Mapping[str, Any], status: int = 200, **headers: str) -> Response:
    return Response(dump_json(document), status, {**_NO_STORE, **headers}, JSON)


def refusal(error: TalentsealError) -> Response:
    """An error in the protocol's words (RFC 6749 §5.2, RFC 6750 §3)."""
    if isinstance(error, UnavailableError):
        return answer({"error": _UNAVAILABLE}, 503, **{"Retry-After": "5"})
    word = error.error if isinstance(error, ProtocolError) else "invalid_request"
    status = 413 if error.code == "BODY_TOO_LARGE" else _STATUS.get(word, 400)
    headers = {"WWW-Authenticate": f'Bearer error="{word}"'} if status in (401, 403) else {}
    return answer({"error": word, "error_description": _ascii(error.message)}, status, **headers)


def _ascii(text: str) -> str:
    """What an error_description may hold."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in text)[:200]


# --- metadata -------------------------------------------------------------------------------------


def _add_metadata(router: APIRouter, office: Office, base: str, clock: Clock) -> None:
    def told(request: Request, document: Mapping[str, Any]) -> Response:
        now = int(clock().timestamp())
        data = dump_json(document)
        return public(request, data, JSON, changed_at=now, max_age=METADATA_SECONDS)

    path = base.partition("://")[2].partition("/")[2]
    suffix = f"/{path}" if path else ""

    def issuer_metadata(request: Request) -> Response:
        """What this issuer offers (OpenID4VCI §12.2)."""
        document = metadata.issuer_metadata(base, office.bundle, office.standing())
        return told(request, document)

    def server_metadata(request: Request) -> Response:
        """The issuer as its own authorization server (RFC 8414)."""
        bundle = office.bundle
        registry = setting(REGISTRY_URL)
        lists = f"{registry.rstrip('/')}/status" if registry else None
        return told(request, metadata.server_metadata(base, bundle, office.entity_id, lists))

    def jwt_vc_issuer(request: Request) -> Response:
        """The same keys for readers without certificates (SD-JWT VC)."""
        standing = office.standing()
        keys = metadata.jwks(office.bundle, standing)
        return told(request, {"issuer": standing.iss, "jwks": {"keys": keys}})

    def jwks(request: Request) -> Response:
        """The public keys that seal."""
        return told(request, {"keys": metadata.jwks(office.bundle, office.standing())})

    endpoints = {
        f"/.well-known/openid-credential-issuer{suffix}": issuer_metadata,
        f"/.well-known/oauth-authorization-server{suffix}": server_metadata,
        "/.well-known/jwt-vc-issuer": jwt_vc_issuer,
        "/jwks": jwks,
    }
    for address, endpoint in endpoints.items():
        add_public(router, address, endpoint, response_class=Response)


def _add_offers(router: APIRouter, office: Office, base: str, clock: Clock) -> None:
    def offer(offer_id: str) -> Response:
        """An offer by reference, until it is used or has ended (§4.1.3)."""
        with reading(office.engine) as db:
            found = authorization.find_offer(db, base, offer_id, now=clock())
        if found is None:
            return answer({"error": "invalid_request"}, 404)
        return answer(found.document())

    gone = {404: {"description": "Used, ended, or none."}}
    add_public(router, "/offers/{offer_id}", offer, responses=gone)


# --- token, nonce ---------------------------------------------------------------------------------


def _add_token(router: APIRouter, office: Office, clock: Clock) -> None:
    names = ("grant_type", "pre-authorized_code", "tx_code", "authorization_details")
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}

    @router.post(
        "/token",
        responses={400: {"description": "OAuth error."}},
        openapi_extra={"requestBody": {"content": {FORM: {"schema": schema}}}},
    )
    async def token(request: Request) -> Response:
        """An access token for a pre-authorized code (§6)."""
        try:
            fields = await read_form(request)
            document = await run_in_threadpool(_redeem, office, fields, clock())
        except TalentsealError as error:
            return refusal(error)
        return answer(document)

    @router.post("/nonce")
    def nonce() -> Response:
        """A nonce for key proofs (§7)."""
        try:
            return answer({"c_nonce": authorization.new_nonce(office, now=clock())})
        except UnavailableError as error:
            return refusal(error)


def _redeem(office: Office, fields: Mapping[str, str], now: datetime) -> dict[str, Any]:
    asked = _details(fields.get("authorization_details"))
    redeemed = authorization.redeem(
        office,
        fields.get("grant_type"),
        fields.get("pre-authorized_code"),
        fields.get("tx_code"),
        details=asked,
        now=now,
    )
    document: dict[str, Any] = {
        "access_token": redeemed.token,
        "token_type": "Bearer",
        "expires_in": redeemed.expires_in,
    }
    if asked:
        document["authorization_details"] = [
            {
                "type": DETAILS_TYPE,
                "credential_configuration_id": name,
                "credential_identifiers": [f"{name}{service.IDENTIFIER_SUFFIX}"],
            }
            for name in asked
        ]
    return document


def _details(text: str | None) -> list[str]:
    """The configurations asked for by details, one at least (RFC 9396). Raises ProtocolError."""
    if text is None:
        return []
    try:
        listed = parse_json(text.encode(), max_bytes=_MAX_DETAILS_BYTES, top=list)
    except InputError as error:
        raise ProtocolError(error.message, error="invalid_authorization_details") from error
    names = [
        one.get("credential_configuration_id")
        for one in listed
        if isinstance(one, dict) and one.get("type") == DETAILS_TYPE
    ]
    known = metadata.configurations()
    is_known = all(isinstance(name, str) and name in known for name in names)
    if not names or len(names) != len(listed) or not is_known:
        raise ProtocolError(
            "details of another kind, or of no configuration", error="invalid_authorization_details"
        )
    return [str(name) for name in dict.fromkeys(names)]


# --- credential, deferred, notification -----------------------------------------------------------


def _add_credentials(router: APIRouter, office: Office, base: str, clock: Clock) -> None:
    told = {"description": "Error in the protocol's words."}
    refused: dict[int | str, dict[str, Any]] = dict.fromkeys((400, 401, 403), told)

    @router.post("/credential", responses=_answers(refused), openapi_extra=_json_body())
    async def credential(request: Request) -> Response:
        """Credentials for the keys that are proven (§8)."""

        def act(token: str, body: bytes) -> Response:
            return _handed(service.issue(office, token, body, issuer=base, now=clock()))

        return await _with_token(request, act, "invalid_credential_request")

    @router.post("/deferred", responses=_answers(refused), openapi_extra=_json_body())
    async def deferred(request: Request) -> Response:
        """Credentials that were deferred (§9)."""

        def act(token: str, body: bytes) -> Response:
            try:
                asked = read_shape(DeferredRequest, parse_json(body), "a deferred request")
            except InputError as error:
                raise ProtocolError(error.message, error="invalid_credential_request") from error
            ticket = asked.transaction_id
            return _handed(service.fetch_deferred(office, token, ticket, now=clock()))

        return await _with_token(request, act, "invalid_credential_request")

    @router.post(
        "/notification", status_code=204, responses=_answers(refused), openapi_extra=_json_body()
    )
    async def notification(request: Request) -> Response:
        """What became of a credential in the wallet (§11)."""

        def act(token: str, body: bytes) -> Response:
            try:
                document = parse_json(body)
            except InputError as error:
                raise ProtocolError(error.message, error="invalid_notification_request") from error
            service.notified(office, token, document, now=clock())
            return Response(status_code=204, headers=_NO_STORE)

        return await _with_token(request, act, "invalid_notification_request")


def _answers(refused: Mapping[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    return {202: {"description": "Deferred: a ticket and when to ask again."}, **refused}


def _json_body() -> dict[str, Any]:
    return {"requestBody": {"content": {JSON: {"schema": {"type": "object"}}}}}


async def _with_token(
    request: Request, act: Callable[[str, bytes], Response], wrong_kind: str
) -> Response:
    """Run an act with the token of the header and the body as it came."""
    try:
        token = _bearer(request)
        if media_type_of(request) != JSON:
            raise ProtocolError(f"a body of the type {JSON} is wanted", error=wrong_kind)
        return await run_in_threadpool(act, token, await request.body())
    except TalentsealError as error:
        return refusal(error)


def _bearer(request: Request) -> str:
    """The token, from the header and nowhere else (RFC 6750 §2.1). Raises ProtocolError."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or "access_token" in request.query_params:
        raise ProtocolError("an access token is wanted in the header", error="invalid_token")
    return token.strip()[:512]


def _handed(handed: service.Handed) -> Response:
    return answer(handed.document(), 202 if handed.transaction_id else 200)
