"""Codes as pictures: what is written can be read, and no file of any kind does harm."""

import math
import random
import re
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import zxingcpp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from qrcode import base, util
from qrcode.main import QRCode

from talentseal import qr
from talentseal.encoding import digits_encode
from talentseal.errors import InputError, TalentsealError, UnavailableError, UsageError

LINK = "https://verify.talentseal.example/#"
SIZES = (100, 255, 405, 455, 526, 557, 574, 623, 676)
LEVELS: tuple[qr.Level, ...] = ("L", "M")


def code_text(size: int, seed: int = 1) -> str:
    return LINK + digits_encode(random.Random(seed).randbytes(size))  # noqa: S311 - no secret


def picture(symbol: qr.Symbol, pixels: int = 4) -> Image.Image:
    return Image.open(BytesIO(qr.to_png(symbol, pixels_per_module=pixels))).convert("L")


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def rastered(rows: list[list[int]], pixels: int = 3) -> bytes:
    """A PNG of a matrix, 1 = dark."""
    flat = bytes(0 if module else 255 for row in rows for module in row)
    image = Image.frombytes("L", (len(rows[0]), len(rows)), flat)
    return saved(image.resize((image.width * pixels, image.height * pixels), 0))


def version_drawn(text: str, level: qr.Level) -> int:
    drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level=level)
    shape = drawn.to_image(scale=1, add_quiet_zones=False).shape
    return (int(shape[0]) - 17) // 4


# --- versions and caps ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "paper", "screen"),
    [(405, 16, 14), (455, 17, 15), (513, 18, 16), (557, 19, 17), (574, 19, 17), (676, 22, 19)],
)
def test_codes_of_known_sizes_have_known_versions(size: int, paper: int, screen: int) -> None:
    text = code_text(size)
    assert qr.encode(text, level=qr.LEVELS["paper"]).version == paper
    assert qr.encode(text, level=qr.LEVELS["screen"]).version == screen


@pytest.mark.parametrize("level", LEVELS)
def test_the_computed_version_is_the_one_drawn_for_every_length_of_digits(level: qr.Level) -> None:
    for length in range(0, 2200, 23):
        text = LINK + "7" * length
        assert qr.version_of(text, level=level) == version_drawn(text, level), length


ALPHABETS = ("0123456789", "ABCXYZ $%*+-./:", "abcxyz#_~&=?", "0123456789abcdefABCDEF-_")


@given(
    st.lists(
        st.sampled_from(ALPHABETS).flatmap(lambda signs: st.text(signs, min_size=1, max_size=60)),
        min_size=1,
        max_size=20,
    ).map("".join),
    st.sampled_from(LEVELS),
)
@settings(deadline=None, max_examples=150)
def test_the_computed_version_is_the_one_drawn_for_any_text(text: str, level: qr.Level) -> None:
    assert qr.version_of(text, level=level) == version_drawn(text, level)


def test_base45_and_base64url_texts_are_counted_in_their_own_modes() -> None:
    chance = random.Random(4)  # noqa: S311 - no secret
    for length in (10, 300, 700, 1100):
        base45 = "TSEAL1:" + "".join(chance.choices("0123456789ABCXYZ $%*+-./:", k=length))
        url = LINK + "".join(chance.choices("0123456789ABCXYZabcxyz-_", k=length))
        for text in (base45, url):
            assert qr.version_of(text, level="L") == version_drawn(text, "L")


@pytest.mark.parametrize("level", LEVELS)
def test_the_capacities_are_those_of_an_independent_table(level: qr.Level) -> None:
    number = {"L": 1, "M": 0}[level]
    table = tuple(
        sum(block.data_count for block in base.rs_blocks(version, number))
        for version in range(1, 41)
    )
    assert qr._CAPACITY[level] == table


