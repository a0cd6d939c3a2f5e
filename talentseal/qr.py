"""Text to QR symbol, symbol to something for people, and pictures or PDFs back to texts.

A code is written as one symbol whose version is known before it is drawn, so that it never grows
past what a phone reads from paper. Reading takes bytes of unknown origin and answers with the
texts found, or with one of our errors, in bounded time and memory; it never opens, follows or
judges what it read. Left to others: what a text means (`encoding`, `cwt`), files, the certificate
page (`printing`), which of several codes on a page counts (`paper`).

PDFs are drawn by a second process with a limit on processor time and memory: a page of two
megabytes can keep a PDF library busy for minutes, and it cannot be interrupted from inside.

Standard: ISO/IEC 18004:2015 (QR Code). Segments are chosen for the fewest bits (annex J asks for
no more than that); structured append is not written, and parts of a series are never joined.
"""

import struct
import subprocess
import sys
import time
import warnings
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from talentseal.encoding import MAX_CODE_TEXT_CHARS
from talentseal.errors import InputError, TalentsealError, UnavailableError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

Level = Literal["L", "M"]
LEVELS: Final[Mapping[str, Level]] = {"paper": "M", "screen": "L"}  # paper gets dirty and folded
TARGET_VERSION: Final = 20  # 42 mm at 0.4 mm a module: fits beside the text of a certificate
MAX_VERSION: Final = 22  # beyond it phones at arm's length begin to fail, and no terminal fits it
QUIET_ZONE: Final = 4  # modules, ISO/IEC 18004 §9.1
MIN_MODULE_MM: Final = 0.4  # below it the print of an office machine blurs
MAX_MODULE_MM: Final = 50.0  # a wall
MAX_PIXELS_PER_MODULE: Final = 64

MAX_FILE_BYTES: Final = 10 * 1024 * 1024  # a phone's photograph, a certificate with its portrait
MAX_PICTURE_PIXELS: Final = 40_000_000  # an A4 page scanned at 600 dpi has 35 million
MAX_PICTURE_BYTES: Final = 4 * MAX_PICTURE_PIXELS  # decoded; 16 bits a colour have half the pixels
STRIP_ROWS: Final = 256  # of a decoded picture are turned to grey at once: copies cost memory too
MAX_PDF_PAGES: Final = 20
MAX_TEXTS: Final = 64  # nobody shows more codes at once
PDF_DPI: Final = 200  # 0.4 mm are 3 pixels
MAX_PAGE_PIXELS: Final = 8_400_000  # A4 at 200 dpi has 3.9 million; posters are drawn coarser
MAX_PDF_CPU_SECONDS: Final = 5
MAX_PDF_WALL_SECONDS: Final = 20  # the same on a busy machine, and where no such limit exists
MAX_PDF_MEMORY_BYTES: Final = 1024 * 1024 * 1024  # address space; drawing 20 pages takes a third
MAX_SCAN_SECONDS: Final = 5.0  # checked between frames, each of which takes at most two
# A picture full of finder patterns costs the square of their number: seconds at two million
# pixels, six minutes at forty. So one look takes in a frame of this size, that of 1080p video.
FRAME_PIXELS: Final = 2_100_000
CLOSER_PIXELS: Final = 4 * FRAME_PIXELS  # the second look sees everything twice as large

_NO_CODE: Final = "Take it closer and straight, in even light, and try again."


