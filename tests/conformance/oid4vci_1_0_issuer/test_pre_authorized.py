"""The pre-authorized code flow, honest and dishonest (mirrors `oid4vci-1_0-issuer-*` modules)."""

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from conformance.peers.strange_wallet import (
    Key,
    StrangeWallet,
    digest,
    disclosures_of,
    payload_of,
    unb64,
)
from issuer_desk import Bureau
from officers_desk import APPROVER, ISSUER, PREPARER, Counter, draft

from talentseal.reading import Evidence

WALLET, CODE = "professional-title_sd_jwt", "professional-title_code"

TITLE_REQUEST = b'{"credential_configuration_id":"professional-title_sd_jwt"'


def refused(answer: httpx2.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    description = answer.json().get("error_description", "")
    assert description.isascii()
    assert not set('"\\') & set(description)
    assert answer.headers["cache-control"] == "no-store"


# --- metadata (metadata-test) ---------------------------------------------------------------------


def test_metadata_says_what_this_issuer_may_seal_and_nothing_else(wallet: StrangeWallet) -> None:
    found = wallet.metadata()
    assert set(found["credential_configurations_supported"]) == {WALLET, CODE}
    assert found["batch_credential_issuance"] == {"batch_size": 20}
    one = found["credential_configurations_supported"][WALLET]
    assert one["format"] == "dc+sd-jwt"
    assert one["scope"] == WALLET
    assert one["proof_types_supported"]["jwt"] == {"proof_signing_alg_values_supported": ["ES256"]}
    assert {d["locale"] for d in one["credential_metadata"]["display"]} >= {"en", "zh-Hans"}
    paths = [tuple(claim["path"]) for claim in one["credential_metadata"]["claims"]]
    assert ("display_name",) in paths
    server = wallet.client.get("/.well-known/oauth-authorization-server").json()
    assert server["issuer"] == wallet.base
    assert server["token_endpoint"] == f"{wallet.base}/token"
    keys = wallet.client.get("/.well-known/jwt-vc-issuer").json()
    assert keys["jwks"] == wallet.client.get("/jwks").json()
    assert all("d" not in key for key in keys["jwks"]["keys"])


# --- happy flow, batch ----------------------------------------------------------------------------


def test_a_wallet_receives_both_forms_and_a_verifier_takes_them(
    bureau: Bureau, wallet: StrangeWallet, issuance: str, token: str
) -> None:
    keys, answer = wallet.receive(token, WALLET)
    assert answer.status_code == 200, answer.text
    (credential,) = [one["credential"] for one in answer.json()["credentials"]]
    assert payload_of(credential)["cnf"]["jwk"] == keys[0].jwk
    assert bureau.outcome(Evidence(text=credential))[0] == "accept"
    _, answer = wallet.receive(token, CODE)
    code = unb64(answer.json()["credentials"][0]["credential"])
    assert bureau.outcome(Evidence(code=code))[0] == "accept"
    kept = {row[0]: row[1:] for row in bureau.rows("SELECT id, claims, certificate FROM issuance")}
    claims, number = kept[issuance]
    assert claims is None
    forms = bureau.rows("SELECT certificate, form FROM form ORDER BY form")
    assert [form for one, form in forms if one == number] == ["code", "wallet"]


def test_copies_of_a_batch_cannot_be_linked(wallet: StrangeWallet, token: str) -> None:
    keys, answer = wallet.receive(token, WALLET, copies=5)
    texts = [one["credential"] for one in answer.json()["credentials"]]
    found = [payload_of(text) for text in texts]
    assert len(texts) == 5
    assert {one["cnf"]["jwk"]["x"] for one in found} == {key.jwk["x"] for key in keys}
    assert all(one[name] % 3600 == 0 for one in found for name in ("iat", "exp"))
    indices = [one["status"]["status_list"]["idx"] for one in found]
    steps = {b - a for a, b in pairwise(indices)}
    assert len(set(indices)) == 5
    assert len(steps) > 1
    salts = [parts[0] for text in texts for parts in disclosures_of(text)]
    assert len(set(salts)) == len(salts)
    assert len({digest(text) for text in texts}) == 5


def test_unknown_members_and_odd_accept_headers_change_nothing(
    wallet: StrangeWallet, offered: tuple[str, str]
) -> None:
    answer = wallet.token(*offered, random_parameter="x", client_id="ignored")
    token = answer.json()["access_token"]
    proof = wallet.proof(Key(), wallet.nonce())
    assert wallet.credential(token, WALLET, [proof], random_member={"a": [1]}).status_code == 200


def test_identifiers_are_given_when_they_are_asked_for(
    wallet: StrangeWallet, offered: tuple[str, str]
) -> None:
    answer = wallet.token(*offered, authorization_details=details_of(WALLET)).json()
    (granted,) = answer["authorization_details"]
    assert granted["credential_configuration_id"] == WALLET
    (identifier,) = granted["credential_identifiers"]
    body = {
        "credential_identifier": identifier,
        "proofs": {"jwt": [wallet.proof(Key(), wallet.nonce())]},
    }
    assert wallet.post("/credential", answer["access_token"], body).status_code == 200


def details_of(*configurations: str) -> str:
    return json.dumps(
        [
            {"type": "openid_credential", "credential_configuration_id": name}
            for name in configurations
        ]
    )


@pytest.mark.parametrize(
    "details",
    [details_of("foreigner-work-permit_sd_jwt"), details_of(WALLET, "foreigner-work-permit_sd_jwt"),
     details_of("unknown"), "[]", "[{}]", '[{"type":"payment"}]', "{}", "no"],
)  # fmt: skip
def test_details_of_what_is_not_offered_are_refused_and_the_code_stays_good(
    wallet: StrangeWallet, offered: tuple[str, str], details: str
) -> None:
    answer = wallet.token(*offered, authorization_details=details)
    refused(answer, "invalid_authorization_details")
    assert wallet.token(*offered).status_code == 200


def test_wrong_transaction_codes_count_whatever_the_details(
    wallet: StrangeWallet, offered: tuple[str, str]
) -> None:
    code, right = offered
    wrong = details_of("foreigner-work-permit_sd_jwt")
    for _ in range(5):
        answer = wallet.token(code, other_than(right), authorization_details=wrong)
        refused(answer, "invalid_grant")
    refused(wallet.token(code, right), "invalid_grant")


# --- token endpoint -------------------------------------------------------------------------------


def test_a_code_is_good_once(wallet: StrangeWallet, offered: tuple[str, str]) -> None:
    assert wallet.token(*offered).status_code == 200
    refused(wallet.token(*offered), "invalid_grant")


def test_of_twenty_redemptions_at_once_one_gets_a_token(
    wallet: StrangeWallet, offered: tuple[str, str]
) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: wallet.token(*offered).status_code, range(20)))
    assert sorted(answers) == [200, *[400] * 19]


