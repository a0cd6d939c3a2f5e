"""Stories about the holder's proof: by whom, for whom, for what, when, and only once."""

from typing import Any

import pytest
from forging import jws, result_of, said, sealer
from simulator import Held, MemoryReplays, World, key

from schemas.verdict import Verdict
from talentseal import cwt, sdjwt
from talentseal.bundle import Bundle
from talentseal.codetext import write_text
from talentseal.encoding import TAG_SIGN1, Tag, b64url_encode, dump_cbor, parse_cbor
from talentseal.keys import SoftwareSigner
from talentseal.policy import Policy

DESK = "x509_san_dns:desk.city.example"
NONCE = "a-nonce-of-this-very-request"
SHOWN = ("family_name", "certificate_number", "display_name", "acquisition")
REQUIRED = Policy(home="CN/9999", place="CN/9999", holder="required")


@pytest.fixture(scope="module")
def title(calm: World) -> Held:
    return calm.city.issue()


@pytest.fixture
def look(calm: World, city_bundle: Bundle) -> Any:
    def check(shown: str | bytes, **asked: Any) -> Verdict:
        return calm.check(shown, bundle=city_bundle, **{"policy": REQUIRED, **asked})

    return check


def asked(look: Any, text: str, **changes: Any) -> Verdict:
    verdict: Verdict = look(text, **{"audience": DESK, "nonce": NONCE, **changes})
    return verdict


def bound(
    held: Held,
    at: int,
    *,
    signer: SoftwareSigner | None = None,
    header: dict[str, Any] | None = None,
    drop: tuple[str, ...] = (),
    **claims: Any,
) -> str:
    """A presentation whose key-binding token is honest but for what is changed."""
    shown = sdjwt.disclose(held.text, SHOWN)
    payload = {"iat": at, "aud": DESK, "nonce": NONCE, "sd_hash": sdjwt.sd_hash(shown), **claims}
    head = {"alg": "ES256", "typ": "kb+jwt", **(header or {})}
    kept = {name: value for name, value in payload.items() if name not in drop}
    return shown + jws(head, kept, signer or held.holder)


def test_an_honest_presentation_is_the_holders(look: Any, calm: World, title: Held) -> None:
    text = title.present(*SHOWN, audience=DESK, nonce=NONCE, at=calm.now)
    verdict = asked(look, text)
    assert said(verdict) == ("accept", [])
    assert result_of(verdict, "holder") == [("pass", None)]
    assert said(asked(look, bound(title, calm.now))) == ("accept", [])


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "x509_san_dns:other.example"}, "HOLDER_AUDIENCE"),
        ({"aud": DESK[:-1]}, "HOLDER_AUDIENCE"),
        ({"aud": DESK + "/"}, "HOLDER_AUDIENCE"),
        ({"aud": [DESK]}, "HOLDER_AUDIENCE"),
        ({"aud": None}, "HOLDER_AUDIENCE"),
        ({"aud": DESK.upper()}, "HOLDER_AUDIENCE"),
        ({"nonce": "another"}, "HOLDER_NONCE"),
        ({"nonce": NONCE[:-1]}, "HOLDER_NONCE"),
        ({"nonce": ""}, "HOLDER_NONCE"),
        ({"nonce": None}, "HOLDER_NONCE"),
        ({"nonce": [NONCE]}, "HOLDER_NONCE"),
        ({"sd_hash": "A" * 43}, "HOLDER_PROOF_INVALID"),
        ({"sd_hash": None}, "HOLDER_PROOF_INVALID"),
        ({"sd_hash": 7}, "HOLDER_PROOF_INVALID"),
        ({"iat": "now"}, "HOLDER_PROOF_INVALID"),
        ({"iat": None}, "HOLDER_PROOF_INVALID"),
        ({"iat": True}, "HOLDER_PROOF_INVALID"),
        ({"iat": -1}, "HOLDER_PROOF_INVALID"),
    ],
)
def test_a_proof_is_for_this_desk_this_request_and_this_content(
    look: Any, calm: World, title: Held, claims: dict[str, Any], code: str
) -> None:
    assert said(asked(look, bound(title, calm.now, **claims))) == ("refuse", [code])


