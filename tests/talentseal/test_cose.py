from collections.abc import Mapping
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talentseal import cose
from talentseal.encoding import TAG_SIGN1, Tag, dump_cbor
from talentseal.errors import InputError
from talentseal.keys import new_signer, signer_from_secret

CWT = 61
SIGNER = signer_from_secret(511)
ED_SIGNER = new_signer("EdDSA")
KID8 = SIGNER.public.kid8
PAYLOAD = dump_cbor({1: "https://issuer.example", 6: 1_795_253_400})
MESSAGE = cose.sign_sign1(PAYLOAD, {4: KID8, 16: CWT}, SIGNER)


def refusal(data: bytes, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        cose.parse_sign1(data, **settings)
    return caught.value.code


def is_good(data: bytes) -> bool:
    """Whether a reader would accept `data` as ours, all checks of this module taken together."""
    try:
        message = cose.parse_sign1(data)
        alg = cose.check_protected(message.protected, CWT)
    except InputError:
        return False
    return alg == "ES256" and cose.is_signed_by(message, SIGNER.public)


def message(protected: Any, unprotected: Any = None, **parts: Any) -> bytes:
    """A message of any header, honestly signed: only the header can be what is refused."""
    header = protected if isinstance(protected, bytes) else dump_cbor(protected)
    payload = parts.get("payload", PAYLOAD)
    signature = parts.get("signature", SIGNER.sign(cose.sig_structure(header, PAYLOAD)))
    return dump_cbor(Tag(TAG_SIGN1, [header, unprotected or {}, payload, signature]))


def test_what_was_signed_is_read_and_holds() -> None:
    read = cose.parse_sign1(MESSAGE)
    assert read.protected == {1: -7, 4: KID8, 16: CWT}
    assert (read.unprotected, read.payload, read.encoded) == ({}, PAYLOAD, MESSAGE)
    assert cose.check_protected(read.protected, CWT) == "ES256"
    assert cose.is_signed_by(read, SIGNER.public)
    assert not cose.is_signed_by(read, signer_from_secret(512).public)
    assert is_good(MESSAGE)


def test_the_protected_header_is_the_known_answer() -> None:
    data = cose.sign_sign1(PAYLOAD, {4: bytes.fromhex("0011223344556677"), 16: CWT}, SIGNER)
    assert cbor2.loads(data).value[0].hex() == "a301260448001122334455667710183d"


@pytest.mark.parametrize("length", [0, 23, 24, 255, 256, 70_000])
def test_what_is_signed_is_the_sig_structure_of_rfc_9052(length: int) -> None:
    protected, payload = bytes(length // 2), bytes(length)
    plain = cbor2.dumps(["Signature1", protected, b"", payload])
    assert cose.sig_structure(protected, payload) == plain


def test_ed25519_signs_too() -> None:
    read = cose.parse_sign1(cose.sign_sign1(PAYLOAD, {16: CWT}, ED_SIGNER))
    assert cose.check_protected(read.protected, CWT) == "EdDSA"
    assert cose.is_signed_by(read, ED_SIGNER.public)
    assert not cose.is_signed_by(read, SIGNER.public)


@pytest.mark.parametrize(
    "alg", [-35, -36, -47, -37, -257, 5, 0, None, True, False, "ES256", -7.0, [-7], b"\x26"]
)
def test_no_other_algorithm_is_taken_from_a_header(alg: Any) -> None:
    with pytest.raises(InputError) as caught:
        cose.check_protected({1: alg, 16: CWT}, CWT)
    assert caught.value.code == "ALG_NOT_ALLOWED"


def test_an_algorithm_that_is_not_protected_does_not_count() -> None:
    read = cose.parse_sign1(message({4: KID8, 16: CWT}, {1: -7}))
    with pytest.raises(InputError) as caught:
        cose.check_protected(read.protected, CWT)
    assert caught.value.code == "ALG_NOT_ALLOWED"
    assert not cose.is_signed_by(read, SIGNER.public)


@pytest.mark.parametrize(("number", "good"), [(-7, True), (-9, True), (-8, False), (-19, False)])
def test_the_header_must_name_the_algorithm_of_the_key(number: int, good: bool) -> None:  # noqa: FBT001
    read = cose.parse_sign1(message({1: number, 16: CWT}))
    assert cose.is_signed_by(read, SIGNER.public) is good


@pytest.mark.parametrize("typ", [None, 60, 294, "application/cwt", "61", True, b"=", [61]])
def test_a_message_of_another_kind_is_refused(typ: Any) -> None:
    with pytest.raises(InputError) as caught:
        cose.check_protected({1: -7, 16: typ}, CWT)
    assert caught.value.code == "TYPE_CONFUSION"


def test_true_does_not_stand_for_the_kind_one() -> None:
    with pytest.raises(InputError):
        cose.check_protected({1: -7, 16: True}, 1)
    assert cose.check_protected({1: -7, 16: 1}, 1) == "ES256"


@pytest.mark.parametrize("crit", [[], [1], [4], None])
def test_critical_headers_are_refused(crit: Any) -> None:
    with pytest.raises(InputError) as caught:
        cose.check_protected({1: -7, 2: crit, 16: CWT}, CWT)
    assert caught.value.code == "CRIT_UNKNOWN"


def test_a_header_stands_in_one_map_only() -> None:
    header = {1: -7, 4: KID8, 16: CWT}
    assert cose.parse_sign1(message(header, {11: b""})).unprotected == {11: b""}
    assert refusal(message(header, {4: KID8})) == "MALFORMED"
    assert refusal(message(header, {1: -8})) == "MALFORMED"


HEADER = bytes.fromhex("a301260448001122334455667710183d")
SIGNATURE = bytes(64)


@pytest.mark.parametrize(
    "parts",
    [[], [HEADER, {}, PAYLOAD], [HEADER, {}, PAYLOAD, SIGNATURE, b""],
     [{1: -7}, {}, PAYLOAD, SIGNATURE], [HEADER, [], PAYLOAD, SIGNATURE],
     [HEADER, None, PAYLOAD, SIGNATURE], [HEADER, {}, None, SIGNATURE],
     [HEADER, {}, "text", SIGNATURE], [HEADER, {}, {1: 2}, SIGNATURE], [HEADER, {}, PAYLOAD, None],
     [HEADER, {}, PAYLOAD, "x" * 64], [HEADER, {}, PAYLOAD, []], [b"", {}, PAYLOAD, SIGNATURE],
     [b"\x80", {}, PAYLOAD, SIGNATURE], {1: 2}, None, b"bytes"],
)  # fmt: skip
def test_a_message_has_four_parts_of_their_kinds(parts: Any) -> None:
    assert refusal(dump_cbor(Tag(TAG_SIGN1, parts))) == "MALFORMED"


@pytest.mark.parametrize("length", [0, 32, 63, 65, 70, 72, 96, 132])
def test_a_signature_has_64_bytes(length: int) -> None:
    assert refusal(message(HEADER, signature=bytes(length))) == "MALFORMED"


BODY = MESSAGE[1:]


ODD = {
    "nothing": b"",
    "tag alone": b"\xd2",
    "no tag": BODY,
    "a MAC": b"\xd1" + BODY,
    "tag 19": b"\xd3" + BODY,
    "long tag": b"\xd8\x12" + BODY,
    "a CWT tag around": b"\xd8\x3d" + MESSAGE,
    "tagged twice": b"\xd2" + MESSAGE,
    "a byte after": MESSAGE + b"\0",
    "two messages": MESSAGE + MESSAGE,
    "a space before": b" " + MESSAGE,
    "indefinite array": b"\xd2\x9f" + BODY[1:] + b"\xff",
    "long array": b"\xd2\x98\x04" + BODY[1:],
    "a zlib head": b"\x78\x9c" + MESSAGE,
    "self-described": b"\xd9\xd9\xf7" + MESSAGE,
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_a_message_has_one_spelling(data: bytes) -> None:
    assert refusal(data) == "MALFORMED"


@pytest.mark.parametrize("header", ["a2182000012600", "a20126012600", "bf0126ff", "a119000126"])
def test_a_protected_header_has_one_spelling(header: str) -> None:
    assert refusal(message(bytes.fromhex(header))) == "MALFORMED"


def test_lists_of_other_providers_may_order_their_keys_freely() -> None:
    unordered = bytes.fromhex("a210183d0126")
    data = message(unordered)
    assert refusal(data) == "MALFORMED"
    read = cose.parse_sign1(data, deterministic=False)
    assert cose.check_protected(read.protected, CWT) == "ES256"
    assert cose.is_signed_by(read, SIGNER.public)
    assert refusal(data) == "MALFORMED"  # what was remembered for the one is not for the other


def test_a_message_larger_than_the_cap_is_refused() -> None:
    assert cose.parse_sign1(MESSAGE, max_bytes=len(MESSAGE)).payload == PAYLOAD
    assert refusal(MESSAGE, max_bytes=len(MESSAGE) - 1) == "TOO_LARGE"


def test_a_message_deeper_than_the_cap_is_refused() -> None:
    def deep(levels: int) -> bytes:
        return message({1: -7, 16: nested(levels - 1)})

    def nested(levels: int) -> Any:
        return [nested(levels - 1)] if levels else 0

    assert cose.parse_sign1(deep(6)).protected[1] == -7
    assert refusal(deep(7)) == "TOO_LARGE"


@pytest.mark.parametrize("at", range(len(MESSAGE)))
def test_no_bit_of_a_message_may_flip(at: int) -> None:
    for bit in range(8):
        flipped = bytearray(MESSAGE)
        flipped[at] ^= 1 << bit
        assert not is_good(bytes(flipped))


@pytest.mark.parametrize("end", range(len(MESSAGE)))
def test_a_message_cut_anywhere_is_refused(end: int) -> None:
    assert refusal(MESSAGE[:end]) == "MALFORMED"


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_no_message(data: bytes) -> None:
    assert refusal(data) in {"MALFORMED", "TOO_LARGE"}
    assert refusal(b"\xd2\x84" + data) in {"MALFORMED", "TOO_LARGE"}


def test_short_headers_are_remembered_and_cannot_be_changed() -> None:
    header: Mapping[Any, Any] = cose.parse_protected(HEADER)
    assert cose.parse_protected(HEADER) is header
    changeable: Any = header
    with pytest.raises(TypeError):
        changeable[1] = -8
    long = dump_cbor({1: -7, 33: bytes(200)})
    assert cose.parse_protected(long) is not cose.parse_protected(long)
