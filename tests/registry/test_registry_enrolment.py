import json
from pathlib import Path
from typing import Any

import pytest
from registry_desk import HK, STATION, SZ, Desk
from sqlalchemy import text

from registry.database import transaction
from registry.issuers.alike import as_read
from schemas.registry import Enrolment
from talentseal import x509
from talentseal.artefacts import parse_root
from talentseal.commandline import now
from talentseal.encoding import to_seconds
from talentseal.errors import Exit
from talentseal.keys import SoftwareSigner, new_signer
from talentseal.lote import Entity, parse_list
from talentseal.service.database import connect

OFFICE = "https://office.sz.example"


def enrol(desk: Desk, request: str, *more: str) -> Any:
    return desk.ask("issuer", "new", "--jurisdiction", SZ, "--request", request, *more)


def listed(desk: Desk, code: str = SZ) -> dict[tuple[str, str], Entity]:
    text = desk.read(code)["lists/issuers.jws"].decode()
    folder = desk.public / code.replace("/", "-") / "metadata" / "1.root.json"
    found = parse_list(text, list_jkt=parse_root(folder.read_bytes())[0].list_jkt, now=None)
    return {(one.entity_id, one.kind): one for one in found.entities}


def test_an_issuer_gets_a_chain_of_its_jurisdiction_and_a_block(desk: Desk) -> None:
    signer = new_signer()
    answer = Enrolment.model_validate(enrol(desk, desk.request(signer, OFFICE)))
    assert (answer.entity_id, answer.jurisdiction) == (OFFICE, SZ)
    assert answer.root_s256 == desk.ask("jurisdiction", "show", SZ)["root_s256"]
    (block,) = answer.blocks
    assert len(set(block.indices)) == 256
    assert all(0 <= idx < 2**20 for idx in block.indices)
    assert block.indices != sorted(block.indices)
    assert block.uri.startswith("https://trust.sz.example/status/")

    chain = x509.parse_x5c(answer.x5c[signer.public.kid])
    ca = next(data for path, data in desk.read(SZ).items() if path.startswith("ca/"))
    fault = x509.check_chain(
        chain,
        anchors=[x509.load_certificate(ca)],
        at=to_seconds(now()),
        iss=OFFICE,
        kid=signer.public.kid,
    )
    assert fault is None


def test_the_answer_goes_to_a_file_and_a_summary_to_the_terminal(
    desk: Desk, tmp_path: Path
) -> None:
    out = tmp_path / "answer.json"
    summary = enrol(desk, desk.request(new_signer(), OFFICE), "--out", str(out))
    assert summary["status_indices"] == 256
    assert Enrolment.model_validate(json.loads(out.read_text())).entity_id == OFFICE
    assert out.stat().st_mode & 0o777 == 0o600


def test_asking_again_with_the_same_request_gives_the_same_answer(desk: Desk) -> None:
    request = desk.request(new_signer(), OFFICE)
    assert enrol(desk, request) == enrol(desk, request)


def test_a_second_key_is_a_key_of_the_same_issuer(desk: Desk) -> None:
    first, second = new_signer(), new_signer()
    before = enrol(desk, desk.request(first, OFFICE))
    after = enrol(desk, desk.request(second, OFFICE))
    assert list(after["x5c"]) == [first.public.kid, second.public.kid]
    assert after["blocks"] == before["blocks"]


def test_another_block_shares_no_index_with_the_first(desk: Desk) -> None:
    first = enrol(desk, desk.request(new_signer(), OFFICE), "--block", "500")
    argv = ("--issuer", OFFICE, "--block", "700")
    second = desk.ask("issuer", "block", *argv)
    (one,), (other,) = first["blocks"], second["blocks"]
    assert (len(one["indices"]), len(other["indices"])) == (500, 700)
    assert not set(one["indices"]) & set(other["indices"])


@pytest.mark.parametrize("count", ["0", "-1", "65537"])
def test_a_block_has_a_possible_size(desk: Desk, count: str) -> None:
    assert desk.refused("issuer", "block", "--issuer", STATION, "--block", count)[0] == Exit.USAGE


