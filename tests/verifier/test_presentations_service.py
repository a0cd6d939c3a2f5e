"""Asking wallets for presentations: requests, answers taken once, and who learns what."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from cryptography.x509 import SubjectKeyIdentifier
from simulator import Held
from verifier_service import VerifierService, verifier_service

from schemas.types import vct_of
from talentseal import codetext, jwe, oid4vp, x509
from talentseal.encoding import b64url_decode, b64url_encode
from talentseal.errors import UsageError
from talentseal.x509 import load_anchors
from verifier.presentations.queries import load_queries
from verifier.presentations.repository import find, forget
from verifier.presentations.service import KEEP_SECONDS, LIFE_SECONDS

NAMES = ("display_name", "certificate_number")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerifierService]:
    with verifier_service(tmp_path_factory.mktemp("verifier"), with_access=True) as running:
        yield running


class Desk:
    """An operator who asks, and a wallet that answers as it is told to."""

    def __init__(self, service: VerifierService) -> None:
        self.service, self.headers = service, service.token("desk")

    def ask(self, **changes: Any) -> dict[str, Any]:
        wish = {"query": "professional-title", "place": "CN/9999", "purpose": "employment"}
        answer = self.service.client.post(
            "/v1/presentations", json={**wish, **changes}, headers=self.headers
        )
        assert answer.status_code == 201, answer.text
        begun: dict[str, Any] = answer.json()
        return begun

    def request(self, begun: dict[str, Any]) -> oid4vp.Request:
        """The request as a strict wallet reads it."""
        invocation = oid4vp.parse_invocation(begun["request_url"])
        if invocation.request_uri is None:
            return oid4vp.read_unsigned_request(invocation, dev=True)
        fetched = self.service.client.get(urlsplit(invocation.request_uri).path)
        assert fetched.headers["content-type"] == "application/oauth-authz-req+jwt"
        ca = x509.chain_text([self.service.world.city.root])
        return oid4vp.read_request_object(
            fetched.text, client_id=invocation.client_id, anchors=load_anchors(ca),
            now=self.service.world.now, dev=True,
        )  # fmt: skip

    def state(self, begun: dict[str, Any]) -> dict[str, Any]:
        answer = self.service.client.get(f"/v1/presentations/{begun['id']}", headers=self.headers)
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def post(self, request: oid4vp.Request, form: dict[str, str]) -> httpx2.Response:
        return self.service.client.post(urlsplit(request.response_uri).path, data=form)

    def answer(
        self, request: oid4vp.Request, held: Held, names: tuple[str, ...] = NAMES, **changes: Any
    ) -> httpx2.Response:
        shown = {"audience": request.client_id, "nonce": request.nonce}
        text = held.present(*names, **{**shown, "at": self.service.world.now, **changes})
        token = {request.query.credentials[0].id: [text]}
        return self.post(request, oid4vp.presentation_form(request, token))


@pytest.fixture
def desk(service: VerifierService) -> Desk:
    return Desk(service)


def title(desk: Desk) -> Held:
    held = desk.service.world.city.issue()
    desk.service.trust.refresh()
    return held


# --- the honest way -------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["x509_san_dns", "x509_hash", "redirect_uri"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_presentation_is_asked_for_answered_and_judged(
    desk: Desk, prefix: str, *, encrypted: bool
) -> None:
    begun = desk.ask(client_id_prefix=prefix, encrypted=encrypted)
    request = desk.request(begun)
    assert request.encrypted == encrypted
    answer = desk.answer(request, title(desk))
    assert (answer.status_code, answer.json()) == (200, {})
    found = desk.state(begun)
    assert (found["state"], found["verdict"]["outcome"]) == ("answered", "accept")
    assert set(NAMES) <= set(found["verdict"]["credential"]["claims"])


def test_a_browser_that_asked_gets_the_verdict_when_it_comes_back(desk: Desk) -> None:
    begun = desk.ask(mode="same_device")
    answer = desk.answer(desk.request(begun), title(desk))
    assert desk.state(begun)["state"] == "waiting"
    assert desk.state(begun)["verdict"] is None
    link = urlsplit(answer.json()["redirect_uri"])
    assert desk.service.client.get(link.path).status_code == 200
    code = parse_qs(link.fragment)["response_code"][0]
    back = desk.service.client.post(
        f"/v1/presentations/{begun['id']}/return",
        json={"response_code": code}, headers=desk.headers,
    )  # fmt: skip
    assert (back.json()["state"], back.json()["verdict"]["outcome"]) == ("answered", "accept")


def test_a_refused_credential_is_for_the_verifier_and_not_for_the_wallet(desk: Desk) -> None:
    held = title(desk)
    desk.service.world.city.set_status(held, 1)
    desk.service.trust.refresh()
    begun = desk.ask()
    assert desk.answer(desk.request(begun), held).status_code == 200
    assert desk.state(begun)["verdict"]["outcome"] == "refuse"


def test_a_request_object_is_the_same_each_time_and_never_cached(desk: Desk) -> None:
    begun = desk.ask()
    first, second = desk.request(begun), desk.request(begun)
    assert (first.nonce, first.state) == (second.nonce, second.state)
    path = urlsplit(begun["request_uri"]).path
    posted = desk.service.client.post(path, data={"wallet_nonce": "w-123", "other": "x"})
    assert '"wallet_nonce":"w-123"' in str(_claims(posted.text))
    assert posted.headers["cache-control"] == "no-store"


def _claims(jws: str) -> str:
    return b64url_decode(jws.split(".")[1]).decode()


# --- what must not pass ---------------------------------------------------------------------------

BAD: dict[str, dict[str, Any]] = {
    "invalid_kb_jwt_nonce": {"nonce": "another-nonce-of-ours"},
    "invalid_kb_jwt_aud": {"audience": "https://elsewhere.example"},
    "kb_jwt_iat_in_past": {"at": 1},
    "kb_jwt_iat_in_future": {"at": 4_000_000_000},
}


@pytest.mark.parametrize("name", BAD)
def test_a_proof_that_was_not_made_for_us_now_is_refused(desk: Desk, name: str) -> None:
    begun = desk.ask()
    answer = desk.answer(desk.request(begun), title(desk), **BAD[name])
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    found = desk.state(begun)
    assert (found["state"], found["code"]) == ("rejected", "PRESENTATION_REJECTED")


def test_less_than_was_asked_for_another_kind_and_broken_seals_are_refused(desk: Desk) -> None:
    held = title(desk)
    begun = desk.ask()
    assert desk.answer(desk.request(begun), held, ("display_name",)).status_code == 400
    other = desk.ask(query="foreigner-work-permit")
    assert desk.answer(desk.request(other), held).status_code == 400
    third = desk.ask()
    request = desk.request(third)
    text = held.present(
        *NAMES, audience=request.client_id, nonce=request.nonce, at=desk.service.world.now
    )
    flipped = text[:300] + ("A" if text[300] != "A" else "B") + text[301:]
    form = oid4vp.presentation_form(request, {"professional-title": [flipped]})
    assert desk.post(request, form).status_code == 400


# What is posted in place of the presentation asked for -> the findings of the desk's verdict.
FAULTY: dict[str, tuple[str, list[str]]] = {
    "no proof by the holder": ("refuse", ["HOLDER_PROOF_MISSING"]),
    "another kind": ("refuse", ["TYPE_NOT_ACCEPTED"]),
    "a live code": ("refuse", ["TYPE_NOT_ACCEPTED"]),
    "less than was asked for": ("refer", ["CLAIM_NOT_DISCLOSED"]),
    "a value that was not asked for": ("refer", ["CLAIM_NOT_DISCLOSED"]),
    "another authority": ("refuse", ["ISSUER_NOT_ACCEPTED"]),
    "a proof of another day": ("refer", ["HOLDER_TIME"]),
}


def faulty_answer(desk: Desk, fault: str) -> tuple[dict[str, Any], httpx2.Response]:
    held, now = title(desk), desk.service.world.now
    changes, query = FAULTY_WISHES.get(fault, {}), asked_title()
    if changes:
        query = {**query, **changes}
    begun = desk.ask(query=None, dcql_query={"credentials": [query]})
    request = desk.request(begun)
    proof: dict[str, Any] = {"audience": request.client_id, "nonce": request.nonce, "at": now}
    text = held.present(*NAMES, **proof)
    if fault == "no proof by the holder":
        text = text.rpartition("~")[0] + "~"
    elif fault == "a live code":
        nonce = b64url_decode(request.nonce)
        code = held.live(at=now, audience=request.client_id, nonce=nonce)
        text = codetext.write_text(code, host="verify.talentseal.example")
    elif fault == "less than was asked for":
        text = held.present("display_name", **proof)
    elif fault == "a proof of another day":
        text = held.present(*NAMES, **{**proof, "at": now - 86_400})
    form = oid4vp.presentation_form(request, {"title": [text]})
    return begun, desk.post(request, form)


def asked_title() -> dict[str, Any]:
    return {
        "id": "title",
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [vct_of("professional-title/1")]},
        "claims": [{"path": [name]} for name in NAMES],
    }


FAULTY_WISHES: dict[str, dict[str, Any]] = {
    "another kind": {"meta": {"vct_values": [vct_of("foreigner-work-permit/1")]}},
    "a value that was not asked for": {
        "claims": [{"path": ["display_name"], "values": ["Somebody Else"]}]
    },
    "another authority": {
        "trusted_authorities": [{"type": "aki", "values": [b64url_encode(bytes(20))]}]
    },
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_desk_reads_the_refusal_that_the_wallet_got_and_nothing_that_was_shown(
    desk: Desk, fault: str
) -> None:
    begun, answer = faulty_answer(desk, fault)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    found = desk.state(begun)
    assert (found["state"], found["code"]) == ("rejected", "PRESENTATION_REJECTED")
    assert found["message"] == "The wallet's answer was refused."
    outcome, codes = FAULTY[fault]
    assert found["verdict"]["outcome"] == outcome
    assert [
        check["code"]
        for check in found["verdict"]["checks"]
        if check["result"] in ("fail", "unknown")
    ] == codes
    assert found["verdict"]["credential"]["claims"] == {}


def test_a_claim_that_was_not_shown_is_named(desk: Desk) -> None:
    begun, _ = faulty_answer(desk, "less than was asked for")
    (check,) = (c for c in desk.state(begun)["verdict"]["checks"] if c["check"] == "policy")
    assert check["detail"] == {"query": "title", "claim": "certificate_number"}
    assert "certificate_number" in check["message"]


def test_the_authority_asked_for_is_the_one_in_the_chain(desk: Desk) -> None:
    sub = desk.service.world.city.sub.extensions
    found = sub.get_extension_for_class(SubjectKeyIdentifier).value.digest
    named = [{"type": "aki", "values": [b64url_encode(bytes(20)), b64url_encode(found)]}]
    query = {**asked_title(), "trusted_authorities": named}
    begun = desk.ask(query=None, dcql_query={"credentials": [query]})
    assert desk.answer(desk.request(begun), title(desk)).status_code == 200
    assert desk.state(begun)["verdict"]["outcome"] == "accept"


def test_of_several_presentations_none_is_lost_and_the_worst_speaks_for_all(desk: Desk) -> None:
    city = desk.service.world.city
    good, revoked = city.issue(), city.issue("title-02")
    city.set_status(revoked, 1)
    desk.service.trust.refresh()
    query = {**asked_title(), "multiple": True}
    begun = desk.ask(query=None, dcql_query={"credentials": [query]})
    request = desk.request(begun)
    proof: dict[str, Any] = {"audience": request.client_id, "nonce": request.nonce}
    shown = [
        held.present(*NAMES, at=desk.service.world.now, **proof)
        for held in (good, revoked, *[good] * 60)
    ]
    form = oid4vp.presentation_form(request, {"title": shown})
    assert desk.post(request, form).status_code == 200
    found = desk.state(begun)
    outcomes = [verdict["outcome"] for verdict in found["verdicts"]["title"]]
    assert outcomes == ["accept", "refuse", *["accept"] * 60]
    assert found["verdict"] == found["verdicts"]["title"][1]


def test_one_faulty_presentation_rejects_them_all_and_no_verdict_accepts(desk: Desk) -> None:
    held, two = title(desk), [{**asked_title(), "id": name} for name in ("first", "second")]
    begun = desk.ask(query=None, dcql_query={"credentials": two})
    request = desk.request(begun)
    proof: dict[str, Any] = {"audience": request.client_id, "nonce": request.nonce}
    texts = [
        held.present(*names, at=desk.service.world.now, **proof)
        for names in (NAMES, ("display_name",))
    ]
    shown = {"first": [texts[0]], "second": [texts[1]]}
    assert desk.post(request, oid4vp.presentation_form(request, shown)).status_code == 400
    found = desk.state(begun)
    assert found["verdict"]["checks"][-1]["detail"]["query"] == "second"
    assert found["verdicts"] is None
    assert "accept" not in json.dumps(found)


@pytest.mark.parametrize(
    "token", ["", "[]", "{}", '{"other":["a"]}', '{"professional-title":"a"}', '{"a":1,"a":2}', "{"]
)
def test_an_answer_that_is_none_is_refused(desk: Desk, token: str) -> None:
    request = desk.request(desk.ask())
    answer = desk.post(request, {"vp_token": token, "state": request.state or ""})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_an_answer_is_taken_once_and_one_of_another_state_uses_nothing_up(desk: Desk) -> None:
    held = title(desk)
    begun = desk.ask()
    request = desk.request(begun)
    stranger = request._replace(state="another-state")
    assert desk.answer(stranger, held).status_code == 400
    assert desk.state(begun)["state"] == "waiting"
    assert desk.answer(request, held).status_code == 200
    assert desk.answer(request, held).status_code == 400
    assert desk.state(begun)["state"] == "answered"
    assert desk.service.client.get(urlsplit(begun["request_uri"]).path).status_code == 404


def test_what_a_stranger_sends_uses_nothing_up(desk: Desk) -> None:
    held = title(desk)
    begun = desk.ask()
    request = desk.request(begun)
    for form in ({"vp_token": "{"}, {"vp_token": "{", "state": "x"}, {"response": "a.b.c.d.e"}):
        assert desk.post(request, form).status_code == 400
    assert desk.state(begun)["state"] == "waiting"
    assert desk.answer(request, held).status_code == 200


@pytest.mark.parametrize("nonce", ["", "a b", "x" * 513, "\n"])
def test_a_nonce_of_a_wallet_is_short_and_plain(desk: Desk, nonce: str) -> None:
    path = urlsplit(desk.ask()["request_uri"]).path
    answer = desk.service.client.post(path, data={"wallet_nonce": nonce})
    assert (answer.status_code, answer.json()["code"]) == (400, "REQUEST_INVALID")


def test_a_plain_answer_to_a_request_for_an_encrypted_one_is_refused(desk: Desk) -> None:
    begun = desk.ask(encrypted=True)
    request = desk.request(begun)
    assert (
        desk.answer(request._replace(response_mode="direct_post"), title(desk)).status_code == 400
    )
    again = desk.request(desk.ask(encrypted=True))
    foreign = jwe.new_key_pair("other")
    sealed = jwe.encrypt(
        json.dumps({"state": again.state, "vp_token": {}}).encode(), [foreign.public]
    )
    assert desk.post(again, {"response": sealed}).status_code == 400


def test_forms_that_are_none_are_refused_as_the_standard_says(desk: Desk) -> None:
    request = desk.request(desk.ask())
    path = urlsplit(request.response_uri).path
    post = desk.service.client.post
    assert post(path, json={"vp_token": {}}).status_code == 400
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert post(path, content=b"state=a&state=b", headers=form).status_code == 400
    assert post("/oid4vp/response/unknown", data={"error": "access_denied"}).status_code == 400


def test_the_person_may_decline(desk: Desk) -> None:
    begun = desk.ask(encrypted=True)
    request = desk.request(begun)
    assert desk.post(request, oid4vp.error_form(request)).status_code == 200
    found = desk.state(begun)
    assert (found["state"], found["code"]) == ("declined", "PRESENTATION_DECLINED")


def test_a_wrong_code_ends_a_presentation_and_its_verdict_is_gone(desk: Desk) -> None:
    begun = desk.ask(mode="same_device")
    assert desk.answer(desk.request(begun), title(desk)).status_code == 200
    path = f"/v1/presentations/{begun['id']}/return"
    back = desk.service.client.post(path, json={"response_code": "x"}, headers=desk.headers)
    assert (back.json()["state"], back.json()["verdict"]) == ("not_returned", None)


def test_a_code_that_comes_back_too_late_releases_nothing(tmp_path: Path) -> None:
    with verifier_service(tmp_path, with_access=True) as service:
        desk = Desk(service)
        begun = desk.ask(mode="same_device")
        answer = desk.answer(desk.request(begun), title(desk))
        link = urlsplit(answer.json()["redirect_uri"])
        code = parse_qs(link.fragment)["response_code"][0]
        service.world.turn(LIFE_SECONDS)
        back = service.client.post(
            f"/v1/presentations/{begun['id']}/return",
            json={"response_code": code}, headers=desk.headers,
        )  # fmt: skip
        assert (back.json()["state"], back.json()["verdict"]) == ("not_returned", None)


def test_only_who_asked_sees_the_answer(desk: Desk) -> None:
    begun = desk.ask()
    path = f"/v1/presentations/{begun['id']}"
    get = desk.service.client.get
    assert get(path).status_code == 401
    assert get(path, headers=desk.service.token("desk")).status_code == 404
    assert get(path, headers=desk.service.token("auditor")).status_code == 403
    post = desk.service.client.post
    assert (
        post("/v1/presentations", json={}, headers=desk.service.token("auditor")).status_code == 403
    )


@pytest.mark.parametrize(
    "wish",
    [
        {"query": "professional-title", "place": "nowhere"},
        {"query": "professional-title", "purpose": "curiosity"},
        {},
        {"query": "professional-title", "dcql_query": {}},
        {"query": "nothing"},
        {"dcql_query": {"credentials": []}},
        {"query": "professional-title", "policy": "none"},
        {"query": "professional-title", "mode": "somehow"},
        {"query": "professional-title", "state": "answered"},
    ],
)
def test_a_wish_that_cannot_be_asked_is_refused(desk: Desk, wish: dict[str, Any]) -> None:
    answer = desk.service.client.post("/v1/presentations", json=wish, headers=desk.headers)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == "REQUEST_INVALID"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"credentials": [{}, {}]}, "a credential id stands twice"),
        (
            {"credential_sets": [{"options": [["nobody"]]}]},
            "credential_sets name a credential that is not there",
        ),
    ],
)
def test_a_query_that_contradicts_itself_is_told_in_what(
    desk: Desk, changes: dict[str, Any], cause: str
) -> None:
    credentials = [asked_title() for _ in changes.get("credentials", [{}])]
    wish = {"dcql_query": {**changes, "credentials": credentials}}
    answer = desk.service.client.post("/v1/presentations", json=wish, headers=desk.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "REQUEST_INVALID")
    assert answer.json()["title"] == f"dcql_query: a query breaks its shape at the whole: {cause}"


@pytest.mark.parametrize("path", ["/v1/presentations", "/v1/checks"])
@pytest.mark.parametrize("body", [b'{"query":1.5}', b"{", b"[]", b'{"a":1,"a":2}'])
def test_whoever_sends_a_wrong_body_is_not_told_to_scan_it_again(
    desk: Desk, path: str, body: bytes
) -> None:
    headers = {**desk.headers, "content-type": "application/json"}
    answer = desk.service.client.post(path, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")
    assert answer.json()["title"].startswith("the body: ")
    assert answer.json()["detail"].startswith("Send JSON as /openapi.json describes it")


UNJUDGEABLE: dict[str, tuple[dict[str, Any], str]] = {
    "another format": ({"format": "mso_mdoc", "meta": {"doctype_value": "x"}}, "format"),
    "a copy": (
        {"require_cryptographic_holder_binding": False},
        "require_cryptographic_holder_binding",
    ),
    "a list of authorities": (
        {"trusted_authorities": [{"type": "etsi_tl", "values": ["https://lists.example"]}]},
        "trusted_authorities/0/type",
    ),
    "no key identifier": (
        {"trusted_authorities": [{"type": "aki", "values": ["AAAA", "a b"]}]},
        "trusted_authorities/0/values",
    ),
}


@pytest.mark.parametrize("name", UNJUDGEABLE)
def test_what_could_not_be_judged_is_not_asked_for(desk: Desk, tmp_path: Path, name: str) -> None:
    changes, place = UNJUDGEABLE[name]
    query = {"credentials": [asked_title(), {**asked_title(), "id": "other", **changes}]}
    answer = desk.service.client.post(
        "/v1/presentations", json={"dcql_query": query}, headers=desk.headers
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID")
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == f"/dcql_query/credentials/1/{place}"
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "own.json").write_text(json.dumps(query))
    with pytest.raises(UsageError, match=r"own\.json is no query that can be asked"):
        load_queries(tmp_path)


def test_a_request_ends_and_everything_shown_is_erased(tmp_path: Path) -> None:
    with verifier_service(tmp_path, with_access=True) as service:
        desk = Desk(service)
        begun, late = desk.ask(), desk.ask()
        assert desk.answer(desk.request(begun), title(desk)).status_code == 200
        request = desk.request(late)
        service.world.turn(LIFE_SECONDS)
        assert desk.answer(request, title(desk)).status_code == 400
        assert desk.state(late)["code"] == "PRESENTATION_EXPIRED"
        service.world.turn(KEEP_SECONDS)
        assert forget(service.station.engine, now=service.world.now) == 2
        assert find(service.station.engine, begun["id"]) is None


@pytest.mark.parametrize("mode", ["cross_device", "same_device"])
def test_what_was_shown_is_erased_a_quarter_of_an_hour_after_the_answer(
    tmp_path: Path, mode: str
) -> None:
    with verifier_service(tmp_path, with_access=True) as service:
        desk, engine = Desk(service), service.station.engine
        begun = desk.ask(mode=mode)
        assert desk.answer(desk.request(begun), title(desk)).status_code == 200
        service.world.turn(KEEP_SECONDS - 1)
        assert forget(engine, now=service.world.now) == 0
        service.world.turn(1)
        assert forget(engine, now=service.world.now) == 1
        assert find(engine, begun["id"]) is None


def test_shipped_queries_ask_for_little(tmp_path: Path) -> None:
    for query in load_queries(tmp_path).values():
        asked = {claim.path[0] for claim in query.credentials[0].claims or ()}
        assert "display_name" in asked
        assert asked <= {
            "display_name",
            "certificate_number",
            "permit_number",
            "registration_number",
        }
