"""What we issue is good elsewhere, and where we are stricter than others, a reason is written."""

from pathlib import Path

import foreign
import pytest
from foreign import AUDIENCE, CODE_PEERS, NONCE, WALLET_PEERS, Case
from parts import need
from simulator import Held, World

from benchmarks import peer
from talentseal import sdjwt

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _peers_are_there() -> None:
    missing = peer.missing()
    need("the foreign verifiers", present=missing is None, remedy=missing or "")


@pytest.fixture(scope="module")
def world() -> World:
    return foreign.network()


@pytest.fixture(scope="module")
def held(world: World) -> Held:
    return world.city.issue()


@pytest.mark.parametrize("name", WALLET_PEERS)
def test_a_wallet_certificate_is_accepted_elsewhere(name: str, held: Held) -> None:
    whole, some = held.text, sdjwt.disclose(held.text, ["given_name", "id_document"])
    answers = peer.ask([foreign.wallet_request(name, held, text) for text in (whole, some)])
    assert [answer["error"] for answer in answers] == [None, None]
    expected = sdjwt.all_claims(some)
    assert {claim: answers[1]["claims"].get(claim) for claim in expected} == expected


@pytest.mark.parametrize("name", WALLET_PEERS)
def test_a_presentation_bound_to_its_holder_is_accepted_elsewhere(
    name: str, world: World, held: Held
) -> None:
    text = held.present("given_name", audience=AUDIENCE, nonce=NONCE, at=world.now)
    (answer,) = peer.ask([foreign.wallet_request(name, held, text, bound=True)])
    assert answer["error"] is None


@pytest.mark.parametrize("name", CODE_PEERS)
def test_a_code_and_the_live_proof_around_it_are_accepted_elsewhere(
    name: str, world: World, held: Held
) -> None:
    live = held.live(at=world.now)
    answers = peer.ask(
        [foreign.code_request(name, held, held.code), foreign.proof_request(name, held, live)]
    )
    assert [answer["error"] for answer in answers] == [None, None]
    assert answers[0]["claims"]["1"] == "https://bureau.city.example"
    assert answers[1]["claims"]["3"] == "talentseal:open"


def test_every_hostile_input_is_refused_here_with_its_code(world: World, held: Held) -> None:
    cases: list[Case] = [
        *foreign.wallet_cases(world, held),
        *foreign.bound_cases(world, held),
        *foreign.code_cases(world, held),
    ]
    found = {case.name: foreign.our_codes(world, case)[:1] for case in cases}
    assert found == {case.name: [case.code] for case in cases}


def test_where_we_are_stricter_a_reason_is_written(world: World, held: Held) -> None:
    wallet = foreign.wallet_cases(world, held) + foreign.bound_cases(world, held)
    assert foreign.unexplained(foreign.rows(held, wallet, WALLET_PEERS)) == []
    assert (
        foreign.unexplained(foreign.rows(held, foreign.code_cases(world, held), CODE_PEERS)) == []
    )


def test_the_page_tells_what_they_say_today() -> None:
    root = Path(__file__).resolve().parents[2]
    assert (root / "docs" / "interoperability.md").read_text("utf-8") == foreign.page()
