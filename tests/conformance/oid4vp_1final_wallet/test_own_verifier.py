"""The wallet before our own verifier: both sides of one standard, over a real server."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conformance.wallet_network import find_here
from serving import http_client, serving
from simulator import World
from verifier_service import HOST, VerifierService, WorldTrust, access_of
from wallet_people import Person, talk

from talentseal.policy import SHIPPED, shipped
from verifier.app import create_app
from verifier.presentations.queries import load_queries
from verifier.station import Station

ASKED = {"query": "professional-title", "place": "CN/9999", "purpose": "employment"}


@pytest.fixture
def service(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VerifierService]:
    trust = WorldTrust(world)
    policies = {name: shipped(name) for name in SHIPPED}
    station = Station(
        home=tmp_path / "verifier", trust=trust, clock=lambda: datetime.now(UTC),
        policies=policies, queries=load_queries(tmp_path),
    )  # fmt: skip
    station.home.mkdir(mode=0o700)
    station = dataclasses.replace(station, url=f"https://{HOST}", access=access_of(world))
    app = create_app(station)
    with (
        serving(app) as url,
        http_client(url) as client,
    ):
        find_here(monkeypatch, HOST, url)
        yield VerifierService(world, trust, station, client, app)


def begun(service: VerifierService, **changes: Any) -> dict[str, Any]:
    headers = service.token("desk")
    answer = service.client.post("/v1/presentations", json={**ASKED, **changes}, headers=headers)
    assert answer.status_code == 201, answer.text
    return {**answer.json(), "headers": headers}


def state_of(service: VerifierService, request: dict[str, Any]) -> dict[str, Any]:
    path = f"/v1/presentations/{request['id']}"
    found: dict[str, Any] = service.client.get(path, headers=request["headers"]).json()
    return found


@pytest.mark.parametrize("prefix", ["x509_san_dns", "x509_hash"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_what_the_wallet_shows_is_accepted(
    holder: Person, service: VerifierService, prefix: str, *, encrypted: bool
) -> None:
    service.trust.refresh()
    request = begun(service, client_id_prefix=prefix, encrypted=encrypted)
    assert holder.ask("present", request["request_url"], "--yes")["state"] == "sent"
    found = state_of(service, request)
    assert (found["state"], found["verdict"]["outcome"]) == ("answered", "accept")
    assert holder.run("present", request["request_url"], "--yes").code == 4  # no longer there


def test_a_browser_goes_on_where_the_verifier_says(
    holder: Person, service: VerifierService
) -> None:
    service.trust.refresh()
    request = begun(service, mode="same_device")
    sent = holder.ask("present", request["request_url"], "--yes")
    assert sent["redirect_uri"].startswith(f"https://{HOST}/presented/")
    assert "#response_code=" in sent["redirect_uri"]
    assert state_of(service, request)["state"] == "waiting"


def test_a_no_is_recorded_as_one(holder: Person, service: VerifierService) -> None:
    request = begun(service, client_id_prefix="redirect_uri")
    code, seen = talk("n\n", "present", request["request_url"], TALENTSEAL_HOME=str(holder.home))
    assert code == 1, seen
    assert state_of(service, request)["state"] == "declined"