@pytest.mark.parametrize("size", [100, 455, 676])
def test_an_independent_writer_needs_the_same_version(size: int) -> None:
    text = code_text(size)
    other: Any = QRCode(error_correction=0, border=0)
    other.add_data(text)
    other.make(fit=True)
    assert other.version == qr.encode(text, level="M").version


def longest_at(level: qr.Level, version: int) -> int:
    """Digits after the link that still fit."""
    bits = qr._CAPACITY[level][version - 1] * 8 - (4 + 16 + 8 * len(LINK)) - (4 + 12)
    return bits // 10 * 3 + {0: 0, 4: 1, 7: 2}[max(n for n in (0, 4, 7) if n <= bits % 10)]


@pytest.mark.parametrize("level", LEVELS)
def test_the_largest_symbol_is_written_and_one_digit_more_is_refused(level: qr.Level) -> None:
    digits = longest_at(level, qr.MAX_VERSION)
    symbol = qr.encode(LINK + "7" * digits, level=level)
    assert (symbol.version, symbol.size) == (22, 105)
    with pytest.raises(InputError) as refusal:
        qr.encode(LINK + "7" * (digits + 1), level=level)
    assert refusal.value.code == "TOO_LARGE"
    assert "second language" in refusal.value.hint


def test_version_40_is_the_end_of_counting() -> None:
    assert qr.version_of("7" * 7089, level="L") == 40
    for digits in (7090, 8192, 8193):
        with pytest.raises(InputError) as refusal:
            qr.version_of("7" * digits, level="L")
        assert refusal.value.code == "TOO_LARGE"


@pytest.mark.parametrize("text", ["", "https://verify.talentseal.example/#澳", "é"])
def test_a_text_that_no_code_has_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        qr.encode(text, level="M")
    assert refusal.value.code == "MALFORMED"


def test_a_writer_that_wastes_space_is_noticed() -> None:
    rows = qr.encode(code_text(100), level="M").modules
    version = (len(rows) - 17) // 4
    assert qr._checked(rows, "M", version).version == version
    with pytest.raises(UnavailableError):
        qr._checked(rows, "M", version - 1)


