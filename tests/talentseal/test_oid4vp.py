"""Requests with one defect each, in one table: whatever is wrong, the wallet stops."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from simulator import HOUR, YEAR, key

from schemas.openid4vp import DcqlQuery
from talentseal import jwe, oid4vp, sdjwt, x509
from talentseal.encoding import b64url_encode, dump_json, parse_json
from talentseal.errors import InputError, RefusedError, TalentsealError, UsageError
from talentseal.jose import sign_jws
from talentseal.keys import SoftwareSigner

NOW = 1_795_251_600
HOST = "harbour.sz.example"
URI = f"https://{HOST}/oid4vp/response/1"
CLIENT = f"x509_san_dns:{HOST}"
QUERY = DcqlQuery.model_validate(
    {
        "credentials": [
            {
                "id": "title",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": ["https://types.example/title/1"]},
                "claims": [{"path": ["benefits", None]}],
            }
        ]
    }
)
CA, LEAF, OTHER = key("vp ca"), key("vp leaf"), key("vp other")
TERM: dict[str, Any] = {"not_before": NOW - YEAR, "not_after": NOW + YEAR}
ROOT = x509.make_root_ca(
    CA, common_name="Fictional CA", organisation="Shenzhen (fictional)", country="CN",
    namespaces=["sz.example"], serial=1, **TERM,
)  # fmt: skip
SUB = x509.make_sub_ca(
    ROOT, CA, key("vp sub").public, common_name="Fictional issuing CA",
    organisation="Shenzhen (fictional)", country="CN", serial=2, **TERM,
)  # fmt: skip


def leaf(entity_id: str = f"https://{HOST}", signer: SoftwareSigner = LEAF) -> Any:
    return x509.make_leaf(
        SUB, key("vp sub"), signer.public, entity_id=entity_id, country="CN",
        organisation="Harbour Engineering (fictional)", window_end=NOW + HOUR, serial=3, **TERM,
    )  # fmt: skip


CHAIN = x509.chain_text([leaf(), SUB])
HASHED = oid4vp.client_id_of_leaf(x509.parse_x5c(CHAIN)[0])


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good request, but for what is changed; `...` takes one away."""
    good = oid4vp.request_claims(
        client_id=CLIENT, response_uri=URI, nonce="n" * 22, state="s-1", query=QUERY,
        client_name="Bank of Fiction", issued_at=NOW,
    )  # fmt: skip
    return {name: value for name, value in {**good, **changes}.items() if value != ...}


def signed(body: Mapping[str, Any], *, signer: SoftwareSigner = LEAF, **header: Any) -> str:
    whole = {"typ": "oauth-authz-req+jwt", "x5c": CHAIN, **header}
    kept = {name: value for name, value in whole.items() if value != ...}
    return sign_jws(dump_json(body), kept, signer)


def read(
    text: str, client_id: str = CLIENT, *, anchors: Sequence[Any] = (ROOT,), **settings: Any
) -> oid4vp.Request:
    return oid4vp.read_request_object(
        text, client_id=client_id, anchors=anchors, now=NOW, **settings
    )


def test_a_good_request_is_read_and_named_by_its_certificate() -> None:
    request = read(oid4vp.sign_request(claims(), signer=LEAF, x5c=CHAIN))
    assert (request.host, request.name) == (HOST, "Harbour Engineering (fictional)")
    assert request.signed
    assert request.query == QUERY
    assert (request.nonce, request.state, request.response_uri) == ("n" * 22, "s-1", URI)


def test_a_request_may_be_named_by_the_hash_of_its_certificate() -> None:
    elsewhere = "https://elsewhere.example/response"
    request = read(signed(claims(client_id=HASHED, response_uri=elsewhere)), HASHED)
    assert (request.client_id, request.host) == (HASHED, HOST)


def test_what_the_text_says_to_ignore_is_ignored() -> None:
    request = read(signed(claims(iss="https://x.example", later={"a": 1}, aud=..., state=...)))
    assert request.state is None


def test_the_clock_of_a_verifier_may_be_a_minute_off() -> None:
    assert read(signed(claims(iat=NOW + 60, exp=NOW - 59))).signed


