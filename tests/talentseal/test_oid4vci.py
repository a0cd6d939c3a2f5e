from collections.abc import Mapping
from typing import Any

import pytest

from schemas.openid4vci import (
    AuthorizationServerMetadata,
    CredentialAnswer,
    CredentialOffer,
    CredentialRequest,
    IssuerMetadata,
    Notification,
    OAuthError,
    TokenAnswer,
)
from talentseal import oid4vci
from talentseal.encoding import dump_json
from talentseal.errors import InputError, ProtocolError
from talentseal.jose import sign_jws
from talentseal.keys import SoftwareSigner, new_signer, signer_from_secret
from talentseal.shapes import read_shape

ISSUER = "https://titles.example/hr"
NOW = 1_795_251_600
GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
OFFER: dict[str, Any] = {
    "credential_issuer": ISSUER,
    "credential_configuration_ids": ["title_sd_jwt", "title_code"],
    "grants": {
        GRANT: {
            "pre-authorized_code": "SplxlOBeZQQYbYS6WxSbIA",
            "tx_code": {"input_mode": "numeric", "length": 6, "description": "By letter"},
        }
    },
}
KEY, OTHER = signer_from_secret(11), signer_from_secret(12)


# --- offers ---------------------------------------------------------------------------------------


def test_an_offer_comes_back_from_its_link() -> None:
    offer = oid4vci.parse_offer(dump_json(OFFER))
    assert offer.document() == OFFER
    link = oid4vci.offer_link(offer)
    assert oid4vci.is_offer_link(link)
    assert oid4vci.parse_offer_link(link) == oid4vci.OfferLink(offer, None)


def test_an_offer_by_reference_is_a_url() -> None:
    link = oid4vci.offer_link_to("https://titles.example/offers/a")
    assert oid4vci.parse_offer_link(link) == (None, "https://titles.example/offers/a")
    with pytest.raises(InputError):
        oid4vci.parse_offer_link(oid4vci.offer_link_to("http://127.0.0.1/offers/a"))
    assert oid4vci.parse_offer_link(oid4vci.offer_link_to("http://127.0.0.1/a"), dev=True).uri


def test_an_empty_code_description_still_demands_a_code() -> None:
    grants = {GRANT: {"pre-authorized_code": "a", "tx_code": {}}}
    offer = oid4vci.parse_offer(dump_json({**OFFER, "grants": grants, "later": 1}))
    assert offer.grants
    assert offer.grants.pre_authorized
    assert offer.grants.pre_authorized.tx_code is not None
    assert offer.grants.pre_authorized.tx_code.input_mode == "numeric"


@pytest.mark.parametrize(
    "changes",
    [
        {"credential_issuer": "http://titles.example"},
        {"credential_issuer": 1},
        {"credential_issuer": ...},
        {"credential_configuration_ids": []},
        {"credential_configuration_ids": ["a", "a"]},
        {"credential_configuration_ids": "a"},
        {"credential_configuration_ids": [1]},
        {"grants": []},
        {"grants": {GRANT: {}}},
        {"grants": {GRANT: {"pre-authorized_code": ""}}},
        {"grants": {GRANT: {"pre-authorized_code": "a", "tx_code": {"length": "6"}}}},
        {"grants": {GRANT: {"pre-authorized_code": "a", "tx_code": {"input_mode": "face"}}}},
        {"grants": {GRANT: {"pre-authorized_code": "a", "tx_code": {"description": "x" * 301}}}},
    ],
)
def test_an_offer_of_a_wrong_shape_is_refused(changes: Mapping[str, Any]) -> None:
    offer = {name: value for name, value in {**OFFER, **changes}.items() if value != ...}
    with pytest.raises(InputError) as caught:
        oid4vci.parse_offer(dump_json(offer))
    assert caught.value.code == "MALFORMED"
    assert "Splxl" not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    ["", "credential_offer=%7B%7D&credential_offer_uri=https%3A%2F%2Fa.example", "x=1",
     "credential_offer=", "credential_offer=%5B%5D", "credential_offer_uri=a"],
)  # fmt: skip
def test_a_link_holds_exactly_one_offer(query: str) -> None:
    with pytest.raises(InputError):
        oid4vci.parse_offer_link(f"openid-credential-offer://?{query}")


# --- proofs ---------------------------------------------------------------------------------------


def proof(
    signer: SoftwareSigner = KEY, *, header: Mapping[str, Any] | None = None, **claims: Any
) -> str:
    """A good proof, but for what is changed; `...` takes a member away."""
    whole = {"typ": oid4vci.PROOF_TYP, "jwk": signer.public.jwk, **(header or {})}
    body = {"aud": ISSUER, "iat": NOW, "nonce": "n-1", **claims}
    return sign_jws(dump_json(_kept(body)), _kept(whole), signer)


