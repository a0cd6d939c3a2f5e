import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from talentseal import jose
from talentseal.encoding import b64url_decode, b64url_encode, dump_json
from talentseal.errors import InputError
from talentseal.keys import PublicKey, new_signer, signer_from_secret

TYP = "grant+jwt"
SIGNER = signer_from_secret(411)
OTHER = signer_from_secret(412)
ED_SIGNER = new_signer("EdDSA")
CLAIMS = {"iss": "https://authority.example", "n": 1}
HEADER = {"typ": TYP, "kid": SIGNER.public.kid}
TOKEN = jose.sign_jws(dump_json(CLAIMS), HEADER, SIGNER)

# RFC 7515, appendix A.3.
RFC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RFC_TOKEN = (
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
    "LmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
    "pmWQxfKTUJqPP3-Kg6NU1Q"
)


def refusal(token: str, *, key: PublicKey = SIGNER.public, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        jose.open_jws(token, typ=TYP, key=key, **settings)
    return caught.value.code


def sealed(header: Any, payload: bytes = b"{}") -> str:
    """A token of any header, honestly signed: only the header can be what is refused."""
    protected = header if isinstance(header, bytes) else dump_json(header)
    signing_input = f"{b64url_encode(protected)}.{b64url_encode(payload)}"
    return f"{signing_input}.{b64url_encode(SIGNER.sign(signing_input.encode()))}"


def test_what_was_sealed_opens() -> None:
    assert jose.open_jws(TOKEN, typ=TYP, key=SIGNER.public) == CLAIMS
    assert jose.parse_jws(TOKEN).header == {"alg": "ES256", **HEADER}


def test_ed25519_seals_too_under_both_of_its_names() -> None:
    token = jose.sign_jws(dump_json(CLAIMS), {"typ": TYP}, ED_SIGNER)
    assert jose.open_jws(token, typ=TYP, key=ED_SIGNER.public) == CLAIMS
    token = jose.sign_jws(dump_json(CLAIMS), {"typ": TYP, "alg": "Ed25519"}, ED_SIGNER)
    assert jose.open_jws(token, typ=TYP, key=ED_SIGNER.public) == CLAIMS


def test_the_example_of_rfc_7515_holds() -> None:
    jws = jose.parse_jws(RFC_TOKEN)
    assert jose.is_sealed_by(jws, PublicKey.from_jwk(RFC_KEY))
    assert not jose.is_sealed_by(jws, SIGNER.public)


@pytest.mark.parametrize(
    "alg",
    ["none", "None", "nOnE", "NONE", "", "HS256", "RS256", "PS256", "ES384", "ES512", "ES256K",
     "es256", "ES256 ", "ESP256", "Ed448", -7, 0, None, True, ["ES256"], {"ES256": 1}],
)  # fmt: skip
def test_no_other_algorithm_is_taken_from_a_header(alg: Any) -> None:
    token = sealed({"alg": alg, "typ": TYP})
    assert refusal(token) == "ALG_NOT_ALLOWED"
    assert not jose.is_sealed_by(jose.parse_jws(token), SIGNER.public)


def test_a_header_without_algorithm_is_refused() -> None:
    assert refusal(sealed({"typ": TYP})) == "ALG_NOT_ALLOWED"


def test_a_header_that_names_the_algorithm_of_another_key_is_refused() -> None:
    for name in ("EdDSA", "Ed25519"):
        assert refusal(sealed({"alg": name, "typ": TYP})) == "ALG_NOT_ALLOWED"
    assert refusal(TOKEN, key=ED_SIGNER.public) == "ALG_NOT_ALLOWED"


def test_a_public_key_is_no_secret_for_a_symmetric_algorithm() -> None:
    pem = SIGNER.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = b64url_encode(dump_json({"alg": "HS256", "typ": TYP})) + "." + b64url_encode(b"{}")
    mac = hmac.digest(pem, head.encode(), hashlib.sha256)
    for tag in (mac, mac + mac):
        assert refusal(f"{head}.{b64url_encode(tag)}") == "ALG_NOT_ALLOWED"


@pytest.mark.parametrize(
    "typ", ["kb+jwt", "JWT", "dc+sd-jwt", "Grant+jwt", TYP + " ", "application/" + TYP, None, [TYP]]
)
def test_a_token_of_another_kind_is_refused(typ: Any) -> None:
    assert refusal(sealed({"alg": "ES256", "typ": typ})) == "TYPE_CONFUSION"
    assert refusal(sealed({"alg": "ES256"})) == "TYPE_CONFUSION"


@pytest.mark.parametrize(
    "extra",
    [{"crit": []}, {"crit": ["exp"], "exp": 1}, {"crit": None}, {"b64": False}, {"b64": True},
     {"b64": False, "crit": ["b64"]}],
)  # fmt: skip
def test_critical_headers_are_refused(extra: Mapping[str, Any]) -> None:
    assert refusal(sealed({"alg": "ES256", "typ": TYP, **extra})) == "CRIT_UNKNOWN"


@pytest.mark.parametrize(
    "extra",
    [{"jwk": OTHER.public.jwk}, {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example"},
     {"kid": OTHER.public.kid}, {"kid": "../../../dev/null"}],
)  # fmt: skip
def test_a_header_never_leads_to_a_key(extra: Mapping[str, Any]) -> None:
    forged = jose.sign_jws(b"{}", {"typ": TYP, **extra}, OTHER)
    assert refusal(forged) == "SIGNATURE_INVALID"


H, P, S = TOKEN.split(".")


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", H, f"{H}.{P}", f"{H}.{P}.", f"{H}..{S}", f".{P}.{S}", f"{H}.{P}.{S}.",
     f"{H}.{P}.{S}.{S}", f"{H}.{P}.{S}=", f"{H}.{P}.{S}==", f"{H}.{P}=.{S}", f"{H}=.{P}.{S}",
     f" {TOKEN}", f"{TOKEN} ", f"{TOKEN}\n", f"{H}. {P}.{S}", f"{H}\n.{P}.{S}", f"\ufeff{TOKEN}",
     f"{H}.{P}\u00e9.{S}", f"{H}.{P}.{S}\ud800", f"{H}.{P}.{S}~", TOKEN.replace(".", "\u3002"),
     f"{H}.{P}.{S[:-1]}", f"{H}.{P}.{S}A", f"{H}.{P}.{S[:-2]}"],
)  # fmt: skip
def test_a_token_has_three_parts_and_one_spelling(token: str) -> None:
    assert refusal(token) in {"MALFORMED", "SIGNATURE_INVALID"}


