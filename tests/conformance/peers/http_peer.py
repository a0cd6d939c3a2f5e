"""A small HTTP server on loopback that remembers what it was asked."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        assert self.headers["content-type"] == "application/x-www-form-urlencoded"
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


class Reply(NamedTuple):
    """One answer. `silent` seconds pass before anything is said."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    silent: float = 0


def as_json(document: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode())


Handler = Callable[[Asked], Reply]


@dataclass
class Peer:
    """Answers by path. A test puts a hostile answer in `instead` of an honest one."""

    instead: dict[str, Handler | Reply] = field(default_factory=dict)
    log: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        raise NotImplementedError

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.log]

    def asked_at(self, path: str) -> list[Asked]:
        return [asked for asked in self.log if asked.path == path]

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply(self, asked: Asked) -> Reply:
        self.log.append(asked)
        other = self.instead.get(asked.path)
        if other is None:
            return self.answer(asked)
        return other if isinstance(other, Reply) else other(asked)


def _handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("content-length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, urlsplit(self.path).path, headers, self.rfile.read(size))
            reply = peer.reply(asked)
            time.sleep(reply.silent)
            try:
                self._send(reply)
            except OSError:  # the wallet had enough
                return

        do_POST = do_GET  # noqa: N815  the name that the base class looks for

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            if reply.body:
                self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            return

    return Answers
