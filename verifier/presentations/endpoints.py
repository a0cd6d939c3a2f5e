"""Asking for a presentation (`/v1/presentations`) and the wallet's two addresses (`/oid4vp`)."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from schemas.openid4vp import DcqlQuery
from talentseal import dcql, qr
from talentseal.encoding import dump_json, format_time
from talentseal.errors import InputError, UsageError
from talentseal.service.answers import add_public
from talentseal.service.app import StrictRoute
from talentseal.service.auth import Actor
from talentseal.service.forms import FORM, read_form
from verifier.presentations import service
from verifier.presentations.queries import check_query
from verifier.station import Station

REQUEST_OBJECT = "application/oauth-authz-req+jwt"
BODY_CAPS = {"/oid4vp/response/": service.MAX_FORM_BYTES}
_NO_STORE = {"Cache-Control": "no-store"}
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Presented</title>
<p>Your answer has arrived. Go back to the page or the desk that asked for it.</p>
"""
Id = Annotated[str, Field(max_length=64)]


class Ask(BaseModel):
    """A request to begin. `query` names one of this verifier's queries; or give `dcql_query`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str | None = Field(default=None, max_length=64, examples=["professional-title"])
    dcql_query: dict[str, Any] | None = None
    policy: str = Field(default="default", max_length=64)
    place: str | None = Field(default=None, max_length=128)
    purpose: str | None = Field(default=None, max_length=64)
    mode: Literal["same_device", "cross_device"] = "cross_device"
    client_id_prefix: Literal["x509_san_dns", "x509_hash", "redirect_uri"] | None = None
    encrypted: bool = False


class Begun(BaseModel):
    """A request that waits; `request_url` calls a wallet, `qr` is its picture (SVG), if it fits."""

    id: str
    request_url: str
    request_uri: str | None
    qr: str | None
    expires_at: str


class Back(BaseModel):
    """The code that the wallet brought back, from the address's fragment."""

    model_config = ConfigDict(extra="forbid", strict=True)

    response_code: str = Field(max_length=64)


class State(BaseModel):
    """How a request stands; where there are several, `verdict` is the worst of all `verdicts`.

    `verdicts` are by query id, of each in the order in which they were shown.
    `message` is the sentence of `code`. A rejected answer has the verdicts on what was wrong with
    it, if it came so far: none of them accepts, and none says what was shown.
    """

    id: str
    state: Literal["waiting", "answered", "declined", "expired", "rejected", "not_returned"]
    code: str | None
    message: str | None
    verdict: dict[str, Any] | None
    verdicts: dict[str, list[dict[str, Any]]] | None = None
    expires_at: str


def presentations_router(station: Station, actor: Callable[[Request], Actor]) -> APIRouter:
    """The addresses of whoever asks; each sees only what it began itself."""
    router = APIRouter(prefix="/v1/presentations", tags=["presentations"], route_class=StrictRoute)
    Who = Annotated[Actor, Depends(actor)]  # noqa: N806  a type, as FastAPI wants it

    @router.post("", status_code=201)
    def ask(wish: Ask, who: Who, response: Response) -> Begun:
        """Ask a wallet for a presentation."""
        who.require("desk")
        begun = service.start(station, who, _wanted(station, wish))
        response.headers.update(_NO_STORE)
        return Begun(
            id=begun.id,
            request_url=begun.link,
            request_uri=begun.request_uri,
            qr=_picture(begun.link),
            expires_at=format_time(begun.expires_at),
        )

    @router.get("/{number}", response_model_exclude_none=False)
    def look(number: str, who: Who, response: Response) -> State:
        """How it stands, and the verdict once there is one."""
        who.require("desk")
        response.headers.update(_NO_STORE)
        return State.model_validate(service.result(station, who, number))

    @router.post("/{number}/return")
    def come_back(number: str, back: Back, who: Who, response: Response) -> State:
        """The browser that asked has come back with the wallet's code."""
        who.require("desk")
        response.headers.update(_NO_STORE)
        found = service.come_back(station, who, number, back.response_code)
        return State.model_validate(found)

    return router


