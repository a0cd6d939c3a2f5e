"""`/v1/issuances`: prepare, look, correct, approve, issue on paper, withdraw."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from issuer.acts import Match, Octets, answer, once, place_after
from issuer.database import reading
from issuer.issuance.models import Issued
from issuer.issuances import service
from issuer.issuances.models import Draft, Issuance, State
from issuer.office import Office
from issuer.officers.endpoints import officer
from issuer.officers.service import APPROVER, ISSUER, PREPARER
from talentseal import qr
from talentseal.encoding import format_time, to_seconds
from talentseal.errors import UsageError
from talentseal.service.app import StrictRoute
from talentseal.service.auth import Actor
from talentseal.service.paging import Cursor, Limit, page

PNG, JSON = "image/png", "application/json"
Language = Literal["zh-Hans", "zh-Hant", "en", "pt"]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$", description="Of the issuance.")]
Clock = Callable[[], datetime]


class DraftBody(BaseModel):
    """What a certificate is to say."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: str = Field(max_length=100, examples=["professional-title/1"])
    claims: dict[str, Any] = Field(description="By the table of the type.")
    territory: list[Annotated[str, Field(max_length=100)]] = Field(min_length=1, max_length=16)
    languages: list[Language] = Field(
        default=["zh-Hans", "zh-Hant", "en", "pt"], min_length=1, max_length=4
    )

    def draft(self) -> Draft:
        return Draft(self.type, self.claims, self.territory, self.languages)


class IssuanceView(BaseModel):
    """An issuance as officers see it; `claims` only where one is read, and while it has them."""

    id: str
    type: str
    state: State
    version: int
    territory: list[str]
    languages: list[str]
    prepared_by: str
    approved_by: str | None
    created_at: str
    ends_at: str
    certificate: str | None
    claims: dict[str, Any] | None = None


class IssuancePage(BaseModel):
    items: list[IssuanceView]
    next: str | None


class PaperView(BaseModel):
    """A sealed certificate as the text of its code; the picture by `Accept: image/png`."""

    certificate: str
    code: str
    one_language: bool


