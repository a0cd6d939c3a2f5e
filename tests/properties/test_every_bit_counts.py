"""Properties: no bit of anything signed can be turned without refusal."""

import random

import pytest
from simulator import Held, World

from talentseal import cose, cwt
from talentseal.bundle import Bundle
from talentseal.encoding import parse_cbor
from talentseal.errors import InputError
from talentseal.policy import Policy

DESK, NONCE = "desk.city.example", "a-nonce-of-this-request"
REQUIRED = Policy(home="CN/9999", place="CN/9999", holder="required")
SAMPLES = 1500  # of some 40,000 bits: each run turns the same ones


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


def _is_sealed(data: bytes, held: Held) -> bool:
    """Whether the bytes still are a code with a good seal: the raw question, every bit of it."""
    try:
        code = cwt.parse(data)
    except InputError:
        return False
    issuer = held.office.bodies["bureau"].signer.public
    if not cose.is_signed_by(code.message, issuer) or code.message.unprotected:
        return False
    return code.proof is None or cose.is_signed_by(code.proof.message, held.holder.public)


def test_every_bit_of_a_static_code_is_sealed(title: Held) -> None:
    assert _is_sealed(title.code, title)
    survived = [
        bit for bit in range(len(title.code) * 8) if _is_sealed(flipped(title.code, bit), title)
    ]
    assert survived == []


def test_every_bit_of_a_live_code_is_sealed(calm: World, title: Held) -> None:
    live = title.live(at=calm.now)
    assert _is_sealed(live, title)
    assert parse_cbor(live).number == 18
    bits = range(len(live) * 8)
    assert [bit for bit in bits if _is_sealed(flipped(live, bit), title)] == []


@pytest.mark.parametrize("form", ["code", "live"])
def test_no_turned_bit_of_a_code_is_accepted(
    calm: World, title: Held, city_bundle: Bundle, form: str
) -> None:
    shown = title.code if form == "code" else title.live(at=calm.now)
    policy = REQUIRED if form == "live" else None
    honest = calm.check(shown, bundle=city_bundle, policy=policy)
    assert honest.outcome == "accept"
    for bit in random.Random(7).sample(range(len(shown) * 8), 800):  # noqa: S311 - which bits
        verdict = calm.check(flipped(shown, bit), bundle=city_bundle, policy=policy)
        assert verdict.outcome != "accept", f"bit {bit}"


def _presentation(calm: World, title: Held) -> str:
    names = ("family_name", "id_document", "acquisition", "display_name")
    return title.present(*names, audience=DESK, nonce=NONCE, at=calm.now)


def test_no_turned_bit_of_a_presentation_is_accepted(
    calm: World, title: Held, city_bundle: Bundle
) -> None:
    text = _presentation(calm, title)
    asked = {"audience": DESK, "nonce": NONCE, "policy": REQUIRED, "bundle": city_bundle}
    assert calm.check(text, **asked).outcome == "accept"  # type: ignore[arg-type]
    data = text.encode()
    for bit in random.Random(8).sample(range(len(data) * 8), SAMPLES):  # noqa: S311 - which bits
        changed = flipped(data, bit).decode("latin-1")
        verdict = calm.check(changed, **asked)  # type: ignore[arg-type]
        assert verdict.outcome != "accept", f"bit {bit}"


def test_no_turned_bit_of_a_disclosure_or_proof_is_accepted(
    calm: World, title: Held, city_bundle: Bundle
) -> None:
    # Beyond the long header, where most random bits fall: the short parts, densely.
    text = _presentation(calm, title)
    asked = {"audience": DESK, "nonce": NONCE, "policy": REQUIRED, "bundle": city_bundle}
    start = text.index("~") - 86  # from the issuer's signature on
    bits = range(start * 8, len(text) * 8)
    for bit in random.Random(9).sample(bits, SAMPLES):  # noqa: S311 - which bits
        changed = flipped(text.encode(), bit).decode("latin-1")
        verdict = calm.check(changed, **asked)  # type: ignore[arg-type]
        assert verdict.outcome != "accept", f"bit {bit}"