@pytest.mark.parametrize("name", ["aud", "nonce", "sd_hash", "iat"])
def test_a_proof_leaves_nothing_out(look: Any, calm: World, title: Held, name: str) -> None:
    verdict = asked(look, bound(title, calm.now, drop=(name,)))
    assert verdict.outcome == "refuse"
    assert result_of(verdict, "holder")[0][0] == "fail"


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"typ": "dc+sd-jwt"},
        {"typ": "openid4vci-proof+jwt"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "EdDSA"},
        {"crit": ["exp"]},
    ],
)
def test_another_kind_of_token_is_no_proof(
    look: Any, calm: World, title: Held, header: dict[str, Any]
) -> None:
    verdict = asked(look, bound(title, calm.now, header=header))
    assert said(verdict) == ("refuse", ["HOLDER_PROOF_INVALID"])


def test_a_proof_by_any_other_key_is_none(look: Any, calm: World, title: Held) -> None:
    mallory = key("mallory")
    for signer, header in (
        (mallory, {}),
        (sealer(title), {}),
        (mallory, {"jwk": mallory.public.jwk}),
        (mallory, {"kid": title.holder.public.kid}),
    ):
        forged = bound(title, calm.now, signer=signer, header=header)
        assert said(asked(look, forged)) == ("refuse", ["HOLDER_PROOF_INVALID"])


def test_a_proof_cannot_move_to_another_certificate(look: Any, calm: World, title: Held) -> None:
    other = calm.city.issue("title-02")
    proof = bound(title, calm.now).rsplit("~", 1)[1]
    moved = sdjwt.disclose(other.text, ["family_name"]) + proof
    assert said(asked(look, moved)) == ("refuse", ["HOLDER_PROOF_INVALID"])


def test_disclosures_cannot_be_added_or_removed_after_the_proof(
    look: Any, calm: World, title: Held
) -> None:
    token, *shown, proof = bound(title, calm.now).split("~")
    spare = next(d for d in title.text.split("~")[1:-1] if d not in shown)
    for changed in ([*shown, spare], shown[1:], shown[::-1], []):
        text = "~".join((token, *changed, proof))
        verdict = asked(look, text)
        assert verdict.outcome == "refuse"
        assert verdict.codes[0] in ("HOLDER_PROOF_INVALID", "DISCLOSURE_INVALID")


def test_two_proofs_are_no_proof(look: Any, calm: World, title: Held) -> None:
    text = bound(title, calm.now)
    proof = text.rsplit("~", 1)[1]
    verdict = asked(look, f"{text}~{proof}")
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("MALFORMED", "DISCLOSURE_INVALID")


@pytest.mark.parametrize("proof", ["x", "a.b", "a.b.c", "....", "null"])
def test_a_broken_proof_is_refused(look: Any, title: Held, proof: str) -> None:
    verdict = asked(look, title.text + proof)
    assert said(verdict) == ("refuse", ["HOLDER_PROOF_INVALID"])


def test_a_proof_that_the_desk_did_not_ask_for_proves_nothing(
    look: Any, calm: World, title: Held
) -> None:
    text = bound(title, calm.now)
    assert said(look(text)) == ("refuse", ["HOLDER_AUDIENCE"])
    assert said(look(text, audience=DESK)) == ("refuse", ["HOLDER_NONCE"])
    optional = Policy(home="CN/9999", place="CN/9999")
    forged = bound(title, calm.now, signer=key("mallory"))
    assert asked(look, forged, policy=optional).outcome == "refuse"


def test_no_proof_where_one_is_demanded(look: Any, calm: World, title: Held) -> None:
    assert said(look(title.text)) == ("refuse", ["HOLDER_PROOF_MISSING"])
    assert said(look(title.code)) == ("refuse", ["HOLDER_PROOF_MISSING"])
    paper = cwt.issue(
        {**_claims(calm)}, _envelope(calm), _kind(), holder=None, languages=("en",),
        signer=sealer(title), identifier=bytes(range(16)),
    )  # fmt: skip
    assert said(look(paper)) == ("refuse", ["HOLDER_NOT_BOUND"])


def _claims(calm: World) -> dict[str, Any]:
    del calm
    from simulator import samples

    return dict(samples()["title-01"]["claims"])


def _kind() -> Any:
    from simulator import type_of

    return type_of("professional-title/1")


def _envelope(calm: World) -> sdjwt.Envelope:
    return sdjwt.Envelope(
        calm.city.bodies["bureau"].entity_id, calm.start, calm.start + 86_400, None,
        ["CN/9999"], calm.city.status_uri, 4000,
    )  # fmt: skip


@pytest.mark.parametrize("late", [-301, 301, -86_400, 86_400])
def test_a_proof_outside_its_window_tells_nothing_of_now(
    look: Any, calm: World, title: Held, late: int
) -> None:
    verdict = asked(look, bound(title, calm.now + late))
    assert said(verdict) == ("refer", ["HOLDER_TIME"])


