"""Officers at work over HTTP: what they may, what is refused, what stays on record."""

import json
import secrets
import threading
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from issuer_desk import Bureau
from officers_desk import APPROVER, ISSUER, PREPARER, Counter, draft, open_counter
from postgres import both_databases

from issuer.duties import Duties
from issuer.office import Office
from talentseal.commandline import now
from talentseal.reading import Evidence

ISSUANCES, CREDENTIALS = "/v1/issuances", "/v1/credentials"


@pytest.fixture
def counter(bureau: Bureau) -> Iterator[Counter]:
    with open_counter(bureau) as counter:
        yield counter


@both_databases
def test_four_eyes_then_paper_then_revoked(bureau: Bureau, counter: Counter) -> None:
    made = counter.call(PREPARER, "POST", ISSUANCES, draft())
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    issuance = made.json()["id"]
    place = made.headers["location"]
    assert place == f"{ISSUANCES}/{issuance}"
    assert counter.ask(APPROVER, "GET", place)["claims"]["display_name"]
    approved = counter.ask(APPROVER, "POST", f"{place}/approve", match='"1"')
    assert (approved["state"], approved["approved_by"]) == ("approved", counter.ids[APPROVER])
    paper = counter.ask(ISSUER, "POST", f"{place}/paper", match='"2"')
    assert bureau.outcome(Evidence(text=paper["code"])) == ("accept", [])
    ended = counter.ask(ISSUER, "GET", place)
    assert (ended["state"], ended["claims"]) == ("issued", None)
    assert ended["certificate"] == paper["certificate"]
    certificate = f"{CREDENTIALS}/{paper['certificate'].lower()}"
    assert counter.ask("auditor", "GET", certificate)["forms"] == {"paper": 1}
    revoked = counter.ask(
        "revoker", "POST", f"{certificate}/revoke", {"reason": "rescinded"}, match='"1"'
    )
    assert (revoked["state"], revoked["version"]) == ("revoked", 2)
    acts = counter.ask("auditor", "GET", "/v1/audit", None)["items"]
    told = [(one["act"], one["actor"]) for one in acts if one["actor"] != "operator"]
    assert told == [
        ("prepared", counter.ids[PREPARER]), ("approved", counter.ids[APPROVER]),
        ("sealed", counter.ids[ISSUER]), ("revoke", counter.ids["revoker"]),
    ]  # fmt: skip
    assert not [name for name in ("范例", "fanli") if name in json.dumps(acts).lower()]


def test_an_order_is_on_its_way_at_once(bureau: Bureau, counter: Counter) -> None:
    number = counter.sealed()
    path = f"{CREDENTIALS}/{number}/suspend"
    counter.ask("revoker", "POST", path, {"reason": "withheld"}, match='"1"')
    for _ in range(200):
        if list(bureau.orders.glob("*.jws")):
            break
        threading.Event().wait(0.05)
    assert len(list(bureau.orders.glob("*.jws"))) == 1


def test_nobody_approves_their_own(counter: Counter) -> None:
    issuance = counter.prepared("both")
    path = f"{ISSUANCES}/{issuance}/approve"
    assert counter.refused("both", "POST", path, match='"1"') == (409, "APPROVER_IS_ISSUER")
    assert counter.ask(APPROVER, "POST", path, match='"1"')["state"] == "approved"


def test_a_correction_must_be_approved_anew(counter: Counter) -> None:
    issuance = counter.approved()
    path = f"{ISSUANCES}/{issuance}"
    again = counter.ask(PREPARER, "PUT", path, draft(), match='"2"')
    assert (again["state"], again["approved_by"]) == ("prepared", None)
    assert counter.refused(ISSUER, "POST", f"{path}/paper", match='"3"') == (409, "STATE_CONFLICT")


def test_claims_are_judged_before_anything_is_kept(bureau: Bureau, counter: Counter) -> None:
    answer = counter.call(PREPARER, "POST", ISSUANCES, draft(title_level="archmage"))
    assert (answer.status_code, answer.json()["code"]) == (422, "CLAIMS_INVALID")
    assert answer.json()["errors"]
    assert "archmage" not in answer.text
    elsewhere = draft() | {"territory": ["HK"]}
    status, code = counter.refused(PREPARER, "POST", ISSUANCES, elsewhere)
    assert (status, code) == (403, "GRANT_SCOPE_TERRITORY")
    assert bureau.rows("SELECT count(*) FROM issuance") == [(0,)]


