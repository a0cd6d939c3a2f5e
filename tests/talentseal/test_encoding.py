import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talentseal import encoding
from talentseal.encoding import (
    MAX_CODE_TEXT_CHARS,
    MAX_JSON_INT,
    MAX_TIME,
    Tag,
    b64_decode,
    b64_encode,
    b64url_decode,
    b64url_encode,
    base45_decode,
    base45_encode,
    canonical_json,
    cbor_head,
    date_to_days,
    days_to_date,
    deflate,
    digits_decode,
    digits_encode,
    dump_cbor,
    dump_json,
    format_time,
    from_seconds,
    inflate,
    is_time,
    parse_cbor,
    parse_json,
    parse_time,
    to_seconds,
)
from talentseal.errors import InputError

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def code_of(act: Callable[..., Any], *args: Any, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        act(*args, **settings)
    return caught.value.code


def answer(act: Callable[..., Any], *args: Any, **settings: Any) -> tuple[str, Any]:
    """The value, or that there is none: what two readers of the same bytes must agree on."""
    try:
        return "value", act(*args, **settings)
    except InputError:
        return "refused", None


# --- base64 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"\xfb\xff\xbf", "-_-_")],
)
def test_base64url_follows_its_examples(data: bytes, text: str) -> None:
    assert b64url_encode(data) == text
    assert b64url_decode(text) == data
    assert b64url_decode(text.encode()) == data


@pytest.mark.parametrize(
    "text",
    ["A", "AAAAA", "Zg==", "Zm8=", "Zg=", "Zh", "Zm9", "+_-_", "-/-_", "Zm 8", " Zm8", "Zm8\n",
     "Zm\x008", "Zm8\u00e9", "\ud800AAA", "====", "Zm9v.", "Ｚg"],
)  # fmt: skip
def test_a_second_spelling_of_base64url_is_refused(text: str) -> None:
    assert code_of(b64url_decode, text) == "MALFORMED"
    assert code_of(b64url_decode, text.encode("utf-8", "surrogatepass")) == "MALFORMED"


@given(st.binary(max_size=200))
def test_base64url_brings_bytes_back(data: bytes) -> None:
    assert b64url_decode(b64url_encode(data)) == data


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 40))
def test_many_values_are_encoded_as_each_alone(values: list[bytes], size: int) -> None:
    alone = [b64url_encode(value) for value in values]
    assert encoding.b64url_encode_all(values) == [text.encode() for text in alone]
    pieces = [value.ljust(size, b"\xff")[:size] for value in values]
    together = encoding.b64url_encode_pieces(b"".join(pieces), size)
    assert together == tuple(b64url_encode(piece).encode() for piece in pieces)
    assert encoding.dump_json({"a": encoding.json_list(together)}) == encoding.dump_json(
        {"a": [b64url_encode(piece) for piece in pieces]}
    )


@given(st.lists(st.text(ALPHABET + "+/=", max_size=12).map(str.encode), max_size=4))
def test_many_texts_are_decoded_as_each_alone(texts: list[bytes]) -> None:
    alone = [answer(b64url_decode, text) for text in texts]
    kind, found = answer(encoding.b64url_decode_all, texts)
    assert (kind == "refused") == any(one[0] == "refused" for one in alone)
    assert kind == "refused" or found == [one[1] for one in alone]


@given(st.lists(st.recursive(st.text() | st.none() | st.integers(0, 9), st.lists), max_size=8))
def test_many_values_are_written_as_each_alone(values: list[Any]) -> None:
    assert encoding.dump_json_each(values) == [encoding.dump_json(value) for value in values]


@given(st.text(ALPHABET + "+/= \n", max_size=40))
def test_bytes_have_exactly_one_base64url_text(text: str) -> None:
    kind, data = answer(b64url_decode, text)
    assert kind == "refused" or b64url_encode(data) == text


