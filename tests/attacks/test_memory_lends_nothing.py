"""Stories about what a verifier remembers: it saves work, and never an answer that can change.

One desk looks twice, with one bundle and all its memories warm. What is altered in between, or
has come to its end, is judged as if it had never been seen.
"""

from collections.abc import Callable
from typing import Any

import pytest
from forging import jws, reseal, reseal_code, said, unseal
from simulator import DAY, HOUR, YEAR, World, bytes_from, key, samples, type_of

from schemas.verdict import Verdict
from talentseal.bundle import MAX_CHAINS, MAX_SEEN, Bundle, Memo
from talentseal.encoding import b64url_decode, b64url_encode
from talentseal.sdjwt import Envelope, issue

Look = Callable[..., Verdict]


@pytest.fixture
def bundle(world: World) -> Bundle:
    return world.bundle()


@pytest.fixture
def look(world: World, bundle: Bundle) -> Look:
    """A desk that keeps one bundle, and with it every memory."""
    return lambda shown, **asked: world.check(shown, bundle=bundle, **asked)


@pytest.fixture(params=["wallet form", "code form"])
def shown(request: pytest.FixtureRequest, world: World) -> Any:
    held = world.city.issue(exp=world.now + HOUR)
    return held.text if request.param == "wallet form" else held.code


def test_the_same_certificate_is_good_before_its_end_and_refused_after(
    world: World, look: Look, shown: Any
) -> None:
    late = world.now + 2 * HOUR
    assert said(look(shown)) == said(look(shown)) == ("accept", [])
    assert said(look(shown, at=late)) == ("refuse", ["EXPIRED"])
    assert said(look(shown)) == ("accept", [])
    assert "ISSUED_IN_FUTURE" in said(look(shown, at=world.now - YEAR))[1]


def test_a_status_that_changes_is_seen_by_the_next_bundle_whatever_the_last_remembered(
    world: World,
) -> None:
    held = world.city.issue()
    before = world.bundle()
    assert said(world.check(held, bundle=before)) == ("accept", [])
    world.city.set_status(held, 1)
    assert said(world.check(held, bundle=world.bundle())) == ("refuse", ["REVOKED"])


def test_a_grant_that_is_withdrawn_ends_what_was_remembered_with_it(world: World) -> None:
    held = world.city.issue()
    assert said(world.check(held)) == ("accept", [])
    for statement in list(world.city.bodies["bureau"].grants):
        world.city.withdraw(statement, effect="void", at=world.now - 2 * YEAR)
    assert said(world.check(held))[0] == "refuse"


def test_the_certificate_of_one_body_is_not_remembered_for_its_twin(world: World) -> None:
    city, kind = world.city, type_of("professional-title/1")
    bureau = city.bodies["bureau"]
    twin = city.body("twin", signer=bureau.signer)
    city.grant(twin)

    def sealed(iss: str, index: int) -> str:
        envelope = Envelope(
            iss=iss, iat=world.now - world.now % HOUR, exp=world.now + 300 * DAY, nbf=None,
            territory=samples()["title-01"]["territory"], status_uri=city.status_uri,
            status_index=index,
        )  # fmt: skip
        return issue(
            samples()["title-01"]["claims"], envelope, kind, holder_jwk=key("h").public.jwk,
            signer=bureau.signer, x5c=bureau.x5c, randomness=bytes_from(f"t{index}"),
        )  # fmt: skip

    good, bad = sealed(bureau.entity_id, 901), sealed(twin.entity_id, 900)
    for order in ((good, bad, good), (bad, good, bad)):
        bundle = world.bundle()
        for text in order:
            expected = ("accept", []) if text == good else ("refuse", ["CERT_ISS_MISMATCH"])
            assert said(world.check(text, bundle=bundle)) == expected


def test_every_changed_character_of_a_token_seen_before_is_noticed(
    world: World, look: Look
) -> None:
    text = world.city.issue().text
    token, rest = text.split("~", 1)
    assert said(look(text)) == ("accept", [])
    for place in range(0, len(token), 37):
        if token[place] == ".":
            continue
        other = "A" if token[place] != "A" else "B"
        forged = f"{token[:place]}{other}{token[place + 1 :]}~{rest}"
        verdict = look(forged)
        assert verdict.outcome == "refuse"
        assert verdict.credential is None


def test_every_changed_byte_of_a_code_seen_before_is_noticed(world: World, look: Look) -> None:
    code = world.city.issue().code
    assert said(look(code)) == ("accept", [])
    for place in range(0, len(code), 7):
        forged = code[:place] + bytes((code[place] ^ 1,)) + code[place + 1 :]
        assert look(forged).outcome == "refuse"


def test_a_header_seen_before_lends_its_chain_to_no_other_key(world: World, look: Look) -> None:
    held = world.city.issue()
    assert said(look(held)) == ("accept", [])
    assert said(look(reseal(held, signer=key("mallory")))) == ("refuse", ["SIGNATURE_INVALID"])
    assert said(look(reseal_code(held, signer=key("mallory")))) == ("refuse", ["SIGNATURE_INVALID"])


def test_a_header_seen_before_is_read_again_in_any_other_spelling(world: World, look: Look) -> None:
    held = world.city.issue()
    assert said(look(held)) == ("accept", [])
    head, body = unseal(held.text)
    signer = world.city.bodies["bureau"].signer
    doubled = b'{"alg":"none",' + b64url_decode(held.text.split(".")[0])[1:]
    for header, code in (
        (doubled, "MALFORMED"),
        ({**head, "alg": "none"}, "ALG_NOT_ALLOWED"),
        ({**head, "typ": "JWT"}, "TYPE_CONFUSION"),
        ({**head, "x5c": head["x5c"][::-1]}, "CERT_PATH_INVALID"),
    ):
        forged = "~".join((jws(header, body, signer), *held.text.split("~")[1:]))
        assert said(look(forged)) == ("refuse", [code])


def test_a_chain_that_was_good_in_one_hour_is_judged_anew_in_another(
    world: World, look: Look
) -> None:
    held = world.city.issue()
    assert said(look(held)) == ("accept", [])
    old = {"iat": world.now - 30 * YEAR, "exp": world.now + DAY}
    assert "CERT_PATH_INVALID" in said(look(reseal(held, payload=old)))[1]


def test_a_signature_is_remembered_with_all_that_it_covers(world: World, look: Look) -> None:
    """The signature of one good token over the text of another has been seen, and is refused."""
    first, second = world.city.issue().text, world.city.issue().text
    assert said(look(first)) == said(look(second)) == ("accept", [])
    signature = first.split("~", 1)[0].rsplit(".", 1)[1]
    token, rest = second.split("~", 1)
    crossed = f"{token.rsplit('.', 1)[0]}.{signature}~{rest}"
    assert said(look(crossed)) == ("refuse", ["SIGNATURE_INVALID"])


def test_a_signature_that_failed_is_not_remembered_as_good(world: World, bundle: Bundle) -> None:
    token, rest = world.city.issue().text.split("~", 1)
    never_made = b64url_encode(bytes(63) + b"\x01")
    forged = f"{token.rsplit('.', 1)[0]}.{never_made}~{rest}"
    for _ in range(3):
        verdict = world.check(forged, bundle=bundle)
        assert said(verdict) == ("refuse", ["SIGNATURE_INVALID"])


def test_what_is_remembered_has_an_end() -> None:
    for size in (1, 3, MAX_SEEN, MAX_CHAINS):
        memo: Memo[int, bool] = Memo(size)
        for number in range(size + 2):
            memo.put(number, True)
        assert [memo.get(n) for n in (0, 1, size + 1)] == [None, None, True]
