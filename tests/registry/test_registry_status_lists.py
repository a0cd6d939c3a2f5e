from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from postgres import both_databases
from registry_desk import STATION, SZ, Desk
from registry_service import block_request, order
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from registry.database import transaction
from registry.office import Office, open_office
from registry.publishing.service import publish
from registry.settings import load_settings
from registry.status_lists import repository
from registry.status_lists.models import StatusBlockRow
from registry.status_lists.orders import take_order
from registry.status_lists.requests import answer_request
from registry.status_lists.service import STEP
from talentseal.commandline import now
from talentseal.encoding import inflate
from talentseal.errors import UnavailableError
from talentseal.keys import SoftwareSigner
from talentseal.service.database import connect
from talentseal.status import StatusList, parse_status_token


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


def keep(session: Session, block: StatusBlockRow, indices: Sequence[int]) -> None:
    repository.add_block(session, block)
    repository.add_entries(session, block, indices)


def office() -> Office:
    return open_office(load_settings(), now())


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
        keep(session, a_block(name, "b-one", 900), [900_001, 900_002])
    with pytest.raises(UnavailableError), transaction(engine) as session:
        keep(session, a_block(name, "b-two", 902), [900_003, 900_001])
    with transaction(engine) as session:
        held = session.execute(text("SELECT count(*) FROM status_block WHERE id LIKE 'b-t%'"))
        assert held.scalar() == 0  # nothing of the refused block stayed


@both_databases
@pytest.mark.usefixtures("desk")
def test_an_order_is_taken_while_a_large_block_is_put_on_record(
    station_key: SoftwareSigner,
) -> None:
    small, _ = answer_request(office(), block_request(station_key, 4))
    taken: list[str] = []

    def order_meanwhile(_seconds: float) -> None:
        seq = len(taken) + 1
        text = order(station_key, seq, [(small.uri, small.indices[seq], 1)])
        taken.append(take_order(office(), text)[1].state)

    large, _ = answer_request(
        office(), block_request(station_key, 2 * STEP + 1), rest=order_meanwhile
    )
    assert taken == ["applied", "applied"]
    assert len(set(large.indices)) == 2 * STEP + 1


class Killed(BaseException):
    """The process ends here."""


@both_databases
def test_a_block_whose_record_was_broken_off_is_whole_when_it_is_asked_for_again(
    engine: Engine, station_key: SoftwareSigner
) -> None:
    def die(_seconds: float) -> None:
        raise Killed

    wanted = block_request(station_key, STEP + 1)
    with pytest.raises(Killed):
        answer_request(office(), wanted, rest=die)
    with transaction(engine) as session:
        assert [one.count for one in repository.blocks_of(session, issuer_of(session))] == [256]
    found, issuer = answer_request(office(), wanted)
    assert len(set(found.indices)) == STEP + 1
    with transaction(engine) as session:
        assert found.block in [one.id for one in repository.blocks_of(session, issuer.id)]


def issuer_of(session: Session) -> int:
    found = session.scalar(text("SELECT id FROM entity WHERE kind = 'issuer'"))
    assert isinstance(found, int)
    return found


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


def read_of(engine: Engine) -> list[Any]:
    """Ids of the lists whose entries are read from now on, as they are."""
    lists: list[Any] = []

    def note(*args: Any) -> None:
        if "status_entry.value !=" in args[2]:
            lists.append(args[3][-2] if isinstance(args[3], tuple) else args[3]["list_id_1"])

    event.listen(engine, "before_cursor_execute", note)
    return lists


@both_databases
def test_only_lists_that_changed_are_read_whoever_changed_them(
    desk: Desk, engine: Engine, station_key: SoftwareSigner
) -> None:
    leave(engine, 300)
    desk.ask("publish")  # a second list is begun
    here = office()
    blocks = [answer_request(here, block_request(station_key, n))[0] for n in (200, 200)]
    first, second = blocks
    assert {block.uri.rsplit("/", 1)[1] for block in blocks} == set(list_ids(engine))
    publish(here, [SZ])
    lists = read_of(here.engine)
    publish(here, [SZ])
    publish(here, [SZ], whole=False)
    assert lists == []
    for seq, block in enumerate((second, first), start=1):
        take_order(office(), order(station_key, seq, [(block.uri, block.indices[0], 1)]))
        publish(here, [SZ], whole=False)
        assert lists.pop() in block.uri
        assert not lists
        assert status_of(desk, block.uri).value(block.indices[0]) == 1


def test_a_list_without_a_change_is_signed_anew_long_before_its_token_ends(
    desk: Desk, station_key: SoftwareSigner
) -> None:
    here = office()
    uri = answer_request(here, block_request(station_key, 4))[0].uri
    publish(here, [SZ])
    at = [status_of(desk, uri).issued_at]
    for days in (3, 4):  # no whole publication succeeds in all that time
        publish(here.at(now() + timedelta(days=days), actor="test"), [SZ], whole=False)
        at.append(status_of(desk, uri).issued_at)
    assert at[0] == at[1] < at[2]


def status_of(desk: Desk, uri: str) -> StatusList:
    token = parse_status_token(desk.read(SZ)[f"status/{uri.rsplit('/', 1)[1]}.jwt"])
    data = inflate(token.compressed, max_bytes=2**20)
    return StatusList(uri, token.bits, data, token.issued_at, None, None)


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
