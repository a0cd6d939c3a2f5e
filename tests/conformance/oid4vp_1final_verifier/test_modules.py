"""Mirror of the modules `oid4vp-1final-verifier-*` for SD-JWT VC (suite at 12f2a4d).

Each module is run plain under `x509_san_dns` and encrypted under `x509_hash`, which is what the
plan of the HAIP profile runs. A module that must fail passes with an answer of 4xx.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from conformance.peers import small_jose as jose
from conformance.peers.strange_presenter import Copy, StrangePresenter
from verifier_service import VerifierService, verifier_service

NAMES = ("display_name", "certificate_number")
YEAR = 365 * 86_400
PLANS = {
    "direct_post": {"client_id_prefix": "x509_san_dns", "encrypted": False},
    "direct_post.jwt": {"client_id_prefix": "x509_hash", "encrypted": True},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerifierService]:
    with verifier_service(tmp_path_factory.mktemp("verifier"), with_access=True) as running:
        yield running


class Module:
    """One run: a request of the verifier, a wallet and what it holds."""

    def __init__(self, service: VerifierService, plan: str) -> None:
        self.service, self.headers = service, service.token("desk")
        wish = {"query": "professional-title", "place": "CN/9999", "purpose": "employment"}
        begun = service.client.post(
            "/v1/presentations", json={**wish, **PLANS[plan]}, headers=self.headers
        )
        assert begun.status_code == 201, begun.text
        self.id, self.link = begun.json()["id"], begun.json()["request_url"]
        held = service.world.city.issue()
        service.trust.refresh()
        key = held.holder.private_key
        assert isinstance(key, jose.Private)
        self.copy = Copy(held.text, key)
        self.wallet = StrangePresenter(service.client)
        self.now = service.world.now

    def present(self, **lies: Any) -> int:
        """The status of the answer to a presentation that lies in these respects."""
        request = self.wallet.read(self.link)
        text = self.wallet.bound(request, self.copy, NAMES, now=self.now, **lies)
        return self.wallet.answer(request, text).status_code

    @property
    def state(self) -> str:
        answer = self.service.client.get(f"/v1/presentations/{self.id}", headers=self.headers)
        return str(answer.json()["state"])


@pytest.fixture(params=PLANS)
def module(service: VerifierService, request: pytest.FixtureRequest) -> Module:
    return Module(service, request.param)


def test_happy_flow(module: Module) -> None:
    request = module.wallet.read(module.link)
    text = module.wallet.bound(request, module.copy, NAMES, now=module.now)
    answer = module.wallet.answer(request, text)
    assert (answer.status_code, answer.json()) == (200, {})
    assert module.state == "answered"


def test_minimal_cnf_jwk(module: Module) -> None:
    bound_to = jose.open_presentation(module.copy.text)[0]["cnf"]["jwk"]
    assert bound_to.keys() == {"kty", "crv", "x", "y"}
    assert module.present() == 200


def test_request_uri_fetched_twice(module: Module) -> None:
    assert module.wallet.read(module.link) == module.wallet.read(module.link)
    assert module.present() == 200


def test_request_uri_method_post(module: Module) -> None:
    request = module.wallet.read(module.link, wallet_nonce="of-this-wallet")
    assert request["wallet_nonce"] == "of-this-wallet"
    text = module.wallet.bound(request, module.copy, NAMES, now=module.now)
    assert module.wallet.answer(request, text).status_code == 200


def test_invalid_credential_signature(module: Module) -> None:
    token, tilde, rest = module.copy.text.partition("~")
    signed, dot, signature = token.rpartition(".")
    other = jose.b64(bytes([jose.unb64(signature)[0] ^ 0x5A]) + jose.unb64(signature)[1:])
    module.copy = Copy(signed + dot + other + tilde + rest, module.copy.key)
    assert 400 <= module.present() < 500
    assert module.state == "rejected"


def test_invalid_kb_jwt_signature(module: Module) -> None:
    assert 400 <= module.present(key=jose.new_key()) < 500
    assert module.state == "rejected"


LIES: dict[str, dict[str, Any]] = {
    "invalid_sd_hash": {"sd_hash": jose.b64(bytes(32))},
    "invalid_kb_jwt_nonce": {"nonce": "a-nonce-of-another-request"},
    "invalid_kb_jwt_aud": {"aud": "x509_san_dns:elsewhere.example"},
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_in_the_proof(module: Module, name: str) -> None:
    assert 400 <= module.present(**LIES[name]) < 500
    assert module.state == "rejected"


@pytest.mark.parametrize(
    "shift", [pytest.param(-YEAR, id="in_past"), pytest.param(YEAR, id="in_future")]
)
def test_kb_jwt_iat(module: Module, shift: int) -> None:
    assert 400 <= module.present(iat=module.now + shift) < 500
    assert module.state == "rejected"
