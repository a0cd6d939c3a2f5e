"""Stories about rights: what an issuer, an authority or a list office cannot give itself."""

from collections.abc import Callable
from typing import Any

import pytest
from forging import jws, result_of, said, unseal
from simulator import DAY, HOUR, YEAR, Body, World, key

from talentseal import statements
from talentseal.statements import TYP_DELEGATION

TITLE = "professional-title/1"
PERMIT = "foreigner-work-permit/1"
Act = Callable[[World, Body], object]


def street(world: World, act: Act) -> Body:
    """A street office of the city, listed, whose rights are what `act` makes of them."""
    body = world.city.body("street")
    act(world, body)
    return body


def commission(world: World) -> Body:
    return world.city.bodies["commission"]


def test_a_station_cannot_seal_a_type_it_was_not_granted(world: World) -> None:
    street(world, lambda w, b: w.city.grant(b, by=commission(w), types=[PERMIT]))
    assert said(world.check(world.city.issue("permit-01", by="street"))) == ("accept", [])

    verdict = world.check(world.city.issue("title-01", by="street"))

    assert said(verdict) == ("refuse", ["GRANT_SCOPE_TYPE"])
    assert (verdict.questions["authentic"], verdict.questions["authorised"]) == ("pass", "fail")


def test_a_station_cannot_seal_for_another_district(world: World) -> None:
    street(world, lambda w, b: w.city.grant(b, by=commission(w), territory=["CN/9999/x-zone"]))

    assert said(world.check(world.city.issue(by="street", territory=["CN/9999/x-zone"])))[1] == []
    assert said(world.check(world.city.issue(by="street"))) == ("refuse", ["GRANT_SCOPE_TERRITORY"])


def test_a_claim_about_a_place_cannot_reach_beyond_the_sealed_territory(world: World) -> None:
    honest = world.city.issue("talent-01")
    assert said(world.check(honest)) == ("accept", [])

    wide = world.city.issue("talent-01", claims={"region": "HK"})

    for shown in (wide, wide.code):
        assert said(world.check(shown)) == ("refuse", ["GRANT_SCOPE_TERRITORY"])


def test_a_station_cannot_seal_another_profession(world: World) -> None:
    street(world, lambda w, b: w.city.grant(b, by=commission(w), profession=["series/06"]))

    nurse = world.city.issue(by="street", claims={"title_series": "06"})
    assert said(world.check(nurse)) == ("accept", [])
    assert said(world.check(world.city.issue(by="street"))) == (
        "refuse",
        ["GRANT_SCOPE_PROFESSION"],
    )


def test_a_station_cannot_seal_after_its_grant_ended(world: World) -> None:
    end = world.start + DAY
    street(world, lambda w, b: w.city.grant(b, by=commission(w), exp=end))
    before = world.city.issue(by="street")
    world.turn(2 * DAY)

    verdict = world.check(world.city.issue(by="street"))

    assert said(verdict) == ("refuse", ["GRANT_NOT_IN_FORCE"])
    earlier = world.check(before)
    assert said(earlier) == ("accept", [])
    assert "GRANT_ENDED_SINCE" in earlier.remarks


def test_a_station_cannot_seal_for_longer_than_it_was_granted(world: World) -> None:
    limit = 365 * DAY
    street(world, lambda w, b: w.city.grant(b, by=commission(w), max_validity=limit))
    assert said(world.check(world.city.issue(by="street")))[0] == "accept"

    verdict = world.check(world.city.issue(by="street", exp=world.start + limit + HOUR))

    assert said(verdict) == ("refuse", ["VALIDITY_TOO_LONG"])


def test_nobody_can_seal_for_longer_than_the_type_allows(world: World) -> None:
    verdict = world.check(world.city.issue(exp=world.start + 6 * YEAR))
    assert said(verdict) == ("refuse", ["VALIDITY_TOO_LONG"])


def _wider_place(world: World, body: Body) -> None:
    narrow = world.city.delegate(commission(world), territory=["CN/9999/x-zone"])
    world.city.grant(body, by=commission(world), delegation=narrow)


def _longer_term(world: World, body: Body) -> None:
    short = world.city.delegate(commission(world), exp=world.start + 10 * DAY)
    world.city.grant(body, by=commission(world), delegation=short)


def _more_types(world: World, body: Body) -> None:
    one = world.city.delegate(commission(world), vct=[unseal_type(PERMIT)])
    world.city.grant(body, by=commission(world), delegation=one)


def _any_profession(world: World, body: Body) -> None:
    narrow = world.city.delegate(commission(world), profession=["series/05"])
    world.city.grant(body, by=commission(world), delegation=narrow)


def _longer_certificates(world: World, body: Body) -> None:
    short = world.city.delegate(commission(world), max_validity=100 * DAY)
    world.city.grant(body, by=commission(world), delegation=short, max_validity=400 * DAY)


