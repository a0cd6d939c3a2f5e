"""Stories about codes: bytes, numbers, texts and links. One spelling, or refused in little time."""

import zlib
from typing import Any

import pytest
from forging import open_code, reseal_code, said, sealer, sign1
from simulator import DAY, HOUR, Held, World, key, type_of

from schemas.verdict import Verdict
from talentseal import cwt
from talentseal.bundle import Bundle
from talentseal.codetext import parse_text, write_text
from talentseal.encoding import (
    MAX_JSON_INT,
    TAG_SIGN1,
    Tag,
    b64url_encode,
    base45_encode,
    deflate,
    digits_encode,
    dump_cbor,
    parse_cbor,
)
from talentseal.errors import InputError
from talentseal.policy import Policy
from talentseal.type_metadata import Label


@pytest.fixture(scope="module")
def title(calm: World) -> Held:
    return calm.city.issue()


@pytest.fixture
def look(calm: World, city_bundle: Bundle) -> Any:
    def check(shown: str | bytes, **asked: Any) -> Verdict:
        return calm.check(shown, bundle=city_bundle, **asked)

    return check


def pieces(held: Held) -> list[Any]:
    value: list[Any] = parse_cbor(held.code).value
    return list(value)


def claims_text(held: Held) -> bytes:
    """The sealed bytes of the claims."""
    data: bytes = pieces(held)[2]
    return data


# --- algorithms and headers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "alg", [5, 4, -37, -35, -36, -47, -257, 0, None, True, "ES256", -(2**31), [-7]]
)
def test_a_code_cannot_choose_another_algorithm(look: Any, title: Held, alg: Any) -> None:
    assert said(look(title.code)) == ("accept", [])
    assert said(look(reseal_code(title, protected={1: alg}))) == ("refuse", ["ALG_NOT_ALLOWED"])


def test_a_code_without_algorithm_or_with_an_unsealed_one_is_refused(
    look: Any, title: Held
) -> None:
    bare = reseal_code(title, drop_protected=[1])
    assert said(look(bare)) == ("refuse", ["ALG_NOT_ALLOWED"])
    outside = reseal_code(title, drop_protected=[1], unprotected={1: -7})
    assert look(outside).outcome == "refuse"
    assert said(look(reseal_code(title, protected={1: -8}))) == ("refuse", ["ALG_NOT_ALLOWED"])


@pytest.mark.parametrize(
    ("protected", "code"),
    [
        ({16: 60}, "TYPE_CONFUSION"),
        ({16: "application/cwt"}, "TYPE_CONFUSION"),
        ({16: "application/statuslist+cwt"}, "TYPE_CONFUSION"),
        ({16: cwt.TYP_KEY_BINDING}, "TYPE_CONFUSION"),
        ({16: True}, "TYPE_CONFUSION"),
        ({2: [16]}, "CRIT_UNKNOWN"),
        ({2: []}, "CRIT_UNKNOWN"),
        ({3: 61}, "MALFORMED"),
        ({33: b"chain"}, "MALFORMED"),
        ({"jwk": 1}, "MALFORMED"),
        ({4: b"short"}, "MALFORMED"),
        ({4: bytes(9)}, "MALFORMED"),
        ({4: "../../x"}, "MALFORMED"),
        ({4: bytes(8)}, "KEY_UNKNOWN"),
    ],
)
def test_a_code_has_the_headers_of_a_code(
    look: Any, title: Held, protected: dict[Any, Any], code: str
) -> None:
    assert said(look(reseal_code(title, protected=protected))) == ("refuse", [code])


@pytest.mark.parametrize("unprotected", [{4: b"another!"}, {1: -7}, {33: b"c"}, {"x": 1}, {16: 61}])
def test_nothing_unsealed_stands_beside_a_code(
    look: Any, title: Held, unprotected: dict[Any, Any]
) -> None:
    verdict = look(reseal_code(title, unprotected=unprotected))
    assert said(verdict) == ("refuse", ["MALFORMED"])


def test_a_status_list_is_no_code(look: Any, calm: World) -> None:
    for path, data in calm.city.status_tokens().items():
        if path.endswith(".cwt") and len(data) <= 2048:
            assert said(look(data)) == ("refuse", ["TYPE_CONFUSION"])
            return
    pytest.fail("no status list to show")


@pytest.mark.parametrize("tag", [17, 16, 97, 96, 98, 61])
def test_a_mac_or_another_message_is_no_code(look: Any, title: Held, tag: int) -> None:
    verdict = look(dump_cbor(Tag(tag, pieces(title))))
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("MALFORMED", "NOT_A_CREDENTIAL")


