"""The physical floor of a verification: the bare signature check, with a ready key object.

Everything a verifier does beyond this is overhead that it could in principle avoid, so goals are
counted in these units. The standard library and `cryptography` alone: ours and the foreign
verifiers measure the same floor, each by its own interpreter and its own `cryptography`.
"""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

SEED_SECRET = 0x7A1E57  # any fixed number: the floor needs a key, not a secret
MESSAGE = b"talentseal floor " * 64  # about a kilobyte: what a credential's signature covers


def raw_verify(algorithm: str, *, signatures: int = 1) -> Callable[[], None]:
    """A call that checks `signatures` good signatures: ES256 (P-256) or EdDSA (Ed25519)."""
    check = _es256() if algorithm == "ES256" else _eddsa()

    def floor() -> None:
        for _ in range(signatures):
            check()

    return floor


def raw_sign() -> Callable[[], bytes]:
    """A call that makes one ES256 signature: the floor of issuing."""
    secret = ec.derive_private_key(SEED_SECRET, ec.SECP256R1())
    algorithm = ec.ECDSA(hashes.SHA256())
    return lambda: secret.sign(MESSAGE, algorithm)


def _es256() -> Callable[[], None]:
    secret = ec.derive_private_key(SEED_SECRET, ec.SECP256R1())
    algorithm = ec.ECDSA(hashes.SHA256())
    signature = secret.sign(MESSAGE, algorithm)
    public = secret.public_key()
    return lambda: public.verify(signature, MESSAGE, algorithm)


def _eddsa() -> Callable[[], None]:
    secret = ed25519.Ed25519PrivateKey.from_private_bytes(SEED_SECRET.to_bytes(32, "big"))
    signature = secret.sign(MESSAGE)
    public = secret.public_key()
    return lambda: public.verify(signature, MESSAGE)


def jwk_coordinate(jwk: Mapping[str, str], name: str) -> bytes:
    """A coordinate of a public JWK as bytes; the key is our own, so laxness does no harm."""
    text = jwk[name]
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