def _no_delegation(world: World, body: Body) -> None:
    world.city.grant(body, by=commission(world), delegation=None)


def _own_delegation(world: World, body: Body) -> None:
    own = world.city.delegate(commission(world), signer=commission(world).signer)
    world.city.grant(body, by=commission(world), delegation=own)


def _delegation_of_another(world: World, body: Body) -> None:
    academy = world.city.body("academy", "authority")
    world.city.grant(body, by=commission(world), delegation=world.city.delegate(academy))


def _redelegated(world: World, body: Body) -> None:
    district = world.city.body("district", "authority")
    _, claims = unseal(world.city.delegate(district, iss=commission(world).entity_id))
    claims["delegation"] = world.city.delegate(commission(world))
    boss = commission(world).signer
    header = {"alg": "ES256", "typ": TYP_DELEGATION, "kid": boss.public.kid}
    world.city.grant(body, by=district, delegation=jws(header, claims, boss))


def _grant_as_delegation(world: World, body: Body) -> None:
    text = world.city.grant(world.city.bodies["station"], by=commission(world))
    world.city.grant(body, by=commission(world), delegation=text)


def _delegation_as_grant(world: World, body: Body) -> None:
    body.grants.append(world.city.delegate(body))


def _recognition_as_grant(world: World, body: Body) -> None:
    body.grants.append(world.city.recognise(world.hk, sub=body.entity_id))


def _status_right_as_grant(world: World, body: Body) -> None:
    provider = Body("street", body.entity_id, "status", body.signer)
    body.grants.append(world.city._status_grant(provider, [world.city.status_prefix]))


def _forged_by_the_list_office(world: World, body: Body) -> None:
    world.city.grant(body, signer=world.city.list_key)


def _copied_from_another_station(world: World, body: Body) -> None:
    body.grants += world.city.bodies["station"].grants


def _by_a_body_nobody_lists(world: World, body: Body) -> None:
    stranger = Body("ghost", "https://ghost.city.example", "authority", key("ghost"))
    world.city.grant(body, by=stranger)


def _by_a_swapped_key(world: World, body: Body) -> None:
    honest = world.city.delegate(commission(world))
    mallory = key("list office's own")
    boss = commission(world)
    boss.keys[:] = [world.city.listed(mallory)]
    boss.chain = world.city.chain_for(boss.entity_id, mallory)
    world.city.grant(body, by=commission(world), signer=mallory, delegation=honest)


def _by_a_stolen_key(world: World, body: Body) -> None:
    world.city.grant(body, by=commission(world))
    world.city.key_event(commission(world), "compromised", world.start - HOUR)


def _critical_header(world: World, body: Body) -> None:
    header, claims = unseal(world.city.grant(body, by=commission(world)))
    signed = jws({**header, "crit": ["exp"]}, claims, commission(world).signer)
    body.grants[:] = [signed]


def _critical_claim(world: World, body: Body) -> None:
    header, claims = unseal(world.city.grant(body, by=commission(world)))
    body.grants[:] = [
        jws(header, {**claims, "crit": ["only_on_sundays"]}, commission(world).signer)
    ]


def _nothing(world: World, body: Body) -> None:
    del world, body


def unseal_type(type_id: str) -> str:
    from schemas.types import vct_of

    return vct_of(type_id)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (_wider_place, "DELEGATION_WIDENED"),
        (_longer_term, "DELEGATION_WIDENED"),
        (_more_types, "DELEGATION_WIDENED"),
        (_any_profession, "DELEGATION_WIDENED"),
        (_longer_certificates, "DELEGATION_WIDENED"),
        (_no_delegation, "DELEGATION_MISSING"),
        (_own_delegation, "STATEMENT_SIGNATURE"),
        (_delegation_of_another, "DELEGATION_INVALID"),
        (_redelegated, "DELEGATION_TOO_DEEP"),
        (_grant_as_delegation, "STATEMENT_TYPE"),
        (_delegation_as_grant, "STATEMENT_TYPE"),
        (_recognition_as_grant, "STATEMENT_TYPE"),
        (_status_right_as_grant, "STATEMENT_TYPE"),
        (_forged_by_the_list_office, "STATEMENT_SIGNATURE"),
        (_copied_from_another_station, "GRANT_SUBJECT"),
        (_by_a_body_nobody_lists, "AUTHORITY_UNKNOWN"),
        (_by_a_swapped_key, "AUTHORITY_KEY_UNBOUND"),
        (_by_a_stolen_key, "AUTHORITY_KEY_COMPROMISED"),
        (_critical_header, "CRIT_UNKNOWN"),
        (_critical_claim, "CRIT_UNKNOWN"),
        (_nothing, "NO_GRANT"),
    ],
)
def test_a_right_cannot_be_stretched_copied_or_forged(world: World, act: Act, code: str) -> None:
    # A station with an honest grant, and its neighbour whose right is not what it seems.
    honest = world.city.issue(by="bureau")
    street(world, act)

    verdict = world.check(world.city.issue(by="street"))

    # The seal is genuine, the right is not; and the honest certificate is what it was.
    assert said(verdict) == ("refuse", [code])
    assert (verdict.questions["authentic"], verdict.questions["authorised"]) == ("pass", "fail")
    assert said(world.check(honest)) == ("accept", [])


