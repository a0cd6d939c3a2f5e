"""Mirror of `oid4vp-1final-wallet-negative-test-*` (suite at 12f2a4d), and hostile verifiers
beyond it: an error is shown, and the response endpoint is not called."""

import base64
import hashlib
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from conformance.oid4vp_1final_wallet.test_happy_flow import NAME, title
from conformance.peers import small_jose
from conformance.peers.http_peer import Asked, Reply
from conformance.peers.verifier_peer import REQUEST_TYPE, VerifierPeer
from conformance.wallet_network import find_here
from simulator import key
from wallet_people import Person, talk

from talentseal import x509
from talentseal.encoding import MAX_METADATA_BYTES
from talentseal.errors import RefusedError
from talentseal.fetch import Fetcher
from talentseal.passphrase import read_passphrase
from wallet_cli.calling import Wallet
from wallet_cli.present import Presenter, Wishes, answer
from wallet_cli.trust import open_trust
from wallet_cli.vault import open_vault


def stopped(person: Person, verifier: VerifierPeer, link: str) -> tuple[int, str]:
    """Exit and code of a request that is refused with nothing sent."""
    found = person.refused("present", link, "--yes")
    assert not verifier.was_answered
    assert acts_of(person) <= {"received"}
    return found


def acts_of(person: Person) -> set[str]:
    """What the history says was done."""
    return {act["act"] for act in person.ask("history")["history"]}


def used(person: Person) -> int:
    """How often copies of what is held were handed out."""
    content = open_vault(person.vault, read_passphrase(person.passphrase, None)).read()
    return sum(copy.used for held in content.holdings for copy in held.copies)


CLAIMS: list[tuple[Mapping[str, Any], str]] = [
    ({"nonce": ...}, "REQUEST_INVALID"),
    ({"client_id": "x509_san_dns:other.city.example"}, "REQUEST_INVALID"),
    ({"redirect_uri": "https://harbour.city.example/response"}, "REQUEST_INVALID"),
    ({"transaction_data": ["eyJ0eXBlIjoidW5rbm93biJ9"]}, "REQUEST_INVALID"),
    ({"response_uri": ...}, "REQUEST_INVALID"),
    ({"response_uri": "https://evil.example/response"}, "REQUEST_INVALID"),
    ({"dcql_query": ...}, "REQUEST_INVALID"),
    ({"scope": "title"}, "REQUEST_INVALID"),
    ({"dcql_query": {"credentials": [{"id": "a b"}]}}, "MALFORMED"),
    ({"exp": 1_700_000_000}, "REQUEST_INVALID"),
    ({"response_mode": "fragment"}, "REQUEST_INVALID"),
]


@pytest.mark.parametrize(("claims", "code"), CLAIMS, ids=range(len(CLAIMS)))
def test_a_request_with_a_wrong_claim_is_not_answered(
    holder: Person, verifier: VerifierPeer, claims: Mapping[str, Any], code: str
) -> None:
    assert stopped(holder, verifier, verifier.ask(title(NAME), **claims)) == (1, code)


HEADERS: list[tuple[Mapping[str, Any], str]] = [
    ({"typ": "JWT"}, "TYPE_CONFUSION"),
    ({"typ": ...}, "TYPE_CONFUSION"),
    ({"alg": "none"}, "ALG_NOT_ALLOWED"),
    ({"x5c": ...}, "CERT_PATH_INVALID"),
]


@pytest.mark.parametrize(("header", "code"), HEADERS, ids=range(len(HEADERS)))
def test_a_request_with_a_wrong_header_is_not_answered(
    holder: Person, verifier: VerifierPeer, header: Mapping[str, Any], code: str
) -> None:
    verifier.header = dict(header)
    assert stopped(holder, verifier, verifier.ask(title(NAME))) == (1, code)


def test_an_invalid_signature_is_not_answered(holder: Person, verifier: VerifierPeer) -> None:
    verifier.key = small_jose.new_key()
    assert stopped(holder, verifier, verifier.ask(title(NAME))) == (1, "SIGNATURE_INVALID")


