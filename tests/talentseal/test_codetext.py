import zlib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talentseal import cose
from talentseal.codetext import Form, looks_like_code_text, parse_text, write_text
from talentseal.encoding import (
    MAX_CODE_BYTES,
    MAX_CODE_INFLATED_BYTES,
    MAX_CODE_TEXT_CHARS,
    b64url_encode,
    base45_encode,
    digits_encode,
    dump_cbor,
)
from talentseal.errors import InputError, UsageError
from talentseal.keys import signer_from_secret

FORMS = get_args(Form)
SIGNER = signer_from_secret(611)
CODE = cose.sign_sign1(dump_cbor({1: "https://issuer.example"}), {16: 61}, SIGNER)
WORDY = cose.sign_sign1(dump_cbor({1: "the same words again and again " * 20}), {16: 61}, SIGNER)
HOST = "verifier.example"


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_text(text)
    return caught.value.code


def outcome(text: str) -> str:
    """The first byte of the code in `text`, or why there is none."""
    try:
        return parse_text(text).code[:1].hex()
    except InputError as error:
        return error.code


def link(data: bytes, host: str = HOST) -> str:
    return f"https://{host}/#{digits_encode(data)}"


# --- writing and reading back ---------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", [CODE, WORDY], ids=["short", "wordy"])
def test_a_code_survives_each_of_its_forms(form: Form, code: bytes) -> None:
    text = write_text(code, host=HOST, form=form)
    assert parse_text(text) == (code, None if form == "base45" else HOST, form)
    assert looks_like_code_text(text)
    assert text.isascii()


@given(st.binary(max_size=300), st.sampled_from(FORMS))
def test_any_bytes_of_a_code_survive(rest: bytes, form: Form) -> None:
    code = b"\xd2" + rest
    assert parse_text(write_text(code, host=HOST, form=form)).code == code


def test_the_default_is_a_link_whose_fragment_is_digits() -> None:
    head, fragment = write_text(CODE, host=HOST).split("#")
    assert head == "https://verifier.example/"
    assert fragment.isdigit()


def test_what_is_pasted_without_its_link_is_read_too() -> None:
    assert parse_text(digits_encode(CODE)) == (CODE, None, "digits")
    assert parse_text(b64url_encode(CODE)) == (CODE, None, "base64url")
    assert parse_text(b64url_encode(zlib.compress(CODE))) == (CODE, None, "base64url")


def test_a_code_is_compressed_only_where_that_makes_it_smaller() -> None:
    assert write_text(CODE, host=HOST) == link(CODE)
    assert write_text(WORDY, host=HOST) == link(zlib.compress(WORDY, 9))


def test_a_code_is_compressed_only_where_that_lowers_the_version() -> None:
    assert write_text(WORDY, host=HOST, version_of=lambda _: 18) == link(WORDY)
    assert write_text(WORDY, host=HOST, version_of=lambda text: len(text) // 100) != link(WORDY)
    # Compression that only saves modules inside one version is not worth its price.
    assert write_text(WORDY, host=HOST, version_of=lambda text: -(-len(text) // 9000)) == link(
        WORDY
    )


@pytest.mark.parametrize("host", ["verifier.example:8443", "localhost:1", "127.0.0.1:65535",
                                  "xn--bcher-kva.example", "a", "a" * 63 + ".example"])  # fmt: skip
def test_any_host_is_reported_with_its_port(host: str) -> None:
    assert parse_text(write_text(CODE, host=host)).host == host


NO_HOST = [
    "", "Verifier.example", "VERIFIER.EXAMPLE", "user@verifier.example", "user:pw@verifier.example",
    "verifier.example:", "verifier.example:0", "verifier.example:08", "verifier.example:65536",
    "verifier.example:8443:8443", "verifier.example:a", "-a.example", "a-.example", "a..example",
    ".example", "verifier.example.", "b\u00fccher.example", "\uff56erifier.example", "[::1]", "a b",
    "verifier.example\\", "a_b.example", "verifier.example?", "a" * 64 + ".example",
    ".".join(["a" * 60] * 5), "verifier.example/path", "verifier.example/?q=1", "verifier.example#",
    "verifier.example\n", " verifier.example", "verifier%2eexample",
]  # fmt: skip


@pytest.mark.parametrize("host", NO_HOST)
def test_a_link_to_anything_but_a_plain_host_is_neither_written_nor_read(host: str) -> None:
    with pytest.raises(UsageError):
        write_text(CODE, host=host)
    assert refusal(link(CODE, host)) == "NOT_A_CREDENTIAL"


def test_nothing_but_a_code_is_written() -> None:
    for thing in (b"", b"\xd1\x84", b"eyJ", CODE[1:], b"\xd2" + bytes(MAX_CODE_BYTES)):
        with pytest.raises(UsageError):
            write_text(thing, host=HOST)
    with pytest.raises(UsageError):
        write_text(CODE, host=HOST, form="base32")  # type: ignore[arg-type]


# --- what is no code ------------------------------------------------------------------------------

DIGITS = digits_encode(CODE)


@pytest.mark.parametrize(
    "text",
    ["", " ", "hello world", "https://", "https://verifier.example", "https://verifier.example/",
     "https://verifier.example/#", f"http://{HOST}/#{DIGITS}", f"HTTPS://{HOST}/#{DIGITS}",
     f"https:/{HOST}/#{DIGITS}", f"https://{HOST}#{DIGITS}", f"https://{HOST}/x#{DIGITS}",
     f"https://{HOST}//#{DIGITS}", f"https://{HOST}/?a#{DIGITS}", f"https://{HOST}/##{DIGITS}",
     f"https://{HOST}/#/{DIGITS}", f"https://{HOST}/#{DIGITS} ", f"https://{HOST}/#{DIGITS}\n",
     f"https://{HOST}/# {DIGITS}", f"https://{HOST}/#{DIGITS[:9]}.{DIGITS[9:]}",
     f"//{HOST}/#{DIGITS}",
     f"javascript:{DIGITS}", f"talentseal:{DIGITS}", f"tseal1:{base45_encode(CODE)}",
     f"TSEAL2:{base45_encode(CODE)}", f" TSEAL1:{base45_encode(CODE)}", f"\ufeff{DIGITS}",
     f"{DIGITS}\n", f" {DIGITS}", f"{DIGITS[:9]} {DIGITS[9:]}", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA~",
     "a.b.c", "\ud800", "\u0661\u0662\u0663", f"{b64url_encode(CODE)}=", "a@b", "%3A",
     f"{{{DIGITS}}}"],
)  # fmt: skip
def test_a_text_of_another_shape_is_no_certificate(text: str) -> None:
    assert refusal(text) == "NOT_A_CREDENTIAL"


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\xd1" + CODE[1:], CODE[1:], b"HC1:", b"PK\x03\x04", zlib.compress(b"HC1:"),
     zlib.compress(zlib.compress(CODE)), zlib.compress(b"")],
    ids=["zero", "a MAC", "no tag", "text", "zip", "other inside", "two layers", "empty inside"],
)  # fmt: skip
def test_bytes_of_another_kind_are_no_certificate(data: bytes) -> None:
    assert refusal(link(data)) == "NOT_A_CREDENTIAL"
    assert refusal("TSEAL1:" + base45_encode(data)) == "NOT_A_CREDENTIAL"
    assert refusal(b64url_encode(data)) == "NOT_A_CREDENTIAL"


