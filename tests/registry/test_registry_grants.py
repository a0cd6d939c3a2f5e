from typing import Any

import pytest
from registry_desk import HK, STATION, SZ, Desk
from sqlalchemy import text

from registry.database import transaction
from talentseal.artefacts import SignedFiles, parse_root
from talentseal.bundle import Part
from talentseal.commandline import now
from talentseal.compiling import compile_part
from talentseal.encoding import format_time, to_seconds
from talentseal.errors import Exit
from talentseal.keys import new_signer
from talentseal.service.database import connect
from talentseal.statements import floor_hour

COMMISSION = "https://stic.sz.example"
TITLE = ("--type", "professional-title/1")
PERMIT = ("--type", "foreigner-work-permit/1")


def compiled(desk: Desk, code: str = SZ) -> Part:
    """What a verifier makes of the published files."""
    root = desk.public / code.replace("/", "-") / "metadata" / "1.root.json"
    info, version = parse_root(root.read_bytes())
    held = desk.ask("jurisdiction", "show", code)["versions"]
    files = SignedFiles(info, version, held["targets"], held["snapshot"], 2**40, desk.read(code))
    return compile_part(files, None, now=to_seconds(now()))


def delegate(desk: Desk, *more: str) -> Any:
    return desk.ask(
        "grant", "delegate", "--jurisdiction", SZ, "--authority", COMMISSION,
        "--name", "en=Example Commission", *more,
    )  # fmt: skip


def grant(desk: Desk, *more: str) -> Any:
    return desk.ask("grant", "new", "--issuer", STATION, *more)


def test_a_verifier_finds_the_right_that_was_granted(desk: Desk) -> None:
    part = compiled(desk)
    (right,) = part.rights
    assert right.fault is None
    assert (right.iss, right.authority) == (STATION, "https://trust.sz.example")
    assert right.vct == ["https://types.talentseal.example/professional-title/1"]
    assert (list(right.territory), list(right.profession or ())) == ([SZ], ["series/05"])
    assert right.nbf <= to_seconds(now()) - 3600 < right.exp
    (key,) = part.keys
    assert (key.iss, key.outside) == (STATION, False)
    assert key.nbf <= to_seconds(now()) - 3600


def test_a_right_is_granted_again_for_every_key_the_issuer_has_now(desk: Desk) -> None:
    (before,) = compiled(desk).rights
    signer = new_signer()
    desk.ask("issuer", "new", "--jurisdiction", SZ, "--request", desk.request(signer))
    (renewed,) = desk.ask("grant", "renew", "--issuer", STATION)
    desk.ask("publish")
    rights = {right.jti: right for right in compiled(desk).rights}
    after = rights[renewed["jti"]]
    assert set(after.jkt) == {*before.jkt, signer.public.kid}
    assert rights.keys() == {before.jti, after.jti}
    assert before._replace(jti="", jkt=(), nbf=0, exp=0, delegation_jti=None) == after._replace(
        jti="", jkt=(), nbf=0, exp=0, delegation_jti=None
    )


def test_the_root_delegates_to_itself_once_and_on_demand(desk: Desk) -> None:
    grant(desk, *TITLE, "--territory", "CN/440305")
    rights = desk.ask("grant", "list", "--jurisdiction", SZ)
    own = [one for one in rights if one["kind"] == "delegation" and one["types"]]
    assert len(own) == 1
    assert own[0]["from"] == own[0]["to"] == "https://trust.sz.example"
    assert not [one for one in desk.ask("grant", "list", "--jurisdiction", HK) if one["types"]]


def test_an_authority_grants_what_was_delegated_to_it(desk: Desk) -> None:
    delegate(desk, *PERMIT, "--territory", SZ, "--days", "700")
    told = grant(desk, *PERMIT, "--territory", "CN/440305", "--authority", COMMISSION)
    assert told["from"] == COMMISSION
    desk.ask("publish")
    right = next(one for one in compiled(desk).rights if one.authority == COMMISSION)
    assert right.fault is None
    assert list(right.territory) == ["CN/440305"]


@pytest.mark.parametrize(
    "more",
    [
        ("--territory", "CN/44"),
        ("--territory", "CN/4403", "--type", "professional-title/1"),
        ("--territory", "CN/4403", "--days", "20"),
        ("--territory", "CN/4403", "--max-validity-days", "800"),
    ],
)
def test_an_authority_cannot_grant_more_than_it_has(desk: Desk, more: tuple[str, ...]) -> None:
    delegate(desk, *PERMIT, "--territory", SZ, "--days", "10", "--max-validity-days", "700")
    argv = ("--issuer", STATION, "--authority", COMMISSION, *PERMIT, *more)
    assert desk.refused("grant", "new", *argv) == (Exit.REFUSE, "DELEGATION_WIDENED")


