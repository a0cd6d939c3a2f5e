"""What a person sees of what they hold, and what leaves when they agree."""

import re
from datetime import UTC, datetime

import pytest
from simulator import World
from wallet_people import Holder, Person, seal_for

from talentseal import sdjwt
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.trustdb import open_bundle
from talentseal.verify import verify

HOSTILE = "Mei\x1b[31m\u202eFANLI\u200b\x9b2J\nACCEPT  Genuine\\u{1b}"
CHALLENGE = "talentseal:challenge?aud=https%3A%2F%2Fdesk.example&n=AAECAwQFBgcICQoLDA0ODw"
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]")


def test_the_list_says_what_from_whom_until_when_and_how_it_stands(holder: Holder) -> None:
    out = holder.person.run("list").out
    for text in (
        holder.id,
        "Professional Title Certificate: 高级工程师 / Senior Engineer",
        "bureau of Example City (fictional) (CN/9999), until 20",
        "in force. As of 20",
    ):
        assert text in out


def test_an_empty_wallet_says_so(person: Person) -> None:
    assert person.ask("list") == {"credentials": []}
    assert "Nothing is held yet" in person.run("list").out
    assert "Nothing was done yet" in person.run("history").out


def test_a_revocation_shows_in_the_list_after_the_next_sync(holder: Holder, world: World) -> None:
    world.city.list.set(holder.issued.index, 1)
    assert holder.person.synchronise(world).code == 0
    known = holder.person.ask("list")["credentials"][0]["known"]
    assert (known["outcome"], known["code"]) == ("refuse", "REVOKED")
    assert known["age_seconds"] >= 0
    assert "[REVOKED]" in holder.person.run("list").out
    assert holder.person.run("verify", holder.id).code == 1


def test_without_trust_data_the_list_still_says_what_it_knew(holder: Holder) -> None:
    (holder.person.folder / "trust" / "current").unlink()
    out = holder.person.run("list").out
    assert "Senior Engineer" in out
    assert "in force" not in out
    assert holder.person.run("verify", holder.id).code == 3
    assert "FANLI YI" in holder.person.run("show", holder.id).out


def test_all_claims_are_shown_with_labels_and_what_can_be_hidden(holder: Holder) -> None:
    out = holder.person.run("show", holder.id[:4]).out
    assert "* Name [display_name]: 范例一 FANLI YI" in out
    assert "  Title [title_name]: 高级工程师 / Senior Engineer" in out
    document = holder.person.ask("show", holder.id)
    assert "display_name" in document["hideable"]
    assert "title_name" not in document["hideable"]
    assert document["claims"]["id_document"]["number_tail"] == "0016"


