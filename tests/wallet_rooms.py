"""Homes of persons that were prepared once: a vault, and trust data of a network of this hour."""

import time
from pathlib import Path

import pytest
from homes import copy_home
from simulator import World
from wallet_people import Holder, Person, arrive, live_in, seal_for

from talentseal.errors import Exit
from talentseal.files import make_private_folder
from talentseal.passphrase import read_passphrase
from wallet_cli.vault import create


@pytest.fixture(scope="session")
def world() -> World:
    """An honest network of this very hour: commands read the clock themselves.

    Shared: every certificate has its own status index, and publications only go forward.
    """
    return World.honest(int(time.time()))


@pytest.fixture(scope="session")
def prepared(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a vault (stretched less than people's) and trust data; tests work on copies."""
    home = tmp_path_factory.mktemp("prepared")
    person = arrive(home)
    make_private_folder(person.folder)
    create(person.vault, read_passphrase(person.passphrase, None), n=2**14)
    with pytest.MonkeyPatch.context() as patch:
        live_in(person, patch)
        ran = person.synchronise(world, root=True)
        assert ran.code == Exit.OK, ran.err
    return home


@pytest.fixture
def person(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    """A person with a vault and trust data of now."""
    home = tmp_path / "home"
    copy_home(prepared, home)
    person = Person(home, home / "passphrase")
    live_in(person, monkeypatch)
    return person


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    person = arrive(tmp_path)
    live_in(person, monkeypatch)
    return person


@pytest.fixture
def holder(person: Person, world: World) -> Holder:
    issued = seal_for(world.city, person.keys())
    return Holder(person, issued, person.receive(issued))