DEFECTS: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [
    # header and certificate
    ({}, {"typ": "JWT"}),
    ({}, {"typ": ...}),
    ({}, {"typ": "dc+sd-jwt"}),
    ({}, {"alg": "none"}),
    ({}, {"alg": "HS256"}),
    ({}, {"crit": ["exp"]}),
    ({}, {"x5c": ...}),
    ({}, {"x5c": []}),
    ({}, {"x5c": ["AAAA"]}),
    ({}, {"x5c": x509.chain_text([leaf()])}),
    ({}, {"x5c": x509.chain_text([leaf(), SUB, ROOT])}),
    ({}, {"x5c": x509.chain_text([ROOT]), "signer": CA}),
    ({}, {"x5c": x509.chain_text([SUB]), "signer": key("vp sub")}),
    ({}, {"signer": OTHER}),
    # who asks
    ({"client_id": "x509_san_dns:other.sz.example"}, {}),
    ({"client_id": HASHED}, {}),
    ({"client_id": HOST}, {}),
    ({"client_id": ...}, {}),
    # when and for whom
    ({"exp": NOW - 60}, {}),
    ({"iat": NOW + 61}, {}),
    ({"nbf": NOW + 61}, {}),
    ({"exp": "tomorrow"}, {}),
    ({"aud": "https://wallet.example"}, {}),
    ({"aud": ["https://self-issued.me/v2"]}, {}),
    # parameters
    ({"response_type": "code"}, {}),
    ({"response_type": "vp_token id_token"}, {}),
    ({"response_type": ...}, {}),
    ({"response_mode": "fragment"}, {}),
    ({"response_mode": "dc_api"}, {}),
    ({"response_mode": ...}, {}),
    ({"nonce": ...}, {}),
    ({"nonce": ""}, {}),
    ({"nonce": "has space"}, {}),
    ({"nonce": None}, {}),
    ({"state": "sp ace"}, {}),
    ({"response_uri": ...}, {}),
    ({"response_uri": "http://harbour.sz.example/r"}, {}),
    ({"response_uri": "https://evil.example/r"}, {}),
    ({"response_uri": f"https://{HOST}@evil.example/r"}, {}),
    ({"response_uri": f"{URI}#f"}, {}),
    ({"redirect_uri": URI}, {}),
    ({"redirect_uri": None}, {}),
    ({"transaction_data": ["e30"]}, {}),
    ({"transaction_data": []}, {}),
    ({"dcql_query": ...}, {}),
    ({"dcql_query": ..., "scope": "title"}, {}),
    ({"scope": "title"}, {}),
    ({"dcql_query": {"credentials": []}}, {}),
    ({"dcql_query": '{"credentials": []}'}, {}),
    ({"client_metadata": "x"}, {}),
    ({"client_metadata": {"jwks": {"keys": "none"}}}, {}),
]


@pytest.mark.parametrize(("body", "header"), DEFECTS, ids=range(len(DEFECTS)))
def test_a_request_with_one_defect_is_refused(
    body: Mapping[str, Any], header: Mapping[str, Any]
) -> None:
    with pytest.raises((InputError, RefusedError)):
        read(signed(claims(**body), **header))


@pytest.mark.parametrize(
    ("anchors", "at"), [((), NOW), ((SUB,), NOW), ((ROOT,), NOW + 2 * YEAR), ((ROOT,), 0)]
)
def test_a_certificate_without_a_way_to_a_known_authority_is_refused(
    anchors: Sequence[Any], at: int
) -> None:
    with pytest.raises(InputError) as caught:
        oid4vp.read_request_object(signed(claims()), client_id=CLIENT, anchors=anchors, now=at)
    assert caught.value.code == "CERT_PATH_INVALID"


def test_an_altered_request_is_refused() -> None:
    header, _, signature = signed(claims()).split(".")
    other = signed(claims(nonce="m" * 22)).split(".")[1]
    with pytest.raises(InputError) as caught:
        read(f"{header}.{other}.{signature}")
    assert caught.value.code == "SIGNATURE_INVALID"


@pytest.mark.parametrize(
    "client_id",
    ["", HOST, "origin:https://x.example", "x509_san_uri:https://x", "verifier_attestation:x",
     "decentralized_identifier:did:example:1", "openid_federation:https://x", "x509_san_dns:",
     f"redirect_uri:{URI}", "X509_SAN_DNS:" + HOST, "https://harbour.sz.example"],
)  # fmt: skip
def test_a_verifier_that_names_itself_in_another_way_is_refused(client_id: str) -> None:
    with pytest.raises(TalentsealError):
        read(signed(claims(client_id=client_id)), client_id)


