"""Prepared issuers for tests: their fixtures, shared by several folders."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from homes import copy_home
from issuer_desk import TERM_DAYS, TITLE, Bureau
from postgres import Cluster, Prepared
from registry_desk import SZ

from talentseal.commandline import make_dev_passphrase
from talentseal.files import make_private_folder
from talentseal.keystore import Keystore

SETTINGS = ("REGISTRY_DB", "ISSUER_DB", "EXCHANGE", "DEBUG", "KEY_PASSPHRASE_FILE", "TRUST_SOURCE",
            "VERIFIER_HOST")  # fmt: skip


REGISTRY_DB, ISSUER_DB = "TALENTSEAL_REGISTRY_DB", "TALENTSEAL_ISSUER_DB"


def live_in(home: Path, patch: pytest.MonkeyPatch, databases: Mapping[str, str]) -> None:
    for name in SETTINGS:
        patch.delenv(f"TALENTSEAL_{name}", raising=False)
    patch.setenv("TALENTSEAL_HOME", str(home))
    for name, url in databases.items():
        patch.setenv(name, url)


def make_quick_keystore(home: Path, role: str) -> None:
    """A keystore whose passphrase is stretched less than people's; programs keep what exists."""
    make_private_folder(home / role)
    Keystore.create(home / role / "keys", make_dev_passphrase(role), dev=True, n=2**14)


@pytest.fixture(scope="session")
def unlisted_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with one jurisdiction, and an issuer that has not even a key."""
    home = tmp_path_factory.mktemp("unlisted")
    make_unlisted(home, {})
    return home


@pytest.fixture(scope="session")
def unlisted_postgres(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Prepared:
    """The same over PostgreSQL."""
    databases = {REGISTRY_DB: cluster.new(), ISSUER_DB: cluster.new()}
    made = Prepared(tmp_path_factory.mktemp("unlisted"), databases)
    make_unlisted(made.home, databases)
    return made


def make_unlisted(home: Path, databases: Mapping[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        live_in(home, patch, databases)
        for role in ("registry", "issuer"):
            make_quick_keystore(home, role)
        registry = Bureau(home).registry
        registry.ask("init", "--dev")
        registry.ask(
            "jurisdiction", "new", SZ, "--entity-id", "https://trust.sz.example",
            "--name", "en=Shenzhen Example Registry", "--namespace", "sz.example",
        )  # fmt: skip


@pytest.fixture(scope="session")
def enrolled_home(unlisted_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The issuer is enrolled with a grant for titles of one series."""
    home = tmp_path_factory.mktemp("enrolled") / "home"
    copy_home(unlisted_home, home)
    make_enrolled(home, {})
    return home


@pytest.fixture(scope="session")
def enrolled_postgres(
    unlisted_postgres: Prepared, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster
) -> Prepared:
    """The same over PostgreSQL."""
    home = tmp_path_factory.mktemp("enrolled") / "home"
    databases = unlisted_postgres.copy(home, cluster)
    make_enrolled(home, databases)
    return Prepared(home, databases)


def make_enrolled(home: Path, databases: Mapping[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        live_in(home, patch, databases)
        Bureau(home).enrolled(
            "--type", TITLE, "--territory", SZ, "--profession", "series/05",
            "--max-validity-days", str(TERM_DAYS),
        )  # fmt: skip


@pytest.fixture
def copied(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    its_cluster: Cluster | None,
) -> Callable[[str], Bureau]:
    """Makes a copy of a prepared home, over the database that the test asks for."""

    def copy(name: str) -> Bureau:
        home = tmp_path / "home"
        databases: Mapping[str, str] = {}
        if its_cluster:
            databases = request.getfixturevalue(f"{name}_postgres").copy(home, its_cluster)
        else:
            copy_home(request.getfixturevalue(f"{name}_home"), home)
        live_in(home, monkeypatch, databases)
        return Bureau(home)

    return copy


@pytest.fixture
def newcomer(copied: Callable[[str], Bureau]) -> Bureau:
    """An issuer without a key, in a copy of its own."""
    return copied("unlisted")


@pytest.fixture
def bureau(copied: Callable[[str], Bureau]) -> Bureau:
    """An enrolled issuer, in a copy of its own."""
    return copied("enrolled")
