"""What the endpoints of all features share: an act done once, bodies as they came, answers.

An act runs with its `Idempotency-Key` and its row of the audit trail in one transaction, in which
the caller's role is asked for again. The same call again gets the answer that was kept, for a day.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from registry.house import House
from registry.office import Office
from registry.operators.service import acting
from registry.tables import idempotency
from talentseal.encoding import dump_json
from talentseal.service.app import StrictRoute
from talentseal.service.auth import Actor
from talentseal.service.forms import check_media_type
from talentseal.service.idempotency import call_of, claim, keep, key_of

CODE = r"^[A-Z]{2}(/[0-9]{2,12})?$"
JOSE = "application/jose"
PROBLEM = "application/problem+json"
Act = Callable[[Office, Session], tuple[Mapping[str, Any], Collection[str]]]
"""Does the act in a transaction; the document of the answer, and what must be published anew."""

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


Code = Annotated[
    str, StringConstraints(pattern=CODE, max_length=20), Field(examples=["CN/4403"])
]  # fmt: skip
EntityId = Annotated[
    str,
    StringConstraints(pattern=r"^https://[!-~]+$", max_length=512),
    Field(examples=["https://titles.sz.example"]),
]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]
Names = Annotated[dict[str, Text], Field(max_length=20, examples=[{"en": "Example Office"}])]


class Body(BaseModel):
    """What an operator sends: every member known, every value of its type."""

    model_config = ConfigDict(extra="forbid", strict=True)


def new_router(tag: str) -> APIRouter:
    return APIRouter(tags=[tag], route_class=StrictRoute, responses=REFUSALS)


async def _octets(request: Request) -> bytes:
    return await request.body()


async def _signed(request: Request) -> bytes:
    check_media_type(request, JOSE)
    return await request.body()


def _key(
    _: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="16 to 64 characters, new for each act.",
            json_schema_extra={"pattern": "^[A-Za-z0-9._~-]{16,64}$"},
        ),
    ] = None,
) -> None:
    """Documents the header; it is read by `key_of`."""


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
    key = key_of(request.headers.get("idempotency-key"))
    call = call_of(key, who.id, method=request.method, path=request.url.path, body=octets)
    touched: Collection[str] = ()
    with office.transaction() as session:
        acting(session, who, *roles)
        kept = claim(session, idempotency, call)
        if kept is None:
            document, touched = act(office, session)
            kept = keep(session, idempotency, call, status, document, now=office.now)
    if touched:
        house.publisher.changed(*touched)
    return Response(kept.answer, kept.status, {"Cache-Control": "no-store"}, "application/json")


def answer(document: object, status: int = 200) -> Response:
    """A document for operators or issuers: never to be cached."""
    headers = {"Cache-Control": "no-store"}
    return Response(dump_json(document), status, headers, "application/json")
