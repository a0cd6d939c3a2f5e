from collections.abc import Mapping
from pathlib import Path

import pytest
from homes import copy_home
from postgres import Cluster, Prepared
from registry_desk import HK, STATION, SZ, Desk

from registry.settings import DATABASE
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
    prepare(home, station_key, {})
    return home


@pytest.fixture(scope="session")
def prepared_postgres(
    tmp_path_factory: pytest.TempPathFactory, station_key: SoftwareSigner, cluster: Cluster
) -> Prepared:
    """The same over PostgreSQL."""
    made = Prepared(tmp_path_factory.mktemp("prepared"), {DATABASE: cluster.new()})
    prepare(made.home, station_key, made.databases)
    return made


def prepare(home: Path, station_key: SoftwareSigner, databases: Mapping[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        live_in(home, patch, databases)
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


def live_in(home: Path, patch: pytest.MonkeyPatch, databases: Mapping[str, str]) -> None:
    for name in (DATABASE, "TALENTSEAL_EXCHANGE", "TALENTSEAL_DEBUG"):
        patch.delenv(name, raising=False)
    patch.delenv("TALENTSEAL_KEY_PASSPHRASE_FILE", raising=False)
    patch.setenv("TALENTSEAL_HOME", str(home))
    for name, url in databases.items():
        patch.setenv(name, url)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, its_cluster: Cluster | None) -> Desk:
    """A home in which nothing was made yet."""
    live_in(tmp_path / "home", monkeypatch, {DATABASE: its_cluster.new()} if its_cluster else {})
    return Desk(tmp_path / "home")


@pytest.fixture
def desk(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    its_cluster: Cluster | None,
) -> Desk:
    """A copy of the prepared registry."""
    home = tmp_path / "home"
    databases: Mapping[str, str] = {}
    if its_cluster:
        databases = request.getfixturevalue("prepared_postgres").copy(home, its_cluster)
    else:
        copy_home(request.getfixturevalue("prepared"), home)
    live_in(home, monkeypatch, databases)
    return Desk(home)