def test_codes_can_be_written_where_zxing_is_not_installed() -> None:
    text = code_text(120)
    program = (
        "import sys; sys.modules['zxingcpp'] = None\n"
        "from talentseal import qr\n"
        f"sys.stdout.buffer.write(qr.to_png(qr.encode({text!r}, level='M')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert qr.read(done.stdout) == [text]


def test_importing_the_module_loads_no_picture_library() -> None:
    program = (
        "import sys, talentseal.qr\n"
        "print(sorted({'PIL', 'zxingcpp', 'pypdfium2', 'qrcode'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


# --- what is written can be read ------------------------------------------------------------------


@given(st.binary(min_size=100, max_size=680), st.sampled_from(LEVELS))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_a_png_gives_the_text_back(data: bytes, level: qr.Level) -> None:
    text = LINK + digits_encode(data)
    assert qr.read(qr.to_png(qr.encode(text, level=level), pixels_per_module=3)) == [text]


@pytest.mark.parametrize("scale", [1, 2, 3, 5, 8, 64])
def test_a_png_shows_exactly_the_modules_and_a_quiet_zone(scale: int) -> None:
    symbol = qr.encode(LINK + "12345", level="M")
    image = Image.open(BytesIO(qr.to_png(symbol, pixels_per_module=scale)))
    assert (image.mode, image.size) == ("1", ((symbol.size + 8) * scale,) * 2)
    empty = [bytes(symbol.size + 8)] * 4
    rows = [*empty, *(bytes(4) + row + bytes(4) for row in symbol.modules), *empty]
    wanted = b"".join(
        b"".join(bytes((0 if dark else 255,)) * scale for dark in row) * scale for row in rows
    )
    assert image.convert("L").tobytes() == wanted


@pytest.mark.parametrize("scale", [-1, 0, 65])
def test_a_png_of_impossible_scale_is_refused(scale: int) -> None:
    with pytest.raises(UsageError):
        qr.to_png(qr.encode("1", level="L"), pixels_per_module=scale)


@pytest.mark.parametrize("size", SIZES)
def test_an_svg_gives_the_text_back(size: int) -> None:
    text = code_text(size)
    svg = qr.to_svg(qr.encode(text, level="M"))
    side = int(re.findall(r'viewBox="0 0 (\d+) \1"', svg)[0])
    image = Image.new("L", (side * 4, side * 4), 255)
    draw = ImageDraw.Draw(image)
    path = re.findall(r'fill="#000" d="([^"]*)"', svg)[0]
    boxes = re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", path)
    assert "".join(f"M{left} {top}h{run}v1h-{run}z" for left, top, run in boxes) == path
    for left, top, run in ((int(a), int(b), int(c)) for a, b, c in boxes):
        draw.rectangle((left * 4, top * 4, (left + run) * 4 - 1, top * 4 + 3), fill=0)
    assert qr.read(saved(image)) == [text]


def test_an_svg_has_its_true_size_in_millimetres() -> None:
    symbol = qr.encode(code_text(405), level="M")
    assert 'width="44.5mm" height="44.5mm" viewBox="0 0 89 89"' in qr.to_svg(symbol)
    assert 'width="35.6mm"' in qr.to_svg(symbol, module_mm=0.4)


@pytest.mark.parametrize("module_mm", [0.0, -1.0, 0.39, 50.1, math.nan, math.inf])
def test_a_module_too_small_to_print_is_refused(module_mm: float) -> None:
    with pytest.raises(UsageError):
        qr.to_svg(qr.encode("1", level="L"), module_mm=module_mm)


@pytest.mark.parametrize("size", SIZES)
def test_a_terminal_gives_the_text_back(size: int) -> None:
    text = code_text(size)
    symbol = qr.encode(text, level="L")
    lines = qr.to_terminal(symbol).split("\n")
    rows: list[list[int]] = []
    for line in lines:
        blocks = re.fullmatch("\x1b\\[38;5;16;48;5;231m([ ▀▄█]+)\x1b\\[0m", line)
        assert blocks is not None
        rows.append([sign in "▀█" for sign in blocks[1]])
        rows.append([sign in "▄█" for sign in blocks[1]])
    assert (len(rows[0]), len(lines)) == qr.terminal_size(symbol)
    assert qr.read(rastered(rows)) == [text]


def test_the_window_a_terminal_needs_is_known_beforehand() -> None:
    v16 = qr.encode(code_text(405), level="M")
    v22 = qr.encode(code_text(676), level="M")
    assert qr.terminal_size(v16) == (89, 45)
    assert qr.terminal_size(v22) == (113, 57)


# --- pictures of every kind -----------------------------------------------------------------------

TEXT = code_text(455)


def on_desk(symbol: qr.Symbol, *, side: int, angle: float, blur: float) -> Image.Image:
    """A code lying askew on a noisy desk, a little out of focus."""
    code = picture(symbol, 6).resize((side, side), Image.Resampling.BICUBIC)
    turned = code.rotate(angle, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC)
    desk = Image.effect_noise((320, 200), 50).resize((1280, 800))
    desk.paste(turned, (60, 30))
    return desk.filter(ImageFilter.GaussianBlur(blur))


@pytest.mark.parametrize("angle", [0, 3, -7, 45, 90, 178, 271])
@pytest.mark.parametrize("blur", [0.5, 1.5])
def test_a_turned_and_blurred_photograph_gives_the_text_back(angle: float, blur: float) -> None:
    image = on_desk(qr.encode(TEXT, level="M"), side=500, angle=angle, blur=blur)
    assert qr.read(saved(image.convert("RGB"), "JPEG", quality=80)) == [TEXT]


def grey16(image: Image.Image) -> bytes:
    wide = Image.frombytes(
        "I;16", image.size, b"".join(b"\x20" + bytes((v,)) for v in image.tobytes())
    )
    return saved(wide)


def transparent(image: Image.Image) -> bytes:
    clear = Image.new("RGBA", image.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=ImageOps.invert(image))
    return saved(clear)


def transparent_palette(image: Image.Image) -> bytes:
    indexed = image.point(lambda value: int(value > 127)).convert("L")
    indexed = Image.frombytes("P", image.size, indexed.tobytes())
    indexed.putpalette([0, 0, 0, 1, 1, 1])
    return saved(indexed, transparency=1)


@pytest.mark.parametrize(
    "write",
    [
        saved,
        lambda image: saved(image.convert("1")),
        lambda image: saved(image.convert("RGB")),
        lambda image: saved(image.convert("LA")),
        lambda image: saved(image.convert("P")),
        lambda image: saved(image, "JPEG"),
        lambda image: saved(image.convert("CMYK"), "JPEG"),
        lambda image: saved(image.convert("RGB"), "JPEG", progressive=True),
        lambda image: saved(image.convert("RGB"), "WEBP", quality=70),
        lambda image: saved(image.convert("RGBA"), "WEBP", lossless=True),
        lambda image: saved(ImageOps.invert(image)),
        lambda image: saved(ImageOps.mirror(image)),
        grey16,
        transparent,
        transparent_palette,
    ],
)
def test_every_kind_of_picture_gives_the_text_back(write: Callable[[Image.Image], bytes]) -> None:
    data = write(picture(qr.encode(TEXT, level="M")))
    assert qr.looks_like_picture(data)
    assert not qr.looks_like_pdf(data)
    assert qr.read(data) == [TEXT]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_small_code_in_a_very_large_picture_is_found_at_the_second_look(kind: str) -> None:
    large = Image.new("L", (6000, 5000), 230)
    large.paste(picture(qr.encode(TEXT, level="M"), 4), (3300, 2900))
    assert qr.read(saved(large, kind)) == [TEXT]


def test_several_codes_are_given_each_once() -> None:
    first, second = code_text(100, 1), code_text(100, 2)
    page = Image.new("L", (1200, 1200), 255)
    for number, text in enumerate((first, second, first)):
        page.paste(picture(qr.encode(text, level="M")), (60, 30 + 390 * number))
    texts = qr.read(saved(page))
    assert sorted(texts) == sorted([first, second])


def test_of_a_moving_picture_the_first_frame_is_read() -> None:
    first = picture(qr.encode(code_text(100, 1), level="M")).convert("RGB")
    later = picture(qr.encode(code_text(100, 2), level="M")).convert("RGB")
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        data = saved(first, kind, save_all=True, append_images=[later], **options)
        assert qr.read(data) == [code_text(100, 1)]


def part_of_series(index: int, text: str) -> Image.Image:
    """Symbol `index` of a series of two (structured append, ISO/IEC 18004 §8)."""
    buffer: Any = util.BitBuffer()
    for value, bits in ((3, 4), (index, 4), (1, 4), (0x5A, 8), (4, 4), (len(text), 8)):
        buffer.put(value, bits)
    for byte in text.encode():
        buffer.put(byte, 8)
    blocks = base.rs_blocks(5, 1)
    buffer.put(0, 4)
    buffer.put(0, -len(buffer) % 8)
    while len(buffer) < 8 * sum(block.data_count for block in blocks):
        buffer.put(0xEC, 8)
    drawn: Any = QRCode(version=5, error_correction=1, border=0)
    drawn.data_cache = util.create_bytes(buffer, blocks)
    drawn.make(fit=False)
    rows = tuple(bytes(row) for row in drawn.get_matrix())
    return picture(qr.Symbol(5, "L", rows))


def test_parts_of_a_series_are_never_joined() -> None:
    page = Image.new("L", (500, 250), 255)
    page.paste(part_of_series(0, LINK + "123"), (10, 10))
    page.paste(part_of_series(1, "456"), (250, 10))
    assert sorted(qr.read(saved(page))) == ["456", LINK + "123"]


def bytes_symbol(content: bytes) -> bytes:
    drawn = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    view = memoryview(drawn.to_image(scale=4))  # type: ignore[arg-type]  # a buffer, untyped
    return saved(Image.frombytes("L", (view.nbytes // len(view),) * 2, bytes(view)))


def test_symbols_that_hold_no_text_are_passed_over() -> None:
    assert qr.read(bytes_symbol("澳門".encode())) == ["澳門"]
    for content in (b"\xff\xfe\x00\x01", "文字".encode("shift_jis"), b"\xc0\xaf", b"\xed\xa0\x80"):
        assert refused(bytes_symbol(content)) == "INPUT_UNREADABLE"


@pytest.mark.parametrize("kind", ["MicroQRCode", "RMQRCode", "DataMatrix", "Aztec", "Code128"])
def test_other_symbols_are_not_codes(kind: str) -> None:
    drawn = zxingcpp.create_barcode("12345", zxingcpp.BarcodeFormat[kind])
    raw: Any = drawn.to_image(scale=4)
    height, width = raw.shape
    image = Image.frombytes("L", (width, height), bytes(memoryview(raw)))
    assert refused(saved(image)) == "INPUT_UNREADABLE"


def test_a_picture_with_very_many_codes_is_refused() -> None:
    def sheet(count: int) -> bytes:
        page = Image.new("L", (1450, 1450), 255)
        for number in range(count):
            symbol = picture(qr.encode(f"n{number}", level="L"), 5)
            page.paste(symbol, (number % 9 * 155, number // 9 * 155))
        return saved(page)

    assert len(qr.read(sheet(qr.MAX_TEXTS))) == qr.MAX_TEXTS
    assert refused(sheet(qr.MAX_TEXTS + 1)) == "TOO_LARGE"


# --- hostile pictures -----------------------------------------------------------------------------


def refused(data: bytes) -> str:
    """The code of the refusal, which must be one of ours, speak to a person and say what next."""
    with pytest.raises(TalentsealError) as refusal:
        qr.read(data)
    assert refusal.value.message
    assert refusal.value.hint
    assert isinstance(refusal.value, InputError) == (refusal.value.code == "TOO_LARGE")
    return refusal.value.code


def png(width: int, height: int, *, body: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG that says a size and brings whatever pixels it likes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + qr._chunk(b"IHDR", header)
        + extra
        + qr._chunk(b"IDAT", body)
        + qr._chunk(b"IEND")
    )


def webp(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + size + b"VP8L" + struct.pack("<I", 5)
    body += b"\x2f" + struct.pack("<I", (width - 1) % 16384 | (height - 1) % 16384 << 14) + b"\x00"
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header says another size than its pixels have."""
    data = bytearray(saved(Image.new("L", (16, 16)), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(100),
        b"BM" + bytes(100),
        b"II*\x00" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"RIFF\x00\x00\x00\x00WAVE" + bytes(20),
        LINK.encode(),
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0" + b"\xff" * 500,
        b"RIFF\xff\xff\xff\xffWEBP",
        b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(40),
        b"%PDF-",
        b"%PDF-1.7\n" + b"garbage " * 50,
        png(0, 0),
        png(0, 100),
        png(100, 100),
        png(1, 1, body=zlib.compress(b"\x00\xff")),
        png(100, 100, body=zlib.compress(bytes(50))),
        png(100, 100, body=b"\x78\x9cgarbage"),
        png(2**31 - 1, 1),
        jpeg(0, 16),
        webp(5000, 5000),
    ],
)
def test_files_that_are_nothing_to_read_are_said_to_be_so(data: bytes) -> None:
    code = refused(data)
    assert code == ("TOO_LARGE" if data[16:20] == b"\x7f\xff\xff\xff" else "INPUT_UNREADABLE")


@pytest.mark.parametrize(
    "data",
    [
        png(6325, 6325),  # 40,005,625 pixels
        png(10_000, 9_500),  # Pillow would warn
        png(50_000, 50_000),  # Pillow would refuse
        png(2**31 - 1, 2**31 - 1),
        png(1_000_000, 41),
        jpeg(65_500, 65_500),
        jpeg(6400, 6400),
        webp(6400, 6400),
        webp(16_384, 16_384),
    ],
)
def test_pictures_of_giant_size_are_refused_by_their_header(data: bytes) -> None:
    start = time.thread_time()
    assert refused(data) == "TOO_LARGE"
    assert time.thread_time() - start < 0.5


def test_a_picture_of_exactly_the_largest_size_is_read() -> None:
    large = Image.new("1", (8000, 5000), 1)  # 40 million pixels
    large.paste(picture(qr.encode(code_text(100), level="M"), 24).convert("1"), (500, 500))
    assert qr.read(saved(large)) == [code_text(100)]


@pytest.mark.parametrize(
    ("kind", "depth", "side", "is_read"),
    [
        (6, 16, 4472, True),  # red, green, blue and opacity, 8 bytes a pixel: 159,990,272 in all
        (6, 16, 4473, False),
        (2, 16, 5165, False),  # 6 bytes a pixel
        (6, 8, 6324, True),
        (0, 16, 6324, True),
    ],
)
def test_a_picture_has_so_many_bytes_once_decoded(
    kind: int, depth: int, side: int, *, is_read: bool
) -> None:
    """Those that are not too large have no pixels here, which is found later."""
    header = struct.pack(">IIBBBBB", side, side, depth, kind, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + qr._chunk(b"IHDR", header) + qr._chunk(b"IDAT", b"")
    assert refused(data) == ("INPUT_UNREADABLE" if is_read else "TOO_LARGE")


def test_a_picture_is_turned_to_grey_strip_by_strip_and_loses_no_row() -> None:
    height = 2 * qr.STRIP_ROWS + 7
    colours = [(row % 256, row % 256, row % 256, 255) for row in range(height)]
    image = Image.new("RGBA", (1, height))
    image.putdata(colours)
    with Image.open(BytesIO(saved(image))) as read:
        assert qr._flat(read).tobytes() == bytes(row % 256 for row in range(height))


def test_a_file_of_exactly_the_largest_length_is_read() -> None:
    data = qr.to_png(qr.encode(code_text(100), level="M"))
    room = qr.MAX_FILE_BYTES - len(data)
    assert qr.read(data + bytes(room)) == [code_text(100)]
    assert refused(data + bytes(room + 1)) == "TOO_LARGE"


def test_text_and_colour_bombs_in_a_png_do_not_expand() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    for chunk in (
        qr._chunk(b"zTXt", b"k\x00\x00" + bomb),
        qr._chunk(b"iTXt", b"k\x00\x01\x00\x00\x00" + bomb),
        qr._chunk(b"iCCP", b"k\x00\x00" + bomb),
    ):
        assert refused(png(100, 100, extra=chunk)) == "INPUT_UNREADABLE"


KINDS = ("PNG", "JPEG", "WEBP")
WHOLE = {kind: saved(picture(qr.encode(LINK + "12345", level="M")), kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_torn_picture_is_read_or_refused_wherever_it_was_torn(kind: str) -> None:
    data = WHOLE[kind]
    for length in range(0, len(data), max(1, len(data) // 60)):
        assert read_or_refused(data[:length])


@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=12),
)
@settings(deadline=None, max_examples=300)
def test_a_damaged_picture_is_read_or_refused(kind: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE[kind])
    for place, value in damage:
        data[place % len(data)] = value
    assert read_or_refused(bytes(data))


def read_or_refused(data: bytes) -> bool:
    try:
        return bool(qr.read(data))
    except TalentsealError as error:
        return error.code in {"INPUT_UNREADABLE", "TOO_LARGE"}


def finders(width: int, height: int) -> bytes:
    """Nothing but the smallest finder patterns, which every reader must try to combine."""
    tile = Image.new("L", (8, 8), 255)
    draw = ImageDraw.Draw(tile)
    draw.rectangle((0, 0, 6, 6), 0)
    draw.rectangle((1, 1, 5, 5), 255)
    draw.rectangle((2, 2, 4, 4), 0)
    page = Image.new("L", (width, height), 255)
    for left in range(0, width, 8):
        page.paste(tile, (left, 0))
    row = page.crop((0, 0, width, 8))
    for top in range(8, height, 8):
        page.paste(row, (0, top))
    return saved(page, compress_level=1)


@pytest.mark.parametrize("size", [(1448, 1448), (7300, 5400)])
def test_a_picture_full_of_finder_patterns_ends_in_bounded_time(size: tuple[int, int]) -> None:
    start = time.thread_time()
    assert refused(finders(*size)) == "INPUT_UNREADABLE"
    assert time.thread_time() - start < 20  # minutes, if frames were larger


def test_looking_at_a_picture_ends_when_its_time_is_up() -> None:
    ticks = iter((0.0, qr.MAX_SCAN_SECONDS + 0.1))
    with pytest.raises(UnavailableError) as refusal:
        qr.read(saved(Image.new("L", (300, 300), 255)), clock=lambda: next(ticks))
    assert refusal.value.code == "INPUT_UNREADABLE"
    assert "too long" in refusal.value.message


# --- PDF ------------------------------------------------------------------------------------------


def pdf(content: bytes, *, box: str = "0 0 595 842", pages: int = 1, trailer: str = "") -> bytes:
    """A PDF by hand: `pages` pages that share one content stream."""
    kids = " ".join(f"{number + 5} 0 R" for number in range(pages))
    gs = "<</ExtGState<</g<</ca 0.5/BM/Multiply>>>>>>"
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 3 0 R/Resources {gs}>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {pages}>>".encode(),
        b"<</Length %d>>stream\n" % len(content) + content + b"\nendstream",
        b"null",
        *[page.encode()] * pages,
    ]
    out = b"%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer<</Size {len(objects) + 1}/Root 1 0 R{trailer}>>\nstartxref\n{len(out)}\n%%EOF"
    return out + end.encode()


def drawn(symbol: qr.Symbol, module_mm: float) -> bytes:
    """Page content that fills one box for every dark module, as a printing program would."""
    unit = module_mm * 72 / 25.4
    lines = [b"0 g"]
    for top, row in enumerate(symbol.modules):
        for left in (at for at, dark in enumerate(row) if dark):
            place = (60 + left * unit, 700 - top * unit)
            lines.append(b"%.3f %.3f %.3f %.3f re f" % (*place, unit, unit))
    return b"\n".join(lines)


def scanned(texts: list[str]) -> bytes:
    pages = []
    for text in texts:
        page = Image.new("L", (1240, 1754), 245)  # A4 at 150 dpi
        page.paste(picture(qr.encode(text, level="M"), 4), (300, 900))
        pages.append(page)
    return saved(pages[0], "PDF", save_all=True, append_images=pages[1:], resolution=150)


def test_a_scanned_pdf_gives_the_codes_of_all_pages_each_once() -> None:
    texts = [code_text(300, 1), code_text(300, 2), code_text(300, 1)]
    data = scanned(texts)
    assert qr.looks_like_pdf(data)
    assert not qr.looks_like_picture(data)
    assert qr.read(data) == texts[:2]


@pytest.mark.parametrize("module_mm", [0.4, 0.5])
def test_a_printed_pdf_gives_the_largest_code_back(module_mm: float) -> None:
    text = code_text(676)
    assert qr.read(pdf(drawn(qr.encode(text, level="M"), module_mm))) == [text]


def test_twenty_pages_are_read_and_one_more_is_refused() -> None:
    content = drawn(qr.encode(LINK + "123", level="M"), 0.5)
    assert qr.read(pdf(content, pages=qr.MAX_PDF_PAGES)) == [LINK + "123"]
    assert refused(pdf(content, pages=qr.MAX_PDF_PAGES + 1)) == "TOO_LARGE"


LOCK = (
    f"/Encrypt<</Filter/Standard/V 1/R 2/O<{'ab' * 32}>/U<{'cd' * 32}>/P -4>>"
    f"/ID[<{'01' * 16}><{'01' * 16}>]"
)


@pytest.mark.parametrize(
    "data",
    [
        pdf(b""),
        pdf(b"", pages=0),
        pdf(b"", trailer=LOCK),
        pdf(b"")[:200],
        pdf(b"q " * 100_000),
        pdf(b"0 0 1 1 re f", box="0 0 0 0"),
        pdf(b"0 0 1 1 re f", box="0 0 1e30 1e30"),
        pdf(b"0 0 1 1 re f", box="0 0 nan nan"),
        pdf(b"\xff\xfe\x00 Do BT Tj ET BI ID EI"),
    ],
)
def test_broken_locked_and_empty_pdfs_are_said_to_be_so(data: bytes) -> None:
    assert refused(data) == "INPUT_UNREADABLE"


def test_a_page_as_thin_as_a_thread_is_refused_or_read_as_empty() -> None:
    assert read_or_refused(pdf(b"0 g 0 0 9 9 re f", box="0 0 100000000 0.01"))


def test_a_page_that_takes_minutes_to_draw_is_given_up() -> None:
    content = b"/g gs 0 0 595 842 re f\n" * 20_000  # 436 s in one call, measured
    start = time.monotonic()
    assert refused(pdf(content)) == "INPUT_UNREADABLE"
    assert time.monotonic() - start < qr.MAX_PDF_WALL_SECONDS + 5


def test_a_page_with_a_giant_picture_inside_stays_within_its_memory() -> None:
    # An inline image of 30,000 x 30,000 points in colour: 2.7 GB once inflated.
    run = zlib.compressobj(9)
    head = run.compress(b"") + run.flush(zlib.Z_FULL_FLUSH)
    piece = run.compress(bytes(90_000_000)) + run.flush(zlib.Z_FULL_FLUSH)
    pixels = head + piece * 30
    picture_inside = b"q 595 0 0 842 0 0 cm BI /W 30000 /H 30000 /CS /RGB /BPC 8 /F /Fl ID "
    assert read_or_refused(pdf(picture_inside + pixels + b"\nEI Q"))


def test_a_pdf_torn_anywhere_is_read_or_refused() -> None:
    data = scanned([code_text(100)])
    for tenth in range(10):
        assert read_or_refused(data[: len(data) * tenth // 10])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        b"texts\nzz",
        b"texts\nff",
        b"other\n00\n00\n00",
        b"InputError",
        b"InputError\n61\n61",
        b"InputError\n61\n61\n61\n61",
        b"SystemExit\n61\n61\n61",
    ],
)
def test_a_worker_that_answers_nonsense_is_not_believed(answer: bytes) -> None:
    with pytest.raises(UnavailableError) as refusal:
        qr._parse_answer(answer)
    assert refusal.value.code == "INPUT_UNREADABLE"


def test_what_a_worker_found_and_refused_arrives_unchanged() -> None:
    text = code_text(100)
    assert qr._parse_answer(qr._answer(scanned([text]))) == [text]
    with pytest.raises(InputError, match="21 pages") as refusal:
        qr._parse_answer(qr._answer(pdf(b"", pages=21)))
    assert refusal.value.code == "TOO_LARGE"
