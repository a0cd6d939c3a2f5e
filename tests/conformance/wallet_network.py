"""What wallet tests over the network share: emulated peers of the network of this hour."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from conformance.peers.issuer_peer import IssuerPeer
from conformance.peers.verifier_peer import VerifierPeer
from cryptography.hazmat.primitives.serialization import Encoding
from simulator import World, key, type_of
from wallet_people import Person, seal_for

from talentseal.encoding import b64url_encode
from talentseal.keys import PublicKey

TITLE = type_of("professional-title/1").vct
PROOFS = {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}}
BOUND: dict[str, Any] = {
    "cryptographic_binding_methods_supported": ["jwk"],
    "proof_types_supported": PROOFS,
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "title_sd_jwt": {"format": "dc+sd-jwt", "vct": TITLE, "scope": "title", **BOUND},
    "title_code": {"format": "talentseal_cwt", "vct": TITLE, "scope": "title_code", **BOUND},
}


@pytest.fixture
def issuer(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[IssuerPeer]:
    """The bureau of the city, on this machine, as `https://bureau.city.example`."""

    def seal(name: str, jwks: Sequence[dict[str, str]]) -> list[str]:
        copies = [seal_for(world.city, [PublicKey.from_jwk(jwk)]) for jwk in jwks]
        if name == "title_code":
            return [b64url_encode(copy.code) for copy in copies]
        return [copy.text for copy in copies]

    with IssuerPeer(configurations=dict(CONFIGURATIONS), seal=seal) as peer:
        find_here(monkeypatch, "bureau.city.example", peer.url)
        yield peer


@pytest.fixture
def verifier(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[VerifierPeer]:
    """A verifier with a certificate of the city, as `https://harbour.city.example`."""
    signer = key("harbour of the conformance tests")
    chain = world.city.chain_for("https://harbour.city.example", signer)
    private: Any = signer.private_key
    ders = [certificate.public_bytes(Encoding.DER) for certificate in chain]
    with VerifierPeer(key=private, chain=ders) as peer:
        find_here(monkeypatch, peer.host, peer.url)
        yield peer


@pytest.fixture
def holder(person: Person, world: World) -> Person:
    """A person who holds one professional title in both forms."""
    person.receive(seal_for(world.city, person.keys()))
    return person


def find_here(patch: pytest.MonkeyPatch, host: str, url: str) -> None:
    patch.setenv("TALENTSEAL_DEV", "1")
    patch.setenv("TALENTSEAL_DEV_HOSTS", f"{host}={url}")
