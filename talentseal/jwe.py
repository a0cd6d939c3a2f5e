"""Encrypted answers: a compact JWE to a verifier's fresh P-256 key, written and read narrowly.

One key agreement (ECDH-ES, direct) and two contents (A128GCM, A256GCM). A header that says more
than it needs is refused before any key is used: no compression, no critical members, no keys by
reference. Encryption hides an answer from whoever stands between; it proves nothing about who made
it, so the payload is as hostile as any other. The arithmetic is `joserfc`'s, loaded when used.

Standards: JWE RFC 7516 §7.1, ECDH-ES RFC 7518 §4.6, OpenID4VP 1.0 §8.3.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from talentseal.encoding import b64url_decode, b64url_encode, malformed, parse_json, too_large
from talentseal.errors import InputError, RefusedError
from talentseal.keys import PublicKey

if TYPE_CHECKING:
    from joserfc.jwe import JWERegistry
    from joserfc.jwk import ECKey

ALG = "ECDH-ES"
ENC_VALUES = ("A128GCM", "A256GCM")
DEFAULT_ENC = "A128GCM"  # where a verifier names none
MAX_JWE_CHARS = 1024 * 1024
_MAX_HEADER_CHARS = 2048
_MAX_KID_CHARS = 128
_HEADER = frozenset(("alg", "enc", "kid", "epk", "apu", "apv", "cty", "typ"))
_PARTS = 5


class KeyPair(NamedTuple):
    """A key for one request: what is published, and what stays with the verifier."""

    public: dict[str, str]
    private: dict[str, str]


def new_key_pair(kid: str) -> KeyPair:
    """A fresh P-256 key from the system's generator, as JWKs with `use`, `alg` and `kid`."""
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    public = {"kid": kid, "use": "enc", "alg": ALG, **PublicKey(key.public_key()).jwk}
    secret = key.private_numbers().private_value.to_bytes(32)
    return KeyPair(public, {**public, "d": b64url_encode(secret)})


# --- writing --------------------------------------------------------------------------------------


def encrypt(payload: bytes, keys: Sequence[Any], enc_values: Iterable[str] | None = None) -> str:
    """`payload` for the first key that can be used, by the first content algorithm offered here.

    keys  JWKs of the verifier, of which unusable ones are skipped. Raises RefusedError.
    """
    from joserfc import jwe

    key, enc = _usable_key(keys), _usable_enc(enc_values)
    header = {"alg": ALG, "enc": enc} | ({"kid": key["kid"]} if "kid" in key else {})
    public = _imported({name: key[name] for name in ("kty", "crv", "x", "y")})
    return jwe.encrypt_compact(header, payload, public, registry=_registry())


def _usable_key(keys: Sequence[Any]) -> Mapping[str, Any]:
    for key in keys:
        if _is_usable(key):
            return dict(key)
    raise RefusedError(
        "the verifier asks for an encrypted answer and names no key that can be used",
        code="REQUEST_INVALID",
        hint="Nothing was sent. Tell the verifier: a P-256 key with alg ECDH-ES is needed.",
    )


def _is_usable(key: Any) -> bool:
    if not isinstance(key, Mapping) or key.get("alg") != ALG or key.get("use", "enc") != "enc":
        return False
    kid = key.get("kid", "-")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID_CHARS:
        return False
    try:
        return PublicKey.from_jwk(key).alg == "ES256"
    except InputError:
        return False


def _usable_enc(values: Iterable[str] | None) -> str:
    offered = [DEFAULT_ENC] if values is None else list(values)
    found = next((enc for enc in offered if enc in ENC_VALUES), None)
    if found is None:
        raise RefusedError(
            "the verifier asks for an encryption that is not used here",
            code="ALG_NOT_ALLOWED",
            hint="Nothing was sent. Tell the verifier: A128GCM or A256GCM is needed.",
        )
    return found


# --- reading --------------------------------------------------------------------------------------


def kid_of(text: str) -> str | None:
    """The key that an encrypted answer names, not believed yet. Raises InputError."""
    kid = _header_of(text).get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= _MAX_KID_CHARS):
        malformed("a key identifier that is none")
    return kid


def decrypt(
    text: str, private: Mapping[str, str], *, enc_values: Sequence[str] = ENC_VALUES
) -> bytes:
    """The payload that was encrypted to this key pair's private JWK.

    Raises InputError: `MALFORMED`, `TOO_LARGE`, `ALG_NOT_ALLOWED`, `CRIT_UNKNOWN`.
    """
    from joserfc import jwe
    from joserfc.errors import JoseError

    header = _header_of(text)
    if header.get("kid", private.get("kid")) != private.get("kid"):
        malformed("an answer encrypted to another key")
    if header.get("enc") not in enc_values:
        raise InputError("a content encryption that was not offered", code="ALG_NOT_ALLOWED")
    key = _imported({name: private[name] for name in ("kty", "crv", "x", "y", "d")})
    try:
        opened = jwe.decrypt_compact(text, key, registry=_registry())
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise InputError("an answer that does not decrypt", code="MALFORMED") from error
    return opened.plaintext or b""


def _header_of(text: str) -> dict[str, Any]:
    """The protected header, if it says what may be said and nothing else."""
    if len(text) > MAX_JWE_CHARS:
        too_large(f"an encrypted answer of {len(text)} characters; at most {MAX_JWE_CHARS}")
    parts = text.split(".", _PARTS)
    if len(parts) != _PARTS or parts[1]:
        malformed("an encrypted answer has five parts and no encrypted key")
    if len(parts[0]) > _MAX_HEADER_CHARS:
        too_large("a protected header is too long")
    for part in parts:
        b64url_decode(part)
    header: dict[str, Any] = parse_json(b64url_decode(parts[0]), max_depth=4)
    if "crit" in header:
        raise InputError("a critical header is not understood", code="CRIT_UNKNOWN")
    if header.get("alg") != ALG or header.get("enc") not in ENC_VALUES or "zip" in header:
        raise InputError("an encryption that is not read here", code="ALG_NOT_ALLOWED")
    if not header.keys() <= _HEADER or PublicKey.from_jwk(header.get("epk")).alg != "ES256":
        malformed("the header of an encrypted answer")
    return header


def _imported(jwk: Mapping[str, Any]) -> "ECKey":
    from joserfc.jwk import ECKey

    return ECKey.import_key(dict(jwk))


def _registry() -> "JWERegistry":
    """The two algorithms of this module, and room for presentations with a portrait."""
    from joserfc.jwe import JWERegistry

    registry = JWERegistry(algorithms=[ALG, *ENC_VALUES])
    registry.max_protected_header_length = _MAX_HEADER_CHARS
    registry.max_ciphertext_length = MAX_JWE_CHARS
    return registry