def test_five_wrong_transaction_codes_end_an_offer(
    counter: Counter, wallet: StrangeWallet, issuance: str
) -> None:
    made = counter.ask(ISSUER, "POST", f"/v1/issuances/{issuance}/offer", {})
    path, right = made["credential_offer_uri"].removeprefix(wallet.base), made["tx_code"]
    code, wrong = wallet.code_of(wallet.read_offer(made["link"])), other_than(right)
    for _ in range(5):
        assert wallet.client.get(path).status_code == 200
        refused(wallet.token(code, wrong), "invalid_grant")
    assert wallet.client.get(path).status_code == 404
    refused(wallet.token(code, right), "invalid_grant")


def other_than(tx_code: str) -> str:
    return f"{(int(tx_code) + 1) % 1_000_000:06}"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
        ({"grant_type": "x" * 10_000}, "unsupported_grant_type"),
    ],
)
def test_other_grants_are_not_taken(
    wallet: StrangeWallet, fields: dict[str, str], error: str
) -> None:
    refused(wallet.client.post("/token", data=fields), error)


def test_a_missing_transaction_code_and_doubled_parameters_are_invalid(
    wallet: StrangeWallet, offered: tuple[str, str]
) -> None:
    refused(wallet.token(offered[0], None), "invalid_request")
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused(
        wallet.client.post("/token", content=b"grant_type=a&grant_type=a", headers=form),
        "invalid_request",
    )
    refused(wallet.client.post("/token", json={"grant_type": "a"}), "invalid_request")


