"""Orders and block requests to a registry that serves, that is away, and that comes back."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from issuer_desk import BUREAU, Bureau
from officers_desk import open_counter
from registry_desk import SZ
from serving import serving

from issuer.office import Office
from issuer.status.blocks import top_up
from issuer.status.outbox import Carrier, backlog
from registry.app import create_app
from registry.office import open_office
from registry.settings import load_settings
from talentseal.commandline import now
from talentseal.errors import Exit, UnavailableError

AWAY = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Says where the registry is found."""
    monkeypatch.setenv("TALENTSEAL_DEV", "1")
    monkeypatch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)

    def move(url: str) -> None:
        monkeypatch.setenv("TALENTSEAL_REGISTRY_URL", url)

    return move


def wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_act_is_in_the_registry_at_once_and_a_folder_is_not_used(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(registry)
        with open_counter(bureau) as counter:
            number = counter.sealed()
            path = f"/v1/credentials/{number}/revoke"
            counter.ask("revoker", "POST", path, {"reason": "rescinded"}, match='"1"')
            wait(lambda: backlog(Office.here(), now=now())[0] == 0)
    assert not list(bureau.orders.glob("*.jws"))
    bureau.registry.ask("publish")
    bureau.sync()
    uri, idx = bureau.rows("SELECT uri, idx FROM form JOIN status_block ON form.block = number")[0]
    held = bureau.bundle().find_status(SZ, uri)
    assert held is not None
    assert not isinstance(held, str)
    assert held.value(idx) == 1


def test_an_order_waits_for_a_registry_that_is_away(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    number = bureau.seal("--paper")["id"]
    far(AWAY)
    refused = bureau.refused("revoke", number, "--reason", "rescinded")
    assert refused == (Exit.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
    assert bureau.rows("SELECT state FROM certificate") == [("revoked",)]
    assert backlog(Office.here(), now=now())[0] == 1
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(registry)
        assert bureau.ask("list")["certificates"][0]["state"] == "revoked"  # carries what waits
    assert backlog(Office.here(), now=now())[0] == 0


def test_a_carrier_rests_longer_each_time_and_not_after_a_new_act(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    number = bureau.seal("--paper")["id"]
    far(AWAY)
    bureau.refused("revoke", number, "--reason", "rescinded")
    steady, tries = [0.0], 0
    carrier = Carrier(Office.here(), now, steady=lambda: steady[0])
    for _ in range(32):
        try:
            carrier.run()
        except UnavailableError:
            tries += 1
        steady[0] += 1
    assert tries == 6  # at 0, 1, 3, 7, 15 and 31 seconds
    carrier.called()
    with pytest.raises(UnavailableError):
        carrier.run()


def test_a_leap_of_the_clock_does_not_lengthen_a_rest(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    number = bureau.seal("--paper")["id"]
    far(AWAY)
    bureau.refused("revoke", number, "--reason", "rescinded")
    clock, steady = [now()], [0.0]
    carrier = Carrier(Office.here(), lambda: clock[0], steady=lambda: steady[0])
    clock[0] += timedelta(days=3)
    with pytest.raises(UnavailableError):
        carrier.run()
    clock[0] -= timedelta(days=3)
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(registry)
        steady[0] += 1
        carrier.run()
    assert backlog(Office.here(), now=now())[0] == 0


def test_indices_are_topped_up_and_one_request_brings_one_block(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    office = Office.here()
    far(AWAY)
    with pytest.raises(UnavailableError):
        top_up(office, now=now(), least=300)
    asked = bureau.rows("SELECT value FROM profile WHERE name = 'block_request'")
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(registry)
        assert top_up(office, now=now(), least=300) == 256 + 1000
        assert top_up(office, now=now(), least=300) == 256 + 1000
        bureau.change(
            f"INSERT INTO profile (name, value) VALUES ('block_request', '{asked[0][0]}')"  # noqa: S608
        )
        with pytest.raises(UnavailableError):  # the block of an old request is known
            top_up(office, now=now(), least=1300)
        assert top_up(office, now=now(), least=1300) == 256 + 2000
    assert bureau.rows("SELECT name FROM profile WHERE name = 'block_request'") == []
    assert bureau.seal("--paper")["id"]


def test_a_request_for_indices_from_a_time_to_come_is_given_up_for_another(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    office, asked = Office.here(), "SELECT value FROM profile WHERE name = 'block_request'"
    far(AWAY)
    for ahead in (timedelta(days=3), timedelta(0), -timedelta(seconds=30)):
        with pytest.raises(UnavailableError):
            top_up(office, now=now() + ahead, least=300)
    kept = bureau.rows(asked)
    with pytest.raises(UnavailableError):
        top_up(office, now=now(), least=300)
    assert bureau.rows(asked) == kept  # a right one, and clocks that differ by seconds
    with pytest.raises(UnavailableError):
        top_up(office, now=now() + timedelta(days=3), least=300)
    assert bureau.rows(asked) != kept
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(registry)
        assert top_up(office, now=now(), least=300) == 256 + 1000
