"""Stories about the wallet form: tokens, headers, JSON, disclosures. One spelling, or refused."""

import json
import socket
from typing import Any

import pytest
from forging import (
    digest_of,
    disclosure,
    jws,
    reseal,
    said,
    sealer,
    unseal,
    without,
)
from simulator import DAY, HOUR, Held, World, key

from schemas.verdict import Verdict
from talentseal import x509
from talentseal.bundle import Bundle
from talentseal.encoding import MAX_TIME, b64url_decode, b64url_encode, dump_json
from talentseal.keys import new_signer


@pytest.fixture(scope="module")
def title(calm: World) -> Held:
    return calm.city.issue()


@pytest.fixture
def look(calm: World, city_bundle: Bundle) -> Any:
    def check(text: str, **asked: Any) -> Verdict:
        return calm.check(text, bundle=city_bundle, **asked)

    return check


def parts(held: Held) -> tuple[str, str, str, str]:
    """Header, payload and signature of the token, and the rest from the first `~` on."""
    token, rest = held.text.split("~", 1)
    header, payload, signature = token.split(".")
    return header, payload, signature, f"~{rest}"


def raw(held: Held, payload: bytes) -> str:
    header, _ = unseal(held.text)
    return f"{jws(header, payload, sealer(held))}~"


# --- algorithms and keys --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alg",
    [
        "none",
        "None",
        "NONE",
        "nOnE",
        "HS256",
        "RS256",
        "ES384",
        "ES256K",
        "es256",
        "",
        None,
        True,
        7,
        ["ES256"],
        {"alg": "ES256"},
    ],
)
def test_a_header_cannot_choose_another_algorithm(look: Any, title: Held, alg: Any) -> None:
    assert said(look(title.text)) == ("accept", [])
    assert said(look(reseal(title, header={"alg": alg}))) == ("refuse", ["ALG_NOT_ALLOWED"])


def test_a_header_without_algorithm_or_under_the_wrong_one_is_refused(
    look: Any, title: Held
) -> None:
    assert said(look(reseal(title, drop=["alg"]))) == ("refuse", ["ALG_NOT_ALLOWED"])
    # EdDSA is allowed, but this key is none of that kind.
    assert said(look(reseal(title, header={"alg": "EdDSA"}))) == ("refuse", ["ALG_NOT_ALLOWED"])


def test_a_public_key_is_no_shared_secret(look: Any, title: Held) -> None:
    import hashlib
    import hmac

    header, payload = unseal(title.text)
    head = b64url_encode(dump_json({**header, "alg": "HS256"}))
    signed = f"{head}.{b64url_encode(dump_json(payload))}"
    secret = dump_json(sealer(title).public.jwk)
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    forged = f"{signed}.{b64url_encode(mac)}~"
    assert said(look(forged)) == ("refuse", ["ALG_NOT_ALLOWED"])


@pytest.mark.parametrize("members", [("jwk",), ("jku",), ("x5u",), ("jwk", "jku", "x5u")])
def test_a_key_in_the_header_opens_nothing(
    look: Any, title: Held, members: tuple[str, ...]
) -> None:
    # Mallory waits on a port for somebody to fetch his key.
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"https://127.0.0.1:{server.getsockname()[1]}/keys"
        offered = {"jwk": key("mallory").public.jwk, "jku": url, "x5u": url}
        injected = {name: offered[name] for name in members}
        forged = reseal(title, header=injected, signer=key("mallory"))

        assert said(look(forged)) == ("refuse", ["SIGNATURE_INVALID"])
        # The listed key may carry them along; they are not read.
        assert said(look(reseal(title, header=injected))) == ("accept", [])

        with pytest.raises(BlockingIOError):
            server.accept()  # nobody came