def test_an_offer_lies_at_its_address_until_it_is_used(
    counter: Counter, wallet: StrangeWallet
) -> None:
    made = counter.ask(ISSUER, "POST", f"/v1/issuances/{counter.approved()}/offer", {})
    path = made["credential_offer_uri"].removeprefix(wallet.base)
    offer = wallet.client.get(path).json()
    assert "display_name" not in str(offer)
    assert wallet.token(wallet.code_of(offer), made["tx_code"]).status_code == 200
    assert wallet.client.get(path).status_code == 404
    assert wallet.client.get("/offers/unknown").status_code == 404


def test_a_head_tells_what_a_get_would(counter: Counter, wallet: StrangeWallet) -> None:
    made = counter.ask(ISSUER, "POST", f"/v1/issuances/{counter.approved()}/offer", {})
    names = ("openid-credential-issuer", "oauth-authorization-server", "jwt-vc-issuer")
    offer = made["credential_offer_uri"].removeprefix(wallet.base)
    for path in (*(f"/.well-known/{name}" for name in names), "/jwks", offer):
        head, got = wallet.client.head(path), wallet.client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "cache-control"):
            assert head.headers[name] == got.headers[name]
    assert wallet.client.head("/offers/unknown").status_code == 404


# --- credential endpoint, in the order of its checks ----------------------------------------------


def test_a_token_travels_in_the_header_alone(wallet: StrangeWallet, token: str) -> None:
    """fail-on-access-token-in-query"""
    body = {"credential_configuration_id": WALLET, "proofs": {"jwt": ["x"]}}
    post = wallet.client.post
    refused(post(f"/credential?access_token={token}", json=body), "invalid_token", 401)
    refused(post("/credential", json={**body, "access_token": token}), "invalid_token", 401)
    header = {"authorization": "Bearer wrong"}
    refused(post("/credential", json=body, headers=header), "invalid_token", 401)
    odd = {"authorization": f"bEaReR {token}"}
    refused(post("/credential", json=body, headers=odd), "invalid_proof")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "invalid_credential_request"),
        (b"[]", "invalid_credential_request"),
        (b"{}", "invalid_credential_request"),
        (b'{"credential_identifier":"a","credential_configuration_id":"b"}',
         "invalid_credential_request"),
        (b'{"credential_configuration_id":"professional-title_sd_jwt","proof":{}}',
         "invalid_credential_request"),
        (b'{"credential_configuration_id":"nothing"}', "unknown_credential_configuration"),
        (b'{"credential_identifier":"nothing"}', "unknown_credential_identifier"),
        (b'{"credential_configuration_id":"foreigner-work-permit_sd_jwt"}', "insufficient_scope"),
        (TITLE_REQUEST + b',"credential_response_encryption":{"jwk":{"alg":"none"}}}',
         "invalid_encryption_parameters"),
        (b'{"credential_configuration_id":"professional-title_sd_jwt"}', "invalid_proof"),
        (b'{"credential_configuration_id":"professional-title_sd_jwt","proofs":{}}',
         "invalid_proof"),
        (TITLE_REQUEST + b',"proofs":{"jwt":["x"],"attestation":["x"]}}', "invalid_proof"),
        (b'{"credential_configuration_id":"professional-title_sd_jwt","proofs":{"jwt":[]}}',
         "invalid_proof"),
    ],
)  # fmt: skip
def test_a_request_is_refused_with_the_word_of_its_first_fault(
    wallet: StrangeWallet, token: str, body: bytes, error: str
) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer = wallet.client.post("/credential", content=body, headers=headers)
    refused(answer, error, 403 if error == "insufficient_scope" else 400)


def test_other_media_types_are_invalid_requests(wallet: StrangeWallet, token: str) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "text/plain"}
    answer = wallet.client.post("/credential", content=b"{}", headers=headers)
    refused(answer, "invalid_credential_request")


BAD_PROOFS: dict[str, dict[str, Any]] = {
    "none": {"header": {"alg": "none"}},
    "HS256": {"header": {"alg": "HS256"}},
    "another typ": {"header": {"typ": "JWT"}},
    "no typ": {"header": {"typ": None}},
    "no key": {"header": {"jwk": None}},
    "two keys": {"header": {"kid": "a"}},
    "another key": {"header": {"jwk": Key().jwk}},
    "private key": {"header": {"jwk": {**Key().jwk, "d": "AAAA"}}},
    "off the curve": {"header": {"jwk": {**Key().jwk, "y": Key().jwk["y"]}}},
    "another issuer": {"aud": "https://elsewhere.example"},
    "several issuers": {"aud": ["https://titles.sz.example"]},
    "old": {"iat": int(time.time()) - 3600},
    "future": {"iat": int(time.time()) + 3600},
    "text as time": {"iat": "now"},
    "a client": {"iss": "some-client"},
}


