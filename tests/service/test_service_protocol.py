"""Connections that never become a request: they end, and take no memory with them."""

import io
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import repeat

import pytest
import uvicorn
from fastapi import Request
from fastapi.responses import StreamingResponse
from serving import http_client

from talentseal.errors import RefusedError
from talentseal.service.app import Service, new_app
from talentseal.service.limits import Rate
from talentseal.service.logs import FromLibraries, Log
from talentseal.service.protocol import BoundedProtocol
from talentseal.service.server import config_of

RATE = Rate(10, 3600)
BODY = bytes(8_000_000)  # more than the system holds for a reader that does not read
ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


class Hasty(BoundedProtocol):
    """Callers have a second for the head of a request, and for each piece of an answer."""

    head_seconds = read_seconds = 1.0


@pytest.fixture
def port() -> Iterator[int]:
    service = Service("some", Log("some", io.StringIO()), body_seconds=1.0, rate=RATE)
    app = new_app("Some service", service)

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.get("/much")
    async def much() -> StreamingResponse:
        return StreamingResponse(repeat(BODY, 5))

    @app.post("/closed")
    async def closed() -> None:
        raise RefusedError("not yours", code="ROLE_MISSING")

    config = config_of(app)
    assert config.http is BoundedProtocol
    config.http = Hasty
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        run.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        run.join(30)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def rest_of(connection: socket.socket) -> bytes:
    """Everything until the service hangs up."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def test_a_header_without_end_is_cut_off(port: int) -> None:
    sent = 0
    with closing(connected(port)) as connection:
        connection.sendall(ASK + b"X: ")
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012  each send may fail
            for _ in range(200):
                connection.sendall(b"y" * 100_000)
                sent += 100_000
    assert sent < 20_000_000


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTT", ASK + b"X: y\r\n"])
def test_a_head_that_does_not_come_to_its_end_ends_its_connection(port: int, begun: bytes) -> None:
    with closing(connected(port)) as connection:
        connection.sendall(begun)
        assert rest_of(connection) == b""


def test_a_body_that_stops_is_told_so_and_one_in_pieces_is_read(port: int) -> None:
    head = b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n"
    with closing(connected(port)) as connection:
        connection.sendall(head + b"ab")
        time.sleep(0.2)
        last = head.replace(b"Host: x", b"Host: x\r\nConnection: close")
        connection.sendall(b"cdef" + head + b"abcdef" + last + b"abc")
        told = rest_of(connection)
    assert told.count(b" 200 OK\r\n") == 2
    assert told.count(b"\r\n\r\n6HTTP/1.1 ") == 2
    assert b" 408 " in told
    assert b"REQUEST_TIMEOUT" in told


@pytest.mark.parametrize(
    ("path", "announced", "status", "code"),
    [
        ("/size", b"Content-Length: 8000000", 413, b"BODY_TOO_LARGE"),  # refused by its head
        ("/size", b"Transfer-Encoding: chunked", 413, b"BODY_TOO_LARGE"),  # in the midst of it
        ("/closed", b"Transfer-Encoding: chunked", 403, b"ROLE_MISSING"),  # unread by its endpoint
        ("/nowhere", b"Transfer-Encoding: chunked", 404, b"NOT_FOUND"),
    ],
)
def test_who_is_answered_before_the_body_was_read_reads_why(
    port: int, path: str, announced: bytes, status: int, code: bytes
) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n"
    begin, end = (b"186a0\r\n", b"\r\n") if b"chunked" in announced else (b"", b"")
    with closing(connected(port)) as connection:
        connection.sendall(head % (path.encode(), announced))
        time.sleep(0.1)  # the answer may be there before the body
        for _ in range(80):
            connection.sendall(begin + bytes(100_000) + end)
        connection.sendall(b"0\r\n\r\n" if begin else b"")
        told = rest_of(connection)
    assert told.startswith(b"HTTP/1.1 %d " % status)
    assert code in told


def by_httpx2(port: int) -> int:
    with http_client() as client:
        return client.post(f"http://127.0.0.1:{port}/size", content=BODY).status_code


def by_the_standard_library(port: int) -> int:
    """A client that gives up where it cannot send its body to the end."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", "/size", BODY, {"Connection": "close"})
        return connection.getresponse().status


@pytest.mark.parametrize("ask", [by_httpx2, by_the_standard_library])
def test_every_client_of_a_crowd_reads_that_it_came_too_often(
    port: int, ask: Callable[[int], int]
) -> None:
    with ThreadPoolExecutor(8) as crowd:
        told = Counter(crowd.map(ask, [port] * 24))
    assert told == {413: RATE.amount, 429: 24 - RATE.amount}


def test_a_refused_caller_who_sends_no_body_is_not_waited_for_long(port: int) -> None:
    head = b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n"
    with closing(connected(port)) as connection:
        connection.sendall(head)
        told = rest_of(connection)
    assert told.startswith(b"HTTP/1.1 413 ")


def test_empty_lines_do_not_keep_a_connection_open(port: int) -> None:
    with closing(connected(port)) as connection:
        connection.sendall(ASK + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")
        rest_of(connection)


def test_who_stops_reading_an_answer_loses_the_connection(port: int) -> None:
    with closing(connected(port)) as connection:
        connection.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        time.sleep(2.5)
        assert len(rest_of(connection)) < 5 * len(BODY)


def test_a_web_socket_is_answered_as_any_other_request(port: int) -> None:
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    with closing(connected(port)) as connection:
        connection.sendall(ASK + upgrade + b"Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\r\n")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"x-request-id" in answer


def test_what_a_library_says_is_logged_without_its_words() -> None:
    stream = io.StringIO()
    record = logging.LogRecord("parser", logging.WARNING, "x", 1, "got %r", ("Li Si",), None)
    FromLibraries(Log("some", stream)).handle(record)
    told = json.loads(stream.getvalue())
    assert (told["event"], told["place"]) == ("library", "parser")
    assert "Li Si" not in stream.getvalue()


HANGING = """
import threading, time
from talentseal.service.server import end_what_hangs
threading.Thread(target=time.sleep, args=(600,)).start()
end_what_hangs()
"""


def test_a_service_that_was_told_to_stop_leaves_what_hangs_behind() -> None:
    subprocess.run([sys.executable, "-c", HANGING], check=True, timeout=60)