@pytest.mark.parametrize(
    ("kid", "code"),
    [
        ("../../../etc/passwd", "KEY_UNKNOWN"),
        ("' or 1=1 --", "KEY_UNKNOWN"),
        ("\x00", "KEY_UNKNOWN"),
        ("k" * 128, "KEY_UNKNOWN"),
        ("k" * 129, "MALFORMED"),
        ("", "MALFORMED"),
        (7, "MALFORMED"),
        (None, "MALFORMED"),
        (["a"], "MALFORMED"),
        ({"kid": 1}, "MALFORMED"),
    ],
)
def test_a_hostile_key_name_leads_nowhere(look: Any, title: Held, kid: Any, code: str) -> None:
    assert said(look(reseal(title, header={"kid": kid}))) == ("refuse", [code])


@pytest.mark.parametrize(
    "x5c", [7, "text", [7], ["not base64!"], ["AAAA"], [None], ["AAAA"] * 50, {"x": 1}]
)
def test_a_chain_of_nonsense_is_refused(look: Any, title: Held, x5c: Any) -> None:
    verdict = look(reseal(title, header={"x5c": x5c}))
    assert verdict.outcome == "refuse"
    assert len(verdict.codes) == 1


def test_a_wallet_certificate_carries_its_chain(look: Any, title: Held) -> None:
    assert said(look(reseal(title, drop=["x5c"]))) == ("refuse", ["CLAIM_MISSING"])


def test_another_authoritys_chain_cannot_lend_a_name(look: Any, calm: World, title: Held) -> None:
    foreign = x509.chain_text(calm.hk.bodies["bureau"].chain)
    assert look(reseal(title, header={"x5c": foreign})).outcome == "refuse"


# --- kinds of token -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typ",
    [
        "vc+sd-jwt",
        "dc+sd-jwt ",
        "DC+SD-JWT",
        "application/dc+sd-jwt",
        "kb+jwt",
        "statuslist+jwt",
        "trust-mark+jwt",
        "JWT",
        "",
        None,
        7,
        ["dc+sd-jwt"],
    ],
)
def test_another_kind_of_token_is_no_certificate(look: Any, title: Held, typ: Any) -> None:
    assert said(look(reseal(title, header={"typ": typ}))) == ("refuse", ["TYPE_CONFUSION"])


def test_a_token_without_kind_is_no_certificate(look: Any, title: Held) -> None:
    assert said(look(reseal(title, drop=["typ"]))) == ("refuse", ["TYPE_CONFUSION"])


@pytest.mark.parametrize(
    "header", [{"crit": ["b64"]}, {"crit": []}, {"crit": None}, {"b64": False}, {"b64": True}]
)
def test_a_critical_header_that_nobody_knows_is_refused(
    look: Any, title: Held, header: dict[str, Any]
) -> None:
    assert said(look(reseal(title, header=header))) == ("refuse", ["CRIT_UNKNOWN"])


def test_a_status_list_or_a_list_of_issuers_is_no_certificate(look: Any, calm: World) -> None:
    tokens = [d.decode() for p, d in calm.city.status_tokens().items() if p.endswith(".jwt")]
    for token in (*tokens, calm.city.list_text()):
        verdict = look(f"{token}~")
        assert said(verdict) in [("refuse", ["TYPE_CONFUSION"]), ("refuse", ["TOO_LARGE"])]


# --- spelling of signatures and tokens ------------------------------------------------------------

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _signed(held: Held, signature: bytes) -> str:
    header, payload, _, rest = parts(held)
    return f"{header}.{payload}.{b64url_encode(signature)}{rest}"


@pytest.mark.parametrize(
    "change",
    [
        lambda r, s: bytes(64),
        lambda r, s: bytes(32) + s,
        lambda r, s: r + bytes(32),
        lambda r, s: ORDER.to_bytes(32) + s,
        lambda r, s: r + ORDER.to_bytes(32),
        lambda r, s: b"\xff" * 64,
        lambda r, s: s + r,
        lambda r, s: r + s + b"\x00",
        lambda r, s: (r + s)[:-1],
        lambda r, s: b"",
        lambda r, s: b"\x30\x44\x02\x20" + r + b"\x02\x20" + s,
        lambda r, s: b"\x00" + r + b"\x00" + s,
    ],
)
def test_a_signature_has_one_form(look: Any, title: Held, change: Any) -> None:
    signature = b64url_decode(parts(title)[2])
    forged = _signed(title, change(signature[:32], signature[32:]))
    assert said(look(forged)) == ("refuse", ["SIGNATURE_INVALID"])


