"""Goal 15: one credential over HTTP, against the barest application that does the same.

Two server processes of one kind, one connection each, the same questions. The floor reads a body,
parses it with the fastest reader, calls the same procedure and writes its document; ours also
passes the door: strict question, caps, limit per address, receipt, log line, numbers. What counts
is the CPU time of the server process with all its threads, as the kernel counts it.
"""

import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.goals import GOALS
from benchmarks.inputs import check_refusals, flip_text
from benchmarks.pairing import CALLS, GoalResult, blocks_for, compare, result
from benchmarks.report import ROOT
from benchmarks.shown import ROW, network

STARTS = 5  # of each server: where its memory comes to lie is worth a thirtieth
BATCH = 50
BATCH_LIMIT = 1.5

WHY_NOT_LOWER = (
    "of what ours adds, the strict reading of the question is a quarter; the receipt with its "
    "salted digest, the log line and the two numbers are a third; the rest is the door (caps, "
    "limit per address, headers) and the request and answer objects. Python beside a signature "
    "check runs with cold caches, at twice its cost alone."
)


def run(quick: bool) -> list[GoalResult]:  # noqa: FBT001 - the shape all bench modules share
    """Goal 15, and the batch of 50 beside it."""
    city = network()
    row = [city.shown() for _ in range(ROW)]
    token, rest = row[0].split("~", 1)
    bad = {"signature": f"{flip_text(token, -9)}~{rest}", "no credential": "nothing"}
    blocks, one, fifty = blocks_for(quick=quick) // STARTS, _Taken([], []), _Taken([], [])
    for _ in range(STARTS):
        with _servers() as (bare, ours):
            refused = check_refusals(ours.accepts, good=row[0], bad=bad)
            check_refusals(bare.accepts, good=row[0], bad=bad)
            _single(bare, ours, row, blocks=blocks, taken=one)
            _batch(bare, ours, row, blocks=blocks // 4, taken=fifty)
    ratio = compare(*fifty, calls=BATCH).ratio_p10
    inputs = f"{len(row[0])} characters in JSON, one connection, CPU of {STARTS} server processes"
    found = result(GOALS[15], compare(*one, calls=CALLS), inputs=inputs, refusals_checked=0)
    told = f"{ratio:.2f} of the procedure's own CPU for a credential (at most {BATCH_LIMIT:g})"
    extra = {f"a batch of {BATCH}": told}
    return [replace(found, refusals_checked=refused, why_not_lower=WHY_NOT_LOWER, extra=extra)]


class Server:
    """One server process: asks it, and reads what it has cost so far."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self._tasks = Path(f"/proc/{process.pid}/task")
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, body: bytes, path: str = "/v1/checks", kind: str = "application/json") -> bytes:
        self._connection.request("POST", path, body, {"Content-Type": kind})
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {data[:200]!r}")
        return data

    def accepts(self, text: str) -> bool:
        document: dict[str, Any] = json.loads(self.ask(question(text)))
        return bool(document["outcome"] == "accept")

    def seconds(self) -> float:
        """CPU time of all threads (`/proc/PID/task/*/schedstat`, nanoseconds)."""
        return sum(_nanoseconds(task) for task in self._tasks.iterdir()) / 1e9

    def cost(self, act: Callable[[], object]) -> float:
        before = self.seconds()
        act()
        return self.seconds() - before


def _nanoseconds(task: Path) -> int:
    return int((task / "schedstat").read_text().split()[0])


def question(text: str) -> bytes:
    return json.dumps({"evidence": text, "place": "CN/9999", "purpose": "employment"}).encode()


class _Taken(NamedTuple):
    """Seconds of blocks, of the floor and of ours."""

    floors: list[float]
    mine: list[float]


def _single(bare: Server, ours: Server, row: Sequence[str], *, blocks: int, taken: _Taken) -> None:
    bodies = [question(text) for text in row]
    floors: list[float] = []
    mine: list[float] = []
    sides = ((bare, floors), (ours, mine))
    for number in range(blocks + 1):
        part = [bodies[(number * CALLS + i) % len(bodies)] for i in range(CALLS)]
        for server, costs in sides if number % 2 else reversed(sides):
            costs.append(server.cost(lambda s=server, p=part: [s.ask(body) for body in p]))  # type: ignore[misc]
    taken.floors.extend(floors[1:])
    taken.mine.extend(mine[1:])


def _batch(bare: Server, ours: Server, row: Sequence[str], *, blocks: int, taken: _Taken) -> None:
    """CPU for a credential in a batch, over that of the bare application's procedure alone."""
    lines = [question(row[i % len(row)]) for i in range(BATCH)]
    body = b"\n".join(lines)
    floors: list[float] = []
    mine: list[float] = []
    for number in range(blocks + 1):
        acts: list[Callable[[], None]] = [
            lambda: floors.append(
                bare.cost(lambda: bare.ask(body, "/batch", "application/x-ndjson"))
            ),
            lambda: mine.append(
                ours.cost(lambda: ours.ask(body, "/v1/checks/batch", "application/x-ndjson"))
            ),
        ]
        for act in acts if number % 2 else reversed(acts):
            act()
    taken.floors.extend(floors[1:])
    taken.mine.extend(mine[1:])


@contextmanager
def _servers() -> Iterator[tuple[Server, Server]]:
    """The bare one and ours."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _server("bare", folder) as bare,
        _server("ours", folder) as ours,
    ):
        yield bare, ours


@contextmanager
def _server(kind: str, folder: str) -> Iterator[Server]:
    command = (sys.executable, "-m", "benchmarks.http_server", kind, folder)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield Server(process, int(line.rpartition(":")[2]))
    finally:
        process.terminate()
        process.wait(30)
