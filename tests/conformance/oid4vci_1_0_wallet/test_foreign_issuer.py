"""Our wallet before an issuer of others' making: `@openid4vc/openid4vci`, `@sd-jwt/sd-jwt-vc`.

The issuer seals by itself, with the key of a body that the wallet's trust data lists, or with one
that nobody lists; the wallet keeps only what verifies.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from conformance.wallet_network import CONFIGURATIONS, find_here
from simulator import DAY, HOUR, World, key, samples, type_of
from strangers import Stranger, private_jwk, stranger
from wallet_people import Person

from talentseal.keys import SoftwareSigner

BUREAU = "https://bureau.city.example"
SEALED = "title_sd_jwt"
Start = Callable[[SoftwareSigner], None]


@pytest.fixture(scope="module")
def foreign() -> Iterator[Stranger]:
    with stranger("issuer") as running:
        yield running


def envelope(world: World) -> dict[str, Any]:
    """A title in clear, as the bureau of the city may seal it."""
    found = samples()["title-01"]
    kind, city = type_of(found["vct"]), world.city
    at = world.now - world.now % HOUR
    index, city.next_index = city.next_index, city.next_index + 1
    return {
        "iss": BUREAU, "vct": kind.vct, "vct#integrity": kind.integrity, "iat": at,
        "exp": at + 300 * DAY, "territory": found["territory"],
        "status": {"status_list": {"idx": index, "uri": city.status_uri}}, **found["claims"],
    }  # fmt: skip


def frame(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Which of its claims are hidden, as the foreign library wants to be told."""
    kind = type_of(samples()["title-01"]["vct"])
    inner: dict[str, Any] = {str(top): {"_sd": []} for top, _ in kind.nested}
    for top, name in sorted(kind.nested, key=str):
        inner[str(top)]["_sd"].append(name)
    return {"_sd": sorted(kind.always & payload.keys()), **inner}


@pytest.fixture
def start(world: World, foreign: Stranger, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Puts the foreign issuer, sealing with a key, in the place of the city's bureau."""
    body = world.city.bodies["bureau"]

    def begin(signer: SoftwareSigner) -> None:
        payload = envelope(world)
        chain = body.x5c if signer is body.signer else []
        url = foreign.ask(
            "start", identifier=BUREAU, configurations={SEALED: CONFIGURATIONS[SEALED]},
            batch_size=5, signing_key=private_jwk(signer), payload=payload, frame=frame(payload),
            header={"kid": signer.public.kid, "x5c": chain},
        )["url"]  # fmt: skip
        find_here(monkeypatch, BUREAU.removeprefix("https://"), url)

    return begin


def kept(person: Person, name: str) -> tuple[int, int]:
    """Certificates and unused keys."""
    backup = person.ask("backup", person.home / name)
    return backup["credentials"], backup["unused_keys"]


@pytest.mark.parametrize("by_reference", [True, False])
def test_what_a_foreign_issuer_seals_is_received(
    world: World, person: Person, foreign: Stranger, start: Start, *, by_reference: bool
) -> None:
    start(world.city.bodies["bureau"].signer)
    link = foreign.ask("offer", configuration=SEALED, tx_code="493536", by_reference=by_reference)
    assert person.refused("receive", link, "--yes", "--tx-code", "000000")[0] == 1
    got = person.ask("receive", link, "--yes", "--tx-code", "493536", "--copies", "3")
    (row,) = got["received"]
    assert (row["formats"], row["known"]["outcome"]) == (["dc+sd-jwt"] * 3, "accept")
    assert kept(person, "count") == (1, 0)
    assert foreign.ask("events") == ["credential_accepted"]


def test_what_a_foreign_issuer_promises_is_waited_for(
    world: World, person: Person, foreign: Stranger, start: Start
) -> None:
    start(world.city.bodies["bureau"].signer)
    foreign.ask("delay", later=2)
    link = foreign.ask("offer", configuration=SEALED)
    got = person.ask("receive", link, "--yes", "--wait", "20")
    assert (len(got["received"]), got["waiting"]) == (1, [])
    assert foreign.ask("events") == ["credential_accepted"]


def test_a_foreign_issuer_that_nobody_lists_is_refused(
    person: Person, foreign: Stranger, start: Start
) -> None:
    start(key("an issuer of its own grace"))
    link = foreign.ask("offer", configuration=SEALED)
    assert person.refused("receive", link, "--yes") == (1, "KEY_UNKNOWN")
    assert kept(person, "count") == (0, 0)
    assert foreign.ask("events") == ["credential_failure"]