def test_a_certificate_seen_before_cannot_lend_its_memory_to_another_signature(
    look: Any, title: Held
) -> None:
    for _ in range(2):
        assert said(look(title.text)) == ("accept", [])
        assert said(look(_signed(title, bytes(63) + b"\x01"))) == ("refuse", ["SIGNATURE_INVALID"])


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _tail(text: str) -> str:
    """The same bytes with stray bits in the last character."""
    place = _ALPHABET.index(text[-1])
    return text[:-1] + _ALPHABET[place | 1 if place % 2 == 0 else place ^ 1]


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize(
    "change",
    [
        lambda t: t + "=",
        lambda t: t + "==",
        lambda t: t + "\n",
        lambda t: " " + t,
        lambda t: t[:5] + "\n" + t[5:],
        lambda t: t[:5] + "+" + t[6:],
        lambda t: t[:5] + "/" + t[6:],
        lambda t: t[:5] + "é" + t[6:],
        lambda t: t[:5] + "\x00" + t[6:],
        lambda t: t + "A" if len(t) % 4 == 0 else t + "A" * (5 - len(t) % 4),
    ],
)
def test_base64url_has_one_alphabet_and_one_length(
    look: Any, title: Held, part: int, change: Any
) -> None:
    *pieces, rest = parts(title)
    pieces[part] = change(pieces[part])
    assert said(look(".".join(pieces) + rest)) == ("refuse", ["MALFORMED"])


def test_stray_bits_in_the_last_character_are_a_second_spelling(look: Any, title: Held) -> None:
    header, payload, signature, rest = parts(title)
    assert len(signature) == 86
    spelled = f"{header}.{payload}.{_tail(signature)}{rest}"
    assert said(look(spelled)) == ("refuse", ["MALFORMED"])


@pytest.mark.parametrize(
    "change",
    [
        lambda h, p, s, r: f"{h}.{p}.{s}.{s}{r}",
        lambda h, p, s, r: f"{h}.{p}{r}",
        lambda h, p, s, r: f".{p}.{s}{r}",
        lambda h, p, s, r: f"{h}..{s}{r}",
        lambda h, p, s, r: f" {h}.{p}.{s}{r}",
        lambda h, p, s, r: f"\ufeff{h}.{p}.{s}{r}",
        lambda h, p, s, r: f"{h}.{p}.{s}~{r}",
        lambda h, p, s, r: f"{h}.{p}.{s}{r}~",
        lambda h, p, s, r: json.dumps({"payload": p, "protected": h, "signature": s}) + r,
    ],
)
def test_a_token_has_three_parts_and_nothing_around_them(
    look: Any, title: Held, change: Any
) -> None:
    verdict = look(change(*parts(title)))
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("MALFORMED", "NOT_A_CREDENTIAL")
    assert verdict.credential is None


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.replace(b'"iss":', b'"iss":"https://mallory.example","iss":', 1),
        lambda p: p.replace(b'"iss":', b'"is\\u0073":"https://mallory.example","iss":', 1),
        lambda p: p[:-1] + b',"x":NaN}',
        lambda p: p[:-1] + b',"x":Infinity}',
        lambda p: p[:-1] + b',"x":1e999}',
        lambda p: p[:-1] + b',"x":1.5}',
        lambda p: p[:-1] + b',"x":' + b"9" * 400 + b"}",
        lambda p: p[:-1] + b',"x":01}',
        lambda p: p[:-1] + b',"x":"\\ud800"}',
        lambda p: p[:-1] + b',"x":"\xed\xa0\x80"}',
        lambda p: p[:-1] + b',"x":"\xff"}',
        lambda p: p[:-1] + b",}",
        lambda p: p[:-1] + b",\"x\":'y'}",
        lambda p: p + b"{}",
        lambda p: p + b"x",
        lambda p: b"\xef\xbb\xbf" + p,
        lambda p: p.decode().encode("utf-16"),
        lambda p: p.decode().encode("utf-32"),
        lambda p: b"[" + p + b"]",
        lambda p: p[:-1],
        lambda p: b"",
        lambda p: b"null",
    ],
)
def test_json_has_one_reading(look: Any, title: Held, change: Any) -> None:
    _, payload = unseal(title.text)
    verdict = look(raw(title, change(dump_json(payload))))
    assert said(verdict) == ("refuse", ["MALFORMED"])


