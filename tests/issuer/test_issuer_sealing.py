import json
import random
from bisect import bisect_left
from typing import Any

import pytest
from issuer_desk import BUREAU, TERM_DAYS, TITLE, Bureau, forms, sample
from postgres import both_databases
from registry_desk import SZ

from issuer.issuance.models import Order, code_text
from issuer.issuance.sealing import NoSigner, draft, in_one_language, seal
from issuer.issuance.service import new_number, planned, spelled
from issuer.office import Office
from talentseal import cwt, qr, sdjwt
from talentseal.commandline import now
from talentseal.encoding import b64url_decode, digits_encode, parse_json
from talentseal.errors import Exit, RefusedError
from talentseal.keys import new_signer
from talentseal.reading import Evidence

DAY = 86_400


def payload(text: str) -> Any:
    return parse_json(sdjwt.parse(text).jws.payload)


@both_databases
def test_a_wallet_gets_two_forms_that_verify_and_share_no_index(bureau: Bureau) -> None:
    first, second = new_signer(), new_signer()
    document = bureau.seal("--holder-jwk", bureau.keys(first, second))
    held = forms(document)
    code = b64url_decode(held["talentseal_cwt"])
    assert bureau.outcome(Evidence(text=held["dc+sd-jwt"])) == ("accept", [])
    assert bureau.outcome(Evidence(code=code)) == ("accept", [])
    sealed, parsed = payload(held["dc+sd-jwt"]), cwt.parse(code)
    assert sealed["cnf"]["jwk"] == first.public.jwk
    assert cwt.holder_of(parsed) == second.public
    of_wallet, of_code = sealed["status"]["status_list"], parsed.claims[cwt.STATUS]["status_list"]
    assert of_wallet["uri"] == of_code["uri"]
    assert of_wallet["idx"] != of_code["idx"]


def test_a_code_on_paper_is_read_from_its_picture(bureau: Bureau) -> None:
    picture = bureau.home / "code.png"
    told = bureau.seal("--paper", "--out", str(picture))
    (text,) = qr.read(picture.read_bytes())
    assert bureau.outcome(Evidence(text=text)) == ("accept", [])
    assert told["forms"] == ["paper"]
    assert "credentials" not in told


@pytest.mark.parametrize(("name", "begins"), [("c.svg", "<svg"), ("c.txt", "https://verify.")])
def test_a_code_takes_the_form_that_its_file_asks_for(
    bureau: Bureau, name: str, begins: str
) -> None:
    bureau.seal("--paper", "--level", "L", "--out", str(bureau.home / name))
    assert begins in (bureau.home / name).read_text("utf-8")[:200]


def test_a_paper_code_with_a_holder_can_become_live_and_one_without_cannot(bureau: Bureau) -> None:
    holder = new_signer()
    bound = bureau.seal("--paper", "--holder-jwk", bureau.keys(holder))
    loose = bureau.seal("--paper")
    codes = [cwt.parse(b64url_decode(forms(one)["talentseal_cwt"])) for one in (bound, loose)]
    assert [cwt.holder_of(code) for code in codes] == [holder.public, None]


def test_times_tell_no_more_than_the_hour_and_the_grant_caps_the_term(bureau: Bureau) -> None:
    sealed = payload(forms(bureau.seal("--holder-jwk", bureau.keys(new_signer())))["dc+sd-jwt"])
    assert sealed["iat"] % 3600 == 0
    assert sealed["exp"] - sealed["iat"] == TERM_DAYS * DAY


def test_every_fault_of_the_claims_is_told_and_nothing_is_kept(bureau: Bureau) -> None:
    before, out = bureau.taken(), bureau.home / "out.json"
    claims = bureau.claims(title_level="wizard", birthdate="tomorrow", shoe_size="44")
    code, problem = bureau.refused_seal("--paper", "--out", str(out), claims=claims)
    assert (code, problem["code"]) == (Exit.REFUSE, "CLAIMS_INVALID")
    pointers = {fault["pointer"] for fault in problem["errors"]}
    assert pointers >= {"/title_level", "/birthdate", "/shoe_size"}
    assert (bureau.taken(), bureau.ask("list")["certificates"]) == (before, [])
    assert not out.exists()


