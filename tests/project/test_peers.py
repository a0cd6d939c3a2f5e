"""The foreign verifiers answer through their door: yes, no with a reason, and what they skip."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from parts import need

from benchmarks import peer
from benchmarks.inputs import flip_bytes, flip_text, secret_key

pytestmark = pytest.mark.slow

SECRET = secret_key("peers")
HOUR = 3600


@pytest.fixture(autouse=True)
def _peers_are_there() -> None:
    missing = peer.missing()
    need("the foreign verifiers", present=missing is None, remedy=missing or "")


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(data: bytes) -> bytes:
    r, s = decode_dss_signature(SECRET.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def jwk() -> dict[str, str]:
    point = SECRET.public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": b64(point.x.to_bytes(32, "big")),
        "y": b64(point.y.to_bytes(32, "big")),
    }


def token(*, expires_in: int) -> str:
    """The smallest SD-JWT VC: nothing to disclose, no holder."""
    now = int(time.time())  # these libraries read the machine's clock
    header = {"alg": "ES256", "typ": "dc+sd-jwt"}
    claims = {"iss": "https://issuer.example", "vct": "https://types.example/a/1"}
    claims_now = {**claims, "iat": now - HOUR, "exp": now + expires_in}
    signed = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims_now).encode())
    return f"{signed}.{b64(sign(signed.encode()))}~"


def message(*, expires_in: int) -> bytes:
    """The smallest token in COSE_Sign1 (RFC 9052 §4.2), without a key identifier."""
    now = int(time.time())
    protected = cbor2.dumps({1: -7})
    payload = cbor2.dumps({1: "https://issuer.example", 4: now + expires_in, 6: now - HOUR})
    signature = sign(cbor2.dumps(["Signature1", protected, b"", payload]))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


def ask_one(name: str, **inputs: object) -> dict[str, Any]:
    (answer,) = peer.ask([{"peer": name, "action": "verify", "jwk": jwk(), **inputs}])
    return answer


@pytest.mark.parametrize("name", ["sd-jwt", "openvc-core"])
def test_a_good_token_is_accepted_and_an_altered_one_is_not(name: str) -> None:
    good = token(expires_in=HOUR)
    answer = ask_one(name, text=good)
    assert answer["accepted"], answer["error"]
    assert answer["claims"]["iss"] == "https://issuer.example"
    assert not ask_one(name, text=flip_text(good, -5))["accepted"]


@pytest.mark.parametrize("name", ["cwt", "pycose"])
def test_a_good_message_is_accepted_and_an_altered_one_is_not(name: str) -> None:
    good = message(expires_in=HOUR)
    answer = ask_one(name, message=good.hex(), layer="cose")
    assert answer["accepted"], answer["error"]
    assert answer["claims"]["1"] == "https://issuer.example"
    assert not ask_one(name, message=flip_bytes(good, -1 + len(good)).hex())["accepted"]


def test_a_figure_names_what_the_peer_does_not_check() -> None:
    good, expired = token(expires_in=HOUR), token(expires_in=-HOUR // 2)
    request = {
        "text": good,
        "jwk": jwk(),
        "bad": {"signature": flip_text(good, -5), "expired": expired},
        "blocks": 3,
        "calls": 2,
    }
    lax = peer.figure({"peer": "sd-jwt", **request})
    strict = peer.figure({"peer": "openvc-core", **request})
    assert (lax.skips, strict.skips) == (("expired",), ())
    assert lax.ratio is not None
    assert lax.ratio > 1
