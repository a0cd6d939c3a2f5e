"""The one strict, bounded door: every hostile byte enters the project here.

Each function turns bytes or text of unknown origin into a value that has exactly one spelling, or
raises `InputError` with a stable code: `MALFORMED` for a broken rule, `TOO_LARGE` for a passed
bound. Time and memory are bounded by the caps given; nothing is read twice and nothing is
repaired. What the values mean (signatures, claims) is left to the modules above.

Standards: base64url RFC 4648 §5, base45 RFC 9285, zlib RFC 1950, JSON RFC 8259 (as an I-JSON
subset, RFC 7493), CBOR RFC 8949 with the deterministic encoding of §4.2.1, JCS RFC 8785.
"""

import binascii
import json
import re
import struct
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import chain
from typing import Any, NamedTuple, NoReturn

import orjson
import pybase64

from talentseal.errors import InputError

# --- bounds ---------------------------------------------------------------------------------------

MAX_SDJWT_BYTES = 64 * 1024  # a credential with 200 disclosures and a portrait stays below
MAX_JWS_BYTES = 64 * 1024  # statements, proofs, request objects
MAX_DISCLOSURES = 200
MAX_DISCLOSURE_BYTES = 40 * 1024  # a portrait of 20 KiB, base64 twice
MAX_CREDENTIAL_DEPTH = 16
MAX_METADATA_BYTES = 256 * 1024
MAX_METADATA_DEPTH = 32
MAX_MEMBERS = 10_000
MAX_CODE_BYTES = 2 * 1024  # a code of version 22-M holds about 800 bytes
MAX_CODE_INFLATED_BYTES = 8 * 1024
MAX_CODE_DEPTH = 6
MAX_CODE_TEXT_CHARS = 8192  # a v40-L symbol holds 7,089 digits
MAX_LIST_BYTES = 8 * 1024 * 1024  # trust list, status list token
MAX_STATUS_INFLATED_BYTES = 32 * 1024 * 1024
MAX_TIME = 253_402_300_799  # 9999-12-31T23:59:59Z
MAX_JSON_INT = 2**53 - 1  # RFC 7493 §2.2: exact in every reader
CLOCK_SKEW_SECONDS = 60


def malformed(message: str) -> NoReturn:
    raise InputError(message, code="MALFORMED", hint="Scan or copy it again.")


def too_large(message: str) -> NoReturn:
    raise InputError(message, code="TOO_LARGE", hint="Do not open it with other tools.")


# --- base64 ---------------------------------------------------------------------------------------

_URL = b"-_"  # in the place of the standard's + and /
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/\x00\x00\x00")  # no decoder takes what those become
_PADDING = (b"", b"", b"==", b"=")
# The last character, by the length modulo four, may use only the bits that a whole byte needs
# (RFC 4648 §3.5); no whole number of bytes leaves one character over.
_LAST_BY_TAIL: Sequence[frozenset[int]] = (
    frozenset(range(256)),
    frozenset(),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)


def b64url_encode(data: bytes) -> str:
    return b64url_encode_bytes(data).decode()


def b64url_encode_bytes(data: bytes) -> bytes:
    """The same as ASCII."""
    return pybase64.b64encode(data, _URL).rstrip(b"=")


def b64url_encode_all(values: Iterable[bytes]) -> list[bytes]:
    """What `b64url_encode` makes of each of many short values, as ASCII, at half the cost."""
    lines = b"".join(map(binascii.b2a_base64, values))
    urls = lines.replace(b"+", b"-").replace(b"/", b"_").replace(b"=", b"")  # there are few of them
    return urls.split(b"\n")[:-1]


