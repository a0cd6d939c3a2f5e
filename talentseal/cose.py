"""COSE_Sign1 (RFC 9052 §4.2) as codes and status lists use it.

Always tagged (18), deterministic throughout, with a 64-byte signature. As in `jose`, parsing
believes nothing, the key comes from elsewhere and its algorithm must equal the header's.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from talentseal.encoding import (
    MAX_CODE_BYTES,
    MAX_CODE_DEPTH,
    TAG_SIGN1,
    Tag,
    cbor_head,
    dump_cbor,
    malformed,
    parse_cbor,
    too_large,
)
from talentseal.errors import InputError
from talentseal.keys import COSE_ALGORITHMS, COSE_NUMBERS, SIGNATURE_BYTES, PublicKey, Signer

HEADER_ALG = 1
HEADER_KID = 4
HEADER_COUNTERSIGNATURE = 11  # RFC 9338, version 2
HEADER_KCWT = 13
HEADER_TYP = 16  # RFC 9596
HEADER_X5CHAIN = 33
_SIGN1_FIRST_BYTE = 0xD2
_MEMO_BYTES = 96  # the headers that repeat are short; {alg, kid8, typ} takes 16 to 43 bytes
# ["Signature1", protected, h'', payload]: everything but the two strings is constant.
_SIG_STRUCTURE = b"\x84\x6aSignature1"


class Sign1(NamedTuple):
    """A parsed, unverified COSE_Sign1."""

    protected: Mapping[int | str, Any]
    unprotected: Mapping[int | str, Any]
    payload: bytes
    signature: bytes
    signed: bytes  # the Sig_structure: exactly what the signature is over
    encoded: bytes


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """RFC 9052 §4.4, with no external data."""
    return b"".join(
        (
            _SIG_STRUCTURE,
            cbor_head(2, len(protected)),
            protected,
            b"\x40",
            cbor_head(2, len(payload)),
            payload,
        )
    )


def sign_sign1(
    payload: bytes,
    protected: Mapping[int, Any],
    signer: Signer,
    unprotected: Mapping[int, Any] | None = None,
) -> bytes:
    """Seal `payload`; the algorithm header comes from the key."""
    header = dump_cbor({HEADER_ALG: COSE_NUMBERS[signer.public.alg], **protected})
    signature = signer.sign(sig_structure(header, payload))
    return dump_cbor(Tag(TAG_SIGN1, [header, dict(unprotected or {}), payload, signature]))


def looks_like_sign1(data: bytes) -> bool:
    return data[:1] == b"\xd2"


def parse_sign1(
    data: bytes,
    *,
    max_bytes: int = MAX_CODE_BYTES,
    max_depth: int = MAX_CODE_DEPTH,
    deterministic: bool = True,
) -> Sign1:
    """Decode a tagged COSE_Sign1. Raises InputError `MALFORMED` or `TOO_LARGE`."""
    if len(data) > max_bytes:
        too_large(f"a code of {len(data)} bytes; at most {max_bytes} are read")
    if not data or data[0] != _SIGN1_FIRST_BYTE:
        malformed("not a COSE_Sign1")
    parts = parse_cbor(data, max_depth=max_depth, deterministic=deterministic).value
    if not isinstance(parts, list) or len(parts) != 4:
        malformed("a COSE_Sign1 has four parts")
    protected, unprotected, payload, signature = parts
    strings = isinstance(protected, bytes) and isinstance(payload, bytes)
    if not (strings and isinstance(unprotected, dict) and isinstance(signature, bytes)):
        malformed("a COSE_Sign1 with parts of a wrong kind")
    if len(signature) != SIGNATURE_BYTES:
        malformed("a signature of another length than 64 bytes")
    header = parse_protected(protected, max_depth=max_depth, deterministic=deterministic)
    if unprotected and not header.keys().isdisjoint(unprotected):
        malformed("a header stands in both maps of a COSE_Sign1")
    return Sign1(
        header,
        unprotected,
        payload,
        signature,
        sig_structure(protected, payload),
        data,
    )


def parse_protected(
    data: bytes, *, max_depth: int = MAX_CODE_DEPTH, deterministic: bool = True
) -> Mapping[int | str, Any]:
    """Decode a protected header map. Raises InputError `MALFORMED` or `TOO_LARGE`."""
    parse = _parse_remembered if len(data) <= _MEMO_BYTES else _parse_protected
    return parse(data, max_depth, deterministic)


def _parse_protected(data: bytes, max_depth: int, deterministic: bool) -> Mapping[int | str, Any]:  # noqa: FBT001
    header = parse_cbor(data, max_depth=max_depth, deterministic=deterministic)
    if not isinstance(header, dict):
        malformed("a protected header is a map")
    return MappingProxyType(header)


# An issuer repeats one protected header for ever; a hostile one of 96 bytes unfolds to some 6 KiB.
_parse_remembered = lru_cache(maxsize=4096)(_parse_protected)


def check_protected(header: Mapping[int | str, Any], typ: int | str) -> str:
    """Check kind, critical headers (2) and algorithm; return the algorithm's one name.

    Raises InputError `TYPE_CONFUSION`, `CRIT_UNKNOWN` or `ALG_NOT_ALLOWED`.
    """
    if header.get(HEADER_TYP) != typ or isinstance(header.get(HEADER_TYP), bool):
        raise InputError("a COSE message of another kind", code="TYPE_CONFUSION")
    if 2 in header:
        raise InputError("a critical header is not understood", code="CRIT_UNKNOWN")
    alg = header.get(HEADER_ALG)
    if type(alg) is not int or alg not in COSE_ALGORITHMS:
        raise InputError("the signature algorithm is not allowed", code="ALG_NOT_ALLOWED")
    return COSE_ALGORITHMS[alg]


def is_signed_by(message: Sign1, key: PublicKey) -> bool:
    """Whether `key`, by its own algorithm, made this signature."""
    alg = message.protected.get(HEADER_ALG)
    return (
        type(alg) is int
        and COSE_ALGORITHMS.get(alg) == key.alg
        and key.verify(message.signature, message.signed)
    )
