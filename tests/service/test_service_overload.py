"""Ten times what a service takes, at once: some are told to wait, nobody is told anything wrong."""

import asyncio
import io
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple

import httpx2
import pytest
from fastapi.responses import StreamingResponse
from serving import http_client
from verifier_service import VerifierService, verifier_service

from talentseal import codetext, qr
from talentseal.errors import UnavailableError
from talentseal.service.app import CALLER_GONE, Service, new_app
from talentseal.service.logs import Log
from talentseal.service.turns import WAITING_FOR_EACH, Turns

HOST = "verify.talentseal.example"
CASE = {"place": "CN/9999", "purpose": "employment"}
AT_ONCE, A_SECOND = 4, 5
PLENTY_AT_ONCE, PLENTY_A_MINUTE = 10_000, "100000/minute"


class Asked(NamedTuple):
    """A question, and the outcome that is right."""

    content: dict[str, Any]
    right: str


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VerifierService]:
    """A service that lets few requests be at work at once."""
    yield from limited(tmp_path, monkeypatch, AT_ONCE, PLENTY_A_MINUTE)


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VerifierService]:
    """A service that takes few requests a second."""
    yield from limited(tmp_path, monkeypatch, PLENTY_AT_ONCE, f"{A_SECOND}/second")


def limited(
    home: Path, patch: pytest.MonkeyPatch, running: int, rate: str
) -> Iterator[VerifierService]:
    patch.setenv("TALENTSEAL_MAX_RUNNING", str(running))
    patch.setenv("TALENTSEAL_RATE_LIMIT", rate)
    with verifier_service(home) as service:
        yield service


def pictures(service: VerifierService) -> list[Asked]:
    """Pictures of a good code and of one with another seal: reading them takes its time."""
    good = service.world.city.issue().code
    service.trust.refresh()
    codes = ((good, "accept"), (good[:-1] + bytes([good[-1] ^ 1]), "refuse"))
    return [Asked({"files": {"file": ("a.png", drawn(code))}, "data": CASE}, right)
            for code, right in codes]  # fmt: skip


def drawn(code: bytes) -> bytes:
    return qr.to_png(qr.encode(codetext.write_text(code, host=HOST), level="M"))


def texts(service: VerifierService) -> list[Asked]:
    good = service.world.city.issue().text
    service.trust.refresh()
    bad = good[:200] + ("A" if good[200] != "A" else "B") + good[201:]
    return [Asked({"json": {"evidence": text, **CASE}}, right)
            for text, right in ((good, "accept"), (bad, "refuse"))]  # fmt: skip


def all_at_once(service: VerifierService, asked: Sequence[Asked]) -> Counter[int]:
    """Each over a connection of its own, all begun at the same moment; how many of each status."""
    begin = Barrier(len(asked))

    def ask(one: Asked) -> int:
        with http_client(service.client.base_url) as client:
            begin.wait(60)
            return judged(client.post("/v1/checks", **one.content), one.right)

    with ThreadPoolExecutor(len(asked)) as pool:
        return Counter(pool.map(ask, asked))


def judged(answer: httpx2.Response, right: str) -> int:
    """The status of an answer that is a right verdict, or says when to come back."""
    if answer.status_code == 200:
        assert answer.json()["outcome"] == right
    else:
        assert answer.status_code in (429, 503)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in ("RATE_LIMITED", "OVERLOADED")
        assert int(answer.headers["retry-after"]) > 0
    return answer.status_code


def check_normal(service: VerifierService, asked: Sequence[Asked]) -> None:
    """A moment later everything is as before."""
    time.sleep(1.1)  # a limit counts by the second
    for one in asked:
        assert judged(service.client.post("/v1/checks", **one.content), one.right) == 200
    assert service.client.get("/readyz").status_code == 200


def test_more_at_once_than_there_is_room_for(few: VerifierService) -> None:
    asked = pictures(few)
    told = all_at_once(few, asked * (5 * AT_ONCE))
    assert set(told) == {200, 503}
    check_normal(few, asked)


