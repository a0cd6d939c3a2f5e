"""Step 13: is it shown by its holder, here and now?

The wallet form proves it with a key-binding token (RFC 9901 §7.3), the code form with a live
proof around the code (`kcwt`). A copy without proof is not applicable, never a pass: anyone could
be carrying it. Remembering which proofs were used is left to the caller's `Replays`.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Protocol

from schemas.verdict import Check
from talentseal import sdjwt
from talentseal.cose import is_signed_by
from talentseal.cwt import OPEN_AUDIENCE, Proof
from talentseal.encoding import CLOCK_SKEW_SECONDS, b64url_decode, is_time, parse_json
from talentseal.errors import InputError
from talentseal.jose import Jws, check_header, is_sealed_by, parse_jws
from talentseal.policy import (
    CHALLENGE_WINDOW_SECONDS,
    SHORT_CHALLENGE_WINDOW_SECONDS,
    Policy,
)
from talentseal.reading import Credential, Evidence
from talentseal.trail import finding

SHORT_CHALLENGE_DIGITS = 8
CHALLENGE_BYTES = 16
_PASSED = (Check("holder", "pass"),)
Checks = Sequence[Check]


class Replays(Protocol):
    """What remembers used proofs, for twice their window."""

    def first_use(self, key: bytes, *, until: int) -> bool:
        """Record `key` atomically; False if it was there. It may be forgotten after `until`."""
        ...


class _Refused(Exception):
    """Leaves the checks of a proof with the code of the first that fails."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


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
        return None, (finding("holder", "NOT_ASKED"),)
    sealed = credential.sealed
    proof = sealed.code.proof if sealed.code is not None else None
    if sealed.key_binding is None and proof is None:
        return None, (_absent(credential, policy),)
    try:
        if proof is not None:
            key, window = _check_proof(proof, credential, evidence, policy)
            shown_at, earliest = proof.issued_at, now - window
        else:
            token, shown_at = _check_key_binding(credential, evidence)
            key = hashlib.sha256(token.signing_input).digest()
            window, earliest = CHALLENGE_WINDOW_SECONDS, now - CHALLENGE_WINDOW_SECONDS
            latest = now + CHALLENGE_WINDOW_SECONDS
        if proof is not None:
            latest = now + CLOCK_SKEW_SECONDS
    except _Refused as refused:
        return None, (finding("holder", refused.code),)
    if not (clock_is_sound and earliest <= shown_at <= latest):
        return None, (finding("holder", "HOLDER_TIME", as_of=shown_at),)
    if replays is not None and not replays.first_use(key, until=shown_at + 2 * window):
        return None, (finding("holder", "HOLDER_REPLAYED"),)
    if proof is not None and evidence.nonce is None:
        return None, (finding("holder", "HOLDER_OPEN_MODE", as_of=shown_at),)
    return None, (Check("holder", "pass", None, shown_at),)


def _absent(credential: Credential, policy: Policy) -> Check:
    if policy.holder != "required":
        return finding("holder", "HOLDER_BEARER_COPY")
    bound = credential.holder_key is not None
    return finding("holder", "HOLDER_PROOF_MISSING" if bound else "HOLDER_NOT_BOUND")


# --- wallet form: RFC 9901 §7.3 -------------------------------------------------------------------


def _check_key_binding(credential: Credential, evidence: Evidence) -> tuple[Jws, int]:
    parsed = credential.sealed.key_binding
    key = credential.holder_key
    if parsed is None or parsed.key_binding is None or key is None:
        raise _Refused("HOLDER_PROOF_INVALID")
    try:
        token = parse_jws(parsed.key_binding)
        check_header(token.header, sdjwt.TYP_KEY_BINDING)
        claims = parse_json(token.payload)
    except InputError as error:
        raise _Refused("HOLDER_PROOF_INVALID") from error
    if not is_sealed_by(token, key):
        raise _Refused("HOLDER_PROOF_INVALID")
    issued_at = claims.get("iat")
    if not is_time(issued_at) or not _same(claims.get("sd_hash"), sdjwt.sd_hash(parsed.bound_text)):
        raise _Refused("HOLDER_PROOF_INVALID")
    if evidence.audience is None or claims.get("aud") != evidence.audience:
        raise _Refused("HOLDER_AUDIENCE")
    if evidence.nonce is None or not _same(claims.get("nonce"), evidence.nonce):
        raise _Refused("HOLDER_NONCE")
    return token, issued_at


def _same(value: Any, expected: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(value.encode(), expected.encode())


# --- code form: the live proof --------------------------------------------------------------------


def _check_proof(
    proof: Proof, credential: Credential, evidence: Evidence, policy: Policy
) -> tuple[bytes, int]:
    """The proof's replay key and its window in seconds, if everything but the time is right."""
    key = credential.holder_key
    if key is None:
        raise _Refused("HOLDER_PROOF_MISSING")
    if not is_signed_by(proof.message, key):
        raise _Refused("HOLDER_PROOF_INVALID")
    sealed = credential.sealed
    starts = max(sealed.iat, sealed.nbf or 0)
    if not starts <= proof.issued_at < sealed.exp:
        raise _Refused("HOLDER_PROOF_INVALID")
    audience, nonce, window = _expected(evidence, policy)
    if proof.audience != audience:
        raise _Refused("HOLDER_AUDIENCE")
    if nonce is not None and not hmac.compare_digest(proof.nonce, nonce):
        raise _Refused("HOLDER_NONCE")
    return proof.replay_key, window


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
        raise _Refused("HOLDER_NONCE") from error
