import pytest
from postgres import both_databases
from registry_desk import STATION, SZ, Desk
from sqlalchemy import Engine, text

from registry.database import transaction
from registry.status_lists import repository
from registry.status_lists.models import StatusBlockRow
from talentseal.errors import UnavailableError
from talentseal.service.database import connect


@pytest.fixture
def engine(desk: Desk) -> Engine:
    return connect(desk.database)


def leave(engine: Engine, free: int) -> None:
    """Pretend that all but `free` indices of every list were handed out."""
    with transaction(engine) as session:
        session.execute(text(f"UPDATE status_list SET next_free = size - {free}"))  # noqa: S608


def list_ids(engine: Engine) -> list[str]:
    with transaction(engine) as session:
        return [row.id for row in repository.lists_of(session, SZ)]


def a_block(list_id: str, name: str, start: int) -> StatusBlockRow:
    return StatusBlockRow(id=name, list_id=list_id, issuer=1, start=start, count=2, created_at=0)


@both_databases
def test_counters_are_taken_once_and_run_out(engine: Engine) -> None:
    (name,) = list_ids(engine)
    leave(engine, 100)
    with transaction(engine) as session:
        first = repository.take_counters(session, name, 60)
        assert repository.take_counters(session, name, 60) is None
        second = repository.take_counters(session, name, 40)
        assert repository.take_counters(session, name, 1) is None
    assert first is not None
    assert second == first + 60 == 2**20 - 40


@both_databases
def test_an_index_cannot_be_given_out_twice(engine: Engine) -> None:
    (name,) = list_ids(engine)
    with transaction(engine) as session:
        repository.add_block(session, a_block(name, "b-one", 900), [900_001, 900_002])
    with pytest.raises(UnavailableError), transaction(engine) as session:
        repository.add_block(session, a_block(name, "b-two", 902), [900_003, 900_001])
    with transaction(engine) as session:
        held = session.execute(text("SELECT count(*) FROM status_block WHERE id LIKE 'b-t%'"))
        assert held.scalar() == 0  # nothing of the refused block stayed


@both_databases
def test_another_list_is_begun_in_time_and_used_once_published(desk: Desk, engine: Engine) -> None:
    leave(engine, 10)
    full = desk.refused("issuer", "block", "--issuer", STATION, "--block", "11")
    assert full[1] == "STATUS_LIST_UNPUBLISHED"
    desk.ask("publish")
    assert len(list_ids(engine)) == 2
    argv = ("issuer", "block", "--issuer", STATION, "--block")
    old = desk.ask(*argv, "10")["blocks"][0]
    new = desk.ask(*argv, "11")["blocks"][0]
    assert {old["uri"].rsplit("/", 1)[1], new["uri"].rsplit("/", 1)[1]} == set(list_ids(engine))
    desk.ask("publish")
    assert len([path for path in desk.read(SZ) if path.endswith(".cwt")]) == 2


def test_a_list_that_has_room_is_the_only_one(desk: Desk, engine: Engine) -> None:
    desk.ask("publish")
    assert len(list_ids(engine)) == 1


def test_a_list_that_cannot_be_read_back_is_not_used(desk: Desk, engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(text("UPDATE status_list SET published_at = NULL"))
        # Another key in the database than the one that signs: nobody would admit the tokens.
        session.execute(
            text(
                "UPDATE entity_key SET jwk = (SELECT jwk FROM entity_key WHERE purpose = 'list')"
                " WHERE purpose = 'status'"
            )
        )
    assert desk.run("publish").code != 0
    found = desk.refused("issuer", "block", "--issuer", STATION)
    assert found[1] == "STATUS_LIST_UNPUBLISHED"