@pytest.mark.parametrize("days", ["0", "-1", "36501", "99999999999999999999"])
def test_a_limit_that_cannot_be_meant_is_no_grant_without_one(desk: Desk, days: str) -> None:
    argv = (*TITLE, "--territory", SZ, "--max-validity-days", days)
    told = [
        desk.refused("grant", "new", "--issuer", STATION, *argv),
        desk.refused("grant", "delegate", "--jurisdiction", SZ, "--authority", COMMISSION,
                     "--name", "en=Example Commission", *argv),
    ]  # fmt: skip
    assert told == [(Exit.USAGE, "REQUEST_INVALID")] * 2


def test_a_delegated_profession_must_be_named_again(desk: Desk) -> None:
    delegate(desk, *TITLE, "--territory", SZ, "--profession", "series/05")
    argv = ("--issuer", STATION, "--authority", COMMISSION, *TITLE, "--territory", SZ)
    assert desk.refused("grant", "new", *argv) == (Exit.REFUSE, "DELEGATION_WIDENED")
    assert desk.ask("grant", "new", *argv, "--profession", "series/05")["kind"] == "grant"


def test_a_grant_ends_with_its_delegation_and_inherits_its_limit(desk: Desk) -> None:
    parent = delegate(
        desk, *PERMIT, "--territory", SZ, "--days", "30", "--max-validity-days", "365"
    )
    told = grant(desk, *PERMIT, "--territory", SZ, "--authority", COMMISSION)
    assert (told["exp"], told["max_validity_days"]) == (parent["exp"], 365)


def test_the_root_cannot_delegate_beyond_its_own_territory(desk: Desk) -> None:
    for place in ("HK", "CN", "CN/44"):
        argv = ("--jurisdiction", SZ, "--authority", "root", *TITLE, "--territory", place)
        assert desk.refused("grant", "delegate", *argv) == (Exit.REFUSE, "DELEGATION_WIDENED")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("--issuer", STATION, "--type", "no-such-type/1", "--territory", SZ), "REQUEST_INVALID"),
        (("--issuer", "https://nobody.sz.example", *TITLE, "--territory", SZ), "NOT_FOUND"),
        (("--issuer", STATION, *TITLE, "--territory", SZ, "--days", "731"), "REQUEST_INVALID"),
        (("--issuer", STATION, *TITLE, "--territory", SZ, "--authority", "https://a.sz.example"),
         "NOT_FOUND"),
    ],
)  # fmt: skip
def test_an_impossible_grant_is_wrong_usage(desk: Desk, argv: tuple[str, ...], code: str) -> None:
    assert desk.refused("grant", "new", *argv) == (Exit.USAGE, code)


@pytest.mark.parametrize("bad", [("--territory", "nowhere"), ("--profession", "Not A Path")])
def test_places_and_professions_are_spelt_in_one_way(desk: Desk, bad: tuple[str, str]) -> None:
    before = desk.ask("grant", "list")
    argv = ("--issuer", STATION, *TITLE, "--territory", SZ, *bad)
    assert desk.refused("grant", "new", *argv) == (Exit.USAGE, "REQUEST_INVALID")
    assert desk.ask("grant", "list") == before


def test_a_new_authority_needs_a_name_and_a_host_of_the_jurisdiction(desk: Desk) -> None:
    argv = ("--jurisdiction", SZ, *TITLE, "--territory", SZ, "--authority")
    assert desk.refused("grant", "delegate", *argv, COMMISSION)[0] == Exit.USAGE
    outside = ("https://stic.hk.example", "--name", "en=Outside")
    assert desk.refused("grant", "delegate", *argv, *outside)[0] == Exit.USAGE


# --- endings --------------------------------------------------------------------------------------


def the_grant(desk: Desk) -> str:
    rights = desk.ask("grant", "list", "--jurisdiction", SZ)
    return str(next(one["jti"] for one in rights if one["to"] == STATION))


def withdraw(desk: Desk, jti: str, effect: str, *more: str) -> Any:
    return desk.ask("grant", "withdraw", jti, "--effect", effect, "--reason", "agreed", *more)


def state(desk: Desk, jti: str) -> str:
    return str(next(one["state"] for one in desk.ask("grant", "list") if one["jti"] == jti))


