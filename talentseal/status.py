"""Reading a Token Status List: is it still good?

A list says nothing about a person: it is fetched whole, by everybody, and looked into at home.
`parse_status_token` believes nothing; `admit` takes a token only from a provider whom the caller
found entitled for the jurisdiction and the URI, and says by code why it does not. Writing lists
is in `status_list`.

Standard: draft-ietf-oauth-status-list-21, in both the JWT (§5.1) and the CWT form (§5.2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from talentseal import cose, jose
from talentseal.encoding import (
    CLOCK_SKEW_SECONDS,
    MAX_LIST_BYTES,
    MAX_STATUS_INFLATED_BYTES,
    b64url_decode,
    inflate,
    is_time,
    parse_cbor,
    parse_json,
)
from talentseal.errors import BundleError, InputError
from talentseal.keys import KID8_BYTES, PublicKey

VALID, INVALID, SUSPENDED = 0, 1, 2
JWT_TYP = "statuslist+jwt"
CWT_TYP = "application/statuslist+cwt"
# CWT claim keys of draft-ietf-oauth-status-list-21: requested, not yet registered.
CWT_SUB, CWT_EXP, CWT_IAT, CWT_TTL, CWT_LIST = 2, 4, 6, 65534, 65533
_BITS = frozenset((1, 2, 4, 8))
_CWT_DEPTH = 6


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list that was admitted.

    data       the packed entries, from the least significant bit of each byte
    issued_at  NumericDate, as are the times below
    ttl        seconds after which to fetch again
    """

    uri: str
    bits: int
    data: bytes
    issued_at: int
    expires_at: int | None
    ttl: int | None

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self.data) * 8 // self.bits

    def value(self, index: int) -> int | None:
        """The entry at `index` (§6.3 packing); None beyond the end, which rejects a credential."""
        bit = index * self.bits
        if index < 0 or bit >> 3 >= len(self.data):
            return None
        return self.data[bit >> 3] >> (bit & 7) & ((1 << self.bits) - 1)


@dataclass(frozen=True, slots=True)
class StatusToken:
    """A parsed, unverified token. `kid` is a thumbprint (JWT) or its first 8 bytes (CWT)."""

    form: str
    kid: str | bytes
    uri: str
    issued_at: int
    expires_at: int | None
    ttl: int | None
    bits: int
    compressed: bytes
    is_signed_by: Callable[[PublicKey], bool]


def _malformed(message: str) -> NoReturn:
    raise InputError(message, code="STATUS_MALFORMED")


def parse_status_token(token: bytes) -> StatusToken:
    """Decode either form within the bounds. Raises InputError `STATUS_MALFORMED`."""
    if len(token) > MAX_LIST_BYTES:
        _malformed(f"a status list token of more than {MAX_LIST_BYTES} bytes")
    try:
        return _parse_cwt(token) if cose.looks_like_sign1(token) else _parse_jwt(token)
    except InputError as error:
        raise InputError(error.message, code="STATUS_MALFORMED") from error


def _parse_jwt(token: bytes) -> StatusToken:
    try:
        text = token.decode("ascii")
    except UnicodeDecodeError:
        _malformed("a status list token is ASCII text")
    jws = jose.parse_jws(text, max_bytes=MAX_LIST_BYTES)
    jose.check_header(jws.header, JWT_TYP)
    claims = parse_json(jws.payload, max_bytes=MAX_LIST_BYTES)
    listed = claims.get("status_list")
    if not isinstance(listed, dict) or not isinstance(listed.get("lst"), str):
        _malformed("a status list token without a list")
    times = (claims.get("iat"), claims.get("exp"), claims.get("ttl"))
    return _typed(
        "jwt",
        jose.kid_of(jws.header),
        claims.get("sub"),
        times=times,
        listed=(listed.get("bits"), b64url_decode(listed["lst"])),
        is_signed_by=lambda key: jose.is_sealed_by(jws, key),
    )


