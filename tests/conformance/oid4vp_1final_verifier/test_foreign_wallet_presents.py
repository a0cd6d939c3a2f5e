"""Our verifier before a wallet of others' making: `@openid4vc/openid4vp`, `dcql`, `@sd-jwt`.

The wallet checks who asks, evaluates the query, discloses what was asked for and no more, binds it
to this request with a proof of its key, and posts it plain or encrypted.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from simulator import World
from strangers import Stranger, StrangerError, private_jwk, stranger
from verifier_service import HOST, VerifierService, verifier_service

from talentseal import x509

ASKED = {"query": "professional-title", "place": "CN/9999", "purpose": "employment"}


@pytest.fixture(scope="module")
def foreign() -> Iterator[Stranger]:
    with stranger("wallet") as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerifierService]:
    """In a world of this hour, because the wallet reads the machine's clock."""
    world = World.honest(int(time.time()))
    with verifier_service(
        tmp_path_factory.mktemp("verifier"), with_access=True, world=world,
        clock=lambda: datetime.now(UTC),
    ) as running:  # fmt: skip
        yield running


class Desk:
    """Who asks, and what became of it."""

    def __init__(self, service: VerifierService, **wish: Any) -> None:
        self.service, self.headers = service, service.token("desk")
        answer = service.client.post(
            "/v1/presentations", json={**ASKED, **wish}, headers=self.headers
        )
        assert answer.status_code == 201, answer.text
        self.begun = answer.json()

    def shown_by(self, foreign: Stranger, **changes: Any) -> dict[str, Any]:
        """The foreign wallet presents a title to this request."""
        held = self.service.world.city.issue()
        self.service.trust.refresh()
        told: dict[str, Any] = foreign.ask("present", **{
            "link": self.begun["request_url"], "text": held.text,
            "holder": private_jwk(held.holder),
            "anchor": x509.chain_text([self.service.world.city.root])[0],
            "hosts": {HOST: str(self.service.client.base_url).rstrip("/")}, **changes,
        })  # fmt: skip
        return told

    @property
    def outcome(self) -> dict[str, Any]:
        path = f"/v1/presentations/{self.begun['id']}"
        found: dict[str, Any] = self.service.client.get(path, headers=self.headers).json()
        return found


@pytest.mark.parametrize("prefix", ["x509_san_dns", "x509_hash", "redirect_uri"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_what_a_foreign_wallet_shows_is_accepted(
    service: VerifierService, foreign: Stranger, prefix: str, *, encrypted: bool
) -> None:
    desk = Desk(service, client_id_prefix=prefix, encrypted=encrypted)
    told = desk.shown_by(foreign)
    assert (told["prefix"], told["signed"]) == (prefix, prefix != "redirect_uri")
    assert told["mode"] == ("direct_post.jwt" if encrypted else "direct_post")
    assert (told["status"], told["body"]) == (200, {})
    found = desk.outcome
    assert (found["state"], found["verdict"]["outcome"]) == ("answered", "accept")
    shown = found["verdict"]["credential"]["claims"]
    assert {"display_name", "certificate_number"} <= shown.keys()
    assert "birthdate" not in shown


def test_a_foreign_wallet_is_told_where_its_browser_goes_on(
    service: VerifierService, foreign: Stranger
) -> None:
    told = Desk(service, mode="same_device").shown_by(foreign)
    assert told["body"]["redirect_uri"].startswith(f"https://{HOST}/presented/")


def test_a_foreign_wallet_with_a_strangers_key_is_refused(
    service: VerifierService, foreign: Stranger
) -> None:
    desk = Desk(service)
    thief = private_jwk(service.world.city.issue().holder)
    told = desk.shown_by(foreign, holder=thief)
    assert (told["status"], told["body"]) == (400, {"error": "invalid_request"})
    assert desk.outcome["state"] == "rejected"


def test_a_foreign_wallet_does_not_answer_who_is_certified_by_nobody_it_trusts(
    service: VerifierService, foreign: Stranger
) -> None:
    desk = Desk(service)
    stranger_ca = x509.chain_text([service.world.hk.root])[0]
    with pytest.raises(StrangerError, match="broken chain"):
        desk.shown_by(foreign, anchor=stranger_ca)
    assert desk.outcome["state"] == "waiting"