def test_a_broken_grant_beside_a_good_one_takes_nothing_away(world: World) -> None:
    body = street(world, _forged_by_the_list_office)
    world.city.grant(body, by=commission(world))
    assert said(world.check(world.city.issue(by="street"))) == ("accept", [])


def test_a_grant_presented_as_a_certificate_is_another_kind_of_token(world: World) -> None:
    grant = world.city.bodies["bureau"].grants[0]
    delegation = world.city.delegate(commission(world))
    for text in (grant, delegation, world.city.recognise(world.hk)):
        verdict = world.check(f"{text}~")
        assert said(verdict) == ("refuse", ["TYPE_CONFUSION"])
        assert verdict.credential is None


def test_a_certificate_presented_as_a_grant_gives_no_right(world: World) -> None:
    honest = world.city.issue(by="bureau")
    body = world.city.body("street")
    body.grants.append(honest.text.split("~", 1)[0])
    verdict = world.check(world.city.issue(by="street"))
    assert verdict.outcome == "refuse"
    assert result_of(verdict, "authority")[0][0] == "fail"


def test_a_key_that_the_list_office_adds_to_a_station_may_seal_nothing(world: World) -> None:
    bureau = world.city.bodies["bureau"]
    mallory = key("list office's own")
    bureau.keys.append(world.city.listed(mallory))
    chain = world.city.chain_for(bureau.entity_id, mallory)
    from talentseal import x509

    forged = world.city.issue(signer=mallory, x5c=x509.chain_text(chain))

    for shown in (forged, forged.code):
        assert said(world.check(shown)) == ("refuse", ["KEY_NOT_IN_GRANT"])
    assert said(world.check(world.city.issue())) == ("accept", [])


# --- withdrawals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "code"])
def test_a_withdrawn_grant_seals_nothing_more(world: World, form: str) -> None:
    grant = world.city.bodies["bureau"].grants[0]
    older = world.city.issue()
    world.turn(2 * HOUR)
    world.city.withdraw(grant, "from", world.now)
    newer = world.city.issue()

    old, new = world.check(getattr(older, form)), world.check(getattr(newer, form))

    assert said(old) == ("accept", [])
    assert "GRANT_ENDED_SINCE" in old.remarks
    assert said(new) == ("refuse", ["GRANT_WITHDRAWN"])


@pytest.mark.parametrize(
    ("effect", "sealed_before", "outcome", "code"),
    [
        ("void", True, "refuse", "GRANT_VOID"),
        ("void", False, "refuse", "GRANT_VOID"),
        ("suspend", False, "refuse", "GRANT_SUSPENDED"),
        ("review", True, "refer", "GRANT_UNDER_REVIEW"),
        ("review", False, "refuse", "GRANT_WITHDRAWN"),
        ("anchored", True, "refuse", "NOT_ANCHORED"),
        ("anchored", False, "refuse", "GRANT_WITHDRAWN"),
    ],
)
def test_a_grant_ends_by_the_effect_that_was_stated(
    world: World,
    effect: str,
    sealed_before: bool,  # noqa: FBT001 - a column of the table
    outcome: str,
    code: str,
) -> None:
    world.turn(HOUR)
    grant = world.city.bodies["bureau"].grants[0]
    world.city.withdraw(grant, effect, world.now)
    sealed = world.city.issue(at=world.now - HOUR if sealed_before else world.now)
    assert said(world.check(sealed)) == (outcome, [code])


@pytest.mark.parametrize(
    ("effect", "code"),
    [
        ("from", "DELEGATION_WITHDRAWN"),
        ("void", "DELEGATION_VOID"),
        ("suspend", "DELEGATION_SUSPENDED"),
    ],
)
def test_a_grant_cannot_outlive_its_delegation(world: World, effect: str, code: str) -> None:
    station = world.city.bodies["station"]
    delegation = unseal(station.grants[0])[1]["delegation"]
    assert said(world.check(world.city.issue(by="station"))) == ("accept", [])

    world.city.withdraw(delegation, effect, world.start)

    assert said(world.check(world.city.issue(by="station"))) == ("refuse", [code])
    assert said(world.check(world.city.issue(by="bureau"))) == ("accept", [])


