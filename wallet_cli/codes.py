"""Codes for others to scan: the static copy, or a live one that only this wallet can make.

A live code wraps the static one in a proof by the copy's own key: for one verifier and moment
(challenge), for a number read out (short challenge), or for whoever looks within two minutes
(open). Texts and pictures come from the library; what a desk makes of them is `verify`'s.

Standard: our profile of draft-ietf-spice-sd-cwt-08 (`kcwt`); the challenge text is our own.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, NoReturn
from urllib.parse import unquote

from talentseal import codetext, cwt, qr
from talentseal.encoding import b64url_decode, to_seconds
from talentseal.errors import InputError, UsageError
from wallet_cli.vault import CODE, Copy, Holding, signer_of

OPEN_SECONDS = 120  # how long a desk takes a code in open mode, and one for 8 digits
CHALLENGE_SECONDS = 300
REDRAW_SECONDS = 30
_NONCE_BYTES = 8
_CHALLENGE = re.compile(
    r"talentseal:challenge\?aud=(?P<aud>(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)"
    r"&n=(?P<n>[A-Za-z0-9_-]{22})"
)
_DIGITS = re.compile(r"[0-9]{8}")
_MAX_CHALLENGE_CHARS = 2048


class Challenge(NamedTuple):
    """For whom a live code is made: audience, nonce, and the seconds for which it is taken."""

    audience: str
    nonce: bytes
    seconds: int


class Made(NamedTuple):
    """A code ready to be shown.

    form      "static" or "dynamic"
    audience  the verifier it answers, "" where it answers none in particular
    seconds   how long a desk takes it; None for a static one
    """

    form: str
    text: str
    symbol: qr.Symbol
    audience: str
    seconds: int | None


def parse_challenge(text: str) -> Challenge:
    """`talentseal:challenge?aud=<percent-encoded>&n=<16 bytes>`, or 8 digits. Raises UsageError."""
    if _DIGITS.fullmatch(text):
        return Challenge(cwt.OPEN_AUDIENCE, text.encode(), OPEN_SECONDS)
    match = _CHALLENGE.fullmatch(text) if len(text) <= _MAX_CHALLENGE_CHARS else None
    if match is None:
        _no_challenge()
    try:
        audience, nonce = unquote(match["aud"], errors="strict"), b64url_decode(match["n"])
    except (InputError, UnicodeDecodeError) as error:
        _no_challenge(error)
    if not audience.startswith("https://") or not audience.isprintable():
        raise UsageError("the challenge names no verifier", hint="Its name begins with https://.")
    return Challenge(audience, nonce, CHALLENGE_SECONDS)


def _no_challenge(cause: Exception | None = None) -> NoReturn:
    raise UsageError(
        "this is no challenge of a verifier",
        hint="Scan it again: talentseal:challenge?aud=...&n=..., or the 8 digits read out.",
    ) from cause


def make_code(
    holding: Holding,
    *,
    static: bool,
    challenge: str | None,
    on_paper: bool,
    host: str,
    now: datetime,
    random: Callable[[int], bytes],
) -> Made:
    """The code of a holding. Raises UsageError where it has none, or the challenge is none.

    on_paper  a static code that may be printed gets more error correction
    """
    if static and challenge:
        raise UsageError("a static code answers no challenge", hint="Leave out --static.")
    asked = parse_challenge(challenge) if challenge else None
    asked = asked or Challenge(cwt.OPEN_AUDIENCE, random(_NONCE_BYTES), OPEN_SECONDS)
    copy = code_copy(holding)
    data = b64url_decode(copy.credential) if static else _live_code(copy, asked, now)
    level: qr.Level = "M" if static and on_paper else "L"
    text = codetext.write_text(data, host=host, version_of=lambda t: qr.version_of(t, level=level))
    symbol = qr.encode(text, level=level)
    if static:
        return Made("static", text, symbol, "", None)
    audience = "" if asked.audience == cwt.OPEN_AUDIENCE else asked.audience
    return Made("dynamic", text, symbol, audience, asked.seconds)


def code_copy(holding: Holding) -> Copy:
    """The copy that is a code. Raises UsageError where there is none."""
    copy = holding.copy(CODE)
    if copy is None:
        raise UsageError(
            f"{holding.id} was issued without a code",
            code="NOT_FOUND",
            hint="Ask the issuer for a code: give it two keys, `wallet key --copies 2`.",
        )
    return copy


def _live_code(copy: Copy, asked: Challenge, now: datetime) -> bytes:
    return cwt.prove(
        b64url_decode(copy.credential),
        audience=asked.audience,
        nonce=asked.nonce,
        issued_at=to_seconds(now),
        signer=signer_of(copy),
    )
