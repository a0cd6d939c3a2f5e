"""What a body is said to be, and bodies of protocols older than JSON: forms, each field once.

Standard: the URL Standard §5.1 (`application/x-www-form-urlencoded`), RFC 6749 §3.1: a parameter
that stands twice makes a request invalid.
"""

from urllib.parse import parse_qsl

from fastapi import Request

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
