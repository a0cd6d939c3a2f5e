"""Lists in pages: a limit, a cursor, and the address of the next page.

A cursor is the key of the last row shown, so that rows that come or go meanwhile neither repeat nor
hide others. It is opaque to callers and tells nothing but where that row stands.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request, Response

from talentseal.encoding import b64url_decode, b64url_encode
from talentseal.errors import InputError, UsageError

MAX_LIMIT = 200
MAX_CURSOR_CHARACTERS = 400

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows a page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=MAX_CURSOR_CHARACTERS, description="`next` of the page before."),
]
Row = TypeVar("Row")


def after(cursor: str | None) -> str | None:
    """The key after which a page begins. Raises UsageError for a cursor not made here."""
    if cursor is None:
        return None
    try:
        return b64url_decode(cursor).decode("utf-8")
    except (InputError, UnicodeDecodeError) as error:
        raise _foreign() from error


def number_after(cursor: str | None) -> int:
    """The number after which a page begins. Raises UsageError for a cursor not made here."""
    key = "0" if cursor is None else after(cursor) or ""
    if not (key.isascii() and key.isdigit() and len(key) < 16):
        raise _foreign()
    return int(key)


def _foreign() -> UsageError:
    return UsageError("the cursor is none of ours", hint="Take it from `next` of the page before.")


def page(
    rows: Sequence[Row],
    limit: int,
    *,
    key: Callable[[Row], str],
    shown: Callable[[Row], Any],
    request: Request,
    response: Response,
) -> dict[str, Any]:
    """`{"items", "next"}` and the `Link` header; `rows` holds one row more where there is more.

    Standard: RFC 8288 for `Link`.
    """
    items, rest = rows[:limit], rows[limit:]
    following = b64url_encode(key(items[-1]).encode()) if rest and items else None
    if following:
        url = request.url.include_query_params(cursor=following, limit=limit)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return {"items": [shown(row) for row in items], "next": following}
