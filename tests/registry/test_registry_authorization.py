"""Every route, every role, and nobody: a route that is not in the table fails."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from registry_desk import Desk
from registry_service import ROLES, Caller, calling

from registry.app import create_app
from registry.office import open_office
from registry.settings import load_settings
from talentseal.commandline import now

EVERYBODY: frozenset[str] = frozenset({"", *ROLES})
ANYONE = frozenset(ROLES)
REGISTRARS = frozenset({"admin", "registrar"})
ADMINS = frozenset({"admin"})

# method and path -> who may call; "" is a caller without a token
MAY: dict[tuple[str, str], frozenset[str]] = {
    # health, and what everybody reads
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/metrics"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
    ("HEAD", "/openapi.json"): EVERYBODY,
    **{
        (method, path): EVERYBODY
        for method in ("GET", "HEAD")
        for path in (
            "/tuf/{code}/{name:path}",
            "/lists/{code}/issuers.jws",
            "/v1/bundle.zip",
            "/status/{list_id}",
            "/status",
            "/types/{type_name}/{major}",
            "/v1/types",
            "/v1/jurisdictions",
            "/v1/issuers",
        )
    },
    # what issuers prove by their signature
    ("POST", "/v1/status/orders"): EVERYBODY,
    ("POST", "/v1/status/blocks"): EVERYBODY,
    ("POST", "/v1/status/blocks/held"): EVERYBODY,
    ("POST", "/v1/enrolments"): EVERYBODY,
    # what operators look at
    ("GET", "/v1/enrolments"): ANYONE,
    ("GET", "/v1/bodies"): ANYONE,
    ("GET", "/v1/grants"): ANYONE,
    ("GET", "/v1/recognitions"): ANYONE,
    ("GET", "/v1/audit"): ANYONE,
    # and do
    ("POST", "/v1/enrolments/{request_id}/accept"): REGISTRARS,
    ("POST", "/v1/enrolments/{request_id}/refuse"): REGISTRARS,
    ("POST", "/v1/enrolments/refuse"): REGISTRARS,
    ("POST", "/v1/issuers"): REGISTRARS,
    ("POST", "/v1/blocks"): REGISTRARS,
    ("POST", "/v1/verifiers"): REGISTRARS,
    ("POST", "/v1/grants"): REGISTRARS,
    ("POST", "/v1/renewals"): REGISTRARS,
    ("POST", "/v1/grants/{jti}/withdraw"): REGISTRARS,
    ("POST", "/v1/publications"): REGISTRARS,
    ("POST", "/v1/jurisdictions"): ADMINS,
    ("POST", "/v1/delegations"): ADMINS,
    ("POST", "/v1/delegations/{jti}/withdraw"): ADMINS,
    ("POST", "/v1/recognitions"): ADMINS,
    ("POST", "/v1/recognitions/{jti}/withdraw"): ADMINS,
}
PARTS = {
    "{code}": "CN-4403", "{name:path}": "metadata/timestamp.json", "{list_id}": "nothing",
    "{type_name}": "professional-title", "{major}": "1", "{request_id}": "0" * 64,
    "{jti}": "g-0000",
}  # fmt: skip


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of every route, as the router itself knows them."""
    for found in _flat(app.routes):
        for method in getattr(found, "methods", None) or ():
            yield method, getattr(found, "path", "")


def _flat(found: Sequence[Any]) -> Iterator[Any]:
    for route in found:
        inner = getattr(route, "original_router", None)
        yield from _flat(inner.routes) if inner is not None else [route]


@pytest.fixture
def caller(desk: Desk) -> Iterator[Caller]:
    with calling(desk) as running:
        yield running


@pytest.mark.usefixtures("desk")
def test_every_route_stands_in_the_table() -> None:
    app = create_app(open_office(load_settings(), now()))
    found = set(routes(app))
    assert len(found) > 20
    assert found == MAY.keys()


def test_every_role_gets_in_where_it_may_and_nowhere_else(caller: Caller) -> None:
    wrong = []
    for (method, template), allowed in MAY.items():
        path = template
        for name, value in PARTS.items():
            path = path.replace(name, value)
        for role in ("", *ROLES):
            told = code_of(caller, method, path, role)
            wanted = "" if role in allowed else "ROLE_MISSING" if role else "UNAUTHENTICATED"
            if told != wanted:
                wrong.append((method, template, role, told))
    assert not wrong


def code_of(caller: Caller, method: str, path: str, role: str) -> str:
    """The refusal for who is calling, if that is what the call met; what it says is no matter."""
    if method == "POST":
        answer = caller.send(path, role, {"nobody": "asks for this"})
    else:
        answer = caller.client.request(method, path, headers=caller.headers(role))
    refused = answer.status_code in (401, 403)
    code = str(answer.json()["code"]) if refused and answer.content else ""
    return code if code in ("UNAUTHENTICATED", "ROLE_MISSING") else ""


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer tsk_wrong", "Basic YTpi", "Bearer " + "x" * 300]
)
def test_a_token_that_is_none_opens_nothing(caller: Caller, header: str) -> None:
    answer = caller.client.get("/v1/audit", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"
