"""An emulated OpenID4VCI 1.0 issuer: strict about wallets, and hostile where a test asks for it.

It checks what the OIDF suite checks of a wallet: path-inserted metadata, one use of the code and of
the nonce, every proof. It imports nothing of the product; credentials come from `seal`, which a
test gives.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.peers import small_jose
from conformance.peers.http_peer import Asked, Peer, Reply, as_json

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
Jwk = dict[str, str]
Seal = Callable[[str, Sequence[Jwk]], list[str]]


@dataclass
class IssuerPeer(Peer):
    """Offers everything in `configurations`; `seal` makes the copies for the keys proven.

    later  how often a credential is promised before it is delivered
    """

    identifier: str = "https://bureau.city.example"
    configurations: dict[str, dict[str, Any]] = field(default_factory=dict)
    seal: Seal = lambda _, __: []
    tx_code: str | None = None
    batch_size: int | None = 5
    later: int = 0
    interval: int = 1
    identifiers: dict[str, list[str]] = field(default_factory=dict)
    extra_metadata: dict[str, Any] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    nonces: set[str] = field(default_factory=set)
    promised: dict[str, tuple[str, list[Jwk]]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def offer(self, *names: str) -> dict[str, Any]:
        code = small_jose.random_text()
        self.codes.add(code)
        grant: dict[str, Any] = {"pre-authorized_code": code}
        if self.tx_code is not None:
            grant["tx_code"] = {"length": 6, "input_mode": "numeric", "description": "By letter"}
        return {
            "credential_issuer": self.identifier,
            "credential_configuration_ids": list(names or self.configurations),
            "grants": {PRE_AUTHORIZED: grant},
            "unknown_member": {"a": [1]},
        }

    def answer(self, asked: Asked) -> Reply:
        routes = {
            ("GET", "/.well-known/openid-credential-issuer"): lambda _: as_json(self.metadata()),
            ("GET", "/.well-known/oauth-authorization-server"): lambda _: as_json(self.server()),
            ("POST", "/token"): self.token,
            ("POST", "/nonce"): self.nonce,
            ("POST", "/credential"): self.credential,
            ("POST", "/deferred"): self.deferred,
            ("POST", "/notification"): self.notification,
        }
        route = routes.get((asked.method, asked.path))
        return route(asked) if route else as_json({"error": "not_found"}, 404)

    def metadata(self) -> dict[str, Any]:
        batch = {"batch_credential_issuance": {"batch_size": self.batch_size}}
        return {
            "credential_issuer": self.identifier,
            "credential_endpoint": f"{self.identifier}/credential",
            "nonce_endpoint": f"{self.identifier}/nonce",
            "deferred_credential_endpoint": f"{self.identifier}/deferred",
            "notification_endpoint": f"{self.identifier}/notification",
            **(batch if self.batch_size else {}),
            "credential_configurations_supported": self.configurations,
            "unknown_member": True,
            **self.extra_metadata,
        }

    def server(self) -> dict[str, Any]:
        return {
            "issuer": self.identifier,
            "token_endpoint": f"{self.identifier}/token",
            "grant_types_supported": [PRE_AUTHORIZED],
            "pre-authorized_grant_anonymous_access_supported": True,
        }

    # OAuth

    def token(self, asked: Asked) -> Reply:
        form = asked.form
        code = form.get("pre-authorized_code", "")
        if form["grant_type"] != PRE_AUTHORIZED or "client_id" in form:
            return as_json({"error": "invalid_request"}, 400)
        if (form.get("tx_code") is None) != (self.tx_code is None):
            return as_json({"error": "invalid_request"}, 400)
        if code not in self.codes or form.get("tx_code") != self.tx_code:
            return as_json({"error": "invalid_grant"}, 400)
        self.codes.remove(code)
        return as_json(self.new_token())

    def new_token(self) -> dict[str, Any]:
        token = small_jose.random_text()
        self.tokens.add(token)
        details = [
            {
                "type": "openid_credential",
                "credential_configuration_id": name,
                "credential_identifiers": found,
            }
            for name, found in self.identifiers.items()
        ]
        covered = {"authorization_details": details} if details else {}
        return {"access_token": token, "token_type": "bearer", "unknown_member": 1, **covered}

    def nonce(self, asked: Asked) -> Reply:
        assert not asked.body
        assert "authorization" not in asked.headers
        nonce = small_jose.random_text()
        self.nonces.add(nonce)
        return as_json({"c_nonce": nonce})

    def is_authorized(self, asked: Asked) -> bool:
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and token in self.tokens

    # credentials

    def credential(self, asked: Asked) -> Reply:
        if not self.is_authorized(asked):
            return as_json({"error": "invalid_token"}, 401)
        body = asked.json
        name = self.configuration_of(body)
        assert body["proofs"].keys() == {"jwt"}
        proofs = body["proofs"]["jwt"]
        assert 1 <= len(proofs) <= (self.batch_size or 1)
        keys = [self.proven(proof) for proof in proofs]
        assert len({key["x"] for key in keys}) == len(keys)
        nonces = {small_jose.read(proof)[1]["nonce"] for proof in proofs}
        if len(nonces) != 1 or not nonces <= self.nonces:
            return as_json({"error": "invalid_nonce"}, 400)
        self.nonces -= nonces
        if self.later:
            transaction = small_jose.random_text()
            self.promised[transaction] = (name, keys)
            return self.not_yet(transaction)
        return self.delivered(name, keys)

    def configuration_of(self, body: dict[str, Any]) -> str:
        if self.identifiers:
            assert "credential_configuration_id" not in body
            asked = body["credential_identifier"]
            return next(name for name, found in self.identifiers.items() if asked in found)
        assert "credential_identifier" not in body
        name: str = body["credential_configuration_id"]
        assert name in self.configurations
        return name

    def proven(self, proof: str) -> Jwk:
        """The key of a proof in which everything is right."""
        header, claims = small_jose.read(proof)
        assert header.keys() == {"alg", "typ", "jwk"}
        assert (header["alg"], header["typ"]) == ("ES256", "openid4vci-proof+jwt")
        small_jose.verify(proof, small_jose.key_of(header["jwk"]))
        assert claims["aud"] == self.identifier
        assert "iss" not in claims
        assert abs(time.time() - claims["iat"]) < 300
        jwk: Jwk = header["jwk"]
        return jwk

    def delivered(self, name: str, keys: Sequence[Jwk]) -> Reply:
        copies = [{"credential": text} for text in reversed(self.seal(name, keys))]
        return as_json({"credentials": copies, "notification_id": f"n-{name}", "unknown": 0})

    def not_yet(self, transaction: str) -> Reply:
        self.later -= 1
        return as_json({"transaction_id": transaction, "interval": self.interval}, 202)

    def deferred(self, asked: Asked) -> Reply:
        if not self.is_authorized(asked):
            return as_json({"error": "invalid_token"}, 401)
        transaction = asked.json["transaction_id"]
        if transaction not in self.promised:
            return as_json({"error": "invalid_transaction_id"}, 400)
        if self.later:
            return self.not_yet(transaction)
        return self.delivered(*self.promised.pop(transaction))

    def notification(self, asked: Asked) -> Reply:
        assert self.is_authorized(asked)
        self.events.append(asked.json["event"])
        return Reply(204)
