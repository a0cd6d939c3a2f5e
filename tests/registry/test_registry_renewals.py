from typing import Any

from registry_desk import STATION, SZ, Desk

from talentseal.errors import Exit


def rights(desk: Desk) -> list[Any]:
    found = desk.ask("grant", "list", "--jurisdiction", SZ)
    return [one for one in found if one["kind"] == "grant" and one["to"] == STATION]


def test_renewing_twice_does_not_double_rights(desk: Desk) -> None:
    for _ in range(3):
        assert len(desk.ask("grant", "renew", "--issuer", STATION)) == 1
    assert len(rights(desk)) == 4


def test_a_term_may_be_given(desk: Desk) -> None:
    (long,) = desk.ask("grant", "renew", "--issuer", STATION)
    (short,) = desk.ask("grant", "renew", "--issuer", STATION, "--days", "30")
    assert short["exp"] < long["exp"]
    assert desk.refused("grant", "renew", "--issuer", STATION, "--days", "0")[0] == Exit.USAGE


def test_what_was_withdrawn_is_not_granted_again(desk: Desk) -> None:
    (one,) = rights(desk)
    desk.ask("grant", "withdraw", one["jti"], "--effect", "from", "--reason", "agreed end")
    assert desk.refused("grant", "renew", "--issuer", STATION) == (Exit.REFUSE, "NOT_FOUND")
    assert len(rights(desk)) == 1


def test_only_a_known_issuer_is_granted_again(desk: Desk) -> None:
    told = desk.refused("grant", "renew", "--issuer", "https://nobody.sz.example")
    assert told == (Exit.USAGE, "NOT_FOUND")
