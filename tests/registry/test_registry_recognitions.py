from typing import Any

import pytest
from registry_desk import HK, SZ, Desk

from talentseal.errors import Exit
from talentseal.statements import read_unverified

TITLES = ("--home", HK, "--of", SZ, "--type", "professional-title/1")


def recognise(desk: Desk, *more: str) -> Any:
    return desk.ask("recognition", "new", *TITLES, "--purpose", "employment", *more)


def published(desk: Desk, code: str) -> dict[str, str]:
    files = desk.read(code)
    return {path: text.decode() for path, text in files.items() if path.startswith("recognised/")}


def test_a_recognition_is_published_by_whoever_recognises(desk: Desk) -> None:
    told = recognise(desk, "--profession", "series/05", "--on-end", "review")
    desk.ask("publish")
    ((path, text),) = published(desk, HK).items()
    assert path == f"recognised/CN-4403/{told['jti']}.jwt"
    claimed = read_unverified(text)
    assert (claimed.iss, claimed.sub) == ("https://trust.hk.example", "https://trust.sz.example")
    assert published(desk, SZ) == {}  # and nothing is implied the other way
    assert (told["issued_in"], told["valid_in"]) == ([SZ], [HK])
    assert (told["purpose"], told["on_end"]) == (["employment"], "review")


def test_what_ends_a_recognition_lies_beside_it(desk: Desk) -> None:
    jti = recognise(desk)["jti"]
    argv = ("recognition", "withdraw", jti, "--effect", "from", "--reason", "not renewed")
    ending = desk.ask(*argv)["jti"]
    desk.ask("publish")
    assert published(desk, HK).keys() == {
        f"recognised/CN-4403/{jti}.jwt",
        f"recognised/CN-4403/{ending}.jwt",
    }
    (told,) = desk.ask("recognition", "list")
    assert (told["jti"], told["state"]) == (jti, "withdrawn")


@pytest.mark.parametrize(
    "argv",
    [
        ("--home", HK, "--of", HK, "--purpose", "employment"),
        ("--home", HK, "--of", SZ, "--purpose", "anything"),
        ("--home", HK, "--of", SZ, "--purpose", "employment", "--valid-in", SZ),
        ("--home", HK, "--of", SZ, "--purpose", "employment", "--issued-in", HK),
        ("--home", HK, "--of", SZ, "--purpose", "employment", "--on-end", "forget"),
        ("--home", HK, "--of", SZ, "--purpose", "employment", "--days", "366"),
        ("--home", HK, "--of", "MO", "--purpose", "employment"),
        ("--home", "MO", "--of", HK, "--purpose", "employment"),
    ],
)
def test_an_impossible_recognition_is_wrong_usage(desk: Desk, argv: tuple[str, ...]) -> None:
    found = desk.refused("recognition", "new", *argv, "--type", "professional-title/1")
    assert found[0] == Exit.USAGE
    assert desk.ask("recognition", "list") == []


def test_a_grant_is_not_ended_as_a_recognition(desk: Desk) -> None:
    jti = recognise(desk)["jti"]
    argv = (jti, "--effect", "from", "--reason", "x")
    assert desk.refused("grant", "withdraw", *argv) == (Exit.USAGE, "NOT_FOUND")