@given(st.binary(min_size=1, max_size=40), st.data())
def test_any_changed_character_of_base64url_gives_other_bytes_or_none(
    data: bytes, choice: st.DataObject
) -> None:
    text = b64url_encode(data)
    at = choice.draw(st.integers(0, len(text) - 1))
    other = choice.draw(st.characters(codec="latin-1").filter(lambda c: c != text[at]))
    assert answer(b64url_decode, text[:at] + other + text[at + 1 :])[1] != data


@pytest.mark.parametrize("text", ["Zg", "Zh==", "Zm9=", "Zg==\n", "Zg== ", "-_-_", "Zm8=Zm8=", "é"])
def test_a_second_spelling_of_base64_is_refused(text: str) -> None:
    assert code_of(b64_decode, text) == "MALFORMED"


@given(st.binary(max_size=100))
def test_base64_brings_bytes_back(data: bytes) -> None:
    assert b64_decode(b64_encode(data)) == data


# --- digits ---------------------------------------------------------------------------------------

DIGITS = [
    ("00", "000"),
    ("ff", "255"),
    ("ffff", "65535"),
    ("ffffff", "16777215"),
    ("ffffffff", "4294967295"),
    ("ff" * 5, "1099511627775"),
    ("ff" * 6, "281474976710655"),
    ("ff" * 7, "72057594037927935"),
    ("0102030405060708", "00283686952306183008"),
]


@pytest.mark.parametrize(("data", "text"), DIGITS)
def test_digits_follow_their_table(data: str, text: str) -> None:
    assert digits_encode(bytes.fromhex(data)) == text
    assert digits_decode(text) == bytes.fromhex(data)


@pytest.mark.parametrize(
    "text",
    ["", "0", "12", "1234", "256", "999", "65536", "16777216", "4294967296", "1099511627776",
     "281474976710656", "72057594037927936", "99999999999999999", "00000000000000000256",
     "+12", "-12", " 12", "1 2", "12\n", "1_2", "0x1", "\u0661\u0662\u0663", "\u00b2\u00b2\u00b2",
     "12a", "1.2", "\uff11\uff12\uff13"],
)  # fmt: skip
def test_digits_out_of_range_or_shape_are_refused(text: str) -> None:
    assert code_of(digits_decode, text) == "MALFORMED"


@pytest.mark.parametrize("tail", range(17))
def test_only_seven_lengths_of_digits_exist(tail: int) -> None:
    possible = tail in {0, 3, 5, 8, 10, 13, 15}
    assert (answer(digits_decode, "0" * (17 + tail))[0] == "value") is possible


def test_digits_end_at_the_cap() -> None:
    longest = "0" * (17 * 481)  # 8,177 digits
    assert digits_decode(longest + "0" * 15) == bytes(7 * 481 + 6)  # 8,192
    assert code_of(digits_decode, "0" * (MAX_CODE_TEXT_CHARS + 1)) == "TOO_LARGE"


@given(st.binary(min_size=1, max_size=300))
def test_digits_bring_bytes_back(data: bytes) -> None:
    assert digits_decode(digits_encode(data)) == data


@given(st.text("0123456789", min_size=1, max_size=60))
def test_bytes_have_exactly_one_text_of_digits(text: str) -> None:
    kind, data = answer(digits_decode, text)
    assert kind == "refused" or digits_encode(data) == text


# --- base45 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"),
     (b"ietf!", "QED8WEX0"), (b"", ""), (b"\xff\xff", "FGW"), (b"\xff", "U5")],
)  # fmt: skip
def test_base45_follows_the_examples_of_rfc_9285(data: bytes, text: str) -> None:
    assert base45_encode(data) == text
    assert base45_decode(text) == data


@pytest.mark.parametrize(
    "text", ["A", "BB8A", "GGW", ":::", "FGX", "V5", "::", "bb8", "BB\n", "B,8", "BÉ8", "\ud800B8"]
)
def test_base45_out_of_range_or_shape_is_refused(text: str) -> None:
    assert code_of(base45_decode, text) == "MALFORMED"


