import gzip
import io
import time
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from postgres import both_databases
from registry_desk import HK, STATION, SZ, Desk
from registry_service import Caller, block_request, calling, order, published_versions, until
from sqlalchemy import text

from registry.database import transaction
from registry.house import House
from registry.issuers.enrolling import MAX_WAITING, MAX_WAITING_OF_BODY
from registry.issuers.models import EnrolmentRequestRow
from registry.office import open_office
from registry.publishing.shelf import Shelf
from registry.settings import load_settings
from registry.status_lists.endpoints import takes_gzip, wanted_form
from schemas.types import load_type
from talentseal.commandline import now
from talentseal.encoding import to_seconds
from talentseal.fetch import Fetcher
from talentseal.keys import SoftwareSigner, new_signer
from talentseal.service.app import new_service
from talentseal.service.database import connect
from talentseal.sources import HttpSource
from talentseal.status import parse_status_token
from talentseal.sync import Pin, synchronise
from talentseal.trustdb import open_bundle

GOAL_SECONDS = 5.0  # from a revocation to the signed list


@pytest.fixture
def caller(desk: Desk) -> Iterator[Caller]:
    with calling(desk) as running:
        yield running


def list_name(caller: Caller) -> str:
    uris: list[str] = caller.get("/status").json()["status_lists"]
    return next(uri for uri in uris if ".sz." in uri).rsplit("/", 1)[1]


# --- what everybody reads -------------------------------------------------------------------------


def test_a_desk_takes_everything_over_http(caller: Caller, tmp_path: Path) -> None:
    root = caller.get("/tuf/HK/metadata/1.root.json").content
    source = HttpSource(caller.url, Fetcher(dev=True), end=time.monotonic() + 60)
    changes = synchronise(tmp_path / "desk", source, Pin(root), now=now())
    assert {(one.jurisdiction, one.refused) for one in changes} == {(HK, None), (SZ, None)}
    assert open_bundle(tmp_path / "desk").find_issuer(STATION) == [SZ]


def test_versioned_files_never_change_and_the_timestamp_is_short_lived(caller: Caller) -> None:
    caller.settle()
    fixed = caller.get("/tuf/CN-4403/metadata/1.root.json")
    assert "immutable" in fixed.headers["cache-control"]
    assert fixed.headers["access-control-allow-origin"] == "*"
    stamp = caller.get("/tuf/CN-4403/metadata/timestamp.json")
    assert stamp.headers["cache-control"] == "public, max-age=30"
    again = caller.get(
        "/tuf/CN-4403/metadata/timestamp.json", headers={"If-None-Match": stamp.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/tuf/CN-4403/metadata/../../../registry.db",
        "/tuf/CN-4403/metadata/%2e%2e/%2e%2e/%2e%2e/registry.db",
        "/tuf/../registry.db",
        "/tuf/CN-4403/metadata/.timestamp.json",
        "/tuf/CN-4403/metadata/01.root.json",
        "/tuf/CN-4403/metadata/1.root.json/",
        "/tuf/CN-4403//metadata/1.root.json",
        "/tuf/CN-4403/metadata",
        "/tuf/XX/metadata/timestamp.json",
        "/tuf/cn-4403/metadata/timestamp.json",
        "/lists/XX/issuers.jws",
        "/status/../readyz",
        "/types/professional-title/9",
    ],
)
def test_what_is_not_published_is_not_there(caller: Caller, path: str) -> None:
    host, port = caller.url.removeprefix("http://").split(":")
    connection = HTTPConnection(host, int(port), timeout=60)
    connection.request("GET", path)  # as it stands: other clients would tidy it
    answer = connection.getresponse()
    assert answer.status == 404
    assert b'"NOT_FOUND"' in answer.read()
    connection.close()


