"""A status list as a reader meets it: believed from a listed provider, else refused by code."""

import random
import timeit
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talentseal import encoding
from talentseal.cose import sig_structure, sign_sign1
from talentseal.encoding import Tag, b64url_decode, b64url_encode, dump_cbor, dump_json
from talentseal.errors import BundleError, InputError
from talentseal.jose import sign_jws
from talentseal.keys import PublicKey, Signer, SoftwareSigner, new_signer, signer_from_secret
from talentseal.status import (
    CWT_EXP,
    CWT_IAT,
    CWT_LIST,
    CWT_NBF,
    CWT_SUB,
    CWT_TTL,
    CWT_TYP,
    JWT_TYP,
    StatusList,
    admit,
    newer,
    parse_status_token,
)

NOW = 1_790_000_000
URI = "https://registry.example/status/a1"
PROVIDER, OTHER, ISSUER = (signer_from_secret(n) for n in (51, 52, 53))
KEYS = {signer.public.kid: signer.public for signer in (PROVIDER, OTHER)}
RAW = bytes.fromhex("c944f9")
LST = bytes.fromhex("78da3be9f2130003df0207")
FORMS = ("jwt", "cwt")


def members(**changes: Any) -> dict[str, Any]:
    """The claims by their JWT names; a change to `...` leaves a claim out."""
    claims = {"sub": URI, "iat": NOW, "exp": NOW + 3600, "ttl": 900, "bits": 2, "lst": LST}
    return {name: value for name, value in (claims | changes).items() if value is not ...}


def jwt(
    signer: Signer = PROVIDER, header: Mapping[str, Any] | None = None, **changes: Any
) -> bytes:
    claims = members(**changes)
    listed = {name: claims.pop(name) for name in ("bits", "lst") if name in claims}
    if isinstance(listed.get("lst"), bytes):
        listed["lst"] = b64url_encode(listed["lst"])
    head: dict[str, Any] = {"typ": JWT_TYP, "kid": signer.public.kid, **(header or {})}
    head = {name: value for name, value in head.items() if value is not ...}
    return sign_jws(dump_json(claims | {"status_list": listed}), head, signer).encode()


NUMBERS = {"sub": CWT_SUB, "iat": CWT_IAT, "nbf": CWT_NBF, "exp": CWT_EXP, "ttl": CWT_TTL}


def cwt_payload(**changes: Any) -> bytes:
    claims = members(**changes)
    listed = {name: claims.pop(name) for name in ("bits", "lst") if name in claims}
    return dump_cbor({NUMBERS[name]: value for name, value in claims.items()} | {CWT_LIST: listed})


def cwt(
    signer: Signer = PROVIDER, header: Mapping[int, Any] | None = None, **changes: Any
) -> bytes:
    head: dict[int, Any] = {4: signer.public.kid8, 16: CWT_TYP, **(header or {})}
    head = {name: value for name, value in head.items() if value is not ...}
    return sign_sign1(cwt_payload(**changes), head, signer)


def sealed(form: str, signer: Signer = PROVIDER, **changes: Any) -> bytes:
    return jwt(signer, **changes) if form == "jwt" else cwt(signer, **changes)


def take(token: bytes, *, keys: Mapping[str, PublicKey] = KEYS, now: int = NOW) -> StatusList:
    return admit(token, uri=URI, keys=keys, now=now)


def refusal(token: bytes, *, keys: Mapping[str, PublicKey] = KEYS, now: int = NOW) -> str:
    with pytest.raises(InputError) as caught:
        take(token, keys=keys, now=now)
    assert caught.value.hint
    return caught.value.code


# --- good lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_list_of_a_listed_provider_is_taken_with_its_times(form: str) -> None:
    assert take(sealed(form)) == StatusList(URI, 2, RAW, NOW, NOW + 3600, 900)


