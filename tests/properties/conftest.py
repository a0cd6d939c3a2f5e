"""One honest world for all properties: they change what is shown, never the world itself."""

import pytest
from simulator import Held, World

from talentseal.bundle import Bundle


@pytest.fixture(scope="session")
def calm() -> World:
    return World.honest()


@pytest.fixture(scope="session")
def title(calm: World) -> Held:
    return calm.city.issue()


@pytest.fixture(scope="session")
def city_bundle(calm: World, title: Held) -> Bundle:
    del title
    return calm.bundle("CN/9999")