def test_a_link_in_the_public_folder_is_not_followed(caller: Caller, desk: Desk) -> None:
    name = "metadata/77.root.json"
    (desk.public / "CN-4403" / name).symlink_to(desk.home / "registry" / "dev-passphrase")
    assert caller.get(f"/tuf/CN-4403/{name}").status_code == 404


def test_a_status_list_comes_in_both_forms_from_one_address(caller: Caller) -> None:
    path = f"/status/{list_name(caller)}"
    found = {}
    for accept in ("application/statuslist+jwt", "application/statuslist+cwt", "text/html"):
        answer = caller.get(path, headers={"Accept": accept})
        assert answer.headers["cache-control"] == "public, max-age=900"
        found[accept] = (answer.headers["content-type"], parse_status_token(answer.content).form)
    assert found["application/statuslist+cwt"] == ("application/statuslist+cwt", "cwt")
    assert found["text/html"] == found["application/statuslist+jwt"]


def test_the_text_form_is_zipped_for_who_takes_it(caller: Caller) -> None:
    caller.settle()
    path = f"/status/{list_name(caller)}"
    plain = caller.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with caller.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as zipped:
        assert zipped.headers["content-encoding"] == "gzip"
        assert zipped.headers["etag"] != plain.headers["etag"]
        assert gzip.decompress(b"".join(zipped.iter_raw())) == plain.content
    binary = caller.get(path, headers={"Accept": "application/statuslist+cwt"})
    assert "content-encoding" not in binary.headers


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "jwt"),
        ("*/*", "jwt"),
        ("application/statuslist+cwt, */*;q=0.1", "cwt"),
        ("application/statuslist+cwt;q=0.5, application/statuslist+jwt", "jwt"),
        ("application/statuslist+cwt;q=nonsense", "jwt"),
        ("application/*, application/statuslist+jwt;q=0.2", "cwt"),
        (",;,", "jwt"),
    ],
)
def test_the_form_is_chosen_by_weight(accept: str, form: str) -> None:
    assert wanted_form(accept) == form


@pytest.mark.parametrize(
    ("accepted", "is_taken"),
    [("gzip", True), ("br, *", True), ("gzip;q=0", False), ("", False), ("identity", False)],
)
def test_nobody_gets_gzip_who_does_not_take_it(accepted: str, is_taken: bool) -> None:  # noqa: FBT001
    assert takes_gzip(accepted) is is_taken


def test_lists_of_the_past_would_follow_a_person_and_are_not_offered(caller: Caller) -> None:
    answer = caller.get(f"/status/{list_name(caller)}", params={"time": "1686925000"})
    assert (answer.status_code, answer.json()["code"]) == (501, "NOT_OFFERED")


def test_a_head_tells_what_a_get_would(caller: Caller) -> None:
    caller.settle()
    for path in ("/tuf/HK/metadata/1.root.json", f"/status/{list_name(caller)}", "/v1/types"):
        head, got = caller.client.head(path), caller.get(path)
        assert head.status_code == 200
        assert head.content == b""
        for name in ("etag", "content-length", "content-type", "cache-control"):
            assert head.headers[name] == got.headers[name]


def test_the_zip_holds_what_was_asked_for_and_keeps_its_tag(caller: Caller) -> None:
    answer = caller.get("/v1/bundle.zip", params={"jurisdiction": ["HK", "CN-4403"]})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist()[0].startswith("HK/")
        assert {name.split("/")[0] for name in archive.namelist()} == {"HK", "CN-4403"}
    caller.settle()
    tag = caller.get("/v1/bundle.zip", params={"jurisdiction": ["HK", SZ]}).headers["etag"]
    again = caller.get(
        "/v1/bundle.zip", params={"jurisdiction": ["HK", "CN-4403"]}, headers={"If-None-Match": tag}
    )
    assert again.status_code == 304
    assert caller.get("/v1/bundle.zip", params={"jurisdiction": "MO"}).status_code == 404


