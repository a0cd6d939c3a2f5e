"""Public keys and the Signer protocol: what is signed with what.

A key carries its algorithm; no header ever chooses one. Accepted are ES256 on P-256 (emitted by
default) and EdDSA on Ed25519. Key identifiers are JWK thumbprints (RFC 7638): 43 characters in
JOSE, their first 8 bytes (`kid8`) in COSE. Where private keys live is left to `keystore`.

Standards: RFC 7517, RFC 7518 §3.4 (signatures are r || s), RFC 8037, RFC 9053, RFC 9864.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NoReturn, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from talentseal.encoding import b64url_decode, b64url_encode, canonical_json
from talentseal.errors import InputError

# The only table of algorithms. A name or number that is not here is ALG_NOT_ALLOWED.
JOSE_ALGORITHMS = {"ES256": "ES256", "EdDSA": "EdDSA", "Ed25519": "EdDSA"}
COSE_ALGORITHMS = {-7: "ES256", -9: "ES256", -8: "EdDSA", -19: "EdDSA"}
COSE_NUMBERS = {"ES256": -7, "EdDSA": -8}

SIGNATURE_BYTES = 64
KID8_BYTES = 8
COORDINATE_BYTES = 32
_COORDINATE_CHARS = 43  # in base64url
_EC2_MEMBERS = frozenset((1, -1, -2, -3))
_OKP_MEMBERS = frozenset((1, -1, -2))
# P-256: y^2 = x^3 - 3x + b over the integers modulo p (SP 800-186 §3.2.1.3).
_P256_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA_HASHED = ec.ECDSA(Prehashed(hashes.SHA256()))
_PRIVATE_MEMBERS = frozenset(("d", "k", "p", "q", "dp", "dq", "qi", "oth"))

EcOrEdPublic = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
EcOrEdPrivate = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class PublicKey:
    """A verified-to-be-usable public key with its algorithm and identifiers.

    kid   JWK thumbprint, base64url, 43 characters
    kid8  its first 8 bytes, for COSE headers
    """

    def __init__(self, key: EcOrEdPublic) -> None:
        self.key = key
        self.alg = _algorithm(key)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made `signature` over `message`."""
        return self.verify_hashed(signature, message, None)

    def verify_hashed(self, signature: bytes, message: bytes, digest: bytes | None) -> bool:
        """The same for a message whose SHA-256 is at hand, which Ed25519 has no use for."""
        key: Any = self.key  # to ask for its class costs more than its name, and says the same
        if self.alg == "EdDSA":
            return _verify_eddsa(key, signature, message)
        return _verify_es256(key, signature, digest or hashlib.sha256(message).digest())

    @classmethod
    def from_jwk(cls, jwk: Any) -> "PublicKey":
        """Read a public JWK. Raises InputError like `check_jwk`."""
        encoded = cls.check_jwk(jwk)
        return cls(_edwards(encoded) if len(encoded) == COORDINATE_BYTES else _point(encoded))

    @staticmethod
    def check_jwk(jwk: Any) -> bytes:
        """The uncompressed point or Ed25519 key of a public JWK, without making a key of it.

        Raises InputError `CLAIM_INVALID`, `ALG_NOT_ALLOWED`, or `MALFORMED` for its base64url.
        """
        known = type(jwk) is dict or isinstance(jwk, Mapping)  # the first is the quick one
        if not known or not _PRIVATE_MEMBERS.isdisjoint(jwk):
            raise InputError("not a public JWK", code="CLAIM_INVALID")
        curve = (jwk.get("kty"), jwk.get("crv"))
        if curve == ("EC", "P-256"):
            x, y = _coordinates(jwk)
            if not _on_curve(int.from_bytes(x), int.from_bytes(y)):
                _no_point()
            return b"\x04" + x + y
        if curve == ("OKP", "Ed25519"):
            return _coordinate(jwk, "x")
        raise InputError("a key of a kind not allowed here", code="ALG_NOT_ALLOWED")

    @classmethod
    def from_cose(cls, members: Any) -> "PublicKey":
        """Read a COSE_Key as codes carry it: P-256 compressed, or Ed25519.

        Raises InputError `CLAIM_INVALID` or `ALG_NOT_ALLOWED`.
        """
        if not isinstance(members, dict):
            raise InputError("not a COSE key", code="CLAIM_INVALID")
        x = members.get(-2)
        if not isinstance(x, bytes) or len(x) != COORDINATE_BYTES:
            raise InputError("a COSE key with a coordinate of a wrong length", code="CLAIM_INVALID")
        kind, curve_id, names = members.get(1), members.get(-1), members.keys()
        curve = (kind, curve_id) if type(kind) is type(curve_id) is int else None  # true is not 1
        if curve == (2, 1) and names == _EC2_MEMBERS and isinstance(members[-3], bool):
            return cls(_point((b"\x03" if members[-3] else b"\x02") + x))
        if curve == (1, 6) and names == _OKP_MEMBERS:
            return cls(_edwards(x))
        raise InputError("a COSE key of a kind not allowed here", code="ALG_NOT_ALLOWED")

    @cached_property
    def _raw(self) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePublicKey):
            point = self.key.public_numbers()  # the encoders cost 10 ms to load
            return b"\x04" + point.x.to_bytes(COORDINATE_BYTES) + point.y.to_bytes(COORDINATE_BYTES)
        return self.key.public_bytes_raw()

    @cached_property
    def jwk(self) -> dict[str, str]:
        """The public JWK with its required members only."""
        if self.alg == "EdDSA":
            return {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(self._raw)}
        x, y = self._raw[1:33], self._raw[33:]
        return {"kty": "EC", "crv": "P-256", "x": b64url_encode(x), "y": b64url_encode(y)}

    @cached_property
    def cose(self) -> dict[int, Any]:
        """The COSE_Key of a code: P-256 compressed, or Ed25519."""
        if self.alg == "EdDSA":
            return {1: 1, -1: 6, -2: self._raw}
        return {1: 2, -1: 1, -2: self._raw[1:33], -3: bool(self._raw[-1] & 1)}

    @cached_property
    def thumbprint(self) -> bytes:
        """RFC 7638 §3, SHA-256, 32 bytes."""
        return hashlib.sha256(canonical_json(self.jwk)).digest()

    @cached_property
    def kid(self) -> str:
        return b64url_encode(self.thumbprint)

    @cached_property
    def kid8(self) -> bytes:
        return self.thumbprint[:KID8_BYTES]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)


