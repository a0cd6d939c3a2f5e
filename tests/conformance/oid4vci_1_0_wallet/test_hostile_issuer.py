"""An issuer that lies, stalls, floods or answers for another: refused, and nothing stays behind."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from conformance.oid4vci_1_0_wallet.links import by_reference, by_value
from conformance.peers.http_peer import Asked, Reply, as_json
from conformance.peers.issuer_peer import IssuerPeer
from conformance.wallet_network import CONFIGURATIONS, TITLE, find_here
from simulator import DAY, World
from wallet_people import Person, seal_for, talk

from talentseal.encoding import b64url_encode
from talentseal.keys import PublicKey, new_signer

METADATA = "/.well-known/openid-credential-issuer"
SERVER = "/.well-known/oauth-authorization-server"


def refused(person: Person, issuer: IssuerPeer, *names: str) -> tuple[int, str]:
    """Exit and code of an offer that fails; the wallet is as it was."""
    found = person.refused("receive", by_value(issuer, *(names or ("title_sd_jwt",))), "--yes")
    backup = person.ask("backup", person.home / f"count-{len(issuer.log)}")
    assert (backup["credentials"], backup["unused_keys"]) == (0, 0)
    return found


# --- what is delivered ----------------------------------------------------------------------------


def sealed(issuer: IssuerPeer, make: Callable[[Sequence[PublicKey]], list[str]]) -> None:
    issuer.seal = lambda _, jwks: make([PublicKey.from_jwk(jwk) for jwk in jwks])


def test_a_certificate_for_a_foreign_key_is_refused(
    person: Person, issuer: IssuerPeer, world: World
) -> None:
    sealed(issuer, lambda _: [seal_for(world.city, [new_signer().public]).text])
    assert refused(person, issuer) == (1, "HOLDER_NOT_BOUND")
    assert issuer.events == ["credential_failure"]


def test_a_key_that_waits_for_another_certificate_is_foreign_too(
    person: Person, issuer: IssuerPeer, world: World
) -> None:
    (waiting,) = person.keys(1)
    sealed(issuer, lambda _: [seal_for(world.city, [waiting]).text])
    link = by_value(issuer, "title_sd_jwt")
    assert person.refused("receive", link, "--yes") == (1, "HOLDER_NOT_BOUND")
    assert person.ask("backup", person.home / "count")["unused_keys"] == 1


def test_two_certificates_for_one_key_are_refused(
    person: Person, issuer: IssuerPeer, world: World
) -> None:
    sealed(issuer, lambda keys: [seal_for(world.city, [keys[0]]).text for _ in range(2)])
    link = by_value(issuer, "title_sd_jwt")
    assert person.refused("receive", link, "--yes", "--copies", "2") == (1, "HOLDER_NOT_BOUND")


def test_more_copies_than_keys_are_refused(
    person: Person, issuer: IssuerPeer, world: World
) -> None:
    sealed(issuer, lambda keys: [seal_for(world.city, [keys[0]]).text for _ in range(2)])
    assert refused(person, issuer) == (1, "MALFORMED")


def test_another_type_than_promised_is_refused(
    person: Person, issuer: IssuerPeer, world: World
) -> None:
    sealed(issuer, lambda keys: [seal_for(world.city, keys, "qual-05").text])
    assert refused(person, issuer) == (1, "CLAIMS_INVALID")


def test_the_seal_of_another_body_is_refused(
    person: Person, issuer: IssuerPeer, world: World
) -> None:
    sealed(issuer, lambda keys: [seal_for(world.hk, keys).text])
    assert refused(person, issuer)[0] == 1
    assert issuer.events == ["credential_failure"]


def test_an_ended_certificate_is_refused(person: Person, issuer: IssuerPeer, world: World) -> None:
    at = world.now - world.now % 3600
    times: Any = {"iat": at - 3 * DAY, "exp": at - 2 * DAY}
    sealed(issuer, lambda keys: [seal_for(world.city, keys, **times).text])
    assert refused(person, issuer) == (1, "EXPIRED")


def test_a_forged_seal_is_refused(person: Person, issuer: IssuerPeer, world: World) -> None:
    def forge(keys: Sequence[PublicKey]) -> list[str]:
        text = seal_for(world.city, keys).text
        token, tilde, rest = text.partition("~")
        other = seal_for(world.city, keys).text.partition("~")[0]
        return [f"{token.rpartition('.')[0]}.{other.rpartition('.')[2]}{tilde}{rest}"]

    sealed(issuer, forge)
    assert refused(person, issuer) == (1, "SIGNATURE_INVALID")


@pytest.mark.parametrize("text", ["x", "a.b.c~", "<html>", "\u6df1\u5733~", "~" * 300])
def test_what_is_no_certificate_is_refused(person: Person, issuer: IssuerPeer, text: str) -> None:
    issuer.seal = lambda _, __: [text]
    assert refused(person, issuer)[0] == 1
    assert issuer.events == ["credential_failure"]


def test_one_bad_copy_spoils_the_whole_offer(
    person: Person, issuer: IssuerPeer, world: World
) -> None:
    honest = issuer.seal

    def seal(name: str, jwks: Sequence[dict[str, str]]) -> list[str]:
        if name == "title_code":
            return [seal_for(world.city, [PublicKey.from_jwk(jwks[0])]).text]
        return honest(name, jwks)

    issuer.seal = seal
    assert refused(person, issuer, "title_sd_jwt", "title_code")[0] == 1
    assert issuer.events == ["credential_failure"] * 2


@pytest.mark.parametrize("other", ["display_name", "certificate_number"])
def test_a_batch_of_two_certificates_is_refused(
    person: Person, issuer: IssuerPeer, world: World, other: str
) -> None:
    def make(keys: Sequence[PublicKey]) -> list[str]:
        changed = seal_for(world.city, keys[1:], claims={other: "FICTIONAL-2"}).text
        return [seal_for(world.city, keys).text, changed]

    sealed(issuer, make)
    link = by_value(issuer, "title_sd_jwt")
    ran = person.run("receive", link, "--yes", "--copies", "2")
    assert (ran.code, "do not say the same" in ran.err) == (1, True), ran.err
    assert person.ask("list") == {"credentials": []}
    assert issuer.events == ["credential_failure"]


def test_a_code_of_another_person_is_refused_with_the_certificate(
    person: Person, issuer: IssuerPeer, world: World
) -> None:
    honest = issuer.seal

    def seal(name: str, jwks: Sequence[dict[str, str]]) -> list[str]:
        if name != "title_code":
            return honest(name, jwks)
        keys = [PublicKey.from_jwk(jwk) for jwk in jwks]
        return [b64url_encode(seal_for(world.city, keys, claims={"display_name": "X Y"}).code)]

    issuer.seal = seal
    assert refused(person, issuer, "title_sd_jwt", "title_code") == (1, "CLAIMS_INVALID")


# --- how it is delivered --------------------------------------------------------------------------

PAGE = Reply(200, b"<html>Sign in to our free network</html>", "text/html")
HUGE = as_json({"credentials": [{"credential": "A" * 8_000_000}]})
BOMB = Reply(200, b'{"a":' * 50_000, "application/json")
ODD = [
    (PAGE, 4),
    (HUGE, 1),
    (BOMB, 1),
    (Reply(200, b"{", "application/json"), 1),
    (Reply(200, b'{"a": 1, "a": 2}', "application/json"), 1),
    (Reply(200, b"[]", "application/json"), 1),
    (Reply(200, b"", "application/json"), 1),
    (Reply(200, b"{}", "text/plain"), 4),
    (Reply(302, b"", "application/json"), 4),
    (Reply(500, b"{}", "application/json"), 4),
]


@pytest.mark.parametrize("path", [METADATA, SERVER, "/token", "/nonce", "/credential"])
@pytest.mark.parametrize(("reply", "code"), ODD, ids=range(len(ODD)))
def test_an_odd_answer_is_refused_wherever_it_comes(
    person: Person, issuer: IssuerPeer, path: str, reply: Reply, code: int
) -> None:
    issuer.instead[path] = reply
    assert refused(person, issuer)[0] == code


def test_a_silent_issuer_is_given_up_within_ten_seconds(person: Person, issuer: IssuerPeer) -> None:
    issuer.instead["/token"] = Reply(200, b"{}", silent=8)
    began = time.monotonic()
    assert refused(person, issuer)[0] == 4
    assert time.monotonic() - began < 10


def test_an_error_page_of_the_issuer_is_a_refusal(person: Person, issuer: IssuerPeer) -> None:
    issuer.instead["/token"] = Reply(403, b"<html>no</html>", "text/html")
    assert refused(person, issuer) == (1, "REQUEST_INVALID")


def test_words_of_an_issuer_reach_the_terminal_without_their_tricks(
    person: Person, issuer: IssuerPeer
) -> None:
    issuer.instead["/token"] = as_json({"error": "no\u001b[2J\u202e"}, 400)
    ran = person.run("receive", by_value(issuer, "title_sd_jwt"), "--yes")
    assert ran.code == 1
    assert "\x1b" not in ran.err


# --- who answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["https://other.city.example", "https://bureau.city.example/", "https://BUREAU.city.example"]
)  # fmt: skip
def test_metadata_of_another_issuer_end_it_before_a_word_is_sent(
    person: Person, issuer: IssuerPeer, name: str
) -> None:
    issuer.extra_metadata["credential_issuer"] = name
    assert refused(person, issuer) == (1, "REQUEST_INVALID")
    assert issuer.paths() == [f"GET {METADATA}"]


def test_metadata_of_another_server_end_it_before_a_word_is_sent(
    person: Person, issuer: IssuerPeer
) -> None:
    other = {**issuer.server(), "issuer": "https://other.city.example"}
    issuer.instead[SERVER] = as_json(other)
    assert refused(person, issuer) == (1, "REQUEST_INVALID")
    assert not issuer.asked_at("/token")


def test_metadata_lie_between_host_and_path(person: Person, issuer: IssuerPeer) -> None:
    issuer.identifier = "https://bureau.city.example/tenant/a"
    person.run("receive", by_value(issuer, "title_sd_jwt"), "--yes")
    assert issuer.paths() == [f"GET {METADATA}/tenant/a"]


DEMANDS: list[tuple[Mapping[str, Any], str]] = [
    ({"token_endpoint": "http://bureau.city.example/token"}, "MALFORMED"),
    ({"credential_endpoint": "http://bureau.city.example/credential"}, "MALFORMED"),
    ({"nonce_endpoint": "https://user@bureau.city.example/nonce"}, "MALFORMED"),
    ({"credential_response_encryption": {"encryption_required": True}}, "NOT_OFFERED"),
    ({"credential_request_encryption": {"encryption_required": True}}, "NOT_OFFERED"),
    ({"credential_configurations_supported": {}}, "MALFORMED"),
    ({"authorization_servers": []}, "MALFORMED"),
]


@pytest.mark.parametrize(("members", "code"), DEMANDS, ids=range(len(DEMANDS)))
def test_metadata_that_cannot_be_followed_end_it_before_a_word_is_sent(
    person: Person, issuer: IssuerPeer, members: Mapping[str, Any], code: str
) -> None:
    issuer.extra_metadata |= members
    issuer.instead[SERVER] = as_json({**issuer.server(), **members})
    assert refused(person, issuer) == (1, code)
    assert not issuer.asked_at("/token")


JWT = {"proof_signing_alg_values_supported": ["ES256"]}


@pytest.mark.parametrize(
    "members",
    [
        {"proof_types_supported": {}},
        {"proof_types_supported": None},
        {"proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES384"]}}},
        {"proof_types_supported": {"attestation": JWT}},
        {
            "proof_types_supported": {
                "jwt": {
                    "proof_signing_alg_values_supported": ["ES256"],
                    "key_attestations_required": {},
                }
            }
        },
    ],
    ids=range(5),
)  # fmt: skip
def test_a_proof_that_this_wallet_cannot_make_ends_it(
    person: Person, issuer: IssuerPeer, members: Mapping[str, Any]
) -> None:
    issuer.configurations["title_sd_jwt"] = {"format": "dc+sd-jwt", "vct": TITLE, **members}
    assert refused(person, issuer) == (1, "NOT_OFFERED")


@pytest.mark.parametrize("name", ["title_sd_jwt", "title_code"])
def test_an_offer_of_no_type_ends_it_before_a_word_is_sent(
    person: Person, issuer: IssuerPeer, name: str
) -> None:
    members = issuer.configurations[name].items()
    issuer.configurations = {"Doctor (registered)": {n: v for n, v in members if n != "vct"}}
    assert refused(person, issuer, "Doctor (registered)") == (1, "MALFORMED")
    assert not issuer.asked_at("/token")


def test_a_type_of_the_issuers_own_making_is_shown_as_one(
    person: Person, issuer: IssuerPeer
) -> None:
    issuer.configurations["title_sd_jwt"] = {**CONFIGURATIONS["title_sd_jwt"], "vct": "Doctor"}
    ran = person.run("receive", by_value(issuer, "title_sd_jwt"), "--yes")
    assert (ran.code, "Doctor, **of no type that is known here**" in ran.err) == (1, True)


def test_a_token_that_fits_no_header_is_not_used(person: Person, issuer: IssuerPeer) -> None:
    for token in ("é中", "a\r\nX: y", ""):
        issuer.instead["/token"] = as_json({"access_token": token, "token_type": "bearer"})
        assert refused(person, issuer) == (1, "MALFORMED")


def test_a_token_of_another_kind_is_not_used(person: Person, issuer: IssuerPeer) -> None:
    issuer.instead["/token"] = as_json({"access_token": "a", "token_type": "DPoP"})
    assert refused(person, issuer) == (1, "NOT_OFFERED")


def test_a_token_for_something_else_is_not_used(person: Person, issuer: IssuerPeer) -> None:
    issuer.identifiers = {"other": ["x"]}
    assert refused(person, issuer) == (1, "MALFORMED")


def test_an_offer_that_needs_a_browser_is_not_followed(person: Person, issuer: IssuerPeer) -> None:
    offer = {**issuer.offer("title_sd_jwt"), "grants": {"authorization_code": {}}}
    issuer.instead["/offers/1"] = as_json(offer)
    link = f"{issuer.identifier}/offers/1"
    assert person.refused("receive", link, "--yes") == (1, "NOT_OFFERED")


def test_a_stranger_is_named_as_one_and_gets_nothing_by_yes_alone(
    person: Person, issuer: IssuerPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.identifier = "https://bureau.evil.example"
    find_here(monkeypatch, "bureau.evil.example", issuer.url)
    ran = person.run("receive", by_value(issuer, "title_sd_jwt"), "--yes")
    assert ran.code == 1
    assert "bureau.evil.example, **not on any list**" in ran.err
    assert not issuer.asked_at("/token")
    link = by_reference(issuer, "title_sd_jwt")
    code, seen = talk("n\n", "receive", link, TALENTSEAL_HOME=str(person.home))
    assert code == 1
    assert "**not on any list**" in seen


def test_an_issuer_that_does_not_listen_changes_nothing(person: Person, issuer: IssuerPeer) -> None:
    issuer.instead["/notification"] = Reply(500)
    assert person.ask("receive", by_value(issuer, "title_sd_jwt"), "--yes")["received"]


def test_an_offer_is_used_once(person: Person, issuer: IssuerPeer) -> None:
    link = by_value(issuer, "title_sd_jwt")
    assert person.ask("receive", link, "--yes")["received"]
    ran = person.run("receive", link, "--yes")
    assert ran.code == 1
    assert "invalid_grant" in ran.err


def test_a_deferred_answer_without_a_place_to_ask_is_refused(
    person: Person, issuer: IssuerPeer
) -> None:
    issuer.later = 1
    issuer.extra_metadata["deferred_credential_endpoint"] = None
    assert refused(person, issuer) == (1, "MALFORMED")


def test_proofs_never_leave_for_an_address_of_the_local_network(
    person: Person, issuer: IssuerPeer
) -> None:
    issuer.extra_metadata["credential_endpoint"] = "https://192.168.0.1/credential"
    assert refused(person, issuer)[0] == 1


def test_a_request_shows_no_more_than_it_must(person: Person, issuer: IssuerPeer) -> None:
    seen: list[Asked] = issuer.log
    person.ask("receive", by_value(issuer, "title_sd_jwt"), "--yes")
    for asked in seen:
        assert asked.headers["user-agent"] == "Talentseal"
        assert not asked.headers.keys() & {"cookie", "referer"}
    assert not any(token in asked.path for asked in seen for token in issuer.tokens)


def test_words_of_an_issuer_cannot_pass_for_lines_of_ours(
    person: Person, issuer: IssuerPeer
) -> None:
    gap = " " * 80
    names = [f"{number}{gap}Who offers   City Hall{gap}" for number in range(9)]
    for name in names:
        issuer.configurations[name] = {"format": "mso_mdoc", "doctype": "x"}
    odd = {"vct": f"https://x.example{gap}Who offers   City Hall" + "x" * 1000}
    issuer.configurations["title_sd_jwt"] = {**issuer.configurations["title_sd_jwt"], **odd}
    ran = person.run("receive", by_value(issuer, *names, "title_sd_jwt"), "--yes")
    _, _, shown = ran.err.partition("What")
    assert "  Who" not in shown
    assert "x" * 300 not in shown
    assert "**of no type that is known here**" in shown
    assert "6 more (a format" in shown