def test_types_jurisdictions_and_issuers_are_told_to_everybody(caller: Caller) -> None:
    kind = "professional-title/1"
    assert caller.get(f"/types/{kind}").content == load_type(kind)
    assert kind in [one["type"] for one in caller.get("/v1/types").json()["items"]]
    codes = [one["jurisdiction"] for one in caller.get("/v1/jurisdictions").json()["items"]]
    assert codes == [SZ, HK]
    found = caller.get("/v1/issuers", params={"type": kind, "territory": "CN/440305"}).json()
    (station,) = found["items"]
    assert station["entity_id"] == STATION
    assert [right["holds"] for right in station["rights"]] == [True]
    for nothing in ({"type": "talent-confirmation/1"}, {"territory": "HK"},
                    {"type": kind, "at": "2020-01-01T00:00:00Z"}):  # fmt: skip
        assert caller.get("/v1/issuers", params=nothing).json()["items"] == []


def test_lists_come_in_pages(caller: Caller) -> None:
    whole = caller.get("/v1/issuers").json()["items"]
    assert {one["kind"] for one in whole} == {"authority", "issuer", "status"}
    met, path = [], "/v1/issuers?limit=1"
    while path:
        answer = caller.get(path)
        met += answer.json()["items"]
        link = answer.links.get("next")
        path = link["url"] if link else ""
    assert met == whole


# --- issuers --------------------------------------------------------------------------------------


@both_databases
def test_a_revocation_is_in_the_signed_list_within_seconds(
    caller: Caller, station_key: SoftwareSigner
) -> None:
    block = caller.block(station_key)
    uri, indices = block["uri"], block["indices"]
    caller.settle()
    before = published_versions(caller)
    text = order(station_key, 1, [(uri, indices[0], 1)])
    assert caller.sign("/v1/status/orders", text).json() == {
        "state": "applied", "seq": 1, "outdated": 0,
    }  # fmt: skip
    assert caller.wait_for(uri, indices[0], 1) < GOAL_SECONDS * 4  # a busy machine has its leave
    assert published_versions(caller)["targets"] == before["targets"]
    again = caller.sign("/v1/status/orders", text)
    assert (again.status_code, again.json()["state"]) == (200, "known")
    assert caller.desk.read(SZ)["status/head.json"]


