"""The text of a code: what a QR symbol holds and what a person may paste.

Three forms carry the same bytes: decimal digits behind the `#` of a link (the default, densest in
a QR symbol), base45 behind `TSEAL1:`, and base64url behind the `#` of a link. Bare digits and bare
base64url are read too. The host of a link is reported and never believed, fetched or used to choose
trust. What the bytes mean is left to `cwt`, pictures to `qr`.

Standards: base45 RFC 9285, base64url RFC 4648 §5, zlib RFC 1950; the digits are our own convention.
"""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, NoReturn

from talentseal.encoding import (
    MAX_CODE_BYTES,
    MAX_CODE_INFLATED_BYTES,
    MAX_CODE_TEXT_CHARS,
    b64url_decode,
    b64url_encode,
    base45_decode,
    base45_encode,
    deflate,
    digits_decode,
    digits_encode,
    inflate,
    too_large,
)
from talentseal.errors import InputError, UsageError

Form = Literal["digits", "base45", "base64url"]

SCHEME = "https://"
PREFIX = "TSEAL1:"
_SIGN1 = 0xD2
_ZLIB = 0x78
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# Lower case and ASCII: a link has one spelling, and no look-alike letters.
_AUTHORITY = re.compile(rf"(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[1-9][0-9]{{0,4}}))?")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_MAX_HOST_CHARS = 253  # RFC 1035 §2.3.4


class CodeText(NamedTuple):
    """What a text held: the bytes of a COSE_Sign1, the host of its link, if any, and its form."""

    code: bytes
    host: str | None
    form: Form


def write_text(
    code: bytes,
    *,
    host: str,
    form: Form = "digits",
    version_of: Callable[[str], int] | None = None,
) -> str:
    """The text that carries `code`, compressed only where that makes a smaller symbol.

    host        of the page that reads codes, lower case, with its port unless that is 443
    version_of  the QR version of a text at the level in use; without it the shorter text wins

    Raises UsageError.
    """
    if code[:1] != bytes((_SIGN1,)) or len(code) > MAX_CODE_BYTES:
        raise UsageError(f"not a code of at most {MAX_CODE_BYTES} bytes")
    if not _is_authority(host):
        raise UsageError(
            "the host of a code's link must be a plain host name",
            hint="Write it in lower case and ASCII, such as verifier.example or localhost:8443.",
        )
    plain, packed = _spell(code, host, form), _spell(deflate(code), host, form)
    size = version_of or len
    return packed if size(packed) < size(plain) else plain


def looks_like_code_text(text: str) -> bool:
    """Whether `parse_text` is the one to judge `text`; an SD-JWT VC holds `.` and `~` instead."""
    return text.startswith((SCHEME, PREFIX)) or _BASE64URL.fullmatch(text) is not None


def parse_text(text: str) -> CodeText:
    """Read a code's text in any of its forms.

    Raises InputError: `NOT_A_CREDENTIAL` for a text of another shape or bytes of another kind,
    `MALFORMED` for a broken one, `TOO_LARGE`.
    """
    if len(text) > MAX_CODE_TEXT_CHARS:
        too_large(f"a code text has at most {MAX_CODE_TEXT_CHARS} characters")
    if text.startswith(PREFIX):
        return CodeText(_unpack(base45_decode(text[len(PREFIX) :])), None, "base45")
    host, body = _split_link(text) if text.startswith(SCHEME) else (None, text)
    if body.isascii() and body.encode().isdigit():  # of bytes, which is the quick one
        return CodeText(_unpack(digits_decode(body)), host, "digits")
    if not _BASE64URL.fullmatch(body):
        _not_a_code("a text that is no code")
    return CodeText(_unpack(b64url_decode(body)), host, "base64url")


def _spell(data: bytes, host: str, form: str) -> str:
    if form == "digits":
        return f"{SCHEME}{host}/#{digits_encode(data)}"
    if form == "base45":
        return PREFIX + base45_encode(data)
    if form == "base64url":
        return f"{SCHEME}{host}/#{b64url_encode(data)}"
    raise UsageError(f"{form} is no form of a code's text", hint="Use digits, base45 or base64url.")


def _split_link(text: str) -> tuple[str, str]:
    """Host and fragment of a link whose path is exactly `/`."""
    authority, _, fragment = text[len(SCHEME) :].partition("/#")
    if not _is_authority(authority):
        _not_a_code("a link of another kind than a code's")
    return authority, fragment


def _is_authority(text: str) -> bool:
    match = _AUTHORITY.fullmatch(text)
    if match is None or len(match["host"]) > _MAX_HOST_CHARS:
        return False
    return match["port"] is None or int(match["port"]) <= 0xFFFF


def _unpack(data: bytes) -> bytes:
    """The COSE_Sign1 in `data`, or in the one zlib stream that `data` is."""
    if len(data) > MAX_CODE_BYTES:
        too_large(f"a code of {len(data)} bytes; at most {MAX_CODE_BYTES} are read")
    if data[:1] == bytes((_ZLIB,)):
        data = inflate(data, max_bytes=MAX_CODE_INFLATED_BYTES)
    if data[:1] != bytes((_SIGN1,)):
        _not_a_code("bytes that are no certificate")
    return data


def _not_a_code(message: str) -> NoReturn:
    raise InputError(
        message, code="NOT_A_CREDENTIAL", hint="Ask for the certificate's own code or file."
    )
