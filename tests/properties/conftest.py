"""One honest world for all properties: they change what is shown, never the world itself."""

import pytest
from hypothesis import HealthCheck, settings
from simulator import Held, World

from talentseal.bundle import Bundle

settings.register_profile(
    "talentseal",
    deadline=None,  # two busy cores are no reason to fail
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("talentseal")


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
