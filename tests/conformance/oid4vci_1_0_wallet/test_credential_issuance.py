"""Mirror of `oid4vci-1_0-wallet-test-credential-issuance` and its kin (suite at 12f2a4d), with the
pre-authorized code flow; plain HTTP stands in for TLS on loopback."""

from pathlib import Path

import pytest
from conformance.oid4vci_1_0_wallet.links import by_reference, by_value
from conformance.peers.http_peer import as_json
from conformance.peers.issuer_peer import IssuerPeer
from wallet_people import Person, talk

from talentseal import qr


def test_an_offer_by_value_becomes_a_certificate(person: Person, issuer: IssuerPeer) -> None:
    document = person.ask("receive", by_value(issuer, "title_sd_jwt"), "--yes")
    (row,) = document["received"]
    assert (row["formats"], row["known"]["outcome"]) == (["dc+sd-jwt"], "accept")
    assert document["waiting"] == []
    assert issuer.events == ["credential_accepted"]
    assert issuer.paths() == [
        "GET /.well-known/openid-credential-issuer",
        "GET /.well-known/oauth-authorization-server",
        "POST /token",
        "POST /nonce",
        "POST /credential",
        "POST /notification",
    ]
    (token,) = issuer.asked_at("/token")
    assert token.form.keys() == {"grant_type", "pre-authorized_code"}
    backup = person.ask("backup", person.home / "count")
    assert (backup["credentials"], backup["unused_keys"]) == (1, 0)


def test_an_offer_by_reference_is_fetched(person: Person, issuer: IssuerPeer) -> None:
    assert person.ask("receive", by_reference(issuer, "title_sd_jwt"), "--yes")["received"]
    assert issuer.log[0].headers["accept"] == "application/json"


def test_the_address_of_an_offer_is_an_offer(person: Person, issuer: IssuerPeer) -> None:
    by_reference(issuer, "title_sd_jwt")
    assert person.ask("receive", f"{issuer.identifier}/offers/1", "--yes")["received"]


def test_a_picture_of_an_offer_is_an_offer(
    person: Person, issuer: IssuerPeer, tmp_path: Path
) -> None:
    picture = tmp_path / "offer.png"
    picture.write_bytes(qr.to_png(qr.encode(by_reference(issuer, "title_sd_jwt"), level="M")))
    assert person.ask("receive", picture, "--yes")["received"]


def test_both_forms_of_one_certificate_are_held_as_one(person: Person, issuer: IssuerPeer) -> None:
    (row,) = person.ask("receive", by_value(issuer), "--yes")["received"]
    assert row["formats"] == ["dc+sd-jwt", "talentseal_cwt"]
    assert sorted(issuer.events) == ["credential_accepted", "credential_accepted"]
    assert person.run("qr", row["id"], "--text").code == 0


def test_the_transaction_code_goes_with_the_token_request(
    person: Person, issuer: IssuerPeer
) -> None:
    issuer.tx_code = "493536"
    link = by_value(issuer, "title_sd_jwt")
    assert person.refused("receive", link, "--yes") == (2, "REQUEST_INVALID")
    assert person.refused("receive", link, "--yes", "--tx-code", "12") == (2, "REQUEST_INVALID")
    assert not issuer.asked_at("/token")
    assert person.refused("receive", link, "--yes", "--tx-code", "000000")[0] == 1
    assert person.ask("receive", link, "--yes", "--tx-code", "493536")["received"]


def test_identifiers_of_the_token_are_used_where_it_names_some(
    person: Person, issuer: IssuerPeer
) -> None:
    issuer.identifiers = {"title_sd_jwt": ["engineer-2026"]}
    assert person.ask("receive", by_value(issuer), "--yes")["received"]
    (asked,) = issuer.asked_at("/credential")
    assert asked.json["credential_identifier"] == "engineer-2026"


def test_a_refused_nonce_is_replaced_once(person: Person, issuer: IssuerPeer) -> None:
    stale = [True]

    def first_stale(asked: object) -> object:
        if stale:
            stale.clear()
            return as_json({"error": "invalid_nonce"}, 400)
        return issuer.credential(asked)  # type: ignore[arg-type]

    issuer.instead["/credential"] = first_stale  # type: ignore[assignment]
    assert person.ask("receive", by_value(issuer, "title_sd_jwt"), "--yes")["received"]
    assert len(issuer.asked_at("/nonce")) == 2


def test_a_nonce_that_is_never_good_ends_it(person: Person, issuer: IssuerPeer) -> None:
    issuer.instead["/credential"] = as_json({"error": "invalid_nonce"}, 400)
    assert person.refused("receive", by_value(issuer, "title_sd_jwt"), "--yes")[0] == 1
    assert len(issuer.asked_at("/credential")) == 2


def test_a_format_that_is_not_read_is_left_out(person: Person, issuer: IssuerPeer) -> None:
    issuer.configurations["mdoc"] = {"format": "mso_mdoc", "doctype": "x"}
    ran = person.run("receive", by_value(issuer, "mdoc", "title_sd_jwt"), "--yes")
    assert ran.code == 0
    assert "Left out     mdoc" in ran.err
    assert person.refused("receive", by_value(issuer, "mdoc"), "--yes") == (1, "NOT_OFFERED")


def test_a_person_sees_who_offers_what_before_anything_is_asked(
    person: Person, issuer: IssuerPeer
) -> None:
    issuer.tx_code = "493536"
    link = by_value(issuer, "title_sd_jwt")
    code, seen = talk("n\n", "receive", link, TALENTSEAL_HOME=str(person.home))
    assert code == 1
    assert "Who offers   bureau of Example City (fictional) (bureau.city.example)" in seen
    assert "Code goes to bureau.city.example" in seen
    assert "By letter" in seen
    assert not issuer.asked_at("/token")
    code, seen = talk("y\n493536\n", "receive", link, TALENTSEAL_HOME=str(person.home))
    assert code == 0, seen
    assert "Received." in seen


def test_without_a_person_and_without_yes_nothing_is_asked(
    person: Person, issuer: IssuerPeer
) -> None:
    ran = person.run("receive", by_value(issuer, "title_sd_jwt"))
    assert (ran.code, issuer.log) == (2, [])
    assert "--yes" in ran.err


@pytest.mark.parametrize("argv", [[], ["--resume"]])
def test_nothing_to_receive_is_a_wrong_command(person: Person, argv: list[str]) -> None:
    assert person.run("receive", *argv).code == 2