@pytest.mark.parametrize("deep", [b"[" * 40 + b"]" * 40, b'{"a":' * 40 + b"1" + b"}" * 40])
def test_json_nested_beyond_the_cap_is_not_read(look: Any, title: Held, deep: bytes) -> None:
    _, payload = unseal(title.text)
    verdict = look(raw(title, dump_json(payload)[:-1] + b',"x":' + deep + b"}"))
    assert said(verdict) == ("refuse", ["TOO_LARGE"])


def test_very_many_members_are_too_many(look: Any, title: Held) -> None:
    _, payload = unseal(title.text)
    crowd = ",".join(f'"{n}":0' for n in range(7000))
    verdict = look(raw(title, dump_json(payload)[:-1] + f",{crowd}}}".encode()))
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("MALFORMED", "TOO_LARGE", "CLAIM_INVALID")


def test_a_text_of_megabytes_is_not_read(look: Any) -> None:
    assert said(look("a.b.c~" + "A" * 2**22)) == ("refuse", ["TOO_LARGE"])
    assert said(look("1" * 2**22)) == ("refuse", ["TOO_LARGE"])


# --- envelope -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["iss", "vct", "vct#integrity", "iat", "exp", "cnf", "territory", "title_name"]
)
def test_what_must_be_visible_cannot_be_missing(look: Any, title: Held, name: str) -> None:
    assert said(look(reseal(title, drop=[name]))) == ("refuse", ["CLAIM_MISSING"])


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("value", [None, True, "1795251600", 1.5, -1, MAX_TIME + 1, [], {}])
def test_a_time_is_a_whole_number_of_seconds(look: Any, title: Held, name: str, value: Any) -> None:
    verdict = look(reseal(title, payload={name: value}))
    code = "MALFORMED" if isinstance(value, float) else "CLAIM_INVALID"
    assert said(verdict) == ("refuse", [code])


def test_a_time_in_milliseconds_lies_in_another_millennium(
    look: Any, calm: World, title: Held
) -> None:
    verdict = look(reseal(title, payload={"iat": calm.now * 1000}))
    assert verdict.outcome == "refuse"


@pytest.mark.parametrize(
    ("changes", "after", "code"),
    [
        ({"exp": DAY}, DAY - 1, None),
        ({"exp": DAY}, DAY + 59, None),
        ({"exp": DAY}, DAY + 60, "EXPIRED"),
        ({"nbf": 2 * HOUR}, 2 * HOUR - 60, None),
        ({"nbf": 2 * HOUR}, 2 * HOUR - 61, "NOT_YET_VALID"),
        ({"iat": HOUR}, HOUR - 60, None),
        ({"iat": HOUR}, HOUR - 61, "ISSUED_IN_FUTURE"),
    ],
)
def test_times_are_judged_with_a_minute_of_patience(
    look: Any, calm: World, title: Held, changes: dict[str, int], after: int, code: str | None
) -> None:
    at = calm.start
    shown = reseal(title, payload={name: at + value for name, value in changes.items()})
    verdict = look(shown, at=at + after)
    assert said(verdict) == (("refuse", [code]) if code else ("accept", []))


def test_a_day_named_in_the_content_ends_where_it_was_issued(calm: World, look: Any) -> None:
    talent = calm.city.issue("talent-01", claims={"valid_until": "2026-11-21"})
    end = calm.start + 7 * HOUR  # 09:00Z is 17:00 in the city
    assert said(look(talent.text, at=end - 1)) == ("accept", [])
    assert said(look(talent.text, at=end + 60)) == ("refuse", ["EXPIRED"])


