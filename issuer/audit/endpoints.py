"""`GET /v1/audit`: the trail of acts, for auditors."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from issuer.audit import trail
from issuer.database import reading
from issuer.office import Office
from issuer.officers.endpoints import officer
from issuer.officers.service import AUDITOR
from talentseal.encoding import format_time
from talentseal.service.app import StrictRoute
from talentseal.service.auth import Actor
from talentseal.service.paging import Cursor, Limit, number_after, page

Word = Annotated[str | None, Query(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class AuditView(BaseModel):
    """One act; `digest` is SHA-256 over `previous` and the members before it."""

    number: int
    at: str
    act: str
    actor: str = Field(description="Id of an officer, `operator`, or `wallet`.")
    certificate: str | None
    issuance: str | None
    reason: str | None
    count: int | None
    previous: str
    digest: str


class AuditPage(BaseModel):
    items: list[AuditView]
    next: str | None


def audit_router(office: Office) -> APIRouter:
    router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=StrictRoute)
    Auditor = Annotated[Actor, Depends(officer(office, AUDITOR))]  # noqa: N806  a type

    @router.get("", response_model=AuditPage)
    def listed(  # noqa: PLR0917  a query has as many parts
        request: Request,
        response: Response,
        _: Auditor,
        act: Word = None,
        actor: Word = None,
        certificate: Word = None,
        issuance: Word = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """Acts in the order in which they were done."""
        given = {"act": act, "actor": actor, "certificate": certificate, "issuance": issuance}
        filters = {name: value for name, value in given.items() if value is not None}
        with reading(office.engine) as db:
            rows = trail.listed(db, filters, after=number_after(cursor), limit=limit + 1)
        response.headers["Cache-Control"] = "no-store"
        return page(
            rows, limit, key=lambda row: str(row["number"]), shown=_shown, request=request,
            response=response,
        )  # fmt: skip

    return router


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "at": format_time(row["at"])}
