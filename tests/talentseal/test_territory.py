"""Places inside places, and their names in files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talentseal.errors import InputError
from talentseal.territory import (
    contains,
    is_profession,
    is_territory,
    jurisdiction_file_name,
    jurisdiction_of_file_name,
    profession_contains,
)


@pytest.mark.parametrize(
    ("inner", "outer", "inside"),
    [
        ("CN/4403", "CN/44", True),
        ("CN/440305003", "CN/4403", True),
        ("CN/4403/x-qianhai", "CN/4403", True),
        ("CN/4403/x-qianhai", "CN/440305", False),
        ("CN/4403", "CN/440305", False),
        ("HK", "CN", False),
        ("CN/4503", "CN/44", False),
        ("CN/4", "CN", False),
    ],
)
def test_the_table_of_containment_holds(inner: str, outer: str, inside: bool) -> None:  # noqa: FBT001
    assert contains(outer, inner) is inside


def test_professions_are_contained_by_whole_segments() -> None:
    assert is_profession("engineer/civil")
    assert not is_profession("wizard")
    assert profession_contains("engineer", "engineer/civil")
    assert not profession_contains("engineer/civil", "engineer")
    assert not profession_contains("tour", "tour_guide")


@pytest.mark.parametrize(
    ("territory", "name"),
    [
        ("HK", "HK"),
        ("CN/4403", "CN-4403"),
        ("CN/4403/x-qian-hai", "CN-4403-x-qian-hai"),
        ("CN/x-x-a", "CN-x-x-a"),
    ],
)
def test_a_jurisdiction_has_one_file_name_and_comes_back_from_it(territory: str, name: str) -> None:
    assert jurisdiction_file_name(territory) == name
    assert jurisdiction_of_file_name(name) == territory


@pytest.mark.parametrize("text", ["", "cn", "CN-4403", "../HK", "CN/4", "CN/4403/", "HK\n"])
def test_what_is_no_territory_has_no_file_name(text: str) -> None:
    assert not is_territory(text)
    with pytest.raises(InputError) as refused:
        jurisdiction_file_name(text)
    assert refused.value.code == "CLAIM_INVALID"


@given(st.text(alphabet="CNHK-/x0123456789abc.", max_size=24))
def test_a_file_name_is_refused_or_stands_for_exactly_one_place(name: str) -> None:
    try:
        territory = jurisdiction_of_file_name(name)
    except InputError:
        return
    assert is_territory(territory)
    assert jurisdiction_file_name(territory) == name


@pytest.mark.parametrize("name", ["CN/4403", "CN-4403/x-qianhai", "CN_4403", "HK-", "CN-4403-"])
def test_another_spelling_of_a_file_name_is_refused(name: str) -> None:
    with pytest.raises(InputError) as refused:
        jurisdiction_of_file_name(name)
    assert refused.value.code == "CLAIM_INVALID"
