import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.data import code_lists
from schemas.territory import (
    MAX_PROFESSION_CHARACTERS,
    Territory,
    contains,
    is_profession,
    is_profession_path,
    parse_territory,
    profession_contains,
)

JUNK = st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=2)
PAIR = st.integers(1, 99).map("{:02d}".format)
STREET = st.integers(1, 999).map("{:03d}".format)
DIGITS = st.builds(
    lambda pairs, street: "".join(pairs) + (street if len(pairs) == 3 else ""),
    st.lists(PAIR, min_size=1, max_size=3),
    st.just("") | STREET,
)
ZONE = st.from_regex(r"[a-z0-9-]{2,32}", fullmatch=True)
TERRITORIES = st.builds(
    Territory, st.sampled_from(["CN", "HK", "MO"]), st.just("") | DIGITS, st.just("") | ZONE
)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("CN/4403", "CN/44"),
        ("CN/440305003", "CN/4403"),
        ("CN/4403/x-qianhai", "CN/4403"),
        ("CN/4403", "CN"),
        ("CN/x-greater-bay", "CN"),
        ("CN/4403/x-qianhai", "CN/4403/x-qianhai"),
        ("HK", "HK"),
        ("CN/441900003", "CN/4419"),
    ],
)
def test_one_place_lies_in_another_by_the_notation_alone(inner: str, outer: str) -> None:
    assert contains(outer, inner)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("CN/4403/x-qianhai", "CN/440305"),
        ("CN/4403", "CN/440305"),
        ("HK", "CN"),
        ("CN/4503", "CN/44"),
        ("CN/4", "CN/4"),
        ("CN/x-greater-bay", "CN/44"),
        ("CN/4403/x-qianhai", "CN/4403/x-hengqin"),
        ("CN/440305", "CN/4403/x-qianhai"),
        ("CN", "CN/44"),
        ("HK/44", "CN/44"),
    ],
)
def test_what_the_notation_does_not_say_is_not_so(inner: str, outer: str) -> None:
    assert not contains(outer, inner)


@pytest.mark.parametrize(
    "text",
    [
        *("", "C", "cn", "CHN", "CN/", "CN/4", "CN/440", "CN/44030", "CN/4403051", "CN/44030500"),
        *("CN/4403050031", "CN-4403", "CN/4403/", "CN/x-", "CN/x-a", "CN/x-Q1", "CN/4403/qianhai"),
        *("CN/x-qianhai/4403", "CN/4403/x-a/x-b", " CN", "CN\n", "CN/44\n", "440305", "CN/４４"),
        "CN/x-" + "a" * 33,
    ],
)
def test_any_other_spelling_is_no_place(text: str) -> None:
    assert parse_territory(text) is None


@pytest.mark.parametrize("text", ["CN/440000", "CN/4400", "CN/440300", "CN/00", "CN/440305000"])
def test_trailing_zero_pairs_are_a_second_spelling_and_refused(text: str) -> None:
    assert parse_territory(text) is None


@given(TERRITORIES)
def test_a_place_is_written_as_it_was_read(place: Territory) -> None:
    assert parse_territory(str(place)) == place


@given(TERRITORIES, TERRITORIES, TERRITORIES)
def test_containment_is_an_order(a: Territory, b: Territory, c: Territory) -> None:
    assert contains(str(a), str(a))
    if contains(str(a), str(b)) and contains(str(b), str(a)):
        assert a == b
    if contains(str(a), str(b)) and contains(str(b), str(c)):
        assert contains(str(a), str(c))


@given(JUNK, JUNK)
def test_hostile_values_lie_nowhere(outer: object, inner: object) -> None:
    if parse_territory(outer) is None or parse_territory(inner) is None:
        assert not contains(outer, inner)


@pytest.mark.parametrize(
    "text", ["engineer", "engineer/civil", "it/ai_2", "series/01", "series/27"]
)
def test_a_grant_may_name_a_profession_or_a_series(text: str) -> None:
    assert is_profession(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "wizard", "Engineer/Civil", "engineer/", "/engineer", "engineer//civil", "series"),
        *("series/0", "series/00", "series/28", "series/05/x", "engineer civil", "engineer\n"),
        *("engineer/" + "a" * MAX_PROFESSION_CHARACTERS, 5, None, ["engineer"]),
    ],
)
def test_what_the_vocabulary_does_not_know_is_no_profession(text: object) -> None:
    assert not is_profession(text)


def test_a_person_has_a_profession_and_never_a_series() -> None:
    assert is_profession_path("engineer/civil")
    assert not is_profession_path("series/05")
    assert all(is_profession_path(code) for code in code_lists()["profession"])


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("engineer", "engineer"),
        ("engineer", "engineer/civil"),
        ("series/05", "series/05"),
    ],
)
def test_a_profession_contains_its_continuations_by_whole_segments(outer: str, inner: str) -> None:
    assert profession_contains(outer, inner)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("engineer/civil", "engineer"),
        ("engineer", "engineering"),
        ("series/05", "series/06"),
    ],
)
def test_a_profession_contains_neither_what_is_wider_nor_what_only_begins_alike(
    outer: str, inner: str
) -> None:
    assert not profession_contains(outer, inner)