def test_base45_ends_at_the_cap() -> None:
    assert len(base45_decode("0" * MAX_CODE_TEXT_CHARS)) == 5461
    assert code_of(base45_decode, "0" * (MAX_CODE_TEXT_CHARS + 1)) == "TOO_LARGE"


@given(st.binary(max_size=200))
def test_base45_brings_bytes_back(data: bytes) -> None:
    assert base45_decode(base45_encode(data)) == data


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", max_size=30))
def test_bytes_have_exactly_one_base45_text(text: str) -> None:
    kind, data = answer(base45_decode, text)
    assert kind == "refused" or base45_encode(data) == text


# --- compression ----------------------------------------------------------------------------------


@given(st.binary(max_size=500), st.integers(1, 9))
def test_what_was_deflated_inflates(data: bytes, level: int) -> None:
    assert inflate(deflate(data, level=level), max_bytes=500) == data


def test_inflating_ends_at_the_cap() -> None:
    assert inflate(deflate(bytes(100)), max_bytes=100) == bytes(100)
    assert code_of(inflate, deflate(bytes(101)), max_bytes=100) == "TOO_LARGE"
    assert code_of(inflate, deflate(bytes(50_000_000)), max_bytes=8192) == "TOO_LARGE"


STREAM = deflate(b"a certificate " * 9)


@pytest.mark.parametrize("end", range(len(STREAM)))
def test_a_stream_cut_anywhere_is_refused(end: int) -> None:
    assert code_of(inflate, STREAM[:end], max_bytes=1000) == "MALFORMED"


@pytest.mark.parametrize(
    "data",
    [STREAM + b"\0", STREAM + STREAM, b"\0" + STREAM, b"not a stream", STREAM[2:-4],
     zlib.compress(b"x", wbits=31), STREAM[:-1] + bytes([STREAM[-1] ^ 1])],
    ids=["a byte after", "two streams", "a byte before", "junk", "raw", "gzip", "checksum"],
)  # fmt: skip
def test_only_one_whole_zlib_stream_is_read(data: bytes) -> None:
    assert code_of(inflate, data, max_bytes=1000) == "MALFORMED"


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"x":[{"b":1,"b":1}]}', '{"a":{},\n"a":{}}',
     '{"a" :1,"a" :2}', '{"a\\"b":1,"a\\u0022b":2}', '{"":1,"":2}', '{"a":":","a":1}',
     '{"é":1,"\\u00e9":2}', '{"":"\\":","a":1,"a":1}', '{"a":1,"a"\t:2}', '{"a":1,"a"\r:2}'],
)  # fmt: skip
def test_a_name_that_stands_twice_is_refused_however_it_is_spelt(text: str) -> None:
    assert code_of(parse_json, text.encode()) == "MALFORMED"


@pytest.mark.parametrize(
    "text",
    ['{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":1.0}', '{"a":1e5}', '{"a":-0.0}',
     '{"a":1E400}', '{"a":9007199254740992}', '{"a":-9007199254740992}',
     '{"a":18446744073709551616}', '{"a":01}', '{"a":+1}', '{"a":0x1}', '{"a":1_0}',
     '{"a":' + "9" * 5000 + "}", '{"a":\n' + "9" * 5000 + "}", '{"a":[1,2,0.5]}', '{"a":\n1.5}'],
)  # fmt: skip
def test_a_number_that_is_no_exact_integer_is_refused(text: str) -> None:
    assert code_of(parse_json, text.encode()) == "MALFORMED"