@pytest.mark.parametrize("form", FORMS)
def test_a_list_signed_with_ed25519_is_taken(form: str) -> None:
    signer = new_signer("EdDSA")
    assert take(sealed(form, signer), keys={signer.public.kid: signer.public}).data == RAW


@pytest.mark.parametrize("form", FORMS)
def test_expiry_and_time_to_live_may_be_left_out(form: str) -> None:
    found = take(sealed(form, exp=..., ttl=...))
    assert (found.expires_at, found.ttl) == (None, None)


def test_the_one_bit_list_of_the_draft_reads_as_published() -> None:
    lst = bytes.fromhex("78dadbb918000217015d")
    found = take(jwt(bits=1, lst=lst))
    assert found.data == bytes.fromhex("b9a3")
    values = [found.value(idx) for idx in range(found.size)]
    assert values == [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]


def test_the_two_bit_list_of_the_draft_reads_as_published() -> None:
    values = [take(jwt()).value(idx) for idx in range(12)]
    assert values == [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_every_size_of_entry_is_read_from_the_least_significant_bit(bits: int) -> None:
    values = [random.Random(bits).randrange(1 << bits) for _ in range(64)]  # noqa: S311 - a test
    packed = sum(value << at * bits for at, value in enumerate(values)).to_bytes(8 * bits, "little")
    found = take(cwt(bits=bits, lst=zlib.compress(packed)))
    assert found.size == 64
    assert [found.value(idx) for idx in range(64)] == values


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_beyond_either_end_of_a_list_there_is_no_value(bits: int) -> None:
    found = StatusList(URI, bits, b"\xff\xff", NOW, None, None)
    assert found.value(found.size - 1) == (1 << bits) - 1
    assert [found.value(idx) for idx in (found.size, found.size + 7, 2**63, -1)] == [None] * 4


def test_looking_up_a_value_costs_a_microsecond_or_so() -> None:
    found = StatusList(URI, 2, bytes(2**18), NOW, None, None)
    best = min(timeit.repeat(lambda: found.value(777_777), number=10_000, repeat=5))
    assert best / 10_000 < 5e-6  # 0.3 us on an idle machine


def test_claims_of_a_cwt_may_stand_in_any_order_and_its_kid_unprotected() -> None:
    typ = dump_cbor(CWT_TYP)
    protected = b"\xa2\x10" + typ + b"\x01\x26"  # 16 before 1
    ordered = cwt_payload()
    assert ordered[0] == 0xA5
    last = ordered.index(dump_cbor(CWT_TTL))
    tail = dump_cbor(CWT_TTL) + dump_cbor(900)
    assert ordered[last:] == tail
    payload = b"\xa5" + tail + ordered[1:last]  # time to live first
    signature = PROVIDER.sign(sig_structure(protected, payload))
    unprotected = {4: PROVIDER.public.kid8}
    assert take(dump_cbor(Tag(18, [protected, unprotected, payload, signature]))).data == RAW


def test_two_keys_that_share_a_short_identifier_are_both_tried() -> None:
    class Twin(PublicKey):
        kid8 = PROVIDER.public.kid8

    twin = Twin(OTHER.public.key)
    assert take(cwt(), keys={"twin": twin, PROVIDER.public.kid: PROVIDER.public}).data == RAW


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_good_signature_of_anybody_else_is_none_the_issuer_included(form: str) -> None:
    assert refusal(sealed(form, ISSUER)) == "STATUS_SIGNER"
    assert refusal(sealed(form), keys={}) == "STATUS_SIGNER"


def test_a_token_that_names_no_known_key_has_no_signer() -> None:
    assert refusal(jwt(header={"kid": ...})) == "STATUS_SIGNER"
    assert refusal(jwt(header={"kid": "12"})) == "STATUS_SIGNER"
    assert refusal(cwt(header={4: ...})) == "STATUS_SIGNER"
    assert refusal(cwt(header={4: b"12"})) == "STATUS_SIGNER"


def test_a_key_identifier_of_a_wrong_type_is_malformed() -> None:
    assert refusal(jwt(header={"kid": 12})) == "STATUS_MALFORMED"
    assert refusal(jwt(header={"kid": "k" * 129})) == "STATUS_MALFORMED"
    assert refusal(cwt(header={4: PROVIDER.public.kid})) == "STATUS_MALFORMED"


def test_naming_a_provider_without_its_signature_does_not_help() -> None:
    assert refusal(jwt(ISSUER, {"kid": PROVIDER.public.kid})) == "STATUS_SIGNATURE"
    assert refusal(cwt(ISSUER, {4: PROVIDER.public.kid8})) == "STATUS_SIGNATURE"
    assert refusal(jwt(OTHER, {"kid": PROVIDER.public.kid})) == "STATUS_SIGNATURE"


def test_the_algorithm_is_the_keys_own() -> None:
    eddsa = new_signer("EdDSA")
    assert refusal(jwt(eddsa, {"kid": PROVIDER.public.kid})) == "STATUS_SIGNATURE"
    assert refusal(cwt(eddsa, {4: PROVIDER.public.kid8})) == "STATUS_SIGNATURE"


def test_a_jwt_without_a_whole_signature_is_unsigned() -> None:
    token = jwt()
    assert refusal(token[: token.rindex(b".") + 1]) == "STATUS_SIGNATURE"
    assert refusal(token[:-2]) in {"STATUS_SIGNATURE", "STATUS_MALFORMED"}
    short = token[: token.rindex(b".") + 1] + b64url_encode(bytes(63)).encode()
    assert refusal(short) == "STATUS_SIGNATURE"


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_cwt_without_a_whole_signature_is_unsigned(length: int) -> None:
    parts = encoding.parse_cbor(cwt()).value
    token = dump_cbor(Tag(18, [*parts[:3], bytes(length)]))
    assert refusal(token) == "STATUS_SIGNATURE"


@pytest.mark.parametrize("form", FORMS)
def test_the_list_of_another_address_is_not_the_one_asked_for(form: str) -> None:
    assert refusal(sealed(form, sub=URI + "/")) == "STATUS_MISMATCH"


@pytest.mark.parametrize("form", FORMS)
def test_a_list_is_stale_once_its_end_has_passed(form: str) -> None:
    token = sealed(form)
    assert take(token, now=NOW + 3600).data == RAW
    assert refusal(token, now=NOW + 3601) == "STATUS_STALE"


@pytest.mark.parametrize("form", FORMS)
def test_a_list_may_come_a_minute_from_the_future_and_no_more(form: str) -> None:
    token = sealed(form)
    assert take(token, now=NOW - 60).data == RAW
    assert refusal(token, now=NOW - 61) == "STATUS_MALFORMED"


@pytest.mark.parametrize("form", FORMS)
def test_a_list_that_is_not_to_be_used_yet_is_not_used(form: str) -> None:
    token = sealed(form, nbf=NOW + 3600)
    assert refusal(token) == "STATUS_UNAVAILABLE"
    assert refusal(token, now=NOW + 3600 - 61) == "STATUS_UNAVAILABLE"
    assert take(token, now=NOW + 3600 - 60).data == RAW
    assert take(sealed(form, nbf=NOW)) == StatusList(URI, 2, RAW, NOW, NOW + 3600, 900)


BROKEN: list[dict[str, Any]] = [
    {"sub": ...}, {"sub": 7}, {"sub": None},
    {"iat": ...}, {"iat": str(NOW)}, {"iat": -1}, {"iat": NOW * 1000}, {"iat": True},
    {"nbf": None}, {"nbf": str(NOW)}, {"nbf": True}, {"nbf": -1},
    {"exp": None}, {"exp": "tomorrow"}, {"exp": True}, {"exp": 2**50},
    {"ttl": 0}, {"ttl": -1}, {"ttl": None}, {"ttl": "900"}, {"ttl": True},
    {"bits": ...}, {"bits": 0}, {"bits": 3}, {"bits": 16}, {"bits": "2"}, {"bits": True},
    {"lst": ...}, {"lst": 7}, {"lst": None},
    {"lst": b""}, {"lst": LST[:-1]}, {"lst": LST + b"\x00"}, {"lst": b"\x00" + LST}, {"lst": RAW},
    {"lst": LST[2:]}, {"lst": LST[:-1] + b"\x00"},
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("changes", BROKEN, ids=repr)
def test_a_signed_list_that_breaks_a_rule_is_malformed(form: str, changes: dict[str, Any]) -> None:
    assert refusal(sealed(form, **changes)) == "STATUS_MALFORMED"


def test_a_jwt_of_another_kind_is_malformed() -> None:
    for header in (
        {"typ": "JWT"}, {"typ": ...}, {"typ": "application/statuslist+jwt"},
        {"alg": "none"}, {"alg": "HS256"}, {"alg": "ES384"}, {"crit": ["exp"]}, {"b64": False},
    ):  # fmt: skip
        assert refusal(jwt(header=header)) == "STATUS_MALFORMED"


def test_a_cwt_of_another_kind_is_malformed() -> None:
    for header in (
        {16: "application/statuslist+jwt"}, {16: ...}, {16: 7}, {1: -35}, {1: 5}, {2: [4]},
    ):  # fmt: skip
        assert refusal(cwt(header=header)) == "STATUS_MALFORMED"


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"..",
        b"a.b",
        b"\xd2",
        b"\xd2\x84",
        b"\xd2\x80",
        b"\xd2\x00",
        b"\xd1" + cwt()[1:],  # tag 17, a MAC
        b"\xd8\x3d" + cwt(),  # tag 61 around it
        cwt()[1:],
        cwt() + b"\x00",
        b" " + jwt(),
        jwt() + b"\n",
        jwt() + b".",
        jwt() + b"=",
        jwt().decode().encode("utf-16"),
        b"\xef\xbb\xbf" + jwt(),
        b'{"payload": ""}',
    ],
)
def test_what_is_neither_form_is_malformed(token: bytes) -> None:
    assert refusal(token) == "STATUS_MALFORMED"