@pytest.mark.parametrize("name", BAD_PROOFS)
def test_a_bad_proof_is_refused_and_uses_no_nonce_up(
    wallet: StrangeWallet, token: str, name: str
) -> None:
    """fail-invalid-jwt-proof-signature and its kind."""
    nonce = wallet.nonce()
    bad = wallet.proof(Key(), nonce, **BAD_PROOFS[name])
    refused(wallet.credential(token, WALLET, [bad]), "invalid_proof")
    good = wallet.proof(Key(), nonce)
    assert wallet.credential(token, WALLET, [good]).status_code == 200


def test_a_nonce_must_be_there_ours_of_now_and_unspent(wallet: StrangeWallet, token: str) -> None:
    """fail-invalid-nonce"""
    refused(wallet.credential(token, WALLET, [wallet.proof(Key(), None)]), "invalid_proof")
    for foreign in ("x", secrets.token_urlsafe(30), secrets.token_urlsafe(60)):
        answer = wallet.credential(token, WALLET, [wallet.proof(Key(), foreign)])
        refused(answer, "invalid_nonce")
    nonce = wallet.nonce()
    assert wallet.credential(token, WALLET, [wallet.proof(Key(), nonce)]).status_code == 200
    refused(wallet.credential(token, CODE, [wallet.proof(Key(), nonce)]), "invalid_nonce")


def test_keys_of_a_batch_are_distinct_and_not_too_many(wallet: StrangeWallet, token: str) -> None:
    nonce, key = wallet.nonce(), Key()
    twice = [wallet.proof(key, nonce), wallet.proof(key, nonce)]
    refused(wallet.credential(token, WALLET, twice), "invalid_proof")
    many = [wallet.proof(Key(), nonce) for _ in range(21)]
    refused(wallet.credential(token, WALLET, many), "invalid_credential_request")
    mixed = [wallet.proof(Key(), nonce), wallet.proof(Key(), wallet.nonce())]
    refused(wallet.credential(token, WALLET, mixed), "invalid_proof")


def test_a_form_is_handed_out_once(wallet: StrangeWallet, token: str) -> None:
    assert wallet.receive(token, WALLET)[1].status_code == 200
    refused(wallet.receive(token, WALLET)[1], "credential_request_denied")


# --- deferred, notification -----------------------------------------------------------------------


@pytest.fixture
def early(counter: Counter, wallet: StrangeWallet) -> "tuple[str, str]":
    """An issuance that nobody has approved yet, and a token for it."""
    issuance = counter.prepared(PREPARER)
    # A preparer's own draft is offered by an officer who may issue.
    made = counter.ask(ISSUER, "POST", f"/v1/issuances/{issuance}/offer", {"forms": ["sd_jwt"]})
    code = wallet.code_of(wallet.read_offer(made["link"]))
    return issuance, wallet.token(code, made["tx_code"]).json()["access_token"]


def test_what_is_not_approved_yet_is_deferred_and_fetched_later(
    counter: Counter, wallet: StrangeWallet, early: tuple[str, str]
) -> None:
    issuance, token = early
    keys, answer = wallet.receive(token, WALLET, copies=2)
    assert answer.status_code == 202
    assert answer.json().keys() == {"transaction_id", "interval"}
    body = {"transaction_id": answer.json()["transaction_id"]}
    assert wallet.post("/deferred", token, body).json() == answer.json()
    counter.ask(APPROVER, "POST", f"/v1/issuances/{issuance}/approve", match='"1"')
    fetched = wallet.post("/deferred", token, body)
    assert fetched.status_code == 200, fetched.text
    bound = {
        payload_of(one["credential"])["cnf"]["jwk"]["x"] for one in fetched.json()["credentials"]
    }
    assert bound == {key.jwk["x"] for key in keys}
    refused(wallet.post("/deferred", token, body), "invalid_transaction_id")


