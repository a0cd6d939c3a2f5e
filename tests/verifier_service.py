"""A verifier's service on loopback, in a world of its own, with the clock in the test's hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from serving import http_client, serving
from simulator import World, key

from talentseal import x509
from talentseal.bundle import Bundle
from talentseal.encoding import from_seconds
from talentseal.policy import SHIPPED, shipped
from verifier.access import Access
from verifier.app import create_app
from verifier.operators.service import new_operator
from verifier.presentations.queries import load_queries
from verifier.station import Station

HOST = "verify.city.example"


def access_of(world: World) -> Access:
    """A key of this verifier with a certificate of Example City."""
    signer = key("verifier access")
    chain = world.city.chain_for(f"https://{HOST}", signer)
    return Access(HOST, signer, tuple(x509.chain_text(chain)))


class WorldTrust:
    """The trust data of a world, as of the last `refresh`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.bundle: Bundle = world.bundle()

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def refresh(self) -> None:
        self.bundle = self._world.bundle()


@dataclass
class VerifierService:
    """A running service, its world and a client of it."""

    world: World
    trust: WorldTrust
    station: Station
    client: httpx2.Client
    app: FastAPI

    def check(self, evidence: str, **members: Any) -> httpx2.Response:
        asked = {"place": "CN/9999", "purpose": "employment", **members}
        return self.client.post("/v1/checks", json={"evidence": evidence, **asked})

    def token(self, *roles: str) -> dict[str, str]:
        """Headers of a new operator."""
        name = f"operator {len(roles)} {self.station.random(6).hex()}"
        token = new_operator(self.station.engine, name, roles, now=self.station.clock())
        return {"Authorization": f"Bearer {token}"}


@contextmanager
def verifier_service(
    folder: Path, *, with_access: bool = False, world: World | None = None, **changes: Any
) -> Iterator[VerifierService]:
    """The service of Example City in `folder`; `changes` are of its Station."""
    world = world or World.honest()
    if with_access:
        changes = {"url": f"https://{HOST}", "access": access_of(world), **changes}
    trust = WorldTrust(world)

    def clock() -> datetime:
        return from_seconds(world.now)

    policies = {name: shipped(name) for name in SHIPPED}
    station = Station(
        home=folder, trust=trust, clock=clock, policies=policies, queries=load_queries(folder)
    )
    station = replace(station, **changes)
    app = create_app(station)
    with serving(app) as url, http_client(url) as client:
        yield VerifierService(world, trust, station, client, app)
