"""`/v1/jurisdictions` and `/v1/types`: the roots of this registry, and the types it knows."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from registry.acts import KEYED, Body, Code, EntityId, Names, Octets, Text, new_router, once
from registry.house import House
from registry.jurisdictions.repository import all_jurisdictions
from registry.jurisdictions.service import NewJurisdiction, create_within, describe
from registry.office import Office
from registry.operators.endpoints import ADMINS, operator
from registry.publishing.endpoints import TAGGED
from schemas.types import TYPE_IDS, load_type, vct_of
from talentseal.encoding import dump_json, to_seconds
from talentseal.errors import RefusedError
from talentseal.service.answers import add_public, public
from talentseal.service.auth import Actor
from talentseal.type_metadata import integrity

LIST_SECONDS = 60
TYPE_SECONDS = 24 * 3600  # the document of a type never changes


class JurisdictionBody(Body):
    """What a jurisdiction is made of; its keys are made here."""

    code: Code
    entity_id: EntityId
    names: Names
    namespaces: list[Text] = Field(min_length=1, max_length=16, examples=[["sz.example"]])
    territory: list[Text] = Field(default=[], max_length=64, description="None: the code itself.")


class JurisdictionView(BaseModel):
    jurisdiction: str
    entity_id: str
    names: dict[str, str]
    territory: list[str]
    namespaces: list[str]
    dev: bool
    root_s256: str = Field(description="SHA-256 (hex) of its first root: what others pin.")
    versions: dict[str, int]


class JurisdictionPage(BaseModel):
    items: list[JurisdictionView]
    next: str | None


class TypeView(BaseModel):
    type: str
    vct: str
    integrity: str = Field(description="Of its Type Metadata, as `vct#integrity`.")


class TypePage(BaseModel):
    items: list[TypeView]
    next: str | None


def jurisdictions_router(house: House) -> APIRouter:
    router = new_router("jurisdictions")
    Admin = Annotated[Actor, Depends(operator(house, ADMINS))]  # noqa: N806  a type

    def listed(request: Request) -> Response:
        """Every jurisdiction of this registry."""
        office = house.view()
        with office.reading() as session:
            found = [describe(session, row) for row in all_jurisdictions(session)]
        body = dump_json({"items": found, "next": None})
        return public(
            request, body, "application/json", changed_at=_as_of(house), max_age=LIST_SECONDS
        )

    add_public(
        router, "/v1/jurisdictions", listed, response_model=JurisdictionPage, responses=TAGGED
    )

    @router.post(
        "/v1/jurisdictions", status_code=201, response_model=JurisdictionView, dependencies=KEYED
    )
    def create(request: Request, who: Admin, body: JurisdictionBody, octets: Octets) -> Response:
        """Make all keys of a jurisdiction, its root and its first status list."""
        wanted = NewJurisdiction(
            body.code, body.entity_id, body.names, body.namespaces, body.territory
        )

        def act(office: Office, session: Session) -> tuple[dict[str, Any], set[str]]:
            row = create_within(office, session, wanted)
            everybody = {one.code for one in all_jurisdictions(session)}  # they introduce it
            return describe(session, row), everybody

        return once(house, request, who, octets, act, roles=ADMINS)

    _add_types(router, house)
    return router


def _add_types(router: APIRouter, house: House) -> None:
    def types(request: Request) -> Response:
        """Every type of credential that is known here."""
        found = [
            {"type": name, "vct": vct_of(name), "integrity": integrity(load_type(name))}
            for name in TYPE_IDS
        ]
        body = dump_json({"items": found, "next": None})
        return public(request, body, "application/json", changed_at=_as_of(house))

    def document(
        request: Request,
        type_name: Annotated[str, Path(max_length=64, examples=["professional-title"])],
        major: Annotated[str, Path(max_length=8, examples=["1"])],
    ) -> Response:
        """The Type Metadata of a type, octet by octet as its integrity is taken."""
        name = f"{type_name}/{major}"
        if name not in TYPE_IDS:
            raise RefusedError("there is no such type", code="NOT_FOUND")
        return public(
            request, load_type(name), "application/json", changed_at=_as_of(house),
            max_age=TYPE_SECONDS,
        )  # fmt: skip

    said = {"description": "Type Metadata.", "content": {"application/json": {"schema": {}}}}
    add_public(router, "/v1/types", types, response_model=TypePage, responses=TAGGED)
    add_public(
        router, "/types/{type_name}/{major}", document, responses={200: said, **TAGGED},
        name="type metadata",
    )  # fmt: skip


def _as_of(house: House) -> int:
    """When what is published was last said to be current; now, before anything is."""
    found = (edition.as_of for edition in house.shelf.editions())
    return max(found, default=to_seconds(house.clock()))
