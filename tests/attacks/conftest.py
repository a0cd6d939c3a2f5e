"""An honest world for every story; stories that only look share one."""

import pytest
from simulator import World

from talentseal.bundle import Bundle


@pytest.fixture
def world() -> World:
    return World.honest()


@pytest.fixture(scope="session")
def calm() -> World:
    """A world that no story changes; certificates may be issued in it."""
    return World.honest()


@pytest.fixture(scope="session")
def city_bundle(calm: World) -> Bundle:
    return calm.bundle("CN/9999")