@pytest.mark.parametrize("late", [-300, 0, 300])
def test_a_proof_inside_its_window_counts(look: Any, calm: World, title: Held, late: int) -> None:
    assert said(asked(look, bound(title, calm.now + late))) == ("accept", [])


@pytest.mark.parametrize(
    ("term", "said_of_it"),
    [
        ({"exp": -61}, ("refer", ["HOLDER_TIME"])),
        ({"exp": -60}, ("refer", ["HOLDER_TIME"])),
        ({"exp": -59}, ("accept", [])),
        ({"nbf": 61}, ("refer", ["HOLDER_TIME"])),
        ({"nbf": 60}, ("accept", [])),
        ({"nbf": -300, "exp": 300}, ("accept", [])),
        ({"nbf": 3600, "exp": 7200}, ("refer", ["HOLDER_TIME"])),
    ],
)
def test_a_proof_that_names_its_own_term_is_heard(
    look: Any, calm: World, title: Held, term: dict[str, int], said_of_it: tuple[str, list[str]]
) -> None:
    claims: dict[str, Any] = {name: calm.now + shift for name, shift in term.items()}
    assert said(asked(look, bound(title, calm.now, **claims))) == said_of_it


@pytest.mark.parametrize("name", ["exp", "nbf"])
@pytest.mark.parametrize("value", [None, "4102444800", 4102444800.0, True, -1, 2**63, [1]])
def test_a_term_that_is_no_time_spoils_the_proof(
    look: Any, calm: World, title: Held, name: str, value: Any
) -> None:
    forged = bound(title, calm.now, **{name: value})
    assert said(asked(look, forged)) == ("refuse", ["HOLDER_PROOF_INVALID"])


def test_a_proof_serves_once(look: Any, calm: World, title: Held) -> None:
    replays = MemoryReplays()
    text = bound(title, calm.now)
    assert said(asked(look, text, replays=replays)) == ("accept", [])
    assert said(asked(look, text, replays=replays)) == ("refuse", ["HOLDER_REPLAYED"])


# --- copies and live codes ------------------------------------------------------------------------


def test_a_photographed_code_is_a_copy_and_never_a_proof(
    look: Any, calm: World, title: Held
) -> None:
    optional = Policy(home="CN/9999", place="CN/9999")
    for shown in (title.code, title.text, write_text(title.code, host="verify.talentseal.example")):
        verdict = look(shown, policy=optional)
        assert said(verdict) == ("accept", [])
        assert result_of(verdict, "holder") == [("not_applicable", "HOLDER_BEARER_COPY")]
    del calm


def test_a_live_code_serves_once_and_says_it_may_have_been_relayed(
    look: Any, calm: World, title: Held
) -> None:
    replays = MemoryReplays()
    live = title.live(at=calm.now)
    verdict = look(live, replays=replays)
    assert said(verdict) == ("accept", [])
    assert result_of(verdict, "holder") == [("pass", "HOLDER_OPEN_MODE")]
    assert said(look(live, replays=replays)) == ("refuse", ["HOLDER_REPLAYED"])


def _other_half(signature: bytes) -> bytes:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return signature[:32] + (order - int.from_bytes(signature[32:])).to_bytes(32)


def test_a_live_code_with_the_other_half_of_its_signature_is_the_same_code(
    look: Any, calm: World, title: Held
) -> None:
    replays = MemoryReplays()
    live = title.live(at=calm.now)
    assert look(live, replays=replays).outcome == "accept"
    *rest, signature = parse_cbor(live).value
    twin = dump_cbor(Tag(TAG_SIGN1, [*rest, _other_half(signature)]))
    assert said(look(twin, replays=replays)) == ("refuse", ["HOLDER_REPLAYED"])


@pytest.mark.parametrize("age", [-61, 121, 86_400])
def test_a_live_code_outside_its_window_is_a_recording(
    look: Any, calm: World, title: Held, age: int
) -> None:
    at = calm.now + 100_000
    live = title.live(at=at - age)
    verdict = look(live, at=at, policy=Policy(home="CN/9999", holder="required", max_age=10**7))
    assert "HOLDER_TIME" in verdict.codes
    assert verdict.outcome == "refer"


