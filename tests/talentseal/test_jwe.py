import json
from typing import Any

import pytest

from talentseal import jwe
from talentseal.encoding import b64url_decode, b64url_encode
from talentseal.errors import InputError, RefusedError
from talentseal.keys import new_signer

PAIR = jwe.new_key_pair("k1")
# OpenID4VP 1.0 §8.3: the example key of the text.
KEY_OF_THE_TEXT = {
    "kty": "EC", "kid": "ac", "use": "enc", "crv": "P-256", "alg": "ECDH-ES",
    "x": "YO4epjifD-KWeq1sL2tNmm36BhXnkJ0He-WqMYrp9Fk",
    "y": "Hekpm0zfK7C-YccH5iBjcIXgf6YdUvNUac_0At55Okk",
    "d": "Et-3ce0omz8_TuZ96Df9lp0GAaaDoUnDe6X-CRO7Aww",
}  # fmt: skip
TOKEN_OF_THE_TEXT = (
    "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOEdDTSIsImtpZCI6ImFjIiwiZXBrIjp7Imt"
    "0eSI6IkVDIiwieCI6Im5ubVZwbTNWM2piaGNhZlFhUkJrU1ZOSGx3Wkh3dC05ck9wSnVmeVlJdWsiLCJ5I"
    "joicjRmakRxd0p5czlxVU9QLV9iM21SNVNaRy0tQ3dPMm1pYzVWU05UWU45ZyIsImNydiI6IlAtMjU2In1"
    "9..uAYcHRUSSn2X0WPX.yVzlGSYG4qbg0bq18JcUiDRw56yVnbKR8E7S7YlEtzT00RqE3Pw5oTpUG3hdLN"
    "4taHZ9gC1kwak8JOnJgQ.1wR024_3-qtAlx1oFIUpQQ"
)


def header_of(token: str) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(b64url_decode(token.partition(".")[0]))
    return header


def with_header(token: str, **changes: Any) -> str:
    header = {**header_of(token), **changes}
    text = b64url_encode(json.dumps({k: v for k, v in header.items() if v != ...}).encode())
    return ".".join((text, *token.split(".")[1:]))


@pytest.mark.parametrize("enc", jwe.ENC_VALUES)
def test_what_was_encrypted_to_a_key_is_read_with_it(enc: str) -> None:
    payload = b"x" * 200_000
    token = jwe.encrypt(payload, [PAIR.public], [enc])
    header = header_of(token)
    assert (header["alg"], header["enc"], header["kid"]) == ("ECDH-ES", enc, "k1")
    assert jwe.kid_of(token) == "k1"
    assert jwe.decrypt(token, PAIR.private) == payload


def test_the_example_of_the_text_is_read() -> None:
    opened = json.loads(jwe.decrypt(TOKEN_OF_THE_TEXT, KEY_OF_THE_TEXT))
    assert opened == {"vp_token": {"example_credential_id": ["eyJhb...YMetA"]}}


def test_the_private_half_stays_out_of_the_public_key() -> None:
    assert "d" not in PAIR.public
    assert PAIR.public.items() <= PAIR.private.items()
    assert jwe.new_key_pair("k1").public["x"] != PAIR.public["x"]


def test_a_key_without_kid_gives_a_header_without_one() -> None:
    key = {name: value for name, value in PAIR.public.items() if name != "kid"}
    token = jwe.encrypt(b"{}", [key])
    assert "kid" not in header_of(token)
    assert header_of(token)["enc"] == "A128GCM"
    assert jwe.decrypt(token, PAIR.private) == b"{}"


UNUSABLE: list[Any] = [
    None,
    {"kty": "OKP", "crv": "X25519", "alg": "ECDH-ES", "kid": "x", "x": "AA"},
    {**PAIR.public, "use": "sig"},
    {**PAIR.public, "alg": "ECDH-ES+A128KW"},
    {name: value for name, value in PAIR.public.items() if name != "alg"},
    {**PAIR.public, "crv": "P-384"},
    {**PAIR.public, "y": PAIR.public["x"]},
    {**PAIR.public, "kid": 7},
    {**new_signer("EdDSA").public.jwk, "alg": "ECDH-ES"},
    PAIR.private,
]


def test_keys_that_cannot_be_used_are_skipped() -> None:
    token = jwe.encrypt(b"{}", [*UNUSABLE, PAIR.public], ["A128CBC-HS256", "A256GCM"])
    assert header_of(token)["enc"] == "A256GCM"
    assert jwe.decrypt(token, PAIR.private) == b"{}"


@pytest.mark.parametrize("key", UNUSABLE)
def test_without_a_usable_key_nothing_is_encrypted(key: Any) -> None:
    with pytest.raises(RefusedError):
        jwe.encrypt(b"{}", [key])


def test_without_a_usable_content_encryption_nothing_is_encrypted() -> None:
    with pytest.raises(RefusedError):
        jwe.encrypt(b"{}", [PAIR.public], ["A128CBC-HS256"])


CODES = ("MALFORMED", "ALG_NOT_ALLOWED", "CRIT_UNKNOWN", "CLAIM_INVALID", "TOO_LARGE")
GOOD = jwe.encrypt(b'{"a":1}', [PAIR.public])


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "MALFORMED"),
        ("a.b.c", "MALFORMED"),
        (f"{GOOD}.AA", "MALFORMED"),
        (GOOD.replace("..", ".AA."), "MALFORMED"),
        (f"{GOOD}=", "MALFORMED"),
        (GOOD[:-2] + ("AA" if GOOD[-2:] != "AA" else "BA"), "MALFORMED"),
        (with_header(GOOD, alg="none"), "ALG_NOT_ALLOWED"),
        (with_header(GOOD, alg="dir"), "ALG_NOT_ALLOWED"),
        (with_header(GOOD, alg="RSA-OAEP"), "ALG_NOT_ALLOWED"),
        (with_header(GOOD, enc="A128CBC-HS256"), "ALG_NOT_ALLOWED"),
        (with_header(GOOD, zip="DEF"), "ALG_NOT_ALLOWED"),
        (with_header(GOOD, crit=["exp"], exp=1), "CRIT_UNKNOWN"),
        (with_header(GOOD, jku="https://keys.example"), "MALFORMED"),
        (with_header(GOOD, kid="k2"), "MALFORMED"),
        (with_header(GOOD, kid=1), "MALFORMED"),
        (with_header(GOOD, cty="json"), "MALFORMED"),
        (with_header(GOOD, epk=...), "CLAIM_INVALID"),
        (with_header(GOOD, epk={**PAIR.public, "y": PAIR.public["x"]}), "CLAIM_INVALID"),
        (with_header(GOOD, epk=PAIR.private), "CLAIM_INVALID"),
        (with_header(GOOD, epk=new_signer("EdDSA").public.jwk), "MALFORMED"),
        ("A" * (jwe.MAX_JWE_CHARS + 1), "TOO_LARGE"),
        (with_header(GOOD, cty="x" * 2048), "TOO_LARGE"),
    ],
    ids=lambda value: value if value in CODES else "token",  # tokens differ from run to run
)
def test_anything_else_is_refused(token: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        jwe.decrypt(token, PAIR.private)
    assert caught.value.code == code


def test_only_an_offered_content_encryption_is_read() -> None:
    with pytest.raises(InputError, match="not offered"):
        jwe.decrypt(GOOD, PAIR.private, enc_values=["A256GCM"])


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(InputError):
        jwe.decrypt(GOOD, {**jwe.new_key_pair("k1").private})
