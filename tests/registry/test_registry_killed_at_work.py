"""`registry serve` as a process that is killed at any moment: what it has said is still so."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from postgres import both_databases
from registry_desk import SZ, Desk
from registry_service import JOSE, Caller, block_request, order, until

from talentseal.keys import SoftwareSigner

KILLS = 4
CALLERS = 3
LONGEST_LIFE_SECONDS = 2.5


@dataclass
class Ledger:
    """What issuers were told: orders taken, blocks given out."""

    taken: dict[int, int] = field(default_factory=dict)  # number of the order -> index
    given: list[list[int]] = field(default_factory=list)
    next_seq: int = 1
    lock: threading.Lock = field(default_factory=threading.Lock)

    def number(self) -> int:
        with self.lock:
            self.next_seq += 1
            return self.next_seq - 1


@contextmanager
def process(desk: Desk, environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """A running service: its URL and the number of its process."""
    running = subprocess.Popen(
        [sys.executable, "-m", "registry.cli", "serve", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "TALENTSEAL_HOME": str(desk.home), **environment},
    )  # fmt: skip
    assert running.stdout is not None
    try:
        line = running.stdout.readline()
        assert line.startswith("Listening on http://"), line
        yield line.split()[-1], running.pid
    finally:
        running.kill()
        running.wait(30)
        running.stdout.close()


def keep_calling(
    url: str, signer: SoftwareSigner, uri: str, indices: Iterator[int], ledger: Ledger
) -> None:
    """Revoke one credential after the other, and ask for blocks, until nobody answers."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=30, headers=JOSE) as client:
        try:
            while True:
                with ledger.lock:
                    idx = next(indices)
                seq = ledger.number()
                text = order(signer, seq, [(uri, idx, 1)])
                answer = client.post("/v1/status/orders", content=text)
                if answer.status_code == 200:
                    ledger.taken[seq] = idx
                if seq % 10 == 0:
                    asked = client.post("/v1/status/blocks", content=block_request(signer, 8))
                    if asked.status_code == 200:
                        ledger.given.append(asked.json()["indices"])
        except httpx2.HTTPError:
            return


@pytest.mark.timeout(300)
@both_databases
def test_every_order_that_was_acknowledged_is_in_the_next_published_list(
    desk: Desk, station_key: SoftwareSigner
) -> None:
    chance = random.Random(44)  # noqa: S311  not a secret
    ledger, environment = Ledger(), {"TALENTSEAL_RATE_LIMIT": "100000/minute"}
    with process(desk, environment) as (url, _), httpx2.Client(base_url=url) as client:
        block = Caller(url, desk, client).block(station_key, 8192)
    uri, indices = block["uri"], iter(block["indices"])
    for _ in range(KILLS):
        with process(desk, environment) as (url, pid):
            callers = [
                threading.Thread(target=keep_calling, args=(url, station_key, uri, indices, ledger))
                for _ in range(CALLERS)
            ]
            for one in callers:
                one.start()
            time.sleep(chance.uniform(0.3, LONGEST_LIFE_SECONDS))
            os.kill(pid, signal.SIGKILL)
            for one in callers:
                one.join(60)
        assert desk.read(SZ)["status/head.json"]  # the world reads something whole meanwhile
    assert len(ledger.taken) > KILLS
    with process(desk, environment) as (url, _), httpx2.Client(base_url=url) as client:
        caller = Caller(url, desk, client)
        until(lambda: "talentseal_publications_total{" in caller.get("/metrics").text)
        held = caller.status(uri)
        assert [seq for seq, idx in ledger.taken.items() if held.value(idx) != 1] == []
    given = [idx for part in (block["indices"], *ledger.given) for idx in part]
    assert len(given) == len(set(given))