def test_a_self_made_certificate_is_not_believed(holder: Person, verifier: VerifierPeer) -> None:
    ca = key("a stranger's authority")
    made = x509.make_root_ca(
        ca, common_name="Own CA", organisation="Nobody", country="CN",
        namespaces=["city.example"], not_before=1_700_000_000, not_after=2_000_000_000, serial=1,
    )  # fmt: skip
    leaf = x509.make_leaf(
        made, ca, key("harbour of the conformance tests").public,
        entity_id=f"https://{verifier.host}", organisation="Nobody", country="CN",
        not_before=1_700_000_000, window_end=1_900_000_000, not_after=1_950_000_000, serial=2,
    )  # fmt: skip
    verifier.chain = [x509.der_of(leaf)]
    assert stopped(holder, verifier, verifier.ask(title(NAME))) == (1, "CERT_PATH_INVALID")


@pytest.mark.parametrize(
    "client_id", ["harbour.city.example", "origin:https://harbour.city.example", "nothing:x",
                  "x509_hash:AAAA", "verifier_attestation:x"],
)  # fmt: skip
def test_a_verifier_that_cannot_be_known_is_not_answered(
    holder: Person, verifier: VerifierPeer, client_id: str
) -> None:
    verifier.ask(title(NAME), client_id=client_id)
    assert stopped(holder, verifier, verifier.link(client_id=client_id))[0] == 1


