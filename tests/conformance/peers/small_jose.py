"""Just enough JOSE for emulated counterparts, on `cryptography` alone.

It shares no line with the library under test, so that a mistake made there is not made here too.
Standards: RFC 7515, RFC 7516 and RFC 7518 §4.6 (ECDH-ES), RFC 9901 §4 (SD-JWT).
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

Private = ec.EllipticCurvePrivateKey
Public = ec.EllipticCurvePublicKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_key() -> Private:
    return ec.generate_private_key(ec.SECP256R1())


def jwk_of(key: Public) -> dict[str, str]:
    numbers = key.public_numbers()
    return {
        "kty": "EC", "crv": "P-256",
        "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32)),
    }  # fmt: skip


def key_of(jwk: Mapping[str, str]) -> Public:
    assert (jwk["kty"], jwk["crv"]) == ("EC", "P-256")
    assert "d" not in jwk
    x, y = (int.from_bytes(unb64(jwk[name])) for name in "xy")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def sign(payload: Mapping[str, Any], header: Mapping[str, Any], key: Private) -> str:
    head = b64(json.dumps({"alg": "ES256", **header}).encode())
    signed = f"{head}.{b64(json.dumps(payload).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload, not verified."""
    head, body, _ = token.split(".")
    return json.loads(unb64(head)), json.loads(unb64(body))


def verify(token: str, key: Public) -> None:
    """Raises InvalidSignature."""
    signed, _, signature = token.rpartition(".")
    raw = unb64(signature)
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(der, signed.encode(), ec.ECDSA(SHA256()))


# --- JWE ------------------------------------------------------------------------------------------


def decrypt(token: str, key: Private) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and JSON payload of an ECDH-ES answer."""
    head, encrypted_key, iv, text, tag = token.split(".")
    assert not encrypted_key
    header = json.loads(unb64(head))
    assert header["alg"] == "ECDH-ES"
    derived = _derived(key, key_of(header["epk"]), header["enc"])
    plain = AESGCM(derived).decrypt(unb64(iv), unb64(text) + unb64(tag), head.encode())
    return header, json.loads(plain)


def encrypt(payload: Mapping[str, Any], jwk: Mapping[str, str], enc: str) -> str:
    """An ECDH-ES answer for the key of `jwk`, which is named by its `kid`."""
    ephemeral, iv = new_key(), os.urandom(12)
    header = {
        "alg": "ECDH-ES", "enc": enc, "kid": jwk["kid"], "epk": jwk_of(ephemeral.public_key()),
    }  # fmt: skip
    head = b64(json.dumps(header).encode())
    derived = _derived(ephemeral, key_of(jwk), enc)
    sealed = AESGCM(derived).encrypt(iv, json.dumps(payload).encode(), head.encode())
    return ".".join((head, "", b64(iv), b64(sealed[:-16]), b64(sealed[-16:])))


def _derived(own: Private, other: Public, enc: str) -> bytes:
    """RFC 7518 §4.6.2, without parties."""
    shared, bits = own.exchange(ec.ECDH(), other), {"A128GCM": 128, "A256GCM": 256}[enc]
    info = b"".join(len(part).to_bytes(4) + part for part in (enc.encode(), b"", b""))
    return hashlib.sha256((1).to_bytes(4) + shared + info + bits.to_bytes(4)).digest()[: bits // 8]


# --- SD-JWT ---------------------------------------------------------------------------------------


def open_presentation(text: str) -> tuple[dict[str, Any], list[str], str]:
    """Payload of the credential, names of what its disclosures show, and the key-binding token."""
    token, *disclosures, key_binding = text.split("~")
    shown = []
    for raw in disclosures:
        parts = json.loads(unb64(raw))
        shown.append(parts[1] if len(parts) == 3 else "[]")
    return read(token)[1], shown, key_binding


def check_key_binding(text: str, *, audience: str, nonce: str, now: float) -> None:
    """Whether the holder of the credential's key made it for this request, just now."""
    payload, _, key_binding = open_presentation(text)
    verify(key_binding, key_of(payload["cnf"]["jwk"]))
    header, claims = read(key_binding)
    bound = text[: len(text) - len(key_binding)]
    digest = b64(hashlib.sha256(bound.encode()).digest())
    assert header == {"alg": "ES256", "typ": "kb+jwt"}
    assert claims.keys() == {"iat", "aud", "nonce", "sd_hash"}
    assert (claims["aud"], claims["nonce"]) == (audience, nonce)
    assert claims["sd_hash"] == digest
    assert abs(now - claims["iat"]) < 300


def random_text() -> str:
    return b64(os.urandom(24))


def x5c_of(chain: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(der).decode() for der in chain]