@pytest.mark.parametrize("value", ["2026-02-30", "20261121", "2026-11-21T00:00:00Z", 7, None])
def test_a_day_that_is_none_ends_nothing_well(calm: World, look: Any, value: Any) -> None:
    talent = calm.city.issue("talent-01")
    verdict = look(reseal(talent, payload={"valid_until": value}))
    if value is None:
        assert verdict.outcome in ("accept", "refuse")
    else:
        assert verdict.outcome == "refuse"


@pytest.mark.parametrize(
    "territory", [[], "CN/9999", None, [7], ["cn/9999"], ["CN/9999/"], ["XX/../.."], ["CN"] * 17]
)
def test_a_territory_is_a_short_list_of_places(look: Any, title: Held, territory: Any) -> None:
    verdict = look(reseal(title, payload={"territory": territory}))
    assert said(verdict) == ("refuse", ["CLAIM_INVALID"])


@pytest.mark.parametrize(
    "cnf",
    [
        None,
        {},
        {"jwk": None},
        {"jwk": {}},
        {"kid": "x"},
        {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
        {"jwk": {**key("mei").public.jwk, "d": "A" * 43}},
        {"jwk": {**key("mei").public.jwk, "x": key("mei").public.jwk["y"]}},
        {"jwk": key("mei").public.jwk, "kid": "x"},
        [key("mei").public.jwk],
    ],
)
def test_a_holders_key_is_one_public_key(look: Any, title: Held, cnf: Any) -> None:
    verdict = look(reseal(title, payload={"cnf": cnf}))
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("CLAIM_INVALID", "ALG_NOT_ALLOWED")


def test_a_type_is_held_in_its_exact_version(look: Any, title: Held) -> None:
    unknown = reseal(title, payload={"vct": "https://types.talentseal.example/other/1"})
    assert said(look(unknown)) == ("refer", ["VCT_UNKNOWN"])
    other = reseal(title, payload={"vct#integrity": "sha256-" + "A" * 43 + "="})
    assert said(look(other)) == ("refuse", ["VCT_INTEGRITY"])


def test_a_claim_that_the_type_does_not_know_is_refused(look: Any, title: Held) -> None:
    assert said(look(reseal(title, payload={"admin": True}))) == ("refuse", ["CLAIM_INVALID"])


def test_a_claim_that_must_be_hidden_cannot_stand_in_the_clear(look: Any, title: Held) -> None:
    shown = reseal(title, payload={"birthdate": "1990-01-01"}, disclosures=[])
    assert said(look(shown)) == ("refuse", ["CLAIM_INVALID"])


# --- disclosures ----------------------------------------------------------------------------------


def hiding(held: Held, *texts: str, drop: tuple[str, ...] = (), **payload: Any) -> str:
    """The certificate with these disclosures added to the sealed digests and shown."""
    _, body = unseal(held.text)
    sealed = {"_sd": [*body["_sd"], *map(digest_of, texts)], **payload}
    shown = [*held.text.split("~")[1:-1], *texts]
    return reseal(held, payload=sealed, disclosures=shown, drop=drop)


@pytest.mark.parametrize(
    "name",
    [
        "iss",
        "vct",
        "vct#integrity",
        "iat",
        "nbf",
        "exp",
        "cnf",
        "status",
        "territory",
        "approval",
        "aka_vcts",
        "_sd",
        "_sd_alg",
        "...",
    ],
)
def test_a_reserved_name_cannot_come_from_a_disclosure(look: Any, title: Held, name: str) -> None:
    forged = hiding(title, disclosure("salt", name, "x"), drop=(name,) if name[0] != "_" else ())
    verdict = look(forged)
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("DISCLOSURE_FORBIDDEN", "CLAIM_MISSING", "DISCLOSURE_INVALID")
    assert verdict.credential is None


def test_reserved_names_are_refused_by_name(look: Any, title: Held) -> None:
    for name in ("nbf", "approval", "aka_vcts", "_sd", "...", "vct_metadata"):
        forged = hiding(title, disclosure("salt", name, "x"))
        assert said(look(forged)) == ("refuse", ["DISCLOSURE_FORBIDDEN"])


@pytest.mark.parametrize("name", ["title_name", "issue_date", "title_level"])
def test_what_must_be_visible_cannot_be_hidden(look: Any, title: Held, name: str) -> None:
    value = unseal(title.text)[1][name]
    forged = hiding(title, disclosure("salt", name, value), drop=(name,))
    assert said(look(forged)) == ("refuse", ["CLAIM_INVALID"])


def test_a_disclosure_cannot_shadow_a_claim(look: Any, title: Held) -> None:
    forged = hiding(title, disclosure("salt", "title_level", "senior"))
    assert said(look(forged)) == ("refuse", ["DISCLOSURE_INVALID"])


def test_two_disclosures_cannot_name_one_claim(look: Any, title: Held) -> None:
    forged = hiding(title, disclosure("salt", "family_name", "MALLORY"))
    assert said(look(forged)) == ("refuse", ["DISCLOSURE_INVALID"])


def test_a_disclosure_shown_twice_is_refused(look: Any, title: Held) -> None:
    first = title.text.split("~")[1]
    assert said(look(f"{title.text}{first}~")) == ("refuse", ["DISCLOSURE_INVALID"])


def test_a_disclosure_that_nothing_refers_to_is_refused(look: Any, title: Held) -> None:
    stray = disclosure("salt", "nickname", "x")
    assert said(look(f"{title.text}{stray}~")) == ("refuse", ["DISCLOSURE_INVALID"])


def test_a_disclosure_of_another_certificate_does_not_fit(
    look: Any, calm: World, title: Held
) -> None:
    other = calm.city.issue("title-02").text.split("~")[1]
    assert said(look(f"{title.text}{other}~")) == ("refuse", ["DISCLOSURE_INVALID"])


def test_a_child_without_its_parent_is_refused(look: Any, title: Held) -> None:
    token, *shown, _ = title.text.split("~")
    inner = [d for d in shown if b'"number_tail"' in b64url_decode(d)]
    assert len(inner) == 1
    assert said(look("~".join((token, *inner, "")))) == ("refuse", ["DISCLOSURE_INVALID"])


def test_one_digest_cannot_stand_in_two_places(look: Any, title: Held) -> None:
    _, body = unseal(title.text)
    twice = reseal(title, payload={"_sd": [*body["_sd"], body["_sd"][0]]})
    assert said(look(twice)) == ("refuse", ["DISCLOSURE_INVALID"])
    nested = reseal(title, payload={"title_name": {"en": "x", "_sd": [body["_sd"][0]]}})
    assert said(look(nested)) == ("refuse", ["DISCLOSURE_INVALID"])


def test_an_element_of_a_list_is_no_claim(look: Any, title: Held) -> None:
    assert said(look(hiding(title, disclosure("salt", "x")))) == ("refuse", ["DISCLOSURE_INVALID"])


def test_a_claim_is_no_element_of_a_list(look: Any, calm: World) -> None:
    talent = calm.city.issue("talent-01")
    named = disclosure("salt", "name", "housing")
    inner = disclosure("salt", "benefits", [{"...": digest_of(named)}])
    token_shown = [d for d in talent.text.split("~")[1:-1] if b'"benefits"' not in b64url_decode(d)]
    _, body = unseal(talent.text)
    forged = reseal(
        talent,
        payload={"_sd": [*body["_sd"], digest_of(inner)]},
        disclosures=[*token_shown, inner, named],
    )
    assert said(look(forged)) == ("refuse", ["DISCLOSURE_INVALID"])


@pytest.mark.parametrize(
    "placeholder",
    [
        {"...": 7},
        {"...": "short"},
        {"...": None},
        {"...": "A" * 43, "more": 1},
        {"...": ["A" * 43]},
    ],
)
def test_a_placeholder_holds_one_digest_and_nothing_else(
    look: Any, title: Held, placeholder: dict[str, Any]
) -> None:
    forged = hiding(title, disclosure("salt", "employer_at_review", [placeholder]))
    assert said(look(forged)) == ("refuse", ["DISCLOSURE_INVALID"])


@pytest.mark.parametrize("digests", ["A" * 43, {}, 7, [7], [None], ["short"], [["A" * 43]]])
def test_a_list_of_digests_is_a_list_of_digests(look: Any, title: Held, digests: Any) -> None:
    forged = reseal(title, payload={"_sd": digests}, disclosures=[])
    assert said(look(forged)) == ("refuse", ["DISCLOSURE_INVALID"])


@pytest.mark.parametrize("alg", ["sha-1", "md5", "SHA-256", "none", "", None, 7, ["sha-256"]])
def test_disclosures_are_hashed_in_one_way(look: Any, title: Held, alg: Any) -> None:
    assert said(look(reseal(title, payload={"_sd_alg": alg}))) == ("refuse", ["DISCLOSURE_INVALID"])


def test_the_name_of_the_hash_stands_at_the_top_alone(look: Any, title: Held) -> None:
    forged = reseal(title, payload={"title_name": {"en": "x", "_sd_alg": "sha-256"}})
    assert said(look(forged)) == ("refuse", ["DISCLOSURE_INVALID"])


@pytest.mark.parametrize(
    "text",
    [
        b64url_encode(b"[]"),
        b64url_encode(b'["salt"]'),
        b64url_encode(b'["salt","a","b","c"]'),
        b64url_encode(b'[7,"family_name","x"]'),
        b64url_encode(b'{"salt":1}'),
        b64url_encode(b"\xff"),
        "!!!",
        "",
    ],
)
def test_a_disclosure_has_two_or_three_parts(look: Any, title: Held, text: str) -> None:
    verdict = look(hiding(title, text))
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("DISCLOSURE_INVALID", "MALFORMED")


def test_a_claims_name_is_a_text(look: Any, title: Held) -> None:
    for name in (7, None, ["x"], True):
        verdict = look(hiding(title, disclosure("salt", name, "x")))
        assert said(verdict) == ("refuse", ["DISCLOSURE_INVALID"])


def test_thousands_of_disclosures_cost_nothing(look: Any, title: Held) -> None:
    flood = "~".join(disclosure("s", str(n), 0) for n in range(2000))
    assert said(look(f"{title.text}{flood}~")) == ("refuse", ["TOO_LARGE"])


def test_disclosures_nested_without_end_are_refused(look: Any, title: Held) -> None:
    texts: list[str] = []
    inner: dict[str, Any] = {"end": 1}
    for number in range(190):
        texts.append(disclosure("s", f"n{number}", inner))
        inner = {"_sd": [digest_of(texts[-1])]}
    _, body = unseal(title.text)
    forged = reseal(title, payload={"_sd": [*body["_sd"], digest_of(texts[-1])]}, disclosures=texts)
    verdict = look(forged)
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("MALFORMED", "TOO_LARGE", "CLAIM_INVALID", "DISCLOSURE_INVALID")


def test_a_huge_disclosure_is_not_read(look: Any, title: Held) -> None:
    huge = disclosure("salt", "portrait", "A" * 45_000)
    assert said(look(hiding(title, huge))) == ("refuse", ["TOO_LARGE"])


# --- content with a valid seal --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '=HYPERLINK("https://mallory.example")',
        "{{ 7 * 7 }}",
        "'; drop table person; --",
        "..\\..\\boot.ini",
    ],
)
def test_hostile_content_is_carried_as_it_was_sealed(calm: World, look: Any, text: str) -> None:
    title = calm.city.issue(claims={"approval_number": text})
    verdict = look(title.text)
    assert said(verdict) == ("accept", [])
    assert verdict.credential.claims["approval_number"] == text