@pytest.mark.parametrize("number", [0, 1, -1, MAX_JSON_INT, -MAX_JSON_INT])
@pytest.mark.parametrize("space", ["", "\n"])
def test_an_exact_integer_is_read(number: int, space: str) -> None:
    assert parse_json(f'{{"a":{space}{number}}}'.encode()) == {"a": number}


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"{", b"{}{}", b"{} x", b"{},", b"{}\0", b"\xef\xbb\xbf{}", "{}".encode("utf-16"),
     "{}".encode("utf-16-le"), "{}".encode("utf-32"), b'{"a":"\\ud800"}', b'{"\\udc00":1}',
     b'{"a":"\\udc00\\ud800"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}',
     b'{"a":"\n"}', b'{"a":"\0"}', b"{'a':1}", b"{a:1}", b'{"a":1,}', b'{"a":[1,]}', b"[]", b'"a"',
     b"1", b"null", b"true", b'{"a":"\\x41"}', b'{"a":"\\u00g0"}', b"{}//", b"/**/{}",
     b'{"a":\xc2\xa01}', b'{"a":\x0b1}', b'{"a":\n"\\ud800"}', b'{"a":tru}', b'{"a":undefined}'],
)  # fmt: skip
def test_what_is_no_json_object_in_utf8_is_refused(data: bytes) -> None:
    assert code_of(parse_json, data) == "MALFORMED"


def test_the_top_level_is_the_kind_asked_for() -> None:
    assert parse_json(b"[1]", top=list) == [1]
    assert code_of(parse_json, b"{}", top=list) == "MALFORMED"


def test_json_of_more_bytes_than_the_cap_is_refused() -> None:
    assert parse_json(b'{"a":1}', max_bytes=7) == {"a": 1}
    assert code_of(parse_json, b'{"a":1} ', max_bytes=7) == "TOO_LARGE"


def nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("cap", [1, 2, 16, 32])
def test_json_deeper_than_the_cap_is_refused(cap: int) -> None:
    deepest = b"{}" if cap == 1 else nested(cap)
    assert parse_json(deepest, max_depth=cap) is not None
    assert code_of(parse_json, nested(cap + 1), max_depth=cap) == "TOO_LARGE"


def test_brackets_inside_strings_are_not_depth_and_many_beside_each_other_neither() -> None:
    assert parse_json(b'{"a":"' + b"[" * 100 + b'"}') == {"a": "[" * 100}
    assert parse_json(b'{"a":"\\"' + b"[" * 100 + b'"}') == {"a": '"' + "[" * 100}
    assert parse_json(b'{"a":[' + b"[]," * 100 + b"[]]}") == {"a": [[]] * 101}


@pytest.mark.parametrize("cap", [1, 3, 10_000])
def test_json_with_more_members_than_the_cap_is_refused(cap: int) -> None:
    def members(count: int) -> bytes:
        return dump_json({str(i): ",,,"[: i % 3] for i in range(count)})

    assert len(parse_json(members(cap), max_members=cap)) == cap
    assert code_of(parse_json, members(cap + 1), max_members=cap) == "TOO_LARGE"


# Names that hide: colons, quotes and spaces inside, escapes for what could be written plainly.
NAMES = st.sampled_from(
    [
        '"a"',
        '"\\u0061"',
        '"b"',
        '"a\\":"',
        '"\\":"',
        '" "',
        '"\\" "',
        '":"',
        '""',
        '"\\\\"',
        '"\\\\u0061"',
    ]
)
FORBIDDEN = ("9007199254740992", "1.0", "1e5", "NaN", '"\\ud800"')
SPACE = st.sampled_from(["", "", "", " ", "\n", "\t", "\r\n", "  "])
SCALARS = st.one_of(
    NAMES,
    st.sampled_from(["0", "-0", "1", "null", "true", "false", "-9007199254740991"]),
    st.sampled_from(['"\\ud83d\\ude00"', *FORBIDDEN]),
)


def documents() -> st.SearchStrategy[str]:
    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        member = st.builds("{}{}:{}{}{}".format, NAMES, SPACE, SPACE, inner, SPACE)
        braces = st.builds(
            lambda s, ms: "{" + s + ",".join(ms) + "}", SPACE, st.lists(member, max_size=4)
        )
        items = st.builds(
            lambda s, v: "[" + s + ",".join(v) + "]", SPACE, st.lists(inner, max_size=3)
        )
        return st.one_of(braces, items)

    return grow(st.recursive(SCALARS, grow, max_leaves=6)).filter(lambda t: t.startswith("{"))