@pytest.mark.parametrize("member", ["state", "approved_by", "prepared_by", "version", "id"])
def test_members_that_nobody_asked_for_are_refused(counter: Counter, member: str) -> None:
    body = draft() | {member: "x"}
    assert counter.refused(PREPARER, "POST", ISSUANCES, body) == (422, "REQUEST_INVALID")


def test_a_change_names_the_version_it_was_made_from(counter: Counter) -> None:
    path = f"{ISSUANCES}/{counter.prepared()}/approve"
    assert counter.refused(APPROVER, "POST", path) == (428, "PRECONDITION_REQUIRED")
    assert counter.refused(APPROVER, "POST", path, match='"7"') == (412, "PRECONDITION_FAILED")
    number = counter.sealed()
    path = f"{CREDENTIALS}/{number}/revoke"
    body = {"reason": "rescinded"}
    assert counter.refused("revoker", "POST", path, body) == (428, "PRECONDITION_REQUIRED")
    assert counter.refused("revoker", "POST", path, body, match='"2"')[0] == 412
    assert counter.refused("revoker", "POST", path, {"reason": "mood"}, match='"1"')[0] == 400


def test_the_same_call_twice_is_done_once(bureau: Bureau, counter: Counter) -> None:
    key = "a-key-of-one-act-0001"
    first = counter.ask(PREPARER, "POST", ISSUANCES, draft(), key=key)
    assert counter.ask(PREPARER, "POST", ISSUANCES, draft(), key=key) == first
    other = draft(remarks="Other")
    assert counter.refused(PREPARER, "POST", ISSUANCES, other, key=key) == (
        409, "IDEMPOTENCY_CONFLICT",
    )  # fmt: skip
    assert bureau.rows("SELECT count(*) FROM issuance") == [(1,)]


def test_a_code_whose_answer_was_lost_is_given_again_and_kept_unreadable(
    bureau: Bureau, counter: Counter
) -> None:
    path, key = f"{ISSUANCES}/{counter.approved()}/paper", "a-key-of-one-act-0002"
    first = counter.ask(ISSUER, "POST", path, match='"2"', key=key)
    assert counter.ask(ISSUER, "POST", path, match='"2"', key=key) == first
    picture = counter.call(ISSUER, "POST", path, match='"2"', key=key, accept="image/png")
    assert picture.content.startswith(b"\x89PNG")
    assert bureau.taken() == 1
    kept = b"".join(row[0] for row in bureau.rows("SELECT answer FROM idempotency"))
    assert first["code"].encode() not in kept
    assert first["certificate"].encode() not in kept


@both_databases
def test_of_two_who_print_at_once_one_wins(bureau: Bureau, counter: Counter) -> None:
    path = f"{ISSUANCES}/{counter.approved()}/paper"
    answers: list[Any] = []

    def press() -> None:
        answers.append(counter.call(ISSUER, "POST", path, match='"2"'))

    threads = [threading.Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 412, 412, 412, 412, 412]
    assert bureau.taken() == 1


def test_an_officer_who_has_gone_can_do_nothing_more(bureau: Bureau, counter: Counter) -> None:
    issuance = counter.prepared()
    bureau.ask("officer", "end", APPROVER)
    path = f"{ISSUANCES}/{issuance}/approve"
    assert counter.refused(APPROVER, "POST", path, match='"1"') == (401, "UNAUTHENTICATED")


def paged(counter: Counter, path: str) -> list[dict[str, Any]]:
    """Everything, by pages of two."""
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = counter.ask(APPROVER, "GET", f"{path}?limit=2{cursor}")
        seen += page["items"]
        if page["next"] is None:
            return seen
        cursor = f"&cursor={page['next']}"