@pytest.mark.parametrize("length", [0, 32, 63, 65, 70])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    signature = (b64url_decode(S) + bytes(64))[:length]
    assert refusal(f"{H}.{P}.{b64url_encode(signature)}") == "SIGNATURE_INVALID"


@pytest.mark.parametrize(
    "header",
    [b'{"alg":"none","typ":"grant+jwt","alg":"ES256"}', b'{"alg":"ES256","typ":"grant+jwt"} ,',
     b'\xef\xbb\xbf{"alg":"ES256","typ":"grant+jwt"}', b'["ES256"]', b'"ES256"', b"", b"{",
     b'{"alg":"ES256","typ":"grant+jwt","n":1.5}', b'{"alg":"ES256","typ":"grant+jwt","n":NaN}'],
)  # fmt: skip
def test_a_header_is_one_strict_json_object(header: bytes) -> None:
    assert refusal(sealed(header)) == "MALFORMED"


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"{}{}", b'{"a":1,"a":2}', b'{"a":NaN}'])
def test_a_payload_is_one_strict_json_object(payload: bytes) -> None:
    assert refusal(sealed({"alg": "ES256", "typ": TYP}, payload)) == "MALFORMED"


def test_nothing_of_the_payload_is_read_before_the_signature_holds() -> None:
    token = sealed({"alg": "ES256", "typ": TYP}, b"not json")
    assert refusal(token, key=OTHER.public) == "SIGNATURE_INVALID"


@pytest.mark.parametrize("at", range(len(TOKEN)))
def test_no_bit_of_a_token_may_flip(at: int) -> None:
    for bit in range(7):
        flipped = TOKEN[:at] + chr(ord(TOKEN[at]) ^ 1 << bit) + TOKEN[at + 1 :]
        with pytest.raises(InputError):
            jose.open_jws(flipped, typ=TYP, key=SIGNER.public)


@given(st.text(max_size=80))
def test_arbitrary_text_is_no_token(text: str) -> None:
    assert refusal(text) in {"MALFORMED", "TYPE_CONFUSION"}
    assert refusal(f"{H}.{text}") in {"MALFORMED", "SIGNATURE_INVALID"}


# --- bounds ---------------------------------------------------------------------------------------


def test_a_token_longer_than_the_cap_is_refused() -> None:
    assert jose.parse_jws(TOKEN, max_bytes=len(TOKEN)).payload == dump_json(CLAIMS)
    assert refusal(TOKEN, max_bytes=len(TOKEN) - 1) == "TOO_LARGE"
    assert refusal("." * 70_000) == "TOO_LARGE"
    assert refusal("." * 60_000) == "MALFORMED"


def test_a_header_longer_than_the_cap_is_refused() -> None:
    room = jose.MAX_HEADER_CHARS * 3 // 4 - len(dump_json({"x": ""}))
    longest = b64url_encode(dump_json({"x": "a" * room}))
    assert len(longest) == jose.MAX_HEADER_CHARS
    assert len(jose.parse_header(longest)["x"]) == room
    with pytest.raises(InputError) as caught:
        jose.parse_header(b64url_encode(dump_json({"x": "a" * (room + 1)})))
    assert caught.value.code == "TOO_LARGE"


def test_a_header_with_more_members_than_the_cap_is_refused() -> None:
    def text(count: int) -> str:
        return b64url_encode(dump_json({str(i): 0 for i in range(count)}))

    assert len(jose.parse_header(text(jose.MAX_HEADER_MEMBERS))) == jose.MAX_HEADER_MEMBERS
    with pytest.raises(InputError) as caught:
        jose.parse_header(text(jose.MAX_HEADER_MEMBERS + 1))
    assert caught.value.code == "TOO_LARGE"


def test_a_remembered_header_cannot_be_changed() -> None:
    header = jose.parse_header(H)
    assert jose.parse_header(H) is header
    changeable: Any = header
    with pytest.raises(TypeError):
        changeable["alg"] = "none"


@pytest.mark.parametrize("kid", ["k", "k" * jose.MAX_KID_CHARS, "'; drop table keys"])
def test_a_key_identifier_is_a_short_text(kid: str) -> None:
    assert jose.kid_of({"kid": kid}) == kid


@pytest.mark.parametrize("kid", ["", "k" * (jose.MAX_KID_CHARS + 1), None, 1, ["k"], {}])
def test_anything_else_is_no_key_identifier(kid: Any) -> None:
    with pytest.raises(InputError) as caught:
        jose.kid_of({"kid": kid})
    assert caught.value.code == "MALFORMED"
