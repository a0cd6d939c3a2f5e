"""An older copy of an issuer's database goes on elsewhere, and nothing is done a second time."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from backups import copy_database, restore_database
from homes import copy_home
from issuer_desk import BUREAU, TITLE, Bureau
from issuer_rooms import ISSUER_DB, REGISTRY_DB, live_in
from officers_desk import APPROVER, ISSUER, Counter, open_counter
from postgres import both_databases
from registry_desk import SZ
from serving import http_client, serving

from issuer.app import create_app as create_issuer
from issuer.audit.trail import check_chain
from issuer.database import reading
from issuer.office import Office
from issuer.readiness import parts
from issuer.status.blocks import top_up
from issuer.status.outbox import Carrier, backlog
from registry.app import create_app
from registry.office import open_office
from registry.settings import load_settings
from talentseal.commandline import now
from talentseal.errors import Exit, UnavailableError
from talentseal.status import StatusList

DATABASES = (REGISTRY_DB, ISSUER_DB)
REVOKED = ("--reason", "rescinded")
RATE = 50  # certificates, at most, that are sealed while a copy is made


def new_block(bureau: Bureau, code: str = "", name: str = "another") -> Path:
    """A file from the registry, made with the code of a restore if there is one."""
    answer = bureau.home / f"{name}.json"
    command = ("issuer", "block", "--issuer", BUREAU, "--out", str(answer))
    bureau.registry.ask(*command, *(("--restored", code) if code else ()))
    return answer


def enrol(bureau: Bureau, answer: Path) -> tuple[int, str]:
    ran = bureau.run("enrol", str(answer), "--trust", bureau.public, "--json")
    return ran.code, json.loads(ran.out).get("code", "")


def go_on(bureau: Bureau) -> dict[str, Any]:
    found: dict[str, Any] = bureau.ask("restored", "--from", bureau.public)
    return found


def places(bureau: Bureau) -> set[tuple[str, int]]:
    found = bureau.rows("SELECT uri, idx FROM form JOIN status_block ON form.block = number")
    assert len(set(found)) == len(found)
    return {(uri, idx) for uri, idx in found}


def places_of(bureau: Bureau, number: str) -> list[tuple[str, int]]:
    query = "SELECT certificate, uri, idx FROM form JOIN status_block ON form.block = number"
    return [(uri, idx) for certificate, uri, idx in bureau.rows(query) if certificate == number]


def said(bureau: Bureau, number: str) -> list[int | None]:
    """What the newest public list says of a certificate's forms."""
    bureau.registry.ask("publish")
    bureau.sync()
    bundle = bureau.bundle()
    found = [(bundle.find_status(SZ, uri), idx) for uri, idx in places_of(bureau, number)]
    return [held.value(idx) for held, idx in found if isinstance(held, StatusList)]


def states(bureau: Bureau) -> dict[str, str]:
    return dict(bureau.rows("SELECT id, state FROM certificate"))


def check_books() -> None:
    with reading(Office.here().engine) as db:
        assert check_chain(db) > 0


def copy_at_work(bureau: Bureau, counter: Counter, target: Path) -> Path:
    """A copy that is made while one certificate after another is sealed."""
    sealed, enough = threading.Event(), threading.Event()

    def work() -> None:
        for _ in range(RATE):
            counter.sealed()
            sealed.set()
            if enough.is_set():
                return

    worker = threading.Thread(target=work)
    worker.start()
    assert sealed.wait(60)
    try:
        return copy_database(bureau.place, target)
    finally:
        enough.set()
        worker.join(60)


@contextmanager
def served_again(tokens: dict[str, str]) -> Iterator[Counter]:
    """The service of the restored database, for officers who have their tokens already."""
    with (
        pytest.MonkeyPatch.context() as patch,
        serving_at(patch) as url,
        http_client(url) as client,
    ):
        yield Counter(url, client, tokens)


@contextmanager
def serving_at(patch: pytest.MonkeyPatch) -> Iterator[str]:
    patch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)
    with serving(create_issuer(Office.here())) as url:
        yield url