@given(documents())
def test_the_fast_reading_of_json_equals_the_slow_one(text: str) -> None:
    data = text.encode()
    assert answer(parse_json, data) == answer(encoding._parse_json_slowly, data)


@given(documents())
def test_the_slow_reading_of_json_equals_the_plain_one_with_pairs_compared(text: str) -> None:
    doubled = False

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal doubled
        doubled |= len(dict(members)) != len(members)
        return dict(members)

    plain = json.loads(text, object_pairs_hook=pairs)
    if doubled or any(scalar in text for scalar in FORBIDDEN):
        assert code_of(encoding._parse_json_slowly, text.encode()) == "MALFORMED"
    else:
        assert encoding._parse_json_slowly(text.encode()) == plain


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_json_or_refused(data: bytes) -> None:
    answer(parse_json, data)
    answer(parse_json, b'{"a":' + data + b"}")


def test_canonical_json_follows_rfc_8785() -> None:
    # §3.2.3: names in the order of their UTF-16 code units, a surrogate pair before U+FB33.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    text = canonical_json(dict.fromkeys(names, 0)).decode()
    assert list(json.loads(text)) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]
    strange = '\u20ac$\x0f\nA\'B"\\\\"/\x7f\u2028'
    assert canonical_json({"b": [strange], "a": {"d": None, "c": True}}).decode() == (
        '{"a":{"c":true,"d":null},"b":["\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\u2028"]}'
    )


# --- CBOR -----------------------------------------------------------------------------------------

INTEGERS = st.integers(-(2**64), 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LEAVES = st.one_of(INTEGERS, TEXTS, st.binary(max_size=30), st.booleans(), st.none())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(INTEGERS, TEXTS), inner, max_size=4)
    ),
    max_leaves=12,
)


def bytewise(value: Any) -> bytes:
    """The oracle's encoding, keys put into the bytewise order of RFC 8949 §4.2.1 by hand."""
    if isinstance(value, dict):
        pairs = sorted((cbor2.dumps(key), bytewise(member)) for key, member in value.items())
        return cbor_head(5, len(pairs)) + b"".join(key + member for key, member in pairs)
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(bytewise, value))
    return bytes(cbor2.dumps(value))


@given(VALUES)
def test_cbor_is_written_as_the_oracle_writes_it_and_read_back(value: Any) -> None:
    data = dump_cbor(value)
    assert data == bytewise(value)
    assert cbor2.loads(data) == value
    back = parse_cbor(data, max_depth=20)
    assert back == value
    assert dump_cbor(back) == data
    assert parse_cbor(data, max_depth=20, deterministic=False) == value


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (23, "17"), (24, "1818"), (255, "18ff"), (256, "190100"), (65535, "19ffff"),
     (65536, "1a00010000"), (2**32, "1b0000000100000000"), (2**64 - 1, "1b" + "ff" * 8),
     (-1, "20"), (-24, "37"), (-25, "3818"), (-70000, "3a0001116f"), (-(2**64), "3b" + "ff" * 8),
     (b"", "40"), ("", "60"), ("\u6c34", "63e6b0b4"), ([], "80"), ({}, "a0"), (False, "f4"),
     (True, "f5"), (None, "f6"), (Tag(100, 13270), "d8641933d6"), (Tag(18, []), "d280"),
     ({10: 0, 100: 1, -1: 2, "z": 3, "aa": 4}, "a50a001864012002617a0362616104")],
)  # fmt: skip
def test_cbor_follows_the_examples_of_rfc_8949(value: Any, data: str) -> None:
    assert dump_cbor(value) == bytes.fromhex(data)
    assert parse_cbor(bytes.fromhex(data)) == value