@pytest.mark.parametrize(
    ("locale", "label"),
    [("zh_CN.UTF-8", "职称名称"), ("zh_HK.UTF-8", "職稱"), ("pt_PT.UTF-8", "Título")],
)
def test_labels_are_in_the_persons_language(
    holder: Holder, locale: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert label[:2] in holder.person.run("show", holder.id).out


def test_verify_gives_the_verdict_document(holder: Holder) -> None:
    verdict = holder.person.ask("verify", holder.id)
    assert verdict["outcome"] == "accept"
    assert verdict["policy"] == "wallet@1"
    assert verdict["credential"]["holder_bound"] is True
    assert holder.person.run("verify", holder.id).out.startswith("ACCEPT")


def test_hostile_names_are_shown_escaped_wherever_they_appear(person: Person, world: World) -> None:
    claims = {"display_name": HOSTILE, "title_name": {"en": HOSTILE}}
    issued = seal_for(world.city, person.keys(), claims=claims)
    received = person.run("receive", issued.write(person.home, id=HOSTILE))
    assert received.code == 0, received.err
    (row,) = person.ask("list")["credentials"]
    named = ("--yes", "--disclose", "display_name")
    for argv in (("list",), ("show", row["id"]), ("verify", row["id"]), ("history",),
                 ("disclose", row["id"], *named)):  # fmt: skip
        ran = person.run(*argv)
        assert ran.code == 0
        for text in (received.out, received.err, ran.out, ran.err):
            assert not UNSAFE.search(text), argv
            assert "\nACCEPT  Genuine" not in text
    assert "Mei\\u{1b}[31m\\u{202e}FANLI\\u{200b}\\u{9b}2J\\u{a}" in person.run("list").out


# --- handing over ---------------------------------------------------------------------------------


def test_nothing_optional_leaves_unless_it_is_named(holder: Holder) -> None:
    made = holder.person.ask("disclose", holder.id, "--yes")
    claims = sdjwt.all_claims(made["presentation"])
    assert "display_name" in made["hidden"]
    assert "display_name" not in claims
    assert set(made["shown"]) <= claims.keys()
    assert made["presentation"].count("~") == 1


def test_exactly_what_was_named_leaves(holder: Holder) -> None:
    argv = ("--yes", "--disclose", "display_name", "--disclose", "id_document.number_tail")
    made = holder.person.ask("disclose", holder.id, *argv)
    claims = sdjwt.all_claims(made["presentation"])
    assert claims["id_document"]["number_tail"] == "0016"
    assert "number" not in claims["id_document"]
    assert "id_document.number" in made["hidden"]
    assert "birthdate" not in claims
    ran = holder.person.run("disclose", holder.id, *argv)
    assert "999999199001010016" not in ran.err
    assert re.search(r"\bid_document\.number\b(?!_)", ran.err)


def test_a_presentation_for_a_verifier_proves_the_holder(holder: Holder) -> None:
    asked = {"audience": "https://desk.example", "nonce": "a-nonce-of-the-desk"}
    out = holder.person.home / "for-desk.txt"
    ran = holder.person.run(
        "disclose", holder.id, "--yes", "--disclose", "display_name", "--out", out,
        "--audience", asked["audience"], "--nonce", asked["nonce"],
    )  # fmt: skip
    assert ran.code == 0
    bundle = open_bundle(holder.person.folder / "trust")
    policy = Policy(holder="required", recognition=False, required=frozenset(("display_name",)))
    evidence = Evidence(
        text=out.read_text().strip(), audience=asked["audience"], nonce=asked["nonce"]
    )
    assert verify(evidence, bundle, policy, now=datetime.now(UTC)).outcome == "accept"
    assert out.stat().st_mode & 0o077 == 0


def test_a_presentation_without_a_verifier_carries_no_proof(holder: Holder) -> None:
    made = holder.person.ask("disclose", holder.id, "--yes")
    assert sdjwt.parse(made["presentation"]).key_binding is None


@pytest.mark.parametrize(
    "argv",
    [
        ("--audience", "https://desk.example"),
        ("--nonce", "n"),
        ("--audience", "https://desk.example\x1b[2J", "--nonce", "n"),
        ("--audience", "", "--nonce", "n"),
        ("--disclose", "no_such_claim"),
        ("--disclose", "title_name"),
    ],
)
def test_a_wrong_wish_leaves_nothing(holder: Holder, argv: tuple[str, ...]) -> None:
    out = holder.person.home / "out.txt"
    assert holder.person.run("disclose", holder.id, "--yes", "--out", out, *argv).code == 2
    assert not out.exists()
    assert len(holder.person.ask("history")["history"]) == 1


def test_without_anybody_to_ask_the_missing_option_is_named(holder: Holder) -> None:
    ran = holder.person.run("disclose", holder.id, "--disclose", "display_name")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert ran.out == ""


def test_a_presentation_replaces_no_file(holder: Holder) -> None:
    out = holder.person.home / "out.txt"
    out.write_text("precious")
    assert holder.person.run("disclose", holder.id, "--yes", "--out", out).code == 4
    assert out.read_text() == "precious"
    assert len(holder.person.ask("history")["history"]) == 1  # and counts as no showing


def test_everything_done_is_in_the_history(holder: Holder) -> None:
    person, name = holder.person, holder.id
    person.run("qr", name, "--static", "--text")
    person.run("qr", name, "--text", "--challenge", CHALLENGE)
    person.run(
        "disclose", name, "--yes", "--disclose", "display_name",
        "--audience", "https://desk.example", "--nonce", "n",
    )  # fmt: skip
    acts = person.ask("history")["history"]
    assert [(act["act"], act["to"], act["what"]) for act in acts] == [
        ("received", "", []),
        ("static code made", "", []),
        ("dynamic code made", "https://desk.example", []),
        ("disclosed", "https://desk.example", ["display_name"]),
    ]
    assert "disclosed to https://desk.example: display_name" in person.run("history").out
    assert "disclosed to https://desk.example" in person.run("show", name).out
