"""What the endpoints of all features share: an act done once, bodies as they came, answers.

An act runs with its `Idempotency-Key` and its row of the audit trail in one transaction, in which
the caller's role is asked for again. The same call again gets the answer that was kept, for a day.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from sqlalchemy.orm import Session

from registry.house import House
from registry.office import Office
from registry.operators.service import acting
from registry.tables import idempotency
from talentseal.encoding import dump_json
from talentseal.errors import UsageError
from talentseal.service.app import StrictRoute
from talentseal.service.auth import Actor
from talentseal.service.idempotency import call_of, claim, keep

JOSE = "application/jose"
PROBLEM = "application/problem+json"
Act = Callable[[Office, Session], Mapping[str, Any]]
"""Does the act in a transaction; the document of the answer."""

_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "code", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "One of docs/reason-codes.md."},
        "instance": {"type": "string", "description": "Id of the request."},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A refusal (RFC 9457).",
        "content": {PROBLEM: {"schema": _PROBLEM_SCHEMA}},
    }
}
SIGNED_BODY = {
    "requestBody": {
        "required": True,
        "content": {JOSE: {"schema": {"type": "string", "description": "A compact JWS."}}},
    }
}


def new_router(tag: str) -> APIRouter:
    return APIRouter(tags=[tag], route_class=StrictRoute, responses=REFUSALS)


async def _octets(request: Request) -> bytes:
    return await request.body()


async def _signed(request: Request) -> bytes:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != JOSE:
        raise UsageError(f"a body of the type {JOSE} is wanted", code="MEDIA_TYPE_UNSUPPORTED")
    return await request.body()


def _key(
    _: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="16 to 64 characters, new for each act."),
    ] = None,
) -> None:
    """Documents the header; it is read by `call_of`."""


Octets = Annotated[bytes, Depends(_octets)]
"""The body as it came; the framework has read it already."""
Signed = Annotated[bytes, Depends(_signed)]
"""A body that is a signed document."""
KEYED = [Depends(_key)]
"""Dependencies of a route whose act is done once for each `Idempotency-Key`."""


def once(
    house: House,
    request: Request,
    who: Actor,
    octets: bytes,
    act: Act,
    *,
    roles: tuple[str, ...],
    status: int = 201,
) -> Response:
    """Do an act, or find what it answered before. Raises what `act` raises, and our errors."""
    office = house.view(who.id)
    call = call_of(request, who.id, octets)
    with office.transaction() as session:
        acting(session, who, *roles)
        kept = claim(session, idempotency, call, now=office.now)
        if kept is None:
            document = act(office, session)
            kept = keep(session, idempotency, call, status, document, now=office.now)
    return kept.response()


def answer(document: object, status: int = 200) -> Response:
    """A document for operators or issuers: never to be cached."""
    headers = {"Cache-Control": "no-store"}
    return Response(dump_json(document), status, headers, "application/json")
