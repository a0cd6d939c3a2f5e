"""Places inside places."""

import pytest

from talentseal.territory import (
    contains,
    is_profession,
    is_territory,
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


@pytest.mark.parametrize("text", ["", "cn", "CN-4403", "../HK", "CN/4", "CN/4403/", "HK\n"])
def test_another_spelling_of_a_place_is_none(text: str) -> None:
    assert not is_territory(text)
