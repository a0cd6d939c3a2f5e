"""What may come in: only what is good, complete and made for this wallet."""

import json
from pathlib import Path
from typing import Any

import pytest
from simulator import DAY, World
from wallet_people import HOST, Holder, Person, seal_for

from talentseal import cwt, qr, sdjwt
from talentseal.codetext import write_text
from talentseal.encoding import MAX_CREDENTIAL_DEPTH, b64url_encode
from talentseal.keys import new_signer


def write(person: Person, content: str | bytes) -> Path:
    path = person.home / "offered"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def nothing_changed(person: Person, keys: int) -> bool:
    """Whether the wallet is empty and its keys still wait."""
    backup = person.ask("backup", person.home / f"count-{keys}-{len(list(person.home.iterdir()))}")
    return (backup["credentials"], backup["unused_keys"]) == (0, keys)


def test_a_document_of_both_forms_is_checked_and_kept(person: Person, world: World) -> None:
    issued = seal_for(world.city, person.keys())
    row = person.ask("receive", issued.write(person.home))
    assert row["issuer_names"] == {"en": "bureau of Example City (fictional)"}
    assert row["formats"] == ["dc+sd-jwt", "talentseal_cwt"]
    assert row["known"]["outcome"] == "accept"
    assert person.ask("list")["credentials"][0]["id"] == row["id"]


def test_people_are_told_who_issued_what_and_until_when(person: Person, world: World) -> None:
    ran = person.run("receive", seal_for(world.city, person.keys()).write(person.home))
    assert ran.code == 0
    for text in ("Professional Title Certificate", "Senior Engineer", "(CN/9999), until 20"):
        assert text in ran.out


def test_a_certificate_of_another_jurisdiction_is_taken_too(person: Person, world: World) -> None:
    issued = seal_for(world.hk, person.keys(), "qual-01", territory=["HK"])
    ran = person.run("receive", issued.write(person.home))
    assert ran.code == 0, ran.err
    assert "(HK)" in ran.out


def test_a_bare_certificate_is_taken(person: Person, world: World) -> None:
    issued = seal_for(world.city, person.keys(1))
    row = person.ask("receive", write(person, issued.text + "\n"))
    assert row["formats"] == ["dc+sd-jwt"]
    code, reason = person.refused("qr", row["id"])
    assert (code, reason) == (2, "NOT_FOUND")
    assert "Ask the issuer for a code" in person.run("qr", row["id"]).err


@pytest.mark.parametrize("form", ["link", "base64url", "picture"])
def test_a_bare_code_is_taken_in_every_shape(person: Person, world: World, form: str) -> None:
    issued = seal_for(world.city, person.keys(1))
    shapes: dict[str, str | bytes] = {
        "link": issued.link,
        "base64url": b64url_encode(issued.code),
        "picture": qr.to_png(qr.encode(issued.link, level="M")),
    }
    row = person.ask("receive", write(person, shapes[form]))
    assert row["formats"] == ["talentseal_cwt"]
    assert "Senior Engineer" in person.run("show", row["id"]).out
    assert person.run("disclose", row["id"], "--yes").code == 2


def test_a_claim_as_deep_as_is_read_leaves_a_wallet_that_opens(
    person: Person, world: World
) -> None:
    deep: list[Any] = []
    for _ in range(MAX_CREDENTIAL_DEPTH - 2):  # a disclosure is a list itself
        deep = [deep]
    issued = seal_for(world.city, person.keys(1), "permit-01", claims={"position": deep})
    row = person.ask("receive", write(person, issued.text))
    assert person.ask("list")["credentials"][0]["id"] == row["id"]


def test_a_key_is_used_up_by_its_certificate(person: Person, world: World) -> None:
    keys = person.keys()
    first = seal_for(world.city, keys)
    person.receive(first)
    again = seal_for(world.city, keys)
    assert person.refused("receive", again.write(person.home)) == (1, "STATE_CONFLICT")
    assert person.refused("receive", first.write(person.home)) == (1, "STATE_CONFLICT")
    assert len(person.ask("list")["credentials"]) == 1


def test_a_certificate_for_somebody_elses_key_is_refused(person: Person, world: World) -> None:
    ours, foreign = person.keys(), new_signer().public
    for keys in ([foreign, ours[1]], [ours[0], foreign], [foreign, foreign]):
        issued = seal_for(world.city, keys)
        assert person.refused("receive", issued.write(person.home)) == (1, "HOLDER_NOT_BOUND")
    assert nothing_changed(person, 2)


