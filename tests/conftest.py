"""What tests of several packages ask for: one profile of Hypothesis, a database of either kind."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from postgres import POSTGRESQL, SQLITE, Cluster, running_cluster

settings.register_profile(
    "talentseal",
    deadline=None,  # two busy cores are no reason to fail
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("talentseal")  # here, so that a folder alone is tested as all of them are


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL cluster for this process, made when the first test asks for it."""
    with running_cluster() as running:
        yield running


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """`sqlite`, or what `both_databases` asks for."""
    return str(getattr(request, "param", SQLITE))


@pytest.fixture
def its_cluster(kind: str, request: pytest.FixtureRequest) -> Iterator[Cluster | None]:
    """The cluster, for a test that runs over PostgreSQL; its databases go when it has ended."""
    if kind != POSTGRESQL:
        yield None
        return
    found = replace(request.getfixturevalue("cluster"), made=[])
    yield found
    found.clear()
