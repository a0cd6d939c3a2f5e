"""A wallet that presents, shares no code with us, and lies in one respect where a test wants it.

It answers OpenID4VP 1.0 requests straight from the text, plain or encrypted as the request asks. It
believes whatever request it gets: what is under test is what the verifier makes of the answer.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from conformance.peers import small_jose as jose


@dataclass(frozen=True, slots=True)
class Copy:
    """A certificate with all its disclosures, and the private key that it is bound to."""

    text: str
    key: jose.Private

    def shown(self, names: Sequence[str]) -> str:
        """The certificate up to the last `~`, with the disclosures of these claims."""
        token, *disclosures, _ = self.text.split("~")
        kept = [one for one in disclosures if json.loads(jose.unb64(one))[1] in names]
        return "~".join((token, *kept, ""))


class StrangePresenter:
    """Answers one verifier, which `client` reaches."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def read(self, link: str, *, wallet_nonce: str | None = None) -> dict[str, Any]:
        """The request behind a link, fetched by GET, or by POST with a nonce of the wallet's."""
        asked = parse_qs(urlsplit(link).query)
        path = urlsplit(asked["request_uri"][0]).path
        if wallet_nonce is None:
            answer = self.client.get(path)
        else:
            answer = self.client.post(path, data={"wallet_nonce": wallet_nonce})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/oauth-authz-req+jwt"
        header, request = jose.read(answer.text)
        assert header["typ"] == "oauth-authz-req+jwt"
        assert request["client_id"] == asked["client_id"][0]
        return request

    def bound(
        self, request: Mapping[str, Any], copy: Copy, names: Sequence[str], *, now: int,
        key: jose.Private | None = None, **claims: Any,
    ) -> str:  # fmt: skip
        """A presentation for this request; `claims` and `key` replace what is honest."""
        text = copy.shown(names)
        told = {
            "iat": now, "aud": request["client_id"], "nonce": request["nonce"],
            "sd_hash": jose.b64(hashlib.sha256(text.encode()).digest()), **claims,
        }  # fmt: skip
        return text + jose.sign(told, {"typ": "kb+jwt"}, key or copy.key)

    def answer(self, request: Mapping[str, Any], presentation: str) -> httpx2.Response:
        """Send it as the request wants it."""
        (query,) = request["dcql_query"]["credentials"]
        told: dict[str, Any] = {
            "vp_token": {query["id"]: [presentation]}, "state": request.get("state"),
        }  # fmt: skip
        form = {name: value for name, value in told.items() if value is not None}
        if request["response_mode"] == "direct_post.jwt":
            fields = {"response": self._encrypted(request["client_metadata"], form)}
        else:
            fields = {**form, "vp_token": json.dumps(form["vp_token"])}
        return self.client.post(urlsplit(request["response_uri"]).path, data=fields)

    def _encrypted(self, metadata: Mapping[str, Any], form: Mapping[str, Any]) -> str:
        (jwk,) = metadata["jwks"]["keys"]
        return jose.encrypt(form, jwk, metadata["encrypted_response_enc_values_supported"][0])
