"""Rights over HTTP: delegations, grants, recognitions and their ends, as the commands do them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.orm import Session

from registry.acts import (
    CODE,
    KEYED,
    Body,
    Code,
    EntityId,
    Names,
    Octets,
    Text,
    new_router,
    once,
)
from registry.house import House
from registry.issuers import recognising
from registry.issuers.granting import (
    MAX_DAYS,
    MAX_VALIDITY_DAYS,
    Scope,
    delegate,
    describe,
    grant,
    load_statements,
    withdraw,
)
from registry.issuers.recognising import NewRecognition, recognise
from registry.issuers.renewing import renew
from registry.issuers.repository import get_issuer, get_statement
from registry.jurisdictions.repository import all_jurisdictions, get_jurisdiction
from registry.naming import vcts_of
from registry.office import Office
from registry.operators.endpoints import ADMINS, ANYONE, REGISTRARS, operator
from talentseal.encoding import format_time, parse_time, to_seconds
from talentseal.service.auth import Actor
from talentseal.service.paging import Cursor, Limit, after, page
from talentseal.statements import Delegation, Grant

Effect = Literal["from", "suspend", "resume", "review", "anchored", "void"]
Root = Annotated[str, StringConstraints(pattern=r"^(root|https://[!-~]+)$", max_length=512)]
Items = Annotated[list[Text], Field(min_length=1, max_length=64)]
Days = Annotated[int | None, Field(ge=1, le=max(MAX_DAYS.values()))]
Jti = Annotated[str, Path(pattern=r"^[a-z]-[0-9a-f]{4,64}$", description="Of the statement.")]
CodeFilter = Annotated[str | None, Query(max_length=20, pattern=CODE, examples=["CN/4403"])]


class ScopeBody(Body):
    """What a right covers. `profession` null: any; `days` null: the usual term."""

    types: Items = Field(examples=[["professional-title/1"]])
    territory: Items = Field(examples=[["CN/4403"]])
    profession: Items | None = None
    days: Days = None
    max_validity_days: Annotated[int | None, Field(ge=1, le=MAX_VALIDITY_DAYS)] = None

    def scope(self) -> Scope:
        return Scope(
            vcts_of(self.types), self.territory, self.profession, self.days, self.max_validity_days
        )


class DelegationBody(ScopeBody):
    """`names`: of an authority that is new here."""

    jurisdiction: Code
    authority: Root
    names: Names = Field(default={})


class GrantBody(ScopeBody):
    issuer: EntityId
    jurisdiction: Code | None = None
    authority: Root = "root"


class RenewalBody(Body):
    issuer: EntityId
    jurisdiction: Code | None = None
    days: Days = None


class WithdrawalBody(Body):
    """`at` null: now."""

    effect: Effect
    reason: Text
    at: Annotated[str, Field(max_length=40, examples=["2026-11-21T09:00:00Z"])] | None = None
    retroactive: bool = False


class RecognitionBody(Body):
    """What `home` takes from `of`. Empty places: all of them."""

    home: Code
    of: Code
    types: Items = Field(examples=[["professional-title/1"]])
    purpose: Items = Field(examples=[["employment"]])
    issued_in: list[Text] = Field(default=[], max_length=64)
    valid_in: list[Text] = Field(default=[], max_length=64)
    profession: Items | None = None
    on_end: Literal["grandfather", "review", "void"] = "grandfather"
    days: Days = None

    def wanted(self) -> NewRecognition:
        return NewRecognition(
            home=self.home, origin=self.of, vct=vcts_of(self.types), purpose=self.purpose,
            issued_in=self.issued_in, valid_in=self.valid_in, profession=self.profession,
            on_end=self.on_end, days=self.days,
        )  # fmt: skip


class RightView(BaseModel):
    """A delegation, grant or recognition; members that it does not have are absent."""

    jti: str
    kind: Literal["delegation", "grant", "recognition"]
    state: str
    from_: str = Field(alias="from")
    to: str
    types: list[str]
    nbf: str
    exp: str
    profession: list[str] | None
    territory: list[str] | None = None
    max_validity_days: int | None = None
    uri_prefix: list[str] | None = None
    issued_in: list[str] | None = None
    valid_in: list[str] | None = None
    purpose: list[str] | None = None
    on_end: str | None = None


class RightPage(BaseModel):
    items: list[RightView]
    next: str | None


class RenewalView(BaseModel):
    items: list[RightView]


class EndView(BaseModel):
    jti: str
    statement: str
    effect: Effect
    at: str


SHOWN: dict[str, Any] = {"response_model_exclude_unset": True}


def rights_router(house: House) -> APIRouter:
    router = new_router("rights")
    _add_reading(router, house)
    _add_granting(router, house)
    _add_recognising(router, house)
    for place, kinds, roles in (
        ("grants", ("grant",), REGISTRARS),
        ("delegations", ("delegation",), ADMINS),
        ("recognitions", ("recognition",), ADMINS),
    ):
        _add_end(router, house, place, kinds, roles)
    return router


def _add_reading(router: APIRouter, house: House) -> None:
    Anyone = Annotated[Actor, Depends(operator(house, ANYONE))]  # noqa: N806  a type

    def add(place: str, kinds: Sequence[str]) -> None:
        def listed(
            request: Request,
            response: Response,
            _: Anyone,
            jurisdiction: CodeFilter = None,
            limit: Limit = 50,
            cursor: Cursor = None,
        ) -> dict[str, Any]:
            response.headers["Cache-Control"] = "no-store"
            behind = after(cursor) or ""
            found = [one for one in rights_of(house.view(), jurisdiction, kinds)
                     if one["jti"] > behind]  # fmt: skip
            return page(
                found[: limit + 1], limit, key=lambda one: str(one["jti"]), shown=lambda one: one,
                request=request, response=response,
            )  # fmt: skip

        router.add_api_route(
            f"/v1/{place}", listed, methods=["GET"], response_model=RightPage, name=place,
            description=f"Every one of the {place}, with its state.", **SHOWN,
        )  # fmt: skip

    add("grants", ("delegation", "grant"))
    add("recognitions", ("recognition",))


def rights_of(
    office: Office, jurisdiction: str | None, kinds: Sequence[str]
) -> list[dict[str, Any]]:
    """The statements of one jurisdiction, or of all, by identifier. Raises UsageError."""
    found: list[dict[str, Any]] = []
    with office.reading() as session:
        rows = all_jurisdictions(session)
        if jurisdiction is not None:
            rows = [get_jurisdiction(session, jurisdiction)]
        for row in rows:
            held = load_statements(session, row.code, (*kinds, "withdrawal"))
            rights: list[Delegation | Grant] = [*held.delegations, *held.grants]
            found += [describe(one, held.state(one, office.now)) for one in rights]
            found += [
                recognising.describe(one, held.state(one, office.now)) for one in held.recognitions
            ]
    return sorted(found, key=lambda one: str(one["jti"]))


def _add_granting(router: APIRouter, house: House) -> None:
    Admin = Annotated[Actor, Depends(operator(house, ADMINS))]  # noqa: N806  types
    Registrar = Annotated[Actor, Depends(operator(house, REGISTRARS))]  # noqa: N806
    made: dict[str, Any] = {"status_code": 201, "dependencies": KEYED, **SHOWN}

    @router.post("/v1/delegations", response_model=RightView, **made)
    def new_delegation(
        request: Request, who: Admin, body: DelegationBody, octets: Octets
    ) -> Response:
        """Let an authority grant, as `registry grant delegate` does."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            found = delegate(
                office, session, body.jurisdiction, body.authority, body.scope(), names=body.names
            )
            return describe(found, "in force"), [body.jurisdiction]

        return once(house, request, who, octets, act, roles=ADMINS)

    @router.post("/v1/grants", response_model=RightView, **made)
    def new_grant(request: Request, who: Registrar, body: GrantBody, octets: Octets) -> Response:
        """Let an issuer seal, as `registry grant new` does."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            entity = get_issuer(session, body.issuer, body.jurisdiction)
            found = grant(office, session, entity, body.scope(), authority=body.authority)
            return describe(found, "in force"), [entity.jurisdiction]

        return once(house, request, who, octets, act, roles=REGISTRARS)

    @router.post("/v1/renewals", response_model=RenewalView, **made)
    def new_renewal(
        request: Request, who: Registrar, body: RenewalBody, octets: Octets
    ) -> Response:
        """Grant again for every key, as `registry grant renew` does."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            entity = get_issuer(session, body.issuer, body.jurisdiction)
            found = renew(office, session, entity, days=body.days)
            return {"items": [describe(one, "in force") for one in found]}, [entity.jurisdiction]

        return once(house, request, who, octets, act, roles=REGISTRARS)