NOT_DETERMINISTIC = {
    "nothing": "",
    "head longer than need be, 1 byte": "1817",
    "head longer than need be, 2 bytes": "1900ff",
    "head longer than need be, 4 bytes": "1a0000ffff",
    "head longer than need be, 8 bytes": "1b00000000ffffffff",
    "long head of a negative": "3817",
    "long head of bytes": "580141",
    "long head of a text": "780161",
    "long head of an array": "980100",
    "long head of a map": "b8010000",
    "long head of a tag": "d81280",
    "indefinite bytes": "5f4100ff",
    "indefinite text": "7f6161ff",
    "indefinite array": "9f00ff",
    "indefinite map": "bf0000ff",
    "break alone": "ff",
    "reserved head": "1c",
    "reserved head of an array": "9d",
    "half float": "f93c00",
    "float": "fa3f800000",
    "double": "fb3ff0000000000000",
    "undefined": "f7",
    "simple 59": "f83b",
    "simple 16": "f0",
    "simple false in two bytes": "f814",
    "tag 0": "c06161",
    "epoch date": "c100",
    "bignum": "c24101",
    "decimal": "c4820000",
    "shared value": "d81c80",
    "shared reference": "d81d00",
    "regular expression": "d8236161",
    "tag 61": "d83d80",
    "self-described": "d9d9f780",
    "twice the same key": "a201000100",
    "twice the same text key": "a2616100616100",
    "keys out of order": "a202000100",
    "negative before positive": "a220000100",
    "long text before short": "a262616100617a00",
    "bytes as a key": "a1410000",
    "true as a key": "a1f500",
    "null as a key": "a1f600",
    "trailing byte": "0000",
    "text not UTF-8": "61ff",
    "text with a surrogate": "63eda080",
    "overlong UTF-8": "62c0af",
    "lying bytes": "4300",
    "lying text": "6361",
    "lying array": "8200",
    "array of 2^64": "9bffffffffffffffff",
    "map of 2^64": "bbffffffffffffffff",
    "bytes of 2^64": "5bffffffffffffffff",
    "cut head": "19ff",
    "cut map": "a1",
    "map without its last value": "a100",
}  # fmt: skip
TOO_DEEP = {"an array as a key": "a18000", "a map as a key": "a1a000", "a tag as a key": "a1c00000"}


@pytest.mark.parametrize("data", NOT_DETERMINISTIC.values(), ids=NOT_DETERMINISTIC.keys())
def test_any_other_spelling_in_cbor_is_refused(data: str) -> None:
    assert code_of(parse_cbor, bytes.fromhex(data)) == "MALFORMED"


@pytest.mark.parametrize("data", TOO_DEEP.values(), ids=TOO_DEEP.keys())
def test_a_cbor_key_that_nests_is_refused(data: str) -> None:
    assert code_of(parse_cbor, bytes.fromhex(data)) in {"MALFORMED", "TOO_LARGE"}


def test_a_list_of_another_provider_may_order_its_keys_freely_but_not_double_them() -> None:
    assert parse_cbor(bytes.fromhex("a202000100"), deterministic=False) == {2: 0, 1: 0}
    assert parse_cbor(bytes.fromhex("82a202000100a0"), deterministic=False) == [{2: 0, 1: 0}, {}]
    for twice in ("a201000100", "a3010002000100", "a2616100616100"):
        assert code_of(parse_cbor, bytes.fromhex(twice), deterministic=False) == "MALFORMED"


@pytest.mark.parametrize("cap", [1, 6])
@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\xd2"])
def test_cbor_deeper_than_the_cap_is_refused(cap: int, opening: bytes) -> None:
    parse_cbor(opening * cap + b"\0", max_depth=cap)
    assert code_of(parse_cbor, opening * (cap + 1) + b"\0", max_depth=cap) == "TOO_LARGE"
    assert code_of(parse_cbor, opening * 100_000 + b"\0") == "TOO_LARGE"


