import shutil
from pathlib import Path

import pytest
from registry_desk import HK, STATION, SZ, Desk

from talentseal.commandline import make_dev_passphrase
from talentseal.files import make_private_folder
from talentseal.keys import SoftwareSigner, signer_from_secret
from talentseal.keystore import Keystore


@pytest.fixture(scope="session")
def station_key() -> SoftwareSigner:
    return signer_from_secret(44_03)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, station_key: SoftwareSigner) -> Path:
    """Two jurisdictions, one issuer with a grant, published; tests work on copies."""
    home = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        live_in(home, patch)
        desk = Desk(home)
        make_quick_keystore(home)
        desk.ask("init", "--dev")
        make_jurisdiction(desk, SZ, "sz.example", "Shenzhen Example Registry")
        make_jurisdiction(desk, HK, "hk.example", "Hong Kong Example Registry")
        desk.ask("issuer", "new", "--jurisdiction", SZ, "--request", desk.request(station_key))
        desk.ask(
            "grant", "new", "--issuer", STATION, "--type", "professional-title/1",
            "--territory", SZ, "--profession", "series/05",
        )  # fmt: skip
        desk.ask("publish")
    return home


def make_quick_keystore(home: Path) -> None:
    """A keystore whose passphrase is stretched less than people's; `init` keeps what exists."""
    make_private_folder(home / "registry")
    passphrase = make_dev_passphrase("registry")
    Keystore.create(home / "registry" / "keys", passphrase, dev=True, n=2**14)


def make_jurisdiction(desk: Desk, code: str, namespace: str, name: str) -> None:
    desk.ask(
        "jurisdiction", "new", code, "--entity-id", f"https://trust.{namespace}",
        "--name", f"en={name}", "--namespace", namespace,
    )  # fmt: skip


def live_in(home: Path, patch: pytest.MonkeyPatch) -> None:
    for name in ("TALENTSEAL_REGISTRY_DB", "TALENTSEAL_EXCHANGE", "TALENTSEAL_DEBUG"):
        patch.delenv(name, raising=False)
    patch.delenv("TALENTSEAL_KEY_PASSPHRASE_FILE", raising=False)
    patch.setenv("TALENTSEAL_HOME", str(home))


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A home in which nothing was made yet."""
    live_in(tmp_path / "home", monkeypatch)
    return Desk(tmp_path / "home")


@pytest.fixture
def desk(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A copy of the prepared registry."""
    home = tmp_path / "home"
    shutil.copytree(prepared, home)
    live_in(home, monkeypatch)
    return Desk(home)
