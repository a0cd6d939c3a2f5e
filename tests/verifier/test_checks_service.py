"""`POST /v1/checks`: the one procedure over HTTP, for questions good and bad."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from simulator import World
from verifier_service import VerifierService, WorldTrust, verifier_service

from schemas.verdict_document import VerdictDocument
from talentseal import codetext, qr
from talentseal.bundle import Bundle
from talentseal.encoding import b64url_encode, from_seconds
from verifier.checks.service import MAX_LINE_BYTES
from verifier.receipts.service import evidence_digest
from verifier.station import REPLAYS

HOST = "verify.talentseal.example"
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerifierService]:
    with verifier_service(tmp_path_factory.mktemp("verifier")) as running:
        yield running


def receipt(service: VerifierService, number: str) -> dict[str, Any]:
    """A receipt, which is written a little after the answer."""
    headers = service.token("auditor")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = service.client.get(f"/v1/receipts/{number}", headers=headers)
        if answer.status_code == 200:
            found: dict[str, Any] = answer.json()
            return found
        time.sleep(0.05)
    raise AssertionError("no receipt was written")


# --- one ------------------------------------------------------------------------------------------


def test_a_good_certificate_is_accepted(service: VerifierService) -> None:
    answer = service.check(service.world.city.issue().text)
    assert answer.status_code == 200
    verdict = VerdictDocument.model_validate(answer.json())
    assert verdict.outcome == "accept"
    assert answer.headers["cache-control"] == "no-store"


def test_a_bad_certificate_is_an_answer_and_no_error(service: VerifierService) -> None:
    text = service.world.city.issue().text
    flipped = text[:200] + ("A" if text[200] != "A" else "B") + text[201:]
    for evidence in (flipped, "", "nonsense", "x" * 100_000):
        answer = service.check(evidence)
        assert (answer.status_code, answer.json()["outcome"]) == (200, "refuse")


def test_a_revoked_certificate_is_refused_after_the_next_refresh(service: VerifierService) -> None:
    held = service.world.city.issue()
    service.trust.refresh()
    assert service.check(held.text).json()["outcome"] == "accept"
    service.world.city.set_status(held, 1)
    service.trust.refresh()
    verdict = service.check(held.text).json()
    assert verdict["outcome"] == "refuse"
    assert "REVOKED" in [check["code"] for check in verdict["checks"]]


def test_sentences_are_in_the_language_asked_for(service: VerifierService) -> None:
    def sentence(lang: str) -> str:
        answer = service.client.post(
            "/v1/checks", json={"evidence": "nonsense"}, headers={"accept-language": lang}
        )
        found: str = answer.json()["checks"][-1]["message"]
        return found

    assert len({sentence(lang) for lang in ("en", "zh-Hant-HK", "zh-Hans", "pt-MO")}) == 4


@pytest.mark.parametrize("kind", ["png", "pdf", "text"])
def test_a_file_is_read_as_the_certificate_that_it_shows(
    service: VerifierService, kind: str
) -> None:
    text = codetext.write_text(service.world.city.issue().code, host=HOST)
    data = text.encode()
    if kind != "text":
        data = qr.to_png(qr.encode(text, level="M"), pixels_per_module=4)
    if kind == "pdf":
        from io import BytesIO

        from PIL import Image

        out = BytesIO()
        Image.open(BytesIO(data)).convert("RGB").save(out, "PDF", resolution=150)
        data = out.getvalue()
    answer = service.client.post("/v1/checks", files={"file": ("a", data)}, data={"place": "HK"})
    assert answer.status_code == 200
    assert answer.json()["credential"]["form"] == "cwt"
    assert answer.json()["place"] == "HK"


@pytest.mark.parametrize(
    ("body", "status", "code", "pointers"),
    [
        (b"", 400, "MALFORMED", []),
        (b"[]", 400, "MALFORMED", []),
        (b'{"evidence":"a","evidence":"b"}', 400, "MALFORMED", []),
        (b"{}", 422, "REQUEST_INVALID", ["/evidence"]),
        (b'{"evidence":null}', 422, "REQUEST_INVALID", ["/evidence"]),
        (b'{"evidence":"a","now":"2020"}', 422, "REQUEST_INVALID", ["/now"]),
        (b'{"evidence":"a","place":"nowhere"}', 422, "REQUEST_INVALID", ["/place"]),
        (b'{"evidence":"a","purpose":"fun"}', 422, "REQUEST_INVALID", ["/purpose"]),
        (b'{"evidence":"a","nonce":7}', 422, "REQUEST_INVALID", ["/nonce"]),
        (b'{"evidence":"a","policy":"../default"}', 400, "REQUEST_INVALID", []),
    ],
)
def test_a_wrong_question_is_refused_with_its_faults(
    service: VerifierService, body: bytes, status: int, code: str, pointers: list[str]
) -> None:
    headers = {"content-type": "application/json"}
    answer = service.client.post("/v1/checks", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [fault["pointer"] for fault in answer.json().get("errors", [])] == pointers


def test_other_media_types_and_broken_forms_are_refused(service: VerifierService) -> None:
    post = service.client.post
    assert post("/v1/checks", content=b"evidence=a").status_code == 415
    form = {"content-type": "multipart/form-data; boundary=x"}
    assert post("/v1/checks", content=b"--x\r\nbroken", headers=form).status_code == 400
    assert post("/v1/checks", files={"other": ("a", b"a")}).status_code == 400
    twice = [("file", ("a", b"a")), ("file", ("b", b"b"))]
    assert post("/v1/checks", files=twice).status_code == 400
    blank = qr.to_png(qr.encode("nothing of ours", level="M"))[:100]
    answer = post("/v1/checks", files={"file": ("a.png", blank)})
    assert (answer.status_code, answer.json()["code"]) == (422, "INPUT_UNREADABLE")


def test_a_live_proof_is_good_once(service: VerifierService) -> None:
    world = service.world
    held = world.city.issue()
    shown = held.present(audience="https://desk.example", nonce="n-1234567890", at=world.now)
    asked = {"audience": "https://desk.example", "nonce": "n-1234567890", "policy": "strict"}
    assert service.check(shown, **asked).json()["outcome"] == "accept"
    verdict = service.check(shown, **asked).json()
    assert verdict["outcome"] == "refuse"
    assert verdict["checks"][-2]["code"] == "HOLDER_REPLAYED"


class CountedTrust(WorldTrust):
    """Trust data that counts how often it was looked into."""

    looks = 0

    @property
    def bundle(self) -> Bundle:
        self.looks += 1
        return self._held

    @bundle.setter
    def bundle(self, bundle: Bundle) -> None:
        self._held = bundle


def test_a_live_proof_costs_one_judgement_and_a_used_one_a_second(tmp_path: Path) -> None:
    world = World.honest()
    held = world.city.issue()
    trust = CountedTrust(world)
    shown = held.present(audience="https://desk.example", nonce="n-1234567890", at=world.now)
    with verifier_service(tmp_path, world=world, trust=trust) as service:

        def looks(evidence: str) -> tuple[int, str]:
            before = trust.looks
            answer = service.check(evidence, audience="https://desk.example", nonce="n-1234567890")
            return trust.looks - before, answer.json()["outcome"]

        once, _ = looks(held.text)
        assert looks(shown) == (once, "accept")
        assert looks(shown) == (2 * once, "refuse")


def test_nobody_waits_for_a_memory_of_proofs_that_another_holds(tmp_path: Path) -> None:
    with verifier_service(tmp_path) as service:
        held = service.world.city.issue()
        service.trust.refresh()
        text = codetext.write_text(held.live(at=service.world.now), host="verify.city.example")
        assert service.check(text).json()["outcome"] == "accept"
        with closing(sqlite3.connect(tmp_path / REPLAYS, isolation_level=None)) as other:
            other.execute("begin exclusive")
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(service.check, text)
                time.sleep(0.3)  # it has come by now, and waits
                begun = time.monotonic()
                assert service.check(held.text).json()["outcome"] == "accept"
                assert time.monotonic() - begun < 3
                assert not waiting.done()
                other.execute("rollback")
                assert waiting.result().json()["outcome"] == "refuse"


# --- many -----------------------------------------------------------------------------------------


def test_many_lines_are_answered_in_order_and_a_bad_one_ends_nothing(
    service: VerifierService,
) -> None:
    held = service.world.city.issue()
    good = json.dumps({"evidence": held.text}).encode()
    lines = [good, b"{", b'{"evidence":"x"}', b"y" * (MAX_LINE_BYTES + 1), *[good] * 120]
    answer = service.client.post("/v1/checks/batch", content=b"\n".join(lines), headers=NDJSON)
    assert answer.status_code == 200
    found = [json.loads(line) for line in answer.content.splitlines()]
    assert [one["line"] for one in found] == list(range(1, 125))
    assert found[1]["problem"]["code"] == "MALFORMED"
    assert found[2]["verdict"]["outcome"] == "refuse"
    assert found[3]["problem"]["code"] == "TOO_LARGE"
    assert {one["verdict"]["credential"]["form"] for one in found[4:]} == {"sd-jwt-vc"}


class Threads:
    """A clock that notes which threads of the service judge, in the order in which they ask."""

    def __init__(self, world: World) -> None:
        self._world, self.seen = world, list[int]()

    def __call__(self) -> datetime:
        if threading.current_thread().name.startswith("AnyIO"):
            self.seen.append(threading.get_ident())
            time.sleep(0.001)  # another would ask meanwhile, if it could
        return from_seconds(self._world.now)


def test_of_many_batches_one_slice_is_judged_at_a_time(tmp_path: Path) -> None:
    world = World.honest()
    threads = Threads(world)
    body = b"\n".join([b'{"evidence":"x"}'] * 100)
    with verifier_service(tmp_path, world=world, clock=threads) as service:

        def judge(_: int) -> int:
            return len(
                service.client.post("/v1/checks/batch", content=body, headers=NDJSON).content
            )

        with ThreadPoolExecutor(3) as pool:
            assert len(set(pool.map(judge, range(3)))) == 1
    in_a_slice = len(threads.seen) // 6
    assert in_a_slice
    for start in range(0, len(threads.seen), in_a_slice):
        assert len(set(threads.seen[start : start + in_a_slice])) == 1


def ask_many(service: VerifierService, *evidences: str, seen_at: str = "") -> httpx2.Response:
    """One batch, by a caller whom a proxy has seen at this address."""
    lines = [json.dumps({"evidence": evidence}).encode() for evidence in evidences]
    headers = NDJSON | ({"x-forwarded-for": seen_at} if seen_at else {})
    return service.client.post("/v1/checks/batch", content=b"\n".join(lines), headers=headers)


def outcomes(service: VerifierService, *evidences: str, seen_at: str = "") -> list[str]:
    """Of one batch, in order."""
    answer = ask_many(service, *evidences, seen_at=seen_at)
    assert answer.status_code == 200
    return [json.loads(line)["verdict"]["outcome"] for line in answer.content.splitlines()]


def test_a_proof_is_good_once_in_a_batch_too_and_only_proofs_wait_for_their_memory(
    tmp_path: Path,
) -> None:
    with verifier_service(tmp_path) as service:
        held = service.world.city.issue()
        service.trust.refresh()
        text = codetext.write_text(held.live(at=service.world.now), host="verify.city.example")
        assert outcomes(service, held.text, text, text) == ["accept", "accept", "refuse"]
        with closing(sqlite3.connect(tmp_path / REPLAYS, isolation_level=None)) as other:
            other.execute("begin exclusive")
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(outcomes, service, text)
                time.sleep(0.3)  # it has come by now, and waits
                assert outcomes(service, held.text) == ["accept"]
                assert not waiting.done()
                other.execute("rollback")
                assert waiting.result() == ["refuse"]


def workers() -> int:
    """Threads in which services of this process do what may wait."""
    return sum(one.name.startswith("AnyIO") for one in threading.enumerate())


def test_batches_that_wait_leave_threads_and_places_to_others(tmp_path: Path) -> None:
    with verifier_service(tmp_path) as service:
        held = service.world.city.issue()
        service.trust.refresh()
        text = codetext.write_text(held.live(at=service.world.now), host="verify.city.example")
        assert outcomes(service, text) == ["accept"]
        with (
            ThreadPoolExecutor(24) as pool,
            closing(sqlite3.connect(tmp_path / REPLAYS, isolation_level=None)) as other,
        ):
            other.execute("begin exclusive")
            before = workers()
            waiting = [
                pool.submit(outcomes, service, text, seen_at=f"10.{number % 3}.0.1")
                for number in range(24)
            ]
            time.sleep(1)  # they have come by now, and wait
            begun = time.monotonic()
            assert service.client.get("/readyz").status_code == 200
            assert outcomes(service, held.text) == ["accept"]
            assert ask_many(service, held.text, seen_at="10.0.0.2").status_code == 503
            assert time.monotonic() - begun < 3
            assert workers() - before < 12
            assert not any(one.done() for one in waiting)
            other.execute("rollback")
            assert {one.result()[0] for one in waiting} == {"refuse"}
        assert outcomes(service, held.text, seen_at="10.0.0.2") == ["accept"]


def test_an_empty_batch_and_one_of_too_many_lines_are_refused(service: VerifierService) -> None:
    for body in (b"", b"{}\n" * 10_001):
        answer = service.client.post("/v1/checks/batch", content=body, headers=NDJSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "REQUEST_INVALID")


# --- receipts -------------------------------------------------------------------------------------


def test_a_receipt_says_what_was_decided_and_nothing_about_a_person(
    service: VerifierService,
) -> None:
    held = service.world.city.issue()
    answer = service.check(held.text)
    found = receipt(service, answer.headers["talentseal-receipt"])
    assert found["outcome"] == answer.json()["outcome"]
    assert found["evidence_sha256"] == evidence_digest(found["salt"], held.text)
    told = json.dumps(found, ensure_ascii=False)
    for value in answer.json()["credential"]["claims"].values():
        assert not isinstance(value, str) or len(value) < 4 or value not in told


def test_receipts_are_for_auditors_alone(service: VerifierService) -> None:
    get = service.client.get
    assert get("/v1/receipts").status_code == 401
    assert get("/v1/receipts", headers=service.token("desk")).status_code == 403
    assert get("/v1/receipts", headers={"authorization": "Bearer tsk_wrong"}).status_code == 401


def test_receipts_come_in_pages_that_miss_none(service: VerifierService) -> None:
    numbers = {service.check(f"page {i}").headers["talentseal-receipt"] for i in range(7)}
    for number in numbers:
        receipt(service, number)
    headers, path, seen = service.token("auditor"), "/v1/receipts?limit=3", []
    while path:
        answer = service.client.get(path, headers=headers)
        seen += [one["id"] for one in answer.json()["items"]]
        following = answer.json()["next"]
        path = f"/v1/receipts?limit=3&cursor={following}" if following else ""
    assert len(seen) == len(set(seen))
    assert numbers <= set(seen)
    assert service.client.get("/v1/receipts?cursor=!!", headers=headers).status_code == 400
    odd = f"/v1/receipts?cursor={b64url_encode(b'no/such')}"
    assert service.client.get(odd, headers=headers).status_code in (200, 400)


def test_receipts_are_forgotten_when_their_time_has_come(tmp_path: Path) -> None:
    from verifier.receipts.service import forget

    with verifier_service(tmp_path, receipt_days=1) as service:
        number = service.check("short").headers["talentseal-receipt"]
        receipt(service, number)
        service.world.turn(24 * 3600)
        assert forget(service.station.engine, now=service.world.now) == 1
        headers = service.token("auditor")
        assert service.client.get(f"/v1/receipts/{number}", headers=headers).status_code == 404


def test_a_leap_of_the_clock_erases_no_receipt_and_a_month_that_has_passed_does(
    tmp_path: Path,
) -> None:
    from verifier.receipts.service import find

    with verifier_service(tmp_path) as service:
        number = service.check("short").headers["talentseal-receipt"]
        receipt(service, number)
        service.world.turn(31 * 24 * 3600)
        retention = service.app.state.jobs["retention"]
        assert retention.run_once()
        assert find(service.station.engine, number) is not None
        service.trust.refresh()  # signed data prove that so much time has passed
        assert retention.run_once()
        assert find(service.station.engine, number) is None


def test_what_waits_is_written_when_the_service_stops(tmp_path: Path) -> None:
    from verifier.receipts.service import find

    with verifier_service(tmp_path) as service:
        number = service.check("last").headers["talentseal-receipt"]
    assert find(service.station.engine, number) is not None


# --- readiness ------------------------------------------------------------------------------------


def test_readiness_tells_the_age_of_the_trust_data(tmp_path: Path) -> None:
    with verifier_service(tmp_path) as service:
        parts = service.client.get("/readyz").json()["parts"]
        assert parts["trust"] == {"ok": True, "age_seconds": 0, "jurisdictions": 3}
        service.world.turn(8 * 24 * 3600)
        answer = service.client.get("/readyz")
        assert (answer.status_code, answer.json()["parts"]["trust"]["ok"]) == (503, False)


def test_a_clock_behind_what_signed_data_prove_is_not_ready(tmp_path: Path) -> None:
    with verifier_service(tmp_path) as service:
        service.trust.bundle.clock_mark = service.world.now
        service.world.turn(-3600)
        answer = service.client.get("/readyz")
        assert (answer.status_code, answer.json()["parts"]["trust"]["ok"]) == (503, False)