def test_a_grant_is_nothing_before_its_delegation_begins(world: World) -> None:
    late = world.city.delegate(commission(world), nbf=world.start - DAY)
    street(
        world, lambda w, b: w.city.grant(b, by=commission(w), delegation=late, nbf=w.start - DAY)
    )
    assert said(world.check(world.city.issue(by="street")))[0] == "accept"
    early = world.city.issue(by="street", at=world.start - 2 * DAY)
    assert said(world.check(early)) == ("refuse", ["DELEGATION_NOT_IN_FORCE"])


def test_a_station_withdrawn_at_half_past_cannot_use_the_rest_of_the_hour(world: World) -> None:
    # Ordered at 10:30, so `at` is 10:00; a permit sealed at 10:45 says 10:00 as well.
    world.turn(HOUR + 30 * 60)
    grant = world.city.bodies["bureau"].grants[0]
    world.city.withdraw(grant, "from", statements.floor_hour(world.now))
    world.turn(15 * 60)
    permit = world.city.issue("permit-01")
    assert said(world.check(permit)) == ("refuse", ["GRANT_WITHDRAWN"])


def test_a_withdrawal_by_somebody_without_a_say_ends_nothing(world: World) -> None:
    grant = world.city.bodies["bureau"].grants[0]
    world.city.withdraw(grant, "void", world.start, signer=world.city.list_key)
    assert said(world.check(world.city.issue())) == ("accept", [])


# --- territory ------------------------------------------------------------------------------------


def test_a_foreign_certificate_cannot_claim_mainland_territory(world: World) -> None:
    assert said(world.check(world.hk.issue("qual-01"))) == ("accept", [])

    verdict = world.check(world.hk.issue("qual-01", territory=["CN/9999"]))

    assert verdict.outcome == "refuse"
    assert "GRANT_SCOPE_TERRITORY" in verdict.codes
    assert result_of(verdict, "recognition") == [("fail", "RECOGNITION_SCOPE")]


def test_a_foreign_root_cannot_delegate_mainland_territory(world: World) -> None:
    body = world.hk.body("overreach")
    wide: dict[str, Any] = {"territory": ["CN/9999"]}
    world.hk.grant(body, delegation=world.hk.delegate("root", **wide), **wide)

    verdict = world.check(world.hk.issue("qual-01", by="overreach", **wide))

    assert verdict.outcome == "refuse"
    assert verdict.codes[0] == "DELEGATION_WIDENED"


def test_a_province_reaches_its_cities_and_not_its_neighbour() -> None:
    world = World()
    province = world.jurisdiction("CN/44", namespace="province.example", name="Example Province")
    commission = province.body("commission", "authority")
    city, neighbour = province.body("bureau"), province.body("neighbour")
    delegation = province.delegate(commission)
    assert unseal(delegation)[1]["territory"] == ["CN/44"]
    province.grant(city, by=commission, delegation=delegation, territory=["CN/4403"])
    province.grant(neighbour, by=commission, delegation=delegation, territory=["CN/45"])

    district = province.issue(territory=["CN/440305"])
    beyond = province.issue(by="neighbour", territory=["CN/45"])

    assert said(world.check(district, home="CN/44")) == ("accept", [])
    assert said(world.check(beyond, home="CN/44")) == ("refuse", ["DELEGATION_WIDENED"])


# --- approval -------------------------------------------------------------------------------------


def test_a_permit_cannot_do_without_the_approval_it_needs(world: World) -> None:
    boss = commission(world)
    body = world.city.body("street")
    approved_by = {"approval_by": boss.entity_id, "approval_jkt": [key("approval").public.kid]}
    world.city.grant(body, by=boss, types=[PERMIT], **approved_by)

    permit = world.city.issue("permit-01", by="street")

    # In the wallet and on paper alike.
    for shown in (permit, permit.code):
        assert said(world.check(shown)) == ("refuse", ["APPROVAL_MISSING"])


def test_a_delegation_that_asks_for_approval_binds_every_grant_below_it(world: World) -> None:
    strict = world.city.delegate(commission(world), approval_required=True)
    street(world, lambda w, b: w.city.grant(b, by=commission(w), delegation=strict))
    permit = world.city.issue("permit-01", by="street")
    assert said(world.check(permit)) == ("refuse", ["APPROVAL_MISSING"])


def test_a_countersignature_that_nobody_asked_for_is_a_second_spelling(world: World) -> None:
    from forging import reseal_code

    from talentseal.cose import HEADER_COUNTERSIGNATURE

    honest = world.city.issue()
    assert said(world.check(honest.code)) == ("accept", [])
    decorated = reseal_code(honest, unprotected={HEADER_COUNTERSIGNATURE: b"anything"})
    assert said(world.check(decorated)) == ("refuse", ["APPROVAL_INVALID"])