def issuances_router(office: Office, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/issuances", tags=["issuances"], route_class=StrictRoute)
    _add_reading(router, office)
    _add_preparing(router, office, clock)
    _add_deciding(router, office, clock)
    _add_paper(router, office, clock)
    return router


def _add_reading(router: APIRouter, office: Office) -> None:
    Reader = Annotated[Actor, Depends(officer(office, *service.READERS))]  # noqa: N806  a type

    @router.get("", response_model=IssuancePage)
    def listed(  # noqa: PLR0917  a query has as many parts
        request: Request,
        response: Response,
        who: Reader,
        state: State | None = None,
        type_id: Annotated[str | None, Query(alias="type", max_length=100)] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """Those that the officer may see, oldest first, without claims."""
        given = {"state": state, "type": type_id}
        filters = {name: str(value) for name, value in given.items() if value is not None}
        with reading(office.engine) as db:
            rows = service.listed(db, who, filters, after=place_after(cursor), limit=limit + 1)
        response.headers["Cache-Control"] = "no-store"
        return page(
            rows, limit, key=lambda row: f"{row.created_at} {row.id}", shown=shown,
            request=request, response=response,
        )  # fmt: skip

    @router.get("/{issuance}", response_model=IssuanceView)
    def read(issuance: Id, who: Reader) -> Response:
        """One of them, with its claims while it has them."""
        with reading(office.engine) as db:
            row = service.read(db, who, issuance)
        return answer({**shown(row), "claims": row.claims})


def _add_preparing(router: APIRouter, office: Office, clock: Clock) -> None:
    Preparer = Annotated[Actor, Depends(officer(office, PREPARER))]  # noqa: N806  a type

    @router.post("", status_code=201, response_model=IssuanceView)
    def prepare(request: Request, who: Preparer, body: DraftBody, octets: Octets) -> Response:
        """Keep what a certificate will say, if this issuer may seal it."""
        now, draft = clock(), body.draft()

        def act(db: Connection) -> tuple[int, dict[str, Any]]:
            return 201, shown(service.prepare(db, office, who, draft, now=now))

        made = once(office, request, who.id, octets, act, at=to_seconds(now))
        return answer(made, status=201, Location=f"/v1/issuances/{made['id']}")

    @router.put("/{issuance}", response_model=IssuanceView)
    def correct(
        request: Request,
        issuance: Id,
        who: Preparer,
        *,
        body: DraftBody,
        octets: Octets,
        match: Match,
    ) -> Response:
        """Say something else; it must then be approved anew."""
        now, draft = clock(), body.draft()

        def act(db: Connection) -> tuple[int, dict[str, Any]]:
            row = service.correct(db, office, who, issuance, draft, match=match, now=now)
            return 200, shown(row)

        return answer(once(office, request, who.id, octets, act, at=to_seconds(now)))


def _add_deciding(router: APIRouter, office: Office, clock: Clock) -> None:
    Approver = Annotated[Actor, Depends(officer(office, APPROVER))]  # noqa: N806  types
    Reader = Annotated[Actor, Depends(officer(office, *service.READERS))]  # noqa: N806

    @router.post("/{issuance}/approve", response_model=IssuanceView)
    def approve(
        request: Request, issuance: Id, who: Approver, octets: Octets, match: Match
    ) -> Response:
        """The second pair of eyes; never the preparer's own."""
        now = clock()

        def act(db: Connection) -> tuple[int, dict[str, Any]]:
            return 200, shown(service.approve(db, who, issuance, match=match, now=now))

        return answer(once(office, request, who.id, octets, act, at=to_seconds(now)))

    @router.post("/{issuance}/withdraw", response_model=IssuanceView)
    def withdraw(
        request: Request, issuance: Id, who: Reader, octets: Octets, match: Match
    ) -> Response:
        """Give it up; its claims are erased."""
        now = clock()

        def act(db: Connection) -> tuple[int, dict[str, Any]]:
            return 200, shown(service.withdraw(db, who, issuance, match=match, now=now))

        return answer(once(office, request, who.id, octets, act, at=to_seconds(now)))


def _add_paper(router: APIRouter, office: Office, clock: Clock) -> None:
    Issuer = Annotated[Actor, Depends(officer(office, ISSUER))]  # noqa: N806  a type

    @router.post(
        "/{issuance}/paper",
        response_model=PaperView,
        responses={200: {"content": {PNG: {"schema": {"type": "string", "format": "binary"}}}}},
    )
    def paper(
        request: Request, issuance: Id, who: Issuer, octets: Octets, match: Match
    ) -> Response:
        """Seal it as one code to print; its text, or its picture by `Accept`."""
        now, wanted = clock(), _wanted(request)
        office.check_key()

        def act(db: Connection) -> tuple[int, dict[str, Any]]:
            issued = service.issue_on_paper(db, office, who, issuance, match=match, now=now)
            return 200, paper_shown(issued)

        made = once(office, request, who.id, octets, act, at=to_seconds(now), secret=True)
        return answer(made) if wanted == JSON else _picture(made)


def _wanted(request: Request) -> str:
    """JSON unless a picture alone is asked for. Raises UsageError `NOT_ACCEPTABLE`."""
    given = request.headers.get("accept", "*/*")
    kinds = {one.partition(";")[0].strip().lower() for one in given.split(",")}
    if kinds & {"*/*", "application/*", JSON}:
        return JSON
    if kinds & {"image/*", PNG}:
        return PNG
    raise UsageError("a code is offered as JSON or PNG", code="NOT_ACCEPTABLE")


def _picture(made: Any) -> Response:
    headers = {"Cache-Control": "no-store", "Talentseal-Certificate": made["certificate"]}
    return Response(qr.to_png(qr.encode(made["code"], level="M")), headers=headers, media_type=PNG)


def paper_shown(issued: Issued) -> dict[str, Any]:
    return {
        "certificate": issued.number,
        "code": issued.code_text(),
        "one_language": issued.one_language,
    }


def shown(row: Issuance) -> dict[str, Any]:
    """Everything but the claims."""
    return {
        "id": row.id, "type": row.type_id, "state": row.state, "version": row.version,
        "territory": list(row.territory), "languages": list(row.languages),
        "prepared_by": row.prepared_by, "approved_by": row.approved_by,
        "created_at": format_time(row.created_at), "ends_at": format_time(row.ends_at),
        "certificate": row.certificate,
    }  # fmt: skip