@pytest.mark.parametrize(
    ("kind", "name", "options", "changes", "expected"),
    [
        ("foreigner-work-permit/1", "permit-01", (), {}, "GRANT_SCOPE_TYPE"),
        (TITLE, "title-01", ("--territory", "HK"), {}, "GRANT_SCOPE_TERRITORY"),
        (TITLE, "title-01", (), {"title_series": "06"}, "GRANT_SCOPE_PROFESSION"),
    ],
)
def test_what_the_grant_does_not_allow_is_refused_and_costs_nothing(
    bureau: Bureau,
    kind: str,
    name: str,
    options: tuple[str, ...],
    changes: dict[str, Any],
    expected: str,
) -> None:
    before = bureau.taken()
    claims = bureau.claims(name, **changes)
    code, problem = bureau.refused_seal("--paper", *options, claims=claims, kind=kind)
    assert (code, problem["code"]) == (Exit.REFUSE, expected)
    assert (bureau.taken(), bureau.ask("list")["certificates"]) == (before, [])


def test_nothing_is_sealed_while_the_status_list_is_not_public(bureau: Bureau) -> None:
    bureau.change("UPDATE status_block SET uri = 'https://trust.sz.example/status/unheard'")
    code, problem = bureau.refused_seal("--paper")
    assert (code, problem["code"]) == (Exit.UNAVAILABLE, "STATUS_LIST_UNPUBLISHED")


@both_databases
def test_a_used_up_block_is_followed_by_the_next_one(bureau: Bureau) -> None:
    bureau.change("UPDATE status_block SET used = size")
    assert bureau.refused_seal("--paper")[1]["code"] == "STATUS_LIST_UNPUBLISHED"
    answer = str(bureau.home / "answer.json")
    bureau.registry.ask("issuer", "block", "--issuer", "https://titles.sz.example", "--block", "4",
                        "--out", answer)  # fmt: skip
    bureau.enrol()
    bureau.enrol()  # again: what is used stays used
    bureau.seal("--paper")
    assert bureau.rows("SELECT size - used FROM status_block ORDER BY number") == [(0,), (3,)]


def test_an_index_that_the_world_knows_as_revoked_is_passed_over(bureau: Bureau) -> None:
    document = bureau.seal("--paper")
    bureau.ask("revoke", document["id"], "--reason", "rescinded")
    bureau.registry.ask("publish")
    bureau.sync()
    bureau.change("DELETE FROM form")  # a database from before that certificate
    bureau.change("UPDATE status_block SET used = 0")
    again = bureau.seal("--paper")
    code = b64url_decode(forms(again)["talentseal_cwt"])
    assert bureau.outcome(Evidence(code=code)) == ("accept", [])


@pytest.mark.parametrize(
    ("options", "name", "code"),
    [
        (("two",), "out.png", Exit.USAGE),
        (("one",), "out.svg", Exit.USAGE),
        (("one",), "nowhere/out.json", Exit.UNAVAILABLE),
        (("one",), "issuer", Exit.UNAVAILABLE),  # a folder
        (("two", "--paper"), "out.png", Exit.USAGE),
        ((), "out.json", Exit.USAGE),
    ],
)
def test_what_cannot_be_handed_out_is_refused_before_it_is_sealed(
    bureau: Bureau, options: tuple[str, ...], name: str, code: int
) -> None:
    keys = {"one": [new_signer()], "two": [new_signer(), new_signer()]}
    holder = ["--holder-jwk", bureau.keys(*keys[options[0]])] if options else []
    before = bureau.taken()
    told = bureau.refused_seal(*holder, *options[1:], "--out", str(bureau.home / name))
    assert (told[0], bureau.taken()) == (code, before)