def test_cbor_of_more_items_than_the_cap_is_refused() -> None:
    assert parse_cbor(dump_cbor([[0, 0], [0]]), max_members=5) == [[0, 0], [0]]
    assert code_of(parse_cbor, dump_cbor([[0, 0], [0, 0]]), max_members=5) == "TOO_LARGE"
    assert code_of(parse_cbor, dump_cbor([{0: 0}] * 10_000)) == "TOO_LARGE"


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_cbor_in_one_spelling_or_refused(data: bytes) -> None:
    kind, value = answer(parse_cbor, data)
    assert kind == "refused" or dump_cbor(value) == data
    answer(parse_cbor, data, deterministic=False)


@given(VALUES, st.data())
def test_a_changed_byte_of_cbor_gives_another_value_or_none(
    value: Any, choice: st.DataObject
) -> None:
    data = dump_cbor(value)
    at = choice.draw(st.integers(0, len(data) - 1))
    changed = bytearray(data)
    changed[at] ^= choice.draw(st.integers(1, 255))
    kind, other = answer(parse_cbor, bytes(changed), max_depth=20)
    assert kind == "refused" or dump_cbor(other) != data


def test_cbor_is_not_written_for_what_it_cannot_say() -> None:
    with pytest.raises(TypeError):
        dump_cbor(1.5)
    with pytest.raises(OverflowError):
        dump_cbor(2**64)
    with pytest.raises(OverflowError):
        dump_cbor(-(2**64) - 1)


# --- times and days -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 1_795_253_400, MAX_TIME])
def test_a_time_is_a_whole_number_of_seconds(value: int) -> None:
    assert is_time(value)
    assert to_seconds(from_seconds(value)) == value
    assert to_seconds(parse_time(format_time(value))) == value


@pytest.mark.parametrize("value", [-1, MAX_TIME + 1, True, "1", None, 1.0, [1], 1_795_253_400_000])
def test_anything_else_is_no_time(value: Any) -> None:
    assert not is_time(value)


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-21", "2026-11-21T09:00:00", "2026-11-21T09:00:00+00:00", "2026-11-21 09:00:00Z",
     "2026-11-21T09:00:00.0Z", "2026-11-21t09:00:00z", "2026-11-21T24:00:00Z",
     "2026-11-21T09:00:60Z", "2026-02-30T09:00:00Z", "0000-01-01T00:00:00Z",
     "2026-11-21T09:00:00Z\n", "\u0662026-11-21T09:00:00Z", "20261121T090000Z"],
)  # fmt: skip
def test_a_time_in_text_has_one_spelling(text: str) -> None:
    assert code_of(parse_time, text) == "MALFORMED"


@pytest.mark.parametrize(
    ("text", "days"),
    [("1970-01-01", 0), ("2006-05-02", 13270), ("1969-12-31", -1), ("0001-01-01", -719162),
     ("9999-12-31", 2932896)],
)  # fmt: skip
def test_a_day_is_a_number_of_days_since_1970(text: str, days: int) -> None:
    assert date_to_days(text) == days
    assert days_to_date(days) == text


@pytest.mark.parametrize(
    "text", ["", "2026-2-1", "20260201", "2026-02-30", "2026-W01-1", "0000-01-01", "2026-02-01\n",
             "\u0662026-02-01", "10000-01-01"]
)  # fmt: skip
def test_a_day_in_text_has_one_spelling(text: str) -> None:
    assert code_of(date_to_days, text) == "CLAIM_INVALID"


@pytest.mark.parametrize("days", [-719163, 2932897, 2**63, -(2**70)])
def test_a_day_outside_the_calendar_is_refused(days: int) -> None:
    assert code_of(days_to_date, days) == "CLAIM_INVALID"


# --- what the worst input costs -------------------------------------------------------------------