def test_the_same_order_again_is_known_and_changes_nothing(
    caller: Caller, station_key: SoftwareSigner
) -> None:
    block = caller.block(station_key)
    text = order(station_key, 1, [(block["uri"], block["indices"][0], 2)])
    assert [caller.sign("/v1/status/orders", text).json()["state"] for _ in range(2)] == [
        "applied", "known",
    ]  # fmt: skip
    other = order(station_key, 1, [(block["uri"], block["indices"][0], 0)])
    answer = caller.sign("/v1/status/orders", other)
    assert (answer.status_code, answer.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")


def test_many_orders_go_out_in_few_publications(
    caller: Caller, station_key: SoftwareSigner
) -> None:
    block = caller.block(station_key, 64)
    uri, indices = block["uri"], block["indices"]
    before = published_versions(caller)["status"]
    for seq, idx in enumerate(indices, start=1):
        assert caller.order(station_key, seq, [(uri, idx, 1)]).status_code == 200
    caller.wait_for(uri, indices[-1], 1)
    held = caller.status(uri)
    assert all(held.value(idx) == 1 for idx in indices)
    assert published_versions(caller)["status"] - before < len(indices) / 2


def test_an_order_publishes_its_own_jurisdiction_only(
    caller: Caller, station_key: SoftwareSigner
) -> None:
    block = caller.block(station_key)
    caller.settle()
    before = published_versions(caller, HK)
    caller.order(station_key, 1, [(block["uri"], block["indices"][0], 1)])
    caller.wait_for(block["uri"], block["indices"][0], 1)
    assert published_versions(caller, HK) == before


def test_orders_that_lie_in_the_folder_are_still_taken(
    caller: Caller, station_key: SoftwareSigner
) -> None:
    block = caller.block(station_key)
    caller.desk.order(station_key, 1, [(block["uri"], block["indices"][0], 1)])
    caller.wait_for(block["uri"], block["indices"][0], 1)
    assert (caller.desk.orders / "done" / "order-1.jws").exists()


@both_databases
def test_the_same_request_gets_the_same_block(caller: Caller, station_key: SoftwareSigner) -> None:
    text = block_request(station_key, 8, jti="a" * 16)
    first, second = (caller.sign("/v1/status/blocks", text).json() for _ in range(2))
    assert first == second
    assert len(set(first["indices"])) == 8
    other = caller.sign("/v1/status/blocks", block_request(station_key, 9, jti="a" * 16))
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    trail = caller.get("/v1/audit", "reader", params={"actor": STATION}).json()["items"]
    assert [(one["act"], one["subject"]) for one in trail] == [("block", STATION)]
    third = caller.block(station_key, 8)
    assert not set(third["indices"]) & set(first["indices"])


@pytest.fixture
def full(desk: Desk) -> Desk:
    """Every index that could be handed out is gone."""
    with transaction(connect(desk.database)) as session:
        session.execute(text("UPDATE status_list SET next_free = size"))
    return desk


def wait_for_a_list(caller: Caller) -> None:
    """A second list is published, whether it may be used or not."""
    until(lambda: len(caller.get("/status").json()["status_lists"]) > len((SZ, HK)))


def test_a_new_list_is_used_once_it_was_read_at_the_address_that_everybody_uses(
    full: Desk, station_key: SoftwareSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with calling(full) as neighbour:  # serves the same files
        monkeypatch.setenv("TALENTSEAL_DEV", "1")
        monkeypatch.setenv("TALENTSEAL_REGISTRY_URL", neighbour.url)
        with calling(full) as caller:
            request = block_request(station_key, 8)
            until(lambda: caller.sign("/v1/status/blocks", request).status_code == 200)


def test_no_index_of_a_list_is_used_that_cannot_be_read_in_public(
    full: Desk, station_key: SoftwareSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALENTSEAL_DEV", "1")
    monkeypatch.setenv("TALENTSEAL_REGISTRY_URL", "http://127.0.0.1:9")  # nobody is there
    with calling(full) as caller:
        wait_for_a_list(caller)
        until(lambda: 'outcome="failed"' in caller.get("/metrics").text)
        answer = caller.sign("/v1/status/blocks", block_request(station_key, 8))
        assert (answer.status_code, answer.json()["code"]) == (503, "STATUS_LIST_UNPUBLISHED")
        assert int(answer.headers["retry-after"]) > 0
        assert not caller.get("/readyz").json()["parts"]["status"]["ok"]


def test_a_block_is_for_listed_keys_fresh_requests_and_within_the_day(
    caller: Caller, station_key: SoftwareSigner
) -> None:
    def refused(text: str) -> tuple[int, str]:
        answer = caller.sign("/v1/status/blocks", text)
        return answer.status_code, answer.json()["code"]

    assert refused(block_request(new_signer(), 8)) == (403, "KEY_UNKNOWN")
    old = to_seconds(now()) - 2 * 86_400
    assert refused(block_request(station_key, 8, iat=old)) == (400, "REQUEST_INVALID")
    assert refused(block_request(station_key, 70_000)) == (400, "REQUEST_INVALID")
    assert refused(order(station_key, 1, [("https://x.example/s", 1, 1)]))[1] == "TYPE_CONFUSION"
    assert refused("no jws") == (400, "MALFORMED")


def test_a_body_of_another_kind_is_no_order(caller: Caller) -> None:
    answer = caller.client.post("/v1/status/orders", json={"seq": 1})
    assert (answer.status_code, answer.json()["code"]) == (415, "MEDIA_TYPE_UNSUPPORTED")


def test_an_issuer_asks_to_be_listed_and_an_operator_accepts(caller: Caller) -> None:
    key, entity = new_signer(), "https://other.sz.example"
    text = Path(caller.desk.request(key, entity)).read_text()
    asked = caller.sign("/v1/enrolments", text).json()
    assert (asked["state"], asked["answer"]) == ("waiting", None)
    (waiting,) = caller.get("/v1/enrolments", "reader", params={"state": "waiting"}).json()["items"]
    assert (waiting["id"], waiting["entity_id"], waiting["jurisdiction"]) == (
        asked["id"], entity, SZ,
    )  # fmt: skip
    path = f"/v1/enrolments/{asked['id']}/accept"
    accepted = caller.send(path, "registrar", {"block": 4}).json()
    assert caller.sign("/v1/enrolments", text).json() == accepted
    assert len(accepted["answer"]["blocks"][0]["indices"]) == 4
    assert list(accepted["answer"]["x5c"]) == [key.public.kid]
    again = caller.send(path, "registrar", {})
    assert (again.status_code, again.json()["code"]) == (409, "STATE_CONFLICT")


def test_a_refused_request_lists_nobody(caller: Caller) -> None:
    entity = "https://other.sz.example"
    text = Path(caller.desk.request(new_signer(), entity)).read_text()
    asked = caller.sign("/v1/enrolments", text).json()
    path = f"/v1/enrolments/{asked['id']}/refuse"
    assert caller.send(path, "registrar", None).json()["state"] == "refused"
    assert caller.sign("/v1/enrolments", text).json()["state"] == "refused"
    bodies = caller.get("/v1/bodies", "reader").json()["items"]
    assert entity not in [one["entity_id"] for one in bodies]


def test_strangers_cannot_fill_the_books(caller: Caller) -> None:
    outside = Path(caller.desk.request(new_signer(), "https://elsewhere.example")).read_text()
    answer = caller.sign("/v1/enrolments", outside)
    assert (answer.status_code, answer.json()["code"]) == (403, "ISSUER_OUTSIDE_NAMESPACE")
    for _ in range(MAX_WAITING_OF_BODY + 2):
        text = Path(caller.desk.request(new_signer(), "https://other.sz.example")).read_text()
        assert caller.sign("/v1/enrolments", text).status_code == 200
    assert len(waiting(caller)) == MAX_WAITING_OF_BODY


def test_a_stranger_who_names_a_body_cannot_keep_its_own_request_out(caller: Caller) -> None:
    body, key = "https://victim.sz.example", new_signer()
    for _ in range(MAX_WAITING_OF_BODY):
        text = Path(caller.desk.request(new_signer(), body)).read_text()
        assert caller.sign("/v1/enrolments", text).status_code == 200
    own = Path(caller.desk.request(key, body)).read_text()
    asked = caller.sign("/v1/enrolments", own)
    assert (asked.status_code, asked.json()["state"]) == (200, "waiting")
    (found,) = waiting(caller, kid=key.public.kid)
    path = f"/v1/enrolments/{found['id']}/accept"
    assert caller.send(path, "registrar", {}).json()["state"] == "accepted"


def test_a_key_that_asks_anew_takes_the_place_of_its_own_request(caller: Caller) -> None:
    key = new_signer()
    for name in ("The first", "The second"):
        text = Path(
            caller.desk.request(key, "https://again.sz.example", names={"en": name})
        ).read_text()
        assert caller.sign("/v1/enrolments", text).status_code == 200
    (found,) = waiting(caller, kid=key.public.kid)
    assert found["names"]["en"] == "The second"


@both_databases
def test_when_the_books_are_full_the_oldest_gives_way_and_may_ask_again(caller: Caller) -> None:
    oldest = Path(caller.desk.request(new_signer(), "https://early.sz.example")).read_text()
    assert caller.sign("/v1/enrolments", oldest).json()["state"] == "waiting"
    found = {"state": "waiting", "jurisdiction": SZ, "names": {}, "jws": "", "received_at": 2**33}
    with transaction(connect(caller.desk.database)) as session:
        session.add_all(
            EnrolmentRequestRow(id=f"{i}", entity_id=f"https://{i}.sz.example", kid=f"{i}", **found)
            for i in range(MAX_WAITING - 1)
        )
    newest = Path(caller.desk.request(new_signer(), "https://late.sz.example")).read_text()
    assert caller.sign("/v1/enrolments", newest).json()["state"] == "waiting"
    assert count_waiting(caller) == MAX_WAITING
    assert waiting(caller, iss="https://early.sz.example") == []
    assert caller.sign("/v1/enrolments", oldest).json()["state"] == "waiting"
    assert len(waiting(caller, iss="https://early.sz.example")) == 1
    assert count_waiting(caller) == MAX_WAITING


def count_waiting(caller: Caller) -> int:
    with transaction(connect(caller.desk.database)) as session:
        query = "SELECT count(*) FROM enrolment_request WHERE state = 'waiting'"
        return int(session.execute(text(query)).scalar_one())


def test_a_clock_a_month_ahead_for_a_moment_erases_no_request(caller: Caller) -> None:
    request = Path(caller.desk.request(new_signer(), "https://early.sz.example")).read_text()
    assert caller.sign("/v1/enrolments", request).json()["state"] == "waiting"
    began, at = now(), SimpleNamespace(passed=0, ahead=31)
    office = open_office(load_settings(), began)
    house = House(
        office,
        lambda: began + timedelta(days=at.ahead, seconds=at.passed),
        Shelf(office.settings.public),
        new_service("registry", ready={}),
        steady=lambda: 5.0 + at.passed,
    )
    retention = house.jobs()[1]
    for at.passed, at.ahead in ((0, 31), (600, 0), (3600, 31), (4200, 31)):
        assert retention.run_once()
        assert count_waiting(caller) == 1
    at.passed = 7800  # an hour with the same clock
    assert retention.run_once()
    assert count_waiting(caller) == 0


def test_an_operator_clears_what_strangers_asked_in_the_name_of_a_body(caller: Caller) -> None:
    body, own, stranger = "https://victim.sz.example", new_signer(), new_signer()
    for key in (own, stranger):
        request = Path(caller.desk.request(key, body)).read_text()
        assert caller.sign("/v1/enrolments", request).json()["state"] == "waiting"
    other = Path(caller.desk.request(new_signer(), "https://other.sz.example")).read_text()
    assert caller.sign("/v1/enrolments", other).status_code == 200
    listed = {one["kid"]: one["id"] for one in waiting(caller, iss=body)}
    assert listed.keys() == {own.public.kid, stranger.public.kid}
    path = f"/v1/enrolments/{listed[own.public.kid]}/accept"
    assert caller.send(path, "registrar", {}).json()["state"] == "accepted"
    cleared = caller.send("/v1/enrolments/refuse", "registrar", {"entity_id": body})
    assert cleared.json() == {"entity_id": body, "refused": 1}
    assert [one["entity_id"] for one in waiting(caller)] == ["https://other.sz.example"]
    told = caller.sign("/v1/enrolments", request).json()
    assert told["state"] == "refused"
    acts = [one["act"] for one in caller.get("/v1/audit", "reader").json()["items"]]
    assert "enrolments refused" in acts


def test_a_listed_key_that_asks_again_pushes_nobody_out(
    caller: Caller, station_key: SoftwareSigner
) -> None:
    for _ in range(MAX_WAITING_OF_BODY):
        request = Path(caller.desk.request(new_signer(), STATION)).read_text()
        assert caller.sign("/v1/enrolments", request).status_code == 200
    again = Path(caller.desk.request(station_key, STATION)).read_text()
    assert caller.sign("/v1/enrolments", again).json()["state"] == "accepted"
    assert len(waiting(caller, iss=STATION)) == MAX_WAITING_OF_BODY


def waiting(caller: Caller, **wanted: str) -> list[dict[str, Any]]:
    params = {"state": "waiting", "limit": "200", **wanted}
    items: list[dict[str, Any]] = caller.get("/v1/enrolments", "reader", params=params).json()[
        "items"
    ]
    return items


# --- operators ------------------------------------------------------------------------------------


GRANT = {"issuer": STATION, "types": ["talent-confirmation/1"], "territory": [SZ]}


@both_databases
def test_a_grant_is_given_published_and_withdrawn_over_http(caller: Caller) -> None:
    made = caller.send("/v1/grants", "registrar", GRANT)
    assert made.status_code == 201
    jti = made.json()["jti"]
    listed = caller.get("/v1/grants", "reader", params={"jurisdiction": SZ, "limit": 200}).json()
    assert jti in [one["jti"] for one in listed["items"]]
    wanted = {"type": "talent-confirmation/1"}
    until(lambda: len(caller.get("/v1/issuers", params=wanted).json()["items"]) == 1)
    end = {"effect": "suspend", "reason": "looked into"}
    assert caller.send(f"/v1/grants/{jti}/withdraw", "registrar", end).status_code == 201
    until(lambda: not caller.get("/v1/issuers", params=wanted).json()["items"])
    for place in ("recognitions", "delegations"):
        gone = caller.send(f"/v1/{place}/{jti}/withdraw", "admin", end)
        assert gone.status_code == 404


def test_who_may_not_delegate_may_not_end_a_delegation(caller: Caller) -> None:
    items = caller.get("/v1/grants", "reader", params={"limit": "200"}).json()["items"]
    jti = next(one["jti"] for one in items if one["kind"] == "delegation" and one["types"])
    end = {"effect": "suspend", "reason": "looked into"}
    assert caller.send(f"/v1/grants/{jti}/withdraw", "registrar", end).status_code == 404
    assert caller.send(f"/v1/delegations/{jti}/withdraw", "registrar", end).status_code == 403
    assert caller.send(f"/v1/delegations/{jti}/withdraw", "admin", end).status_code == 201


@both_databases
def test_the_same_call_again_is_done_once(caller: Caller) -> None:
    key = "0123456789abcdef"
    first = caller.send("/v1/grants", "registrar", GRANT, key)
    second = caller.send("/v1/grants", "registrar", GRANT, key)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    other = caller.send("/v1/grants", "registrar", {**GRANT, "days": 3}, key)
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    bare = caller.client.post("/v1/grants", json=GRANT, headers={
        "Authorization": f"Bearer {caller.tokens['registrar']}"
    })  # fmt: skip
    assert bare.json()["code"] == "IDEMPOTENCY_KEY_MISSING"
    trail = caller.get("/v1/audit", "reader", params={"act": "grant"}).json()["items"]
    assert [one["subject"] for one in trail].count(first.json()["jti"]) == 1


def test_a_whole_jurisdiction_is_made_recognised_and_published(caller: Caller) -> None:
    wanted = {
        "code": "MO", "entity_id": "https://trust.mo.example", "names": {"en": "Macao Example"},
        "namespaces": ["mo.example"],
    }  # fmt: skip
    made = caller.send("/v1/jurisdictions", "admin", wanted)
    assert made.status_code == 201, made.text
    recognition = {
        "home": "HK", "of": "MO", "types": ["professional-title/1"], "purpose": ["employment"],
    }  # fmt: skip
    assert caller.send("/v1/recognitions", "admin", recognition).status_code == 201
    until(lambda: caller.get("/tuf/MO/metadata/timestamp.json").status_code == 200)
    told = caller.send("/v1/publications", "registrar", {"jurisdictions": ["MO"]}).json()
    assert [one["jurisdiction"] for one in told["jurisdictions"]] == ["MO"]
    assert "peers/MO/peer.json" in caller.desk.read("HK")


def test_other_acts_of_the_command_line_are_there(caller: Caller) -> None:
    key = new_signer()
    text = Path(caller.desk.request(key, "https://new.sz.example")).read_text()
    listed = caller.send("/v1/issuers", "registrar", {"jurisdiction": SZ, "request": text})
    assert listed.status_code == 201
    wanted = {"issuer": "https://new.sz.example", "count": 3}
    (block,) = caller.send("/v1/blocks", "registrar", wanted).json()["blocks"]
    assert (len(block["indices"]), "restored" in block) == (3, False)
    again = caller.send("/v1/blocks", "registrar", {**wanted, "restored": "0f"}).json()["blocks"]
    assert (again[0]["restored"], again[0]["block"] != block["block"]) == ("0f", True)
    renewed = caller.send("/v1/renewals", "registrar", {"issuer": STATION})
    assert [one["to"] for one in renewed.json()["items"]] == [STATION]
    delegated = caller.send("/v1/delegations", "admin", {
        "jurisdiction": SZ, "authority": "https://stic.sz.example", "names": {"en": "Commission"},
        "types": ["foreigner-work-permit/1"], "territory": [SZ],
    })  # fmt: skip
    assert delegated.json()["to"] == "https://stic.sz.example"
    verifier = Path(caller.desk.request(new_signer(), "https://desk.sz.example")).read_text()
    made = caller.send("/v1/verifiers", "registrar", {"jurisdiction": SZ, "request": verifier})
    assert made.json()["host"] == "desk.sz.example"


def test_every_act_is_on_the_trail_with_who_did_it(caller: Caller) -> None:
    caller.send("/v1/grants", "registrar", GRANT)
    trail = caller.get("/v1/audit", "reader", params={"limit": 200}).json()["items"]
    acts = {(one["act"], one["actor"] == "command line") for one in trail}
    assert {("jurisdiction", True), ("grant", True), ("grant", False)} <= acts
    assert [one["number"] for one in trail] == sorted(one["number"] for one in trail)


def test_an_account_that_has_ended_does_nothing_any_more(caller: Caller, desk: Desk) -> None:
    assert caller.get("/v1/audit", "reader").status_code == 200
    desk.ask("operator", "end", "Operator reader")
    answer = caller.get("/v1/audit", "reader")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    for alike in ("OPERATOR reader", "Operator  reader", "Ｏperator reader"):
        assert desk.refused("operator", "new", alike, "--role", "reader")[1] == "STATE_CONFLICT"
    assert desk.refused("operator", "new", "Other ", "--role", "reader")[1] == "REQUEST_INVALID"
    assert desk.refused("operator", "new", "Operator reader", "--role", "reader")[1] == (
        "STATE_CONFLICT"
    )
    assert desk.refused("operator", "new", "Other", "--role", "king")[1] == "REQUEST_INVALID"


# --- health ---------------------------------------------------------------------------------------


@both_databases
def test_readiness_names_every_part(caller: Caller) -> None:
    parts = caller.get("/readyz").json()["parts"]
    assert {name: part["ok"] for name, part in parts.items()} == dict.fromkeys(
        ("database", "keys", "published", "status"), True
    )
    assert set(parts["published"]["age_seconds"]) == {"CN-4403", "HK"}
    numbers = caller.get("/metrics").text
    for name in ("list_age_seconds", "publications_total", "orders_total", "status_room"):
        assert f"talentseal_{name}" in numbers


def test_public_reading_goes_on_without_the_database(caller: Caller, desk: Desk) -> None:
    name = list_name(caller)
    for path in (desk.home / "registry").glob("registry.db*"):
        path.rename(path.with_suffix(".gone"))
    assert caller.get(f"/status/{name}").status_code == 200
    assert caller.get("/v1/bundle.zip").status_code == 200
