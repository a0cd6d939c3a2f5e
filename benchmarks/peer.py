"""Asking foreign verifiers for their verdict, and for their own speed.

They live in an environment of their own (`make peers`), because their pins must never hold ours
back, and answer over pipes: one JSON request a line to `peers/driver.py`, one JSON answer a line.
The driver's first paragraph describes both. Tests use `ask`, benchmarks use `figure`.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pairing import PeerFigure

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "benchmarks" / "peers" / ".venv" / "bin" / "python"
TIMEOUT_SECONDS = 300

Request = Mapping[str, Any]
Answer = dict[str, Any]


class PeersMissingError(Exception):
    """The environment of the foreign verifiers is not there, or was declined."""


def missing() -> str | None:
    """Why no foreign verifier can be asked, or None if they are there."""
    if os.environ.get("PEERS") == "0":
        return "left out by PEERS=0"
    if not PYTHON.exists():
        return "not installed, run `make peers`"
    return None


def ask(requests: Sequence[Request]) -> list[Answer]:
    """Put all requests to one process of the peers' interpreter; answers in the same order.

    Raises PeersMissingError when there is no such interpreter, CalledProcessError when the driver
    itself failed. A peer that refuses an input is an answer: `{"accepted": false, "error": ...}`.
    """
    if reason := missing():
        raise PeersMissingError(reason)
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [PYTHON, "-m", "benchmarks.peers.driver"],
        input=lines,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def figure(request: Request) -> PeerFigure:
    """The figure of one peer for a `bench` request, or the reason why there is none."""
    name = str(request["peer"])
    if reason := missing():
        return PeerFigure(name=name, missing=reason)
    (answer,) = ask([{**request, "action": "bench"}])
    if not answer["accepted"]:
        return PeerFigure(name=name, version=answer["version"], missing=answer["error"])
    return PeerFigure(
        name=name,
        version=answer["version"],
        ratio=answer["ratio_p10"],
        skips=tuple(answer["skips"]),
    )