def b64url_encode_pieces(data: bytes, size: int) -> tuple[bytes, ...]:
    """What `b64url_encode` makes of each piece of `size` bytes, as ASCII; `data` is a multiple.

    Zero bytes after each fill its last group of three; what they add is cut off again.
    """
    split, cut, padding = _piece_layout(len(data) // size, size)
    return cut(pybase64.b64encode(padding.join((*split(data), b"")), _URL))


_Unpack = Callable[[bytes], tuple[Any, ...]]


@lru_cache(maxsize=64)
def _piece_layout(count: int, size: int) -> tuple[_Unpack, _Unpack, bytes]:
    padding = -size % 3
    cut = struct.Struct(f"{-(-size * 4 // 3)}s{padding}x" * count)
    return struct.Struct(f"{size}s" * count).unpack, cut.unpack, bytes(padding)


def b64url_decode(text: str | bytes) -> bytes:
    """Decode base64url without padding; exactly one text is accepted for any bytes.

    Raises InputError `MALFORMED`. The caller has bounded the length.
    """
    try:
        data = text.encode("ascii") if isinstance(text, str) else text
        tail = len(data) & 3
        if tail and data[-1] not in _LAST_BY_TAIL[tail]:
            malformed("base64url text of an impossible length or with stray bits at its end")
        if b"+" in data or b"/" in data or b"=" in data:  # the decoder takes them too
            malformed("base64 text of the other alphabet, or padded")
        return pybase64.b64decode(data + _PADDING[tail], _URL, validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InputError("not base64url text", code="MALFORMED") from error


def b64url_decode_all(texts: Iterable[bytes]) -> list[bytes]:
    """What `b64url_decode` makes of each text, without a call for each; texts are short."""
    decoded = []
    try:
        for text in texts:
            tail = len(text) & 3
            if tail and text[-1] not in _LAST_BY_TAIL[tail]:
                malformed("base64url text of an impossible length or with stray bits at its end")
            padded = text.translate(_FROM_URL) + _PADDING[tail]
            decoded.append(binascii.a2b_base64(padded, strict_mode=True))
    except binascii.Error as error:
        raise InputError("not base64url text", code="MALFORMED") from error
    return decoded


def b64_encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def b64_decode(text: str) -> bytes:
    """Decode standard base64 with padding, as `x5c` and SRI digests use it. One spelling only."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InputError("not base64 text", code="MALFORMED") from error
    if b64_encode(data) != text:
        malformed("base64 text with a second spelling")
    return data


# --- digits and base45: the text forms of a code --------------------------------------------------

_GROUP_BYTES = 7
_GROUP_DIGITS = 17
_TAIL_DIGITS = {1: 3, 2: 5, 3: 8, 4: 10, 5: 13, 6: 15}
_TAIL_BYTES = {digits: count for count, digits in _TAIL_DIGITS.items()}


def digits_encode(data: bytes) -> str:
    """Seven bytes become seventeen digits, big-endian; the rest 3, 5, 8, 10, 13 or 15."""
    groups = [
        str(int.from_bytes(data[i : i + _GROUP_BYTES])).zfill(
            _TAIL_DIGITS.get(len(data) - i, _GROUP_DIGITS)
        )
        for i in range(0, len(data), _GROUP_BYTES)
    ]
    return "".join(groups)


@cache
def _digit_layout(groups: int) -> tuple[Callable[[bytes], tuple[Any, ...]], Callable[..., bytes]]:
    return struct.Struct("17s" * groups).unpack, struct.Struct(f">{groups}Q").pack


def digits_decode(text: str) -> bytes:
    """Invert `digits_encode`. Raises InputError `MALFORMED` or `TOO_LARGE`."""
    if len(text) > MAX_CODE_TEXT_CHARS:
        too_large(f"a code text has at most {MAX_CODE_TEXT_CHARS} characters")
    data = text.encode("utf-8", "replace")
    if not data.isdigit():  # of bytes: ASCII alone, and no look-up of each character
        malformed("a code text of this form has digits only")
    groups, tail = divmod(len(data), _GROUP_DIGITS)
    if tail and tail not in _TAIL_BYTES:
        malformed("a code text of an impossible length")
    unpack, pack = _digit_layout(groups)
    wide = pack(*map(int, unpack(data[: groups * _GROUP_DIGITS])))
    if wide[::8].count(0) != groups:  # a group above 2**56 spills into its eighth byte
        malformed("a group of digits is out of range")
    whole = bytearray(wide)
    del whole[::8]
    return bytes(whole) + (_digits_tail(data[-tail:], _TAIL_BYTES[tail]) if tail else b"")


def _digits_tail(digits: bytes, count: int) -> bytes:
    try:
        return int(digits).to_bytes(count)
    except OverflowError as error:
        raise InputError("a group of digits is out of range", code="MALFORMED") from error


_BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE45_VALUES = {character: value for value, character in enumerate(_BASE45)}


def base45_encode(data: bytes) -> str:
    out = []
    for i in range(0, len(data), 2):
        high, low = divmod(int.from_bytes(data[i : i + 2]), 45 * 45)
        middle, first = divmod(low, 45)
        out.append(_BASE45[first] + _BASE45[middle] + (_BASE45[high] if i + 1 < len(data) else ""))
    return "".join(out)


def base45_decode(text: str) -> bytes:
    """RFC 9285. Raises InputError `MALFORMED` or `TOO_LARGE`."""
    if len(text) > MAX_CODE_TEXT_CHARS:
        too_large(f"a code text has at most {MAX_CODE_TEXT_CHARS} characters")
    try:
        values = [_BASE45_VALUES[character] for character in text]
    except KeyError as error:
        raise InputError("not base45 text", code="MALFORMED") from error
    if len(values) % 3 == 1:
        malformed("base45 text of an impossible length")
    out = bytearray()
    for i in range(0, len(values), 3):
        part = values[i : i + 3]
        number = sum(value * 45**place for place, value in enumerate(part))
        if number > (0xFFFF if len(part) == 3 else 0xFF):
            malformed("a group of base45 text is out of range")
        out += number.to_bytes(len(part) - 1)
    return bytes(out)


# --- compression ----------------------------------------------------------------------------------


def inflate(data: bytes, *, max_bytes: int) -> bytes:
    """Expand one whole zlib stream to at most `max_bytes`; nothing may follow it."""
    return _expand(zlib.decompressobj(), data, max_bytes, "zlib")


def gunzip(data: bytes, *, max_bytes: int) -> bytes:
    """Expand one whole gzip member (RFC 1952) to at most `max_bytes`; nothing may follow it."""
    return _expand(zlib.decompressobj(16 + zlib.MAX_WBITS), data, max_bytes, "gzip")


def _expand(stream: Any, data: bytes, max_bytes: int, kind: str) -> bytes:
    try:
        out: bytes = stream.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise InputError(f"not a {kind} stream", code="MALFORMED") from error
    if len(out) > max_bytes:
        too_large(f"more than {max_bytes} bytes after expansion")
    if not stream.eof or stream.unused_data:
        malformed(f"a {kind} stream that is cut off or has bytes after it")
    return out


def deflate(data: bytes, *, level: int = 9) -> bytes:
    return zlib.compress(data, level)


# --- JSON -----------------------------------------------------------------------------------------

# Possessive, and content with a string that never ends: one pass, whatever the bytes.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def parse_json(
    data: bytes,
    *,
    max_bytes: int = MAX_METADATA_BYTES,
    max_depth: int = MAX_CREDENTIAL_DEPTH,
    max_members: int = MAX_MEMBERS,
    top: type = dict,
    inner: set[str] | None = None,
) -> Any:
    """Parse UTF-8 JSON whose top level is `top` (dict or list).

    inner  receives the names of all members below the top level

    Refused: duplicate member names at any depth, floats, NaN and Infinity, integers beyond
    +/-(2^53-1), lone surrogates, a byte order mark, trailing bytes, and whatever passes the caps.
    Raises InputError `MALFORMED` or `TOO_LARGE`.
    """
    if len(data) > max_bytes:
        too_large(f"{len(data)} bytes; at most {max_bytes} are read")
    wide = len(data) > max_members and data.count(b",") >= max_members
    if wide or data.count(b"[") + data.count(b"{") > max_depth:
        _refuse_deep_or_wide(data, max_depth, max_members)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError("not JSON", code="MALFORMED") from error
    if type(value) is not top:
        malformed(f"the top level is not a JSON {'object' if top is dict else 'array'}")
    # Of two members with one name only one survives parsing. What is written again as it was read
    # has lost none; a text with spaces or escapes of its own is read by the slow and careful way.
    if orjson.dumps(value) != data:
        value = _parse_json_slowly(data)
    _check_members(value.values() if top is dict else value, set() if inner is None else inner)
    return value


def parse_json_arrays(
    texts: Sequence[bytes], *, inner: set[str], max_depth: int = MAX_CREDENTIAL_DEPTH
) -> list[list[Any]]:
    """What `parse_json(text, top=list)` makes of each text, with the bounds taken over them all.

    Whatever is in doubt, or beyond such a bound, is read one by one.
    """
    whole = b"".join(texts)
    brackets = whole.count(b"[") + whole.count(b"{") - len(texts)
    if (
        brackets < max_depth
        and len(whole) <= MAX_METADATA_BYTES
        and whole.count(b",") < MAX_MEMBERS
    ):
        try:
            values = list(map(orjson.loads, texts))
        except orjson.JSONDecodeError as error:
            raise InputError("not JSON", code="MALFORMED") from error
        if set(map(type, values)) <= _LIST and list(map(orjson.dumps, values)) == texts:
            _check_members(list(chain.from_iterable(values)), inner)
            return values
    return [parse_json(text, max_depth=max_depth, top=list, inner=inner) for text in texts]


_LIST = frozenset((list,))


def _refuse_deep_or_wide(data: bytes, max_depth: int, max_members: int) -> None:
    """Measure depth and members outside strings before any value is built."""
    skeleton = _STRINGS.sub(b"", data)
    if skeleton.count(b",") >= max_members:
        too_large(f"more than {max_members} members")
    depth = 0
    for bracket in skeleton.translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            too_large(f"nested deeper than {max_depth} levels")


def _check_members(members: Collection[Any], names: set[str]) -> None:
    """Refuse floats and over-long integers, wherever they stand; collect names on the way."""
    levels = [members]
    for level in levels:  # which grows meanwhile: one walk, without a call for each level
        for member in level:
            kind = type(member)
            if kind is str:
                continue
            if kind is dict:
                names.update(member)
                levels.append(member.values())
            elif kind is list:
                levels.append(member)
            elif kind is float or (kind is int and not -MAX_JSON_INT <= member <= MAX_JSON_INT):
                malformed("a number that is no integer, or too long")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        malformed("a member name stands twice in one object")
    return members


def _no_number(text: str) -> NoReturn:
    malformed(f"the number {text[:20]} is no integer")


def _parse_int(text: str) -> int:
    if len(text) > 17:
        malformed("a number is too long")
    return int(text)


_SLOW = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=_no_number,
    parse_constant=_no_number,
    parse_int=_parse_int,
    strict=True,
)


def _parse_json_slowly(data: bytes) -> Any:
    """The reference reading, for texts in which the fast one cannot rule out duplicates."""
    try:
        text = data.decode("utf-8")
        value = _SLOW.decode(text)
        dump_json(value)  # a lone surrogate cannot be written
    except (ValueError, RecursionError, orjson.JSONEncodeError) as error:
        raise InputError("not JSON", code="MALFORMED") from error
    _check_members((value,), set())
    return value


def dump_json(value: Any) -> bytes:
    """Compact UTF-8 JSON in the order given."""
    return orjson.dumps(value)


def json_list(texts: Sequence[bytes]) -> Any:
    """A list of ASCII texts in which JSON escapes nothing, to stand in what `dump_json` writes."""
    return orjson.Fragment(b'["%b"]' % b'","'.join(texts) if texts else b"[]")


_LINE = orjson.Fragment(b"\n")  # a line break: nothing that is written as JSON here holds one


def dump_json_each(values: Sequence[Any]) -> list[bytes]:
    """What `dump_json` makes of each value; together, which costs half as much."""
    parted = [_LINE] * (2 * len(values))
    parted[::2] = values
    return [text[1:-1] for text in orjson.dumps(parted).split(b"\n")[:-1]]


def reread_json(data: bytes) -> Any:
    """What `dump_json` wrote in this very run, read again. Never for bytes that were anywhere else:
    nothing is checked here.
    """
    return orjson.loads(data)


def canonical_json(value: Any) -> bytes:
    """RFC 8785 for values without floats: names sorted by UTF-16 code units, no white space."""
    return orjson.dumps(_sorted(value))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return {name: _sorted(value[name]) for name in names}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


# --- CBOR -----------------------------------------------------------------------------------------


class Tag(NamedTuple):
    """A tagged CBOR value; 18 (COSE_Sign1) and 100 (days since 1970-01-01) are the ones in use."""

    number: int
    value: Any


TAG_SIGN1 = 18
TAG_DATE = 100
_TAGS = frozenset((TAG_SIGN1, TAG_DATE))
_SIMPLE = {0xF4: False, 0xF5: True, 0xF6: None}
_HEAD_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_SMALLEST = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}  # by the bytes of an argument


class _Reading:
    """What holds for one input: keys in order or merely unique, and how many items may come."""

    __slots__ = ("in_order", "left")

    def __init__(self, *, in_order: bool, left: int) -> None:
        self.in_order = in_order
        self.left = left


def parse_cbor(
    data: bytes,
    *,
    max_depth: int = MAX_CODE_DEPTH,
    max_members: int = MAX_MEMBERS,
    deterministic: bool = True,
) -> Any:
    """Parse one CBOR item that fills `data`.

    The subset: integers of 64 bits, byte and text strings, arrays, maps with integer or text keys,
    false, true, null, tags 18 and 100; definite lengths, shortest heads, no duplicate keys.
    `deterministic` also demands keys in bytewise order (RFC 8949 §4.2.1).
    Raises InputError `MALFORMED` or `TOO_LARGE`. The caller has bounded the length.
    """
    try:
        value, end = _read_item(
            data, 0, max_depth, _Reading(in_order=deterministic, left=max_members)
        )
    except (IndexError, UnicodeDecodeError) as error:
        raise InputError("a CBOR item is cut off or not UTF-8", code="MALFORMED") from error
    if end != len(data):
        malformed("bytes after a CBOR item")
    return value


def _read_item(data: bytes, at: int, depth: int, reading: _Reading) -> tuple[Any, int]:
    first = data[at]
    at += 1
    if first < 24:  # the commonest items first: small integers, texts and byte strings
        return first, at
    argument = first & 31
    if argument >= 24:
        argument, at = _read_argument(data, at, first)
    major = first >> 5
    if 2 <= major <= 3:
        end = at + argument
        string = data[at:end]
        if len(string) != argument:
            malformed("a CBOR string is cut off")
        return (string if major == 2 else string.decode()), end
    if major == 0:
        return argument, at
    if major == 1:
        return -1 - argument, at
    if first in _SIMPLE:
        return _SIMPLE[first], at
    if depth == 0:
        too_large("CBOR nested too deep")
    return _read_nested(data, at, (major, argument, depth - 1), reading)


def _read_argument(data: bytes, at: int, first: int) -> tuple[int, int]:
    """The argument that follows its head, and where it ends; shortest form only."""
    size = _HEAD_BYTES.get(first & 31)
    if size is None or first >= 0xE0:
        malformed("a CBOR head of a kind not read here")
    end = at + size
    if end > len(data):
        malformed("a CBOR item is cut off")
    argument = data[at] if size == 1 else int.from_bytes(data[at:end])
    if argument < _SMALLEST[size]:
        malformed("a CBOR head longer than it need be")
    return argument, end


def _read_nested(
    data: bytes, at: int, head: tuple[int, int, int], reading: _Reading
) -> tuple[Any, int]:
    major, argument, depth = head
    if major == 6:
        if argument not in _TAGS:
            malformed(f"CBOR tag {argument} is not read here")
        value, at = _read_item(data, at, depth, reading)
        return Tag(argument, value), at
    if argument > len(data) - at:  # each element takes a byte at least
        malformed("a CBOR array or map is cut off")
    reading.left -= argument
    if reading.left < 0:
        too_large("too many CBOR items")
    if major == 5:
        return _read_map(data, at, argument, (depth, reading))
    if major == 4:
        items = []
        for _ in range(argument):
            item, at = _read_item(data, at, depth, reading)
            items.append(item)
        return items, at
    malformed("a CBOR simple value or float is not read here")


def _read_map(
    data: bytes, at: int, count: int, inside: tuple[int, _Reading]
) -> tuple[dict[int | str, Any], int]:
    depth, reading = inside
    in_order = reading.in_order
    members: dict[int | str, Any] = {}
    previous = b""
    for _ in range(count):
        start = at
        key: Any = data[at]
        if key < 24:  # a label, as most keys are
            at += 1
        else:
            key, at = _read_item(data, at, 0, reading)
            if type(key) is not int and type(key) is not str:
                malformed("a CBOR map key is neither integer nor text")
        if in_order:
            written = data[start:at]
            if written <= previous:
                malformed("CBOR map keys twice or out of order")
            previous = written
        elif key in members:
            malformed("a CBOR map key stands twice")
        members[key], at = _read_item(data, at, depth, reading)
    return members, at


def cbor_head(major: int, argument: int) -> bytes:
    """The shortest head of a major type (0-7) with its argument."""
    first = major << 5
    if argument < 24:
        return bytes((first | argument,))
    for low, size in _HEAD_BYTES.items():
        if argument < 1 << (8 * size):
            return bytes((first | low,)) + argument.to_bytes(size)
    raise OverflowError("a CBOR argument has at most 64 bits")


def dump_cbor(value: Any) -> bytes:
    """Deterministic CBOR (RFC 8949 §4.2.1) of ints, bytes, str, lists, dicts, bools, None, Tag."""
    if value is None or value is True or value is False:
        return bytes((0xF6 if value is None else 0xF4 + value,))
    if isinstance(value, int):
        return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return cbor_head(3, len(text)) + text
    if isinstance(value, Tag):
        return cbor_head(6, value.number) + dump_cbor(value.value)
    if isinstance(value, list | tuple):
        return cbor_head(4, len(value)) + b"".join(map(dump_cbor, value))
    if isinstance(value, dict):
        pairs = sorted((dump_cbor(key), dump_cbor(member)) for key, member in value.items())
        return cbor_head(5, len(value)) + b"".join(key + member for key, member in pairs)
    raise TypeError(f"no CBOR form for {type(value).__name__}")


# --- times and texts ------------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\dZ", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def is_time(value: Any) -> bool:
    """Whether a value is a NumericDate: an integer number of seconds, 1970 to 9999."""
    return type(value) is int and 0 <= value <= MAX_TIME


def from_seconds(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def to_seconds(moment: datetime) -> int:
    """Whole seconds since 1970 of an aware datetime, rounded down."""
    since = moment - _EPOCH
    return since.days * 86_400 + since.seconds


def format_time(seconds: int) -> str:
    return f"{from_seconds(seconds):%Y-%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> datetime:
    """RFC 3339 in UTC with `Z` and whole seconds. Raises InputError `MALFORMED`."""
    try:
        if _RFC3339.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    malformed("not a time such as 2026-11-21T09:00:00Z")


def date_to_days(text: str) -> int:
    """Days since 1970-01-01 of an ISO calendar day. Raises InputError `CLAIM_INVALID`."""
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        pass
    raise InputError("not a calendar day such as 2026-11-21", code="CLAIM_INVALID")


def days_to_date(days: int) -> str:
    """The ISO calendar day. Raises InputError `CLAIM_INVALID` outside years 1 to 9999."""
    try:
        return date.fromordinal(days + _EPOCH_DAY).isoformat()
    except (ValueError, OverflowError) as error:
        raise InputError("a day outside the calendar", code="CLAIM_INVALID") from error
