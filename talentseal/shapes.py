"""From parsed JSON to one of the shapes in `schemas`, or a refusal that names the member at fault.

The value comes from `encoding.parse_json`; its sizes are bounded already. A refusal repeats no
value of it; where members do not agree, the shape's own words say how. Nothing here is used on the
way of a check.
"""

from typing import TYPE_CHECKING, Any, TypeVar

from talentseal.encoding import MAX_METADATA_BYTES, MAX_METADATA_DEPTH, parse_json
from talentseal.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

Shape = TypeVar("Shape", bound="BaseModel")
_MAX_LOCATION = 120
_OWN_WORDS = "value_error"  # a ValueError that a shape of ours raised


def read_shape(shape: type[Shape], value: Any, what: str) -> Shape:
    """`value` as `shape`. Raises InputError `MALFORMED`, naming the first member at fault.

    what  the document, in words for a person
    """
    from pydantic import ValidationError

    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:_MAX_LOCATION] or "the whole"
        message = f"{what} breaks its shape at {place}"
        if first["type"] == _OWN_WORDS:
            message += f": {first['msg'].removeprefix('Value error, ')}"
        raise InputError(message, code="MALFORMED") from error


def parse_shape(
    shape: type[Shape], data: bytes, what: str, *, max_bytes: int = MAX_METADATA_BYTES
) -> Shape:
    """Bytes of JSON as `shape`. Raises InputError `MALFORMED` or `TOO_LARGE`."""
    document = parse_json(data, max_bytes=max_bytes, max_depth=MAX_METADATA_DEPTH)
    return read_shape(shape, document, what)
