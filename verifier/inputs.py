"""From a file, a picture or standard input to the one text that is to be checked.

It promises that nothing is read past its cap, that a picture or page counts as one certificate,
and that where several different codes could be meant nobody chooses silently. What a text says is
left to `talentseal.verify`: only what is no text and shows no code is refused here.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from talentseal import codetext, qr, sdjwt
from talentseal.errors import InputError, UnavailableError
from talentseal.files import read_bounded

STANDARD_INPUT = "-"


def read_input(name: str) -> str:
    """The text in a file, or `-` for standard input.

    Raises UnavailableError, or InputError `TOO_LARGE`, where there is nothing that could be judged.
    """
    if name != STANDARD_INPUT:
        return text_in(read_bounded(Path(name), qr.MAX_FILE_BYTES))
    data = sys.stdin.buffer.read(qr.MAX_FILE_BYTES + 1)
    if len(data) > qr.MAX_FILE_BYTES:
        raise UnavailableError(f"more than {qr.MAX_FILE_BYTES} bytes", code="TOO_LARGE")
    return text_in(data)


def text_in(data: bytes) -> str:
    """The text that `data` is, or the text of the code that the picture or page in it shows."""
    if qr.looks_like_pdf(data) or qr.looks_like_picture(data):
        return _only_certificate(qr.read(data))
    try:
        return data.decode("utf-8").strip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise UnavailableError(
            "neither a text nor a picture or page that is read here",
            code="INPUT_UNREADABLE",
            hint="Give the text, or a PNG, JPEG, WebP or PDF file.",
        ) from error


def _only_certificate(texts: Sequence[str]) -> str:
    """A page may show other codes beside a certificate, but only one certificate."""
    if len(texts) == 1:
        return texts[0]
    certificates = [text for text in texts if _may_be_certificate(text)]
    if len(certificates) == 1:
        return certificates[0]
    raise UnavailableError(
        f"{len(texts)} different codes, {len(certificates)} of them certificates",
        code="INPUT_UNREADABLE",
        hint="Show one certificate at a time.",
    )


def _may_be_certificate(text: str) -> bool:
    if sdjwt.looks_like_sdjwt(text):
        return True
    try:
        codetext.parse_text(text)
    except InputError as error:
        return error.code != "NOT_A_CREDENTIAL"  # a damaged one still counts
    return True
