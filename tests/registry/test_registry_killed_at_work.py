"""`registry serve` as a process that is killed at any moment: what it has said is still so."""

import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx2
import pytest
from postgres import both_databases
from registry_desk import SZ, Desk
from registry_service import JOSE, Caller, block_request, order, until
from serving import http_client
from warm import WarmProcess

from talentseal.keys import SoftwareSigner

KILLS = int(os.environ.get("TALENTSEAL_KILLS", "8"))
CALLERS = 3
LONGEST_LIFE_SECONDS = 1.5


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


def service(desk: Desk) -> WarmProcess:
    return WarmProcess("registry", settings={"TALENTSEAL_RATE_LIMIT": "100000/minute"},
                       folder=desk.home)  # fmt: skip


def calling(url: str) -> httpx2.Client:
    return http_client(url)


def keep_calling(
    url: str, signer: SoftwareSigner, uri: str, indices: Iterator[int], ledger: Ledger
) -> None:
    """Revoke one credential after the other, and ask for blocks, until nobody answers."""
    with calling(url) as client:
        try:
            while True:
                with ledger.lock:
                    idx = next(indices)
                seq = ledger.number()
                text = order(signer, seq, [(uri, idx, 1)])
                answer = client.post("/v1/status/orders", content=text, headers=JOSE)
                if answer.status_code == 200:
                    ledger.taken[seq] = idx
                if seq % 10 == 0:
                    wanted = block_request(signer, 8)
                    asked = client.post("/v1/status/blocks", content=wanted, headers=JOSE)
                    if asked.status_code == 200:
                        ledger.given.append(asked.json()["indices"])
        except httpx2.HTTPError:
            return


def wait_for_an_order(ledger: Ledger) -> None:
    before = len(ledger.taken)
    until(lambda: len(ledger.taken) > before)


@pytest.mark.timeout(300)
@both_databases
def test_every_order_that_was_acknowledged_is_in_the_next_published_list(
    desk: Desk, station_key: SoftwareSigner
) -> None:
    chance = random.Random(44)  # noqa: S311  not a secret
    ledger = Ledger()
    with service(desk) as running, calling(running.url) as client:
        block = Caller(running.url, desk, client).block(station_key, 8192)
    uri, indices = block["uri"], iter(block["indices"])
    for _ in range(KILLS):
        with service(desk) as running:
            asked = (running.url, station_key, uri, indices, ledger)
            callers = [threading.Thread(target=keep_calling, args=asked) for _ in range(CALLERS)]
            for one in callers:
                one.start()
            wait_for_an_order(ledger)  # however slowly the service begins
            time.sleep(chance.uniform(0.3, LONGEST_LIFE_SECONDS))
            running.kill()
            for one in callers:
                one.join(60)
        assert desk.read(SZ)["status/head.json"]  # the world reads something whole meanwhile
    published = f'talentseal_publications_total{{jurisdiction="{SZ}"}}'
    with service(desk) as running, calling(running.url) as client:
        caller = Caller(running.url, desk, client)
        until(lambda: published in caller.get("/metrics").text)
        held = caller.status(uri)
        assert [seq for seq, idx in ledger.taken.items() if held.value(idx) != 1] == []
    given = [idx for part in (block["indices"], *ledger.given) for idx in part]
    assert len(given) == len(set(given))