def moved(bureau: Bureau, copy: Path, home: Path, patch: pytest.MonkeyPatch) -> Bureau:
    """The same bodies on another machine: the copy, the key files, what the world has seen."""
    copy_home(bureau.home, home)
    live_in(home, patch, {name: os.environ[name] for name in DATABASES if name in os.environ})
    restored = Bureau(home)
    restore_database(copy, restored.place)
    return restored


@both_databases
def test_no_index_is_used_again_and_revoking_works(
    bureau: Bureau, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_counter(bureau) as counter:
        first, second = counter.sealed(), counter.sealed()
        copy = copy_at_work(bureau, counter, tmp_path / "copy.db")
        for _ in range(5):
            counter.sealed()
        path = f"/v1/credentials/{first}/revoke"
        counter.ask("revoker", "POST", path, {"reason": "rescinded"}, match='"1"')
    assert said(bureau, first) == [1]
    before = places(bureau)
    bureau = moved(bureau, copy, tmp_path / "elsewhere", monkeypatch)
    known = places(bureau)
    assert known < before
    assert states(bureau)[first] == "valid"  # the copy knows no better

    told = go_on(bureau)
    assert told["retired"] == 256 - len(known)
    assert (told["taken_over"], states(bureau)[first]) == (1, "revoked")
    assert bureau.refused_seal("--paper")[1]["code"] == "STATUS_LIST_UNPUBLISHED"
    assert enrol(bureau, new_block(bureau, told["code"])) == (Exit.OK, "")
    for _ in range(8):
        bureau.seal("--paper")
    assert len(places(bureau) - known) == 8
    assert not (places(bureau) - known) & before
    bureau.ask("revoke", second, *REVOKED)
    assert said(bureau, second) == said(bureau, first) == [1]
    check_books()


@both_databases
def test_a_copy_that_just_goes_on_would_use_indices_again(bureau: Bureau, tmp_path: Path) -> None:
    """What the step is for; it also shows that the test above could fail."""
    copy = copy_database(bureau.place, tmp_path / "copy.db")
    bureau.seal("--paper")
    before = places(bureau)
    restore_database(copy, bureau.place)
    bureau.seal("--paper")
    assert places(bureau) == before


@both_databases
def test_what_was_approved_in_the_copy_must_be_approved_anew(
    bureau: Bureau, tmp_path: Path
) -> None:
    with open_counter(bureau) as counter:
        issuance = counter.approved()
        copy = copy_database(bureau.place, tmp_path / "copy.db")
        path = f"/v1/issuances/{issuance}"
        counter.ask(ISSUER, "POST", f"{path}/paper", match='"2"')
        tokens = dict(counter.tokens)
    restore_database(copy, bureau.place)
    told = go_on(bureau)
    assert told["reopened"] == 1
    assert enrol(bureau, new_block(bureau, told["code"])) == (Exit.OK, "")
    with served_again(tokens) as counter:
        assert counter.refused(ISSUER, "POST", f"{path}/paper", match='"3"')[1] == "STATE_CONFLICT"
        assert counter.ask(APPROVER, "POST", f"{path}/approve", match='"3"')["state"] == "approved"


def test_offers_tokens_and_nonces_of_the_copy_are_dead(bureau: Bureau, tmp_path: Path) -> None:
    with open_counter(bureau) as counter:
        issuance = counter.approved()
        path = f"/v1/issuances/{issuance}/offer"
        counter.ask(ISSUER, "POST", path, {}, match='"2"')
        counter.client.post("/nonce")
    copy = copy_database(bureau.place, tmp_path / "copy.db")
    restore_database(copy, bureau.place)
    assert bureau.rows("SELECT count(*) FROM offer") == [(1,)]
    go_on(bureau)
    for table in ("offer", "access_token", "spent_nonce", "deferral", "notification"):
        assert bureau.rows(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608  our own
    assert bureau.rows("SELECT value FROM profile WHERE name = 'nonce_key'") == []
    assert bureau.rows("SELECT state, approved_by FROM issuance") == [("prepared", None)]


def test_a_block_file_is_taken_in_only_with_the_code_of_the_last_restore(
    bureau: Bureau, tmp_path: Path
) -> None:
    """Whatever the clocks said: the registry's may have been ahead as it made the file."""
    copy = copy_database(bureau.place, tmp_path / "copy.db")
    forgotten = new_block(bureau)
    assert enrol(bureau, forgotten) == (Exit.OK, "")
    restore_database(copy, bureau.place)
    file = json.loads(forgotten.read_bytes())
    file["blocks"][0]["made_at"] += 600
    forgotten.write_text(json.dumps(file))
    first = go_on(bureau)["code"]
    of_first = new_block(bureau, first, "first")
    second = go_on(bureau)["code"]
    assert first != second
    for path in (forgotten, of_first, new_block(bureau, name="none")):
        code, problem = bureau.problem("enrol", str(path), "--trust", bureau.public)
        assert (code, problem["code"]) == (Exit.REFUSE, "STATE_CONFLICT")
        assert f"--issuer {BUREAU} --restored {second}" in problem["detail"]
    assert bureau.refused_seal("--paper")[1]["code"] == "STATUS_LIST_UNPUBLISHED"
    wrong = ("issuer", "block", "--issuer", BUREAU, "--restored", "no code")
    assert bureau.registry.refused(*wrong)[0] == Exit.USAGE
    assert enrol(bureau, new_block(bureau, second, "second")) == (Exit.OK, "")
    assert bureau.seal("--paper")["id"]


def test_a_key_changes_after_a_restore_though_its_answer_tells_forgotten_blocks(
    bureau: Bureau, tmp_path: Path
) -> None:
    copy = copy_database(bureau.place, tmp_path / "copy.db")
    assert enrol(bureau, new_block(bureau)) == (Exit.OK, "")
    restore_database(copy, bureau.place)
    go_on(bureau)
    request, answer = str(bureau.home / "next.jws"), str(bureau.home / "next.json")
    bureau.ask("keys", "rotate", "--out", request)
    bureau.registry.ask(
        "issuer", "new", "--jurisdiction", SZ, "--request", request, "--out", answer
    )
    ran = bureau.run("enrol", answer, "--trust", bureau.public)
    assert (ran.code, "1 blocks of status indices" in ran.err) == (Exit.OK, True)
    assert [one["enrolled"] for one in bureau.ask("keys", "list")["keys"]] == [True, True]
    assert bureau.refused_seal("--paper")[1]["code"] == "STATUS_LIST_UNPUBLISHED"


def test_where_an_older_version_restored_the_time_of_a_block_decides(
    bureau: Bureau, tmp_path: Path
) -> None:
    copy = copy_database(bureau.place, tmp_path / "copy.db")
    forgotten = new_block(bureau)
    assert enrol(bureau, forgotten) == (Exit.OK, "")
    restore_database(copy, bureau.place)
    older = json.loads(forgotten.read_bytes())
    older["blocks"][0]["made_at"] -= 5  # a file of some seconds ago
    forgotten.write_text(json.dumps(older))
    go_on(bureau)
    bureau.change("DELETE FROM profile WHERE name = 'restored_code'")
    assert enrol(bureau, forgotten) == (Exit.REFUSE, "STATE_CONFLICT")
    del older["blocks"][0]["made_at"]
    forgotten.write_text(json.dumps(older))
    assert enrol(bureau, forgotten) == (Exit.REFUSE, "STATE_CONFLICT")
    assert enrol(bureau, bureau.home / "answer.json") == (Exit.OK, "")  # known, and used up
    assert bureau.refused_seal("--paper")[1]["code"] == "STATUS_LIST_UNPUBLISHED"
    assert enrol(bureau, new_block(bureau)) == (Exit.OK, "")


def test_officers_who_are_active_in_the_copy_are_named(bureau: Bureau, tmp_path: Path) -> None:
    for name in ("Stays", "Is ended before", "Is ended after"):
        token = bureau.ask("officer", "new", name, "--role", "preparer", "--role", "auditor")
    bureau.ask("officer", "end", "Is ended before")
    copy = copy_database(bureau.place, tmp_path / "copy.db")
    bureau.ask("officer", "end", "Is ended after")
    restore_database(copy, bureau.place)
    ran = bureau.run("restored", "--from", bureau.public, "--json")
    roles = ["auditor", "preparer"]
    active = [{"name": name, "roles": roles} for name in ("Stays", "Is ended after")]
    told = sorted(json.loads(ran.out)["accounts"], key=lambda one: one["name"], reverse=True)
    assert (told, token["token"] in ran.out + ran.err) == (active, False)
    ran = bureau.run("restored", "--from", bureau.public)
    assert "  Is ended after  (auditor, preparer)" in ran.out.splitlines()
    assert "issuer officer end NAME" in ran.out
    assert "Is ended before" not in ran.out


def test_a_bulk_job_of_the_copy_does_not_go_on(bureau: Bureau) -> None:
    rows = bureau.home / "rows.jsonl"
    claims = json.loads(Path(bureau.claims()).read_bytes())["claims"]
    rows.write_text(json.dumps({"claims": claims, "territory": [SZ]}) + "\n", "utf-8")
    command = ("bulk", str(rows), "--type", TITLE, "--out", str(bureau.home / "sealed"))
    bureau.ask(*command)
    bureau.change("UPDATE bulk_job SET done = 0, ended_at = NULL")  # as before its only chunk
    bureau.change("DELETE FROM bulk_chunk")
    go_on(bureau)
    assert bureau.refused(*command, "--resume") == (Exit.REFUSE, "STATE_CONFLICT")


# --- beside a registry that serves ----------------------------------------------------------------


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setenv("TALENTSEAL_DEV", "1")
    monkeypatch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)
    return lambda url: monkeypatch.setenv("TALENTSEAL_REGISTRY_URL", url)


def test_orders_are_numbered_past_those_that_the_copy_has_forgotten(
    bureau: Bureau, tmp_path: Path, far: Callable[[str], None]
) -> None:
    numbers = [bureau.seal("--paper")["id"] for _ in range(3)]
    copy = copy_database(bureau.place, tmp_path / "copy.db")
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(registry)
        bureau.ask("revoke", numbers[0], *REVOKED)
        assert top_up(Office.here(), now=now(), least=300) == 253 + 1000
        restore_database(copy, bureau.place)
        # Whoever forgets the step is told so, and what else waits goes out all the same.
        code, problem = bureau.problem("revoke", numbers[1], *REVOKED)
        assert (code, "IDEMPOTENCY_CONFLICT" in problem["title"]) == (Exit.UNAVAILABLE, True)
        restore_database(copy, bureau.place)
        told = go_on(bureau)
        assert (told["retired"], told["left"]) == (253, 1000)
        bureau.ask("revoke", numbers[1], *REVOKED)
        assert backlog(Office.here(), now=now())[0] == 0
    assert said(bureau, numbers[0]) == said(bureau, numbers[1]) == [1]
    assert said(bureau, numbers[2]) == [0]


def test_an_order_that_is_refused_keeps_no_other_waiting(
    bureau: Bureau, tmp_path: Path, far: Callable[[str], None]
) -> None:
    numbers = [bureau.seal("--paper")["id"] for _ in range(3)]
    copy = copy_database(bureau.place, tmp_path / "copy.db")
    with serving(create_app(open_office(load_settings(), now()))) as registry:
        far(registry)
        bureau.ask("revoke", numbers[0], *REVOKED)
        restore_database(copy, bureau.place)
        bureau.problem("revoke", numbers[1], *REVOKED)  # under a number that was taken
        carrier = Carrier(Office.here(), now)
        with pytest.raises(UnavailableError):
            carrier.run()
        with pytest.raises(UnavailableError, match="IDEMPOTENCY_CONFLICT"):
            parts(Office.here(), now, lambda: carrier.refused)["outbox"]()
        bureau.problem("revoke", numbers[2], *REVOKED)
        assert backlog(Office.here(), now=now())[0] == 1
    assert said(bureau, numbers[2]) == [1]
