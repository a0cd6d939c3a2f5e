"""Where the wallet keeps its things, and what the person's surroundings say about it.

Everything lies in one private folder: the vault, the pinned root and the accepted trust data. This
module reads settings and asks for passphrases; what lies in the vault is left to `vault`.
"""

import os
import sys
from pathlib import Path

from talentseal.commandline import role_home, setting
from talentseal.errors import RefusedError, UsageError

ROLE = "wallet"
PASSPHRASE_FILE = "TALENTSEAL_VAULT_PASSPHRASE_FILE"  # noqa: S105  the name of a setting
TRUST_SOURCE = "TALENTSEAL_TRUST_SOURCE"
VERIFIER_HOST = "TALENTSEAL_VERIFIER_HOST"
_DEFAULT_HOST = "verify.talentseal.example"


def home() -> Path:
    """The wallet's folder; may not exist yet."""
    return role_home(ROLE)


def vault_file() -> Path:
    return home() / "vault.json"


def root_file() -> Path:
    """The pinned root of the wallet's own jurisdiction."""
    return home() / "root.json"


def trust_folder() -> Path:
    return home() / "trust"


def verifier_host() -> str:
    """The host that a code's link names: the page which a phone opens."""
    return setting(VERIFIER_HOST) or _DEFAULT_HOST


def language() -> str:
    """The person's language, as the system names it."""
    from schemas.messages import resolve_language

    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return resolve_language(next(filter(None, named), "en"))


# --- asking ---------------------------------------------------------------------------------------


def is_attended() -> bool:
    """Whether there is a person who reads what is asked and can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def vault_passphrase(*, new: bool = False, file: Path | None = None) -> bytes:
    """The vault's passphrase: from `file` or the named setting, else typed (twice where `new`).

    Raises UsageError where there is neither, UnavailableError for a file that others can read.
    """
    from talentseal.passphrase import read_passphrase

    named = setting(PASSPHRASE_FILE)
    path = file or (Path(named).expanduser() if named else None)
    if path is not None:
        return read_passphrase(path, None)
    if not is_attended():
        raise UsageError(
            "the passphrase of the vault is not known and there is nobody to ask",
            hint=f"Name a file that holds it in {PASSPHRASE_FILE}.",
        )
    return read_passphrase(None, _ask_twice if new else _ask)


def _ask() -> str:
    from getpass import getpass

    return getpass("Passphrase of the vault: ")


def _ask_twice() -> str:
    from getpass import getpass

    first = getpass("New passphrase of the vault: ")
    if first != getpass("The same again: "):
        raise UsageError("the two passphrases differ", hint="Nothing was written; start again.")
    return first


def agree(question: str, *, declined: str) -> None:
    """Ask at the terminal; anything but yes is no. Raises RefusedError `PRESENTATION_DECLINED`."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError(declined, code="PRESENTATION_DECLINED", hint="Nothing left this device.")


def ask_line(question: str) -> str:
    """One line typed at the terminal, without white space around it."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()
