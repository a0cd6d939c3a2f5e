"""The two servers that `bench_http` compares, each a process of its own on a free port.

python -m benchmarks.http_server bare|ours FOLDER
"""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.shown import forgetful, network
from talentseal.encoding import from_seconds
from talentseal.policy import SHIPPED, Policy, shipped
from talentseal.reading import Evidence
from talentseal.service.server import serve
from talentseal.verify import verify

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def bare_app() -> Any:
    """As little as can be between the socket and the procedure."""
    import orjson

    city = network()
    bundle, now = forgetful(city.bundle()), from_seconds(city.now)
    policy = Policy(home="CN/9999", place="CN/9999", purpose="employment")

    def judge(data: bytes) -> bytes:
        evidence = Evidence(orjson.loads(data)["evidence"])
        return orjson.dumps(verify(evidence, bundle, policy, now=now).to_json("en"))

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = b"\n".join(judge(line) for line in body.split(b"\n"))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


def our_app(folder: Path) -> Any:
    """The verifier's service, whole; it forgets signatures as the bare one does."""
    from verifier.app import create_app
    from verifier.station import Held, Station

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
    serve(bare_app() if kind == "bare" else our_app(Path(place)), host="127.0.0.1", port=0)
