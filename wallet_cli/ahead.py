"""Stretching the vault's passphrase while the rest of the program is being loaded.

It takes a tenth of a second, by design, and leaves the interpreter free meanwhile. What is begun
here is used only where the vault, read in full and in order, asks for exactly this; otherwise it
is dropped. So nothing is decided here, and whatever stands in the way is left for the command to
find and to say.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from talentseal.commandline import forbid_core_dumps, setting
from talentseal.encoding import parse_json
from talentseal.errors import TalentsealError
from talentseal.files import check_private_folder, read_private
from talentseal.passphrase import derive_key, read_passphrase
from wallet_cli.places import PASSPHRASE_FILE, vault_file

# The commands that open the vault at once, whatever else they are told.
OPENING = frozenset(("list", "show", "verify", "history", "disclose", "qr"))
_MAX_BYTES = 4 * 1024 * 1024  # reading a larger vault twice would cost more than is gained


class Stretching(Thread):
    """One passphrase on its way to a key; None where it never became one."""

    def __init__(self, passphrase: bytes, params: Mapping[str, Any]) -> None:
        super().__init__(name="stretching")
        self.asked = (passphrase, params)
        self.key: bytes | None = None

    def run(self) -> None:
        with suppress(TalentsealError, MemoryError):
            self.key = derive_key(*self.asked)


_begun: list[Stretching] = []  # at most one, until somebody asks


def begin() -> None:
    """Begin with the passphrase file that is set; where none is, a person will be asked."""
    named = setting(PASSPHRASE_FILE)
    if named is None:
        return
    forbid_core_dumps()
    with suppress(TalentsealError):
        path = vault_file()
        check_private_folder(path.parent)
        lock = parse_json(read_private(path, _MAX_BYTES), max_bytes=_MAX_BYTES).get("lock")
        params = lock.get("kdf") if isinstance(lock, dict) else None
        if isinstance(params, dict):
            stretching = Stretching(read_passphrase(Path(named).expanduser(), None), params)
            stretching.start()
            _begun.append(stretching)


def stretch(passphrase: bytes, params: Mapping[str, Any]) -> bytes:
    """`derive_key`, or what was begun for the same passphrase and parameters."""
    while _begun:
        stretching = _begun.pop()
        stretching.join()
        if stretching.key is not None and stretching.asked == (passphrase, params):
            return stretching.key
    return derive_key(passphrase, params)