def test_a_list_that_is_no_object_is_malformed() -> None:
    shapes: tuple[Any, ...] = (None, [], "lst", 7)
    for listed in shapes:
        payload = dump_json({"sub": URI, "iat": NOW, "status_list": listed})
        header = {"typ": JWT_TYP, "kid": PROVIDER.public.kid}
        assert refusal(sign_jws(payload, header, PROVIDER).encode()) == "STATUS_MALFORMED"
        claims = dump_cbor({CWT_SUB: URI, CWT_IAT: NOW, CWT_LIST: listed})
        protected = {4: PROVIDER.public.kid8, 16: CWT_TYP}
        assert refusal(sign_sign1(claims, protected, PROVIDER)) == "STATUS_MALFORMED"
    for claims in (dump_cbor([]), dump_cbor(7), b""):
        protected = {4: PROVIDER.public.kid8, 16: CWT_TYP}
        assert refusal(sign_sign1(claims, protected, PROVIDER)) == "STATUS_MALFORMED"


# --- bounds ---------------------------------------------------------------------------------------

MIB = 2**20


def at_size(size: int) -> bytes:
    """A signed CWT of exactly `size` bytes, filled up by a header nobody reads."""
    parts = encoding.parse_cbor(cwt()).value

    def filled(filler: int) -> bytes:
        return dump_cbor(Tag(18, [parts[0], {99: bytes(filler)}, *parts[2:]]))

    token = filled(2 * size - len(filled(size)))  # the filler's head has five bytes either way
    assert len(token) == size
    return token


