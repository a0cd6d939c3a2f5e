"""Answers that may be kept, and changes that must say what they change.

Public data (lists, trust data, types) carries an `ETag`, `Last-Modified` and a lifetime, and a
reader who has it already gets 304. A change names the version it was made from with `If-Match`:
without it 428, with an older one 412, so that nobody overwrites what they have not read.

Standard: RFC 9110 §8.8, §13; RFC 6585 §3; RFC 9111.
"""

import hashlib
from email.utils import format_datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from talentseal.encoding import from_seconds
from talentseal.errors import RefusedError

MAX_AGE_SECONDS = 900
IMMUTABLE_SECONDS = 365 * 24 * 3600


def add_public(router: APIRouter, path: str, endpoint: Any, **said: Any) -> None:
    """A route for GET, and for HEAD, which needs no description of its own (RFC 9110 §9.3.2)."""
    router.add_api_route(path, endpoint, methods=["GET"], **said)
    router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, **said)


def etag_of(data: bytes | str) -> str:
    """A strong tag: the octets' digest."""
    octets = data.encode() if isinstance(data, str) else data
    return f'"{hashlib.sha256(octets).hexdigest()[:32]}"'


def public(
    request: Request,
    data: bytes,
    media_type: str,
    *,
    changed_at: int,
    max_age: int = MAX_AGE_SECONDS,
    immutable: bool = False,
    vary: str = "",
) -> Response:
    """Octets that anybody may read and keep for `max_age` seconds; 304 for who has them.

    changed_at  NumericDate of their last change
    """
    tag = etag_of(data)
    life = f"public, max-age={IMMUTABLE_SECONDS}, immutable" if immutable else ""
    headers = {
        "ETag": tag,
        "Last-Modified": format_datetime(from_seconds(changed_at), usegmt=True),
        "Cache-Control": life or f"public, max-age={max_age}",
        "Access-Control-Allow-Origin": "*",
    }
    if vary:
        headers["Vary"] = vary
    if names_tag(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=media_type)


def names_tag(listed: str, tag: str) -> bool:
    """Whether a list of tags names this one; weak ones count for reading."""
    tags = {one.strip().removeprefix("W/") for one in listed.split(",")}
    return tag in tags or "*" in tags


def check_match(request: Request, tag: str) -> None:
    """Raises RefusedError `PRECONDITION_REQUIRED` or `PRECONDITION_FAILED`.

    `*` would match whatever is there; it tells nothing about what was read, and is as good as none.
    """
    given = {one.strip() for line in request.headers.getlist("if-match") for one in line.split(",")}
    if not given - {"*"}:
        raise RefusedError(
            "a change says which version it was made from",
            code="PRECONDITION_REQUIRED",
            hint="Read it first and send its ETag as If-Match.",
        )
    if tag not in given:
        raise RefusedError(
            "somebody has changed it meanwhile",
            code="PRECONDITION_FAILED",
            hint="Read it again, then repeat the change.",
        )