def test_the_hash_must_be_that_of_the_leaf() -> None:
    other = oid4vp.client_id_of_leaf(x509.der_of(SUB))
    with pytest.raises(RefusedError):
        read(signed(claims(client_id=other)), other)


def test_a_nonce_of_the_wallet_must_come_back() -> None:
    assert read(signed(claims(wallet_nonce="w")), wallet_nonce="w").signed
    for body in (claims(), claims(wallet_nonce="v")):
        with pytest.raises(RefusedError):
            read(signed(body), wallet_nonce="w")
    assert read(signed(claims(wallet_nonce="w"))).signed


# --- links ----------------------------------------------------------------------------------------


def test_a_link_says_where_the_request_lies() -> None:
    link = oid4vp.request_link(CLIENT, "https://harbour.sz.example/r/1", post=True)
    found = oid4vp.parse_invocation(link)
    assert (found.client_id, found.request_uri, found.method) == (
        CLIENT, "https://harbour.sz.example/r/1", "post",
    )  # fmt: skip
    assert oid4vp.parse_invocation(link.replace("_method=post", "_method=get")).method == "get"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"request_uri": URI},
        {"client_id": CLIENT},
        {"client_id": CLIENT, "request_uri": URI, "request": "a.b.c"},
        {"client_id": CLIENT, "request_uri": URI, "request_uri_method": "POST"},
        {"client_id": CLIENT, "request": "a.b.c", "request_uri_method": "get"},
        {"client_id": f"redirect_uri:{URI}", "request_uri": URI},
        {"client_id": HOST, "request_uri": URI},
        {"client_id": "origin:https://x.example", "request_uri": URI},
    ],
    ids=range(9),
)
def test_a_link_with_a_defect_is_refused(query: Mapping[str, str]) -> None:
    with pytest.raises((InputError, RefusedError)):
        oid4vp.parse_invocation(f"openid4vp://?{urlencode(query)}")


def unsigned(**changes: Any) -> oid4vp.Request:
    body = claims(**{"client_id": f"redirect_uri:{URI}", **changes})
    return oid4vp.read_unsigned_request(oid4vp.parse_invocation(oid4vp.unsigned_link(body)))


def test_an_unsigned_request_proves_nothing_but_where_the_answer_goes() -> None:
    request = unsigned()
    assert (request.signed, request.name, request.host) == (False, None, HOST)
    assert request.query == QUERY


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": CLIENT},
        {"client_id": "redirect_uri:https://evil.example/r"},
        {"response_uri": ...},
        {"response_uri": "https://evil.example/r"},
        {"redirect_uri": URI},
        {"nonce": ...},
        {"dcql_query": ...},
        {"dcql_query": "no JSON"},
        {"transaction_data": ["e30"]},
        {"response_mode": "fragment"},
    ],
    ids=range(10),
)
def test_an_unsigned_request_with_a_defect_is_refused(changes: Mapping[str, Any]) -> None:
    with pytest.raises((InputError, RefusedError)):
        unsigned(**changes)


def test_plain_http_is_for_this_machine_under_the_development_switch() -> None:
    uri = "http://127.0.0.1:8703/r"
    body = claims(client_id=f"redirect_uri:{uri}", response_uri=uri)
    invocation = oid4vp.parse_invocation(oid4vp.unsigned_link(body))
    assert oid4vp.read_unsigned_request(invocation, dev=True).host == "127.0.0.1"
    with pytest.raises(InputError):
        oid4vp.read_unsigned_request(invocation)


# --- answers --------------------------------------------------------------------------------------

PAIR = jwe.new_key_pair("k1")


def encrypted_request(**changes: Any) -> oid4vp.Request:
    body = oid4vp.request_claims(
        client_id=CLIENT, response_uri=URI, nonce="n" * 22, state="s-1", query=QUERY,
        client_name="x", issued_at=NOW, encryption_key=PAIR.public,
    )  # fmt: skip
    return read(signed({**body, **changes}))


def test_a_plain_answer_comes_through() -> None:
    form = oid4vp.presentation_form(read(signed(claims())), {"title": ("a~b",)})
    assert form.keys() == {"vp_token", "state"}
    assert oid4vp.read_response(form) == ({"title": ["a~b"]}, None, "s-1")


def test_an_encrypted_answer_holds_nothing_in_clear() -> None:
    form = oid4vp.presentation_form(encrypted_request(), {"title": ("a~b",)})
    assert form.keys() == {"response"}
    inside = parse_json(jwe.decrypt(form["response"], PAIR.private))
    assert inside == {"vp_token": {"title": ["a~b"]}, "state": "s-1"}
    assert oid4vp.read_response(form, private_key=PAIR.private).vp_token == {"title": ["a~b"]}