def test_a_token_of_eight_mebibytes_is_read_and_one_byte_more_is_not() -> None:
    assert take(at_size(8 * MIB)).data == RAW
    assert refusal(at_size(8 * MIB + 1)) == "STATUS_MALFORMED"


def test_a_list_inflates_to_thirty_two_mebibytes_and_not_one_byte_more() -> None:
    assert take(cwt(bits=8, lst=zlib.compress(bytes(32 * MIB)))).size == 32 * MIB
    assert refusal(cwt(bits=8, lst=zlib.compress(bytes(32 * MIB + 1)))) == "STATUS_MALFORMED"


@pytest.mark.parametrize("form", FORMS)
def test_a_decompression_bomb_is_malformed(form: str) -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(256)) + packer.flush()
    assert refusal(sealed(form, lst=bomb)) == "STATUS_MALFORMED"


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [jwt(), cwt()], ids=FORMS)
def test_a_token_cut_off_at_any_byte_is_refused(token: bytes) -> None:
    for length in range(len(token)):
        assert refusal(token[:length]) in {"STATUS_MALFORMED", "STATUS_SIGNATURE"}


@settings(max_examples=300)
@given(st.data())
def test_a_bit_flipped_in_the_signed_part_is_never_admitted(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(FORMS))
    token = bytearray(TOKENS[form])
    end = token.rindex(b".") if form == "jwt" else len(token) - 64
    unsigned = {end - 2, end - 1} if form == "cwt" else set()  # the signature's own head
    at = data.draw(st.integers(0, end - 1).filter(lambda at: at not in unsigned))
    token[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(InputError) as caught:
        take(bytes(token))
    assert caught.value.code.startswith("STATUS_")


TOKENS = {"jwt": jwt(), "cwt": cwt()}


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_only_status_codes_leave_for_any_bytes(noise: bytes) -> None:
    for token in (noise, b"\xd2" + noise, b"\xd2\x84" + noise):
        assert refusal(token).startswith("STATUS_")


# --- reading without belief -----------------------------------------------------------------------


def test_a_parsed_token_says_what_it_claims_and_tells_signers_apart() -> None:
    for form, kid in (("jwt", PROVIDER.public.kid), ("cwt", PROVIDER.public.kid8)):
        token = parse_status_token(sealed(form))
        assert (token.form, token.kid, token.uri, token.issued_at) == (form, kid, URI, NOW)
        assert (token.expires_at, token.ttl, token.bits) == (NOW + 3600, 900, 2)
        assert token.compressed == LST
        assert token.is_signed_by(PROVIDER.public)
        assert not token.is_signed_by(OTHER.public)


def test_an_unsigned_token_is_not_even_parsed() -> None:
    token = jwt()
    with pytest.raises(InputError) as caught:
        parse_status_token(token[: token.rindex(b".") + 1])
    assert caught.value.code == "STATUS_SIGNATURE"


def test_a_signature_is_bound_to_the_text_before_it() -> None:
    head, payload, _ = jwt().split(b".")
    foreign = jwt(lst=zlib.compress(bytes(3))).rsplit(b".", 1)[1]
    assert len(b64url_decode(foreign)) == 64
    assert refusal(b".".join((head, payload, foreign))) == "STATUS_SIGNATURE"


# --- older and newer ------------------------------------------------------------------------------


def issued(seconds: int) -> StatusList:
    return StatusList(URI, 2, bytes(3), seconds, None, None)


def test_a_list_is_replaced_by_a_newer_one_or_one_of_the_same_second() -> None:
    first, same, later = issued(NOW), issued(NOW), issued(NOW + 1)
    assert newer(None, first) is first
    assert newer(first, same) is same
    assert newer(first, later) is later


def test_an_older_list_never_replaces_the_one_held() -> None:
    with pytest.raises(BundleError) as caught:
        newer(issued(NOW), issued(NOW - 1))
    assert caught.value.code == "STATUS_ROLLBACK"


def test_a_provider_that_signs_anew_each_time_is_still_one_provider() -> None:
    fresh = SoftwareSigner(PROVIDER.private_key)
    assert jwt(fresh) != jwt(fresh)
    assert take(jwt(fresh)) == take(jwt())
