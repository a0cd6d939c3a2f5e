"""`verifier check`: what goes in, what comes out, and by which exit code it leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
from verifier_desk import CITY, FOR_WORK, VerifierDesk, codes

from schemas.verdict_document import VerdictDocument
from talentseal import codetext, qr
from talentseal.encoding import b64url_encode, format_time
from talentseal.errors import Exit

HOST = "verify.talentseal.example"
# Every socket, name look-up and connection fails, and what was tried is told at the end.
FORBID = """
import atexit, sys
tried = []
def forbid(event, _):
    if event.startswith("socket."):
        tried.append(event)
        raise OSError("no socket here")
sys.addaudithook(forbid)
atexit.register(lambda: print("tried", *tried, file=sys.stderr))
"""
# While it is loaded, the HTTP library of the update client asks the system for IPv6 in this way.
PROBE = "socket.__new__"


def link(code: bytes) -> str:
    return codetext.write_text(code, host=HOST)


def picture(*texts: str) -> bytes:
    """PNG codes side by side."""
    from io import BytesIO

    from PIL import Image

    images = [
        Image.open(BytesIO(qr.to_png(qr.encode(text, level="M"), pixels_per_module=4)))
        for text in texts
    ]
    height = max(image.height for image in images)
    whole = Image.new("L", (sum(image.width for image in images), height), 255)
    left = 0
    for image in images:
        whole.paste(image.convert("L"), (left, 0))
        left += image.width
    out = BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()


# --- one input ------------------------------------------------------------------------------------


def test_one_certificate_gives_the_verdict_document(desk: VerifierDesk) -> None:
    desk.ready()
    title = desk.world.city.issue()
    ran = desk.check("--json", desk.file("a.txt", title.text + "\n"))
    assert ran.code == Exit.OK
    document = ran.document
    VerdictDocument.model_validate(document)
    assert (document["outcome"], document["home_jurisdiction"]) == ("accept", CITY)
    assert (document["place"], document["purpose"]) == (CITY, "employment")


@pytest.mark.parametrize("form", ["digits", "base45", "base64url"])
def test_the_text_of_a_code_is_read_in_every_form(desk: VerifierDesk, form: Any) -> None:
    desk.ready()
    text = codetext.write_text(desk.world.city.issue().code, host=HOST, form=form)
    assert desk.check(desk.file("a.txt", text)).code == Exit.OK


def test_people_read_words_and_labels(desk: VerifierDesk) -> None:
    desk.ready()
    shown = desk.check(desk.file("a.txt", link(desk.world.city.issue().code))).out
    assert shown.startswith("ACCEPT  ")
    assert "HOLDER_BEARER_COPY" in shown
    assert "Name" in shown
    assert "\x1b" not in shown


def test_the_answer_comes_in_the_language_asked_for(desk: VerifierDesk) -> None:
    desk.ready()
    path = desk.file("a.txt", "nothing")
    english = desk.check("--json", path).document
    chinese = desk.check("--json", "--lang", "zh-HK", path).document
    assert codes(english) == codes(chinese) == ["NOT_A_CREDENTIAL"]
    assert english["checks"][-1]["message"] != chinese["checks"][-1]["message"]


def test_outcomes_leave_by_their_exit_codes(desk: VerifierDesk) -> None:
    city = desk.world.city
    good, gone = city.issue(), city.issue()
    city.set_status(gone, 1)
    desk.ready()
    paths = {
        "accept": desk.file("good.txt", good.text),
        "refuse": desk.file("gone.txt", gone.text),
        "unreadable": desk.file("bad.bin", b"\xff\xfe\x00"),
    }
    assert desk.check(paths["accept"]).code == Exit.OK
    assert desk.check(paths["refuse"]).code == Exit.REFUSE
    assert desk.check("--at", "2020-01-01T00:00:00Z", paths["accept"]).code == Exit.REFUSE
    later = format_time(desk.world.now + 8 * 86_400)
    assert desk.check("--at", later, paths["accept"]).code == Exit.REFER
    unreadable = desk.check("--json", paths["unreadable"])
    assert (unreadable.code, unreadable.document["code"]) == (Exit.UNAVAILABLE, "INPUT_UNREADABLE")
    missing = desk.check("--json", str(desk.folder / "none"))
    assert (missing.code, missing.document["code"]) == (Exit.UNAVAILABLE, "INPUT_UNREADABLE")


def test_without_trust_data_nothing_is_known(desk: VerifierDesk) -> None:
    desk.run("init", "--root", desk.root())
    ran = desk.run("check", "--json", desk.file("a.txt", desk.world.city.issue().text))
    assert (ran.code, codes(ran.document)) == (Exit.REFER, ["NO_TRUST_DATA"])
    assert ran.document["home_jurisdiction"] == CITY
    assert ran.document["credential"] is None


@pytest.mark.parametrize(
    "options",
    [
        ("--at", "yesterday"),
        ("--place", "Atlantis"),
        ("--purpose", "fun"),
        ("--jurisdiction", "x"),
        ("--root", "root.json"),
        ("--jobs", "0"),
        ("-", "-"),
    ],
)
def test_a_wrong_command_line_is_told_as_such(desk: VerifierDesk, options: tuple[str, ...]) -> None:
    assert desk.run("check", *options, desk.file("a.txt", "x")).code == Exit.USAGE


def test_a_text_comes_by_standard_input(desk: VerifierDesk) -> None:
    desk.ready()
    text = desk.world.city.issue().text.encode()
    for arguments in (("-",), ()):
        ran = desk.apart("check", *FOR_WORK, *arguments, stdin=text)
        assert (ran.code, ran.err) == (Exit.OK, "")


def test_a_file_past_the_cap_is_not_read(desk: VerifierDesk) -> None:
    desk.ready()
    ran = desk.check("--json", desk.file("a.txt", b"1" * (10 * 1024 * 1024 + 1)))
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "TOO_LARGE")
    ran = desk.check("--json", desk.file("a.txt", b"1" * 100_000))
    assert (ran.code, codes(ran.document)) == (Exit.REFUSE, ["TOO_LARGE"])


# --- pictures -------------------------------------------------------------------------------------


def test_a_picture_and_a_page_are_read(desk: VerifierDesk) -> None:
    desk.ready()
    png = picture(link(desk.world.city.issue().code))
    assert desk.check(desk.file("a.png", png)).code == Exit.OK


def test_another_code_on_the_page_does_not_matter(desk: VerifierDesk) -> None:
    desk.ready()
    png = picture("https://example.org/menu", link(desk.world.city.issue().code))
    assert desk.check(desk.file("a.png", png)).code == Exit.OK


def test_two_certificates_in_one_picture_are_not_chosen_from(desk: VerifierDesk) -> None:
    desk.ready()
    city = desk.world.city
    png = picture(link(city.issue().code), link(city.issue().code))
    ran = desk.check("--json", desk.file("a.png", png))
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "INPUT_UNREADABLE")
    assert ran.document["title"].startswith("2 different codes")


def test_a_code_that_is_none_of_ours_is_refused_as_such(desk: VerifierDesk) -> None:
    desk.ready()
    ran = desk.check("--json", desk.file("a.png", picture("https://example.org/menu")))
    assert (ran.code, codes(ran.document)) == (Exit.REFUSE, ["NOT_A_CREDENTIAL"])


# --- many inputs ----------------------------------------------------------------------------------


def mixed(desk: VerifierDesk) -> list[str]:
    city = desk.world.city
    good, gone = city.issue(), city.issue()
    city.set_status(gone, 1)
    desk.ready()
    return [
        desk.file("good.txt", good.text),
        desk.file("gone.txt", link(gone.code)),
        desk.file("bad.bin", b"\xff\x00"),
        desk.file("again.txt", link(good.code)),
    ]


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_many_inputs_are_answered_in_their_order(desk: VerifierDesk, jobs: str) -> None:
    paths = mixed(desk)
    ran = desk.check("--json", "--jobs", jobs, *paths)
    assert ran.code == Exit.REFUSE
    assert [one["input"] for one in ran.document] == paths
    told = [one.get("verdict", {}).get("outcome") for one in ran.document]
    assert told == ["accept", "refuse", None, "accept"]
    assert ran.document[2]["problem"]["code"] == "INPUT_UNREADABLE"


def test_lines_are_the_same_elements(desk: VerifierDesk) -> None:
    paths = mixed(desk)
    at = format_time(desk.world.now)
    lines = desk.check("--jsonl", "--at", at, *paths).out.splitlines()
    array = desk.check("--json", "--at", at, *paths).document
    assert [json.loads(line) for line in lines] == array
    (one,) = desk.check("--jsonl", "--at", at, paths[0]).out.splitlines()
    assert json.loads(one) == array[0]


def test_people_read_one_line_an_input_and_a_summary(desk: VerifierDesk) -> None:
    lines = desk.check(*mixed(desk)).out.splitlines()
    assert [line[:8].strip() for line in lines[:4]] == ["ACCEPT", "REFUSE", "-", "ACCEPT"]
    assert lines[4] == "4 checked: 2 accept, 1 refuse, 1 unreadable"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("accept refuse refer unreadable", Exit.REFUSE),
        ("unreadable refer accept", Exit.REFER),
        ("accept unreadable", Exit.UNAVAILABLE),
        ("accept accept", Exit.OK),
    ],
)
def test_the_worst_decides_the_exit(desk: VerifierDesk, wanted: str, code: Exit) -> None:
    world = desk.world
    gone = world.city.issue()
    world.city.set_status(gone, 1)
    desk.ready()
    texts: dict[str, str | bytes] = {
        "accept": world.city.issue().text,
        "refuse": gone.text,
        "unreadable": b"\xff",
        "refer": world.hk.issue("qual-01").text,  # no purpose is declared
    }
    paths = [desk.file(f"{n}.txt", texts[word]) for n, word in enumerate(wanted.split())]
    assert desk.run("check", *paths).code == code


# --- a bundle used once ---------------------------------------------------------------------------


def test_a_bundle_needs_no_socket_and_no_other_state(desk: VerifierDesk) -> None:
    held = desk.world.city.issue()
    bundle = desk.publish()
    png = desk.file("a.png", picture(link(held.code)))
    text = desk.file("a.txt", held.text)
    arguments = ("check", *FOR_WORK, "--bundle", bundle, "--jurisdiction", CITY)
    for shown in (png, text):
        ran = desk.apart(*arguments, "--json", shown, before=FORBID)
        assert ran.code == Exit.OK, ran.err
        assert ran.err.split() in (["tried"], ["tried", PROBE])
        assert "DEV_TRUST" in [check["code"] for check in ran.document["checks"]]
    assert not (desk.folder / "home").exists()


def test_a_stored_set_needs_no_socket_at_all(desk: VerifierDesk) -> None:
    desk.ready()
    shown = desk.file("a.txt", desk.world.city.issue().text)
    ran = desk.apart("check", *FOR_WORK, shown, before=FORBID)
    assert (ran.code, ran.err.split()) == (Exit.OK, ["tried"])


def test_the_forbidding_of_sockets_forbids(desk: VerifierDesk) -> None:
    ran = desk.apart("check", before=f"{FORBID}\nimport socket\nsocket.socket()")
    assert ran.err.splitlines()[-2:] == ["OSError: no socket here", "tried socket.__new__"]


def test_a_folder_serves_as_a_bundle(desk: VerifierDesk) -> None:
    for name, data in desk.world.publish().items():
        path = desk.folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    shown = desk.file("a.txt", desk.world.hk.issue("qual-01").text)
    ran = desk.check("--bundle", str(desk.folder / "files"), "--json", shown)
    assert (ran.code, ran.document["home_jurisdiction"]) == (Exit.OK, CITY)
    ran = desk.check(
        "--bundle", str(desk.folder / "files"), "--jurisdiction", "MO", "--json", shown
    )
    assert (ran.code, codes(ran.document)) == (Exit.REFUSE, ["NOT_RECOGNISED"])


def test_a_bundle_goes_by_the_pin_where_there_is_one(desk: VerifierDesk) -> None:
    bundle = desk.publish()
    shown = desk.file("a.txt", desk.world.city.issue().text)
    desk.run("init", "--root", desk.root("HK"))
    ran = desk.run("check", "--bundle", bundle, "--json", shown)
    assert ran.document["home_jurisdiction"] == "HK"
    ran = desk.check("--bundle", bundle, "--root", desk.root(), "--json", shown)
    assert ran.document["home_jurisdiction"] == CITY


def test_a_bundle_older_than_what_the_desk_holds_gives_no_verdict(desk: VerifierDesk) -> None:
    title = desk.world.city.issue()
    shown = desk.file("title.txt", title.text.encode("ascii"))
    older = desk.publish("older.zip")
    desk.world.city.set_status(title, 1)
    newer = desk.publish("newer.zip")
    assert desk.run("init", "--root", desk.root()).code == Exit.OK
    assert desk.check("--bundle", older, "--json", shown).document["outcome"] == "accept"
    assert desk.run("sync", "--from", newer).code == Exit.OK
    assert desk.check("--json", shown).code == Exit.REFUSE
    ran = desk.check("--bundle", older, "--json", shown)
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "ROLLBACK_REFUSED")
    assert desk.check("--bundle", newer, "--json", shown).code == Exit.REFUSE
    looking_back = desk.check("--bundle", older, "--root", desk.root(), "--json", shown)
    assert looking_back.document["outcome"] == "accept"


def test_a_production_bundle_needs_its_root(desk: VerifierDesk) -> None:
    for office in desk.world.offices.values():
        office.dev = False
        office.tuf.roots.clear()
        office.peers.clear()
    bundle = desk.publish()
    shown = desk.file("a.txt", desk.world.city.issue().text)
    assert desk.check("--bundle", bundle, shown).code == Exit.USAGE
    ran = desk.check("--bundle", bundle, "--root", desk.root(), "--json", shown)
    assert ran.code == Exit.OK
    assert "DEV_TRUST" not in [check["code"] for check in ran.document["checks"]]


def test_a_bundle_that_is_refused_gives_no_verdict(desk: VerifierDesk) -> None:
    shown = desk.file("a.txt", desk.world.city.issue().text)
    whole = Path(desk.publish()).read_bytes()
    ran = desk.check("--bundle", desk.file("cut.zip", whole[:-50]), "--json", shown)
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "BUNDLE_UNSAFE")
    ran = desk.check("--bundle", str(desk.folder / "none.zip"), "--json", shown)
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "INPUT_UNREADABLE")


# --- the holder's proof ---------------------------------------------------------------------------


def test_a_presentation_counts_once(desk: VerifierDesk) -> None:
    desk.ready()
    shown = desk.world.city.issue().present(
        "display_name", audience="https://desk.example", nonce="n-0000", at=desk.world.now
    )
    path = desk.file("p.txt", shown)
    asked = ("--audience", "https://desk.example", "--nonce", "n-0000", "--json")
    assert desk.check(*asked, path).code == Exit.OK
    again = desk.check(*asked, path)
    assert (again.code, codes(again.document)) == (Exit.REFUSE, ["HOLDER_REPLAYED"])
    other = desk.check("--audience", "https://other.example", "--nonce", "n-0000", "--json", path)
    assert codes(other.document) == ["HOLDER_AUDIENCE"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_with_a_bundle_a_proof_counts_once_a_run(desk: VerifierDesk, jobs: str) -> None:
    code = desk.world.city.issue().live(at=desk.world.now)
    path = desk.file("p.txt", b64url_encode(code))
    arguments = ("--bundle", desk.publish(), "--jobs", jobs, "--json")
    for _ in range(2):
        ran = desk.check(*arguments, path, path)
        told = sorted(one["verdict"]["outcome"] for one in ran.document)
        assert told == ["accept", "refuse"]
    assert not desk.home.exists()


def test_a_proof_that_cannot_be_remembered_is_not_accepted(desk: VerifierDesk) -> None:
    desk.ready()
    (desk.home / "replays.db").mkdir()
    path = desk.file("p.txt", b64url_encode(desk.world.city.issue().live(at=desk.world.now)))
    ran = desk.check("--json", path)
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