def test_a_refusal_is_encrypted_where_it_can_be() -> None:
    form = oid4vp.error_form(encrypted_request())
    assert oid4vp.read_response(form, private_key=PAIR.private).error == "access_denied"
    keyless = encrypted_request(client_metadata={"jwks": {"keys": [{"kty": "OKP"}]}})
    assert oid4vp.error_form(keyless) == {"error": "access_denied", "state": "s-1"}
    assert oid4vp.read_response(oid4vp.error_form(keyless), private_key=PAIR.private).error
    with pytest.raises(RefusedError):
        oid4vp.presentation_form(keyless, {"title": ("a",)})


@pytest.mark.parametrize(
    ("fields", "private"),
    [
        ({}, None),
        ({"state": "s"}, None),
        ({"vp_token": ""}, None),
        ({"vp_token": "[]"}, None),
        ({"vp_token": '{"a": ["b"], "a": ["c"]}'}, None),
        ({"vp_token": '{"a": ["b"]}'}, PAIR.private),
        ({"response": "a.b.c.d.e"}, PAIR.private),
        ({"response": jwe.encrypt(b"{}", [PAIR.public])}, PAIR.private),
        ({"response": jwe.encrypt(b"[]", [PAIR.public])}, PAIR.private),
        ({"response": jwe.encrypt(b'{"error": 1}', [PAIR.public])}, PAIR.private),
        ({"response": jwe.encrypt(b'{"error": "a"}', [PAIR.public])}, None),
    ],
    ids=range(11),
)
def test_an_answer_of_another_form_is_refused(
    fields: Mapping[str, str], private: Mapping[str, str] | None
) -> None:
    with pytest.raises(InputError):
        oid4vp.read_response(fields, private_key=private)


# --- only what was asked for leaves ---------------------------------------------------------------


@pytest.fixture(scope="module")
def credential() -> str:
    """Hand-made: hidden members, a hidden list with hidden elements, and a claim in clear."""
    made: list[str] = []

    def hide(*parts: Any) -> str:
        text = b64url_encode(dump_json([f"salt-{len(made)}", *parts]))
        made.append(text)
        return sdjwt._digests((text.encode(),))[0]

    document = {"kind": "pass", "_sd": [hide("number", "X1"), hide("tail", "0001")]}
    elements = [{"...": hide("rail")}, "clear", {"...": hide({"a": 1})}, {"...": "A" * 43}]
    payload = {
        "vct": "t",
        "open": {"in": 1},
        "_sd": [hide("document", document), hide("benefits", elements), hide("name", "Lan")],
    }
    token = sign_jws(dump_json(payload), {"typ": "dc+sd-jwt"}, LEAF)
    return "~".join((token, *made, ""))


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        ([], {}),
        ([("name",)], {"name": "Lan"}),
        ([("document", "tail")], {"document": {"kind": "pass", "tail": "0001"}}),
        ([("document", "kind")], {"document": {"kind": "pass"}}),
        ([("document",)], {"document": {"kind": "pass", "number": "X1", "tail": "0001"}}),
        ([("benefits", 0)], {"benefits": ["rail", "clear"]}),
        ([("benefits", 1)], {"benefits": ["clear"]}),
        ([("benefits", 2, "a")], {"benefits": ["clear", {"a": 1}]}),
        ([("benefits", None)], {"benefits": ["rail", "clear", {"a": 1}]}),
        ([("benefits",)], {"benefits": ["rail", "clear", {"a": 1}]}),
        ([("open", "in"), ("vct",)], {}),
    ],
)
def test_a_path_discloses_itself_and_its_ancestors_alone(
    credential: str, paths: list[Any], shown: Mapping[str, Any]
) -> None:
    found = sdjwt.all_claims(sdjwt.disclose_paths(credential, paths))
    assert found == {"vct": "t", "open": {"in": 1}, **shown}


@pytest.mark.parametrize(
    "path", [("nothing",), ("name", "x"), ("benefits", 3), ("document", None), ("benefits", "x"),
             ("document", "portrait")],
)  # fmt: skip
def test_a_path_that_leads_nowhere_is_refused(credential: str, path: Any) -> None:
    with pytest.raises(UsageError):
        sdjwt.disclose_paths(credential, [path])
