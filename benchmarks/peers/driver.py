"""Foreign verifiers behind one small door; run by the peers' own interpreter, from the root:

    benchmarks/peers/.venv/bin/python -m benchmarks.peers.driver < requests

One JSON request a line on standard input, one JSON answer a line on standard output.

    {"peer": "sd-jwt" | "openvc-core", "action": "verify", "text": SD-JWT VC, "jwk": issuer's JWK,
     "audience": text?, "nonce": text?}
    {"peer": "cwt" | "pycose", "action": "verify", "message": COSE_Sign1 in hex, "jwk": JWK,
     "layer": "cose"?}
    {"peer": "base45+zlib+cwt", "action": "verify", "text": TSEAL1: code, "jwk": JWK}
        -> {"peer", "version", "accepted": bool, "error": text or null, "claims": object or null}

A dynamic code takes two requests: the inner message with the issuer's key, and the outer one with
the key in the inner `cnf` and `"layer": "cose"`, because `cwt` takes no token without `kid`.
Byte strings in claims come back as {"hex": ...}, integer names as text.

    the same with "action": "bench", "bad": {name: text or message, ...}, "blocks": n, "calls": n,
    "floor": "ES256" | "EdDSA", "signatures": 1 | 2
        -> {..., "floor_us", "ours_us", "ratio_p10", "ratio_median", "blocks", "skips": [name, ...]}

`skips` names the bad inputs that the peer accepted: what it does not check, or does not by
default. A peer that takes a bad input named `signature` gets no figure. `now` is always the
machine's clock, because that is what these libraries read.
"""

import hashlib
import json
import sys
import zlib
from collections.abc import Callable
from datetime import date, datetime
from importlib.metadata import version
from typing import Any

from benchmarks.floor import jwk_coordinate, raw_verify
from benchmarks.pairing import pair

Request = dict[str, Any]
Verifier = Callable[[str], Any]  # text or hex -> claims, or raises


def sd_jwt(request: Request) -> Verifier:
    from jwcrypto.jwk import JWK
    from sd_jwt.verifier import SDJWTVerifier

    key = JWK(**request["jwk"])
    audience, nonce = request.get("audience"), request.get("nonce")

    def verify(text: str) -> Any:
        checked = SDJWTVerifier(text, lambda _issuer, _header: key, audience, nonce)
        return checked.get_verified_payload()

    return verify


def openvc_core(request: Request) -> Verifier:
    from openvc.proof.sd_jwt import SdJwtVcProofSuite

    suite = SdJwtVcProofSuite()
    key, audience, nonce = request["jwk"], request.get("audience"), request.get("nonce")

    def verify(text: str) -> Any:
        checked = suite.verify(
            text,
            public_key_jwk=key,
            audience=audience,
            nonce=nonce,
            require_key_binding=nonce is not None,
        )
        return checked.claims

    return verify


def cwt(request: Request) -> Verifier:
    import cbor2
    from cwt import COSE, CWT, COSEKey

    key = COSEKey.new(_cose_key(request["jwk"]))
    if request.get("layer") == "cose":
        seals = COSE.new()
        return lambda message: cbor2.loads(seals.decode(bytes.fromhex(message), key))
    tokens = CWT.new()
    return lambda message: tokens.decode(bytes.fromhex(message), key)


def base45_cwt(request: Request) -> Verifier:
    import base45
    from cwt import CWT, COSEKey

    key = COSEKey.new(_cose_key(request["jwk"]))
    reader = CWT.new()

    def verify(text: str) -> Any:
        data = base45.b45decode(text.removeprefix("TSEAL1:"))
        message = zlib.decompress(data) if data[0] == 0x78 else data
        return reader.decode(message, key)

    return verify


def pycose(request: Request) -> Verifier:
    import cbor2
    from pycose.keys import CoseKey
    from pycose.messages import Sign1Message

    parameters = {
        k: v for k, v in _cose_key(request["jwk"]).items() if k <= 1
    }  # neither kid nor alg
    key = CoseKey.from_dict(parameters)

    def verify(message: str) -> Any:
        sealed = Sign1Message.decode(bytes.fromhex(message))
        sealed.key = key
        if not sealed.verify_signature():
            raise ValueError("signature does not verify")
        return cbor2.loads(sealed.payload)

    return verify


# name -> how to build the verifier, the distribution whose version is told, the field it reads
PEERS: dict[str, tuple[Callable[[Request], Verifier], str, str]] = {
    "sd-jwt": (sd_jwt, "sd-jwt", "text"),
    "openvc-core": (openvc_core, "openvc-core", "text"),
    "cwt": (cwt, "cwt", "message"),
    "pycose": (pycose, "pycose", "message"),
    "base45+zlib+cwt": (base45_cwt, "cwt", "text"),
}


def answer(request: Request) -> dict[str, Any]:
    """The answer to one request; whatever a peer raises is its way of saying no."""
    build, distribution, field = PEERS[request["peer"]]
    told: dict[str, Any] = {"peer": request["peer"], "version": version(distribution)}
    verify = build(request)
    error, claims = judge(verify, request[field])
    told |= {"accepted": error is None, "error": error, "claims": plain(claims)}
    if request["action"] == "bench" and error is None:
        told |= bench(verify, request[field], request)
    return told


def judge(verify: Verifier, value: str) -> tuple[str | None, Any]:
    """What stopped the peer, or None, and the claims that it believes."""
    try:
        return None, verify(value)
    except Exception as error:  # noqa: BLE001 - foreign code: any exception is a refusal
        return f"{type(error).__name__}: {error}", None


def bench(verify: Verifier, good: str, request: Request) -> dict[str, Any]:
    """Figures of the peer against its own floor, and which bad inputs it let pass."""
    bad: dict[str, str] = request["bad"]
    skips = [name for name, value in bad.items() if judge(verify, value)[0] is None]
    if "signature" in skips:
        return {"accepted": False, "error": "accepts an altered signature", "skips": skips}
    floor = raw_verify(request.get("floor", "ES256"), signatures=request.get("signatures", 1))
    pairing = pair(floor, lambda: verify(good), blocks=request["blocks"], calls=request["calls"])
    return {
        "floor_us": pairing.floor_us,
        "ours_us": pairing.ours_us,
        "ratio_p10": pairing.ratio_p10,
        "ratio_median": pairing.ratio_median,
        "blocks": pairing.blocks,
        "skips": skips,
    }


def _cose_key(jwk: dict[str, str]) -> dict[int, Any]:
    """A public JWK as COSE_Key parameters, with the first 8 bytes of its thumbprint as `kid`."""
    x = jwk_coordinate(jwk, "x")
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y") if name in jwk}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    kid = hashlib.sha256(canonical).digest()[:8]
    if jwk["kty"] == "OKP":
        return {1: 1, 2: kid, 3: -8, -1: 6, -2: x}
    return {1: 2, 2: kid, 3: -7, -1: 1, -2: x, -3: jwk_coordinate(jwk, "y")}


def plain(value: Any) -> Any:
    """Claims as JSON can say them; CBOR knows bytes, dates, tags and integer names, JSON not."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