def test_a_code_that_is_too_large_loses_its_second_language_and_says_so(bureau: Bureau) -> None:
    noise = random.Random(5)  # noqa: S311 - texts that do not compress
    words = {
        "zh-Hans": "".join(chr(noise.randrange(0x4E00, 0x9000)) for _ in range(100)),
        "en": "".join(noise.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(60)),
    }
    claims = bureau.claims(title_name=words, specialty=words)
    out = bureau.home / "large.png"
    ran = bureau.run("issue", "--type", TITLE, "--claims", claims, "--paper", "--lang", "en",
                     "--out", str(out))  # fmt: skip
    assert ran.code == Exit.OK, ran.err
    assert "one language" in ran.err
    (text,) = qr.read(out.read_bytes())
    assert qr.version_of(text, level="M") <= 22
    assert bureau.outcome(Evidence(text=text)) == ("accept", [])


@pytest.mark.usefixtures("bureau")
def test_no_compressed_code_outgrows_the_symbol_that_its_draft_fits() -> None:
    """Whatever the signature: a code is compressed with it, and comes out longer or shorter."""
    noise, office, document = random.Random(7), Office.here(), sample("title-01")  # noqa: S311
    letters = "".join(noise.choice("abcdefghijklmnop") for _ in range(1500))
    ((_, chain),) = office.standing().keys
    signer, uri = NoSigner(new_signer().public), f"{BUREAU}/status/1"

    def sealed(length: int, count: int) -> list[bytes]:
        """So many codes with a text of that length; none if the draft does not fit."""
        claims = document["claims"] | {"specialty": {"en": letters[:length]}}
        order = Order(TITLE, [SZ], claims, paper=True, languages=("en",), host="v.example")
        plan = planned(office.bundle, order, BUREAU, chain, now())
        try:
            plan, _ = draft(plan, uri, signer.public, random=noise.randbytes)
        except RefusedError:
            return []
        places = {"paper": (uri, 2**20 - 1)}
        return [
            seal(plan, places, signer, random=noise.randbytes).code or b"" for _ in range(count)
        ]

    longest = bisect_left(range(1500), 1, key=lambda length: not sealed(length, 1))
    assert 100 < longest < 1499
    for length in range(longest - 6, longest + 2):
        for code in sealed(length, 20):
            text = code_text(code, Order(TITLE, [SZ], {}, host="v.example"))
            assert not text.endswith(digits_encode(code))  # compressed
            assert qr.version_of(text, level="M") <= 22


def test_cutting_to_one_language_leaves_everything_else() -> None:
    claims = {"name": {"en": "A", "zh-Hans": "B"}, "body": {"id": "1", "name": {"pt": "C"}}}
    assert in_one_language(claims, ("zh-Hans",)) == {
        "name": {"zh-Hans": "B"},
        "body": {"id": "1", "name": {"pt": "C"}},
    }
    assert claims["name"] == {"en": "A", "zh-Hans": "B"}


def test_nothing_about_the_person_is_kept(bureau: Bureau) -> None:
    bureau.seal("--holder-jwk", bureau.keys(new_signer(), new_signer()))
    kept = b"".join(path.read_bytes() for path in bureau.database.parent.glob("issuer.db*"))
    claims = sample("title-01")["claims"]
    for secret in (claims["family_name"], claims["id_document"]["number"], "EX-2026-000001",
                   claims["name_han"]):  # fmt: skip
        assert secret.encode() not in kept
    (row,) = bureau.ask("list")["certificates"]
    assert row.keys() == {"id", "type", "state", "sealed_at", "expires_at", "forms"}


def test_the_file_of_claims_may_be_bare_when_the_place_is_named(bureau: Bureau) -> None:
    bare = bureau.home / "bare.json"
    bare.write_text(json.dumps(sample("title-01")["claims"]), "utf-8")
    assert bureau.refused_seal("--paper", claims=str(bare))[0] == Exit.USAGE
    assert bureau.seal("--paper", "--territory", SZ, claims=str(bare))["id"]


def test_numbers_are_easy_to_say_and_one_spelling_is_kept() -> None:
    number = new_number(lambda count: bytes(range(0, count * 16, 16)))
    assert len(number) == 8
    assert spelled(f" {number.lower().replace('0', 'o')} ") == number
    assert spelled("il") == "11"
