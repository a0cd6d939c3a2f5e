"""A wallet that shares no code with us: a small JOSE of its own, and as many lies as a test needs.

It speaks OpenID4VCI 1.0 with the pre-authorized code, straight from the text. Nothing of the
programs or of the library is imported, so that a shared mistake cannot hide.
"""

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key:
    """One P-256 key of this wallet."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        x, y = (b64(value.to_bytes(32)) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        content = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self.private.sign(content.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{content}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


class StrangeWallet:
    """Talks to one issuer. `base` is its identifier, `client` reaches it."""

    def __init__(self, base: str, client: httpx2.Client) -> None:
        self.base, self.client = base, client

    # what the text says

    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self._get("/.well-known/openid-credential-issuer").json()
        assert found["credential_issuer"] == self.base
        return found

    def _get(self, path: str) -> httpx2.Response:
        answer = self.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        return answer

    def read_offer(self, link: str) -> dict[str, Any]:
        """An offer by reference."""
        uri = parse_qs(urlsplit(link).query)["credential_offer_uri"][0]
        offer: dict[str, Any] = self._get(urlsplit(uri).path).json()
        return offer

    def code_of(self, offer: Mapping[str, Any]) -> str:
        return str(offer["grants"][PRE_AUTHORIZED]["pre-authorized_code"])

    def token(self, code: str, tx_code: str | None, **more: str) -> httpx2.Response:
        fields = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code, **more}
        if tx_code is not None:
            fields["tx_code"] = tx_code
        return self.client.post("/token", data=fields)

    def nonce(self) -> str:
        answer = self.client.post("/nonce")
        assert answer.headers["cache-control"] == "no-store"
        return str(answer.json()["c_nonce"])

    def proof(
        self,
        key: Key,
        nonce: str | None,
        *,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        told = {"typ": "openid4vci-proof+jwt", "alg": "ES256", "jwk": key.jwk, **(header or {})}
        said = {"aud": self.base, "iat": int(time.time()), "nonce": nonce, **claims}
        kept = {name: value for name, value in told.items() if value is not None}
        return key.sign(kept, {name: value for name, value in said.items() if value is not None})

    def credential(
        self, token: str, configuration: str, proofs: Sequence[str], **more: Any
    ) -> httpx2.Response:
        body = {
            "credential_configuration_id": configuration, "proofs": {"jwt": list(proofs)}, **more,
        }  # fmt: skip
        return self.post("/credential", token, body)

    def post(self, path: str, token: str, body: Any) -> httpx2.Response:
        return self.client.post(path, json=body, headers={"authorization": f"Bearer {token}"})

    def receive(
        self, token: str, configuration: str, copies: int = 1
    ) -> tuple[list[Key], httpx2.Response]:
        """The honest way with so many keys."""
        keys, nonce = [Key() for _ in range(copies)], self.nonce()
        proofs = [self.proof(key, nonce) for key in keys]
        return keys, self.credential(token, configuration, proofs)


def payload_of(credential: str) -> dict[str, Any]:
    """The claims of an SD-JWT VC, unverified."""
    found: dict[str, Any] = json.loads(unb64(credential.split("~", maxsplit=1)[0].split(".")[1]))
    return found


def disclosures_of(credential: str) -> list[list[Any]]:
    return [json.loads(unb64(text)) for text in credential.split("~")[1:-1]]


def digest(text: str) -> str:
    return b64(hashlib.sha256(text.encode()).digest())
