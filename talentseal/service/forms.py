"""What a body is said to be, JSON read strictly, and forms of older protocols, each field once.

Standard: the URL Standard §5.1 (`application/x-www-form-urlencoded`), RFC 6749 §3.1: a parameter
that stands twice makes a request invalid.
"""

from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request

from talentseal.encoding import MAX_MEMBERS, parse_json
from talentseal.errors import InputError, UsageError

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 64


def media_type_of(request: Request) -> str:
    """The media type of a body, without its parameters; "" where none is named."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_media_type(request: Request, wanted: str) -> None:
    """Raises UsageError `MEDIA_TYPE_UNSUPPORTED` for a body of another type."""
    if media_type_of(request) != wanted:
        raise UsageError(f"a body of the type {wanted} is wanted", code="MEDIA_TYPE_UNSUPPORTED")


def parse_body(data: bytes, *, max_bytes: int, max_members: int = MAX_MEMBERS) -> Any:
    """A body's JSON object. Raises InputError `MALFORMED` or `TOO_LARGE`, in words for a caller."""
    try:
        return parse_json(data, max_bytes=max_bytes, max_members=max_members)
    except InputError as error:
        hint = "Send JSON as /openapi.json describes it, each member once and numbers whole."
        raise InputError(f"the body: {error.message}", code=error.code, hint=hint) from error


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form. Raises UsageError `MEDIA_TYPE_UNSUPPORTED`, InputError `MALFORMED`."""
    check_media_type(request, FORM)
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError("the form cannot be read", code="MALFORMED") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InputError("a field stands twice in the form", code="MALFORMED")
    return fields