# --- CBOR -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p + b"\x00",
        lambda p: p[:-1],
        lambda p: b"",
        lambda p: b"\xbf" + p[1:] + b"\xff",
        lambda p: b"\xb8" + bytes([p[0] & 31]) + p[1:],
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x01\x61x",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x18\x01\x61x",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\xf9\x3c\x00",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\xfb" + bytes(8),
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\xc2\x41\x01",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\xd8\x1d\x00",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\xd8\x23\x61a",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\xc1\x00",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\xf7",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\xe0",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\x5f\x41a\xff",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\x61\xff",
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\x9b" + b"\xff" * 8,
        lambda p: bytes([p[0] + 1]) + p[1:] + b"\x19\xff\xfe\x1c",
        lambda p: b"\x80",
        lambda p: b"\x41a",
    ],
)
def test_cbor_has_one_spelling(look: Any, title: Held, change: Any) -> None:
    head, _ = open_code(title.code)
    forged = sign1(head, change(claims_text(title)), sealer(title))
    assert said(look(forged)) == ("refuse", ["MALFORMED"])


def test_cbor_nested_beyond_the_cap_is_not_read(look: Any, title: Held) -> None:
    head, _ = open_code(title.code)
    for deep in (b"\x81" * 500 + b"\x00", b"\xa1\x00" * 300 + b"\x00"):
        verdict = look(sign1(head, b"\xa1\x19\xff\xfe" + deep, sealer(title)))
        assert verdict.outcome == "refuse"
        assert verdict.codes[0] in ("MALFORMED", "TOO_LARGE")


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c + b"\x00",
        lambda c: c[:-1],
        lambda c: c[1:],
        lambda c: b"\xd8\x12" + c[1:],
        lambda c: b"\xd9\x00\x12" + c[1:],
        lambda c: b"\xd8\x3d" + c,
        lambda c: b"\xd9\xd9\xf7" + c,
        lambda c: c[:1] + b"\x98\x04" + c[2:],
        lambda c: c[:1] + b"\x9f" + c[2:] + b"\xff",
        lambda c: c[:1] + b"\x85" + c[2:] + b"\x00",
        lambda c: c[:1] + b"\x83" + c[2:],
    ],
)
def test_a_message_has_one_frame(look: Any, title: Held, change: Any) -> None:
    verdict = look(change(title.code))
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("MALFORMED", "NOT_A_CREDENTIAL")


@pytest.mark.parametrize("length", [0, 1, 63, 65, 70, 128])
def test_a_codes_signature_has_64_bytes(look: Any, title: Held, length: int) -> None:
    head, unprotected, payload, signature = pieces(title)
    forged = dump_cbor(Tag(TAG_SIGN1, [head, unprotected, payload, (signature * 2)[:length]]))
    assert said(look(forged)) == ("refuse", ["MALFORMED"])


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64, bytes(63) + b"\x01"])
def test_a_codes_signature_cannot_be_out_of_range(look: Any, title: Held, signature: bytes) -> None:
    head, unprotected, payload, _ = pieces(title)
    forged = dump_cbor(Tag(TAG_SIGN1, [head, unprotected, payload, signature]))
    assert said(look(forged)) == ("refuse", ["SIGNATURE_INVALID"])


# --- claims ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [cwt.ISS, cwt.EXP, cwt.IAT, cwt.VCT, cwt.STATUS])
def test_a_code_says_what_every_code_says(look: Any, title: Held, name: int) -> None:
    assert said(look(reseal_code(title, drop=[name]))) == ("refuse", ["CLAIM_MISSING"])


@pytest.mark.parametrize(
    ("claims", "drop", "code"),
    [
        ({cwt.IAT: "1795251600"}, (), "CLAIM_INVALID"),
        ({cwt.IAT: True}, (), "CLAIM_INVALID"),
        ({cwt.EXP: -1}, (), "CLAIM_INVALID"),
        ({cwt.EXP: 2**40}, (), "CLAIM_INVALID"),
        ({cwt.EXP: None}, (), "CLAIM_INVALID"),
        ({cwt.IAT: Tag(1, 5)}, (), "MALFORMED"),
        ({cwt.NBF: b"x"}, (), "CLAIM_INVALID"),
        ({cwt.VCT: True}, (), "CLAIM_INVALID"),
        ({cwt.VCT: [65001]}, (), "CLAIM_INVALID"),
        ({cwt.VCT: 64999}, (), "VCT_UNKNOWN"),
        ({cwt.VCT: "https://other.example"}, (), "VCT_UNKNOWN"),
        ({cwt.CTI: bytes(16)}, (), "CLAIM_INVALID"),
        ({}, (cwt.CNF,), "CLAIM_INVALID"),
        ({cwt.CTI: bytes(8)}, (cwt.CNF,), "CLAIM_INVALID"),
        ({cwt.CNF: {}}, (), "CLAIM_INVALID"),
        ({cwt.CNF: {1: {1: 2, -1: 1, -2: bytes(31), -3: True}}}, (), "CLAIM_INVALID"),
        ({cwt.CNF: {1: {1: 3, -1: b"n", -2: bytes(32)}}}, (), "ALG_NOT_ALLOWED"),
        ({cwt.AUD: "anybody"}, (), "CLAIM_INVALID"),
        ({9: {}}, (), "CLAIM_INVALID"),
        ({"vct": "x"}, (), "CLAIM_INVALID"),
        ({-70000: []}, (), "CLAIM_INVALID"),
        ({-70000: {}}, (), "CLAIM_MISSING"),
    ],
)
def test_a_codes_claims_are_of_their_kinds(
    look: Any, title: Held, claims: dict[Any, Any], drop: tuple[int, ...], code: str
) -> None:
    verdict = look(reseal_code(title, claims=claims, drop=drop))
    assert [str(c) for c in verdict.codes] == [code]
    assert verdict.outcome == ("refer" if code == "VCT_UNKNOWN" else "refuse")
    assert verdict.credential is None