@pytest.mark.parametrize(
    "text",
    [
        "FANLI\u202eNAL",
        "FAN\u200bLI",
        "FANLI\r\nX-Injected: 1",
        "FANLI\x1b[2J",
        "FАNLI",  # a Cyrillic letter
        "FΑNLI",  # a Greek one
        "\ufeffFANLI",
        "FANLI\u2066X",
        "FAN\u00adLI",
        "FAN\u061cLI",
        "FAN\u034fLI",
        "FAN\u180eLI",
        "FANLI\x7f",
        "FANLI\U000e0041",
        "\u3164",
        "\uffa0",
        "\u115f",
        "\u2800",
        "FANL\u0582",  # an Armenian letter
        "\u13aaNLI",  # a Cherokee one
        "FANL\u1f30",  # a Greek one with a mark
    ],
)
def test_a_text_that_could_look_like_another_is_remarked(calm: World, look: Any, text: str) -> None:
    title = calm.city.issue(claims={"approval_number": text})
    verdict = look(title.text)
    assert said(verdict) == ("accept", [])
    assert "TEXT_SUSPICIOUS" in verdict.remarks


@pytest.mark.parametrize(
    "text", ["范例一（虚构）", "Nguyễn Văn A", "Ａ座１２層", "José d'Ávila", "한국 이름"]
)
def test_a_text_in_one_script_is_not_remarked(calm: World, look: Any, text: str) -> None:
    title = calm.city.issue(claims={"approval_number": text})
    assert "TEXT_SUSPICIOUS" not in look(title.text).remarks


