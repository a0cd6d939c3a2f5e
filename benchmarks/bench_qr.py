"""Goal 10: drawing a code, against `qrcode`, which draws the same symbol in pure Python.

The same text to both, as link and digits, at the level of paper; `qrcode` gets its two segments
ready-made, its quickest way. Before the clock runs, both symbols must have the same version and be
read back to the same text from a picture; a text past the cap must be refused.
"""

from dataclasses import replace
from io import BytesIO
from typing import Any

from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.pil import PilImage
from qrcode.main import QRCode
from qrcode.util import MODE_8BIT_BYTE, MODE_NUMBER, QRData

from benchmarks.goals import GOALS
from benchmarks.inputs import check_refusals, seeded
from benchmarks.pairing import Act, GoalResult, Pairing, pair, result_times_better
from talentseal import qr
from talentseal.encoding import digits_encode
from talentseal.errors import InputError

GOAL = GOALS[10]
LINK = "https://verify.talentseal.example/#"
SIZES = (455, 557, 676)  # bytes of a small, a usual and the largest code
BLOCKS = 30  # of one call each side: a call of theirs takes a twentieth of a second
QUICK_BLOCKS = 8
WRITING_GOAL = 8  # the same with a PNG or SVG written


def run(quick: bool) -> list[GoalResult]:  # noqa: FBT001 - the shape all bench modules share
    """Measure all sizes; the figure that counts is that of the middle one."""
    texts = {size: LINK + digits_encode(seeded("qr").randbytes(size)) for size in SIZES}
    refused = sum(_judged(text) for text in texts.values())
    blocks = QUICK_BLOCKS if quick else BLOCKS
    drawn = {size: _pair(_theirs(text), _ours(text), blocks) for size, text in texts.items()}
    middle = SIZES[len(SIZES) // 2]
    figure = result_times_better(
        GOAL,
        drawn[middle],
        inputs=f"{middle} bytes as {len(texts[middle])} characters, {_version(texts[middle])}",
        refusals_checked=refused,
    )
    extra = {f"{size} bytes, {_version(texts[size])}": _times(drawn[size]) for size in SIZES}
    extra |= _writing(texts[middle], blocks)
    why = "choosing the mask tries eight symbols, as the standard asks, in either library."
    return [replace(figure, extra=extra, why_not_lower=why)]


def _writing(text: str, blocks: int) -> dict[str, str]:
    """Drawing and writing a file; `qrcode` writes PNG in both, its own SVG is slower still."""
    png = _pair(_theirs_as_png(text), lambda: qr.to_png(qr.encode(text, level="M")), blocks)
    svg = _pair(_theirs_as_png(text), lambda: qr.to_svg(qr.encode(text, level="M")), blocks)
    goal = f"(at least {WRITING_GOAL} promised)"
    return {f"with a PNG {goal}": _times(png), f"with an SVG {goal}": _times(svg)}


def _pair(theirs: Act, ours: Act, blocks: int) -> Pairing:
    return pair(theirs, ours, blocks=blocks, calls=1)


def _times(pairing: Pairing) -> str:
    ours, theirs = pairing.ours_us / 1000, pairing.floor_us / 1000
    return f"{1 / pairing.ratio_p10:.1f} times, {ours:.2f} to {theirs:.1f} ms"


def _version(text: str) -> str:
    return f"version {qr.version_of(text, level='M')}-M"


def _ours(text: str) -> Act:
    return lambda: qr.encode(text, level="M")


def _theirs(text: str) -> Act:
    return lambda: _drawn_by_qrcode(text)


def _theirs_as_png(text: str) -> Act:
    return lambda: _png_by_qrcode(text)


def _drawn_by_qrcode(text: str) -> Any:
    drawn: Any = QRCode(error_correction=ERROR_CORRECT_M, border=qr.QUIET_ZONE, box_size=8)
    digits = text.removeprefix(LINK)
    drawn.add_data(QRData(LINK.encode(), mode=MODE_8BIT_BYTE), optimize=0)
    drawn.add_data(QRData(digits.encode(), mode=MODE_NUMBER), optimize=0)
    drawn.make(fit=True)
    return drawn


def _png_by_qrcode(text: str) -> bytes:
    out = BytesIO()
    _drawn_by_qrcode(text).make_image(image_factory=PilImage).save(out)
    return out.getvalue()


def _judged(text: str) -> int:
    """Both draw the same version, both pictures say `text`, and what does not fit is refused."""
    assert _drawn_by_qrcode(text).version == qr.encode(text, level="M").version
    assert qr.read(_png_by_qrcode(text)) == [text]
    assert qr.read(qr.to_png(qr.encode(text, level="M"))) == [text]
    bad = {"length": text + "7" * 1000, "character": text + "é", "text": ""}
    return check_refusals(_can_be_written, good=text, bad=bad)


def _can_be_written(text: str) -> bool:
    try:
        qr.encode(text, level="M")
    except InputError:
        return False
    return True
