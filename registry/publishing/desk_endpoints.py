"""`/v1/publications`: an operator publishes now, without waiting for the hour."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from registry.acts import Body, Code, answer, new_router
from registry.house import House
from registry.jurisdictions.repository import all_jurisdictions, get_jurisdiction
from registry.operators.endpoints import REGISTRARS, operator
from registry.operators.service import acting
from registry.publishing.service import publish
from talentseal.encoding import format_time
from talentseal.service.auth import Actor


class PublicationBody(Body):
    jurisdictions: list[Code] = Field(default=[], max_length=64, description="None: all.")
    after_pause: bool = Field(
        default=False, description="Over a month has passed, and the clock is right."
    )


class PublishedView(BaseModel):
    jurisdiction: str
    versions: dict[str, int]
    list_sequence: int
    issued_at: str
    behind_seconds: int = Field(
        description="How far the registry's clock lies behind `issued_at`; 0: it is not in doubt."
    )


class OutcomeView(BaseModel):
    file: str
    state: str
    issuer: str
    seq: int
    changes: int
    code: str
    message: str
    stays: bool = Field(description="It could not be moved away, and is met again.")
    outdated: int = Field(description="How many of its changes a later order has overtaken.")


class PublicationView(BaseModel):
    jurisdictions: list[PublishedView]
    orders: list[OutcomeView] = Field(description="Those that lay in the exchange folder.")


def publications_router(house: House) -> APIRouter:
    router = new_router("publications")
    Registrar = Annotated[Actor, Depends(operator(house, REGISTRARS))]  # noqa: N806  a type

    @router.post("/v1/publications", response_model=PublicationView)
    def new_publication(who: Registrar, body: PublicationBody) -> Response:
        """Publish everything anew, as `registry publish` does; twice does no harm."""
        office = house.view(who.id)
        with office.transaction() as session:
            acting(session, who, *REGISTRARS)
            rows = [get_jurisdiction(session, code) for code in body.jurisdictions]
            for row in rows or all_jurisdictions(session):
                office.note(session, "publication", row.code)
        published, outcomes = publish(
            office, body.jurisdictions, reader=house.reader, after_pause=body.after_pause
        )
        told = [asdict(one) | {"issued_at": format_time(one.issued_at)} for one in published]
        return answer({"jurisdictions": told, "orders": [asdict(one) for one in outcomes]})

    return router