@pytest.mark.parametrize(
    ("effect", "word"),
    [
        ("from", "withdrawn"),
        ("void", "void"),
        ("suspend", "suspended"),
        ("anchored", "withdrawn"),
        ("review", "withdrawn"),
    ],
)
def test_an_ended_grant_is_published_as_ended(desk: Desk, effect: str, word: str) -> None:
    jti = the_grant(desk)
    told = withdraw(desk, jti, effect)
    assert told["at"] == format_time(floor_hour(to_seconds(now())))
    assert state(desk, jti) == word
    desk.ask("publish")
    part = compiled(desk)  # the head must vouch for the withdrawal, or this refuses
    (right,) = part.rights
    assert [event.effect for event in right.events] == [effect]
    assert len(part.negatives) == 1


def test_a_suspension_can_be_lifted_and_nothing_else_can(desk: Desk) -> None:
    jti = the_grant(desk)
    argv = ("grant", "withdraw", jti, "--reason", "x", "--effect")
    assert desk.refused(*argv, "resume") == (Exit.REFUSE, "STATE_CONFLICT")
    withdraw(desk, jti, "suspend")
    withdraw(desk, jti, "resume")
    withdraw(desk, jti, "from")
    for effect in ("resume", "suspend", "from"):
        assert desk.refused(*argv, effect) == (Exit.REFUSE, "STATE_CONFLICT")
    withdraw(desk, jti, "void")


def test_a_delegation_is_ended_like_a_grant(desk: Desk) -> None:
    jti = delegate(desk, *PERMIT, "--territory", SZ)["jti"]
    withdraw(desk, jti, "from")
    argv = ("--issuer", STATION, "--authority", COMMISSION, *PERMIT, "--territory", SZ)
    assert desk.refused("grant", "new", *argv) == (Exit.REFUSE, "DELEGATION_MISSING")
    desk.ask("publish")
    assert len(compiled(desk).negatives) == 1


def test_the_right_to_publish_status_is_not_ended_with_a_grant(desk: Desk) -> None:
    rights = [one["jti"] for one in desk.ask("grant", "list", "--jurisdiction", SZ)
              if one["uri_prefix"]]  # fmt: skip
    assert len(rights) == 2  # the delegation and the grant
    for jti in rights:
        argv = ("grant", "withdraw", jti, "--reason", "x", "--effect", "from")
        assert desk.refused(*argv) == (Exit.REFUSE, "NOT_OFFERED")
    desk.ask("publish")
    assert compiled(desk).jurisdiction.status_uris


def test_an_end_in_the_past_must_be_meant(desk: Desk) -> None:
    jti = the_grant(desk)
    past = format_time(to_seconds(now()) - 2 * 86_400)
    argv = ("grant", "withdraw", jti, "--effect", "from", "--reason", "x", "--at", past)
    assert desk.refused(*argv) == (Exit.REFUSE, "STATEMENT_RETROACTIVE")
    assert desk.ask(*argv, "--retroactive")["effect"] == "from"


def test_an_end_to_come_leaves_the_grant_in_force(desk: Desk) -> None:
    jti = the_grant(desk)
    withdraw(desk, jti, "from", "--at", format_time(to_seconds(now()) + 86_400))
    assert state(desk, jti) == "in force"


@pytest.mark.parametrize(
    "argv",
    [("g-unknown", "--effect", "from"), ("{}", "--effect", "delete"), ("{}", "--effect", "")],
)
def test_an_impossible_end_is_wrong_usage(desk: Desk, argv: tuple[str, ...]) -> None:
    named = [one.format(the_grant(desk)) for one in argv]
    assert desk.refused("grant", "withdraw", *named, "--reason", "x")[0] == Exit.USAGE


def test_a_reason_is_given_and_a_time_is_a_time(desk: Desk) -> None:
    argv = ("grant", "withdraw", the_grant(desk), "--effect", "from", "--reason")
    assert desk.refused(*argv, "")[0] == Exit.REFUSE
    assert desk.refused(*argv, "x", "--at", "yesterday")[0] == Exit.REFUSE


# --- a row that somebody edited -------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE statement SET jws = replace(jws, '.', '.e') WHERE kind = 'grant'",
        "UPDATE statement SET issuer = 'https://evil.example' WHERE kind = 'grant'",
        "UPDATE statement SET sha256 = 'x' WHERE kind = 'delegation'",
        "UPDATE statement SET kind = 'delegation' WHERE kind = 'grant'",
    ],
)
def test_an_edited_statement_is_noticed_and_never_published(desk: Desk, edit: str) -> None:
    before = desk.read(SZ)
    with transaction(connect(desk.database)) as session:
        session.execute(text("DROP TRIGGER statement_no_update"))
        session.execute(text(edit))
    for argv in (("grant", "list"), ("publish",)):
        assert desk.refused(*argv) == (Exit.UNAVAILABLE, "STATEMENT_SIGNATURE")
    assert desk.read(SZ) == before
