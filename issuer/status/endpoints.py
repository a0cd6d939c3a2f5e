"""`/v1/credentials`: what was sealed, and its status: look up, revoke, suspend, reinstate."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from issuer.acts import Match, Octets, answer, once
from issuer.database import reading
from issuer.issuance.service import spelled
from issuer.office import Office
from issuer.officers.endpoints import officer
from issuer.officers.service import REVOKER, acting
from issuer.status import repository
from issuer.status.repository import Certificate
from issuer.status.service import change_in, unknown
from talentseal.encoding import format_time, to_seconds
from talentseal.service.app import StrictRoute
from talentseal.service.auth import Actor
from talentseal.service.paging import Cursor, Limit, number_after, page

State = Literal["valid", "suspended", "revoked"]
Number = Annotated[str, Path(max_length=20, description="As printed, such as 7Q4M2K9D.")]
Clock = Callable[[], datetime]


class ReasonBody(BaseModel):
    """Why; it stays in this issuer's books, the public list carries only a value."""

    model_config = ConfigDict(extra="forbid", strict=True)
    reason: str = Field(max_length=64, examples=["rescinded"])


class CredentialView(BaseModel):
    id: str
    type: str
    state: State
    version: int
    sealed_at: str
    expires_at: str
    forms: dict[str, int] = Field(description="How many copies of each form were sealed.")


class CredentialPage(BaseModel):
    items: list[CredentialView]
    next: str | None


def credentials_router(
    office: Office, clock: Clock, *, ordered: Callable[[], None]
) -> APIRouter:  # fmt: skip
    """The routes.

    ordered  called when an order has been stored, so that it is on its way at once
    """
    router = APIRouter(prefix="/v1/credentials", tags=["credentials"], route_class=StrictRoute)
    _add_reading(router, office)
    for act in ("revoke", "suspend", "reinstate"):
        _add_act(router, office, clock, act, ordered)
    return router


def _add_reading(router: APIRouter, office: Office) -> None:
    Anyone = Annotated[Actor, Depends(officer(office))]  # noqa: N806  a type

    @router.get("", response_model=CredentialPage)
    def listed(  # noqa: PLR0917  a query has as many parts
        request: Request,
        response: Response,
        _: Anyone,
        state: State | None = None,
        type_id: Annotated[str | None, Query(alias="type", max_length=100)] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """Everything sealed here, oldest first, without a word about persons."""
        given = {"state": state, "type": type_id}
        filters = {name: str(value) for name, value in given.items() if value is not None}
        with reading(office.engine) as db:
            rows = repository.listed(db, filters, after=number_after(cursor), limit=limit + 1)
        response.headers["Cache-Control"] = "no-store"
        return page(
            rows, limit, key=lambda row: str(row.seq), shown=shown, request=request,
            response=response,
        )  # fmt: skip

    @router.get("/{number}", response_model=CredentialView)
    def look_up(number: Number, _: Anyone) -> Response:
        """One certificate by its number."""
        with reading(office.engine) as db:
            return answer(_shown(db, number))


def _add_act(
    router: APIRouter, office: Office, clock: Clock, act: str, ordered: Callable[[], None]
) -> None:
    Revoker = Annotated[Actor, Depends(officer(office, REVOKER))]  # noqa: N806  a type

    def changed(
        request: Request,
        number: Number,
        who: Revoker,
        *,
        body: ReasonBody,
        octets: Octets,
        match: Match,
    ) -> Response:
        now = clock()
        office.check_key()

        def change(db: Connection) -> tuple[int, dict[str, Any]]:
            acting(db, who, REVOKER)
            change_in(
                db, office, act, spelled(number), reason=body.reason, now=now, actor=who.id,
                match=match,
            )  # fmt: skip
            return 200, _shown(db, number)

        told = answer(once(office, request, who.id, octets, change, at=to_seconds(now)))
        ordered()
        return told

    router.add_api_route(
        f"/{{number}}/{act}", changed, methods=["POST"], response_model=CredentialView,
        name=act, description=f"{act.capitalize()} every copy of a certificate.",
    )  # fmt: skip


def _shown(db: Connection, number: str) -> dict[str, Any]:
    found = repository.find(db, spelled(number))
    if found is None:
        raise unknown(number)
    return shown(found)


def shown(row: Certificate) -> dict[str, Any]:
    return {
        "id": row.id, "type": row.type_id, "state": row.state, "version": row.version,
        "sealed_at": format_time(row.sealed_at), "expires_at": format_time(row.expires_at),
        "forms": dict(row.forms),
    }  # fmt: skip
