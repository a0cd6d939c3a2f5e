"""Stories about recognition: one way, one step, for what the statement says, while it holds."""

from typing import Any

import pytest
from forging import jws, result_of, said, unseal
from simulator import DAY, HOUR, Office, World

from talentseal import statements
from talentseal.policy import Policy, shipped


def recognise(world: World, **changes: Any) -> str:
    """The city recognises Hong Kong by this one statement."""
    world.city.recognitions.clear()
    return world.city.recognise(world.hk, **changes)


def withdraw(office: Office, statement: str, effect: str, at: int) -> None:
    found = statements.read_unverified(statement)
    text = statements.seal_withdrawal(
        signer=office.statement_key, iss=office.entity_id, jti=office.jti("w"), iat=at,
        statement=found.jti, statement_s256=statements.digest(statement), effect=effect, at=at,
        reason="fictional",
    )  # fmt: skip
    office.recognition_withdrawals.append(("HK", text))


@pytest.mark.parametrize(
    "changes",
    [
        {"profession": ["engineer"]},
        {"issued_in": ["MO"]},
        {"valid_in": ["CN/9999/x-zone"]},
        {"purpose": ["study"]},
        {"vct": ["https://types.talentseal.example/professional-title/1"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_recognition_cannot_reach_beyond_its_words(world: World, changes: dict[str, Any]) -> None:
    architect = world.hk.issue("qual-01")
    assert said(world.check(architect)) == ("accept", [])

    recognise(world, **changes)

    verdict = world.check(architect)
    assert said(verdict) == ("refuse", ["RECOGNITION_SCOPE"])
    assert verdict.questions == {"authentic": "pass", "authorised": "pass", "recognised": "fail"}


def test_a_limited_recognition_asks_what_the_check_is_for(world: World) -> None:
    verdict = world.check(world.hk.issue("qual-01"), policy=Policy(home="CN/9999"))
    assert said(verdict) == ("refer", ["PURPOSE_UNDECLARED"])


def test_a_recognition_that_has_ended_covers_nothing_new(world: World) -> None:
    before = world.hk.issue("qual-01")
    recognise(world, exp=world.start + DAY)
    world.turn(3 * DAY)
    after = world.hk.issue("qual-01")

    grandfathered = world.check(before)
    assert said(grandfathered) == ("accept", [])
    assert "RECOGNITION_GRANDFATHERED" in grandfathered.remarks
    assert said(world.check(after)) == ("refuse", ["RECOGNITION_NOT_IN_FORCE"])


@pytest.mark.parametrize(
    ("on_end", "outcome", "codes"),
    [
        ("grandfather", "accept", []),
        ("review", "refer", ["RECOGNITION_UNDER_REVIEW"]),
        ("void", "refuse", ["RECOGNITION_NOT_IN_FORCE"]),
    ],
)
def test_earlier_cases_follow_the_way_a_recognition_ended(
    world: World, on_end: str, outcome: str, codes: list[str]
) -> None:
    architect = world.hk.issue("qual-01")
    recognise(world, exp=world.start + DAY, on_end=on_end)
    world.turn(3 * DAY)
    assert said(world.check(architect)) == (outcome, codes)


@pytest.mark.parametrize(
    ("effect", "outcome", "codes"),
    [
        ("from", "accept", []),
        ("review", "refer", ["RECOGNITION_UNDER_REVIEW"]),
        ("suspend", "refer", ["RECOGNITION_UNDER_REVIEW"]),
        ("void", "refuse", ["RECOGNITION_NOT_IN_FORCE"]),
    ],
)
def test_a_withdrawn_recognition_covers_nothing_new(
    world: World, effect: str, outcome: str, codes: list[str]
) -> None:
    statement = recognise(world)
    architect = world.hk.issue("qual-01")
    world.turn(2 * HOUR)
    withdraw(world.city, statement, effect, world.now)
    assert said(world.check(architect)) == (outcome, codes)
    later = world.hk.issue("qual-01", at=world.now)
    assert said(world.check(later)) == ("refuse", ["RECOGNITION_NOT_IN_FORCE"])


def test_a_recognition_for_recent_certificates_refuses_older_ones(world: World) -> None:
    recognise(world, max_age=10 * DAY)
    recent = world.hk.issue("qual-01", at=world.now - 5 * DAY)
    old = world.hk.issue("qual-01", at=world.now - 20 * DAY)
    assert said(world.check(recent)) == ("accept", [])
    assert said(world.check(old)) == ("refuse", ["RECOGNITION_TOO_OLD"])


def test_a_recognition_that_names_a_catalogue_is_not_complete_without_it(world: World) -> None:
    recognise(world, catalogue=("example-catalogue", ("A",)))
    verdict = world.check(world.hk.issue("qual-01"))
    assert said(verdict) == ("refer", ["CATALOGUE_EDITION_UNKNOWN"])


def test_a_recognition_that_has_not_begun_covers_nothing(world: World) -> None:
    recognise(world, nbf=world.start + DAY)
    verdict = world.check(world.hk.issue("qual-01"))
    assert said(verdict) == ("refuse", ["RECOGNITION_NOT_IN_FORCE"])


def test_recognition_does_not_run_backwards(world: World) -> None:
    world.mo.recognise(world.hk)  # Macao recognises Hong Kong, and the city not at all
    verdict = world.check(world.city.issue(), home="MO")
    assert said(verdict) == ("refuse", ["NOT_RECOGNISED"])
    assert verdict.questions == {"authentic": "pass", "authorised": "pass", "recognised": "fail"}


def test_recognition_does_not_pass_from_one_to_the_next(world: World) -> None:
    # The city recognises Hong Kong, Hong Kong recognises Macao: the city says nothing of Macao.
    macao = world.mo.issue("qual-01", territory=["MO"])
    assert said(world.check(macao, home="HK")) == ("accept", [])
    assert said(world.check(macao)) == ("refuse", ["NOT_RECOGNISED"])
    desk = Policy(name="desk", home="CN/9999", outcomes=shipped("desk").outcomes)
    assert said(world.check(macao, policy=desk)) == ("refer", ["NOT_RECOGNISED"])


def test_the_recognised_cannot_write_its_own_recognition(world: World) -> None:
    world.city.recognitions.clear()
    own = world.hk.recognise(world.hk, iss=world.city.entity_id, valid_in=["CN/9999"])
    world.city.recognitions.append(("HK", own))
    verdict = world.check(world.hk.issue("qual-01"))
    assert said(verdict) == ("refuse", ["STATEMENT_SIGNATURE"])


def test_a_grant_is_no_recognition(world: World) -> None:
    world.city.recognitions.clear()
    grant = world.city.bodies["bureau"].grants[0]
    world.city.recognitions.append(("HK", grant))
    verdict = world.check(world.hk.issue("qual-01"))
    assert result_of(verdict, "recognition") == [("fail", "STATEMENT_TYPE")]
    assert verdict.outcome == "refuse"


def test_a_recognition_with_a_critical_member_nobody_knows_gives_nothing(world: World) -> None:
    header, claims = unseal(recognise(world))
    world.city.recognitions.clear()
    text = jws(header, {**claims, "crit": ["unless_raining"]}, world.city.statement_key)
    world.city.recognitions.append(("HK", text))
    verdict = world.check(world.hk.issue("qual-01"))
    assert verdict.outcome == "refuse"
    assert result_of(verdict, "recognition")[0][0] == "fail"


def test_a_recognition_cannot_be_valid_outside_its_own_territory(world: World) -> None:
    recognise(world, valid_in=["MO"])
    verdict = world.check(world.hk.issue("qual-01"), policy=Policy(home="CN/9999", place="MO"))
    assert verdict.outcome == "refuse"
    assert result_of(verdict, "recognition")[0][0] == "fail"


def test_a_recognition_signed_when_no_longer_root_is_none(world: World) -> None:
    world.city.recognitions.clear()
    world.city.recognise(world.hk, signer=world.city.list_key)
    verdict = world.check(world.hk.issue("qual-01"))
    assert said(verdict) == ("refuse", ["STATEMENT_SIGNATURE"])


def test_an_unasked_question_stays_unanswered(world: World) -> None:
    world.city.recognitions.clear()
    policy = Policy(home="CN/9999", recognition=False)
    verdict = world.check(world.hk.issue("qual-01"), policy=policy)
    assert said(verdict) == ("accept", [])
    assert verdict.questions["recognised"] == "not_applicable"
    assert result_of(verdict, "recognition") == [("not_applicable", "NOT_ASKED")]