def test_more_pictures_than_are_read_at_once(tmp_path: Path) -> None:
    """One is read, eight wait; whoever comes then is told so, and texts are checked meanwhile."""
    with verifier_service(tmp_path, file_readers=1) as service:
        asked = pictures(service)
        told = all_at_once(service, asked * 15)
        assert set(told) == {200, 503}
        assert told[200] >= 1 + WAITING_FOR_EACH
        check_normal(service, asked)


def test_a_turn_that_does_not_come_in_time_is_given_up() -> None:
    async def two() -> tuple[str, str]:
        turns = Turns(1, waiting=1, seconds=0.05)
        async with turns.turn():
            with pytest.raises(UnavailableError) as late:
                async with turns.turn():
                    pass
        async with turns.turn():  # the first has given its turn back, the second holds none
            return late.value.code, late.value.hint

    assert asyncio.run(two()) == ("OVERLOADED", "Try again later.")


def test_more_in_a_second_than_are_allowed(slow: VerifierService) -> None:
    asked = texts(slow)
    told = all_at_once(slow, asked * (5 * A_SECOND))
    assert set(told) == {200, 429}
    check_normal(slow, asked)


def begun(service: VerifierService) -> socket.socket:
    """A connection whose request has a body that does not come."""
    host, port = service.client.base_url.host, service.client.base_url.port
    made = socket.create_connection((host, port), timeout=30)
    made.sendall(
        b"POST /v1/checks HTTP/1.1\r\nHost: desk\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    return made


def test_who_sends_slowly_takes_no_place_of_others(few: VerifierService) -> None:
    asked = texts(few)
    with ExitStack() as stack:
        slow = [stack.enter_context(begun(few)) for _ in range(2 * AT_ONCE)]
        for one in asked:
            assert judged(few.client.post("/v1/checks", **one.content), one.right) == 200
        # Of one address only so many are waited for: the slowest has made room for those.
        # It is not told that it was late, which it was not, but when to come back.
        told = slow[0].recv(2_000)
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after:" in told.lower()
        slow[-1].sendall(b" " * 98 + b"}")
        assert slow[-1].recv(20).startswith(b"HTTP/1.1 4")
        for one in asked:
            assert judged(few.client.post("/v1/checks", **one.content), one.right) == 200
    check_normal(few, asked)


async def never() -> Any:
    """A caller who stays and says nothing."""
    await asyncio.Event().wait()


class Stream:
    """A service with room for two, one of whose answers comes in pieces, asked without a network.

    status  of those that were answered or given up, in that order
    """

    def __init__(self) -> None:
        service = Service("some", Log("some", io.StringIO()), max_running=2)
        self.app, self.status = new_app("Some service", service), list[int]()
        self.reads = asyncio.Event()

        @self.app.get("/pieces")
        async def pieces() -> StreamingResponse:
            return StreamingResponse(iter((b"one", b"two")))

    async def ask(self) -> None:
        """Ask for all pieces; the second is taken once `reads` is set."""
        told: dict[str, Any] = {}

        async def send(message: Any) -> None:
            told.update(message)
            if message.get("body") == b"two":
                await self.reads.wait()

        scope = {
            "type": "http", "method": "GET", "path": "/pieces", "query_string": b"", "headers": [],
            "client": ("192.0.2.1", 1), "http_version": "1.1",
        }  # fmt: skip
        await self.app(scope, never, send)
        self.status.append(told["status"] if not told.get("more_body") else CALLER_GONE)


def test_who_reads_slowly_takes_no_place_of_others() -> None:
    async def crowd() -> tuple[list[int], list[int]]:
        service = Stream()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):  # of one address eight are waited for
                tasks.create_task(service.ask())
                await asyncio.sleep(0.05)
            before = service.status.copy()
            service.reads.set()
        return before, service.status

    assert asyncio.run(crowd()) == ([CALLER_GONE] * 2, [CALLER_GONE] * 2 + [200] * 8)
