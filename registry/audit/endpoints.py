"""`/v1/audit`: who has done what, for every operator to read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from registry.acts import new_router
from registry.audit.trail import listed
from registry.house import House
from registry.operators.endpoints import ANYONE, operator
from talentseal.service.auth import Actor
from talentseal.service.paging import Cursor, Limit, number_after, page

Filter = Annotated[str | None, Query(max_length=512, pattern=r"^[ -~]+$")]


class ActView(BaseModel):
    number: int
    at: str
    actor: str
    act: str
    subject: str
    digest: str | None = Field(description="SHA-256 (hex) over this row and the digest before.")


class ActPage(BaseModel):
    items: list[ActView]
    next: str | None


def audit_router(house: House) -> APIRouter:
    router = new_router("audit")
    Anyone = Annotated[Actor, Depends(operator(house, ANYONE))]  # noqa: N806  a type

    @router.get("/v1/audit", response_model=ActPage)
    def acts(  # noqa: PLR0917  a query has as many parts
        request: Request,
        response: Response,
        _: Anyone,
        actor: Filter = None,
        act: Filter = None,
        subject: Filter = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """Acts in the order in which they were done."""
        response.headers["Cache-Control"] = "no-store"
        given = {"actor": actor, "act": act, "subject": subject}
        filters = {name: value for name, value in given.items() if value is not None}
        behind = number_after(cursor)
        with house.view().reading() as session:
            rows = listed(session, filters, after=behind, limit=limit + 1)
        return page(
            rows, limit, key=lambda row: str(row["number"]), shown=dict, request=request,
            response=response,
        )  # fmt: skip

    return router
