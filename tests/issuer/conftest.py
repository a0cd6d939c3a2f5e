import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from issuer_desk import TERM_DAYS, TITLE, Bureau
from registry_desk import SZ

from talentseal.commandline import make_dev_passphrase
from talentseal.files import make_private_folder
from talentseal.keystore import Keystore

SETTINGS = ("REGISTRY_DB", "ISSUER_DB", "EXCHANGE", "DEBUG", "KEY_PASSPHRASE_FILE", "TRUST_SOURCE",
            "VERIFIER_HOST")  # fmt: skip


def live_in(home: Path, patch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        patch.delenv(f"TALENTSEAL_{name}", raising=False)
    patch.setenv("TALENTSEAL_HOME", str(home))


def make_quick_keystore(home: Path, role: str) -> None:
    """A keystore whose passphrase is stretched less than people's; programs keep what exists."""
    make_private_folder(home / role)
    Keystore.create(home / role / "keys", make_dev_passphrase(role), dev=True, n=2**14)


@pytest.fixture(scope="session")
def unlisted_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with one jurisdiction, and an issuer that has not even a key."""
    home = tmp_path_factory.mktemp("unlisted")
    with pytest.MonkeyPatch.context() as patch:
        live_in(home, patch)
        for role in ("registry", "issuer"):
            make_quick_keystore(home, role)
        registry = Bureau(home).registry
        registry.ask("init", "--dev")
        registry.ask(
            "jurisdiction", "new", SZ, "--entity-id", "https://trust.sz.example",
            "--name", "en=Shenzhen Example Registry", "--namespace", "sz.example",
        )  # fmt: skip
    return home


@pytest.fixture(scope="session")
def enrolled_home(unlisted_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The issuer is enrolled with a grant for titles of one series."""
    home = tmp_path_factory.mktemp("enrolled") / "home"
    shutil.copytree(unlisted_home, home)
    with pytest.MonkeyPatch.context() as patch:
        live_in(home, patch)
        Bureau(home).enrolled(
            "--type", TITLE, "--territory", SZ, "--profession", "series/05",
            "--max-validity-days", str(TERM_DAYS),
        )  # fmt: skip
    return home


def _copy(source: Path, tmp_path: Path, patch: pytest.MonkeyPatch) -> Iterator[Bureau]:
    home = tmp_path / "home"
    shutil.copytree(source, home, symlinks=True)
    live_in(home, patch)
    yield Bureau(home)


@pytest.fixture
def newcomer(
    unlisted_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bureau]:
    """An issuer without a key, in a copy of its own."""
    yield from _copy(unlisted_home, tmp_path, monkeypatch)


@pytest.fixture
def bureau(
    enrolled_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bureau]:
    """An enrolled issuer, in a copy of its own."""
    yield from _copy(enrolled_home, tmp_path, monkeypatch)