@pytest.mark.parametrize(
    "claims",
    [
        {"title_level": [["senior"]]},
        {"title_level": True},
        {"specialty": []},
        {"title_series": 5},
        {"title_name": {"en": 5}},
        {"title_name": {"en": {"x": 1}}},
        {"issuing_authority": "Example"},
        {"issuing_authority": [1]},
        {"issue_date": "2026-02-31"},
        {"issue_date": "２０２６-01-01"},
        {"issue_date": "0000-01-01"},
    ],
)
def test_a_value_of_another_kind_than_the_type_says_is_refused(
    look: Any, title: Held, claims: dict[str, Any]
) -> None:
    assert said(look(reseal(title, payload=claims))) == ("refuse", ["CLAIM_INVALID"])


@pytest.mark.parametrize("name", ["issuing_authority", "title_name"])
def test_a_part_that_may_not_be_hidden_is_missed_when_it_is_not_shown(
    look: Any, title: Held, name: str
) -> None:
    forged = reseal(title, payload={name: {"en": "Example", "_sd": ["A" * 43]}})
    assert said(look(forged)) == ("refuse", ["CLAIM_INVALID"])


def test_an_honest_certificate_in_two_scripts_is_not_remarked(look: Any, title: Held) -> None:
    assert "TEXT_SUSPICIOUS" not in look(title.text).remarks


# --- sealed by a foreign kind of key --------------------------------------------------------------


def test_an_eddsa_key_is_as_good_as_its_listing(world: World) -> None:
    signer = new_signer("EdDSA")
    bureau = world.city.bodies["bureau"]
    bureau.keys.append(world.city.listed(signer))
    world.city.grant(bureau, jkt=[signer.public.kid])
    chain = x509.chain_text(world.city.chain_for(bureau.entity_id, signer))
    held = world.city.issue(signer=signer, x5c=chain)
    for shown in (held, held.code):
        assert said(world.check(shown)) == ("accept", [])
    header, payload = unseal(held.text)
    forged = f"{jws(without(header, ['alg']) | {'alg': 'ES256'}, payload, signer)}~"
    assert said(world.check(forged)) == ("refuse", ["ALG_NOT_ALLOWED"])


@pytest.mark.parametrize("name", ["acquired_on", "title_name", "title_level", "issuing_authority"])
def test_a_claim_that_must_be_seen_cannot_be_null(look: Any, title: Held, name: str) -> None:
    assert said(look(title.text)) == ("accept", [])
    assert said(look(reseal(title, payload={name: None}))) == ("refuse", ["CLAIM_INVALID"])
