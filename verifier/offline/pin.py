"""The pin: the one thing a verifier must learn from outside, the root of its own jurisdiction.

A root is compared with its published fingerprint and jurisdiction before it is kept, and one that
is kept is never silently replaced: who wants another jurisdiction moves the folder away first.
Left to others: the signatures on the root, which the update client checks when it starts from it.
"""

from pathlib import Path

from talentseal.artefacts import MAX_ROOT_BYTES
from talentseal.errors import RefusedError
from talentseal.files import make_private_folder, read_bounded, write_atomic
from talentseal.sync import Pin

_FOLDER = "pin"
_FILE = "root.json"
_GROUP = 4


def read_root(path: Path) -> Pin:
    """A root from a file. Raises UnavailableError, and BundleError where it is no root."""
    pin = Pin(read_bounded(path, MAX_ROOT_BYTES))
    _ = pin.info  # says now what is wrong with it
    return pin


def stored_pin(home: Path) -> Pin | None:
    """The pin of `verifier init` below the verifier's folder, if there is one."""
    path = home / _FOLDER / _FILE
    return read_root(path) if path.exists() else None


def keep_pin(home: Path, pin: Pin) -> None:
    """Store the pin. Raises RefusedError where another one is kept already."""
    kept = stored_pin(home)
    if kept is not None and kept.root != pin.root:
        raise RefusedError(
            f"the root of {kept.info.jurisdiction} is pinned already: {grouped(kept.fingerprint)}",
            code="STATE_CONFLICT",
            hint=f"To start anew with another root, move {home} away first.",
        )
    make_private_folder(home)
    make_private_folder(home / _FOLDER)
    write_atomic(home / _FOLDER / _FILE, pin.root)


def check_fingerprint(pin: Pin, expected: str) -> None:
    """Raises RefusedError unless the root has the fingerprint that was published."""
    digits = expected.replace(" ", "").replace(":", "").lower()
    if digits != pin.fingerprint:
        raise RefusedError(
            f"this root has the fingerprint {grouped(pin.fingerprint)}, which is not the one given",
            code="BUNDLE_TAMPERED",
            hint="Do not use it. Get the root from the official source again.",
        )


def check_jurisdiction(pin: Pin, expected: str) -> None:
    """Raises RefusedError unless it is the root of this jurisdiction."""
    if pin.info.jurisdiction != expected:
        raise RefusedError(
            f"this is the root of {pin.info.jurisdiction}, not of {expected}", code="WRONG_NETWORK"
        )


def grouped(fingerprint: str) -> str:
    """A fingerprint as people compare it: `0f3a 77c1 ...`."""
    return " ".join(fingerprint[i : i + _GROUP] for i in range(0, len(fingerprint), _GROUP))