def by_hash(verifier: VerifierPeer, asked: dict[str, Any] | None = None, **changes: Any) -> str:
    """A request by the digest of the certificate, which says nothing of where the answer goes."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.chain[0]).digest()).decode()
    client_id = f"x509_hash:{digest.rstrip('=')}"
    verifier.ask(asked or title(NAME), client_id=client_id, **changes)
    return verifier.link(client_id=client_id)


def test_an_answer_that_goes_elsewhere_is_shown_to_go_there(
    holder: Person, verifier: VerifierPeer
) -> None:
    link = by_hash(verifier, response_uri="https://evil.example/response")
    assert stopped(holder, verifier, link) == (1, "REQUEST_INVALID")
    code, seen = talk("n\n", "present", link, TALENTSEAL_HOME=str(holder.home))
    assert code == 1
    assert "evil.example" in seen
    assert "does not name" in seen


@pytest.mark.parametrize(
    "changes",
    [
        {"response_mode": "direct_post.jwt"},  # and no key to encrypt for
        {"response_uri": "https://harbour.city.example:22/response"},
    ],
)
def test_nobody_is_asked_what_could_not_be_sent(
    holder: Person, verifier: VerifierPeer, changes: dict[str, Any]
) -> None:
    link = verifier.ask(title(NAME), **changes)
    code, seen = talk("y\n", "present", link, TALENTSEAL_HOME=str(holder.home))
    assert code == 1
    assert "Leave this device?" not in seen
    assert not verifier.was_answered
    assert acts_of(holder) == {"received"}


def test_an_unsigned_request_for_a_certified_name_is_not_answered(
    holder: Person, verifier: VerifierPeer
) -> None:
    verifier.ask(title(NAME))
    texts = {name: str(value) for name, value in verifier.claims.items()}
    assert stopped(holder, verifier, f"openid4vp://?{urlencode(texts)}") == (1, "REQUEST_INVALID")
    assert verifier.log == []


def test_a_nonce_of_the_wallet_that_does_not_come_back_ends_it(
    holder: Person, verifier: VerifierPeer
) -> None:
    verifier.ask(title(NAME))
    verifier.instead["/request"] = Reply(200, verifier.object().encode(), REQUEST_TYPE)
    link = verifier.link(request_uri_method="post")
    assert stopped(holder, verifier, link) == (1, "REQUEST_INVALID")


ODD = [
    (Reply(200, b"<html>hello</html>", "text/html"), 4),
    (Reply(200, b"A" * 200_000, REQUEST_TYPE), 1),
    (Reply(200, b"{}", "application/json"), 4),
    (Reply(200, b"", REQUEST_TYPE), 1),
    (Reply(200, b"\xff\xfe", REQUEST_TYPE), 1),
    (Reply(302, b"", REQUEST_TYPE), 4),
    (Reply(404, b"{}", "application/json"), 4),
    (Reply(500, b"", REQUEST_TYPE), 4),
]


@pytest.mark.parametrize(("reply", "code"), ODD, ids=range(len(ODD)))
def test_an_odd_request_object_is_not_answered(
    holder: Person, verifier: VerifierPeer, reply: Reply, code: int
) -> None:
    verifier.instead["/request"] = reply
    assert stopped(holder, verifier, verifier.ask(title(NAME)))[0] == code


def test_a_silent_verifier_is_given_up_within_ten_seconds(
    holder: Person, verifier: VerifierPeer
) -> None:
    verifier.instead["/request"] = Reply(200, b"", silent=8)
    began = time.monotonic()
    assert stopped(holder, verifier, verifier.ask(title(NAME)))[0] == 4
    assert time.monotonic() - began < 10


# --- what is refused by saying so -----------------------------------------------------------------


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize(
    "asked",
    [
        title(NAME, meta={"vct_values": ["urn:eudi:pid:1"]}),
        title(NAME, {"path": ["portrait"]}),
        title({"path": ["display_name"], "values": ["Somebody Else"]}),
        title(NAME, format="mso_mdoc", meta={"doctype_value": "x"}),
        title(NAME, trusted_authorities=[{"type": "aki", "values": ["AAAA"]}]),
    ],
    ids=["type", "claim", "value", "format", "authority"],
)
def test_what_nothing_fits_is_answered_with_no_and_no_more(
    holder: Person, verifier: VerifierPeer, asked: dict[str, Any], *, encrypted: bool
) -> None:
    verifier.encryption_key = small_jose.new_key() if encrypted else None
    found = holder.refused("present", verifier.ask(asked), "--yes")
    assert found == (1, "PRESENTATION_DECLINED")
    assert verifier.posted() == {"error": "access_denied", "state": "state-1"}


def test_who_asked_for_what_nothing_fits_is_named_and_who_is_told(
    holder: Person, verifier: VerifierPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = title({"path": ["portrait"]})
    ran = holder.run("present", verifier.ask(absent), "--yes")
    assert (ran.code, f"fits what {verifier.host} asks for" in ran.err) == (1, True), ran.err
    places = f"{verifier.host}={verifier.url},evil.example={verifier.url}"
    monkeypatch.setenv("TALENTSEAL_DEV_HOSTS", places)
    verifier.log.clear()
    link = by_hash(verifier, absent, response_uri="https://evil.example/response")
    code, seen = talk("\n", "present", link, TALENTSEAL_HOME=str(holder.home))
    assert code == 1
    assert "evil.example, **which their certificate does not name**" in seen
    assert verifier.asked_at("/response")


def test_part_of_what_is_asked_for_never_leaves(holder: Person, verifier: VerifierPeer) -> None:
    other = title(id="pid", meta={"vct_values": ["urn:eudi:pid:1"]})
    link = verifier.ask(title(NAME), other)
    assert holder.refused("present", link, "--yes") == (1, "PRESENTATION_DECLINED")
    assert verifier.posted().keys() == {"error", "state"}


def test_a_no_of_the_person_looks_like_a_wallet_without_it(
    holder: Person, verifier: VerifierPeer
) -> None:
    home = {"TALENTSEAL_HOME": str(holder.home)}
    code, seen = talk("n\n", "present", verifier.ask(title(NAME)), **home)
    assert code == 1, seen
    assert used(holder) == 0
    declined = verifier.posted()
    verifier.log.clear()
    asked = title({"path": ["display_name"], "values": ["Somebody Else"]})
    code, seen = talk("\n", "present", verifier.ask(asked), **home)
    assert code == 1, seen
    assert "Press Enter" in seen
    assert verifier.posted() == declined


def test_without_a_person_and_without_yes_nothing_is_fetched(
    holder: Person, verifier: VerifierPeer
) -> None:
    ran = holder.run("present", verifier.ask(title(NAME)))
    assert (ran.code, verifier.log) == (2, [])
    assert "--yes" in ran.err


def test_a_verifier_that_wants_encryption_and_has_no_key_gets_nothing(
    holder: Person, verifier: VerifierPeer
) -> None:
    link = verifier.ask(title(NAME), response_mode="direct_post.jwt")
    assert stopped(holder, verifier, link) == (1, "REQUEST_INVALID")


# --- after it has left ----------------------------------------------------------------------------


def test_a_verifier_that_refuses_is_reported(holder: Person, verifier: VerifierPeer) -> None:
    verifier.instead["/response"] = Reply(400, b'{"error": "invalid_request"}')
    found = holder.refused("present", verifier.ask(title(NAME)), "--yes")
    assert found == (1, "PRESENTATION_REJECTED")
    assert acts_of(holder) == {"received", "presented and refused"}


def test_what_may_have_arrived_is_said_to_be_uncertain(
    holder: Person, verifier: VerifierPeer
) -> None:
    verifier.instead["/response"] = Reply(500)
    ran = holder.run("present", verifier.ask(title(NAME)), "--yes")
    assert ran.code == 4
    assert "not known whether" in ran.err
    assert acts_of(holder) == {"received", "perhaps presented"}
    assert used(holder) == 1


def test_an_answer_that_cannot_be_read_was_given_all_the_same(
    holder: Person, verifier: VerifierPeer
) -> None:
    verifier.instead["/response"] = Reply(200, b" " * (MAX_METADATA_BYTES + 1), "application/json")
    assert holder.refused("present", verifier.ask(title(NAME)), "--yes") == (1, "TOO_LARGE")
    assert acts_of(holder) == {"received", "presented"}


def test_what_went_to_no_address_of_the_network_was_not_sent(
    holder: Person, verifier: VerifierPeer
) -> None:
    verifier.ask(title(NAME))
    query = urlencode({"client_id": verifier.client_id, "request": verifier.object()})
    fetcher = Fetcher(resolver=lambda _: ["192.168.0.1"])
    wallet = Wallet(fetcher, lambda: int(time.time()), dev=False)
    vault = open_vault(holder.vault, read_passphrase(holder.passphrase, None))
    presenter = Presenter(vault, open_trust(), wallet, "en", None)
    with pytest.raises(RefusedError, match="not on the public internet"):
        answer(f"openid4vp://?{query}", presenter, Wishes(yes=True, only=(), optional=False))
    assert acts_of(holder) == {"received", "not sent"}
    assert used(holder) == 0


def test_what_met_no_connection_was_not_sent(
    holder: Person, verifier: VerifierPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier.ask(title(NAME))
    query = urlencode({"client_id": verifier.client_id, "request": verifier.object()})
    with socket.socket() as nobody:  # a port at which nobody listens
        nobody.bind(("127.0.0.1", 0))
        find_here(monkeypatch, verifier.host, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        ran = holder.run("present", f"openid4vp://?{query}", "--yes")
    assert (ran.code, "not known whether" in ran.err) == (4, False), ran.err
    assert acts_of(holder) == {"received", "not sent"}
    assert used(holder) == 0


def test_whoever_is_killed_while_sending_has_it_on_record(
    holder: Person, verifier: VerifierPeer
) -> None:
    link = verifier.ask(title(NAME))
    program = [sys.executable, "-m", "wallet_cli", "present", link, "--yes"]

    def kill(_: Asked) -> Reply:
        process.kill()
        return Reply(204)

    verifier.instead["/response"] = kill
    with subprocess.Popen(program, stderr=subprocess.DEVNULL) as process:
        assert process.wait(20) < 0
    (act,) = [act for act in holder.ask("history")["history"] if act["act"] != "received"]
    assert (act["act"], act["to"]) == ("being sent", verifier.client_id)
    assert act["what"] == ["display_name"]


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "http://harbour.city.example/", "file:///etc/passwd", "x"]
)
def test_an_address_that_is_none_is_not_shown(
    holder: Person, verifier: VerifierPeer, uri: str
) -> None:
    verifier.after = {"redirect_uri": uri}
    assert holder.ask("present", verifier.ask(title(NAME)), "--yes")["redirect_uri"] is None


def test_nothing_held_is_told_like_a_no(person: Person, verifier: VerifierPeer) -> None:
    found = person.refused("present", verifier.ask(title(NAME)), "--yes")
    assert found == (1, "PRESENTATION_DECLINED")
    assert verifier.posted()["error"] == "access_denied"
