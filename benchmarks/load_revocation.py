"""How long a revocation takes: from the officer's act to the first refusal of the online verifier.

    make up
    .venv/bin/python -m benchmarks.load_revocation [ROUNDS]

Asks the running network of `make up` (`TALENTSEAL_DEMO`, `TALENTSEAL_DEMO_PORTS`): a title is
sealed on paper and accepted; the clock starts when the officer's call to revoke is sent, and stops
when the verifier, asked every 20 ms, first refuses the code. In between: the order to the registry,
its publication, the verifier's next synchronisation (every two seconds in that network). Reported,
not gated.
"""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DEMO = Path(os.environ.get("TALENTSEAL_DEMO", ROOT / ".demo"))
FIRST_PORT = int(os.environ.get("TALENTSEAL_DEMO_PORTS", "8701"))
ISSUER, VERIFIER = (f"http://127.0.0.1:{FIRST_PORT + at}" for at in (1, 2))
ROUNDS = 20
POLL_SECONDS, PATIENCE_SECONDS = 0.02, 120


def officer(*roles: str) -> str:
    """The token of a new officer of the demo's bureau."""
    told = subprocess.run(
        [sys.executable, ROOT / "examples" / "network.py", "settings", "bureau"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    settings = dict(line.split("=", 1) for line in told.stdout.splitlines())
    command = [str(Path(sys.executable).parent / "issuer"), "officer", "new", secrets.token_hex(8)]
    options = [part for role in roles for part in ("--role", role)]
    made = subprocess.run(
        [*command, *options, "--json"],
        env={**os.environ, **settings}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    token: str = json.loads(made.stdout)["token"]
    return token


def call(url: str, body: Any, token: str = "", version: int = 0) -> Any:
    headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_urlsafe(18)}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"If-Match": f'"{version}"'} if version else {}
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310  loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


def outcome(code: str) -> str:
    """What the verifier says of a code now."""
    asked = {"evidence": code, "place": "CN/4403", "purpose": "employment"}
    return str(call(f"{VERIFIER}/v1/checks", asked)["outcome"])


def until(code: str, wanted: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while outcome(code) != wanted:
        if time.monotonic() > deadline:
            sys.exit(f"not answered with {wanted} after {PATIENCE_SECONDS} s")
        time.sleep(POLL_SECONDS)


def one_round(draft: Mapping[str, Any], first: str, second: str) -> float:
    """Seconds from the act to the refusal."""
    made = call(f"{ISSUER}/v1/issuances", draft, first)
    path = f"{ISSUER}/v1/issuances/{made['id']}"
    call(f"{path}/approve", {}, second, 1)
    paper = call(f"{path}/paper", {}, second, 2)
    until(paper["code"], "accept")
    begun = time.perf_counter()
    revoke = f"{ISSUER}/v1/credentials/{paper['certificate']}/revoke"
    call(revoke, {"reason": "rescinded"}, second, 1)
    until(paper["code"], "refuse")
    return time.perf_counter() - begun


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    content = json.loads((DEMO / "claims" / "title-01.json").read_text("utf-8"))
    draft = {"type": "professional-title/1", "claims": content["claims"],
             "territory": content["territory"]}  # fmt: skip
    first, second = officer("preparer"), officer("approver", "issuer", "revoker")
    seconds = sorted(one_round(draft, first, second) for _ in range(max(2, rounds)))
    cuts = quantiles(seconds, n=100, method="inclusive")
    print(
        f"revoked -> refused by the online verifier, {len(seconds)} rounds: "
        f"p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, longest {seconds[-1]:.2f} s"
    )


if __name__ == "__main__":
    main()
