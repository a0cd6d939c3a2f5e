"""Properties: what was sealed is what is read, through every form and every transport."""

from collections.abc import Mapping
from typing import Any

import pytest
from simulator import Held, World, samples, type_of

from schemas.verdict import Verdict
from talentseal import qr
from talentseal.bundle import Bundle
from talentseal.codetext import parse_text, write_text
from talentseal.policy import Policy
from talentseal.type_metadata import CredentialType

HOST = "verify.talentseal.example"
HOME = {"CN": "CN/9999", "HK": "HK", "MO": "MO"}
NAMES = sorted(samples())


@pytest.fixture(scope="module")
def world() -> World:
    return World.honest()


@pytest.fixture(scope="module")
def bundles(world: World) -> dict[str, Bundle]:
    return {code: world.bundle(code) for code in world.offices}


def _office(sample: str) -> str:
    """A sample is sealed where it belongs; one from far away is sealed in Hong Kong."""
    return HOME.get(samples()[sample]["territory"][0].split("/")[0], "HK")


def issue(world: World, sample: str) -> tuple[Held, str]:
    home = _office(sample)
    office = world.offices[home]
    inside = samples()[sample]["territory"]
    territory = inside if inside[0].split("/")[0] in HOME else office.territory
    return office.issue(sample, territory=territory), home


def look(world: World, bundles: Mapping[str, Bundle], shown: str | bytes, home: str) -> Verdict:
    policy = Policy(home=home, place=home, purpose="employment")
    return world.check(shown, home=home, bundle=bundles[home], policy=policy)


def claims_of(verdict: Verdict) -> dict[str, Any]:
    assert verdict.questions["authentic"] == "pass"
    assert verdict.credential is not None
    return dict(verdict.credential.claims)


def carried(claims: Mapping[str, Any], kind: CredentialType) -> dict[str, Any]:
    """What of a claim set a code carries: the labelled claims, in two languages at most."""
    kept: dict[str, Any] = {}
    for label in kind.labels.values():
        value: Any = claims
        for name in label.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            continue
        node = kept
        for name in label.path[:-1]:
            node = node.setdefault(name, {})
        node[label.path[-1]] = _shortened(value, label)
    return kept


def _shortened(value: Any, label: Any) -> Any:
    if label.form == "langmap":
        wanted = [lang for lang in ("zh-Hans", "en", "zh-Hant", "pt") if lang in value][:2]
        return {lang: value[lang] for lang in wanted}
    if label.form == "object":
        by_name = {member.path[0]: member for member in label.members}
        return {
            name: _shortened(inner, by_name[name])
            for name, inner in value.items()
            if name in by_name
        }
    return value


@pytest.mark.parametrize("sample", NAMES)
def test_the_wallet_form_gives_back_every_claim(
    world: World, bundles: Mapping[str, Bundle], sample: str
) -> None:
    held, home = issue(world, sample)
    assert claims_of(look(world, bundles, held.text, home)) == samples()[sample]["claims"]


@pytest.mark.parametrize("form", ["digits", "base45", "base64url"])
@pytest.mark.parametrize("sample", NAMES)
def test_the_code_gives_back_every_claim_it_carries_in_every_text(
    world: World, bundles: Mapping[str, Bundle], sample: str, form: Any
) -> None:
    held, home = issue(world, sample)
    expected = carried(samples()[sample]["claims"], type_of(samples()[sample]["vct"]))
    assert claims_of(look(world, bundles, held.code, home)) == expected

    text = write_text(held.code, host=HOST, form=form)

    assert parse_text(text).code == held.code
    assert claims_of(look(world, bundles, text, home)) == expected
    live = held.live(at=world.now)
    live_text = write_text(live, host=HOST, form=form)
    assert parse_text(live_text).code == live
    assert claims_of(look(world, bundles, live_text, home)) == expected


@pytest.mark.parametrize("sample", NAMES)
def test_a_picture_of_the_code_gives_back_the_same_text(
    world: World, bundles: Mapping[str, Bundle], sample: str
) -> None:
    held, home = issue(world, sample)
    text = write_text(held.code, host=HOST)
    picture = qr.to_png(qr.encode(text, level="M"), pixels_per_module=4)
    assert qr.read(picture) == [text]
    expected = claims_of(look(world, bundles, held.code, home))
    assert claims_of(look(world, bundles, qr.read(picture)[0], home)) == expected