@pytest.mark.parametrize("value", [7, True, None, b"x", [], {}, ["a", 1], Tag(100, "x"), {9: "x"}])
def test_a_label_holds_what_its_type_says(look: Any, calm: World, title: Held, value: Any) -> None:
    _, claims = open_code(title.code)
    labelled = claims[-70000]
    fits = 0
    for number in labelled:
        forged = reseal_code(title, claims={-70000: {**labelled, number: value}})
        verdict = look(forged)
        fits += verdict.outcome == "accept"
    assert fits < len(labelled)
    verdict = look(reseal_code(title, claims={-70000: {**labelled, 999: value}}))
    assert said(verdict) == ("refuse", ["CLAIM_INVALID"])
    del calm


def test_a_number_in_a_code_is_one_that_the_wallet_form_could_say(title: Held) -> None:
    kind = type_of("professional-title/1")
    kind = kind._replace(labels={**kind.labels, 999: Label(999, ("points",), "int", ())})
    _, claims = open_code(title.code)

    def read(number: int) -> Any:
        code = reseal_code(title, claims={-70000: {**claims[-70000], 999: number}})
        return cwt.claims_of(cwt.parse(code), kind)["points"]

    assert [read(number) for number in (-MAX_JSON_INT, MAX_JSON_INT)]
    for number in (-MAX_JSON_INT - 1, MAX_JSON_INT + 1, 2**64 - 1, -(2**64)):
        with pytest.raises(InputError, match="number"):
            read(number)


@pytest.mark.parametrize(
    ("claims", "after", "code"),
    [
        ({cwt.EXP: DAY}, DAY + 59, None),
        ({cwt.EXP: DAY}, DAY + 60, "EXPIRED"),
        ({cwt.NBF: 2 * HOUR}, 2 * HOUR - 61, "NOT_YET_VALID"),
        ({cwt.IAT: HOUR}, HOUR - 61, "ISSUED_IN_FUTURE"),
    ],
)
def test_a_codes_times_are_judged_as_a_wallets(
    look: Any, calm: World, title: Held, claims: dict[int, int], after: int, code: str | None
) -> None:
    at = calm.start
    shown = reseal_code(title, claims={name: at + value for name, value in claims.items()})
    assert said(look(shown, at=at + after)) == (("refuse", [code]) if code else ("accept", []))


# --- texts ----------------------------------------------------------------------------------------

HOST = "verify.talentseal.example"


@pytest.mark.parametrize("form", ["digits", "base45", "base64url"])
def test_one_code_has_the_same_answer_in_every_text(look: Any, title: Held, form: Any) -> None:
    text = write_text(title.code, host=HOST, form=form)
    verdict = look(text)
    assert said(verdict) == ("accept", [])
    assert verdict.credential == look(title.code).credential