def test_an_issuer_without_a_right_is_not_listed(desk: Desk) -> None:
    enrol(desk, desk.request(new_signer(), OFFICE))
    desk.ask("publish")
    assert (OFFICE, "issuer") not in listed(desk)
    desk.ask(
        "grant", "new", "--issuer", OFFICE, "--type", "talent-confirmation/1", "--territory", SZ
    )
    desk.ask("publish")
    assert (OFFICE, "issuer") in listed(desk)


def test_an_authority_keeps_its_own_key_and_gets_no_certificate(desk: Desk) -> None:
    signer = new_signer()
    answer = enrol(desk, desk.request(signer, OFFICE), "--kind", "authority")
    assert (answer["x5c"], answer["blocks"]) == ({}, [])
    desk.ask(
        "grant", "delegate", "--jurisdiction", SZ, "--authority", OFFICE,
        "--type", "talent-confirmation/1", "--territory", SZ,
    )  # fmt: skip
    desk.ask("publish")
    assert [key.kid for key in listed(desk)[OFFICE, "authority"].keys] == [signer.public.kid]
    refused = desk.refused(
        "grant", "new", "--issuer", STATION, "--authority", OFFICE,
        "--type", "talent-confirmation/1", "--territory", SZ,
    )  # fmt: skip
    assert refused == (Exit.REFUSE, "NOT_OFFERED")  # its key is not here


# --- requests that are refused --------------------------------------------------------------------


def refused(desk: Desk, request: str) -> tuple[int, str]:
    before = desk.ask("issuer", "list")
    found = desk.refused("issuer", "new", "--jurisdiction", SZ, "--request", request)
    assert desk.ask("issuer", "list") == before
    return found


def claims_of(signer: SoftwareSigner, **changes: Any) -> dict[str, Any]:
    return {
        "iss": OFFICE,
        "iat": to_seconds(now()),
        "jwk": signer.public.jwk,
        "names": {"en": "Example Office"},
        **changes,
    }


def test_whoever_does_not_hold_the_key_is_refused(desk: Desk) -> None:
    owner, thief = new_signer(), new_signer()
    request = desk.write_request(claims_of(owner), thief, kid=owner.public.kid)
    assert refused(desk, request) == (Exit.REFUSE, "SIGNATURE_INVALID")


def test_a_request_names_its_own_key(desk: Desk) -> None:
    owner, other = new_signer(), new_signer()
    request = desk.write_request(claims_of(owner), owner, kid=other.public.kid)
    assert refused(desk, request) == (Exit.REFUSE, "SIGNATURE_INVALID")


def test_another_kind_of_token_is_no_request(desk: Desk) -> None:
    signer = new_signer()
    typ = "status-order+jwt"
    request = desk.write_request(claims_of(signer), signer, kid=signer.public.kid, typ=typ)
    assert refused(desk, request) == (Exit.REFUSE, "TYPE_CONFUSION")


@pytest.mark.parametrize(
    "iss",
    [
        "https://office.hk.example",
        "https://sz.example.evil.example",
        "https://evilsz.example",
        "http://office.sz.example",
        "https://office.sz.example?x",
        "https://office..sz.example",  # no name that DNS could know
        "https://trust.sz.example",  # the root itself
    ],
)
def test_a_body_outside_the_name_spaces_is_refused(desk: Desk, iss: str) -> None:
    request = desk.request(new_signer(), iss)
    assert refused(desk, request) == (Exit.REFUSE, "ISSUER_OUTSIDE_NAMESPACE")


@pytest.mark.parametrize(
    "alike",
    [
        f"{STATION}/",
        f"{STATION}:443",
        f"{STATION}:0443//",
        f"{STATION}/%2F./",
        f"{STATION}/..",
        f"{STATION}/a/%2e%2e/",
        "https://trust.sz.example/",  # the root
    ],
)
def test_a_body_that_reads_like_another_is_refused(desk: Desk, alike: str) -> None:
    assert refused(desk, desk.request(new_signer(), alike)) == (Exit.REFUSE, "STATE_CONFLICT")
    delegated = desk.refused(
        "grant", "delegate", "--jurisdiction", SZ, "--authority", alike, "--name", "en=Another",
        "--type", "talent-confirmation/1", "--territory", SZ,
    )  # fmt: skip
    assert delegated == (Exit.REFUSE, "STATE_CONFLICT")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example", "https://a.example:8443"),
        ("https://a.example/b", "https://a.example/c"),
        ("https://a.example/443", "https://a.example:443"),
    ],
)
def test_other_ports_and_paths_are_other_bodies(one: str, other: str) -> None:
    assert as_read(one) != as_read(other)


