"""Mirror of `oid4vp-1final-wallet-happy-flow`, `alternate-happy-flow`, `request-uri-method-post`,
`fewer-claims-than-available`, `no-claims-in-dcql-query`, `optional-credential-set` and
`ignores-unusable-encryption-key` (suite at 12f2a4d), for `direct_post` and `direct_post.jwt`."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from conformance.peers import small_jose
from conformance.peers.verifier_peer import VerifierPeer
from conformance.wallet_network import TITLE
from simulator import World
from wallet_people import Person, seal_for, talk

from talentseal import oid4vp, qr
from talentseal.encoding import b64url_encode

NAME = {"path": ["display_name"]}


def title(*claims: dict[str, Any], **members: Any) -> dict[str, Any]:
    wanted = {"claims": list(claims)} if claims else {}
    meta = {"vct_values": [TITLE]}
    return {"id": "title", "format": "dc+sd-jwt", "meta": meta, **wanted, **members}


@pytest.fixture(params=["direct_post", "direct_post.jwt"])
def asking(verifier: VerifierPeer, request: pytest.FixtureRequest) -> VerifierPeer:
    """A verifier in both response modes."""
    if request.param == "direct_post.jwt":
        verifier.encryption_key = small_jose.new_key()
    return verifier


def test_only_what_was_asked_for_leaves(holder: Person, asking: VerifierPeer) -> None:
    sent = holder.ask("present", asking.ask(title(NAME)), "--yes")
    assert asking.presented() == {"title": ["display_name"]}
    assert (sent["state"], sent["to"], sent["redirect_uri"]) == ("sent", asking.client_id, None)
    assert "birthdate" in sent["shown"][0]["hidden"]
    assert asking.paths() == ["GET /request", "POST /response"]


def test_a_request_without_state_is_answered_without(holder: Person, asking: VerifierPeer) -> None:
    holder.ask("present", asking.ask(title(NAME), state=...), "--yes")
    assert "state" not in asking.posted()
    assert asking.presented()


def test_long_values_and_strange_members_are_taken_as_they_are(
    holder: Person, asking: VerifierPeer
) -> None:
    link = asking.ask(
        title(NAME), state="s" * 64, nonce="n" * 43, iss="https://other.example",
        unknown={"a": 1}, wallet_nonce="never-sent",
    )  # fmt: skip
    asking.after = {"redirect_uri": f"https://{asking.host}/presented/1#response_code=abc"}
    sent = holder.ask("present", link, "--yes")
    assert asking.presented() == {"title": ["display_name"]}
    assert sent["redirect_uri"] == asking.after["redirect_uri"]
    assert len(asking.log) == 2  # the address is shown to the person and never fetched


def test_a_request_is_fetched_by_post_where_the_link_says_so(
    holder: Person, asking: VerifierPeer
) -> None:
    asking.ask(title(NAME))
    assert holder.ask("present", asking.link(request_uri_method="post"), "--yes")
    assert asking.paths()[0] == "POST /request"
    assert len(asking.log[0].form["wallet_nonce"]) == 32


def test_without_claims_nothing_hidden_leaves(holder: Person, asking: VerifierPeer) -> None:
    assert holder.ask("present", asking.ask(title()), "--yes")
    assert asking.presented() == {"title": []}


def test_an_inner_claim_leaves_with_its_ancestors_alone(
    holder: Person, asking: VerifierPeer
) -> None:
    asked = title({"path": ["id_document", "number_tail"]})
    assert holder.ask("present", asking.ask(asked), "--yes")
    assert asking.presented() == {"title": ["id_document", "number_tail"]}


def test_the_first_claim_set_that_fits_leaves(holder: Person, asking: VerifierPeer) -> None:
    claims = [{"id": name, "path": [name]} for name in ("portrait", "display_name", "birthdate")]
    asked = title(*claims, claim_sets=[["portrait", "display_name"], ["display_name"]])
    assert holder.ask("present", asking.ask(asked), "--yes")
    assert asking.presented() == {"title": ["display_name"]}


def test_an_optional_miss_has_no_entry(holder: Person, asking: VerifierPeer) -> None:
    other = {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]}}
    sets = [{"options": [["title"]]}, {"options": [["pid"]], "required": False}]
    query = {"credentials": [title(NAME), other], "credential_sets": sets}
    assert holder.ask("present", asking.ask(dcql_query=query), "--yes")
    assert asking.presented() == {"title": ["display_name"]}


def test_what_is_asked_without_need_leaves_only_if_the_person_says(
    holder: Person, asking: VerifierPeer
) -> None:
    more = title({"path": ["birthdate"]}, id="more")
    sets = [{"options": [["title"]]}, {"options": [["more"]], "required": False}]
    query = {"credentials": [title(NAME), more], "credential_sets": sets}
    assert holder.ask("present", asking.ask(dcql_query=query), "--yes", "--optional")
    assert asking.presented() == {"title": ["display_name"], "more": ["birthdate"]}


def test_keys_that_cannot_be_used_are_skipped(holder: Person, verifier: VerifierPeer) -> None:
    verifier.encryption_key = small_jose.new_key()
    link = verifier.ask(title(NAME))
    keys = verifier.claims["client_metadata"]["jwks"]["keys"]
    odd = [{"kty": "OKP", "crv": "X25519", "kid": "o", "alg": "ECDH-ES", "x": "AA"}, {"kty": "?"}]
    verifier.claims["client_metadata"]["jwks"]["keys"] = [*odd, *keys]
    assert holder.ask("present", link, "--yes")
    assert verifier.presented()


def test_a_verifier_may_be_named_by_its_certificate(holder: Person, asking: VerifierPeer) -> None:
    client_id = oid4vp.client_id_of_leaf(asking.chain[0])
    asking.ask(title(NAME), client_id=client_id)
    assert holder.ask("present", asking.link(client_id=client_id), "--yes")
    assert asking.presented()


def test_authorities_are_known_by_their_key_identifier(
    holder: Person, asking: VerifierPeer, world: World
) -> None:
    from cryptography import x509

    found = world.city.sub.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    own = {"type": "aki", "values": [b64url_encode(found.value.digest)]}
    assert holder.ask("present", asking.ask(title(NAME, trusted_authorities=[own])), "--yes")
    assert asking.presented()


def test_a_picture_of_a_request_is_a_request(
    holder: Person, verifier: VerifierPeer, tmp_path: Path
) -> None:
    picture = tmp_path / "request.png"
    picture.write_bytes(qr.to_png(qr.encode(verifier.ask(title(NAME)), level="M")))
    assert holder.ask("present", picture, "--yes")["state"] == "sent"


def test_the_history_remembers_who_saw_what(holder: Person, verifier: VerifierPeer) -> None:
    holder.ask("present", verifier.ask(title(NAME)), "--yes")
    act = holder.ask("history")["history"][-1]
    assert (act["act"], act["to"], act["what"]) == (
        "presented", verifier.client_id, ["display_name"],
    )  # fmt: skip


def test_the_person_chooses_among_several(
    holder: Person, verifier: VerifierPeer, world: World
) -> None:
    first = holder.ask("list")["credentials"][0]["id"]
    second = holder.receive(seal_for(world.city, holder.keys(), "title-02"))
    for wanted in (first, second):
        sent = holder.ask("present", verifier.ask(title(NAME)), "--yes", "--certificate", wanted)
        assert sent["shown"][0]["id"] == wanted


def test_a_person_sees_who_asks_and_what_leaves_before_it_does(
    holder: Person, verifier: VerifierPeer
) -> None:
    link = verifier.ask(title(NAME, {"path": ["birthdate"]}, {"path": ["title_name"]}))
    code, seen = talk("y\n", "present", link, TALENTSEAL_HOME=str(holder.home), LC_ALL="C.UTF-8")
    assert code == 0, seen
    assert "Example City (harbour.city.example, certificate valid)" in seen
    assert "Bank of Fiction" not in seen
    screen = seen[: seen.index("[y/N]")].splitlines()
    (shown,) = [line for line in screen if line.startswith("They will see")]
    (kept,) = [line for line in screen if line.startswith("Stays hidden")]
    assert {"Name", "Date of birth"} <= set(shown.removeprefix("They will see   ").split(", "))
    assert "Sex" in kept
    assert "Date of birth" not in kept
    assert verifier.presented()["title"] == ["birthdate", "display_name"]


def test_an_unsigned_request_is_answered_by_a_person_alone(
    holder: Person, verifier: VerifierPeer
) -> None:
    client_id = f"redirect_uri:{verifier.response_uri}"
    verifier.ask(title(NAME), client_id=client_id)
    link = oid4vp.unsigned_link(verifier.claims)
    assert holder.refused("present", link, "--yes") == (1, "REQUEST_INVALID")
    assert not verifier.was_answered
    code, seen = talk("y\n", "present", link, TALENTSEAL_HOME=str(holder.home))
    assert code == 0, seen
    assert "nothing proves" in seen
    assert verifier.presented()


def test_a_request_by_value_is_read_like_any_other(holder: Person, verifier: VerifierPeer) -> None:
    verifier.ask(title(NAME))
    query = urlencode({"client_id": verifier.client_id, "request": verifier.object()})
    assert holder.ask("present", f"openid4vp://?{query}", "--yes")
    assert verifier.paths() == ["POST /response"]