@pytest.mark.parametrize(
    "change",
    [
        lambda c: f"http://{HOST}/#{digits_encode(c)}",
        lambda c: f"HTTPS://{HOST}/#{digits_encode(c)}",
        lambda c: f"https://{HOST.upper()}/#{digits_encode(c)}",
        lambda c: f"https://{HOST}/check#{digits_encode(c)}",
        lambda c: f"https://{HOST}/?c={digits_encode(c)}",
        lambda c: f"https://{HOST}#{digits_encode(c)}",
        lambda c: f"https://mallory@{HOST}/#{digits_encode(c)}",
        lambda c: f"https://{HOST}:99999/#{digits_encode(c)}",
        lambda c: f"https://{HOST}:0443/#{digits_encode(c)}",
        lambda c: f"https://verіfy.example/#{digits_encode(c)}",
        lambda c: f"javascript:alert(1)//#{digits_encode(c)}",
        lambda c: f"tseal1:{base45_encode(c)}",
        lambda c: f"TSEAL2:{base45_encode(c)}",
        lambda c: f"HC1:{base45_encode(c)}",
        lambda c: f"TSEAL1:{base45_encode(c).lower()}",
        lambda c: f"TSEAL1:{base45_encode(c)}:::",
        lambda c: f"TSEAL1:{base45_encode(c)[:-1]}=",
        lambda c: f" TSEAL1:{base45_encode(c)}",
        lambda c: digits_encode(c)[:-1],
        lambda c: digits_encode(c) + "0",
        lambda c: "9" * len(digits_encode(c)),
        lambda c: digits_encode(c).replace("1", "١", 1),
        lambda c: b64url_encode(c) + "=",
        lambda c: b64url_encode(b64url_encode(c).encode()),
        lambda c: digits_encode(digits_encode(c)[:900].encode()),
        lambda c: digits_encode(zlib.compress(zlib.compress(c))),
        lambda c: digits_encode(deflate(c) + b"junk"),
        lambda c: digits_encode(deflate(c)[:-2]),
        lambda c: digits_encode(deflate(b"\xd2" + bytes(20_000))),
        lambda c: digits_encode(b"\x1f\x8b" + c),
        lambda c: "",
        lambda c: "TSEAL1:",
        lambda c: f"https://{HOST}/#",
    ],
)
def test_a_codes_text_has_few_spellings(look: Any, title: Held, change: Any) -> None:
    verdict = look(change(title.code))
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("NOT_A_CREDENTIAL", "MALFORMED", "TOO_LARGE")
    assert verdict.credential is None


@pytest.mark.parametrize("text", ["1" * 8193, "TSEAL1:" + "A" * 10_000, "A" * 2**23])
def test_a_text_of_any_length_is_refused_at_once(look: Any, text: str) -> None:
    assert said(look(text)) == ("refuse", ["TOO_LARGE"])


def test_a_code_of_any_length_is_refused_at_once(look: Any) -> None:
    assert said(look(b"\xd2" + bytes(10_000_000))) == ("refuse", ["TOO_LARGE"])


def test_a_genuine_code_behind_another_host_says_where_the_link_leads(
    look: Any, title: Held
) -> None:
    text = write_text(title.code, host="mallory.example", form="digits")
    verdict = look(text)
    assert said(verdict) == ("accept", [])
    assert "LINK_HOST_UNKNOWN" in verdict.remarks
    found = next(c for c in verdict.checks if c.code == "LINK_HOST_UNKNOWN")
    assert found.detail == {"host": "mallory.example"}
    assert verdict.credential == look(title.code).credential


def test_a_remark_on_a_host_is_never_more_than_a_remark(look: Any, title: Held) -> None:
    text = write_text(title.code, host="xn--verfy-7ya.example", form="base64url")
    strict = Policy(home="CN/9999", place="CN/9999", outcomes={"LINK_HOST_UNKNOWN": "refuse"})
    assert look(text, policy=strict).outcome == "accept"
    assert parse_text(text).host == "xn--verfy-7ya.example"
    known = Policy(home="CN/9999", link_hosts=frozenset(("xn--verfy-7ya.example",)))
    assert "LINK_HOST_UNKNOWN" not in look(text, policy=known).remarks


def test_a_forged_code_behind_the_true_host_stays_forged(look: Any, title: Held) -> None:
    forged = reseal_code(title, signer=key("mallory"))
    assert said(look(write_text(forged, host=HOST))) == ("refuse", ["SIGNATURE_INVALID"])


# --- the holder's key -----------------------------------------------------------------------------

# x = 1 has no point on P-256: x^3 - 3x + b is no square modulo the prime.
_OFF_CURVE = {1: {1: 2, -1: 1, -2: (1).to_bytes(32), -3: False}}


@pytest.mark.parametrize(
    "cnf", [_OFF_CURVE, None, {}, {1: None}, {2: b"key"}], ids=["off-curve", "null", "", "n", "kid"]
)
def test_a_code_cannot_name_a_holder_whose_key_is_none(look: Any, title: Held, cnf: Any) -> None:
    assert said(look(title.code)) == ("accept", [])
    assert said(look(reseal_code(title, claims={cwt.CNF: cnf}))) == ("refuse", ["CLAIM_INVALID"])


@pytest.mark.parametrize("cti", [None, b"", bytes(15), bytes(17), "0123456789abcdef"])
def test_a_code_without_a_holder_cannot_do_without_sixteen_random_bytes(
    look: Any, title: Held, cti: Any
) -> None:
    good = reseal_code(title, claims={cwt.CTI: bytes(range(16))}, drop=[cwt.CNF])
    assert said(look(good)) == ("accept", [])
    bad = reseal_code(title, claims={cwt.CTI: cti}, drop=[cwt.CNF])
    assert said(look(bad)) == ("refuse", ["CLAIM_INVALID"])