def _add_recognising(router: APIRouter, house: House) -> None:
    Admin = Annotated[Actor, Depends(operator(house, ADMINS))]  # noqa: N806  a type

    @router.post(
        "/v1/recognitions", status_code=201, response_model=RightView, dependencies=KEYED, **SHOWN
    )
    def new_recognition(
        request: Request, who: Admin, body: RecognitionBody, octets: Octets
    ) -> Response:
        """Recognise types of another jurisdiction, as `registry recognition new` does."""

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            found = recognise(office, session, body.wanted())
            return recognising.describe(found, "in force"), [body.home]

        return once(house, request, who, octets, act, roles=ADMINS)


def _add_end(
    router: APIRouter, house: House, place: str, kinds: Sequence[str], roles: tuple[str, ...]
) -> None:
    Ender = Annotated[Actor, Depends(operator(house, roles))]  # noqa: N806  a type

    def end(
        request: Request, jti: Jti, who: Ender, body: WithdrawalBody, octets: Octets
    ) -> Response:  # fmt: skip
        at = None if body.at is None else to_seconds(parse_time(body.at))

        def act(office: Office, session: Session) -> tuple[dict[str, Any], list[str]]:
            found = withdraw(
                office, session, jti, kinds=kinds, effect=body.effect, at=at,
                reason=body.reason, retroactive=body.retroactive,
            )  # fmt: skip
            shown = {"jti": found.jti, "statement": found.statement, "effect": found.effect}
            code = get_statement(session, jti).jurisdiction
            return {**shown, "at": format_time(found.at)}, [code]

        return once(house, request, who, octets, act, roles=roles)

    router.add_api_route(
        f"/v1/{place}/{{jti}}/withdraw", end, methods=["POST"], status_code=201,
        response_model=EndView, dependencies=KEYED, name=f"withdraw {place}",
        description=f"End one of the {place}: from, suspend, resume, review, anchored, void.",
    )  # fmt: skip
