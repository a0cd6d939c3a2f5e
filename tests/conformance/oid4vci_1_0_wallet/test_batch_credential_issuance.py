"""Mirror of `oid4vci-1_0-wallet-test-batch-credential-issuance` (suite at 12f2a4d)."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from conformance.oid4vci_1_0_wallet.links import by_value
from conformance.peers import small_jose
from conformance.peers.issuer_peer import IssuerPeer
from wallet_people import Person, Ran

from wallet_cli.vault import MAX_UNUSED_KEYS

Seal = Callable[[str, Sequence[dict[str, str]]], list[str]]


def test_copies_come_back_reversed_and_find_their_keys(person: Person, issuer: IssuerPeer) -> None:
    link = by_value(issuer, "title_sd_jwt")
    (row,) = person.ask("receive", link, "--yes", "--copies", "3")["received"]
    assert row["formats"] == ["dc+sd-jwt"] * 3
    (asked,) = issuer.asked_at("/credential")
    assert len(asked.json["proofs"]["jwt"]) == 3
    assert person.ask("backup", person.home / "count")["unused_keys"] == 0


def test_never_more_proofs_than_the_batch_allows(person: Person, issuer: IssuerPeer) -> None:
    issuer.batch_size = 2
    ran = person.run("receive", by_value(issuer), "--yes", "--copies", "5")
    assert ran.code == 0, ran.err
    counts = [len(asked.json["proofs"]["jwt"]) for asked in issuer.asked_at("/credential")]
    assert counts == [2, 1]
    assert "at most 2" in ran.err


def test_without_a_batch_there_is_one_proof(person: Person, issuer: IssuerPeer) -> None:
    issuer.batch_size = None
    person.ask("receive", by_value(issuer, "title_sd_jwt"), "--yes", "--copies", "5")
    (asked,) = issuer.asked_at("/credential")
    assert len(asked.json["proofs"]["jwt"]) == 1


def sealed_once(
    issuer: IssuerPeer, honest: Seal, name: str, jwks: Sequence[dict[str, str]]
) -> list[str]:
    """An issuer that gives a second certificate an answer that is none."""
    return [] if issuer.asked_at("/credential")[:-1] else honest(name, jwks)


def test_what_came_before_the_issuer_failed_is_kept(person: Person, issuer: IssuerPeer) -> None:
    issuer.seal = partial(sealed_once, issuer, issuer.seal)
    ran = person.run("receive", by_value(issuer), "--yes", "--json")
    assert ran.code != 0
    assert "--resume" in ran.err
    (row,) = person.ask("receive", "--resume")["received"]
    assert row["formats"] == ["dc+sd-jwt"]
    assert person.ask("backup", person.home / "count")["unused_keys"] == 0
    assert issuer.events == ["credential_accepted"]


def meanwhile(issuer: IssuerPeer, act: Callable[[], None]) -> None:
    """Have `act` done while the issuer is asked for the second of two certificates."""
    honest = issuer.seal

    def sealed(name: str, jwks: Sequence[dict[str, str]]) -> list[str]:
        if issuer.asked_at("/credential")[:-1]:
            act()
        return honest(name, jwks)

    issuer.seal = sealed


def test_another_command_leaves_alone_what_is_still_asked_for(
    person: Person, issuer: IssuerPeer
) -> None:
    seen: list[Ran] = []
    meanwhile(issuer, lambda: seen.append(person.run("receive", "--resume", "--wait", "1")))
    (row,) = person.ask("receive", by_value(issuer), "--yes")["received"]
    assert sorted(row["formats"]) == ["dc+sd-jwt", "talentseal_cwt"]
    assert seen[0].code == 0
    assert "is being asked by another command" in seen[0].out
    assert "Received" not in seen[0].out
    assert person.ask("backup", person.home / "count")["unused_keys"] == 0


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_given_up_while_it_is_asked_for_stays_given_up(
    person: Person, issuer: IssuerPeer, *, fails: bool
) -> None:
    if fails:
        issuer.seal = partial(sealed_once, issuer, issuer.seal)

    def give_up() -> None:
        (waiting,) = person.ask("receive", "--resume")["waiting"]
        person.ask("receive", "--give-up", waiting["id"])

    meanwhile(issuer, give_up)
    told = person.refused("receive", by_value(issuer), "--yes")
    assert told == ((1, "MALFORMED") if fails else (1, "STATE_CONFLICT"))
    assert person.ask("list") == {"credentials": []}
    assert person.ask("backup", person.home / "count")["unused_keys"] == 0
    assert person.refused("receive", "--resume") == (2, "NOT_FOUND")


def test_an_issuer_may_make_fewer_copies_and_spare_keys_go(
    person: Person, issuer: IssuerPeer
) -> None:
    honest = issuer.seal
    issuer.seal = lambda name, jwks: honest(name, jwks[:1])
    link = by_value(issuer, "title_sd_jwt")
    (row,) = person.ask("receive", link, "--yes", "--copies", "3")["received"]
    assert row["formats"] == ["dc+sd-jwt"]
    assert person.ask("backup", person.home / "count")["unused_keys"] == 0


def test_each_showing_takes_the_copy_that_was_shown_least(
    person: Person, issuer: IssuerPeer
) -> None:
    link = by_value(issuer, "title_sd_jwt")
    (row,) = person.ask("receive", link, "--yes", "--copies", "2")["received"]
    shown = [person.ask("disclose", row["id"], "--yes")["presentation"] for _ in range(3)]
    keys = [small_jose.open_presentation(text)[0]["cnf"]["jwk"]["x"] for text in shown]
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


def test_more_certificates_than_there_is_room_for_keys_are_taken_all_the_same(
    person: Person, issuer: IssuerPeer
) -> None:
    for copies in (16, 16, 16, MAX_UNUSED_KEYS - 49):
        person.keys(copies)
    issuer.identifiers = {"title_sd_jwt": ["one", "two", "three"]}
    link = by_value(issuer, "title_sd_jwt")
    (row,) = person.ask("receive", link, "--yes")["received"]
    assert row["formats"] == ["dc+sd-jwt"] * 3
    assert len(issuer.asked_at("/credential")) == 3
    backup = person.ask("backup", person.home / "count")
    assert backup["unused_keys"] == MAX_UNUSED_KEYS - 1
    person.keys(1)
    offer = by_value(issuer, "title_sd_jwt")
    assert person.refused("receive", offer, "--yes") == (1, "STATE_CONFLICT")
    assert len(issuer.asked_at("/token")) == 1


def test_an_offer_of_hundreds_of_certificates_costs_no_keys(
    person: Person, issuer: IssuerPeer
) -> None:
    issuer.identifiers = {name: [str(n) for n in range(60)] for name in issuer.configurations}
    assert person.refused("receive", by_value(issuer), "--yes") == (1, "TOO_LARGE")
    assert not issuer.asked_at("/credential")
    assert person.ask("backup", person.home / "count")["unused_keys"] == 0