def _kept(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value != ...}


def refused(text: str, **settings: Any) -> str:
    with pytest.raises(ProtocolError) as caught:
        oid4vci.check_proof(text, issuer=ISSUER, now=NOW, **settings)
    return caught.value.error


def test_a_proof_is_taken_by_its_issuer() -> None:
    made = oid4vci.make_proof(KEY, issuer=ISSUER, nonce="n-1", issued_at=NOW)
    checked = oid4vci.check_proof(made, issuer=ISSUER, now=NOW)
    assert checked == oid4vci.Proof(KEY.public, "n-1")


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_proof_may_be_five_minutes_off(seconds: int) -> None:
    assert oid4vci.check_proof(proof(iat=NOW + seconds), issuer=ISSUER, now=NOW).nonce == "n-1"
    assert refused(proof(iat=NOW + seconds + (1 if seconds > 0 else -1))) == "invalid_proof"


def test_the_bounds_of_a_proof_are_kept_but_for_a_minute_of_clocks() -> None:
    bounded = proof(exp=NOW - 59, nbf=NOW + 60)
    assert oid4vci.check_proof(bounded, issuer=ISSUER, now=NOW).nonce == "n-1"


DEFECTS: list[Any] = [
    {"header": {"typ": "JWT"}},
    {"header": {"typ": ...}},
    {"header": {"typ": "kb+jwt"}},
    {"header": {"alg": "none"}},
    {"header": {"alg": "HS256"}},
    {"header": {"alg": 1}},
    {"header": {"jwk": ...}},
    {"header": {"kid": "did:example:1"}},
    {"header": {"x5c": ["AA=="]}},
    {"header": {"jwk": ..., "kid": "did:example:1"}},
    {"header": {"jwk": OTHER.public.jwk}},
    {"header": {"jwk": {**KEY.public.jwk, "d": "AA"}}},
    {"header": {"jwk": {**KEY.public.jwk, "y": KEY.public.jwk["x"]}}},
    {"header": {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}},
    {"header": {"crit": ["exp"]}},
    {"aud": "https://other.example"},
    {"aud": f"{ISSUER}/"},
    {"aud": [ISSUER]},
    {"aud": ...},
    {"iat": ...},
    {"iat": str(NOW)},
    {"iat": True},
    {"exp": NOW - 60},
    {"exp": str(NOW + 60)},
    {"exp": None},
    {"nbf": NOW + 61},
    {"nbf": True},
    {"iss": "some-wallet"},
    {"nonce": ...},
    {"nonce": ""},
    {"nonce": 1},
    {"nonce": "n" * 1025},
]


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_proof_with_one_defect_is_refused(defect: Any) -> None:
    assert refused(proof(**defect)) == "invalid_proof"


def test_a_proof_by_a_key_that_is_not_on_the_list_is_refused() -> None:
    assert refused(proof(new_signer("EdDSA"))) == "invalid_proof"


