import copy
import hashlib
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from talentseal.encoding import b64url_decode, b64url_encode, dump_cbor, parse_cbor
from talentseal.errors import InputError
from talentseal.keys import (
    COSE_ALGORITHMS,
    JOSE_ALGORITHMS,
    PublicKey,
    SoftwareSigner,
    new_signer,
    signer_from_secret,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# The example key of the SD-JWT VC draft.
DRAFT_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
    "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ",
}
# RFC 8037, appendix A.
ED_JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
ED_SECRET = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
ED_INPUT = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
ED_SIGNATURE = (
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
SIGNER = signer_from_secret(20261121)
ED_SIGNER = SoftwareSigner(ed25519.Ed25519PrivateKey.from_private_bytes(b64url_decode(ED_SECRET)))


def refusal(members: Any, *, cose: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        PublicKey.from_cose(members) if cose else PublicKey.from_jwk(members)
    return caught.value.code


# --- identifiers ----------------------------------------------------------------------------------


def test_identifiers_of_the_drafts_example_key_are_the_known_ones() -> None:
    key = PublicKey.from_jwk(DRAFT_JWK)
    assert key.kid == "aISfTcr9M_Zd09AXGAAeFxnLbFY6lBa87UN515wm5d4"
    assert key.kid8.hex() == "68849f4dcafd33f6"
    assert key.alg == "ES256"


def test_the_thumbprint_of_an_ed25519_key_is_that_of_rfc_8037() -> None:
    key = PublicKey.from_jwk(ED_JWK)
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key.alg == "EdDSA"


def test_optional_members_change_neither_key_nor_identifier() -> None:
    decorated = DRAFT_JWK | {"use": "enc", "alg": "none", "kid": "../../etc", "x5u": "https://a"}
    assert PublicKey.from_jwk(decorated) == PublicKey.from_jwk(DRAFT_JWK)
    assert PublicKey.from_jwk(decorated).jwk == DRAFT_JWK


def test_equal_keys_are_equal_and_hash_alike() -> None:
    keys = {PublicKey.from_jwk(DRAFT_JWK), PublicKey.from_jwk(DRAFT_JWK), SIGNER.public}
    assert len(keys) == 2
    assert SIGNER.public != ED_SIGNER.public
    assert SIGNER.public != "a key"


@pytest.mark.parametrize("signer", [SIGNER, ED_SIGNER, *map(signer_from_secret, range(1, 20))])
def test_a_key_survives_both_of_its_forms(signer: SoftwareSigner) -> None:
    key = signer.public
    assert PublicKey.from_jwk(key.jwk) == key
    carried = parse_cbor(dump_cbor(key.cose))
    assert PublicKey.from_cose(carried) == key
    assert len(dump_cbor(key.cose)) <= 42  # what a code has room for


# --- what is no key -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["d", "k", "p", "q", "dp", "dq", "qi", "oth"])
def test_a_jwk_with_a_private_member_is_refused(name: str) -> None:
    assert refusal(DRAFT_JWK | {name: "AA"}) == "CLAIM_INVALID"
    assert refusal(ED_JWK | {name: None}) == "CLAIM_INVALID"


P384 = ec.generate_private_key(ec.SECP384R1()).public_key()


@pytest.mark.parametrize(
    "members",
    [{}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "oct"}, {"kty": "ec", "crv": "P-256"},
     DRAFT_JWK | {"crv": "P-384"}, DRAFT_JWK | {"crv": "secp256k1"}, DRAFT_JWK | {"kty": "OKP"},
     ED_JWK | {"crv": "X25519"}, ED_JWK | {"crv": "Ed448"}, DRAFT_JWK | {"kty": ["EC"]},
     DRAFT_JWK | {"crv": None}],
)  # fmt: skip
def test_a_jwk_of_another_kind_is_refused(members: Any) -> None:
    assert refusal(members) == "ALG_NOT_ALLOWED"


Y = DRAFT_JWK["y"]


@pytest.mark.parametrize(
    "change",
    [{"y": DRAFT_JWK["x"]}, {"y": "A" * 43}, {"x": "A" * 43, "y": "A" * 43}, {"y": Y[:-1]},
     {"y": Y + "A"}, {"y": Y + "="}, {"y": None}, {"y": 1}, {"y": [Y]}, {"x": ""},
     {"x": b64url_encode(bytes(33))}, {"x": b64url_encode(b"\xff" * 32)}],
)  # fmt: skip
def test_a_jwk_off_the_curve_or_out_of_shape_is_refused(change: Any) -> None:
    assert refusal(DRAFT_JWK | change) == "CLAIM_INVALID"


def test_a_coordinate_has_one_spelling() -> None:
    assert refusal(DRAFT_JWK | {"y": Y[:-1] + "R"}) == "MALFORMED"  # stray bits, was Q
    assert refusal(DRAFT_JWK | {"y": Y.replace("j", "+")}) == "MALFORMED"


@pytest.mark.parametrize("thing", [None, [], "key", 1, [("kty", "EC")]])
def test_what_is_no_map_is_no_key(thing: Any) -> None:
    assert refusal(thing) == "CLAIM_INVALID"
    assert refusal(thing, cose=True) == "CLAIM_INVALID"


COSE = SIGNER.public.cose


@pytest.mark.parametrize(
    ("change", "code"),
    [({1: 1}, "ALG_NOT_ALLOWED"), ({-1: 2}, "ALG_NOT_ALLOWED"), ({-1: 8}, "ALG_NOT_ALLOWED"),
     ({-1: True}, "ALG_NOT_ALLOWED"), ({3: -7}, "ALG_NOT_ALLOWED"), ({-4: b""}, "ALG_NOT_ALLOWED"),
     ({-3: bytes(32)}, "ALG_NOT_ALLOWED"), ({-3: 1}, "ALG_NOT_ALLOWED"),
     ({-2: bytes(31)}, "CLAIM_INVALID"), ({-2: b"\xff" * 32}, "CLAIM_INVALID"),
     ({-2: "x" * 32}, "CLAIM_INVALID"), ({-2: bytes(31) + b"\x01"}, "CLAIM_INVALID")],
)  # fmt: skip
def test_a_cose_key_has_one_shape(change: Any, code: str) -> None:
    assert refusal(COSE | change, cose=True) == code


def test_true_does_not_stand_for_one_in_a_cose_key() -> None:
    octets = ED_SIGNER.public.cose[-2]
    assert refusal({1: True, -1: 6, -2: octets}, cose=True) == "ALG_NOT_ALLOWED"
    assert refusal({1: 1, -1: 6, -2: octets, -4: b"d"}, cose=True) == "ALG_NOT_ALLOWED"


def test_keys_of_other_kinds_are_refused_from_certificates_too() -> None:
    others: list[Any] = [P384, rsa.generate_private_key(65537, 2048).public_key()]
    for other in others:
        with pytest.raises(InputError) as caught:
            PublicKey(other)
        assert caught.value.code == "ALG_NOT_ALLOWED"
    with pytest.raises(InputError):
        SoftwareSigner(ec.generate_private_key(ec.SECP256K1()))


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", "es256", ""])
def test_no_key_is_made_for_another_algorithm(alg: str) -> None:
    with pytest.raises(InputError) as caught:
        new_signer(alg)
    assert caught.value.code == "ALG_NOT_ALLOWED"


def test_the_table_of_algorithms_is_the_published_one() -> None:
    assert JOSE_ALGORITHMS == {"ES256": "ES256", "EdDSA": "EdDSA", "Ed25519": "EdDSA"}
    assert COSE_ALGORITHMS == {-7: "ES256", -9: "ES256", -8: "EdDSA", -19: "EdDSA"}


# --- signatures -----------------------------------------------------------------------------------


def test_fixed_signatures_are_those_of_rfc_6979() -> None:
    secret = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    assert signer_from_secret(secret).sign(b"sample").hex().upper() == (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )


def test_ed25519_signatures_are_those_of_rfc_8037() -> None:
    assert b64url_encode(ED_SIGNER.sign(ED_INPUT)) == ED_SIGNATURE
    assert PublicKey.from_jwk(ED_JWK).verify(b64url_decode(ED_SIGNATURE), ED_INPUT)


@pytest.mark.parametrize("signer", [SIGNER, ED_SIGNER, new_signer(), new_signer("EdDSA")])
def test_a_signature_is_good_for_its_message_and_key_alone(signer: SoftwareSigner) -> None:
    signature = signer.sign(b"a message")
    assert len(signature) == 64
    assert signer.public.verify(signature, b"a message") is True
    assert signer.public.verify(signature, b"a massage") is False
    assert signer_from_secret(99).public.verify(signature, b"a message") is False


@pytest.mark.parametrize("signer", [SIGNER, ED_SIGNER])
@pytest.mark.parametrize("length", [0, 1, 63, 65, 72, 128])
def test_a_signature_has_64_bytes(signer: SoftwareSigner, length: int) -> None:
    padded = (signer.sign(b"m") + bytes(64))[:length]
    assert not signer.public.verify(padded, b"m")
    assert not signer.public.verify(bytes(length) + signer.sign(b"m"), b"m") or length == 0


def test_a_der_signature_is_refused() -> None:
    signature = SIGNER.sign(b"m")
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    assert not SIGNER.public.verify(encode_dss_signature(r, s), b"m")


EDGES = [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1]


@pytest.mark.parametrize("r", EDGES)
@pytest.mark.parametrize("s", EDGES)
def test_numbers_at_the_edges_never_make_a_signature(r: int, s: int) -> None:
    assert not SIGNER.public.verify(r.to_bytes(32) + s.to_bytes(32), b"m")


def test_a_number_beyond_the_order_is_refused_even_where_it_would_verify() -> None:
    # s + n fits 32 bytes only for tiny s, so the key is chosen to make s = 5: d = (s*k - z) / r.
    k, s, message = 7, 5, b"m"
    r = int.from_bytes(b64url_decode(signer_from_secret(k).public.jwk["x"])) % ORDER
    z = int.from_bytes(hashlib.sha256(message).digest())
    key = signer_from_secret((s * k - z) * pow(r, -1, ORDER) % ORDER).public
    assert key.verify(r.to_bytes(32) + s.to_bytes(32), message)
    assert not key.verify(r.to_bytes(32) + (s + ORDER).to_bytes(32), message)


@given(st.binary(max_size=80), st.binary(max_size=8))
def test_arbitrary_bytes_are_no_signature(signature: bytes, message: bytes) -> None:
    assert SIGNER.public.verify(signature, message) is False
    assert ED_SIGNER.public.verify(signature, message) is False


# --- secrets stay in ------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", [SIGNER, ED_SIGNER])
def test_a_private_key_is_neither_shown_nor_pickled_nor_copied(signer: SoftwareSigner) -> None:
    assert repr(signer) == f"SoftwareSigner({signer.public.kid})"
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="private key"):
            act(signer)


def test_a_digest_is_signed_as_its_message() -> None:
    messages = [b"", b"a certificate", bytes(5000)]
    digests = [hashlib.sha256(message).digest() for message in messages]
    assert SIGNER.sign_hashed(digests) == [SIGNER.sign(message) for message in messages]
    signature = new_signer().sign_hashed(digests[:1])[0]
    assert not SIGNER.public.verify(signature, messages[0])
    with pytest.raises(TypeError):
        ED_SIGNER.sign_hashed(digests)
