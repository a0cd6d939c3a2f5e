"""The trust list: built, sealed, and read strictly."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest
from cryptography import x509 as certificates
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from talentseal import lote, x509
from talentseal.encoding import (
    MAX_LIST_BYTES,
    b64_decode,
    b64_encode,
    b64url_decode,
    dump_json,
    from_seconds,
    parse_json,
)
from talentseal.errors import InputError, UsageError
from talentseal.jose import sign_jws
from talentseal.keys import SoftwareSigner, new_signer, signer_from_secret
from talentseal.lote import (
    Address,
    FormerKey,
    Listed,
    ListedKey,
    Pointer,
    Scheme,
    Service,
    build_list,
    parse_list,
    seal_list,
)
from talentseal.statements import BASE

HOUR = 3600
DAY = 24 * HOUR
NOW = 1_790_000_000 // DAY * DAY
OFFICE = "List office (fictional)"
BOARD = "https://board.hk.example"
BUREAU = "https://bureau.hk.example"
STATUS = "https://status.hk.example"

ROOT, SUB, LIST, ISSUER, BUREAU_KEY, STATUS_KEY, OLD = (
    signer_from_secret(n) for n in range(31, 38)
)
LIST_JKT = frozenset([LIST.public.kid])
ADDRESS = Address("1 Example Road", "HK", "mail@hk.example", "https://hk.example")
SCHEME = Scheme(
    "HK",
    {"en": OFFICE, "zh-Hant": "名單處（虛構）"},
    ADDRESS,
    {"en": "Talentseal trust list"},
    "https://hk.example/list",
)


class Certificates(NamedTuple):
    sub: Any
    office: Any
    board: bytes


@cache
def certified() -> Certificates:
    term: dict[str, Any] = {"not_before": NOW, "not_after": NOW + 4000 * DAY}
    root = x509.make_root_ca(
        ROOT,
        common_name="Root (fictional)",
        organisation=OFFICE,
        country="HK",
        namespaces=["hk.example"],
        serial=1,
        **term,
    )
    sub = x509.make_sub_ca(
        root,
        ROOT,
        SUB.public,
        common_name="Sub (fictional)",
        organisation=OFFICE,
        country="HK",
        serial=2,
        **term,
    )
    return Certificates(sub, a_leaf(sub, LIST), x509.der_of(a_leaf(sub, ISSUER, entity_id=BOARD)))


def a_leaf(sub: Any, signer: SoftwareSigner, **changes: Any) -> Any:
    claims: dict[str, Any] = {
        "entity_id": "https://list.hk.example",
        "organisation": OFFICE,
        "country": "HK",
        "not_before": NOW,
        "window_end": NOW + 365 * DAY,
        "not_after": NOW + 2000 * DAY,
        "serial": 5,
    }
    return x509.make_leaf(sub, SUB, signer.public, **claims | changes)


def listed(signer: SoftwareSigner, **changes: Any) -> ListedKey:
    public = signer.public
    return replace(ListedKey(public.jwk, public.kid, NOW, None, "active"), **changes)


def a_service(**changes: Any) -> Service:
    service = Service(
        "issue/professional-title/1",
        NOW,
        [listed(ISSUER)],
        certificates=[certified().board],
        grants=["grant.one.x"],
        statements=["withdrawal.one.x"],
        former=[FormerKey(OLD.public, "withdrawn", NOW)],
    )
    return replace(service, **changes)


def board(*services: Service) -> Listed:
    names = {"en": "Board (fictional)", "zh-Hant": "局（虛構）"}
    return Listed(BOARD, names, ADDRESS, services or (a_service(),))


def the_entities() -> list[Listed]:
    bureau = Service("authority", NOW, [listed(BUREAU_KEY)], delegations=["delegation.one.x"])
    status = Service("status", NOW, [listed(STATUS_KEY)], grants=["grant.status.x"])
    return [
        board(
            a_service(),
            a_service(
                service_type="issue/professional-qualification/1",
                grants=["grant.one.x", "grant.two.x"],
            ),
        ),
        Listed(BUREAU, {"en": "Bureau (fictional)"}, ADDRESS, [bureau]),
        Listed(STATUS, {"en": "Status (fictional)"}, ADDRESS, [status]),
    ]


def a_payload(entities: Sequence[Listed] | None = None, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "sequence": 7,
        "issued_at": NOW,
        "next_update": NOW + 90 * DAY,
        "pointers": [
            Pointer(
                "https://sz.example/lists/issuers.jws",
                "CN",
                {"en": "Another list office (fictional)"},
                [x509.der_of(certified().office)],
            )
        ],
    }
    return build_list(
        SCHEME, the_entities() if entities is None else entities, **arguments | changes
    )


def sealed(payload: Any, *, signer: SoftwareSigner = LIST, chain: Any = None, **header: Any) -> str:
    """What anybody with a key could publish: no builder looks at it."""
    texts = x509.chain_text(chain or [certified().office, certified().sub])
    ours = {"iat": NOW, "x5c": texts, "x5t#S256": fingerprint(texts[0]), "cty": "json"}
    members = {name: value for name, value in {**ours, **header}.items() if value is not ...}
    return sign_jws(dump_json(payload), members, signer)


def fingerprint(text: str) -> str:
    return lote._fingerprint(b64_decode(text))


def parsed(text: str, **changes: Any) -> lote.TrustList:
    arguments: dict[str, Any] = {"list_jkt": LIST_JKT, "now": NOW}
    return parse_list(text, **arguments | changes)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as refused:
        act()
    return refused.value.code


def at(payload: dict[str, Any], path: str) -> Any:
    """The member of a payload at a path such as `LoTE/TrustedEntitiesList/0`."""
    value: Any = payload
    for name in path.split("/"):
        value = value[int(name) if isinstance(value, list) else name]
    return value


SCHEME_PATH = "LoTE/ListAndSchemeInformation"
ENTITY = "LoTE/TrustedEntitiesList/0"
INFORMATION = f"{ENTITY}/TrustedEntityInformation"
SERVICE = f"{ENTITY}/TrustedEntityServices/0"
SERVICE_INFORMATION = f"{SERVICE}/ServiceInformation"
IDENTITY = f"{SERVICE_INFORMATION}/ServiceDigitalIdentity"
HISTORY = f"{SERVICE}/ServiceHistory/0"
POINTER = f"{SCHEME_PATH}/PointersToOtherLoTE/0"


def with_change(path: str, name: str, value: Any) -> dict[str, Any]:
    """The payload with one member replaced, added, or (`...`) left out."""
    payload = copy.deepcopy(a_payload())
    holder = at(payload, path)
    if value is ...:
        del holder[name]
    else:
        holder[name] = value
    return payload


def extensions_with(*more: Any, without: str = "") -> dict[str, Any]:
    payload = copy.deepcopy(a_payload())
    found = at(payload, f"{SERVICE_INFORMATION}/ServiceInformationExtensions")
    found[:] = [one for one in found if without not in one] if without else found
    found.extend(more)
    return payload


# --- lists that hold ------------------------------------------------------------------------------


def test_a_sealed_list_comes_back_with_its_scheme_and_entities() -> None:
    chain = x509.chain_text([certified().office, certified().sub])
    found = parsed(seal_list(a_payload(), signer=LIST, x5c=chain, iat=NOW))
    assert found.territory == "HK"
    assert found.operator_names == SCHEME.operator
    assert (found.sequence, found.issued_at, found.next_update) == (7, NOW, NOW + 90 * DAY)
    assert [(one.entity_id, one.kind) for one in found.entities] == [
        (BOARD, "issuer"),
        (BUREAU, "authority"),
        (STATUS, "status"),
    ]


def test_an_issuer_with_several_types_is_one_entity_with_each_thing_once() -> None:
    found = parsed(sealed(a_payload())).entities[0]
    assert found.names == {"en": "Board (fictional)", "zh-Hant": "局（虛構）"}
    assert [key.kid for key in found.keys] == [ISSUER.public.kid]
    assert found.certificates == (certified().board,)
    assert found.grants == ("grant.one.x", "grant.two.x")
    assert found.statements == ("withdrawal.one.x",)
    assert found.delegations == ()


def test_a_body_that_is_authority_and_issuer_is_read_as_both() -> None:
    own = Service("authority", NOW, [listed(BUREAU_KEY)], delegations=["delegation.one.x"])
    found = parsed(sealed(a_payload([board(a_service(), own)]))).entities
    assert [(one.entity_id, one.kind) for one in found] == [(BOARD, "issuer"), (BOARD, "authority")]
    assert [key.kid for key in found[1].keys] == [BUREAU_KEY.public.kid]
    assert found[1].certificates == ()
    assert (found[0].delegations, found[1].delegations) == ((), ("delegation.one.x",))


def test_a_list_without_entities_leaves_the_member_out() -> None:
    payload = a_payload([], pointers=[])
    assert "TrustedEntitiesList" not in payload["LoTE"]
    assert "PointersToOtherLoTE" not in at(payload, SCHEME_PATH)
    assert parsed(sealed(payload)).entities == ()


def test_the_same_facts_are_the_same_document() -> None:
    assert a_payload(the_entities()[::-1]) == a_payload()


def test_one_service_stands_for_each_issuer_and_type() -> None:
    services = at(a_payload(), f"{ENTITY}/TrustedEntityServices")
    types = [one["ServiceInformation"]["ServiceTypeIdentifier"] for one in services]
    assert types == [
        f"{BASE}/svc/issue/professional-title/1",
        f"{BASE}/svc/issue/professional-qualification/1",
    ]


def test_former_keys_are_named_by_the_identifier_that_certificates_carry() -> None:
    identifiers = at(a_payload(), f"{HISTORY}/ServiceDigitalIdentity/X509SKIs")
    assert identifiers == [b64_encode(x509.key_identifier(OLD.public))]


def test_keys_without_certificate_stand_as_jwk_or_by_identifier() -> None:
    modern = new_signer("EdDSA")
    services = [
        Service("authority", NOW, [listed(BUREAU_KEY), listed(modern)], delegations=["d.d.d"])
    ]
    payload = a_payload([Listed(BUREAU, {"en": "Bureau (fictional)"}, ADDRESS, services)])
    assert at(payload, IDENTITY) == {
        "PublicKeyValues": [BUREAU_KEY.public.jwk],
        "X509SKIs": [b64_encode(x509.key_identifier(modern.public))],
    }
    found = parsed(sealed(payload)).entities[0]
    assert {key.kid for key in found.keys} == {BUREAU_KEY.public.kid, modern.public.kid}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (None, NOW + 365 * DAY),
        (NOW + 400 * DAY, NOW + 365 * DAY),
        (NOW + 30 * DAY, NOW + 30 * DAY),
    ],
)
def test_a_key_signs_no_longer_than_its_certificate_allows(said: int | None, read: int) -> None:
    payload = a_payload([board(a_service(keys=[listed(ISSUER, sign_until=said)]))])
    assert parsed(sealed(payload)).entities[0].keys[0].sign_until == read


def test_a_renewed_certificate_of_the_same_key_lets_it_sign_on() -> None:
    renewed = a_leaf(
        certified().sub,
        ISSUER,
        entity_id=BOARD,
        window_end=NOW + 700 * DAY,
        serial=6,
    )
    both = [certified().board, x509.der_of(renewed)]
    found = parsed(sealed(a_payload([board(a_service(certificates=both))]))).entities[0]
    assert found.keys[0].sign_until == NOW + 700 * DAY
    assert found.certificates == tuple(both)


def test_a_certificate_without_window_sets_no_end() -> None:
    builder = certificates.CertificateBuilder(
        issuer_name=certified().sub.subject,
        subject_name=certified().office.subject,
        public_key=ISSUER.public.key,
        serial_number=8,
        not_valid_before=from_seconds(NOW),
        not_valid_after=from_seconds(NOW + DAY),
    )
    usage = certified().office.extensions.get_extension_for_class(certificates.KeyUsage).value
    plain = builder.add_extension(usage, critical=True).sign(SUB.private_key, SHA256())
    both = [certified().board, x509.der_of(plain)]
    found = parsed(sealed(a_payload([board(a_service(certificates=both))]))).entities[0]
    assert found.keys[0].sign_until is None


def test_a_former_key_keeps_its_place_and_its_state() -> None:
    keys = [listed(ISSUER), listed(OLD, sign_until=NOW + DAY, state="compromised")]
    found = parsed(sealed(a_payload([board(a_service(keys=keys))]))).entities[0]
    assert [(key.kid, key.state, key.sign_until) for key in found.keys] == [
        (ISSUER.public.kid, "active", NOW + 365 * DAY),
        (OLD.public.kid, "compromised", NOW + DAY),
    ]


def test_a_list_may_have_another_base() -> None:
    base = "https://trust.other.example"
    payload = a_payload(base=base)
    assert parsed(sealed(payload), base=base).sequence == 7
    assert code_of(lambda: parsed(sealed(payload))) == "MALFORMED"


def test_an_extension_that_is_unknown_and_not_critical_is_skipped() -> None:
    payload = extensions_with({"critical": False, "colour": "red"})
    at(payload, SCHEME_PATH)["SchemeExtensions"] = [{"critical": False, "colour": "red"}]
    assert parsed(sealed(payload)).entities


# --- time -----------------------------------------------------------------------------------------


def test_a_list_past_its_next_update_is_discarded() -> None:
    text = sealed(a_payload())
    assert parsed(text, now=NOW + 90 * DAY - 1).sequence == 7
    assert code_of(lambda: parsed(text, now=NOW + 90 * DAY)) == "TRUST_DATA_EXPIRED"
    assert parsed(text, now=None).sequence == 7


@pytest.mark.parametrize("next_update", [NOW, NOW - DAY, NOW + 185 * DAY])
def test_a_list_lives_six_months_at_most(next_update: int) -> None:
    with pytest.raises(UsageError):
        a_payload(next_update=next_update)


# --- signature ------------------------------------------------------------------------------------


def test_a_list_of_a_key_that_the_root_does_not_name_is_refused() -> None:
    text = sealed(a_payload())
    assert code_of(lambda: parsed(text, list_jkt=frozenset())) == "BUNDLE_SIGNATURE"
    own = sealed(a_payload(), signer=OLD, chain=[a_leaf(certified().sub, OLD)])
    assert code_of(lambda: parsed(own)) == "BUNDLE_SIGNATURE"


def test_a_list_signed_by_another_key_than_its_certificates_is_refused() -> None:
    assert code_of(lambda: parsed(sealed(a_payload(), signer=OLD))) == "BUNDLE_SIGNATURE"


def test_a_changed_list_is_refused() -> None:
    head, _, signature = sealed(a_payload()).split(".")
    payload = sealed(with_change(SCHEME_PATH, "LoTESequenceNumber", 8)).split(".")[1]
    assert code_of(lambda: parsed(f"{head}.{payload}.{signature}")) == "BUNDLE_SIGNATURE"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"x5t#S256": "A" * 43}, "BUNDLE_SIGNATURE"),
        ({"x5t#S256": None}, "BUNDLE_SIGNATURE"),
        ({"x5c": []}, "BUNDLE_SIGNATURE"),
        ({"x5c": ["AAAA"]}, "BUNDLE_SIGNATURE"),
        ({"x5c": None}, "BUNDLE_SIGNATURE"),
        ({"alg": "none"}, "BUNDLE_SIGNATURE"),
        ({"alg": "EdDSA"}, "BUNDLE_SIGNATURE"),
        ({"x5c": ...}, "MALFORMED"),
        ({"x5t#S256": ...}, "MALFORMED"),
        ({"iat": ...}, "MALFORMED"),
        ({"iat": True}, "MALFORMED"),
        ({"iat": "now"}, "MALFORMED"),
        ({"cty": ...}, "MALFORMED"),
        ({"cty": "jwt"}, "MALFORMED"),
        ({"crit": ["sigD"]}, "MALFORMED"),
        ({"jku": "https://evil.example"}, "MALFORMED"),
    ],
)
def test_a_header_out_of_line_refuses_the_list(header: dict[str, Any], code: str) -> None:
    assert code_of(lambda: parsed(sealed(a_payload(), **header))) == code


@pytest.mark.parametrize("changes", [{"country": "MO"}, {"organisation": "Somebody else"}])
def test_the_certificate_is_of_the_lists_country_and_office(changes: dict[str, Any]) -> None:
    chain = [a_leaf(certified().sub, LIST, **changes)]
    assert code_of(lambda: parsed(sealed(a_payload(), chain=chain))) == "BUNDLE_SIGNATURE"


def test_a_list_is_sealed_with_the_key_of_its_certificate_only() -> None:
    chain = x509.chain_text([certified().office])
    with pytest.raises(UsageError):
        seal_list(a_payload(), signer=OLD, x5c=chain, iat=NOW)
    assert code_of(lambda: seal_list(a_payload(), signer=LIST, x5c=["AAAA"], iat=NOW)) == (
        "CERT_PATH_INVALID"
    )


def test_a_list_longer_than_readers_take_is_not_sealed_and_not_read() -> None:
    chain = x509.chain_text([certified().office])
    long = a_payload([board(a_service(grants=["g" * MAX_LIST_BYTES]))])
    with pytest.raises(UsageError):
        seal_list(long, signer=LIST, x5c=chain, iat=NOW)
    assert code_of(lambda: parsed("a" * (MAX_LIST_BYTES + 1))) == "TOO_LARGE"


# --- shape ----------------------------------------------------------------------------------------

EXPLICIT = [
    "LoTEVersionIdentifier",
    "LoTESequenceNumber",
    "LoTEType",
    "SchemeOperatorName",
    "SchemeOperatorAddress",
    "SchemeName",
    "SchemeInformationURI",
    "StatusDeterminationApproach",
    "SchemeTypeCommunityRules",
    "SchemeTerritory",
    "PolicyOrLegalNotice",
    "HistoricalInformationPeriod",
    "ListIssueDateTime",
    "NextUpdate",
]
MANDATORY = [
    ("LoTE", "ListAndSchemeInformation"),
    *((SCHEME_PATH, name) for name in EXPLICIT),
    (f"{SCHEME_PATH}/SchemeOperatorAddress", "SchemeOperatorPostalAddress"),
    (f"{SCHEME_PATH}/SchemeOperatorAddress", "SchemeOperatorElectronicAddress"),
    (f"{SCHEME_PATH}/SchemeOperatorAddress/SchemeOperatorPostalAddress/0", "StreetAddress"),
    (f"{SCHEME_PATH}/SchemeOperatorName/0", "lang"),
    (POINTER, "LoTELocation"),
    (POINTER, "ServiceDigitalIdentities"),
    (POINTER, "LoTEQualifiers"),
    (f"{POINTER}/LoTEQualifiers/0", "MimeType"),
    (ENTITY, "TrustedEntityInformation"),
    (ENTITY, "TrustedEntityServices"),
    (INFORMATION, "TEName"),
    (INFORMATION, "TEAddress"),
    (INFORMATION, "TEInformationURI"),
    (INFORMATION, "TEInformationExtensions"),
    (SERVICE, "ServiceInformation"),
    (SERVICE_INFORMATION, "ServiceName"),
    (SERVICE_INFORMATION, "ServiceDigitalIdentity"),
    (SERVICE_INFORMATION, "ServiceTypeIdentifier"),
    (SERVICE_INFORMATION, "ServiceStatus"),
    (SERVICE_INFORMATION, "StatusStartingTime"),
    (SERVICE_INFORMATION, "ServiceInformationExtensions"),
    (f"{IDENTITY}/X509Certificates/0", "val"),
    (HISTORY, "ServiceName"),
    (HISTORY, "ServiceDigitalIdentity"),
    (HISTORY, "ServiceStatus"),
    (HISTORY, "StatusStartingTime"),
]


@pytest.mark.parametrize(("path", "name"), MANDATORY)
def test_a_list_without_a_member_of_the_standard_is_malformed(path: str, name: str) -> None:
    text = sealed(with_change(path, name, ...))
    assert code_of(lambda: parsed(text)) == "MALFORMED"


@pytest.mark.parametrize(
    "path",
    [
        "LoTE",
        SCHEME_PATH,
        POINTER,
        ENTITY,
        INFORMATION,
        SERVICE,
        SERVICE_INFORMATION,
        IDENTITY,
        HISTORY,
        f"{IDENTITY}/X509Certificates/0",
        f"{INFORMATION}/TEName/0",
        f"{INFORMATION}/TEAddress",
        f"{INFORMATION}/TEAddress/TEPostalAddress/0",
    ],
)
def test_a_member_that_the_standard_does_not_know_is_malformed(path: str) -> None:
    text = sealed(with_change(path, "Extra", "x"))
    assert code_of(lambda: parsed(text)) == "MALFORMED"


ONE_NAME = [{"lang": "en", "value": "Name"}]
WRONG: list[tuple[str, str, list[Any]]] = [
    (SCHEME_PATH, "LoTEVersionIdentifier", [2, "1", True, None]),
    (SCHEME_PATH, "LoTESequenceNumber", [0, -1, "7", True, None]),
    (SCHEME_PATH, "LoTEType", [f"{BASE}/lote/others", "issuers", 7]),
    (SCHEME_PATH, "SchemeTerritory", ["CN-4403", "hk", "EUR", "H", 7]),
    (SCHEME_PATH, "HistoricalInformationPeriod", [65534, "65535", None]),
    (SCHEME_PATH, "NextUpdate", ["2026-12-01", "2026-12-01T00:00:00+00:00", "soon", 7, None]),
    (SCHEME_PATH, "ListIssueDateTime", ["2027-01-01T00:00:00Z", "", 0]),
    (SCHEME_PATH, "SchemeName", [ONE_NAME, [{"lang": "en", "value": "MO:Name"}], [], "HK:Name"]),
    (SCHEME_PATH, "SchemeInformationURI", [[], [{"lang": "en", "uriValue": "no uri"}], "x"]),
    (SCHEME_PATH, "PolicyOrLegalNotice", [[], [{}], [{"LoTEPolicy": 7}], "none", [7]]),
    (SCHEME_PATH, "PointersToOtherLoTE", [[], {}, [7]]),
    (SCHEME_PATH, "DistributionPoints", [[], ["no uri"], [7]]),
    (
        SCHEME_PATH,
        "SchemeExtensions",
        [
            [],
            [7],
            [{"colour": "red"}],
            [{"critical": True, "colour": "red"}],
            [{"critical": True, "keys": []}],
            [{"critical": 0, "colour": "red"}],
            [{"critical": False}],
        ],
    ),
    (f"{SCHEME_PATH}/SchemeOperatorName/0", "lang", ["", "e", "english language", 7]),
    (f"{SCHEME_PATH}/SchemeOperatorName/0", "value", ["", "a\nb", 7, "x" * 1001]),
    (
        f"{SCHEME_PATH}/SchemeOperatorAddress",
        "SchemeOperatorElectronicAddress",
        [
            [{"lang": "en", "uriValue": "https://hk.example"}],
            [{"lang": "en", "uriValue": "mailto:mail@hk.example"}],
            [],
        ],
    ),
    (
        INFORMATION,
        "TEName",
        [
            [{"lang": "zh-Hant", "value": "局"}],
            ONE_NAME * 2,
            [],
            "Board",
            [7],
        ],
    ),
    (
        INFORMATION,
        "TEInformationExtensions",
        [
            [],
            [{"critical": False, "colour": "red"}],
            [{"critical": False, "entity": BOARD}],
            [{"critical": False, "entity": {"id": "http://board.hk.example"}}],
            [{"critical": False, "entity": {"id": 7}}],
            [{"critical": False, "entity": {"id": BOARD, "kind": "issuer"}}],
            [{"critical": False, "entity": {"id": BOARD}}] * 2,
        ],
    ),
    (f"{INFORMATION}/TEAddress/TEPostalAddress/0", "Country", ["Hong Kong", "hk", 7]),
    (SERVICE_INFORMATION, "ServiceStatus", [f"{BASE}/svc-status/fine", "granted", 7]),
    (SERVICE_INFORMATION, "StatusStartingTime", ["2026-12-01", 7]),
    (
        SERVICE_INFORMATION,
        "ServiceTypeIdentifier",
        [
            f"{BASE}/svc/root",
            f"{BASE}/svc/issue/professional-title",
            f"{BASE}/svc/issue/professional-title/01",
            f"{BASE}/svc/issue/professional-qualification/1",
            "https://other.example/svc/status",
        ],
    ),
    (SERVICE_INFORMATION, "ServiceSupplyPoints", [[], ["https://x.example"]]),
    (
        SERVICE_INFORMATION,
        "ServiceDigitalIdentity",
        [
            {},
            {"X509Certificates": []},
            {"X509Certificates": [{"val": "AAAA"}]},
            {"X509Certificates": [{"val": "not base64"}]},
            {"PublicKeyValues": [OLD.public.jwk]},
            {"PublicKeyValues": [{"kty": "oct", "k": "AAAA"}]},
            {"PublicKeyValues": [{**OLD.public.jwk, "d": "A" * 43}]},
            {"X509SKIs": ["no base64"]},
            7,
        ],
    ),
    (ENTITY, "TrustedEntityServices", [[], {}, [7]]),
    (SERVICE, "ServiceHistory", [[], {}, [{}]]),
    ("LoTE", "TrustedEntitiesList", [[], {}, None, [7]]),
]


@pytest.mark.parametrize(
    ("path", "name", "value"), [(path, name, value) for path, name, vs in WRONG for value in vs]
)
def test_a_member_with_an_impossible_value_is_malformed(path: str, name: str, value: Any) -> None:
    text = sealed(with_change(path, name, value))
    assert code_of(lambda: parsed(text)) == "MALFORMED"


def test_an_authority_is_never_listed_as_a_leaf() -> None:
    """A foreign reader would accept every leaf below it."""
    sub = b64_encode(x509.der_of(certified().sub))
    payload = copy.deepcopy(a_payload([board(a_service(keys=[listed(ISSUER), listed(SUB)]))]))
    at(payload, IDENTITY)["X509Certificates"].append({"val": sub})
    assert code_of(lambda: parsed(sealed(payload))) == "MALFORMED"


def test_a_public_key_beside_a_certificate_is_the_same_key() -> None:
    same = with_change(IDENTITY, "PublicKeyValues", [ISSUER.public.jwk])
    assert parsed(sealed(same)).entities
    both = [a_service(keys=[listed(ISSUER), listed(OLD)])]
    payload = copy.deepcopy(a_payload([board(*both)]))
    at(payload, IDENTITY)["PublicKeyValues"] = [OLD.public.jwk]
    assert code_of(lambda: parsed(sealed(payload))) == "MALFORMED"


@pytest.mark.parametrize(
    "extension",
    [
        {"critical": True, "colour": "red"},
        {"critical": False, "colour": "red", "keys": []},
        {"critical": False, "keys": []},
        {"critical": False, "keys": "x"},
        {"critical": False, "grant": 7},
        {"critical": False, "delegation": ["x"]},
        {"critical": False, "statements": []},
        {"critical": False, "statements": "x"},
        {"critical": False, "statements": [7]},
        {"grant": "x"},
        7,
    ],
)
def test_an_extension_out_of_shape_refuses_the_list(extension: Any) -> None:
    assert code_of(lambda: parsed(sealed(extensions_with(extension)))) == "MALFORMED"


def test_a_service_lists_its_keys_exactly_once() -> None:
    keys = {"critical": False, "keys": [lote._key_members(listed(ISSUER))]}
    assert code_of(lambda: parsed(sealed(extensions_with(keys)))) == "MALFORMED"
    assert code_of(lambda: parsed(sealed(extensions_with(without="keys")))) == "MALFORMED"


@pytest.mark.parametrize(
    "change",
    [
        {"kid": OLD.public.kid},
        {"kid": 7},
        {"nbf": NOW + 1},
        {"nbf": "now"},
        {"nbf": True},
        {"nbf": ...},
        {"sign_until": NOW + 1},
        {"sign_until": None},
        {"state": "fine"},
        {"state": ["active"]},
        {"jwk": {}},
        {"jwk": {**ISSUER.public.jwk, "d": "A" * 43}},
        {"extra": 1},
    ],
)
def test_a_listed_key_out_of_shape_refuses_the_list(change: dict[str, Any]) -> None:
    members = {**lote._key_members(listed(ISSUER)), **change}
    keys = [{name: value for name, value in members.items() if value is not ...}]
    payload = extensions_with({"critical": False, "keys": keys}, without="keys")
    assert code_of(lambda: parsed(sealed(payload))) == "MALFORMED"


def test_two_services_of_one_body_agree_about_its_keys() -> None:
    other = a_service(
        service_type="issue/professional-qualification/1", keys=[listed(ISSUER, nbf=NOW + DAY)]
    )
    with pytest.raises(UsageError):
        a_payload([board(a_service(), other)])


def test_an_entity_stands_in_the_list_once_and_each_of_its_services_once() -> None:
    with pytest.raises(UsageError):
        a_payload([board(), board()])
    with pytest.raises(UsageError):
        a_payload([board(a_service(), a_service())])


@pytest.mark.parametrize(
    "change",
    [
        {"country": "Hong Kong"},
        {"operator": {"zh-Hant": "名單處"}},
        {"operator": {}},
        {"name": {}},
        {"information_uri": "hk.example"},
        {"address": replace(ADDRESS, website="ftp://hk.example")},
    ],
)
def test_no_list_is_built_that_readers_would_refuse(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        build_list(replace(SCHEME, **change), [], sequence=1, issued_at=NOW, next_update=NOW + DAY)


# --- hostile bytes --------------------------------------------------------------------------------


def every_place(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and item in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, one in inner:
        found.append((*path, name))
        if isinstance(one, dict | list):
            found += every_place(one, (*path, name))
    return found


PLACES = every_place(a_payload())
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**53 - 1) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from(PLACES), _JSON), min_size=1, max_size=3))
@settings(max_examples=300)
def test_signed_nonsense_is_only_ever_refused(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    payload = copy.deepcopy(a_payload())
    for path, value in changes:
        holder: Any = payload
        try:
            for name in path[:-1]:
                holder = holder[name]
            holder[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    try:
        found = parsed(sealed(payload))
    except InputError as refused:
        if refused.code not in ("MALFORMED", "BUNDLE_SIGNATURE", "TRUST_DATA_EXPIRED"):
            raise
        return
    assert found.territory == "HK"


@given(st.text(max_size=100))
def test_arbitrary_text_is_no_list(text: str) -> None:
    with pytest.raises(InputError):
        parsed(text)


def test_a_list_is_a_jws_whose_payload_is_the_plain_document() -> None:
    text = sealed(a_payload())
    assert parse_json(b64url_decode(text.split(".")[1]), max_depth=32) == a_payload()