def test_one_key_may_not_serve_two_copies(person: Person, world: World) -> None:
    issued = seal_for(world.city, person.keys(1))
    assert person.refused("receive", issued.write(person.home)) == (1, "HOLDER_NOT_BOUND")


def test_a_code_without_a_holder_is_refused(person: Person, world: World) -> None:
    paper = world.city.issue()  # its code is sealed for a key of the simulator
    assert person.refused("receive", write(person, b64url_encode(paper.code)))[1] == (
        "HOLDER_NOT_BOUND"
    )


def test_a_tampered_certificate_is_refused(person: Person, world: World) -> None:
    issued = seal_for(world.city, person.keys())
    head, payload, rest = issued.text.split(".", 2)
    for text, expected in (
        (f"{head}.{payload}.{'A' if rest[0] != 'A' else 'B'}{rest[1:]}", "SIGNATURE_INVALID"),
        (issued.text.replace("~", "~WyJhIiwiYiIsImMiXQ~", 1), "DISCLOSURE_INVALID"),
    ):
        copies: list[dict[str, Any]] = [{"format": "dc+sd-jwt", "credential": text}]
        ran = person.refused("receive", issued.write(person.home, credentials=copies))
        assert ran == (1, expected)
    assert nothing_changed(person, 2)


def test_one_bad_copy_spoils_the_offer(person: Person, world: World) -> None:
    issued = seal_for(world.city, person.keys())
    code = issued.code[:-1] + bytes((issued.code[-1] ^ 1,))
    document = issued.document()
    document["credentials"][1]["credential"] = b64url_encode(code)
    path = write(person, json.dumps(document))
    assert person.refused("receive", path) == (1, "SIGNATURE_INVALID")
    assert nothing_changed(person, 2)


def test_a_revoked_certificate_is_refused(person: Person, world: World) -> None:
    issued = seal_for(world.city, person.keys())
    world.city.list.set(issued.index, 1)
    assert person.synchronise(world).code == 0
    assert person.refused("receive", issued.write(person.home)) == (1, "REVOKED")
    assert nothing_changed(person, 2)


def test_an_expired_certificate_is_refused(person: Person, world: World) -> None:
    past = world.now - world.now % 3600
    issued = seal_for(world.city, person.keys(), iat=past - 300 * DAY, exp=past - DAY)
    assert person.refused("receive", issued.write(person.home)) == (1, "EXPIRED")
    assert nothing_changed(person, 2)


def test_an_unknown_issuer_is_refused(person: Person, world: World) -> None:
    strangers = World.honest(world.now)
    strangers.city.bodies["bureau"].signer = new_signer()
    issued = seal_for(strangers.city, person.keys())
    assert person.refused("receive", issued.write(person.home)) == (1, "KEY_UNKNOWN")


def test_a_certificate_with_a_withheld_part_is_refused(person: Person, world: World) -> None:
    keys = person.keys(1)
    issued = seal_for(world.city, keys)
    names = ["display_name", "certificate_number", "family_name", "acquisition"]
    without_document = sdjwt.disclose(issued.text, names)
    assert person.refused("receive", write(person, without_document)) == (1, "CLAIM_MISSING")
    without_number = sdjwt.disclose(issued.text, [*names, "id_document.number_tail"])
    assert person.refused("receive", write(person, without_number)) == (1, "CLAIM_MISSING")
    assert nothing_changed(person, 1)


def test_copies_of_different_certificates_are_refused(person: Person, world: World) -> None:
    keys = person.keys()
    title, other = seal_for(world.city, keys), seal_for(world.city, keys, "permit-01")
    document = title.document()
    document["credentials"][1]["credential"] = b64url_encode(other.code)
    path = write(person, json.dumps(document))
    assert person.refused("receive", path) == (1, "CLAIMS_INVALID")


@pytest.mark.parametrize("form", ["dc+sd-jwt", "talentseal_cwt"])
def test_copies_that_do_not_say_the_same_are_refused(
    person: Person, world: World, form: str
) -> None:
    first, second = person.keys()
    others: list[dict[str, Any]] = [
        {"claims": {"display_name": "Somebody Else", "birthdate": "1950-01-01"}},
        {"claims": {"certificate_number": "FICTIONAL-2"}},
        {"claims": {"title_name": {"en": "Engineer", "zh-Hans": "\u5de5\u7a0b\u5e08"}}},
        {"territory": ["CN/9999/x-fictional"]},
        {"exp": world.now + 200 * DAY},
    ]
    document = seal_for(world.city, [first]).document()
    for other in others:
        strange = seal_for(world.city, [second], **other).document()["credentials"]
        document["credentials"][1] = strange[form != "dc+sd-jwt"]
        ran = person.run("receive", write(person, json.dumps(document)))
        assert (ran.code, "do not say the same" in ran.err) == (1, True), other
    assert nothing_changed(person, 2)


