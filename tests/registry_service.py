"""A registry that serves over real HTTP, and those who call it: readers, issuers, operators."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from registry_desk import HK, STATION, SZ, Desk
from serving import http_client, serving

from registry.app import create_app
from registry.office import open_office
from registry.settings import load_settings
from schemas.registry import HELD_BLOCK_TYP, STATUS_BLOCK_REQUEST_TYP, STATUS_ORDER_TYP
from talentseal.commandline import now
from talentseal.encoding import dump_json, inflate, to_seconds
from talentseal.jose import sign_jws
from talentseal.keys import SoftwareSigner
from talentseal.status import StatusList, parse_status_token

JOSE = {"Content-Type": "application/jose"}
ROLES = ("admin", "registrar", "reader")
PATIENCE_SECONDS = 60  # of a test on a busy machine; a publication takes a fraction of a second


@dataclass
class Caller:
    """Somebody who calls a running registry."""

    url: str
    desk: Desk
    client: httpx2.Client
    tokens: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, role: str = "", **options: Any) -> httpx2.Response:
        return self.client.get(path, headers=self.headers(role) | options.pop("headers", {}),
                               **options)  # fmt: skip

    def send(self, path: str, role: str, body: object, key: str = "") -> httpx2.Response:
        """A call of an operator, under a new `Idempotency-Key` unless one is given."""
        headers = {"Idempotency-Key": key or secrets.token_hex(16), **self.headers(role)}
        return self.client.post(path, json=body, headers=headers)

    def sign(self, path: str, text: str) -> httpx2.Response:
        """A call of an issuer."""
        return self.client.post(path, content=text, headers=JOSE)

    def headers(self, role: str) -> dict[str, str]:
        if not role:
            return {}
        if role not in self.tokens:
            self.tokens[role] = new_operator(self.desk, role)
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    # what issuers do

    def block(self, signer: SoftwareSigner, count: int = 16, **claims: Any) -> dict[str, Any]:
        answer = self.sign("/v1/status/blocks", block_request(signer, count, **claims))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def order(
        self, signer: SoftwareSigner, seq: int, changes: Sequence[tuple[str, int, int]]
    ) -> httpx2.Response:
        return self.sign("/v1/status/orders", order(signer, seq, changes))

    # what everybody reads

    def status(self, uri: str) -> StatusList:
        token = self.get(f"/status/{uri.rsplit('/', 1)[1]}")
        assert token.status_code == 200
        found = parse_status_token(token.content)
        data = inflate(found.compressed, max_bytes=2**20)
        return StatusList(found.uri, found.bits, data, found.issued_at, None, None)

    def settle(self) -> None:
        """Wait until it has published what a service publishes when it begins."""
        begun = [f'talentseal_publications_total{{jurisdiction="{code}"}}' for code in (HK, SZ)]
        until(lambda: all(map(self.get("/metrics").text.__contains__, begun)))

    def wait_for(self, uri: str, idx: int, value: int) -> float:
        """Seconds until the public list says so."""
        begun = time.monotonic()
        until(lambda: self.status(uri).value(idx) == value)
        return time.monotonic() - begun


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def new_operator(desk: Desk, role: str) -> str:
    token: str = desk.ask("operator", "new", f"Operator {role}", "--role", role)["token"]
    return token


def order(
    signer: SoftwareSigner, seq: int, changes: Sequence[tuple[str, int, int]], **claims: Any
) -> str:
    payload = {
        "iss": STATION,
        "jti": f"order-{seq}",
        "iat": to_seconds(now()),
        "seq": seq,
        "changes": [{"uri": uri, "idx": idx, "value": value} for uri, idx, value in changes],
        **claims,
    }
    return signed(payload, STATUS_ORDER_TYP, signer)


def block_request(signer: SoftwareSigner, count: int, **claims: Any) -> str:
    payload = {
        "iss": STATION,
        "iat": to_seconds(now()),
        "jti": secrets.token_hex(16),
        "count": count,
        **claims,
    }
    return signed(payload, STATUS_BLOCK_REQUEST_TYP, signer)


def held_block(signer: SoftwareSigner, block: Mapping[str, Any], /, **claims: Any) -> str:
    """A block, as a registry answered with it, shown to it again."""
    payload = {
        "iss": STATION,
        "iat": to_seconds(now()),
        "jti": secrets.token_hex(16),
        "block": block["block"],
        "uri": block["uri"],
        "first": block["indices"][0],
        "count": len(block["indices"]),
        **claims,
    }
    return signed(payload, HELD_BLOCK_TYP, signer)


def signed(payload: object, typ: str, signer: SoftwareSigner) -> str:
    return sign_jws(dump_json(payload), {"typ": typ, "kid": signer.public.kid}, signer)


@contextmanager
def calling(desk: Desk) -> Iterator[Caller]:
    """Serve the registry of a desk."""
    app = create_app(open_office(load_settings(), now()))
    with serving(app) as url, http_client(url) as client:
        yield Caller(url, desk, client)


def published_versions(caller: Caller, code: str = SZ) -> dict[str, int]:
    items = caller.get("/v1/jurisdictions").json()["items"]
    return next(dict(one["versions"]) for one in items if one["jurisdiction"] == code)
