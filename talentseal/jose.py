"""Compact JWS (RFC 7515 §7.1), read strictly and written in one way.

`parse_jws` splits, decodes and bounds a token and reads its protected header; it believes nothing.
`open_jws` also checks kind, critical headers, algorithm and signature against a key that the
caller found elsewhere: headers never lead to a key here. JSON serialisations are not accepted.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from talentseal.encoding import (
    MAX_CREDENTIAL_DEPTH,
    MAX_JWS_BYTES,
    b64url_decode,
    b64url_encode,
    dump_json,
    malformed,
    parse_json,
    too_large,
)
from talentseal.errors import InputError
from talentseal.keys import JOSE_ALGORITHMS, SIGNATURE_BYTES, PublicKey, Signer

MAX_HEADER_CHARS = 12 * 1024  # four certificates of 8 KiB in all, base64 twice, leave some room
MAX_HEADER_MEMBERS = 64  # keeps a parsed header about as small as its text, for the memo's sake
MAX_KID_CHARS = 128


class Jws(NamedTuple):
    """A parsed, unverified token."""

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes
    header_text: str


def sign_jws(payload: bytes, header: Mapping[str, Any], signer: Signer) -> str:
    """Seal `payload`; `alg` comes from the key, the other header members from the caller."""
    protected = dump_json({"alg": signer.public.alg, **header})
    signing_input = f"{b64url_encode(protected)}.{b64url_encode(payload)}"
    return f"{signing_input}.{b64url_encode(signer.sign(signing_input.encode()))}"


def parse_jws(text: str, *, max_bytes: int = MAX_JWS_BYTES, end: int | None = None) -> Jws:
    """Split and decode a compact JWS. Raises InputError `MALFORMED` or `TOO_LARGE`.

    end  where the token ends, if more follows in `text`: long texts are looked at, not copied
    """
    stop = len(text) if end is None else end
    if stop > max_bytes:
        too_large(f"a token of {stop} characters; at most {max_bytes} are read")
    first = text.find(".", 0, stop)
    second = text.find(".", first + 1, stop)
    if first < 0 or second < 0 or text.find(".", second + 1, stop) >= 0:
        malformed("a compact JWS has three parts")
    header = text[:first]
    try:
        signing_input = text[:second].encode("ascii")
    except UnicodeEncodeError as error:
        raise InputError("a token is ASCII text", code="MALFORMED") from error
    return Jws(
        parse_header(header),
        b64url_decode(signing_input[first + 1 :]),
        signing_input,
        b64url_decode(text[second + 1 : stop]),
        header,
    )


@lru_cache(maxsize=1024)  # an issuer repeats one protected header for ever; at most 25 MiB
def parse_header(text: str) -> Mapping[str, Any]:
    """Decode a protected header. Raises InputError `MALFORMED` or `TOO_LARGE`."""
    if len(text) > MAX_HEADER_CHARS:
        too_large("a protected header is too long")
    header: dict[str, Any] = parse_json(
        b64url_decode(text), max_depth=MAX_CREDENTIAL_DEPTH, max_members=MAX_HEADER_MEMBERS
    )
    return MappingProxyType(header)


def check_header(header: Mapping[str, Any], typ: str) -> str:
    """Check kind, critical headers and algorithm; return the algorithm's one name.

    Raises InputError `TYPE_CONFUSION`, `CRIT_UNKNOWN` or `ALG_NOT_ALLOWED`.
    """
    if header.get("typ") != typ:
        raise InputError(f"a token of another kind than {typ}", code="TYPE_CONFUSION")
    if "crit" in header or "b64" in header:
        raise InputError("a critical header is not understood", code="CRIT_UNKNOWN")
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in JOSE_ALGORITHMS:
        raise InputError("the signature algorithm is not allowed", code="ALG_NOT_ALLOWED")
    return JOSE_ALGORITHMS[alg]


def kid_of(header: Mapping[str, Any]) -> str:
    """The key identifier, a hint of at most 128 characters. Raises InputError `MALFORMED`."""
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS:
        malformed("a key identifier is missing or too long")
    return kid


def is_sealed_by(jws: Jws, key: PublicKey) -> bool:
    """Whether `key`, by its own algorithm, made this signature (RFC 7515 §5.2)."""
    alg = jws.header.get("alg")
    return (
        isinstance(alg, str)
        and JOSE_ALGORITHMS.get(alg) == key.alg
        and len(jws.signature) == SIGNATURE_BYTES
        and key.verify(jws.signature, jws.signing_input)
    )


def open_jws(
    text: str, *, typ: str, key: PublicKey, max_bytes: int = MAX_JWS_BYTES, max_depth: int = 16
) -> dict[str, Any]:
    """The payload object of a token of kind `typ` that `key` has sealed.

    Raises InputError with the codes of `check_header`, `MALFORMED`, `TOO_LARGE` or
    `SIGNATURE_INVALID`.
    """
    jws = parse_jws(text, max_bytes=max_bytes)
    if check_header(jws.header, typ) != key.alg:
        raise InputError("the header names another algorithm", code="ALG_NOT_ALLOWED")
    if not is_sealed_by(jws, key):
        raise InputError("not signed by the key that must sign it", code="SIGNATURE_INVALID")
    payload: dict[str, Any] = parse_json(jws.payload, max_bytes=max_bytes, max_depth=max_depth)
    return payload