def _parse_cwt(token: bytes) -> StatusToken:
    message = cose.parse_sign1(
        token, max_bytes=MAX_LIST_BYTES, max_depth=_CWT_DEPTH, deterministic=False
    )
    cose.check_protected(message.protected, CWT_TYP)
    kid = message.protected.get(cose.HEADER_KID)
    if not isinstance(kid, bytes) or len(kid) != KID8_BYTES:
        _malformed("a status list token without a key identifier")
    claims = parse_cbor(message.payload, max_depth=_CWT_DEPTH, deterministic=False)
    listed = claims.get(CWT_LIST) if isinstance(claims, dict) else None
    if not isinstance(listed, dict):
        _malformed("a status list token without a list")
    times = (claims.get(CWT_IAT), claims.get(CWT_EXP), claims.get(CWT_TTL))
    return _typed(
        "cwt",
        kid,
        claims.get(CWT_SUB),
        times=times,
        listed=(listed.get("bits"), listed.get("lst")),
        is_signed_by=lambda key: cose.is_signed_by(message, key),
    )


def _typed(
    form: str,
    kid: str | bytes,
    uri: Any,
    *,
    times: tuple[Any, Any, Any],
    listed: tuple[Any, Any],
    is_signed_by: Callable[[PublicKey], bool],
) -> StatusToken:
    issued_at, expires_at, ttl = times
    bits, compressed = listed
    if not isinstance(uri, str) or not is_time(issued_at):
        _malformed("a status list token without subject or time")
    if expires_at is not None and not is_time(expires_at):
        _malformed("a status list token with an impossible end")
    if ttl is not None and (type(ttl) is not int or ttl <= 0):
        _malformed("a status list token with an impossible time to live")
    if type(bits) is not int or bits not in _BITS or not isinstance(compressed, bytes):
        _malformed("a status list of an unknown kind")
    return StatusToken(
        form, kid, uri, issued_at, expires_at, ttl, bits, compressed, is_signed_by
    )  # fmt: skip


def admit(token: bytes, *, uri: str, keys: Mapping[str, PublicKey], now: int) -> StatusList:
    """Take a token, or say why not (§8.3).

    uri   the exact URI that credentials name
    keys  kid -> key of the providers entitled for this jurisdiction and URI, now
    now   NumericDate

    Raises InputError: `STATUS_SIGNER`, `STATUS_SIGNATURE`, `STATUS_MALFORMED`,
    `STATUS_MISMATCH`, `STATUS_STALE`.
    """
    parsed = parse_status_token(token)
    _check_signer(parsed, keys)
    if parsed.uri != uri:
        raise InputError("the list of another address", code="STATUS_MISMATCH")
    if parsed.issued_at > now + CLOCK_SKEW_SECONDS:
        _malformed("a status list from the future")
    if parsed.expires_at is not None and now > parsed.expires_at:
        raise InputError("the status list is past its own end", code="STATUS_STALE")
    try:
        data = inflate(parsed.compressed, max_bytes=MAX_STATUS_INFLATED_BYTES)
    except InputError as error:
        raise InputError(error.message, code="STATUS_MALFORMED") from error
    return StatusList(
        uri, parsed.bits, data, parsed.issued_at, parsed.expires_at, parsed.ttl
    )  # fmt: skip


def _check_signer(parsed: StatusToken, keys: Mapping[str, PublicKey]) -> None:
    """Only an entitled provider counts; a good signature by anybody else is none."""
    kid = parsed.kid
    if isinstance(kid, str):
        named = [keys[kid]] if kid in keys else []
    else:
        named = [key for key in keys.values() if key.kid8 == kid]
    if not named:
        raise InputError("not signed by a status provider of this place", code="STATUS_SIGNER")
    if not any(parsed.is_signed_by(key) for key in named):
        raise InputError("the list's signature is wrong", code="STATUS_SIGNATURE")


def newer(held: StatusList | None, offered: StatusList) -> StatusList:
    """The list to keep. Raises BundleError `STATUS_ROLLBACK` for one older than held."""
    if held is not None and offered.issued_at < held.issued_at:
        raise BundleError("a status list older than the one held", code="STATUS_ROLLBACK")
    return offered
