"""Bodies over HTTP: who is listed, for everybody; keys, blocks and verifiers, by operators."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from registry.acts import (
    CODE,
    KEYED,
    Body,
    Code,
    EntityId,
    Octets,
    new_router,
    once,
)
from registry.house import House
from registry.issuers import repository
from registry.issuers.listing import Listing, shown
from registry.issuers.service import another_block, describe, enrol
from registry.issuers.verifying import enrol_verifier
from registry.jurisdictions.repository import get_jurisdiction
from registry.office import Office
from registry.operators.endpoints import ANYONE, REGISTRARS, operator
from registry.publishing.endpoints import TAGGED
from schemas.registry import MAX_BLOCK, Enrolment, RestoreCode, VerifierEnrolment
from talentseal.encoding import MAX_JWS_BYTES, dump_json, parse_time, to_seconds
from talentseal.service.answers import add_public, public
from talentseal.service.auth import Actor
from talentseal.service.paging import Cursor, Limit, after, number_after, page

LIST_SECONDS = 60
DEFAULT_BLOCK = 256
Kind = Literal["issuer", "authority", "status"]
Jws = Annotated[str, Field(max_length=MAX_JWS_BYTES, pattern=r"^[A-Za-z0-9_.-]+$")]
Filter = Annotated[str | None, Query(max_length=100, pattern=r"^[A-Za-z0-9/_.-]+$")]
CodeFilter = Annotated[str | None, Query(max_length=20, pattern=CODE, examples=["CN/4403"])]


class IssuerBody(Body):
    """A signed enrolment request, and as what its key is to be listed."""

    jurisdiction: Code
    request: Jws
    kind: Literal["issuer", "authority"] = "issuer"
    block: int = Field(default=DEFAULT_BLOCK, ge=1, le=MAX_BLOCK)


class BlockBody(Body):
    """Whose block it is to be; `restored`: the code that `issuer restored` told."""

    issuer: EntityId
    jurisdiction: Code | None = None
    count: int = Field(default=DEFAULT_BLOCK, ge=1, le=MAX_BLOCK)
    restored: RestoreCode | None = None


class VerifierBody(Body):
    """A signed request; `same_body`: the body that has the host in its entity id asks itself."""

    jurisdiction: Code
    request: Jws
    same_body: bool = False


class KeyView(BaseModel):
    kid: str
    state: Literal["active", "retired", "compromised"]


class PublishedRight(BaseModel):
    jti: str
    by: str
    types: list[str]
    territory: list[str]
    profession: list[str] | None
    nbf: str
    exp: str
    holds: bool = Field(description="At the time asked for.")


class ListedView(BaseModel):
    entity_id: str
    jurisdiction: str
    kind: Kind
    names: dict[str, str]
    keys: list[KeyView]
    rights: list[PublishedRight]


class ListedPage(BaseModel):
    items: list[ListedView]
    next: str | None


class BodyView(BaseModel):
    entity_id: str
    jurisdiction: str
    kind: Kind
    names: dict[str, str]
    keys: list[str]
    blocks: list[str]


class BodyPage(BaseModel):
    items: list[BodyView]
    next: str | None


def issuers_router(house: House) -> APIRouter:
    router = new_router("issuers")
    _add_listing(router, house)
    _add_books(router, house)
    _add_acts(router, house)
    return router


def _add_listing(router: APIRouter, house: House) -> None:
    listing = Listing(house.shelf)

    def listed(  # noqa: PLR0917  a query has as many parts
        request: Request,
        jurisdiction: CodeFilter = None,
        kind: Kind | None = None,
        type_id: Annotated[Filter, Query(alias="type", examples=["professional-title/1"])] = None,
        territory: Filter = None,
        at: Annotated[str | None, Query(max_length=40, examples=["2026-11-21T09:00:00Z"])] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Who is listed, and for what; filters on rights take those that hold at that time."""
        now = to_seconds(house.clock())
        moment = now if at is None else to_seconds(parse_time(at))
        behind = after(cursor) or ""
        found = [
            body
            for body in listing.bodies()
            if body.key > behind
            and jurisdiction in (None, body.jurisdiction)
            and kind in (None, body.entity.kind)
            and body.has_right(type_id, territory, moment, now=now)
        ]
        headers = Response()
        told = page(
            found[: limit + 1], limit, key=lambda body: body.key,
            shown=lambda body: shown(body, at=moment, now=now), request=request, response=headers,
        )  # fmt: skip
        as_of = max((edition.as_of for edition in house.shelf.editions()), default=now)
        answer = public(
            request, dump_json(told), "application/json", changed_at=as_of, max_age=LIST_SECONDS
        )
        if "link" in headers.headers:
            answer.headers["Link"] = headers.headers["link"]
        return answer

    add_public(router, "/v1/issuers", listed, response_model=ListedPage, responses=TAGGED)


def _add_books(router: APIRouter, house: House) -> None:
    Anyone = Annotated[Actor, Depends(operator(house, ANYONE))]  # noqa: N806  a type

    @router.get("/v1/bodies", response_model=BodyPage)
    def bodies(  # noqa: PLR0917  a query has as many parts
        request: Request,
        response: Response,
        _: Anyone,
        jurisdiction: CodeFilter = None,
        kind: Kind | None = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """Everybody on the books, listed already or not yet."""
        response.headers["Cache-Control"] = "no-store"
        behind = number_after(cursor)
        with house.view().reading() as session:
            rows = repository.bodies_page(
                session, jurisdiction, kind, after=behind, limit=limit + 1
            )
            return page(
                rows, limit, key=lambda row: str(row.id), shown=lambda row: describe(session, row),
                request=request, response=response,
            )  # fmt: skip


def _add_acts(router: APIRouter, house: House) -> None:
    Registrar = Annotated[Actor, Depends(operator(house, REGISTRARS))]  # noqa: N806  a type

    @router.post("/v1/issuers", status_code=201, response_model=Enrolment, dependencies=KEYED)
    def new_issuer(request: Request, who: Registrar, body: IssuerBody, octets: Octets) -> Response:
        """List the key of a signed request, as `registry issuer new` does."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            row = get_jurisdiction(session, body.jurisdiction)
            found = enrol(office, session, row, body.request, kind=body.kind, block=body.block)
            return found.model_dump(), [row.code]

        return once(house, request, who, octets, act, roles=REGISTRARS)

    @router.post("/v1/blocks", status_code=201, response_model=Enrolment, dependencies=KEYED)
    def new_block(request: Request, who: Registrar, body: BlockBody, octets: Octets) -> Response:
        """Set another block of status indices aside, as `registry issuer block` does."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            entity = repository.get_issuer(session, body.issuer, body.jurisdiction)
            found = another_block(office, session, entity, body.count, code=body.restored)
            return found.model_dump(), []

        return once(house, request, who, octets, act, roles=REGISTRARS)

    @router.post(
        "/v1/verifiers", status_code=201, response_model=VerifierEnrolment, dependencies=KEYED
    )
    def new_verifier(
        request: Request, who: Registrar, body: VerifierBody, octets: Octets
    ) -> Response:
        """Certify a verifier, as `registry verifier new` does."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            row = get_jurisdiction(session, body.jurisdiction)
            found = enrol_verifier(office, session, row, body.request, same_body=body.same_body)
            return found.model_dump(), [row.code]

        return once(house, request, who, octets, act, roles=REGISTRARS)