def test_a_new_offer_ends_what_an_earlier_one_has_led_to(
    counter: Counter, wallet: StrangeWallet, early: tuple[str, str]
) -> None:
    issuance, token = early
    _, answer = wallet.receive(token, WALLET)
    ticket = {"transaction_id": answer.json()["transaction_id"]}
    made = counter.ask(ISSUER, "POST", f"/v1/issuances/{issuance}/offer", {"forms": ["sd_jwt"]})
    counter.ask(APPROVER, "POST", f"/v1/issuances/{issuance}/approve", match='"1"')
    refused(wallet.post("/deferred", token, ticket), "invalid_token", 401)
    refused(wallet.receive(token, WALLET)[1], "invalid_token", 401)
    code = wallet.code_of(wallet.read_offer(made["link"]))
    token = wallet.token(code, made["tx_code"]).json()["access_token"]
    assert wallet.receive(token, WALLET)[1].status_code == 200


def test_a_correction_ends_what_an_earlier_offer_has_led_to(
    counter: Counter, wallet: StrangeWallet, early: tuple[str, str]
) -> None:
    issuance, token = early
    _, answer = wallet.receive(token, WALLET)
    ticket = {"transaction_id": answer.json()["transaction_id"]}
    path = f"/v1/issuances/{issuance}"
    again = counter.ask(PREPARER, "PUT", path, draft(), match='"1"')
    counter.ask(APPROVER, "POST", f"{path}/approve", match=f'"{again["version"]}"')
    refused(wallet.post("/deferred", token, ticket), "invalid_token", 401)
    refused(wallet.receive(token, WALLET)[1], "invalid_token", 401)


def test_what_is_withdrawn_is_denied(
    counter: Counter, wallet: StrangeWallet, early: tuple[str, str]
) -> None:
    issuance, token = early
    _, answer = wallet.receive(token, WALLET)
    counter.ask(PREPARER, "POST", f"/v1/issuances/{issuance}/withdraw", match='"1"')
    body = {"transaction_id": answer.json()["transaction_id"]}
    refused(wallet.post("/deferred", token, body), "credential_request_denied")
    refused(wallet.post("/deferred", token, {"transaction_id": "x"}), "invalid_transaction_id")
    refused(wallet.post("/deferred", "x", body), "invalid_token", 401)
    refused(wallet.post("/deferred", token, {}), "invalid_credential_request")


def test_a_wallet_tells_what_became_of_a_credential(
    bureau: Bureau, wallet: StrangeWallet, issuance: str, token: str
) -> None:
    _, answer = wallet.receive(token, WALLET)
    body = {"notification_id": answer.json()["notification_id"], "event": "credential_accepted"}
    for _ in range(2):
        told = wallet.post("/notification", token, body)
        assert (told.status_code, told.content) == (204, b"")
    acts = bureau.rows("SELECT act, issuance FROM audit")
    assert acts.count(("credential-accepted", issuance)) == 1
    wrong = {**body, "notification_id": "x"}
    refused(wallet.post("/notification", token, wrong), "invalid_notification_id")
    odd = {**body, "event": "credential_eaten"}
    refused(wallet.post("/notification", token, odd), "invalid_notification_request")
    refused(wallet.post("/notification", "x", body), "invalid_token", 401)


@pytest.mark.parametrize("last", ["credential_deleted", "credential_failure"])
def test_a_wallet_that_changes_its_word_again_and_again_is_noted_twice(
    bureau: Bureau, wallet: StrangeWallet, issuance: str, token: str, last: str
) -> None:
    _, answer = wallet.receive(token, WALLET)
    body = {"notification_id": answer.json()["notification_id"]}
    for event in ("credential_accepted", last, "credential_failure", "credential_deleted") * 2:
        assert wallet.post("/notification", token, body | {"event": event}).status_code == 204
    acts = [act for act, of in bureau.rows("SELECT act, issuance FROM audit") if of == issuance]
    assert acts[-2:] == ["credential-accepted", last.replace("_", "-")]
    assert len([act for act in acts if act.startswith("credential-")]) == 2


def test_the_database_holds_no_secret_of_a_wallet(
    bureau: Bureau, wallet: StrangeWallet, offered: tuple[str, str]
) -> None:
    code, tx_code = offered
    token = wallet.token(code, tx_code).json()["access_token"]
    wallet.receive(token, WALLET)
    rows = [
        str(bureau.rows(f"SELECT * FROM {table}"))  # noqa: S608  names of our own
        for table in ("offer", "access_token", "spent_nonce", "notification", "audit")
    ]
    assert not [row for row in rows if code in row or token in row or f"'{tx_code}'" in row]