def test_copies_sealed_at_different_moments_are_one_certificate(
    person: Person, world: World
) -> None:
    first, second = person.keys()
    end = world.now + 300 * DAY
    copies = [seal_for(world.city, [first], exp=end)]
    copies.append(seal_for(world.city, [second], exp=end, iat=world.now - 2 * DAY))
    document = copies[0].document()
    document["credentials"][1] = copies[1].document()["credentials"][0]
    row = person.ask("receive", write(person, json.dumps(document)))
    assert row["formats"] == ["dc+sd-jwt"] * 2


def test_what_arrives_later_is_no_copy_of_what_is_held(holder: Holder, world: World) -> None:
    person = holder.person
    claims = {"display_name": "Somebody Else"}
    later = seal_for(world.city, person.keys(1), claims=claims).text
    row = person.ask("receive", write(person, later))
    assert row["id"] != holder.id
    for name, whose in ((holder.id, "Somebody Else"), (row["id"], "Lin")):
        assert whose not in str(person.ask("show", name)["claims"]["display_name"])


def test_what_was_made_for_a_verifier_is_no_certificate_to_keep(holder: Holder) -> None:
    person, name = holder.person, holder.id
    live = person.run("qr", name, "--text").out.strip()
    assert person.refused("receive", write(person, live)) == (1, "MALFORMED")
    bound = person.ask(
        "disclose", name, "--yes", "--audience", "https://desk.example", "--nonce", "n"
    )["presentation"]
    assert person.refused("receive", write(person, bound)) == (1, "MALFORMED")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", (1, "NOT_A_CREDENTIAL")),
        (b"hello world", (1, "NOT_A_CREDENTIAL")),
        (b"\xff\xfe", (1, "NOT_A_CREDENTIAL")),
        (b"<html>502 Bad Gateway</html>", (1, "NOT_A_CREDENTIAL")),
        (b"{", (1, "MALFORMED")),
        (b"{}", (1, "MALFORMED")),
        (b'{"id":1,"credentials":[]}', (1, "MALFORMED")),
        (b'{"credentials":[]}', (1, "MALFORMED")),
        (b'{"credentials":[{"format":"mso_mdoc","credential":"x"}]}', (1, "MALFORMED")),
        (b'{"credentials":[{"format":["dc+sd-jwt"],"credential":"x"}]}', (1, "MALFORMED")),
        (b'{"credentials":[{"format":"dc+sd-jwt","credential":7}]}', (1, "MALFORMED")),
        (b'{"credentials":[{"format":"dc+sd-jwt","credential":"a.b.c~"}]}', (1, "MALFORMED")),
        (b'{"credentials":' + b"[" * 1000, (1, "TOO_LARGE")),
        (b'{"id":"' + b"x" * 201 + b'","credentials":[{}]}', (1, "MALFORMED")),
    ],
)
def test_anything_else_is_refused_by_code(
    person: Person, content: bytes, expected: tuple[int, str]
) -> None:
    code, reason = person.refused("receive", write(person, content))
    assert code == expected[0]
    assert reason == expected[1]
    assert nothing_changed(person, 0)


def test_a_missing_file_a_pipe_and_an_oversize_one_are_told_apart(person: Person) -> None:
    assert person.refused("receive", person.home / "nowhere") == (4, "INPUT_UNREADABLE")
    assert person.refused("receive", Path("/dev/null")) == (4, "INPUT_UNREADABLE")
    assert person.refused("receive", write(person, bytes(10 * 1024 * 1024 + 1))) == (4, "TOO_LARGE")


def test_without_trust_data_nothing_is_taken(newcomer: Person, world: World) -> None:
    newcomer.ask("init")
    issued = seal_for(world.city, newcomer.keys())
    assert newcomer.refused("receive", issued.write(newcomer.home))[0] == 1
    assert newcomer.ask("list") == {"credentials": []}


def test_the_host_of_a_link_is_no_reason_to_believe_or_refuse(person: Person, world: World) -> None:
    issued = seal_for(world.city, person.keys(1))
    elsewhere = write_text(issued.code, host="unknown.example")
    assert HOST not in elsewhere
    assert person.ask("receive", write(person, elsewhere))["known"]["outcome"] == "accept"
    assert cwt.parse(issued.code).form == "cwt"
