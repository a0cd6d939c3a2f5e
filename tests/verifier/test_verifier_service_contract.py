"""Who may call what, and that no answer of the service is one that its document does not know."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from contracts import try_operations
from verifier_service import VerifierService, verifier_service

ANYBODY, NOBODY = "anybody", "nobody"
ROLES = ("desk", "auditor")
# Route -> who may call it. A new route without a row fails the test.
ACCESS: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "/healthz"): (ANYBODY,),
    ("GET", "/readyz"): (ANYBODY,),
    ("GET", "/metrics"): (ANYBODY,),
    ("POST", "/v1/checks"): (ANYBODY,),
    ("POST", "/v1/checks/batch"): (ANYBODY,),
    ("GET", "/v1/receipts"): ("auditor",),
    ("GET", "/v1/receipts/{number}"): ("auditor",),
    ("POST", "/v1/presentations"): ("desk",),
    ("GET", "/v1/presentations/{number}"): ("desk",),
    ("POST", "/v1/presentations/{number}/return"): ("desk",),
    ("GET", "/oid4vp/request/{number}"): (ANYBODY,),
    ("POST", "/oid4vp/request/{number}"): (ANYBODY,),
    ("POST", "/oid4vp/response/{number}"): (ANYBODY,),
    ("GET", "/presented/{number}"): (ANYBODY,),
}
BODIES = {
    "/v1/presentations": {"query": "professional-title"},
    "/v1/presentations/{number}/return": {"response_code": "x"},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerifierService]:
    with verifier_service(tmp_path_factory.mktemp("verifier"), with_access=True) as running:
        yield running


def routes(service: VerifierService) -> set[tuple[str, str]]:
    document = service.client.get("/openapi.json").json()
    return {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }


def test_every_route_has_a_row(service: VerifierService) -> None:
    assert routes(service) == set(ACCESS)


@pytest.mark.parametrize("route", ACCESS, ids=" ".join)
def test_a_route_lets_in_whom_its_row_names_and_nobody_else(
    service: VerifierService, route: tuple[str, str]
) -> None:
    method, path = route
    tried = {role: service.token(role) for role in ROLES}
    tried |= {NOBODY: {}, "stranger": {"Authorization": "Bearer tsk_unknown"}}
    for who, headers in tried.items():
        answer = service.client.request(
            method, path.replace("{number}", "unknown"), headers=headers, json=BODIES.get(path)
        )
        if ANYBODY in ACCESS[route]:
            assert answer.status_code not in (401, 403)
        elif who not in ROLES:
            assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        elif who not in ACCESS[route]:
            assert (answer.status_code, answer.json()["code"]) == (403, "ROLE_MISSING")
        else:
            assert answer.status_code in (200, 201, 404)


def test_a_head_tells_what_a_get_would(service: VerifierService) -> None:
    wish = {"query": "professional-title"}
    begun = service.client.post("/v1/presentations", json=wish, headers=service.token("desk"))
    request = urlsplit(begun.json()["request_uri"]).path
    for path in (request, "/presented/unknown"):
        head, got = service.client.head(path), service.client.get(path)
        assert (head.status_code, got.status_code, head.content) == (200, 200, b"")
        for name in ("content-length", "content-type", "cache-control"):
            assert head.headers[name] == got.headers[name]
    assert service.client.head("/oid4vp/request/unknown").status_code == 404


def test_an_operator_that_has_ended_is_nobody(service: VerifierService) -> None:
    from verifier.operators.service import end_operator, new_operator

    now = service.station.clock()
    token = new_operator(service.station.engine, "leaving", ["desk"], now=now)
    headers = {"Authorization": f"Bearer {token}"}
    assert service.client.get("/v1/presentations/x", headers=headers).status_code == 404
    end_operator(service.station.engine, "leaving", now=now)
    assert service.client.get("/v1/presentations/x", headers=headers).status_code == 401


@pytest.mark.parametrize("role", ROLES)
def test_no_answer_is_one_that_the_document_does_not_know(
    service: VerifierService, role: str
) -> None:
    assert try_operations(str(service.client.base_url), headers=service.token(role)) == len(ACCESS)
