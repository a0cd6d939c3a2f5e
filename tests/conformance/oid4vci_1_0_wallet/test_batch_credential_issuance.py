"""Mirror of `oid4vci-1_0-wallet-test-batch-credential-issuance` (suite at 12f2a4d)."""

from collections.abc import Sequence

from conformance.oid4vci_1_0_wallet.links import by_value
from conformance.peers import small_jose
from conformance.peers.issuer_peer import IssuerPeer
from wallet_people import Person

from wallet_cli.vault import MAX_UNUSED_KEYS


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


def test_what_came_before_the_issuer_failed_is_kept(person: Person, issuer: IssuerPeer) -> None:
    honest = issuer.seal

    def sealed_once(name: str, jwks: Sequence[dict[str, str]]) -> list[str]:
        if issuer.asked_at("/credential")[:-1]:
            return []  # an answer that is none
        return honest(name, jwks)

    issuer.seal = sealed_once
    ran = person.run("receive", by_value(issuer), "--yes", "--json")
    assert ran.code != 0
    assert "--resume" in ran.err
    (row,) = person.ask("receive", "--resume")["received"]
    assert row["formats"] == ["dc+sd-jwt"]
    assert person.ask("backup", person.home / "count")["unused_keys"] == 0
    assert issuer.events == ["credential_accepted"]


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
