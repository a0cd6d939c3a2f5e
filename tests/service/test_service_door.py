import io
import json
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict
from serving import http_client, serving

from talentseal.errors import RefusedError, UnavailableError, UsageError
from talentseal.service.answers import check_match
from talentseal.service.app import MAX_BODY_BYTES, Service, new_app
from talentseal.service.auth import bearer_of, new_token, token_digest
from talentseal.service.idempotency import key_of
from talentseal.service.limits import Limiter, Rate, near, parse_rate
from talentseal.service.logs import Log, allow_listed


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    title: str
    size: int


class BrokenError(Exception):
    pass


LOGGED = io.StringIO()


def logged(request_id: str) -> dict[str, object]:
    """The line of a request; it is written after the answer has gone out."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for line in LOGGED.getvalue().splitlines():
            found: dict[str, object] = json.loads(line)
            if found.get("request_id") == request_id:
                return found
        time.sleep(0.01)
    raise AssertionError("no line of that request")


PLENTY = Rate(100_000, 60)


def build(rate: Rate = PLENTY) -> FastAPI:
    def gone() -> None:
        raise UnavailableError("the key device does not answer")

    service = Service(
        "trial",
        Log("trial", LOGGED),
        ready={"device": gone},
        rate=rate,
        body_caps={"/large": 10},
    )
    app = new_app("Trial", service)

    @app.post("/notes")
    def notes(note: Note) -> Note:
        return note

    @app.post("/large")
    async def large(request: Request) -> Response:
        return Response(await request.body())

    @app.get("/refused")
    def refused() -> None:
        raise RefusedError("not here", code="STATE_CONFLICT", hint="Try there.")

    @app.get("/broken")
    def broken() -> None:
        raise BrokenError("secret-word")

    @app.put("/tagged")
    def tagged(request: Request) -> None:
        check_match(request, '"2"')

    @app.get("/me")
    def me(request: Request) -> str:
        return token_digest(bearer_of(request.headers.get("authorization")))

    return app


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    with serving(build()) as url, http_client(url) as client:
        yield client


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert document["code"] == code
    assert document["instance"] == answer.headers["x-request-id"]
    return document


def test_a_good_body_is_taken(client: httpx2.Client) -> None:
    answer = client.post("/notes", json={"title": "a", "size": 1})
    assert (answer.status_code, answer.json()) == (200, {"title": "a", "size": 1})
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "body", [b'{"title":"a","title":"b","size":1}', b"{", b"\xff", b'{"size":NaN}', b"[" * 5000]
)
def test_a_body_that_is_no_strict_json_is_refused(client: httpx2.Client, body: bytes) -> None:
    answer = client.post("/notes", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 413)
    assert answer.json()["code"] in ("MALFORMED", "TOO_LARGE")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "a"])
def test_a_body_that_is_not_said_to_be_json_is_refused_as_such(
    client: httpx2.Client, kind: str | None
) -> None:
    headers = {} if kind is None else {"content-type": kind}
    answer = client.post("/notes", content=b'{"title":"a","size":1}', headers=headers)
    problem(answer, 415, "MEDIA_TYPE_UNSUPPORTED")
    problem(client.post("/notes", headers=headers), 422, "REQUEST_INVALID")


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        (['"2"'], 200),
        (['"1", "2"'], 200),
        (['"1"', '"2"'], 200),
        (['"2"', '"1"'], 200),
        (['"1"'], 412),
        (['W/"2"'], 412),
        (['*, "1"'], 412),
        (["*"], 428),
        ([], 428),
    ],
)
def test_a_change_names_the_version_that_it_was_made_from(
    client: httpx2.Client, tags: list[str], status: int
) -> None:
    answer = client.put("/tagged", headers=[("if-match", tag) for tag in tags])
    assert answer.status_code == status


@pytest.mark.parametrize("end", [b"\xa0", b"\x85"])
def test_a_token_ends_where_its_last_letter_stands(client: httpx2.Client, end: bytes) -> None:
    token = new_token()
    told = b"Bearer " + token.encode()
    with_more = client.get("/me", headers={b"authorization": told + end})
    assert with_more.json() != token_digest(token)


def test_blanks_around_a_key_or_a_token_are_none_of_it() -> None:
    """RFC 9110 §5.5; clients that are in use do not send them, and some servers leave them on."""
    key, token = "k" * 16, new_token()
    assert key_of(f" {key} \t") == key
    assert bearer_of(f"Bearer {token} \t") == token
    for bad in (None, "", " ", "k" * 15, f"{key}\xa0", f"{key} {key}"):
        with pytest.raises(UsageError, match="carries an Idempotency-Key"):
            key_of(bad)


@pytest.mark.parametrize("path", ["/notes", "/large"])
def test_a_body_in_a_coding_is_refused_before_it_is_read(client: httpx2.Client, path: str) -> None:
    for coding in ("gzip", "identity, gzip", "x"):
        answer = client.post(path, json={}, headers={"content-encoding": coding})
        problem(answer, 415, "MEDIA_TYPE_UNSUPPORTED")
        assert answer.headers["accept-encoding"] == "identity"
    plain = client.post("/large", content=b"a", headers={"content-encoding": "Identity"})
    assert plain.content == b"a"


@pytest.mark.parametrize(
    "name", ["authorization", "content-encoding", "content-type", "idempotency-key"]
)
def test_a_header_that_means_one_thing_is_not_sent_twice(client: httpx2.Client, name: str) -> None:
    answer = client.get("/me", headers=[(name, "identity"), (name.title(), "other")])
    assert problem(answer, 400, "REQUEST_INVALID")["detail"] == f"Send {name} once."
    several = [("accept", "a/b"), ("accept", "c/d"), ("authorization", "Bearer a")]
    assert client.get("/me", headers=several).status_code == 200


def test_every_fault_of_a_shape_is_pointed_at_without_its_value(client: httpx2.Client) -> None:
    answer = client.post("/notes", json={"title": 5, "size": "personal", "role": "admin"})
    document = problem(answer, 422, "REQUEST_INVALID")
    assert {one["pointer"] for one in document["errors"]} == {"/title", "/size", "/role"}  # type: ignore[attr-defined]
    assert "personal" not in answer.text


def test_a_body_over_its_cap_is_refused_whether_it_says_so_or_not(client: httpx2.Client) -> None:
    problem(client.post("/large", content=b"12345678901"), 413, "BODY_TOO_LARGE")
    pieces = (b"x" * 4 for _ in range(4))
    problem(client.post("/large", content=pieces), 413, "BODY_TOO_LARGE")
    assert client.post("/large", content=b"1234567890").content == b"1234567890"
    problem(client.post("/notes", content=b" " * (MAX_BODY_BYTES + 1)), 413, "BODY_TOO_LARGE")


def test_headers_over_their_cap_are_refused(client: httpx2.Client) -> None:
    problem(client.get("/refused", headers={"x-much": "y" * 17_000}), 431, "HEADERS_TOO_LARGE")
    problem(client.get("/refused?q=" + "y" * 9_000), 431, "HEADERS_TOO_LARGE")


def test_errors_of_ours_keep_their_code_and_hint(client: httpx2.Client) -> None:
    assert problem(client.get("/refused"), 409, "STATE_CONFLICT")["detail"] == "Try there."
    problem(client.get("/nowhere"), 404, "NOT_FOUND")
    problem(client.put("/refused"), 405, "METHOD_NOT_ALLOWED")


def test_a_fault_of_ours_says_nothing_of_itself(client: httpx2.Client) -> None:
    answer = client.get("/broken")
    problem(answer, 500, "INTERNAL_ERROR")
    line = logged(answer.headers["x-request-id"])
    assert line["fault"] == "BrokenError"
    assert "secret-word" not in answer.text + LOGGED.getvalue()


def test_readiness_names_the_part_that_is_missing(client: httpx2.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["device"]["code"] == "DEPENDENCY_UNAVAILABLE"


def test_tokens_are_taken_from_the_header_alone(client: httpx2.Client) -> None:
    token = new_token()
    problem(client.get("/me", params={"access_token": token}), 401, "UNAUTHENTICATED")
    assert client.get("/me").headers["www-authenticate"] == "Bearer"
    assert client.get("/me", headers={"authorization": f"bEARER {token}"}).json() == token_digest(
        token
    )


def test_metrics_know_routes_and_no_addresses(client: httpx2.Client) -> None:
    client.get("/nowhere/secret-number")
    told = client.get("/metrics").text
    assert 'route="unmatched"' in told
    assert "secret-number" not in told


def test_the_log_holds_listed_fields_only(client: httpx2.Client) -> None:
    client.get("/refused?name=Somebody", headers={"x-request-id": "abcdefgh-1"})
    line = logged("abcdefgh-1")
    assert (line["route"], line["code"]) == ("/refused", "STATE_CONFLICT")
    assert "Somebody" not in LOGGED.getvalue()
    assert allow_listed({"route": "/x", "name": "Somebody"}) == {"route": "/x"}


def test_too_many_calls_are_told_when_to_come_back() -> None:
    with serving(build(Rate(3, 60))) as url, http_client(url) as client:
        assert [client.get("/refused").status_code for _ in range(3)] == [409] * 3
        answer = client.get("/refused")
        problem(answer, 429, "RATE_LIMITED")
        assert int(answer.headers["retry-after"]) <= 61
        assert answer.headers["ratelimit-policy"] == '"default";q=3;w=60'
        assert client.get("/healthz").status_code == 200


def test_a_limit_counts_each_network_in_each_window() -> None:
    limiter = Limiter(Rate(2, 60))
    assert [limiter.use("a", now).is_allowed for now in (0, 1, 2)] == [True, True, False]
    assert limiter.use("b", 3).is_allowed
    assert limiter.use("a", 61).left == 1
    assert near("192.0.2.77") == near("192.0.2.1") != near("192.0.3.1")
    assert near("2001:db8:0:1::1") == near("2001:db8:0:2::1")
    assert near("/run/socket") == "local"


@pytest.mark.parametrize("text", ["", "0/minute", "5", "5/day", "-1/minute", "9999999999/hour"])
def test_a_rate_has_one_spelling(text: str) -> None:
    assert parse_rate("600/minute", "X") == Rate(600, 60)
    with pytest.raises(UsageError, match="X is no rate"):
        parse_rate(text, "X")


@pytest.mark.parametrize(("path", "status"), [("/notes", 400), ("/large", 499)])
def test_a_caller_who_leaves_is_no_fault_of_ours(
    client: httpx2.Client, path: str, status: int
) -> None:
    name = f"leaver{path.replace('/', '-')}"
    place = client.base_url.host, client.base_url.port
    with socket.create_connection(place, timeout=10) as caller:
        caller.sendall(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: {name}\r\n"
            "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{".encode()
        )
    told = logged(name)
    assert (told["level"], told["status"]) == ("info", status)
    assert f'route="{path}",status="{status}"' in client.get("/metrics").text
    assert f'route="{path}",status="500"' not in client.get("/metrics").text
