import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import ric
from stdnum.cn import uscc as stdnum_uscc
from stdnum.iso7064 import mod_37_36

from schemas.data import load_data
from schemas.identifiers import (
    MAX_IDENTIFIER_CHARACTERS,
    check_identifier,
    identifier_kinds,
    normalise,
)

RECORDS = load_data("identifiers.json")["identifiers"]
REFUSED = json.loads(
    (Path(__file__).parents[1] / "data" / "negative_identifiers.json").read_text("utf-8")
)
VALID = [(record["id"], value) for record in RECORDS for value in record["valid"]]
CHECKED = [(kind, value) for kind, value in VALID if check_identifier(kind, value).verified]
UPPER = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
BIRTHDAYS = st.dates().filter(lambda day: 1900 <= day.year < 2100).map("{:%Y%m%d}".format)
ORDERS = st.integers(0, 999).map("{:03d}".format)


def fitting(kind: str, before: str, alphabet: str, after: str = "") -> list[str]:
    """Every completion of a number by one check character that is accepted."""
    candidates = [before + character + after for character in alphabet]
    return [value for value in candidates if check_identifier(kind, value).ok]


@pytest.mark.parametrize(("kind", "value"), VALID)
def test_published_examples_are_accepted_in_their_own_spelling(kind: str, value: str) -> None:
    result = check_identifier(kind, value)
    assert result.ok
    assert result.normalised == value


@pytest.mark.parametrize("case", REFUSED["identifiers"], ids=lambda case: case["value"])
def test_a_broken_number_names_the_stage_that_refuses_it(case: dict[str, str]) -> None:
    result = check_identifier(case["id"], case["value"])
    assert (result.ok, result.stage, result.verified) == (False, case["fails"], False)


@pytest.mark.parametrize("case", REFUSED["normalisation"], ids=lambda case: case["value"])
def test_a_typed_number_is_stored_in_one_spelling(case: dict[str, str]) -> None:
    assert normalise(case["id"], case["value"]) == case["normalises_to"]
    assert check_identifier(case["id"], case["value"]).ok


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["id"])
def test_a_number_is_called_verified_exactly_where_a_check_rule_exists(record: Any) -> None:
    results = [check_identifier(record["id"], value) for value in record["valid"]]
    has_rule = record["check"]["algorithm"] is not None
    assert {(r.verified, r.stage == "check") for r in results} == {(has_rule, has_rule)}


def test_a_macao_number_is_never_called_verified() -> None:
    result = check_identifier("mo_bir", "1000000(0)")
    assert (result.ok, result.stage, result.verified) == (True, "pattern", False)


def test_the_old_permanent_resident_card_has_no_check_digit() -> None:
    result = check_identifier("foreign_pr_card", "UTO310019880101")
    assert (result.ok, result.stage, result.verified) == (True, "pattern", False)


def test_brackets_of_a_chinese_keyboard_are_the_same_brackets() -> None:
    assert normalise("hkid", " a123456（3） ") == "A123456(3)"
    assert normalise("passport", "l898 902c3") == "L898902C3"


@pytest.mark.parametrize("text", ["ſ123456(3)", "ß123456(3)", "A12345６(3)", "A123456(3)\n\x00"])
def test_letters_that_only_look_alike_are_refused(text: str) -> None:
    assert not check_identifier("hkid", text).ok


def test_an_unknown_kind_is_the_caller_s_mistake() -> None:
    assert "hkid" in identifier_kinds()
    with pytest.raises(KeyError):
        check_identifier("library_card", "1")


@given(st.sampled_from(sorted(identifier_kinds())), st.text())
def test_no_text_makes_a_check_fail_otherwise_than_by_refusing(kind: str, text: str) -> None:
    result = check_identifier(kind, text)
    assert result.ok or not result.verified
    assert check_identifier(kind, result.normalised).ok is result.ok


def test_a_huge_value_is_refused_before_it_is_touched() -> None:
    value = "9" * (MAX_IDENTIFIER_CHARACTERS + 1)
    assert not check_identifier("mrz_check_digit", value).ok
    assert check_identifier("mrz_check_digit", value).normalised is value


@given(st.sampled_from(CHECKED), st.data())
def test_changing_one_digit_of_a_checked_number_is_refused(
    vector: tuple[str, str], data: st.DataObject
) -> None:
    kind, value = vector
    places = [i for i, character in enumerate(value) if character.isdigit()]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from("0123456789"))
    assume(digit != value[place])
    assert not check_identifier(kind, value[:place] + digit + value[place + 1 :]).ok


@given(st.from_regex(r"[1-9][0-9]{5}", fullmatch=True), BIRTHDAYS, ORDERS)
def test_exactly_one_check_character_fits_a_resident_number(
    region: str, birthday: str, order: str
) -> None:
    body = region + birthday + order
    (number,) = fitting("resident_id", body, "0123456789X")
    assert ric.calc_check_digit(number) == number[-1]


@given(st.from_regex(r"[0-9]{8}[0-9A-HJ-NPQRTUWXY]{9}", fullmatch=True))
def test_exactly_one_check_character_fits_a_credit_code(body: str) -> None:
    (code,) = fitting("uscc", body, USCC)
    assert stdnum_uscc.is_valid(code)


@given(st.from_regex(r"[0-9A-Z]{21}", fullmatch=True), st.text(UPPER, min_size=1, max_size=40))
def test_exactly_one_check_character_fits_a_licence_identifier(kind: str, serial: str) -> None:
    parts = (kind, "999999", serial, "001")
    (number,) = fitting("licence_id", "1.2.156.3005.2." + ".".join(parts) + ".", UPPER)
    assert mod_37_36.is_valid("".join(parts) + number[-1])


@given(st.from_regex(r"[A-Z]{1,2}[0-9]{6}", fullmatch=True))
def test_exactly_one_check_character_fits_a_hong_kong_number(body: str) -> None:
    assert len(fitting("hkid", f"{body}(", "0123456789A", ")")) == 1


@given(st.sampled_from(["810000", "820000", "830000"]), BIRTHDAYS, ORDERS)
def test_exactly_one_check_character_fits_a_residence_permit(
    region: str, birthday: str, order: str
) -> None:
    assert len(fitting("hkmo_residence_permit", region + birthday + order, "0123456789X")) == 1


@given(st.text(UPPER + "<", min_size=1, max_size=20))
def test_exactly_one_check_digit_fits_a_machine_readable_field(field: str) -> None:
    assert len(fitting("mrz_check_digit", field, "0123456789")) == 1