def _picture(link: str) -> str | None:
    try:
        return qr.to_svg(qr.encode(link, level="L"))
    except InputError:  # an unsigned request carries its whole query
        return None


def _wanted(station: Station, wish: Ask) -> service.Wanted:
    prefix = wish.client_id_prefix or ("x509_san_dns" if station.access else "redirect_uri")
    return service.Wanted(
        query=_query(station.queries, wish),
        policy=wish.policy,
        place=wish.place,
        purpose=wish.purpose,
        mode=wish.mode,
        identifier=prefix,
        encrypted=wish.encrypted,
    )


def _query(known: Mapping[str, DcqlQuery], wish: Ask) -> DcqlQuery:
    if (wish.query is None) == (wish.dcql_query is None):
        raise UsageError("give either query or dcql_query")
    if wish.dcql_query is not None:
        return _own_query(wish.dcql_query)
    found = known.get(wish.query or "")
    if found is None:
        raise UsageError("no query of that name is here", hint=f"Known: {', '.join(sorted(known))}")
    return found


def _own_query(document: dict[str, Any]) -> DcqlQuery:
    try:
        query = dcql.parse_query(document)
    except InputError as error:
        raise UsageError(f"dcql_query: {error.message}", hint=error.hint) from error
    try:
        check_query(query)
    except UsageError as error:
        error.errors = [{**one, "pointer": f"/dcql_query{one['pointer']}"} for one in error.errors]
        raise
    return query


def wallet_router(station: Station) -> APIRouter:
    """The addresses that wallets call; what they are told is OpenID4VP's, not a problem."""
    router = APIRouter(tags=["openid4vp"])
    answers: dict[int | str, dict[str, Any]] = {
        200: {"content": {REQUEST_OBJECT: {"schema": {"type": "string"}}}}
    }

    def request_object(number: str) -> Response:
        """The signed request object, the same each time."""
        return _object(service.request_object(station, number))

    said = {"responses": answers, "response_class": Response}
    add_public(router, "/oid4vp/request/{number}", request_object, **said)

    @router.post(
        "/oid4vp/request/{number}",
        responses=answers,
        response_class=Response,
        openapi_extra=_form_body("wallet_metadata", "wallet_nonce"),
    )
    async def posted_request(number: str, request: Request) -> Response:
        """The same with the wallet's own nonce inside (§5.10)."""
        fields = await read_form(request)
        text = await run_in_threadpool(
            service.request_object, station, number, wallet_nonce=fields.get("wallet_nonce")
        )
        return _object(text)

    _add_answers(router, station)
    return router


def _add_answers(router: APIRouter, station: Station) -> None:
    @router.post(
        "/oid4vp/response/{number}",
        responses={
            400: {"description": "Refused, without detail.", "content": {"application/json": {}}}
        },
        openapi_extra=_form_body("vp_token", "state", "error", "response"),
    )
    async def response(number: str, request: Request) -> Response:
        """The wallet's answer; taken once."""
        try:
            fields = await read_form(request)
        except (InputError, UsageError):
            return _answer(service.REFUSED)
        return _answer(await run_in_threadpool(service.answer, station, number, fields))

    async def presented(number: str) -> Response:
        """Where the wallet brings the browser back; the code is in the fragment."""
        del number
        return Response(_PAGE, headers=_NO_STORE, media_type="text/html; charset=utf-8")

    page: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}}}
    add_public(router, "/presented/{number}", presented, response_class=Response, responses=page)


def _form_body(*names: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    return {"requestBody": {"content": {FORM: {"schema": schema}}}}


def _object(text: str) -> Response:
    return Response(text, headers=_NO_STORE, media_type=REQUEST_OBJECT)


def _answer(told: service.Told) -> Response:
    if not told.is_taken:
        body: dict[str, str] = {"error": "invalid_request"}
    else:
        body = {"redirect_uri": told.redirect_uri} if told.redirect_uri else {}
    status = 200 if told.is_taken else 400
    return Response(dump_json(body), status, _NO_STORE, "application/json")
