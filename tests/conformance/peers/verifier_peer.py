"""An emulated OpenID4VP 1.0 verifier: asks as a test tells it, and checks what comes back.

It checks what the OIDF suite checks of a wallet's answer: only the form fields of the mode, the
encryption as offered, every claim of the key-binding token. It imports nothing of the product.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from conformance.peers import small_jose
from conformance.peers.http_peer import Asked, Peer, Reply, as_json

REQUEST_TYPE = "application/oauth-authz-req+jwt"


@dataclass
class VerifierPeer(Peer):
    """One request at a time: `claims` are what is signed, `header` what stands above it."""

    host: str = "harbour.city.example"
    key: small_jose.Private = field(default_factory=small_jose.new_key)
    chain: Sequence[bytes] = ()
    encryption_key: small_jose.Private | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    @property
    def client_id(self) -> str:
        return f"x509_san_dns:{self.host}"

    @property
    def response_uri(self) -> str:
        return f"https://{self.host}/response"

    def ask(self, *credentials: dict[str, Any], **changes: Any) -> str:
        """Prepare a request with these credential queries; the link to it."""
        good: dict[str, Any] = {
            "response_type": "vp_token",
            "response_mode": "direct_post",
            "client_id": self.client_id,
            "response_uri": self.response_uri,
            "nonce": small_jose.random_text(),
            "state": "state-1",
            "aud": "https://self-issued.me/v2",
            "dcql_query": {"credentials": list(credentials)},
            "client_metadata": {"client_name": "Bank of Fiction"},
            **({} if self.encryption_key is None else self._encrypted(self.encryption_key)),
            **changes,
        }
        self.claims = {name: value for name, value in good.items() if value != ...}
        return self.link()

    def _encrypted(self, key: small_jose.Private) -> dict[str, Any]:
        public = {**small_jose.jwk_of(key.public_key()), "kid": "e1", "alg": "ECDH-ES"}
        metadata = {
            "jwks": {"keys": [public]},
            "encrypted_response_enc_values_supported": ["A256GCM"],
        }
        return {"response_mode": "direct_post.jwt", "client_metadata": metadata}

    def link(self, **changes: str) -> str:
        uri = f"https://{self.host}/request"
        fields = {"client_id": self.client_id, "request_uri": uri, **changes}
        return f"openid4vp://?{urlencode(fields)}"

    def object(self, **more: Any) -> str:
        header = {"typ": "oauth-authz-req+jwt", "x5c": small_jose.x5c_of(self.chain), **self.header}
        kept = {name: value for name, value in header.items() if value != ...}
        return small_jose.sign({**self.claims, **more}, kept, self.key)

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/request":
            more = {}
            if asked.method == "POST":
                assert asked.headers["accept"] == REQUEST_TYPE
                more = {"wallet_nonce": asked.form["wallet_nonce"]}
                json.loads(asked.form["wallet_metadata"])
            return Reply(200, self.object(**more).encode(), REQUEST_TYPE)
        return as_json(self.after) if asked.path == "/response" else as_json({}, 404)

    # what came back

    def posted(self) -> dict[str, Any]:
        """The members of the one answer that came, decrypted where it had to be encrypted."""
        (asked,) = self.asked_at("/response")
        form = asked.form
        if self.encryption_key is None:
            assert form.keys() <= {"vp_token", "state", "error"}
            if "vp_token" in form:
                return {**form, "vp_token": json.loads(form["vp_token"])}
            return dict(form)
        assert form.keys() == {"response"}
        header, members = small_jose.decrypt(form["response"], self.encryption_key)
        assert header.keys() == {"alg", "enc", "kid", "epk"}
        assert (header["enc"], header["kid"]) == ("A256GCM", "e1")
        assert not members.keys() & {"iss", "exp", "aud"}
        return members

    def presented(self) -> dict[str, list[str]]:
        """By query id, the names that each presentation discloses; every one bound to us."""
        members = self.posted()
        assert members.keys() == {"vp_token", "state"} - ({"state"} - self.claims.keys())
        assert members.get("state") == self.claims.get("state")
        found = {}
        for name, texts in members["vp_token"].items():
            (text,) = texts
            small_jose.check_key_binding(
                text, audience=self.claims["client_id"], nonce=self.claims["nonce"],
                now=time.time(),
            )  # fmt: skip
            found[name] = sorted(small_jose.open_presentation(text)[1])
        return found

    @property
    def was_answered(self) -> bool:
        return bool(self.asked_at("/response"))
