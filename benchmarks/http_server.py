"""The two servers that `bench_http` compares, each a process of its own on a free port.

python -m benchmarks.http_server bare|ours FOLDER
"""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from benchmarks.shown import forgetful, network
from talentseal.bundle import Bundle
from talentseal.encoding import from_seconds
from talentseal.policy import SHIPPED, Policy, shipped
from talentseal.reading import Evidence
from talentseal.service.logs import Log
from talentseal.service.server import serve
from talentseal.verify import verify

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class BareApp:
    """As little as can be between socket and procedure; `state` is what `serve` asks for."""

    def __init__(self) -> None:
        city = network()
        self._bundle, self._now = forgetful(city.bundle()), from_seconds(city.now)
        self._policy = Policy(home="CN/9999", place="CN/9999", purpose="employment")
        self.state = SimpleNamespace(service=SimpleNamespace(log=Log("bare")))

    def judge(self, data: bytes) -> bytes:
        evidence = Evidence(orjson.loads(data)["evidence"])
        verdict = verify(evidence, self._bundle, self._policy, now=self._now)
        return orjson.dumps(verdict.to_json("en"))

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = b"\n".join(self.judge(line) for line in body.split(b"\n"))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class Held:
    """Trust data that nobody refreshes."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


def our_app(folder: Path) -> Any:
    """The verifier's service, whole; it forgets signatures as the bare one does."""
    from verifier.app import create_app
    from verifier.station import Station

    os.environ["TALENTSEAL_RATE_LIMIT"] = "100000000/minute"
    city = network()
    bundle, now = forgetful(city.bundle()), from_seconds(city.now)

    policies = {name: shipped(name) for name in SHIPPED}
    station = Station(
        home=folder / "verifier", trust=Held(bundle), clock=lambda: now, policies=policies
    )
    return create_app(station)


if __name__ == "__main__":
    kind, place = sys.argv[1:]
    app: Any = BareApp() if kind == "bare" else our_app(Path(place))
    serve(app, host="127.0.0.1", port=0)
