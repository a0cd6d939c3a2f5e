"""What a person types, and the key that is stretched from it.

Stretching takes a tenth of a second on purpose, so this module loads little: a program may begin
it before it loads the rest. What the key opens is left to `keystore`.

Standard: scrypt RFC 7914.
"""

import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from talentseal.encoding import b64url_decode
from talentseal.errors import InputError, UsageError
from talentseal.files import read_private

MAX_PASSPHRASE_BYTES = 1024

# scrypt: 2^15 blocks of 1 KiB are 32 MiB and about a tenth of a second.
SCRYPT_N = 2**15
_SCRYPT_N_ALLOWED = (2**14, 2**15, 2**16, 2**17)  # a hostile file may burn 128 MiB, no more
_SCRYPT_P_ALLOWED = range(1, 5)
SCRYPT_R = 8
_SALT_BYTES = range(16, 65)
KEY_BYTES = 32


def derive_key(passphrase: bytes, params: Mapping[str, Any]) -> bytes:
    """32 bytes from a passphrase by the scrypt parameters `{name, n, r, p, salt}`.

    Raises InputError `MALFORMED` for parameters that are too weak or would burn memory.
    """
    n, p, salt = params.get("n"), params.get("p"), _salt(params)
    costs = n in _SCRYPT_N_ALLOWED and params.get("r") == SCRYPT_R and p in _SCRYPT_P_ALLOWED
    if params.get("name") != "scrypt" or not costs or len(salt) not in _SALT_BYTES:
        raise InputError("a key derivation that is not allowed", code="MALFORMED")
    kdf = Scrypt(salt=salt, length=KEY_BYTES, n=int(n or 0), r=SCRYPT_R, p=int(p or 0))
    return kdf.derive(passphrase)


def _salt(params: Mapping[str, Any]) -> bytes:
    text = params.get("salt")
    if not isinstance(text, str):
        raise InputError("a member is missing", code="MALFORMED")
    return b64url_decode(text)


def read_passphrase(file: Path | None, prompt: Callable[[], str] | None) -> bytes:
    """The passphrase in `file`, one line that nobody else may read, or the answer to `prompt`.

    Normalised to NFC, so that the same letters open the same lock from every keyboard.
    Raises UsageError or UnavailableError.
    """
    if file is not None:
        text = _decode_line(read_private(file, MAX_PASSPHRASE_BYTES + 2), file)
    elif prompt is not None:
        text = prompt()
    else:
        raise UsageError(
            "no passphrase is set and there is nobody to ask",
            hint="Name a file that holds it, readable by its owner only.",
        )
    passphrase = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
    if not 0 < len(passphrase) <= MAX_PASSPHRASE_BYTES:
        raise UsageError(f"a passphrase has 1 to {MAX_PASSPHRASE_BYTES} bytes")
    return passphrase


def _decode_line(data: bytes, file: Path) -> str:
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"the passphrase in {file} is not UTF-8 text") from error
    if "\n" in text:
        raise UsageError(f"{file} holds more than one line")
    return text