PACKED = zlib.compress(CODE)


@pytest.mark.parametrize(
    "text",
    [f"https://{HOST}/#{DIGITS}0", f"https://{HOST}/#" + "9" * 17, "1", "13800138000",
     f"https://{HOST}/#0oQ\u0041B", f"https://{HOST}/#A", f"https://{HOST}/#0oR", "TSEAL1:A",
     "TSEAL1::::", "TSEAL1:bb8", f"TSEAL1:{base45_encode(CODE)}\n", link(PACKED[:-1]),
     link(PACKED + b"\0"), link(PACKED + PACKED), link(b"\x78\x9c"), link(b"\x78\x9cjunk"),
     link(PACKED[:-1] + bytes([PACKED[-1] ^ 1]))],
)  # fmt: skip
def test_a_code_with_a_broken_text_is_malformed(text: str) -> None:
    assert refusal(text) == "MALFORMED"


# --- bounds ---------------------------------------------------------------------------------------


def test_a_text_longer_than_the_cap_is_refused() -> None:
    for text in (
        "0" * (MAX_CODE_TEXT_CHARS + 1),
        "~" * 10**6,
        "https://" + "a" * 10**6,
        "TSEAL1:" * 10**5,
    ):
        assert refusal(text) == "TOO_LARGE"
    assert refusal("~" * MAX_CODE_TEXT_CHARS) == "NOT_A_CREDENTIAL"
    assert refusal("https://" + "a." * 4092) == "NOT_A_CREDENTIAL"


def test_a_code_larger_than_the_cap_is_refused() -> None:
    largest = b"\xd2" + bytes(MAX_CODE_BYTES - 1)
    assert parse_text(link(largest)).code == largest
    assert refusal(link(largest + b"\0")) == "TOO_LARGE"


def test_a_code_that_unfolds_beyond_the_cap_is_refused() -> None:
    largest = b"\xd2" + bytes(MAX_CODE_INFLATED_BYTES - 1)
    assert parse_text(link(zlib.compress(largest))).code == largest
    assert refusal(link(zlib.compress(largest + b"\0"))) == "TOO_LARGE"
    assert refusal(link(zlib.compress(bytes(1_000_000), 9))) == "TOO_LARGE"


@given(
    st.text(max_size=60), st.sampled_from(["", "https://", f"https://{HOST}/#", "TSEAL1:", "0o"])
)
def test_arbitrary_text_is_a_code_or_refused(text: str, head: str) -> None:
    assert outcome(head + text) in {"d2", "NOT_A_CREDENTIAL", "MALFORMED"}


# --- which reader a text goes to ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["eyJhbGciOiJFUzI1NiJ9.e30.AAAA~", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "a~b", "", "two words",
     "http://verifier.example/#1", "openid-credential-offer://?x"],
)  # fmt: skip
def test_tokens_and_other_texts_go_to_other_readers(text: str) -> None:
    assert not looks_like_code_text(text)


@pytest.mark.parametrize("text", ["0", "TSEAL1:", "https://a.example/x", "0oQ", "9" * 10**5])
def test_links_prefixes_and_plain_words_are_judged_here(text: str) -> None:
    assert looks_like_code_text(text)
