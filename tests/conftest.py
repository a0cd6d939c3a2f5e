"""What tests of several packages ask for: one profile of Hypothesis, a database of either kind."""

import gc
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from postgres import POSTGRESQL, SQLITE, Cluster, running_cluster

COLLECT_AFTER = 50_000  # objects; the usual 700 come and go with every document that is read

settings.register_profile(
    "talentseal",
    deadline=None,  # two busy cores are no reason to fail
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("talentseal")  # here, so that a folder alone is tested as all of them are


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: for a third of their time tests wait, mostly for a process."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)  # after the order was drawn, which stays for the rest
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that are given more time than others come first: at the end nobody waits for one."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


def pytest_collection_finish() -> None:
    """What was imported stays: the collector of reference cycles need not look at it every time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])


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