class Signer(Protocol):
    """Anything that signs: a software key, a file, later a token in a box."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature over `message`: r || s, or an Ed25519 signature."""
        ...


class SoftwareSigner:
    """A private key in memory. `fixed` signs the same bytes for the same message (RFC 6979)."""

    def __init__(self, key: EcOrEdPrivate, *, fixed: bool = False) -> None:
        self.private_key = key
        self._public = PublicKey(key.public_key())
        self._ecdsa = ec.ECDSA(hashes.SHA256(), deterministic_signing=fixed)
        self._hashed = ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=fixed)

    @property
    def public(self) -> PublicKey:
        return self._public

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private_key, ed25519.Ed25519PrivateKey):
            return self.private_key.sign(message)
        return _raw_signature(self.private_key.sign(message, self._ecdsa))

    def sign_hashed(self, digests: Iterable[bytes]) -> list[bytes]:
        """What `sign` makes of messages of which the SHA-256 is at hand; for ES256 alone.

        One after the other with nothing in between: a signature leaves no room for anything else
        in the processor's caches.
        """
        key, scheme = self.private_key, self._hashed
        if isinstance(key, ed25519.Ed25519PrivateKey):
            raise TypeError("Ed25519 signs messages, not digests")
        signed = [key.sign(digest, scheme) for digest in digests]
        return [_raw_signature(signature) for signature in signed]

    def __repr__(self) -> str:
        return f"SoftwareSigner({self.public.kid})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is never pickled or copied")


def new_signer(alg: str = "ES256") -> SoftwareSigner:
    """A fresh key from the system's generator. Raises InputError `ALG_NOT_ALLOWED`."""
    if alg == "ES256":
        return SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    if alg == "EdDSA":
        return SoftwareSigner(ed25519.Ed25519PrivateKey.generate())
    raise InputError(f"{alg} is not an allowed algorithm", code="ALG_NOT_ALLOWED")


def signer_from_secret(secret: int, *, fixed: bool = True) -> SoftwareSigner:
    """A P-256 key from a known number, for test vectors that must come out the same."""
    return SoftwareSigner(ec.derive_private_key(secret, ec.SECP256R1()), fixed=fixed)


def _algorithm(key: Any) -> str:
    """The one algorithm of a key, which may come from a certificate and be of any kind."""
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return "ES256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA"
    raise InputError("a key of a kind not allowed here", code="ALG_NOT_ALLOWED")


def _raw_signature(encoded: bytes) -> bytes:
    """A signature in DER as r || s (RFC 7518 §3.4)."""
    r, s = decode_dss_signature(encoded)
    return r.to_bytes(COORDINATE_BYTES) + s.to_bytes(COORDINATE_BYTES)


def _verify_es256(key: ec.EllipticCurvePublicKey, signature: bytes, digest: bytes) -> bool:
    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
        return False
    try:
        key.verify(encode_dss_signature(r, s), digest, _ECDSA_HASHED)
    except InvalidSignature:
        return False
    return True


def _verify_eddsa(key: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return len(signature) == SIGNATURE_BYTES


def _coordinate(jwk: Mapping[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str) or len(text) != _COORDINATE_CHARS:
        raise InputError(f"JWK member {name} has a wrong length", code="CLAIM_INVALID")
    return b64url_decode(text)


def _coordinates(jwk: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Both coordinates of a point, decoded together: each is padded to 33 bytes by a zero."""
    x, y = jwk.get("x"), jwk.get("y")
    if type(x) is str and type(y) is str and len(x) == len(y) == _COORDINATE_CHARS:
        both = b64url_decode(f"{x}A{y}A")
        if not both[32] and not both[65]:  # no stray bits
            return both[:32], both[33:65]
    return _coordinate(jwk, "x"), _coordinate(jwk, "y")  # which says what is wrong


def _on_curve(x: int, y: int) -> bool:
    """Whether a point lies on P-256; of its two coordinates, both public, nothing is kept."""
    if x >= _P256_P or y >= _P256_P:
        return False
    return (y * y - (x * x - 3) * x - _P256_B) % _P256_P == 0


def _no_point() -> NoReturn:
    raise InputError("a point that is not on P-256", code="CLAIM_INVALID")


def _point(encoded: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)
    except ValueError as error:
        raise InputError("a point that is not on P-256", code="CLAIM_INVALID") from error


def _edwards(raw: bytes) -> ed25519.Ed25519PublicKey:
    try:
        return ed25519.Ed25519PublicKey.from_public_bytes(raw)
    except ValueError as error:
        raise InputError("not an Ed25519 key", code="CLAIM_INVALID") from error
