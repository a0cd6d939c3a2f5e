"""Step 13: is it shown by its holder, here and now?

The wallet form proves it with a key-binding token (RFC 9901 §7.3), the code form with a live
proof around the code (`kcwt`). A copy without proof is not applicable, never a pass: anyone could
be carrying it. Remembering which proofs were used is left to the caller's `Replays`.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol

from schemas.verdict import Check
from talentseal import sdjwt
from talentseal.cose import is_signed_by
from talentseal.cwt import OPEN_AUDIENCE
from talentseal.encoding import (
    CLOCK_SKEW_SECONDS,
    MAX_TIME,
    b64url_decode,
    is_time,
    parse_json,
)
from talentseal.errors import InputError
from talentseal.jose import Jws, check_header, is_sealed_by, parse_jws
from talentseal.keys import PublicKey
from talentseal.policy import (
    CHALLENGE_WINDOW_SECONDS,
    SHORT_CHALLENGE_WINDOW_SECONDS,
    Policy,
)
from talentseal.reading import Credential, Evidence
from talentseal.trail import finding

SHORT_CHALLENGE_DIGITS = 8
Checks = Sequence[Check]


class Replays(Protocol):
    """What remembers used proofs, for twice their window."""

    def first_use(self, key: bytes, *, until: int) -> bool:
        """Record `key` atomically; False if it was there. It may be forgotten after `until`."""
        ...


class _Shown(NamedTuple):
    """A proof in which everything but the time is right."""

    replay_key: bytes
    at: int
    window: int  # seconds that it may be old
    ahead: int  # seconds that its clock may run ahead of ours
    starts: int = 0  # the proof's own term, where it names one
    ends: int = MAX_TIME

    def is_now(self, now: int) -> bool:
        """Whether it was made just now, and does not itself say otherwise."""
        return (
            now - self.window <= self.at <= now + self.ahead
            and self.starts - CLOCK_SKEW_SECONDS <= now < self.ends + CLOCK_SKEW_SECONDS
        )


def _refuse(code: str) -> NoReturn:
    raise InputError("the holder's proof is refused", code=code)


def holder(
    credential: Credential,
    evidence: Evidence,
    policy: Policy,
    *,
    now: int,
    clock_is_sound: bool,
    replays: Replays | None,
) -> tuple[None, Checks]:
    """Judge whatever proof was sent, and its absence where the policy demands one.

    clock_is_sound  False where the clock lies before a time already proven: nothing is then "now"
    """
    if policy.holder == "not_asked":
        return None, _NOT_ASKED
    sealed = credential.sealed
    live = sealed.code is not None and sealed.code.proof is not None
    if sealed.key_binding is None and not live:
        return None, _COPY if policy.holder != "required" else (_missing(credential),)
    try:
        check = _check_live_proof if live else _check_key_binding
        shown = check(credential, evidence, policy)
    except InputError as error:
        return None, (finding("holder", error.code),)
    if not (clock_is_sound and shown.is_now(now)):
        return None, (finding("holder", "HOLDER_TIME", as_of=shown.at),)
    until = shown.at + 2 * shown.window
    if replays is not None and not replays.first_use(shown.replay_key, until=until):
        return None, (finding("holder", "HOLDER_REPLAYED"),)
    if live and evidence.nonce is None:
        return None, (finding("holder", "HOLDER_OPEN_MODE", as_of=shown.at),)
    return None, (Check("holder", "pass", None, shown.at),)


_NOT_ASKED = (finding("holder", "NOT_ASKED"),)
_COPY = (finding("holder", "HOLDER_BEARER_COPY"),)


def _missing(credential: Credential) -> Check:
    bound = credential.holder_bound
    return finding("holder", "HOLDER_PROOF_MISSING" if bound else "HOLDER_NOT_BOUND")


def _holder_key(credential: Credential) -> PublicKey | None:
    try:
        return credential.holder_key
    except InputError as error:
        raise InputError(error.message, code="HOLDER_PROOF_INVALID") from error


# --- wallet form: RFC 9901 §7.3 -------------------------------------------------------------------


def _check_key_binding(credential: Credential, evidence: Evidence, _: Policy) -> _Shown:
    parsed = credential.sealed.key_binding
    key = _holder_key(credential)
    if parsed is None or parsed.key_binding is None or key is None:
        _refuse("HOLDER_PROOF_INVALID")
    token, claims = _open_key_binding(parsed.key_binding, key)
    shown_at, starts, ends = _times(claims)
    if not _same(claims.get("sd_hash"), sdjwt.sd_hash(parsed.bound_text)):
        _refuse("HOLDER_PROOF_INVALID")
    if evidence.audience is None or claims.get("aud") != evidence.audience:
        _refuse("HOLDER_AUDIENCE")
    if evidence.nonce is None or not _same(claims.get("nonce"), evidence.nonce):
        _refuse("HOLDER_NONCE")
    replay_key, window = hashlib.sha256(token.signing_input).digest(), CHALLENGE_WINDOW_SECONDS
    return _Shown(replay_key, shown_at, window, window, starts, ends)


def _times(claims: Mapping[str, Any]) -> tuple[int, int, int]:
    """When the token was made, and its own term; nobody has to name one, whoever does is heard."""
    at: Any = claims.get("iat")
    starts, ends = claims.get("nbf", 0), claims.get("exp", MAX_TIME)
    if not (is_time(at) and is_time(starts) and is_time(ends)):
        _refuse("HOLDER_PROOF_INVALID")
    return at, starts, ends


def _open_key_binding(text: str, key: PublicKey) -> tuple[Jws, Mapping[str, Any]]:
    try:
        token = parse_jws(text)
        check_header(token.header, sdjwt.TYP_KEY_BINDING)
        claims = parse_json(token.payload)
    except InputError as error:
        raise InputError(error.message, code="HOLDER_PROOF_INVALID") from error
    if not is_sealed_by(token, key):
        _refuse("HOLDER_PROOF_INVALID")
    return token, claims


def _same(value: Any, expected: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(value.encode(), expected.encode())


# --- code form: the live proof --------------------------------------------------------------------


def _check_live_proof(credential: Credential, evidence: Evidence, policy: Policy) -> _Shown:
    sealed, key = credential.sealed, _holder_key(credential)
    if key is None or sealed.code is None or sealed.code.proof is None:
        _refuse("HOLDER_PROOF_MISSING")
    proof = sealed.code.proof
    if not is_signed_by(proof.message, key):
        _refuse("HOLDER_PROOF_INVALID")
    if not max(sealed.iat, sealed.nbf or 0) <= proof.issued_at < sealed.exp:
        _refuse("HOLDER_PROOF_INVALID")
    audience, nonce, window = _expected(evidence, policy)
    if proof.audience != audience:
        _refuse("HOLDER_AUDIENCE")
    if nonce is not None and not hmac.compare_digest(proof.nonce, nonce):
        _refuse("HOLDER_NONCE")
    return _Shown(proof.replay_key, proof.issued_at, window, CLOCK_SKEW_SECONDS)


def _expected(evidence: Evidence, policy: Policy) -> tuple[str | None, bytes | None, int]:
    """Audience, nonce and window by the way the proof was asked for."""
    nonce = evidence.nonce
    if nonce is None:
        return OPEN_AUDIENCE, None, policy.open_window
    if len(nonce) == SHORT_CHALLENGE_DIGITS and nonce.isascii() and nonce.isdigit():
        return OPEN_AUDIENCE, nonce.encode(), SHORT_CHALLENGE_WINDOW_SECONDS
    try:
        return evidence.audience, b64url_decode(nonce), CHALLENGE_WINDOW_SECONDS
    except InputError as error:
        raise InputError(error.message, code="HOLDER_NONCE") from error