def test_the_host_of_a_listed_body_is_certified_for_that_body_alone(desk: Desk) -> None:
    out = desk.home / "answer.json"

    def new(iss: str, *argv: str) -> tuple[str, ...]:
        request = desk.request(new_signer(), iss)
        options = ("--jurisdiction", SZ, "--request", request, "--out", str(out), *argv)
        return ("verifier", "new", *options)

    for host in (STATION, f"{STATION}/desk", f"{STATION}:8443", "https://trust.sz.example/desk"):
        assert desk.refused(*new(host)) == (Exit.REFUSE, "STATE_CONFLICT")
    assert not out.exists()
    assert desk.ask(*new(STATION, "--same-body"))["host"] == "titles.sz.example"
    assert desk.ask(*new("https://desk.sz.example"))["host"] == "desk.sz.example"


def test_one_key_belongs_to_one_body(desk: Desk, station_key: SoftwareSigner) -> None:
    assert refused(desk, desk.request(station_key, OFFICE)) == (Exit.REFUSE, "STATE_CONFLICT")


@pytest.mark.parametrize("days", [-31, 1])
def test_a_request_of_another_time_is_refused(desk: Desk, days: int) -> None:
    request = desk.request(new_signer(), OFFICE, iat=to_seconds(now()) + days * 86_400)
    assert refused(desk, request) == (Exit.REFUSE, "REQUEST_INVALID")


@pytest.mark.parametrize(
    "changes",
    [{"iat": "today"}, {"names": []}, {"extra": 1}, {"jwk": "none"}, {"names": 5}],
)
def test_a_request_of_another_shape_is_refused(desk: Desk, changes: dict[str, Any]) -> None:
    assert refused(desk, desk.request(new_signer(), OFFICE, **changes))[1] == "REQUEST_INVALID"


def test_a_body_has_a_name_in_english(desk: Desk) -> None:
    request = desk.request(new_signer(), OFFICE, names={"zh-Hans": "示例"})
    assert refused(desk, request)[0] == Exit.USAGE


@pytest.mark.parametrize("text", ["", "no token", "a.b.c", "\x00\xff" * 50])
def test_other_bytes_are_no_request(desk: Desk, text: str) -> None:
    path = desk.home / "request.jws"
    path.write_text(text, "latin-1")
    assert refused(desk, str(path)) == (Exit.REFUSE, "MALFORMED")


def test_a_file_that_is_not_there_could_not_be_read(desk: Desk) -> None:
    assert refused(desk, str(desk.home / "missing"))[0] == Exit.UNAVAILABLE


def test_nobody_is_enrolled_in_a_jurisdiction_that_is_not_there(desk: Desk) -> None:
    request = desk.request(new_signer(), OFFICE)
    found = desk.refused("issuer", "new", "--jurisdiction", "MO", "--request", request)
    assert found == (Exit.USAGE, "NOT_FOUND")


def test_no_index_is_given_out_before_the_list_was_read_back(desk: Desk) -> None:
    with transaction(connect(desk.database)) as session:
        session.execute(text("UPDATE status_list SET published_at = NULL"))
    request = desk.request(new_signer(), OFFICE)
    found = desk.refused("issuer", "new", "--jurisdiction", SZ, "--request", request)
    assert found == (Exit.UNAVAILABLE, "STATUS_LIST_UNPUBLISHED")
    desk.ask("publish")
    assert enrol(desk, request)["blocks"]


def test_entities_are_listed_by_jurisdiction(desk: Desk) -> None:
    assert {one["kind"] for one in desk.ask("issuer", "list")} == {"issuer", "status"}
    only = desk.ask("issuer", "list", "--jurisdiction", HK)
    assert [one["kind"] for one in only] == ["status"]