COST = """
import resource, sys, time, zlib
from talentseal import cose, encoding, errors, jose, keys

def heaviest():
    mib = 1 << 20
    json = lambda data: lambda: encoding.parse_json(data, max_bytes=mib)
    cbor = lambda data, **how: lambda: encoding.parse_cbor(data, **how)
    def array(item):
        count = (mib - 9) // len(item)
        return encoding.cbor_head(4, count) + item * count

    numbered = encoding.cbor_head(5, 200_000) + b"".join(
        encoding.dump_cbor(i) + b"\\0" for i in range(200_000))
    yield "a string that never ends", json(b"[" * 20 + b'{"a":"' + b'\\\\"' * (mib // 2 - 30))
    yield "a string of quotes", json(b'{"a":"' + b'\\\\",' * (mib // 3 - 5) + b'"}')
    yield "a string of commas", json(b'{"a":"' + b"x," * (mib // 2 - 10) + b'"}')
    yield "brackets", json(b"[" * mib)
    yield "brackets that close", json(b'{"a":' + b"[" * 10 + b"]" * (mib - 20))
    yield "deep lists", json(b'{"a":[' + b"[[[[[[[[[[[[[]]]]]]]]]]]]]," * 9990 + b"[]]}")
    yield "names", json(b"{" + b",".join(b'"%d":0' % i for i in range(10_000)) + b"}")
    yield "names and lines", json(b"{\\n" + b",".join(b'"%d":0' % i for i in range(10_000)) + b"}")
    yield "space", json(b'{"a":1' + b" " * (mib - 10) + b"}")
    yield "lines", json(b'{"a":1' + b"\\n" * (mib - 10) + b"}")
    yield "digits of a number", json(b'{"a":' + b"1" * (mib - 10) + b"}")
    yield "escapes", json(b'{"a":\\n"' + b"\\\\u0041" * ((mib - 20) // 6) + b'"}')
    yield "quotes", json(b'"' * mib)
    yield "backslashes", json(b'"' + b"\\\\" * (mib - 1))
    yield "cbor numbers", cbor(array(b"\\0"))
    yield "cbor lists", cbor(array(b"\\x80"))
    yield "cbor negatives", cbor(array(b"\\x38\\x20"))
    yield "cbor map", cbor(numbered)
    yield "cbor map in any order", cbor(numbered, deterministic=False)
    yield "cbor nesting", cbor(b"\\x81" * mib)
    yield "base64url", lambda: encoding.b64url_decode("A" * mib)
    yield "dots", lambda: jose.parse_jws("." * mib, max_bytes=mib)
    yield "a bomb", lambda: encoding.inflate(BOMB, max_bytes=8192)
    yield "empty blocks", lambda: encoding.inflate(
        b"\\x78\\x9c" + b"\\0\\0\\0\\xff\\xff" * (mib // 5), max_bytes=8192)

def timed(act):
    start = time.process_time()
    try:
        act()
    except errors.InputError:
        pass
    return time.process_time() - start

def verifications(count):
    for _ in range(count):
        assert signer.public.verify(signature, b"x")

BOMB = zlib.compress(bytes(100_000_000))
signer = keys.signer_from_secret(7)
signature = signer.sign(b"x")
timed(lambda: verifications(200))
raw = min(timed(lambda: verifications(500)) / 500 for _ in range(5))
acts = list(heaviest())
# Linux counts in KiB. What the inputs themselves need is there already.
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for name, act in acts:
    raws = min(timed(act) for _ in range(2)) / raw
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    if raws > 2500 or more > 50:
        print(f"{name}: {raws:.0f} verifications, {more} MiB")
"""


def test_the_worst_mebibyte_costs_less_than_2500_signatures_and_50_mebibytes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COST], capture_output=True, text=True, timeout=110, check=True
    )
    assert done.stdout == ""


def test_digits_are_packed_as_written_down_for_other_languages() -> None:
    # The five lines a foreign decoder needs, spelt out once: an oracle without our table.
    data = bytes(range(256))
    groups = [data[i : i + 7] for i in range(0, len(data), 7)]
    widths = [len(str(256 ** len(group) - 1)) for group in groups]
    text = "".join(
        str(struct.unpack(">Q", group.rjust(8, b"\0"))[0]).zfill(width)
        for group, width in zip(groups, widths, strict=True)
    )
    assert digits_encode(data) == text