def test_a_live_code_for_another_desk_or_challenge_is_refused(
    look: Any, calm: World, title: Held
) -> None:
    nonce = b"sixteen bytes...!"
    live = title.live(at=calm.now, audience=DESK, nonce=nonce)
    challenge = {"audience": DESK, "nonce": b64url_encode(nonce)}
    assert said(look(live, **challenge)) == ("accept", [])
    assert said(look(live)) == ("refuse", ["HOLDER_AUDIENCE"])
    other = {**challenge, "audience": "x509_san_dns:other.example"}
    assert said(look(live, **other)) == ("refuse", ["HOLDER_AUDIENCE"])
    assert said(look(live, **{**challenge, "nonce": b64url_encode(b"another")})) == (
        "refuse",
        ["HOLDER_NONCE"],
    )
    assert said(look(live, **{**challenge, "nonce": "not base64url!"})) == (
        "refuse",
        ["HOLDER_NONCE"],
    )


def test_a_challenge_read_out_loud_is_answered_by_its_digits(
    look: Any, calm: World, title: Held
) -> None:
    live = title.live(at=calm.now, nonce=b"12345678")
    assert said(look(live, nonce="12345678")) == ("accept", [])
    assert said(look(live, nonce="12345679")) == ("refuse", ["HOLDER_NONCE"])


def _live(held: Held, payload: Any, *, signer: SoftwareSigner | None = None, **more: Any) -> bytes:
    from forging import sign1

    protected: dict[Any, Any] = {1: -7, 13: parse_cbor(held.code), 16: cwt.TYP_KEY_BINDING, **more}
    return sign1(protected, dump_cbor(payload), signer or held.holder)


def test_a_live_code_by_any_other_key_is_refused(look: Any, calm: World, title: Held) -> None:
    payload = {3: cwt.OPEN_AUDIENCE, 6: calm.now, 39: b"8 bytes."}
    assert said(look(_live(title, payload))) == ("accept", [])
    for signer in (key("mallory"), sealer(title)):
        forged = _live(title, payload, signer=signer)
        assert said(look(forged)) == ("refuse", ["HOLDER_PROOF_INVALID"])


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {3: cwt.OPEN_AUDIENCE, 6: 1},
        {3: cwt.OPEN_AUDIENCE, 6: "now", 39: b"8 bytes."},
        {3: [cwt.OPEN_AUDIENCE], 6: 1, 39: b"8 bytes."},
        {3: cwt.OPEN_AUDIENCE, 6: 1, 39: "8 bytes."},
        {3: cwt.OPEN_AUDIENCE, 6: 1, 39: b"8 bytes.", 1: "x"},
        [],
        "text",
    ],
)
def test_a_live_proof_has_three_claims(look: Any, title: Held, payload: Any) -> None:
    assert said(look(_live(title, payload))) == ("refuse", ["MALFORMED"])


def test_a_live_proof_before_the_seal_or_after_its_end_is_none(look: Any, calm: World) -> None:
    short = calm.city.issue(exp=calm.start + 3600)
    early = short.live(at=calm.start - 30)
    assert said(look(early, at=calm.start)) == ("refuse", ["HOLDER_PROOF_INVALID"])
    late = short.live(at=calm.start + 3610)
    verdict = look(late, at=calm.start + 3620)
    assert "HOLDER_PROOF_INVALID" in verdict.codes


def test_a_live_code_inside_a_live_code_is_refused(look: Any, calm: World, title: Held) -> None:
    payload = {3: cwt.OPEN_AUDIENCE, 6: calm.now, 39: b"8 bytes."}
    inner = title.live(at=calm.now)
    protected = {1: -7, 13: parse_cbor(inner), 16: cwt.TYP_KEY_BINDING}
    from forging import sign1

    verdict = look(sign1(protected, dump_cbor(payload), title.holder))
    assert verdict.outcome == "refuse"
    assert verdict.codes[0] in ("MALFORMED", "TYPE_CONFUSION", "TOO_LARGE")


def test_a_clock_set_back_makes_no_proof_current(world: World) -> None:
    from talentseal.bundle import Bundle as Held_
    from talentseal.bundle import combine
    from talentseal.compiling import compile_part

    title = world.city.issue()
    part = compile_part(world.city.files(), None, now=world.now)
    bundle = Held_(combine("CN/9999", [part], [], clock_mark=world.now + 3600))
    verdict = world.check(title.live(at=world.now), bundle=bundle, policy=REQUIRED)
    assert said(verdict) == ("refer", ["CLOCK_ROLLED_BACK", "HOLDER_TIME"])


def test_a_question_not_asked_is_not_answered(look: Any, calm: World, title: Held) -> None:
    unasked = Policy(home="CN/9999", place="CN/9999", holder="not_asked")
    verdict = look(bound(title, calm.now, signer=key("mallory")), policy=unasked)
    assert said(verdict) == ("accept", [])
    assert result_of(verdict, "holder") == [("not_applicable", "NOT_ASKED")]
