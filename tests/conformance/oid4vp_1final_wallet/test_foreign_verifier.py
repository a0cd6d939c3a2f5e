"""Our wallet before a verifier of others' making: `@openid4vc/openid4vp`, `dcql`, `@sd-jwt`.

The verifier signs its request with a certificate of the city, and checks what comes back: the seal
by the chain inside, the status by the published list, the proof of the holder's key, its nonce and
its audience.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from conformance.wallet_network import TITLE, find_here
from simulator import World, key
from strangers import Stranger, StrangerError, private_jwk, stranger
from wallet_people import Person, seal_for

from talentseal import x509
from talentseal.keys import SoftwareSigner

HOST = "harbour.city.example"
NAME = {"path": ["display_name"]}


@pytest.fixture(scope="module")
def foreign() -> Iterator[Stranger]:
    with stranger("verifier") as running:
        yield running


def begin(
    world: World,
    foreign: Stranger,
    patch: pytest.MonkeyPatch,
    *,
    signer: SoftwareSigner | None = None,
) -> None:
    """Put the foreign verifier in the place of a harbour that the city certified.

    signer  what it signs with instead of the certified key
    """
    certified = key("harbour of the foreign verifier")
    (token,) = [data for name, data in world.city.status_tokens().items() if name.endswith(".jwt")]
    url = foreign.ask(
        "start", host=HOST, key=private_jwk(signer or certified),
        x5c=x509.chain_text(world.city.chain_for(f"https://{HOST}", certified)),
        anchor=x509.chain_text([world.city.root])[0],
        statuses={world.city.status_uri: token.decode()},
    )["url"]  # fmt: skip
    find_here(patch, HOST, url)


@pytest.fixture
def asking(world: World, foreign: Stranger, monkeypatch: pytest.MonkeyPatch) -> Stranger:
    begin(world, foreign, monkeypatch)
    return foreign


def wanted(*claims: dict[str, Any], **members: Any) -> dict[str, Any]:
    credential = {"id": "title", "format": "dc+sd-jwt", "meta": {"vct_values": [TITLE]}}
    return {"credentials": [{**credential, "claims": list(claims), **members}]}


@pytest.mark.parametrize("prefix", ["x509_san_dns", "x509_hash"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_what_the_wallet_shows_is_accepted_by_a_foreign_verifier(
    holder: Person, asking: Stranger, prefix: str, *, encrypted: bool
) -> None:
    query = wanted(NAME, {"path": ["id_document", "number_tail"]})
    request = asking.ask("ask", prefix=prefix, encrypted=encrypted, query=query)
    sent = holder.ask("present", request["link"], "--yes")
    assert sent["to"].startswith(f"{prefix}:")
    told = asking.ask("answer", id=request["id"])
    assert told["type"] == ("Encrypted" if encrypted else "plain")
    (claims,) = told["shown"]["title"]
    assert {"display_name", "id_document"} <= claims.keys()
    assert "number_tail" in claims["id_document"]
    assert not {"birthdate", "sex", "nationality"} & claims.keys()
    assert "number" not in claims["id_document"]


def test_a_foreign_verifier_reads_in_our_status_list_what_is_revoked(
    world: World, person: Person, foreign: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = seal_for(world.city, person.keys())
    person.receive(issued)
    world.city.list.set(issued.index, 1)
    begin(world, foreign, monkeypatch)
    request = foreign.ask("ask", prefix="x509_san_dns", encrypted=False, query=wanted(NAME))
    assert person.refused("present", request["link"], "--yes") == (1, "PRESENTATION_REJECTED")
    with pytest.raises(StrangerError, match="Status is not valid"):
        foreign.ask("answer", id=request["id"])


def test_a_foreign_verifier_that_nobody_certified_gets_no_answer(
    holder: Person, world: World, foreign: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(world, foreign, monkeypatch, signer=key("nobody's harbour"))
    request = foreign.ask("ask", prefix="x509_san_dns", encrypted=False, query=wanted(NAME))
    assert holder.refused("present", request["link"], "--yes") == (1, "SIGNATURE_INVALID")
    assert foreign.ask("answer", id=request["id"]) is None
