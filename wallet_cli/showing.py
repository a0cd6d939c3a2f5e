"""The last step before something leaves the device: drawing a code, asking about a presentation.

A code is drawn in the window only where it fits; otherwise it becomes a picture, and the person is
told where. A presentation is shown claim by claim before the question whose default is no.
"""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from talentseal import qr
from talentseal.commandline import emit, note
from talentseal.errors import UsageError
from talentseal.files import write_atomic
from talentseal.terminal import escape
from wallet_cli.codes import Made
from wallet_cli.disclose import Presentation
from wallet_cli.places import agree, home, is_attended, language
from wallet_cli.trust import open_trust
from wallet_cli.vault import Holding
from wallet_cli.view import claim_lines

_LIVE = "Live code, made by this wallet; a desk takes it for {minutes} minutes{to}."
_STATIC = "Bearer copy: whoever has it can show it, and it proves nothing about the bearer."


class Ways(NamedTuple):
    """How a code is to be shown, as the options say."""

    png: Path | None
    svg: Path | None
    terminal: bool
    text: bool
    force: bool
    as_json: bool

    @property
    def on_paper(self) -> bool:
        return self.png is not None or self.svg is not None

    @property
    def on_terminal(self) -> bool:
        """Asked for, or nothing else asked for and somebody is looking."""
        nothing = not (self.on_paper or self.text or self.as_json)
        return self.terminal or (nothing and sys.stdout.isatty())


def show_code(made: Made, holding: Holding, ways: Ways) -> None:
    """Write, draw or print a code, and say what it is. Raises UnavailableError, UsageError."""
    note(_said(made))
    files = _write_files(made, ways)
    if ways.on_terminal:
        if ways.force or _fits(made.symbol):
            _draw(made.symbol)
        else:
            files.append(_instead(made, holding))
    for file in files:
        note(f"Written: {file}")
    if ways.as_json:
        emit(_document(made, files), as_json=True, text="")
    elif ways.text or not (files or ways.on_terminal):
        emit(None, as_json=False, text=made.text)


def _said(made: Made) -> str:
    if made.seconds is None:
        return _STATIC
    to = f", and only {escape(made.audience)}" if made.audience else ""
    return _LIVE.format(minutes=made.seconds // 60, to=to)


def _document(made: Made, files: list[Path]) -> dict[str, object]:
    return {
        "form": made.form,
        "text": made.text,
        "version": made.symbol.version,
        "audience": made.audience or None,
        "valid_seconds": made.seconds,
        "files": [str(file) for file in files],
    }


def _write_files(made: Made, ways: Ways) -> list[Path]:
    if ways.png is not None:
        write_atomic(ways.png, qr.to_png(made.symbol))
    if ways.svg is not None:
        write_atomic(ways.svg, qr.to_svg(made.symbol).encode())
    return [file for file in (ways.png, ways.svg) if file is not None]


def _fits(symbol: qr.Symbol) -> bool:
    columns, lines = qr.terminal_size(symbol)
    window = shutil.get_terminal_size()
    return sys.stdout.isatty() and columns <= window.columns and lines < window.lines


def _draw(symbol: qr.Symbol) -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[H")
    print(qr.to_terminal(symbol), flush=True)


def _instead(made: Made, holding: Holding) -> Path:
    """A picture where the window is too small for the symbol."""
    columns, lines = qr.terminal_size(made.symbol)
    note(f"The window is too small: the code takes {columns} columns and {lines} lines.")
    file = home() / f"code-{holding.id}.png"
    write_atomic(file, qr.to_png(made.symbol))
    return file


# --- presentations --------------------------------------------------------------------------------


def ask_to_leave(made: Presentation, holding: Holding, audience: str | None, *, yes: bool) -> None:
    """Say what would leave and what stays, and ask. Raises UsageError where nobody can answer."""
    if not yes and not is_attended():
        raise UsageError(
            "nobody is here to agree that this leaves the device", hint="Agree with --yes."
        )
    kind = open_trust().find_type(holding.summary["type"])
    who = audience or "whoever gets the file"
    note(f"Who gets it: {escape(who)}\nThey will see")
    for line in claim_lines(made.shown, kind, language()):
        note(f"  {line}")
    note(f"Stays hidden: {escape(', '.join(made.hidden)) or 'nothing'}")
    if not yes:
        agree("May this leave the device?", declined="It was not handed over.")
