"""`/v1/enrolments`: issuers ask to be listed; operators accept or refuse."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from registry.acts import (
    KEYED,
    SIGNED_BODY,
    Body,
    EntityId,
    Octets,
    Signed,
    answer,
    new_router,
    once,
)
from registry.house import House
from registry.issuers import repository
from registry.issuers.endpoints import DEFAULT_BLOCK
from registry.issuers.enrolling import accept, receive, refuse, refuse_all, shown
from registry.office import Office
from registry.operators.endpoints import ANYONE, REGISTRARS, operator
from registry.status_lists.signed import text_of
from schemas.registry import MAX_BLOCK, EnrolmentState
from talentseal.service.auth import Actor
from talentseal.service.paging import Cursor, Limit, after, page

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the request.")]
State = Literal["waiting", "accepted", "refused"]
Kid = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9_-]{43}$", description="Of the key, as the body tells it."),
]
Iss = Annotated[
    str | None,
    Query(pattern=r"^https://[!-~]+$", max_length=512, description="The body that is named."),
]


class AcceptBody(Body):
    """As what the key is listed."""

    kind: Literal["issuer", "authority"] = "issuer"
    block: int = Field(default=DEFAULT_BLOCK, ge=1, le=MAX_BLOCK)


class RefusalBody(Body):
    """`entity_id`: the body in whose name they wait."""

    entity_id: EntityId


class RefusalView(BaseModel):
    entity_id: str
    refused: int = Field(description="How many.")


class RequestView(BaseModel):
    id: str
    jurisdiction: str
    entity_id: str
    names: dict[str, str]
    kid: str
    state: State
    received_at: str
    decided_at: str | None
    decided_by: str | None


class RequestPage(BaseModel):
    items: list[RequestView]
    next: str | None


def enrolments_router(house: House) -> APIRouter:
    router = new_router("enrolments")
    _add_asking(router, house)
    _add_deciding(router, house)
    return router


def _add_asking(router: APIRouter, house: House) -> None:
    Anyone = Annotated[Actor, Depends(operator(house, ANYONE))]  # noqa: N806  a type

    @router.post("/v1/enrolments", openapi_extra=SIGNED_BODY, response_model=EnrolmentState)
    def ask(body: Signed) -> Response:
        """Ask to be listed; the same request again tells what became of it."""
        return answer(receive(house.view("issuer"), text_of(body)).model_dump())

    @router.get("/v1/enrolments", response_model=RequestPage)
    def listed(  # noqa: PLR0917  what may be asked
        request: Request,
        response: Response,
        _: Anyone,
        state: State | None = None,
        kid: Kid = None,
        iss: Iss = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """Requests by identifier."""
        response.headers["Cache-Control"] = "no-store"
        behind = after(cursor) or ""
        with house.view().reading() as session:
            rows = repository.requests_page(session, state, kid, iss, after=behind, limit=limit + 1)
        return page(
            rows, limit, key=lambda row: row.id, shown=shown, request=request, response=response
        )


def _add_deciding(router: APIRouter, house: House) -> None:
    Registrar = Annotated[Actor, Depends(operator(house, REGISTRARS))]  # noqa: N806  a type

    @router.post(
        "/v1/enrolments/{request_id}/accept", response_model=EnrolmentState, dependencies=KEYED
    )
    def accepted(
        request: Request, request_id: Id, who: Registrar, body: AcceptBody, octets: Octets
    ) -> Response:
        """List the key, with a certificate and status indices for a new issuer."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            found, code = accept(office, session, request_id, kind=body.kind, block=body.block)
            return found.model_dump(), [code]

        return once(house, request, who, octets, act, roles=REGISTRARS, status=200)

    @router.post(
        "/v1/enrolments/{request_id}/refuse", response_model=EnrolmentState, dependencies=KEYED
    )
    def refused(request: Request, request_id: Id, who: Registrar, octets: Octets) -> Response:
        """Give the request up; the body may ask anew."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            return refuse(office, session, request_id).model_dump(), []

        return once(house, request, who, octets, act, roles=REGISTRARS, status=200)

    @router.post("/v1/enrolments/refuse", response_model=RefusalView, dependencies=KEYED)
    def all_refused(
        request: Request, who: Registrar, body: RefusalBody, octets: Octets
    ) -> Response:
        """Give up all that wait in the name of a body, once its own request was accepted."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            count = refuse_all(office, session, body.entity_id)
            return {"entity_id": body.entity_id, "refused": count}, []

        return once(house, request, who, octets, act, roles=REGISTRARS, status=200)