def test_a_proof_whose_signature_was_altered_is_refused() -> None:
    good = proof()
    assert refused(good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")) == "invalid_proof"
    for text in ("", "a.b.c", "{}", good + ".x"):
        assert refused(text) == "invalid_proof"


def test_a_wallet_that_is_known_signs_as_itself_or_says_nothing() -> None:
    named = oid4vci.make_proof(KEY, issuer=ISSUER, nonce="n", issued_at=NOW, client_id="w")
    assert oid4vci.check_proof(named, issuer=ISSUER, now=NOW, client_id="w").nonce == "n"
    assert oid4vci.check_proof(proof(), issuer=ISSUER, now=NOW, client_id="w").nonce == "n-1"
    assert refused(named, client_id="other") == "invalid_proof"
    assert refused(named) == "invalid_proof"


def request(*texts: str, **members: Any) -> CredentialRequest:
    body = {"credential_configuration_id": "title_sd_jwt", "proofs": {"jwt": list(texts)}}
    return oid4vci.parse_credential_request(dump_json({**body, **members}))


def checked(asked: CredentialRequest, size: int = 3) -> list[oid4vci.Proof]:
    return oid4vci.check_proofs(asked, issuer=ISSUER, now=NOW, batch_size=size)


def test_one_nonce_serves_all_proofs_of_a_batch() -> None:
    found = checked(request(proof(KEY), proof(OTHER)))
    assert [entry.key for entry in found] == [KEY.public, OTHER.public]


@pytest.mark.parametrize(
    ("proofs", "error"),
    [
        (None, "invalid_proof"),
        ([], "invalid_proof"),
        ({}, "invalid_proof"),
        ({"jwt": []}, "invalid_proof"),
        ({"jwt": "x"}, "invalid_proof"),
        ({"jwt": [1]}, "invalid_proof"),
        ({"attestation": ["x"]}, "invalid_proof"),
        ({"jwt": [proof()], "attestation": ["x"]}, "invalid_proof"),
        ({"jwt": [proof(), proof()]}, "invalid_proof"),
        ({"jwt": [proof(), proof(OTHER, nonce="n-2")]}, "invalid_proof"),
        ({"jwt": [proof(), "x"]}, "invalid_proof"),
        ({"jwt": ["x"] * 4}, "invalid_credential_request"),
    ],
    ids=range(12),
)
def test_proofs_of_another_form_are_refused(proofs: Any, error: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        checked(request(proofs=proofs))
    assert caught.value.error == error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"credential_configuration_id": "a", "credential_configuration_id": "b"}',
        dump_json({}),
        dump_json({"credential_configuration_id": "a", "credential_identifier": "b"}),
        dump_json({"credential_configuration_id": 1}),
        dump_json({"credential_configuration_id": "a", "proof": {"proof_type": "jwt"}}),
    ],
)
def test_a_credential_request_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        oid4vci.parse_credential_request(body)
    assert caught.value.error == "invalid_credential_request"


def test_unknown_members_of_a_credential_request_are_ignored() -> None:
    assert request(proof(), later={"a": 1}).credential_configuration_id == "title_sd_jwt"


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "document"),
    [
        (CredentialAnswer, {}),
        (CredentialAnswer, {"credentials": []}),
        (CredentialAnswer, {"credentials": [{}]}),
        (CredentialAnswer, {"credentials": [{"credential": {}}]}),
        (CredentialAnswer, {"credentials": [{"credential": "a"}], "transaction_id": "b"}),
        (CredentialAnswer, {"transaction_id": "b"}),
        (CredentialAnswer, {"transaction_id": "b", "interval": 0}),
        (CredentialAnswer, {"credentials": [{"credential": "a"}], "interval": 5}),
        (TokenAnswer, {"access_token": "a"}),
        (TokenAnswer, {"access_token": "", "token_type": "Bearer"}),
        (TokenAnswer, {"access_token": "a", "token_type": "Bearer", "expires_in": -1}),
        (Notification, {"notification_id": "a", "event": "credential_lost"}),
        (OAuthError, {"error": 'a"b'}),
        (OAuthError, {}),
        (IssuerMetadata, {"credential_issuer": ISSUER}),
        (
            IssuerMetadata,
            {
                "credential_issuer": ISSUER,
                "credential_endpoint": "x",
                "credential_configurations_supported": {"a": {}},
            },
        ),
        (AuthorizationServerMetadata, {}),
        (CredentialOffer, {"credential_issuer": ISSUER}),
    ],
)
def test_answers_of_another_shape_are_refused(shape: Any, document: Any) -> None:
    with pytest.raises(InputError) as caught:
        read_shape(shape, document, "an answer")
    assert caught.value.code == "MALFORMED"


def test_answers_with_more_than_we_know_are_read() -> None:
    token = {"access_token": "a", "token_type": "bearer", "expires_in": 5, "x": [], "c_nonce": "b"}
    assert read_shape(TokenAnswer, token, "a token").document() == {
        "access_token": "a", "token_type": "bearer", "expires_in": 5,
    }  # fmt: skip
    metadata = {
        "credential_issuer": ISSUER,
        "credential_endpoint": f"{ISSUER}/credential",
        "batch_credential_issuance": {"batch_size": 20},
        "credential_configurations_supported": {
            "pid": {"format": "mso_mdoc", "credential_signing_alg_values_supported": [-9]},
            "title_sd_jwt": {
                "format": "dc+sd-jwt",
                "vct": "https://types.example/t/1",
                "credential_metadata": {"claims": [{"path": ["a", None, 0], "mandatory": True}]},
            },
        },
        "later": True,
    }  # fmt: skip
    read = read_shape(IssuerMetadata, metadata, "metadata")
    assert read.credential_configurations_supported["pid"].format == "mso_mdoc"
    shown = read.document()["credential_configurations_supported"]["title_sd_jwt"]
    assert shown["credential_metadata"] == {"claims": [{"path": ["a", None, 0], "mandatory": True}]}
