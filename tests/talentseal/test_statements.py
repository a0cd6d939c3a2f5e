"""Who may seal what: statements sealed, parsed, weighed, and ended."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talentseal.encoding import b64url_decode, b64url_encode, dump_json, parse_json
from talentseal.endings import effect_at
from talentseal.errors import InputError
from talentseal.jose import sign_jws
from talentseal.keys import SoftwareSigner, new_signer, signer_from_secret
from talentseal.statements import (
    MARK_ISSUE,
    MARK_RECOGNISES,
    MARK_STATUS,
    TYP_DELEGATION,
    TYP_KEY_EVENT,
    TYP_MARK,
    TYP_WITHDRAWAL,
    Delegation,
    Grant,
    ceil_hour,
    check_within,
    digest,
    floor_hour,
    is_entity_id,
    parse_delegation,
    parse_grant,
    parse_key_event,
    parse_recognition,
    parse_withdrawal,
    read_unverified,
    seal_delegation,
    seal_grant,
    seal_key_event,
    seal_recognition,
    seal_withdrawal,
)

HOUR = 3600
DAY = 24 * HOUR
NOW = 1_790_000_000 // DAY * DAY
ROOT_ID = "https://root.sz.example"
AUTHORITY_ID = "https://commission.sz.example"
ISSUER_ID = "https://station.sz.example/futian"
PERMIT = "https://types.talentseal.example/foreigner-work-permit/1"
TITLE = "https://types.talentseal.example/professional-title/1"

ROOT, AUTHORITY, ISSUER, APPROVER = (signer_from_secret(n) for n in (11, 12, 13, 14))
ROOT_KEYS = {ROOT.public.kid: ROOT.public}
AUTHORITY_KEYS = {AUTHORITY.public.kid: AUTHORITY.public}


def a_delegation(**changes: Any) -> str:
    claims: dict[str, Any] = {
        "signer": ROOT,
        "iss": ROOT_ID,
        "sub": AUTHORITY_ID,
        "jti": "d-1",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 1000 * DAY,
        "mark_type": MARK_ISSUE,
        "jkt": [AUTHORITY.public.kid],
        "vct": [PERMIT, TITLE],
        "territory": ["CN/4403"],
    }
    return seal_delegation(**claims | changes)


def a_grant(**changes: Any) -> str:
    claims: dict[str, Any] = {
        "signer": AUTHORITY,
        "iss": AUTHORITY_ID,
        "sub": ISSUER_ID,
        "jti": "g-1",
        "iat": NOW,
        "nbf": NOW + DAY,
        "exp": NOW + 300 * DAY,
        "mark_type": MARK_ISSUE,
        "jkt": [ISSUER.public.kid],
        "vct": [PERMIT],
        "territory": ["CN/440304"],
        "delegation": a_delegation(),
    }
    return seal_grant(**claims | changes)


def a_recognition(**changes: Any) -> str:
    claims: dict[str, Any] = {
        "signer": ROOT,
        "iss": ROOT_ID,
        "sub": "https://root.hk.example",
        "jti": "r-1",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 365 * DAY,
        "vct": [TITLE],
        "issued_in": ["HK"],
        "valid_in": ["CN/4403/x-qianhai"],
        "purpose": ["filing", "practise"],
        "on_end": "grandfather",
    }
    return seal_recognition(**claims | changes)


def a_withdrawal(**changes: Any) -> str:
    claims: dict[str, Any] = {
        "signer": AUTHORITY,
        "iss": AUTHORITY_ID,
        "jti": "w-1",
        "iat": NOW,
        "statement": "g-1",
        "statement_s256": digest("a grant"),
        "effect": "from",
        "at": NOW,
        "reason": "The agreement ended.",
    }
    return seal_withdrawal(**claims | changes)


def a_key_event(**changes: Any) -> str:
    claims: dict[str, Any] = {
        "signer": ROOT,
        "iss": ROOT_ID,
        "sub": AUTHORITY_ID,
        "jti": "k-1",
        "iat": NOW,
        "jkt": AUTHORITY.public.kid,
        "event": "compromised",
        "at": NOW,
        "reason": "The device was lost.",
    }
    return seal_key_event(**claims | changes)


class Sort(NamedTuple):
    make: Callable[..., str]
    parse: Callable[..., Any]
    typ: str
    signer: SoftwareSigner


SORTS = {
    "delegation": Sort(a_delegation, parse_delegation, TYP_DELEGATION, ROOT),
    "grant": Sort(a_grant, parse_grant, TYP_MARK, AUTHORITY),
    "recognition": Sort(a_recognition, parse_recognition, TYP_MARK, ROOT),
    "withdrawal": Sort(a_withdrawal, parse_withdrawal, TYP_WITHDRAWAL, AUTHORITY),
    "key event": Sort(a_key_event, parse_key_event, TYP_KEY_EVENT, ROOT),
}
every_sort = pytest.mark.parametrize("sort", SORTS.values(), ids=SORTS.keys())


def keys_of(*signers: SoftwareSigner) -> dict[str, Any]:
    return {signer.public.kid: signer.public for signer in signers}


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(InputError) as refused:
        act()
    return refused.value.code


def claims_of(text: str) -> dict[str, Any]:
    claims: dict[str, Any] = parse_json(b64url_decode(text.split(".")[1]))
    return claims


def resealed(
    sort: Sort, claims: dict[str, Any], *, signer: SoftwareSigner | None = None, **header: Any
) -> str:
    """What a signer who does not use our builders could publish."""
    by = signer or sort.signer
    return sign_jws(dump_json(claims), {"typ": sort.typ, "kid": by.public.kid, **header}, by)


def parsed(sort: Sort, text: str) -> Any:
    return sort.parse(text, keys=keys_of(sort.signer))


# --- round trips ----------------------------------------------------------------------------------


@every_sort
def test_a_sealed_statement_comes_back_with_its_text_digest_and_key(sort: Sort) -> None:
    text = sort.make()
    statement = parsed(sort, text)
    assert statement.jws == text
    assert statement.sha256 == digest(text)
    assert statement.kid == sort.signer.public.kid
    known = {field.name: getattr(statement, field.name) for field in fields(statement)}
    for name, value in claims_of(text).items():
        name = "mark_type" if name == "trust_mark_type" else name  # noqa: PLW2901
        if name == "mark_type" and name not in known:
            continue  # a recognition has one mark type only
        found = known[name]
        assert (sorted(found) if isinstance(value, list) else found) == (
            sorted(value) if isinstance(value, list) else value
        )


def test_a_delegation_with_everything_comes_back_whole() -> None:
    text = a_delegation(profession=["engineer"], max_validity=5 * DAY, approval_required=True)
    found = parse_delegation(text, keys=ROOT_KEYS)
    assert found.profession == ("engineer",)
    assert found.max_validity == 5 * DAY
    assert found.approval_required is True
    assert found.uri_prefix == ()
    assert parse_delegation(a_delegation(), keys=ROOT_KEYS).profession is None


def test_a_grant_with_everything_comes_back_whole() -> None:
    text = a_grant(
        approval_by=AUTHORITY_ID,
        approval_jkt=[APPROVER.public.kid],
        quota=(200, "month"),
        profession=["engineer/civil"],
        max_validity=DAY,
    )
    found = parse_grant(text, keys=AUTHORITY_KEYS)
    assert found.approval_by == AUTHORITY_ID
    assert found.approval_jkt == {APPROVER.public.kid}
    assert found.quota == (200, "month")
    assert found.delegation == a_delegation()


def test_a_grant_to_publish_status_has_folders_instead_of_types() -> None:
    folder = ["https://status.sz.example/lists/"]
    text = a_grant(mark_type=MARK_STATUS, vct=(), territory=(), uri_prefix=folder)
    found = parse_grant(text, keys=AUTHORITY_KEYS)
    assert (found.vct, found.territory, found.uri_prefix) == (frozenset(), (), tuple(folder))


def test_a_recognition_with_everything_comes_back_whole() -> None:
    text = a_recognition(
        profession=["engineer"], max_age=DAY, catalogue=("titles-2026", ["A", "B"])
    )
    found = parse_recognition(text, keys=ROOT_KEYS)
    assert found.catalogue == ("titles-2026", ("A", "B"))
    assert found.max_age == DAY
    assert found.purpose == {"filing", "practise"}


def test_a_key_event_may_name_its_survivors() -> None:
    listed = digest("survivors")
    found = parse_key_event(a_key_event(survivors_s256=listed), keys=ROOT_KEYS)
    assert found.survivors_s256 == listed
    assert parse_key_event(a_key_event(), keys=ROOT_KEYS).survivors_s256 is None


def test_an_ed25519_key_signs_statements_as_well() -> None:
    signer = new_signer("EdDSA")
    assert parse_delegation(a_delegation(signer=signer), keys=keys_of(signer)).jti == "d-1"


@every_sort
def test_claims_that_nobody_knows_are_ignored(sort: Sort) -> None:
    text = resealed(sort, claims_of(sort.make()) | {"colour": ["red"]})
    assert parsed(sort, text).jti == claims_of(text)["jti"]


@every_sort
def test_the_unverified_view_names_who_claims_to_have_signed(sort: Sort) -> None:
    text = sort.make()
    claims = claims_of(text)
    assert read_unverified(text) == (
        sort.typ,
        sort.signer.public.kid,
        claims["iss"],
        claims.get("sub", ""),
        claims["jti"],
    )


# --- header and signature -------------------------------------------------------------------------


@every_sort
def test_a_statement_of_a_key_that_may_not_sign_it_is_refused(sort: Sort) -> None:
    assert code_of(lambda: sort.parse(sort.make(), keys=keys_of(ISSUER))) == "STATEMENT_SIGNATURE"
    assert code_of(lambda: sort.parse(sort.make(), keys={})) == "STATEMENT_SIGNATURE"


@every_sort
def test_a_foreign_signature_under_a_known_key_identifier_is_refused(sort: Sort) -> None:
    text = resealed(sort, claims_of(sort.make()), signer=ISSUER, kid=sort.signer.public.kid)
    assert code_of(lambda: parsed(sort, text)) == "STATEMENT_SIGNATURE"


@every_sort
def test_a_key_held_under_another_identifier_signs_nothing(sort: Sort) -> None:
    mixed = {sort.signer.public.kid: ISSUER.public}
    text = resealed(sort, claims_of(sort.make()), signer=ISSUER, kid=sort.signer.public.kid)
    assert code_of(lambda: sort.parse(text, keys=mixed)) == "STATEMENT_SIGNATURE"


@every_sort
def test_a_changed_claim_breaks_the_signature(sort: Sort) -> None:
    head, _, signature = sort.make().split(".")
    changed = b64url_encode(dump_json(claims_of(sort.make()) | {"iss": "https://evil.example"}))
    text = f"{head}.{changed}.{signature}"
    assert code_of(lambda: parsed(sort, text)) == "STATEMENT_SIGNATURE"


@every_sort
def test_a_critical_part_that_is_not_understood_refuses_the_statement(sort: Sort) -> None:
    claims = claims_of(sort.make())
    in_header = resealed(sort, claims, crit=["exp"])
    in_claims = resealed(sort, claims | {"crit": ["on_tuesdays"], "on_tuesdays": True})
    assert code_of(lambda: parsed(sort, in_header)) == "CRIT_UNKNOWN"
    assert code_of(lambda: parsed(sort, in_claims)) == "CRIT_UNKNOWN"


@every_sort
@pytest.mark.parametrize("extra", [{"x5c": []}, {"jwk": {}}, {"trust_chain": []}, {"b64": False}])
def test_a_header_holds_alg_typ_and_kid_only(sort: Sort, extra: dict[str, Any]) -> None:
    text = resealed(sort, claims_of(sort.make()), **extra)
    assert code_of(lambda: parsed(sort, text)) == "MALFORMED"


@every_sort
@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384", 7, ["ES256"]])
def test_an_algorithm_off_the_list_is_refused(sort: Sort, alg: Any) -> None:
    text = resealed(sort, claims_of(sort.make()), alg=alg)
    assert code_of(lambda: parsed(sort, text)) == "ALG_NOT_ALLOWED"


def test_the_algorithm_is_the_keys_and_not_the_headers() -> None:
    sort = SORTS["delegation"]
    text = resealed(sort, claims_of(sort.make()), alg="EdDSA")
    assert code_of(lambda: parsed(sort, text)) == "STATEMENT_SIGNATURE"


@every_sort
@pytest.mark.parametrize("kid", [None, "", "x" * 200, 3])
def test_a_statement_without_a_usable_key_identifier_is_malformed(sort: Sort, kid: Any) -> None:
    text = resealed(sort, claims_of(sort.make()), kid=kid)
    assert code_of(lambda: parsed(sort, text)) == "MALFORMED"
    assert code_of(lambda: read_unverified(text)) == "MALFORMED"


@pytest.mark.parametrize("shown", SORTS, ids=str)
@pytest.mark.parametrize("read_as", SORTS, ids=str)
def test_no_statement_passes_for_one_of_another_kind(shown: str, read_as: str) -> None:
    text = SORTS[shown].make()
    keys = keys_of(ROOT, AUTHORITY)
    if shown == read_as:
        assert SORTS[read_as].parse(text, keys=keys)
    else:
        assert code_of(lambda: SORTS[read_as].parse(text, keys=keys)) == "STATEMENT_TYPE"


def test_a_credential_is_no_statement() -> None:
    text = resealed(SORTS["grant"], claims_of(a_grant()), typ="dc+sd-jwt")
    assert code_of(lambda: parse_grant(text, keys=AUTHORITY_KEYS)) == "STATEMENT_TYPE"


def test_a_mark_type_of_somebody_else_is_no_right() -> None:
    text = resealed(
        SORTS["grant"], claims_of(a_grant()) | {"trust_mark_type": "https://marks.example/any"}
    )
    assert code_of(lambda: parse_grant(text, keys=AUTHORITY_KEYS)) == "STATEMENT_TYPE"


def test_a_delegate_cannot_delegate_further() -> None:
    nested = sign_jws(
        dump_json(claims_of(a_delegation(sub=ISSUER_ID)) | {"delegation": a_delegation()}),
        {"typ": TYP_DELEGATION, "kid": AUTHORITY.public.kid},
        AUTHORITY,
    )
    assert code_of(lambda: parse_delegation(nested, keys=ROOT_KEYS)) == "DELEGATION_TOO_DEEP"
    by_root = resealed(SORTS["delegation"], claims_of(a_delegation()) | {"delegation": "x"})
    assert code_of(lambda: parse_delegation(by_root, keys=ROOT_KEYS)) == "DELEGATION_TOO_DEEP"


def test_a_delegation_that_the_authority_gave_itself_is_refused() -> None:
    own = a_delegation(signer=AUTHORITY)
    assert code_of(lambda: parse_delegation(own, keys=ROOT_KEYS)) == "STATEMENT_SIGNATURE"


def test_a_grant_without_delegation_is_read_and_judged_later() -> None:
    assert parse_grant(a_grant(delegation=None), keys=AUTHORITY_KEYS).delegation is None


# --- claims ---------------------------------------------------------------------------------------

MANDATORY = {
    "delegation": "iss sub jti iat nbf exp trust_mark_type jkt vct territory",
    "grant": "iss sub jti iat nbf exp trust_mark_type jkt vct territory",
    "recognition": (
        "iss sub jti iat nbf exp trust_mark_type vct issued_in valid_in purpose on_end"
    ),
    "withdrawal": "iss jti iat statement statement_s256 effect at reason",
    "key event": "iss sub jti iat jkt event at reason",
}


@pytest.mark.parametrize(
    ("name", "claim"), [(n, claim) for n, line in MANDATORY.items() for claim in line.split()]
)
def test_an_absent_mandatory_claim_is_named(name: str, claim: str) -> None:
    sort = SORTS[name]
    claims = claims_of(sort.make())
    del claims[claim]
    assert code_of(lambda: parsed(sort, resealed(sort, claims))) == "CLAIM_MISSING"


_TIMES = [-1, 253_402_300_800, "1790000000", True, None, [NOW]]
_HOURS = [*_TIMES, NOW + 1, NOW + 1800]
_ENTITIES = [
    "http://root.sz.example",
    "https://root.sz.example?x",
    "https://root.sz.example/#x",
    "https://user@root.sz.example",
    "https://ROOT.sz.example",
    "https://root.sz.example/a b",
    "https://",
    "https://" + "a" * 600,
    "",
    7,
    None,
]
_JTIS = ["", "../x", "a/b", "a\nb", ".hidden", "x" * 129, 4, None]
_THUMBS = [[], "x", ["short"], [ROOT.public.kid + "="], [ROOT.public.kid] * 2, [7], [None], {}]
_NAMES = [[], "x", [7], [""], [TITLE, TITLE], ["a\nb"], [["x"]], None, ["x"] * 2000]
_PLACES = [[], "CN", ["CN/4"], ["cn"], ["CN/4403", "CN/4403"], ["CN/440300"], [4403], None]
_JOBS = [[], ["wizard"], ["engineer/"], "engineer", ["engineer", "engineer"], None]
_SECONDS = [0, -1, True, "60", None]
_DIGESTS = ["", "ab", "A" * 64, digest("x") + "0", 7, None]

IMPOSSIBLE: list[tuple[str, str, list[Any]]] = [
    *((name, "iss", _ENTITIES) for name in SORTS),
    *((name, "jti", _JTIS) for name in SORTS),
    *((name, "iat", _TIMES) for name in SORTS),
    *((name, "sub", _ENTITIES) for name in ("delegation", "grant", "recognition", "key event")),
    *((name, "nbf", [*_HOURS, NOW + 5000 * DAY]) for name in ("delegation", "grant")),
    *((name, "exp", [*_HOURS, NOW]) for name in ("delegation", "recognition")),
    *((name, "jkt", _THUMBS) for name in ("delegation", "grant")),
    *((name, "vct", _NAMES) for name in ("delegation", "grant", "recognition")),
    *((name, "territory", _PLACES) for name in ("delegation", "grant")),
    *((name, "profession", _JOBS) for name in ("delegation", "grant", "recognition")),
    *((name, "max_validity", _SECONDS) for name in ("delegation", "grant")),
    *((name, "uri_prefix", [["https://status.sz.example/"]]) for name in ("delegation", "grant")),
    ("delegation", "approval_required", [0, 1, "true", None]),
    ("grant", "approval_by", [AUTHORITY_ID, 7]),
    ("grant", "approval_jkt", [[APPROVER.public.kid]]),
    ("grant", "delegation", [7, None, ["x.y.z"]]),
    (
        "grant",
        "quota",
        [
            {"count": 0, "per": "day"},
            {"count": True, "per": "day"},
            {"count": 1, "per": "hour"},
            {"count": 1},
            {"count": 1, "per": "day", "more": 1},
            5,
            None,
        ],
    ),
    ("recognition", "issued_in", _PLACES),
    ("recognition", "valid_in", _PLACES),
    ("recognition", "purpose", [[], ["*"], ["study", "study"], "study", [["study"]], None]),
    ("recognition", "on_end", ["", "keep", None, ["void"]]),
    ("recognition", "max_age", _SECONDS),
    ("recognition", "catalogue", [{"id": "x"}, {"id": "a/b", "classes": ["A"]}, [], "x", None]),
    ("withdrawal", "statement", _JTIS),
    ("withdrawal", "statement_s256", _DIGESTS),
    ("withdrawal", "effect", ["", "end", None, ["void"]]),
    ("withdrawal", "at", _HOURS),
    ("withdrawal", "reason", ["", "x" * 1001, None, 7]),
    ("withdrawal", "retroactive", [0, "yes", None]),
    ("key event", "jkt", [ROOT.public.kid[:-1], [ROOT.public.kid], "!" * 43, None]),
    ("key event", "event", ["", "lost", None]),
    ("key event", "at", _HOURS),
    ("key event", "reason", ["", None]),
    ("key event", "survivors_s256", _DIGESTS),
]


@pytest.mark.parametrize(
    ("name", "claim", "value"), [(n, claim, value) for n, claim, vs in IMPOSSIBLE for value in vs]
)
def test_an_impossible_claim_is_refused(name: str, claim: str, value: Any) -> None:
    sort = SORTS[name]
    text = resealed(sort, claims_of(sort.make()) | {claim: value})
    assert code_of(lambda: parsed(sort, text)) == "CLAIM_INVALID"


@pytest.mark.parametrize(
    "prefix",
    [
        "https://status.sz.example/lists",
        "http://status.sz.example/",
        "https://status.sz.example//",
        "https://status.sz.example/../",
        "https://status.sz.example/a/./",
        "https://status.sz.example/?a/",
        "status.sz.example/",
    ],
)
def test_a_folder_of_status_lists_has_one_spelling_and_ends_in_a_slash(prefix: str) -> None:
    claims = claims_of(
        a_grant(
            mark_type=MARK_STATUS, vct=(), territory=(), uri_prefix=["https://status.sz.example/"]
        )
    )
    text = resealed(SORTS["grant"], claims | {"uri_prefix": [prefix]})
    assert code_of(lambda: parse_grant(text, keys=AUTHORITY_KEYS)) == "CLAIM_INVALID"


def test_a_right_to_publish_status_is_no_right_to_seal() -> None:
    claims = claims_of(a_grant()) | {"trust_mark_type": MARK_STATUS}
    text = resealed(SORTS["grant"], claims)
    assert code_of(lambda: parse_grant(text, keys=AUTHORITY_KEYS)) == "CLAIM_INVALID"


@pytest.mark.parametrize(
    ("make", "changes", "code"),
    [
        (a_delegation, {"nbf": NOW + 1}, "CLAIM_INVALID"),
        (a_delegation, {"territory": ["CN/4"]}, "CLAIM_INVALID"),
        (a_delegation, {"vct": ()}, "CLAIM_MISSING"),
        (a_delegation, {"profession": []}, "CLAIM_INVALID"),
        (a_delegation, {"mark_type": MARK_RECOGNISES}, "STATEMENT_TYPE"),
        (a_grant, {"approval_by": AUTHORITY_ID}, "CLAIM_INVALID"),
        (a_grant, {"approval_jkt": [APPROVER.public.kid]}, "CLAIM_INVALID"),
        (a_recognition, {"purpose": ["*"]}, "CLAIM_INVALID"),
        (a_withdrawal, {"at": NOW + 1}, "CLAIM_INVALID"),
        (a_key_event, {"event": "lost"}, "CLAIM_INVALID"),
    ],
)
def test_nothing_is_sealed_that_no_reader_would_accept(
    make: Callable[..., str], changes: dict[str, Any], code: str
) -> None:
    assert code_of(lambda: make(**changes)) == code


def test_the_same_right_is_the_same_text() -> None:
    assert a_delegation(vct=[TITLE, PERMIT]) == a_delegation(vct=iter([PERMIT, TITLE]))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://a.example", True),
        ("https://a.example:8443/x/y", True),
        ("https://a.example/\\x", False),
        ("https://a.example/ü", False),
        ("https://a.example\n", False),
    ],
)
def test_an_entity_id_is_a_plain_https_url(text: str, is_one: bool) -> None:  # noqa: FBT001
    assert is_entity_id(text) is is_one


# --- hostile bytes --------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
_CLAIM_NAMES = sorted({claim for line in MANDATORY.values() for claim in line.split()})


@given(
    name=st.sampled_from(sorted(SORTS)),
    changes=st.dictionaries(
        st.sampled_from([*_CLAIM_NAMES, "quota", "catalogue", "delegation", "profession"]),
        _JSON,
        max_size=4,
    ),
    header=st.dictionaries(st.sampled_from(["typ", "kid", "alg", "crit", "x"]), _JSON, max_size=2),
)
@settings(max_examples=300)
def test_signed_nonsense_is_only_ever_refused(
    name: str, changes: dict[str, Any], header: dict[str, Any]
) -> None:
    sort = SORTS[name]
    text = resealed(sort, claims_of(sort.make()) | changes, **header)
    for parse in (*(one.parse for one in SORTS.values()), None):
        try:
            parse(text, keys=keys_of(ROOT, AUTHORITY)) if parse else read_unverified(text)
        except InputError:
            continue


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_arbitrary_text_is_only_ever_refused(text: str) -> None:
    for sort in SORTS.values():
        with pytest.raises(InputError):
            parsed(sort, text)
    with pytest.raises(InputError):
        read_unverified(text)


@given(st.data())
def test_one_changed_character_is_refused(data: st.DataObject) -> None:
    sort = SORTS[data.draw(st.sampled_from(sorted(SORTS)))]
    text = sort.make()
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABab01-_.=+ é"))
    changed = text[:place] + letter + text[place + 1 :]
    if changed != text:
        with pytest.raises(InputError):
            parsed(sort, changed)


def test_a_statement_longer_than_any_is_not_read() -> None:
    long = "a" * (64 * 1024 + 1)
    assert code_of(lambda: parse_grant(long, keys=AUTHORITY_KEYS)) == "TOO_LARGE"
    assert code_of(lambda: read_unverified(long)) == "TOO_LARGE"


# --- a grant inside its delegation ----------------------------------------------------------------


def pair() -> tuple[Grant, Delegation]:
    grant = parse_grant(a_grant(), keys=AUTHORITY_KEYS)
    assert grant.delegation
    return grant, parse_delegation(grant.delegation, keys=ROOT_KEYS)


def test_a_grant_inside_its_delegation_passes() -> None:
    assert check_within(*pair()) is None


def test_the_delegation_of_another_authority_cannot_be_borrowed() -> None:
    grant, delegation = pair()
    borrowed = replace(delegation, sub="https://bureau.sz.example")
    assert check_within(grant, borrowed) == "DELEGATION_INVALID"


def test_a_delegation_of_another_kind_of_right_carries_no_grant() -> None:
    grant, delegation = pair()
    assert check_within(grant, replace(delegation, mark_type=MARK_STATUS)) == "DELEGATION_INVALID"


@pytest.mark.parametrize(
    ("granted", "delegated", "code"),
    [
        # attack 24: beyond one's territory, beyond one's own term
        ({"territory": ("CN/4403", "CN/4401")}, {}, "DELEGATION_WIDENED"),
        ({"territory": ("CN",)}, {}, "DELEGATION_WIDENED"),
        ({"exp": NOW + 1000 * DAY + HOUR}, {}, "DELEGATION_WIDENED"),
        ({"nbf": NOW - HOUR}, {}, "DELEGATION_WIDENED"),
        ({"nbf": NOW, "exp": NOW + 1000 * DAY}, {}, None),
        # attack 22: types and professions
        ({"vct": frozenset(["https://types.example/other/1"])}, {}, "DELEGATION_WIDENED"),
        ({"profession": None}, {"profession": ("engineer",)}, "DELEGATION_WIDENED"),
        ({"profession": ("architect",)}, {"profession": ("engineer",)}, "DELEGATION_WIDENED"),
        ({"profession": ("engineer",)}, {"profession": ("engineer/civil",)}, "DELEGATION_WIDENED"),
        ({"profession": ("engineer/civil",)}, {"profession": ("engineer",)}, None),
        ({"profession": ("engineer",)}, {"profession": None}, None),
        # term of what is sealed
        ({"max_validity": None}, {"max_validity": DAY}, "DELEGATION_WIDENED"),
        ({"max_validity": DAY + 1}, {"max_validity": DAY}, "DELEGATION_WIDENED"),
        ({"max_validity": DAY}, {"max_validity": DAY}, None),
        ({"max_validity": DAY}, {"max_validity": None}, None),
        # attack 40: Hong Kong speaks for the mainland
        ({"territory": ("CN/4403",)}, {"territory": ("HK",)}, "DELEGATION_WIDENED"),
        # attack 62: a province delegates to a city and to another province's city
        ({"territory": ("CN/4403",)}, {"territory": ("CN/44",)}, None),
        ({"territory": ("CN/45",)}, {"territory": ("CN/44",)}, "DELEGATION_WIDENED"),
        (
            {"territory": ("CN/4403/x-qianhai",)},
            {"territory": ("CN/440305",)},
            "DELEGATION_WIDENED",
        ),
        (
            {"uri_prefix": ("https://s.example/a/b/",)},
            {"uri_prefix": ("https://s.example/a/",)},
            None,
        ),
        (
            {"uri_prefix": ("https://s.example/ab/",)},
            {"uri_prefix": ("https://s.example/a/",)},
            "DELEGATION_WIDENED",
        ),
        ({"uri_prefix": ("https://s.example/a/",)}, {}, "DELEGATION_WIDENED"),
    ],
)
def test_a_grant_is_never_wider_than_its_delegation(
    granted: dict[str, Any], delegated: dict[str, Any], code: str | None
) -> None:
    grant, delegation = pair()
    assert check_within(replace(grant, **granted), replace(delegation, **delegated)) == code


@given(st.data())
def test_whatever_passes_is_no_wider_in_any_single_respect(data: st.DataObject) -> None:
    grant, delegation = pair()
    places = ["CN", "CN/44", "CN/4403", "CN/440304", "CN/4403/x-qianhai", "HK"]
    wide = replace(
        delegation,
        territory=tuple(data.draw(st.lists(st.sampled_from(places), max_size=3))),
        max_validity=data.draw(st.none() | st.integers(1, 3)),
    )
    narrow = replace(
        grant,
        territory=tuple(data.draw(st.lists(st.sampled_from(places), max_size=3))),
        max_validity=data.draw(st.none() | st.integers(1, 3)),
    )
    if check_within(narrow, wide) is None:
        for place in narrow.territory:
            assert any(outer in (place, place[: len(outer)]) for outer in wide.territory)
        assert wide.max_validity is None or (narrow.max_validity or 99) <= wide.max_validity


def test_parsed_withdrawals_are_weighed_as_they_are() -> None:
    """Attack 71: ordered at 10:30, in force from 10:00, so `iat` 10:00 falls with it."""
    ordered_at = NOW + 10 * HOUR + 1800
    text = a_withdrawal(iat=ordered_at, at=floor_hour(ordered_at))
    withdrawal = parse_withdrawal(text, keys=AUTHORITY_KEYS)
    assert effect_at([withdrawal], floor_hour(ordered_at + 900), now=ordered_at).word == "WITHDRAWN"
    assert effect_at([withdrawal], floor_hour(ordered_at) - HOUR, now=ordered_at).ended


@given(st.integers(0, 10**10))
def test_hours_are_rounded_down_for_ends_and_up_for_starts(seconds: int) -> None:
    assert floor_hour(seconds) % HOUR == ceil_hour(seconds) % HOUR == 0
    assert floor_hour(seconds) <= seconds <= ceil_hour(seconds)
    assert ceil_hour(seconds) - floor_hour(seconds) in (0, HOUR)
