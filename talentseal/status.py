"""Reading a Token Status List: is it still good?

A list says nothing about a person: it is fetched whole, by everybody, and looked into at home.
`parse_status_token` believes nothing; `admit` takes a token only from a provider whom the caller
found entitled for the jurisdiction and the URI, and says by code why it does not. Writing lists
is in `status_list`.

Standard: draft-ietf-oauth-status-list-21, in both the JWT (§5.1) and the CWT form (§5.2).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

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
from talentseal.keys import SIGNATURE_BYTES, PublicKey

VALID, INVALID, SUSPENDED = 0, 1, 2
JWT_TYP = "statuslist+jwt"
CWT_TYP = "application/statuslist+cwt"
# CWT claim keys of draft-ietf-oauth-status-list-21: requested, not yet registered.
CWT_SUB, CWT_EXP, CWT_NBF, CWT_IAT, CWT_TTL, CWT_LIST = 2, 4, 5, 6, 65534, 65533
_BITS = frozenset((1, 2, 4, 8))
_CWT_DEPTH = 6
_MAX_CANDIDATES = 4  # keys tried for one kid8: a hint costs a bounded number of verifications
_SYNCHRONISE = "Synchronise; report if it repeats."
_OFFICIAL_SOURCE = "Synchronise from the official source; report."


_Times = tuple[Any, Any, Any, Any]


class StatusList(NamedTuple):
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

    def are_valid(self, indices: Sequence[int]) -> list[bool]:
        """Of each whether its entry is `VALID`, without a call for each."""
        data, bits, size, mask = self.data, self.bits, self.size, (1 << self.bits) - 1
        return [
            0 <= index < size and data[index * bits >> 3] >> (index * bits & 7) & mask == VALID
            for index in indices
        ]


class StatusToken(NamedTuple):
    """A parsed, unverified token.

    kid        a hint: a thumbprint (JWT) or its first 8 bytes (CWT), or whatever another provider
               put there; None where there is none
    starts_at  NumericDate before which it is not to be used (`nbf`)
    """

    form: str
    kid: str | bytes | None
    uri: str
    issued_at: int
    starts_at: int | None
    expires_at: int | None
    ttl: int | None
    bits: int
    compressed: bytes
    is_signed_by: Callable[[PublicKey], bool]


def _malformed(message: str) -> NoReturn:
    raise InputError(message, code="STATUS_MALFORMED", hint=_SYNCHRONISE)


def _bad_signature(message: str) -> NoReturn:
    raise InputError(message, code="STATUS_SIGNATURE", hint=_OFFICIAL_SOURCE)


def parse_status_token(token: bytes) -> StatusToken:
    """Decode either form within the bounds.

    Raises InputError `STATUS_MALFORMED`, or `STATUS_SIGNATURE` where none of 64 bytes is there.
    """
    if len(token) > MAX_LIST_BYTES:
        _malformed(f"a status list token of more than {MAX_LIST_BYTES} bytes")
    try:
        return _parse_cwt(token) if cose.looks_like_sign1(token) else _parse_jwt(token)
    except InputError as error:
        if error.code == "STATUS_SIGNATURE":
            raise
        _malformed(error.message)


def _parse_jwt(token: bytes) -> StatusToken:
    try:
        text = token.decode("ascii")
    except UnicodeDecodeError:
        _malformed("a status list token is ASCII text")
    jws = jose.parse_jws(text, max_bytes=MAX_LIST_BYTES)
    jose.check_header(jws.header, JWT_TYP)
    if len(jws.signature) != SIGNATURE_BYTES:
        _bad_signature("the status list is not signed")
    claims = parse_json(jws.payload, max_bytes=MAX_LIST_BYTES)
    listed = claims.get("status_list")
    if not isinstance(listed, dict) or not isinstance(listed.get("lst"), str):
        _malformed("a status list token without a list")
    times = _times(claims, "iat", "nbf", "exp", "ttl")
    return _typed(
        "jwt",
        jose.kid_of(jws.header) if "kid" in jws.header else None,
        claims.get("sub"),
        times=times,
        listed=(listed.get("bits"), b64url_decode(listed["lst"])),
        is_signed_by=lambda key: jose.is_sealed_by(jws, key),
    )


def _parse_cwt(token: bytes) -> StatusToken:
    message = _parse_sign1(token)
    cose.check_protected(message.protected, CWT_TYP)
    claims = parse_cbor(message.payload, max_depth=_CWT_DEPTH, deterministic=False)
    listed = claims.get(CWT_LIST) if isinstance(claims, dict) else None
    if not isinstance(listed, dict):
        _malformed("a status list token without a list")
    times = _times(claims, CWT_IAT, CWT_NBF, CWT_EXP, CWT_TTL)
    return _typed(
        "cwt",
        _cose_kid(message),
        claims.get(CWT_SUB),
        times=times,
        listed=(listed.get("bits"), listed.get("lst")),
        is_signed_by=lambda key: cose.is_signed_by(message, key),
    )


def _parse_sign1(token: bytes) -> cose.Sign1:
    """A COSE_Sign1 in any order of its maps; a signature of a wrong length has its own code."""
    parts = parse_cbor(token, max_depth=_CWT_DEPTH, deterministic=False).value
    signature = parts[-1] if isinstance(parts, list) and len(parts) == 4 else None
    if isinstance(signature, bytes) and len(signature) != SIGNATURE_BYTES:
        _bad_signature("the status list is not signed")
    return cose.parse_sign1(
        token, max_bytes=MAX_LIST_BYTES, max_depth=_CWT_DEPTH, deterministic=False
    )


def _cose_kid(message: cose.Sign1) -> bytes | None:
    """The hint at a key; other providers put it in the unprotected map (RFC 9052 §3.1)."""
    unprotected = message.unprotected.get(cose.HEADER_KID)
    kid = message.protected.get(cose.HEADER_KID, unprotected)
    if kid is not None and not isinstance(kid, bytes):
        _malformed("a key identifier is a byte string")
    return kid


def _times(claims: Mapping[Any, Any], iat: int | str, *others: int | str) -> _Times:
    """The four times, untyped; one that is there but null would pass for one left out."""
    nbf, exp, ttl = others
    if any(claims.get(name, 0) is None for name in others):
        _malformed("a status list token with an empty time")
    return claims.get(iat), claims.get(nbf), claims.get(exp), claims.get(ttl)


def _typed(
    form: str,
    kid: str | bytes | None,
    uri: Any,
    *,
    times: _Times,
    listed: tuple[Any, Any],
    is_signed_by: Callable[[PublicKey], bool],
) -> StatusToken:
    issued_at, starts_at, expires_at, ttl = times
    bits, compressed = listed
    if not isinstance(uri, str) or not is_time(issued_at):
        _malformed("a status list token without subject or time")
    if not all(time is None or is_time(time) for time in (starts_at, expires_at)):
        _malformed("a status list token with an impossible start or end")
    if ttl is not None and (type(ttl) is not int or ttl <= 0):
        _malformed("a status list token with an impossible time to live")
    if type(bits) is not int or bits not in _BITS or not isinstance(compressed, bytes):
        _malformed("a status list of an unknown kind")
    return StatusToken(
        form, kid, uri, issued_at, starts_at, expires_at, ttl, bits, compressed, is_signed_by
    )  # fmt: skip


def admit(token: bytes, *, uri: str, keys: Mapping[str, PublicKey], now: int) -> StatusList:
    """Take a token, or say why not (§8.3).

    uri   the exact URI that credentials name
    keys  kid -> key of the providers entitled for this jurisdiction and URI, now
    now   NumericDate

    Raises InputError: `STATUS_SIGNER`, `STATUS_SIGNATURE`, `STATUS_MALFORMED`,
    `STATUS_MISMATCH`, `STATUS_UNAVAILABLE` (not to be used yet), `STATUS_STALE`.
    """
    parsed = parse_status_token(token)
    _check_signer(parsed, keys)
    if parsed.uri != uri:
        raise InputError(
            "the list of another address", code="STATUS_MISMATCH", hint=_SYNCHRONISE
        )  # fmt: skip
    if parsed.issued_at > now + CLOCK_SKEW_SECONDS:
        _malformed("a status list from the future")
    if parsed.starts_at is not None and parsed.starts_at > now + CLOCK_SKEW_SECONDS:
        raise InputError(
            "a status list that is not to be used yet", code="STATUS_UNAVAILABLE", hint=_SYNCHRONISE
        )
    if parsed.expires_at is not None and now > parsed.expires_at:
        raise InputError(
            "the status list is past its own end",
            code="STATUS_STALE",
            hint="Synchronise, then check again.",
        )
    try:
        data = inflate(parsed.compressed, max_bytes=MAX_STATUS_INFLATED_BYTES)
    except InputError as error:
        _malformed(error.message)
    return StatusList(
        uri, parsed.bits, data, parsed.issued_at, parsed.expires_at, parsed.ttl
    )  # fmt: skip


def _check_signer(parsed: StatusToken, keys: Mapping[str, PublicKey]) -> None:
    """Only an entitled provider counts; a good signature by anybody else is none."""
    kid = parsed.kid
    if isinstance(kid, str):
        named = [keys[kid]] if kid in keys else []
    else:
        named = [key for key in keys.values() if key.kid8 == kid][:_MAX_CANDIDATES]
    if not named:
        raise InputError(
            "not signed by a status provider of this place",
            code="STATUS_SIGNER",
            hint=_OFFICIAL_SOURCE,
        )
    if not any(parsed.is_signed_by(key) for key in named):
        _bad_signature("the list's signature is wrong")


def newer(held: StatusList | None, offered: StatusList) -> StatusList:
    """The list to keep. Raises BundleError `STATUS_ROLLBACK` for one older than held.

    One of the same second replaces the one held: an urgent revocation must not wait for the clock.
    """
    if held is not None and offered.issued_at < held.issued_at:
        raise BundleError(
            "a status list older than the one held",
            code="STATUS_ROLLBACK",
            hint="The newer one stays; report it to the list's provider.",
        )
    return offered
