"""Status over HTTP: the lists for everybody, orders and blocks for issuers.

A list is asked for whole and by everybody, so that asking says nothing about a person. Issuers
prove who they are by what they sign; an order is on record before the answer goes out, and in the
public list seconds later.

Standard: draft-ietf-oauth-status-list-21 §8 (request, response), §9 (aggregation).
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from registry.acts import REFUSALS, SIGNED_BODY, Signed, answer, new_router
from registry.house import MEDIA_TYPES, House
from registry.publishing.endpoints import TAGGED
from registry.status_lists import repository
from registry.status_lists.held_blocks import answer_held
from registry.status_lists.orders import take_order
from registry.status_lists.requests import answer_request
from registry.status_lists.service import LOW_WATER
from registry.status_lists.signed import text_of
from schemas.registry import BlockHeld, OrderTaken, StatusBlock
from talentseal.artefacts import STATUS
from talentseal.encoding import dump_json
from talentseal.errors import RefusedError
from talentseal.service.answers import add_public, public
from talentseal.status_list import TTL_SECONDS
from talentseal.x509 import host_of

MAX_AGE_SECONDS = min(TTL_SECONDS, 900)
_TOKEN = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()}
_LISTS = {
    "type": "object",
    "required": ["status_lists"],
    "properties": {"status_lists": {"type": "array", "items": {"type": "string"}}},
}
ListId = Annotated[str, Path(max_length=64, description="As in the URI of the list.")]
Time = Annotated[
    str | None, Query(max_length=64, description="Not offered: it would follow a person.")
]


def status_router(house: House) -> APIRouter:
    """The lists."""
    router = new_router("status")

    def status_list(request: Request, list_id: ListId, time: Time = None) -> Response:
        """A status list, as JWT or CWT by `Accept`."""
        if time is not None:
            raise RefusedError("lists of the past are not offered", code="NOT_OFFERED")
        edition = house.shelf.of_list(list_id)
        form = wanted_form(request.headers.get("accept", ""))
        target = edition.targets[f"{STATUS}{list_id}.{form}"]
        is_zipped = form == "jwt" and takes_gzip(request.headers.get("accept-encoding", ""))
        found = house.shelf.zipped if is_zipped else house.shelf.plain
        told = public(
            request, found(edition, target), MEDIA_TYPES[form], changed_at=edition.as_of,
            max_age=MAX_AGE_SECONDS, vary="Accept, Accept-Encoding",
        )  # fmt: skip
        if is_zipped:
            told.headers["Content-Encoding"] = "gzip"
        return told

    def aggregation(request: Request) -> Response:
        """The URIs of all status lists."""
        editions = house.shelf.editions()
        asked = (request.url.hostname or "").lower()
        own = [one for one in editions if host_of(one.root.entity_id) == asked] or editions
        uris = sorted(f"{one.status_prefix}{name}" for one in own for name in one.lists)
        as_of = max((one.as_of for one in own), default=0)
        return public(
            request, dump_json({"status_lists": uris}), "application/json", changed_at=as_of,
            max_age=MAX_AGE_SECONDS,
        )  # fmt: skip

    told: dict[int | str, Any] = {
        200: {"description": "The list, signed.", "content": _TOKEN},
        501: {**REFUSALS["default"], "description": "A list of the past was asked for."},
        **TAGGED,
    }
    add_public(router, "/status/{list_id}", status_list, responses=told, name="status list")
    said = {"description": "Every list.", "content": {"application/json": {"schema": _LISTS}}}
    add_public(router, "/status", aggregation, responses={200: said, **TAGGED})
    return router


def orders_router(house: House) -> APIRouter:
    """What issuers sign."""
    router = new_router("for issuers")

    @router.post("/v1/status/orders", openapi_extra=SIGNED_BODY, response_model=OrderTaken)
    def order(body: Signed) -> Response:
        """Change the status of credentials. Known again by its number: twice does no harm."""
        opened, taken = take_order(house.view(), text_of(body))
        house.ordered(opened.issuer.jurisdiction, taken.state)
        told = OrderTaken(state=taken.state, seq=opened.order.seq, outdated=taken.outdated)
        return answer(told.model_dump())

    @router.post("/v1/status/blocks", openapi_extra=SIGNED_BODY, response_model=StatusBlock)
    def block(body: Signed) -> Response:
        """A block of status indices. The same `jti` again gets the same block."""
        office = house.view()
        found, issuer = answer_request(office, text_of(body))
        with office.reading() as session:
            if repository.free_indices(session, issuer.jurisdiction) < LOW_WATER:
                house.publisher.ordered(issuer.jurisdiction)  # it begins another list
        return answer(found.model_dump())

    @router.post("/v1/status/blocks/held", openapi_extra=SIGNED_BODY, response_model=BlockHeld)
    def held(body: Signed) -> Response:
        """Show a block to a registry that was restored, which takes it back on record."""
        return answer(answer_held(house.view(), text_of(body)).model_dump())

    return router


def wanted_form(accept: str) -> str:
    """`cwt` where it is preferred, else `jwt`: whoever asks for something strange gets that too."""
    weights = dict(_weight(one) for one in accept.split(",") if one.strip())

    def weight(kind: str) -> float:
        return next((weights[one] for one in (kind, "application/*", "*/*") if one in weights), 0.0)

    return "cwt" if weight(MEDIA_TYPES["cwt"]) > weight(MEDIA_TYPES["jwt"]) else "jwt"


def takes_gzip(accept_encoding: str) -> bool:
    weights = dict(_weight(one) for one in accept_encoding.split(",") if one.strip())
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(item: str) -> tuple[str, float]:
    """One member of an `Accept` header: its name, and its weight (RFC 9110 §12.4.2)."""
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    given = next((one[2:] for one in parameters if one.startswith("q=")), "1")
    digits = given.replace(".", "", 1)
    is_weight = digits.isascii() and digits.isdigit() and len(given) <= 5
    return name, float(given) if is_weight else 0.0
