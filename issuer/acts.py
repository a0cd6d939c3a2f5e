"""What the endpoints of all features share: an act done once, its answer, and who called.

An act runs with its `Idempotency-Key` in one transaction. The same call again gets the answer that
was kept, for a day; an answer that quotes a certificate is kept under a key made from the
`Idempotency-Key` itself, which is not kept, so that only the caller can have it read again.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from sqlalchemy import Connection

from issuer.database import idempotency, transaction
from issuer.office import Office
from talentseal.encoding import b64url_decode, b64url_encode, dump_json, parse_json
from talentseal.errors import UsageError
from talentseal.keystore import open_box, seal_box
from talentseal.service.answers import check_match
from talentseal.service.idempotency import Call, Kept, call_of, claim, keep, key_of
from talentseal.service.paging import after

Document = Mapping[str, Any]
Act = Callable[[Connection], tuple[int, Document]]
"""Does the act in a transaction; status and document of the answer."""

_SEALED = "sealed"
_MAX_KEPT_BYTES = 1024 * 1024


async def _octets(
    request: Request,
    idempotency_key: Annotated[
        str | None, Header(description="16 to 64 characters of A-Z a-z 0-9 . _ ~ -, new for each.")
    ] = None,
) -> bytes:
    """The key is read by `key_of`; here it is only described."""
    del idempotency_key
    return await request.body()


Octets = Annotated[bytes, Depends(_octets)]
"""The body as it came, of a call that is done once; the framework has read it already."""


def _matcher(
    request: Request,
    if_match: Annotated[
        str | None, Header(description="ETag of the version that was read.")
    ] = None,
) -> Callable[[str], None]:
    del if_match
    return partial(check_match, request)


Match = Annotated[Callable[[str], None], Depends(_matcher)]
"""Compares a tag with the caller's `If-Match`. It raises RefusedError."""


def once(
    office: Office, request: Request, actor: str, octets: bytes, act: Act, *, at: int,
    secret: bool = False,
) -> Document:  # fmt: skip
    """Do an act, or find what it answered before. Raises what `act` raises, and our errors.

    secret  the answer quotes a certificate
    """
    key = key_of(request.headers.get("idempotency-key"))
    call = call_of(key, actor, method=request.method, path=request.url.path, body=octets)
    lock = _lock(key, actor) if secret else None
    with transaction(office.engine) as db:
        kept = claim(db, idempotency, call)
        if kept is None:
            kept = _keep(db, call, act, lock, at=at)
    document: Document = parse_json(kept.answer, max_bytes=_MAX_KEPT_BYTES)
    return document if lock is None else _opened(document, lock)


def _keep(db: Connection, call: Call, act: Act, lock: bytes | None, *, at: int) -> Kept:
    status, document = act(db)
    if lock is not None:
        box = seal_box(dump_json(document), lock, call.id.encode())
        document = {_SEALED: b64url_encode(box), "call": call.id}
    return keep(db, idempotency, call, status, document, now=at)


def _opened(document: Document, lock: bytes) -> Document:
    box = open_box(b64url_decode(document[_SEALED]), lock, document["call"].encode())
    opened: Document = parse_json(box, max_bytes=_MAX_KEPT_BYTES)
    return opened


def _lock(key: str, actor: str) -> bytes:
    return hashlib.sha256(f"talentseal answer\n{actor}\n{key}".encode()).digest()


def answer(document: Document, *, status: int = 200, **headers: str) -> Response:
    """A document about certificates: never to be cached; its version as ETag."""
    told = {"Cache-Control": "no-store", **headers}
    if "version" in document:
        told["ETag"] = f'"{document["version"]}"'
    return Response(dump_json(document), status, told, "application/json")


def place_after(cursor: str | None) -> tuple[int, str] | None:
    """Time and id of the last row of the page before. Raises UsageError for a foreign cursor."""
    key = after(cursor)
    if key is None:
        return None
    at, _, row_id = key.partition(" ")
    if not (at.isascii() and at.isdigit() and len(at) < 16 and row_id):
        raise UsageError("the cursor is none of ours")
    return int(at), row_id