@dataclass(frozen=True, slots=True)
class Symbol:
    """One QR symbol without its quiet zone.

    modules  one row of `size` bytes after another from the top, 1 = dark, 0 = light
    """

    version: int
    level: Level
    modules: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Modules on a side."""
        return len(self.modules)


# --- how large a symbol becomes -------------------------------------------------------------------

# fmt: off
# Codewords of data in versions 1 to 40, ISO/IEC 18004 table 7.
_CAPACITY: Final[Mapping[Level, tuple[int, ...]]] = {
    "L": (19, 34, 55, 80, 108, 136, 156, 194, 232, 274, 324, 370, 428, 461, 523, 589, 647, 721,
          795, 861, 932, 1006, 1094, 1174, 1276, 1370, 1468, 1531, 1631, 1735, 1843, 1955, 2071,
          2191, 2306, 2434, 2566, 2702, 2812, 2956),
    "M": (16, 28, 44, 64, 86, 108, 124, 154, 182, 216, 254, 290, 334, 365, 415, 453, 507, 563,
          627, 669, 714, 782, 860, 914, 1000, 1062, 1128, 1193, 1267, 1373, 1455, 1541, 1631,
          1725, 1812, 1914, 1992, 2102, 2216, 2334),
}
# fmt: on
_NUMERIC, _ALPHANUMERIC, _BYTE = 0, 1, 2
_NEVER: Final = 1 << 40
# Sixths of a bit for one character: 10 bits for 3 digits, 11 for 2 of the 45 signs, 8 for a byte.
# Row: what kind of character; column: the mode it is written in.
_CHARACTER: Final = ((20, 33, 48), (_NEVER, 33, 48), (_NEVER, _NEVER, 48))
# Bits that open a segment (mode and length) by last version of a class, ISO/IEC 18004 table 3.
_CLASSES: Final = ((9, (14, 13, 12)), (26, (16, 15, 20)), (40, (18, 17, 20)))
_KINDS: Final = bytes(
    _NUMERIC
    if chr(code).isdigit()
    else _ALPHANUMERIC
    if chr(code) in "ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    else _BYTE
    for code in range(256)
)


def version_of(text: str, *, level: Level) -> int:
    """The version (1 to 40) that `text` needs at `level`, computed without drawing.

    Raises `InputError`: MALFORMED for text that is empty or not ASCII, TOO_LARGE beyond version 40.
    """
    runs = _runs(text)
    capacity = _CAPACITY[level]
    for last, heads in _CLASSES:
        codewords = (_fewest_bits(runs, heads) + 7) // 8
        if codewords <= capacity[last - 1]:
            first = {9: 0, 26: 9, 40: 26}[last]
            return bisect_left(capacity, codewords, first) + 1
    raise _too_long("no QR symbol holds it")


def _runs(text: str) -> list[tuple[int, int]]:
    """Split into (kind, length) of neighbours of one kind; inside one no switch can pay."""
    if not text or not text.isascii():
        raise InputError(
            "The text of a code is not ASCII, or there is none.",
            code="MALFORMED",
            hint="Build it from the credential again.",
        )
    if len(text) > MAX_CODE_TEXT_CHARS:
        raise _too_long(f"{len(text)} characters, at most {MAX_CODE_TEXT_CHARS} are allowed")
    kinds = text.encode("ascii").translate(_KINDS)
    # The usual text is a link and very many digits: they need no walk.
    stem = kinds.rstrip(bytes((_NUMERIC,)))
    runs = [(kind, len(list(group))) for kind, group in groupby(stem)]
    return [*runs, (_NUMERIC, len(kinds) - len(stem))] if len(stem) < len(kinds) else runs


def _fewest_bits(runs: list[tuple[int, int]], heads: tuple[int, int, int]) -> int:
    """Bits of the shortest split into segments: the cheapest way to end in each mode, run by run.

    Sums are kept in sixths of a bit; a segment that ends is rounded up to whole bits.
    """
    opened = tuple(6 * head for head in heads)
    sums: Sequence[int] = opened
    for kind, length in runs:
        price = _CHARACTER[kind]
        ended = [sums[mode] + price[mode] * length for mode in (0, 1, 2)]
        shortest = -(-min(ended) // 6) * 6
        sums = [min(ended[mode], shortest + opened[mode]) for mode in (0, 1, 2)]
    # The last round may only have opened a segment; one that was open before is never dearer.
    return -(-min(sums) // 6)


def _too_long(detail: str) -> InputError:
    return InputError(
        f"The text is too long for a code: {detail}.",
        code="TOO_LARGE",
        hint="Drop the second language first, then optional labels; a code is never split.",
    )


# --- writing --------------------------------------------------------------------------------------


def encode(text: str, *, level: Level) -> Symbol:
    """Draw `text` (ASCII) as one symbol; byte and numeric segments are chosen for fewest bits.

    Raises `InputError`: MALFORMED for empty or other text, TOO_LARGE past `MAX_VERSION`.
    """
    planned = version_of(text, level=level)
    if planned > MAX_VERSION:
        raise _too_long(f"it needs version {planned}, at most {MAX_VERSION} is written")
    try:
        rows = _draw(text, level)
    except ImportError:
        rows = _draw_slowly(text, level)
    return _checked(rows, level, planned)


def _draw(text: str, level: Level) -> tuple[bytes, ...]:
    import zxingcpp

    drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level=level)
    image: Any = drawn.to_image(scale=1, add_quiet_zones=False)  # a buffer, 0 = black
    size: int = image.shape[0]
    dark = bytes(memoryview(image)).translate(_DARK)
    return tuple(dark[at : at + size] for at in range(0, size * size, size))


_DARK: Final = b"\x01" + bytes(255)  # a black pixel is a dark module


def _draw_slowly(text: str, level: Level) -> tuple[bytes, ...]:
    """The same in pure Python where zxing-cpp has no wheel; some 25 times dearer."""
    from qrcode.constants import ERROR_CORRECT_L, ERROR_CORRECT_M
    from qrcode.main import QRCode

    correction = {"L": ERROR_CORRECT_L, "M": ERROR_CORRECT_M}[level]
    drawn: Any = QRCode(error_correction=correction, border=0)
    drawn.add_data(text)
    drawn.make(fit=True)
    return tuple(bytes(row) for row in drawn.get_matrix())


def _checked(rows: tuple[bytes, ...], level: Level, planned: int) -> Symbol:
    """A writer that silently chose worse segments would print codes that phones cannot read."""
    version = (len(rows) - 17) // 4
    if version > planned:
        raise UnavailableError(
            f"The QR writer drew version {version} where version {planned} suffices.",
            hint="Install the versions of zxing-cpp and qrcode that this program names.",
        )
    return Symbol(version, level, rows)


def to_png(symbol: Symbol, *, pixels_per_module: int = 8) -> bytes:
    """A black and white PNG (1 bit a pixel) with its quiet zone.

    Raises `UsageError` for a scale outside 1 to `MAX_PIXELS_PER_MODULE`.
    """
    if not 1 <= pixels_per_module <= MAX_PIXELS_PER_MODULE:
        raise UsageError(f"A module is drawn with 1 to {MAX_PIXELS_PER_MODULE} pixels.")
    side = (symbol.size + 2 * QUIET_ZONE) * pixels_per_module
    # PNG filter 2 (up): a line equal to the one above is all zeros, so only new rows cost anything.
    same = b"\x02" + bytes((side + 7) // 8)
    lines = b"".join(
        b"\x00" + _bits(row, pixels_per_module) + same * (pixels_per_module - 1)
        for row in _with_quiet_zone(symbol)
    )
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)  # 1 bit, grey
    return b"".join(
        (_PNG, _chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines, 6)), _chunk(b"IEND"))
    )


def _with_quiet_zone(symbol: Symbol) -> list[bytes]:
    side = bytes(QUIET_ZONE)
    empty = [bytes(symbol.size + 2 * QUIET_ZONE)] * QUIET_ZONE
    return [*empty, *(side + row + side for row in symbol.modules), *empty]


def _bits(row: bytes, scale: int) -> bytes:
    """Pixels of a line, eight to a byte, 0 = black; spare bits at the end are 0."""
    width = len(row) * scale
    spare = -width % 8
    digits = row.replace(b"\x00", b"1" * scale).replace(b"\x01", b"0" * scale)
    return (int(digits, 2) << spare).to_bytes((width + spare) // 8)


def _chunk(kind: bytes, body: bytes = b"") -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def to_svg(symbol: Symbol, *, module_mm: float = 0.5) -> str:
    """An SVG document of its true size in millimetres, one path with a box for every dark run.

    Raises `UsageError` below `MIN_MODULE_MM`, where printing starts to fail, and beyond a wall.
    """
    if not MIN_MODULE_MM <= module_mm <= MAX_MODULE_MM:
        raise UsageError(
            f"A printed module measures {MIN_MODULE_MM} to {MAX_MODULE_MM:g} mm, not {module_mm}."
        )
    side = symbol.size + 2 * QUIET_ZONE
    path = "".join(
        f"M{left + QUIET_ZONE} {top}h{length}v1h-{length}z"
        for top, row in enumerate(symbol.modules, QUIET_ZONE)
        for left, length in _dark_runs(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side * module_mm:g}mm" '
        f'height="{side * module_mm:g}mm" viewBox="0 0 {side} {side}" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/>'
        f'<path fill="#000" d="{path}"/></svg>\n'
    )


def _dark_runs(row: bytes) -> Iterator[tuple[int, int]]:
    """(start, length) of every dark run of a row."""
    start = row.find(1)
    while start >= 0:
        end = row.find(0, start)
        end = len(row) if end < 0 else end
        yield start, end - start
        start = row.find(1, end)


# Exact black on exact white from the fixed part of the 256 colours: a theme cannot turn it.
_BLACK_ON_WHITE: Final = "\x1b[38;5;16;48;5;231m"
_RESET: Final = "\x1b[0m"
_HALF_BLOCKS: Final = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


def to_terminal(symbol: Symbol) -> str:
    """Lines of half blocks with the quiet zone, black on white whatever the theme; no last newline.

    Look at `terminal_size` first: a wrapped symbol cannot be read.
    """
    rows = _with_quiet_zone(symbol)
    rows.append(bytes(len(rows)))  # a side is odd: the last line has a light lower half
    return "\n".join(
        _BLACK_ON_WHITE
        + "".join(_HALF_BLOCKS[pair] for pair in zip(upper, lower, strict=True))
        + _RESET
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )


def terminal_size(symbol: Symbol) -> tuple[int, int]:
    """Columns and lines that `to_terminal` takes: version 16 needs 89 x 45, version 22 113 x 57."""
    side = symbol.size + 2 * QUIET_ZONE
    return side, (side + 1) // 2


# --- reading --------------------------------------------------------------------------------------

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_PDF: Final = b"%PDF-"

Scan = tuple[bool, bool, bool]  # look for turned, for very large, for light-on-dark symbols
_QUICK: Final[Scan] = (False, False, False)
_THOROUGH: Final[Scan] = (True, True, True)


def looks_like_picture(data: bytes) -> bool:
    """Whether the first bytes are those of a PNG, JPEG or WebP file."""
    return data.startswith((_PNG, _JPEG)) or _is_webp(data)


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def looks_like_pdf(data: bytes) -> bool:
    """Whether the first bytes are those of a PDF file."""
    return data.startswith(_PDF)


def read(data: bytes, *, clock: Callable[[], float] = time.monotonic) -> list[str]:
    """The texts of the QR symbols in a PNG, JPEG or WebP picture or a PDF, in order, none twice.

    A text is what the symbol says and nothing more: unsigned, perhaps hostile, never to be opened.
    Symbols that hold bytes other than UTF-8 text are passed over. Of a picture with several frames
    the first is read.

    clock  seconds from any start, for the limit on a picture; for tests

    Raises `InputError` TOO_LARGE past a cap (bytes, pixels, pages, texts), and `UnavailableError`
    INPUT_UNREADABLE when no code is found or the file cannot be read.
    """
    if len(data) > MAX_FILE_BYTES:
        _refuse_file(f"{len(data)} bytes, at most {MAX_FILE_BYTES} are read")
    if looks_like_pdf(data):
        texts = _read_pdf_apart(data)
    elif looks_like_picture(data):
        texts = _read_picture(data, clock)
    else:
        _unreadable("The file is neither a PNG, JPEG or WebP picture nor a PDF.", hint="")
    if not texts:
        _unreadable("No code was found.", hint=_NO_CODE)
    return texts


def _refuse_file(detail: str) -> NoReturn:
    raise InputError(
        f"The file is too large: {detail}.",
        code="TOO_LARGE",
        hint="Give only the page or the part of the picture that shows the code.",
    )


def _unreadable(message: str, *, hint: str, cause: BaseException | None = None) -> NoReturn:
    hint = hint or "Give a picture of the code, or the text of the code itself."
    raise UnavailableError(message, code="INPUT_UNREADABLE", hint=hint) from cause


def _read_picture(data: bytes, clock: Callable[[], float]) -> list[str]:
    """Look at the whole first; only if nothing is there, at nine overlapping parts enlarged."""
    end = clock() + MAX_SCAN_SECONDS
    whole = _grey(data, FRAME_PIXELS)
    for how in (_QUICK, _THOROUGH):
        if texts := _texts(_symbols(whole, how)):
            return texts
        _in_time(clock, end)
    found: list[str] = []
    for part in _parts(_grey(data, CLOSER_PIXELS), larger_than=whole.size):
        _in_time(clock, end)
        found += _symbols(part, _THOROUGH)
    return _texts(found)


def _in_time(clock: Callable[[], float], end: float) -> None:
    if clock() > end:
        _unreadable("Looking for a code in this picture takes too long.", hint=_NO_CODE)


def _parts(grey: "Image", *, larger_than: tuple[int, int]) -> Iterator["Image"]:
    """Nine parts, each half as wide and high as the whole, overlapping by half."""
    if grey.size == larger_than:
        return
    width, height = grey.width // 2, grey.height // 2
    for top in (0, height // 2, grey.height - height):
        for left in (0, width // 2, grey.width - width):
            yield grey.crop((left, top, left + width, top + height))


# What Pillow's parsers are known to raise on broken files, besides their own errors.
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)


def _grey(data: bytes, pixels: int) -> "Image":
    """Decode to 8-bit grey with at most about `pixels` pixels, light where transparent."""
    try:
        image = _open(data)
        width, height = _fitting(image.size, pixels)
        image.draft("L", (width, height))  # JPEG only: decode smaller and without colour
        grey = _flat(image)
        if grey.width * grey.height > pixels:
            grey = grey.resize((width, height), _averaging())
    except TalentsealError:
        raise
    except _BROKEN as cause:
        _unreadable("The picture is damaged and cannot be read.", hint=_NO_CODE, cause=cause)
    return grey


def _open(data: bytes) -> "Image":
    """Read the header alone; the class is chosen by the first bytes, so no other parser runs."""
    from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    kind: type[Any] = WebPImagePlugin.WebPImageFile
    if data.startswith(_PNG):
        kind = PngImagePlugin.PngImageFile
    elif data.startswith(_JPEG):
        kind = JpegImagePlugin.JpegImageFile
    with warnings.catch_warnings():
        # Pillow warns from 89 million pixels on; our own cap below is lower and refuses.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image: Image.Image = kind(BytesIO(data))
        except Image.DecompressionBombError:
            _refuse_file("its width and height say far more pixels than are read")
    if image.width * image.height > MAX_PICTURE_PIXELS:
        _refuse_file(f"{image.width} x {image.height} pixels, at most 40 million are read")
    if (size := _decoded_bytes(image)) > MAX_PICTURE_BYTES:
        _refuse_file(f"{size} bytes once decoded, at most {MAX_PICTURE_BYTES} are read")
    return image


def _decoded_bytes(image: "Image") -> int:
    """As many bytes as the file's pixels have; PNG alone may have 16 bits a colour."""
    is_deep = any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    return image.width * image.height * len(image.getbands()) * (2 if is_deep else 1)