def test_certificates_come_in_the_order_of_record(bureau: Bureau, counter: Counter) -> None:
    """Also where a clock that was ahead is right again: no reader misses one."""
    made = [bureau.seal("--paper")["id"] for _ in range(5)]
    bureau.change("UPDATE certificate SET sealed_at = sealed_at - 9 * seq")
    assert [one["id"] for one in paged(counter, CREDENTIALS)] == made
    assert [one["id"] for one in bureau.ask("list")["certificates"]] == made
    for cursor in ("", "bm9uZQ", "LTE"):  # nothing, "none", "-1"
        assert counter.refused(APPROVER, "GET", f"{CREDENTIALS}?cursor={cursor}")[0] == 400


def test_lists_come_in_pages_and_show_no_claims(counter: Counter) -> None:
    made = [counter.prepared() for _ in range(5)]
    seen = paged(counter, ISSUANCES)
    assert all(one["claims"] is None for one in seen)
    assert sorted(one["id"] for one in seen) == sorted(made)
    assert counter.ask(APPROVER, "GET", f"{ISSUANCES}?state=approved")["items"] == []
    assert counter.refused(APPROVER, "GET", f"{ISSUANCES}?cursor=bm9uZQ")[0] == 400
    assert counter.refused(APPROVER, "GET", f"{ISSUANCES}?state=any")[0] == 422


def test_a_preparer_sees_what_is_their_own(counter: Counter) -> None:
    mine = counter.prepared()
    assert counter.refused("other", "GET", f"{ISSUANCES}/{mine}") == (404, "NOT_FOUND")
    assert counter.ask("other", "GET", ISSUANCES)["items"] == []
    assert counter.refused("other", "PUT", f"{ISSUANCES}/{mine}", draft(), match='"1"')[0] == 404


def test_what_is_withdrawn_keeps_no_claims(bureau: Bureau, counter: Counter) -> None:
    path = f"{ISSUANCES}/{counter.prepared()}"
    assert counter.ask(PREPARER, "POST", f"{path}/withdraw", match='"1"')["state"] == "withdrawn"
    assert bureau.rows("SELECT claims FROM issuance") == [(None,)]
    assert counter.refused(APPROVER, "POST", f"{path}/approve", match='"2"')[0] == 409


def test_a_key_that_cannot_be_opened_leaves_nothing_half_issued(
    bureau: Bureau, counter: Counter
) -> None:
    path = f"{ISSUANCES}/{counter.approved()}/paper"
    keys = bureau.home / "issuer" / "keys"
    keys.rename(keys.with_name("gone"))
    assert counter.refused(ISSUER, "POST", path, match='"2"') == (503, "DEPENDENCY_UNAVAILABLE")
    assert bureau.taken() == 0
    keys.with_name("gone").rename(keys)
    assert counter.ask(ISSUER, "POST", path, match='"2"')["certificate"]


# --- clocks ---------------------------------------------------------------------------------------


@both_databases
def test_a_clock_a_month_ahead_for_a_moment_erases_nothing_and_repeats_no_act(
    bureau: Bureau, counter: Counter
) -> None:
    waiting, key = counter.approved(), secrets.token_urlsafe(18)
    first = counter.ask(PREPARER, "POST", ISSUANCES, draft(), key=key)
    began, at = now(), SimpleNamespace(passed=0, ahead=31)
    duties = Duties(
        Office.here(),
        lambda: began + timedelta(days=at.ahead, seconds=at.passed),
        steady=lambda: 5.0 + at.passed,
    )
    for at.passed, at.ahead in ((0, 31), (1, 0), (300, 31), (3300, 31), (3360, 0), (3400, 31)):
        duties.erase()
        assert bureau.rows("SELECT count(*), count(claims) FROM issuance") == [(2, 2)]
    assert counter.ask(PREPARER, "POST", ISSUANCES, draft(), key=key) == first
    for at.passed in range(3600, 12000, 300):  # it stays there: so much time has passed
        duties.erase()
    assert bureau.rows("SELECT state, claims FROM issuance") == [("withdrawn", None)] * 2
    assert counter.ask(PREPARER, "GET", f"{ISSUANCES}/{waiting}")["state"] == "withdrawn"
    assert bureau.rows("SELECT count(*) FROM idempotency") == [(0,)]
