"""Where a certificate goes: a file, a picture, the terminal. The last step, after the record.

What cannot be written is refused before anything is sealed.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from issuer.issuance.models import Issued, Order
from talentseal import qr
from talentseal.encoding import b64url_encode, dump_json
from talentseal.errors import UnavailableError, UsageError
from talentseal.files import write_atomic

_PICTURES = (".png", ".svg")


def check_target(order: Order, out: Path | None) -> None:
    """Refuse a file that does not fit what is asked for. Raises UsageError, UnavailableError."""
    if out is None:
        return
    if len(order.forms) > 1 and out.suffix != ".json":
        raise UsageError("two forms go into one .json file", hint="Such as --out certificate.json")
    if order.forms == ["wallet"] and out.suffix in _PICTURES:
        raise UsageError("a wallet's certificate is no picture", hint="Name a .json or .txt file.")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise UnavailableError(f"there is no folder {out.parent}", hint="Make it first.")
    if out.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UnavailableError(f"{out} cannot be written", hint="Check the rights of its folder.")


def document(issued: Issued) -> dict[str, Any]:
    """What a wallet receives."""
    forms: list[dict[str, str]] = []
    if issued.sealed.text is not None:
        forms.append({"format": "dc+sd-jwt", "credential": issued.sealed.text})
    if issued.sealed.code is not None:
        forms.append({"format": "talentseal_cwt", "credential": b64url_encode(issued.sealed.code)})
    return {"id": issued.number, "credentials": forms}


def write(issued: Issued, out: Path) -> None:
    """Write the certificate in the form that the file's name asks for, whole or not at all."""
    try:
        write_atomic(out, _content(issued, out.suffix))
    except UnavailableError as error:
        raise UnavailableError(
            f"{issued.number} is sealed and on record, but {error.message}",
            code=error.code,
            hint=f"Revoke it and seal again: issuer revoke {issued.number} --reason correction",
        ) from error


def _content(issued: Issued, suffix: str) -> bytes:
    if suffix == ".json":
        return dump_json(document(issued))
    if issued.sealed.text is not None:
        return issued.sealed.text.encode()
    text = issued.code_text()
    if suffix not in _PICTURES:
        return text.encode()
    symbol = qr.encode(text, level=issued.order.level)
    return qr.to_png(symbol) if suffix == ".png" else qr.to_svg(symbol).encode()


def shown(issued: Issued) -> str:
    """The certificate as text."""
    if len(issued.order.forms) > 1:
        return dump_json(document(issued)).decode()
    return issued.sealed.text or issued.code_text()


def draw(issued: Issued) -> bool:
    """Draw a code where a person is looking and the window is large enough."""
    if issued.sealed.text is not None or not sys.stdout.isatty():
        return False
    symbol = qr.encode(issued.code_text(), level=issued.order.level)
    columns, lines = qr.terminal_size(symbol)
    window = shutil.get_terminal_size()
    if columns > window.columns or lines >= window.lines:
        return False
    print(qr.to_terminal(symbol), flush=True)
    return True