def _fitting(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """The largest size of the same shape with at most `pixels` pixels."""
    width, height = size
    shrink = min(1.0, sqrt(pixels / (width * height)))
    return max(1, int(width * shrink)), max(1, int(height * shrink))


def _averaging() -> Any:
    from PIL.Image import Resampling

    return Resampling.BOX


def _flat(image: "Image") -> "Image":
    """8-bit grey on white; decodes the pixels, and turns them to grey strip by strip."""
    from PIL import Image

    image.load()
    if image.mode == "L" and not image.has_transparency_data:
        return image
    grey = Image.new("L", image.size)
    for top in range(0, image.height, STRIP_ROWS):
        bottom = min(top + STRIP_ROWS, image.height)
        grey.paste(_flat_strip(image.crop((0, top, image.width, bottom))), (0, top))
    return grey


def _flat_strip(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits: Pillow would cut off what is above 255
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if not image.has_transparency_data:
        return image.convert("L")
    if image.mode not in {"LA", "RGBA"}:
        image = image.convert("RGBA")
    white = Image.new("L", image.size, 255)
    white.paste(image.convert("L"), mask=image.getchannel("A"))
    return white


def _symbols(grey: "Image", how: Scan) -> list[str]:
    """Texts of the symbols that zxing-cpp finds in one frame."""
    import zxingcpp

    turned, large, inverted = how
    found = zxingcpp.read_barcodes(
        grey,
        formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCodeModel2),
        try_rotate=turned,
        try_downscale=large,
        try_invert=inverted,
    )
    return [text for symbol in found if (text := _text(symbol.bytes)) is not None]


def _text(content: bytes) -> str | None:
    """Strict UTF-8, whatever character set the symbol claims: our own texts are ASCII."""
    try:
        return content.decode("utf-8") or None
    except UnicodeDecodeError:
        return None


def _texts(found: Iterable[str]) -> list[str]:
    distinct = list(dict.fromkeys(found))
    if len(distinct) > MAX_TEXTS:
        _refuse_file(f"it shows more than {MAX_TEXTS} different codes")
    return distinct


# --- PDF, drawn in a process of its own -----------------------------------------------------------


def _read_pdf_apart(data: bytes) -> list[str]:
    # -P: the current directory is nobody's library path.
    worker = (sys.executable, "-P", "-m", "talentseal.qr")
    try:
        done = subprocess.run(
            worker, input=data, capture_output=True, timeout=MAX_PDF_WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as cause:
        _unreadable("Drawing the PDF takes too long.", hint="", cause=cause)
    except OSError as cause:
        raise UnavailableError(
            "The process that draws PDFs could not be started.",
            hint="Give a picture of the page instead.",
        ) from cause
    if done.returncode != 0:  # a limit was passed, or the PDF library fell over
        _unreadable("The PDF could not be drawn within its limits.", hint="")
    return _parse_answer(done.stdout)


_ERRORS: Final[Mapping[str, type[InputError | UnavailableError]]] = {
    "InputError": InputError,
    "UnavailableError": UnavailableError,
}


def _parse_answer(answer: bytes) -> list[str]:
    """The worker has held hostile bytes: its answer gets no trust either."""
    try:
        kind, *fields = answer.decode("ascii").split("\n")
        values = [bytes.fromhex(field).decode("utf-8") for field in fields]
        if kind == "texts":
            return _texts(values)
        message, code, hint = values
        error = _ERRORS[kind]
    except (ValueError, KeyError) as cause:
        _unreadable("The PDF could not be drawn.", hint="", cause=cause)
    raise error(message, code=code, hint=hint)


def _answer(data: bytes) -> bytes:
    """A word and hexadecimal lines: `texts` and each text, or an error's class and its fields."""
    try:
        kind, values = "texts", _read_pdf(data)
    except (InputError, UnavailableError) as error:
        kind, values = type(error).__name__, [error.message, error.code, error.hint]
    return "\n".join([kind, *(value.encode("utf-8").hex() for value in values)]).encode("ascii")


def _read_pdf(data: bytes) -> list[str]:
    from pypdfium2 import PdfDocument, PdfiumError

    found: list[str] = []
    try:
        document = PdfDocument(data)
        if len(document) > MAX_PDF_PAGES:
            _refuse_file(f"{len(document)} pages, at most {MAX_PDF_PAGES} are read")
        for number in range(len(document)):
            grey = _page(document, number)
            found += _symbols(grey, _QUICK) or _symbols(grey, _THOROUGH)
    except (PdfiumError, *_BROKEN) as cause:
        _unreadable("The PDF is encrypted or damaged and cannot be read.", hint="", cause=cause)
    return _texts(found)


def _page(document: Any, number: int) -> "Image":
    """One page in grey at 200 dpi, or coarser where it is larger than paper."""
    page = document[number]
    width, height = page.get_size()
    scale = min(PDF_DPI / 72, sqrt(MAX_PAGE_PIXELS / max(1.0, width * height)))
    if ceil(width * scale) * ceil(height * scale) > 2 * MAX_PAGE_PIXELS:  # a thread of a page
        _refuse_file(f"page {number + 1} measures {width:.0f} x {height:.0f} points")
    grey: Image = page.render(scale=scale, grayscale=True).to_pil()
    page.close()
    return grey


def _limit_worker() -> None:
    """Processor time and memory, where the system has such limits; else the parent's clock."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        limits = (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_CPU, MAX_PDF_CPU_SECONDS),
            (resource.RLIMIT_AS, MAX_PDF_MEMORY_BYTES),
        )
        for kind, limit in limits:
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    _limit_worker()
    sys.stdout.buffer.write(_answer(sys.stdin.buffer.read()))
