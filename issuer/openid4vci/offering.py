"""`POST /v1/issuances/{id}/offer`: an officer hands an issuance to its holder's wallet.

The offer may go out before the second pair of eyes has looked: the wallet then gets a ticket, and
the certificate once it is approved.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from issuer.acts import Octets, answer, once
from issuer.audit.trail import note
from issuer.authorization.service import Offer, make_offer
from issuer.issuances import repository
from issuer.issuances.models import APPROVED, OFFERED, OPEN
from issuer.issuances.service import read
from issuer.office import Office
from issuer.officers.endpoints import officer
from issuer.officers.service import ISSUER, acting
from issuer.openid4vci.metadata import configurations
from talentseal.encoding import format_time, to_seconds
from talentseal.errors import RefusedError
from talentseal.service.app import StrictRoute
from talentseal.service.auth import Actor

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$", description="Of the issuance.")]
Form = Literal["sd_jwt", "code"]


class OfferBody(BaseModel):
    """Which forms the wallet may fetch."""

    model_config = ConfigDict(extra="forbid", strict=True)
    forms: list[Form] = Field(default=["sd_jwt", "code"], min_length=1, max_length=2)


class OfferView(BaseModel):
    """Shown once: the link for the wallet; the transaction code goes another way."""

    link: str
    credential_offer_uri: str
    tx_code: str
    expires_at: str


def offering_router(office: Office, base: str, clock: Callable[[], datetime]) -> APIRouter:
    router = APIRouter(prefix="/v1/issuances", tags=["issuances"], route_class=StrictRoute)
    Issuer = Annotated[Actor, Depends(officer(office, ISSUER))]  # noqa: N806  a type

    @router.post("/{issuance}/offer", status_code=201, response_model=OfferView)
    def offer(
        request: Request, issuance: Id, who: Issuer, body: OfferBody, octets: Octets
    ) -> Response:
        """Offer it to its holder's wallet; an earlier offer of it ends."""
        now = clock()

        def act(db: Connection) -> tuple[int, dict[str, Any]]:
            return 201, _view(offer_issuance(db, base, who, issuance, body.forms, now=now))

        made = once(office, request, who.id, octets, act, at=to_seconds(now), secret=True)
        return answer(made, status=201)

    return router


def offer_issuance(
    db: Connection,
    base: str,
    actor: Actor,
    issuance_id: str,
    forms: Sequence[str],
    *,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> Offer:
    """Make the offer and its line of the audit trail. Raises RefusedError `STATE_CONFLICT`."""
    acting(db, actor, ISSUER)
    row = read(db, actor, issuance_id)
    if row.state not in OPEN or row.certificate is not None:
        raise RefusedError(
            f"this issuance is {row.state}", code="STATE_CONFLICT", hint="Prepare another one."
        )
    known = configurations().values()
    names = [one.name for one in known if one.type_id == row.type_id and one.form in forms]
    made = make_offer(db, base, row.id, names, now=now, random=random)
    if row.state == APPROVED:
        repository.step(db, row, OFFERED)
    note(db, "offered", at=to_seconds(now), actor=actor.id, issuance=row.id)
    return made


def _view(made: Offer) -> dict[str, Any]:
    return {
        "link": made.link,
        "credential_offer_uri": made.uri,
        "tx_code": made.tx_code,
        "expires_at": format_time(made.expires_at),
    }
