"""What each type word of a claim table demands of a value.

One small function per word takes a shape and any JSON value and tells every fault, by pointers
that begin at the value; for a sound value nothing is made. The value may be hostile: nothing here
raises, recurses with it, or spends more time on it than its bound allows. Faults carry the error
words of the issuing API, a JSON pointer (RFC 6901) and an English sentence that never repeats the
value.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from schemas.credentials.table import Shape
from schemas.data import LANGUAGES, code_lists
from schemas.identifiers import check_identifier
from schemas.territory import is_profession_path, parse_territory

MAX_LANGUAGE_TEXT = 200  # characters of one text in a language map
_LANGUAGES = frozenset(LANGUAGES)


class ClaimFault(NamedTuple):
    """One thing that is wrong: error word, JSON pointer (or `rule:<id>`), sentence."""

    error: str
    pointer: str
    message: str


Faults = Sequence[ClaimFault]
_SOUND: Faults = ()


def value_faults(shape: Shape, value: object, pointer: str) -> Faults:
    """Every fault of `value`, which stands at `pointer`, against `shape`."""
    return _below(pointer, _WORDS[shape.type](shape, value))


def _below(pointer: str, found: Faults) -> Faults:
    """Faults of what stands at `pointer`."""
    return [fault._replace(pointer=pointer + fault.pointer) for fault in found]


def _one(error: str, sentence: str) -> Faults:
    return (ClaimFault(error, "", sentence),)


def token(name: object) -> str:
    """A member name as one reference token of a JSON pointer (RFC 6901 section 3)."""
    text = str(name)
    return text if text.isalnum() else text.replace("~", "~0").replace("/", "~1")


def is_day(value: object) -> bool:
    """Whether the value is a real calendar day in the one spelling `YYYY-MM-DD`."""
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


# --- text -------------------------------------------------------------------------------------

# Cc, Cf, Cs, Zl and Zp of Unicode, and the blank letters that are neither: what a reader cannot
# see, or what reorders the characters that he sees. A test compares this with `unicodedata`.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def _text(value: object, limit: int) -> Faults:
    if not isinstance(value, str) or not value:
        return _one("type_mismatch", "This must be a text that is not empty.")
    if len(value) > limit:  # first: normalising a long run of marks takes quadratic time
        return _one("too_long", f"This text has more than {limit} characters.")
    if value.isascii() and value.isprintable():
        return _SOUND
    if _UNSAFE.search(value):
        sentence = "This text holds a control, direction or invisible character."
        return _one("text_unsafe", sentence)
    if not unicodedata.is_normalized("NFC", value):
        return _one("text_unsafe", "This text is not in Unicode form NFC.")
    return _SOUND


def _string(shape: Shape, value: object) -> Faults:
    return _text(value, shape.max_length)


def _language_map(_: Shape, value: object) -> Faults:
    if not isinstance(value, Mapping) or not value or not _LANGUAGES.issuperset(value):
        sentence = f"This must hold a text in at least one of {', '.join(LANGUAGES)}."
        return _one("type_mismatch", sentence)
    found: list[ClaimFault] = []
    for language, text in value.items():
        if faults := _text(text, MAX_LANGUAGE_TEXT):
            found += _below(f"/{language}", faults)
    return found


# --- scalars ----------------------------------------------------------------------------------

_COUNTRY = re.compile(r"[A-Z]{3}")
_URI = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][!-~]*)?")  # without userinfo
_DIGEST = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 32 bytes: the last 2 bits are zero
MAX_URI = 308  # `https://` and 300 characters


def _simple(error: str, sentence: str, fits: Callable[[Shape, object], bool]) -> "_Word":
    """A word whose values fit or do not, with one fault for those that do not."""

    def faults(shape: Shape, value: object) -> Faults:
        return _SOUND if fits(shape, value) else _one(error, sentence.format(shape=shape))

    return faults


def _is_integer(shape: Shape, value: object) -> bool:
    return type(value) is int and shape.min <= value <= shape.max


def _is_code(shape: Shape, value: object) -> bool:
    return isinstance(value, str) and value in code_lists()[shape.list]


def _is_identifier(shape: Shape, value: object) -> bool:
    return isinstance(value, str) and is_identifier(shape.identifier, value)


def is_identifier(kind: str, value: str) -> bool:
    """Whether `value` is well formed and already in its stored spelling."""
    result = check_identifier(kind, value)
    return result.ok and result.normalised == value


def _is_uri(_: Shape, value: object) -> bool:
    fits = isinstance(value, str) and len(value) <= MAX_URI
    return fits and _URI.fullmatch(str(value)) is not None


def _matches(pattern: re.Pattern[str]) -> Callable[[Shape, object], bool]:
    return lambda _, value: isinstance(value, str) and pattern.fullmatch(value) is not None


# --- image ------------------------------------------------------------------------------------

_DATA_URL = re.compile(r"data:(image/[a-z]{1,8});base64,")
# The first octets as base64 spells them, so that nothing is decoded here: FF D8 FF of a JPEG;
# the signature, length and name of the first chunk of a PNG (21 whole characters).
_BEGINNINGS = {"image/jpeg": "/9j/", "image/png": "iVBORw0KGgoAAAANSUhEU"}
_BASE64 = re.compile(  # standard alphabet, padded, unused tail bits zero
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?"
)


def _image(shape: Shape, value: object) -> Faults:
    """`data:image/jpeg;base64,...` or the same with png, at most `max_bytes` once decoded."""
    head = _DATA_URL.match(value) if isinstance(value, str) else None
    if not isinstance(value, str) or head is None or head[1] not in shape.media_types:
        return _one("type_mismatch", "This must be a data URL of a JPEG or PNG image.")
    content = value[head.end() :]
    if len(content) // 4 * 3 - content[-2:].count("=") > shape.max_bytes:
        return _one("too_long", f"This image has more than {shape.max_bytes} bytes.")
    if not content.startswith(_BEGINNINGS[head[1]]) or not _BASE64.fullmatch(content):
        return _one("type_mismatch", f"This is not base64 of an {head[1]}.")
    return _SOUND


# --- values made of values --------------------------------------------------------------------


def _each(word: str) -> "_Word":
    """A list of between `min_items` and `max_items` values of one word."""

    def faults(shape: Shape, value: object) -> Faults:
        if not isinstance(value, list) or not shape.min_items <= len(value) <= shape.max_items:
            sentence = f"This must be a list of {shape.min_items} to {shape.max_items} values."
            return _one("type_mismatch", sentence)
        found: list[ClaimFault] = []
        for index, item in enumerate(value):
            found += _below(f"/{index}", _WORDS[word](shape, item))
        return found

    return faults


def _object(shape: Shape, value: object) -> Faults:
    if not isinstance(value, Mapping):
        return _one("type_mismatch", "This must be an object with named members.")
    return member_faults(shape.by_name, value)


def member_faults(shapes: Mapping[str, Shape], values: Mapping[str, object]) -> Faults:
    """Members that nobody knows, that are missing, and the faults of the others, in that order."""
    unknown: list[ClaimFault] = []
    if not values.keys() <= shapes.keys():
        sentence = "This member is not part of the credential type."
        strange = [name for name in values if name not in shapes]
        unknown = [ClaimFault("claim_unknown", f"/{token(name)}", sentence) for name in strange]
    missing: list[ClaimFault] = []
    others: list[ClaimFault] = []
    for name, shape in shapes.items():
        if name in values:
            if faults := _WORDS[shape.type](shape, values[name]):
                others += _below(f"/{token(name)}", faults)
        elif shape.mandatory:
            missing.append(ClaimFault("claim_missing", f"/{token(name)}", "This is required."))
    return [*unknown, *missing, *others]


_Word = Callable[[Shape, object], Faults]
_WORDS: Mapping[str, _Word] = {
    "string": _string,
    "language_map": _language_map,
    "language_map_list": _each("language_map"),
    "code_list": _each("code"),
    "object": _object,
    "image": _image,
    "date": _simple(
        "date_invalid", "This must be a real day, written YYYY-MM-DD.", lambda _, v: is_day(v)
    ),
    "boolean": _simple(
        "type_mismatch", "This must be true or false.", lambda _, v: isinstance(v, bool)
    ),
    "integer": _simple(
        "type_mismatch", "This must be a whole number from {shape.min} to {shape.max}.", _is_integer
    ),
    "code": _simple("code_unknown", "This must be a code of the list {shape.list}.", _is_code),
    "profession": _simple(
        "code_unknown",
        "This must be a profession such as engineer/civil, beginning with a code of the list.",
        lambda _, v: is_profession_path(v),
    ),
    "country": _simple(
        "code_unknown", "This must be a country in three letters (ISO 3166-1).", _matches(_COUNTRY)
    ),
    "territory": _simple(
        "territory_invalid",
        "This must be a territory such as CN/4403 or HK.",
        lambda _, v: parse_territory(v) is not None,
    ),
    "identifier": _simple(
        "identifier_invalid", "This is not a well-formed {shape.identifier}.", _is_identifier
    ),
    "uri": _simple("type_mismatch", "This must be an https address.", _is_uri),
    "digest": _simple(
        "type_mismatch", "This must be a SHA-256 digest in base64url.", _matches(_DIGEST)
    ),
}
