"""`GET /v1/receipts`: for auditors of this verifier alone."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from talentseal.errors import RefusedError
from talentseal.service.auth import Actor
from talentseal.service.paging import Cursor, Limit, after, page
from verifier.receipts.service import document, find, key_of, listed
from verifier.station import Station


def receipts_router(station: Station, actor: Callable[[Request], Actor]) -> APIRouter:
    router = APIRouter(prefix="/v1/receipts", tags=["receipts"])
    Who = Annotated[Actor, Depends(actor)]  # noqa: N806  a type, as FastAPI wants it

    @router.get("")
    def receipts(
        request: Request, response: Response, who: Who, limit: Limit = 50, cursor: Cursor = None
    ) -> dict[str, Any]:
        """Receipts, newest first."""
        who.require("auditor")
        response.headers["Cache-Control"] = "no-store"
        rows = listed(station.engine, after=after(cursor), limit=limit + 1)
        return page(rows, limit, key=key_of, shown=document, request=request, response=response)

    @router.get("/{number}")
    def receipt(number: str, response: Response, who: Who) -> dict[str, Any]:
        """One receipt."""
        who.require("auditor")
        response.headers["Cache-Control"] = "no-store"
        row = find(station.engine, number)
        if row is None:
            raise RefusedError("no such receipt", code="NOT_FOUND")
        return document(row)

    return router
