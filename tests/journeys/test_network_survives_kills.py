"""Registry, issuer and verifier are killed at work, one after another, and compared with a ledger.

Officers, a wallet and a desk go on calling while processes die and come back. What was acknowledged
is on record once and, where it was a revocation, in the published list; no index is used twice; a
verdict is never a wrong one. `TALENTSEAL_KILLS` says how often a process is killed:
usually 18 times here, 8 times for the issuer alone and 8 for the registry alone on each of the two
databases, which makes fifty.
"""

import os
import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conformance.peers.strange_wallet import StrangeWallet
from issuer_desk import BUREAU, Bureau
from issuer_rooms import (  # noqa: F401  fixtures
    bureau,
    copied,
    enrolled_home,
    unlisted_home,
)
from network_processes import SERVICES, Network, running_network
from officers_desk import Counter, draft, hire
from registry_desk import SZ
from serving import http_client

from issuer.audit.trail import check_chain
from issuer.database import reading
from issuer.office import Office
from talentseal.encoding import inflate
from talentseal.status import StatusList, parse_status_token

KILLS = int(os.environ.get("TALENTSEAL_KILLS", "18"))
PATIENCE_SECONDS = 90
LONGEST_LIFE_SECONDS = 1.5
PAUSE_SECONDS = 0.03  # before the same question is put again
BREATH_SECONDS = 0.15  # of a client between two stories
WALLET = "professional-title_sd_jwt"


@dataclass
class Ledger:
    """What clients were told.

    issued   issuance -> certificate, where the answer with the certificate has come
    begun    issuances that were offered to a wallet: sealed or not, at most once
    texts    certificate -> what a desk can check
    revoked  certificates whose revocation was acknowledged
    wrong    whatever must never be, as a sentence
    """

    issued: dict[str, str] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Clients:
    """Everybody who calls; `ended` tells them to come to an end."""

    network: Network
    ledger: Ledger
    tokens: dict[str, str]
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self, story: Callable[[Counter, random.Random], None], seed: int) -> None:
        """One story after the other; what goes wrong is kept for the main thread."""
        chance = random.Random(seed)  # noqa: S311  moments
        with http_client(self.network.url("issuer")) as client:
            counter = Counter(self.network.url("issuer"), client, self.tokens)
            while not self.ended.is_set():
                time.sleep(BREATH_SECONDS)
                try:
                    story(counter, chance)
                except (AssertionError, KeyError, ValueError) as error:
                    self.ledger.wrong.append(f"{story.__name__}: {error!r}"[:600])
                    return

    # officers

    def approved(self, counter: Counter, chance: random.Random) -> str:
        number = f"EX-NET-{chance.randrange(10**9):09}"
        body = draft(certificate_number=number)
        made = insist(counter, "preparer", "POST", "/v1/issuances", body)
        path = f"/v1/issuances/{made['id']}/approve"
        insist(counter, "approver", "POST", path, match='"1"')
        return str(made["id"])

    def on_paper(self, counter: Counter, chance: random.Random) -> None:
        issuance = self.approved(counter, chance)
        path = f"/v1/issuances/{issuance}/paper"
        paper = insist(counter, "issuer", "POST", path, match='"2"')
        self.ledger.issued[issuance] = paper["certificate"]
        self.ledger.texts[paper["certificate"]] = paper["code"]
        if chance.random() < 0.6:
            self.revoke(counter, paper["certificate"])

    def revoke(self, counter: Counter, certificate: str) -> None:
        self.ledger.asked.add(certificate)
        path = f"/v1/credentials/{certificate}/revoke"
        insist(counter, "revoker", "POST", path, {"reason": "rescinded"}, match='"1"')
        self.ledger.revoked.add(certificate)

    # a wallet

    def by_protocol(self, counter: Counter, chance: random.Random) -> None:
        """An offer is redeemed once; where an answer is lost the story just ends."""
        issuance = self.approved(counter, chance)
        self.ledger.begun.add(issuance)
        path = f"/v1/issuances/{issuance}"
        offer = insist(counter, "issuer", "POST", f"{path}/offer", {}, match='"2"')
        try:
            credential = receive(StrangeWallet(BUREAU, counter.client), offer)
        except httpx2.HTTPError:
            return
        certificate = insist(counter, "issuer", "GET", path)["certificate"]
        self.ledger.issued[issuance] = certificate
        self.ledger.texts[certificate] = credential
        if chance.random() < 0.6:
            self.revoke(counter, certificate)

    # a desk

    def at_a_desk(self, _: Counter, chance: random.Random) -> None:
        """What nobody has asked to revoke is accepted whenever there is an answer."""
        known = list(self.ledger.texts.items())
        if not known:
            return
        certificate, text = chance.choice(known)
        try:
            outcome = self.checked(text)
        except httpx2.HTTPError:
            return
        if outcome != "accept" and certificate not in self.ledger.asked:
            self.ledger.wrong.append(f"a good certificate was answered with {outcome}")

    def answers(self, text: str, wanted: str) -> bool:
        return self.checked(text) == wanted

    def go_on(self, issued: int) -> bool:
        """Whether more was issued since, or something is wrong."""
        return len(self.ledger.issued) > issued or bool(self.ledger.wrong)

    def checked(self, text: str) -> str:
        url = f"{self.network.url('verifier')}/v1/checks"
        body = {"evidence": text, "place": SZ, "purpose": "employment"}
        with http_client() as client:
            answer = client.post(url, json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["outcome"])


def receive(wallet: StrangeWallet, offer: dict[str, Any]) -> str:
    """The wallet form of what is offered. Raises httpx2.HTTPError where a process dies."""
    code = wallet.code_of(wallet.read_offer(offer["link"]))
    token = wallet.token(code, offer["tx_code"])
    assert token.status_code == 200, token.text
    _, answer = wallet.receive(token.json()["access_token"], WALLET)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["credentials"][0]["credential"])


def insist(counter: Counter, who: str, method: str, path: str, body: Any = None, **options: Any
           ) -> Any:  # fmt: skip
    """Call until there is an answer, always under the same key."""
    key, deadline = secrets.token_urlsafe(18), time.monotonic() + PATIENCE_SECONDS
    while True:
        assert time.monotonic() < deadline, f"no answer: {path}"
        try:
            answer = counter.call(who, method, path, body, key=key, **options)
        except httpx2.HTTPError:
            time.sleep(PAUSE_SECONDS)
            continue
        if answer.status_code != 503:
            assert answer.is_success, answer.text
            return answer.json()
        time.sleep(PAUSE_SECONDS)


# --- the end --------------------------------------------------------------------------------------


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(PAUSE_SECONDS)


def published(network: Network, places: list[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
    """What the public lists say of these places."""
    found: dict[tuple[str, int], int | None] = {}
    for uri in {uri for uri, _ in places}:
        url = f"{network.url('registry')}/status/{uri.rsplit('/', 1)[1]}"
        with http_client() as client:
            token = parse_status_token(client.get(url).content)
        data = inflate(token.compressed, max_bytes=2**20)
        held = StatusList(uri, token.bits, data, token.issued_at, None, None)
        found |= {(uri, idx): held.value(idx) for at, idx in places if at == uri}
    return found


def check_books(house: Bureau, ledger: Ledger) -> None:
    """Each acknowledged act is on record, once."""
    issuances = {
        number: (state, certificate)
        for number, state, certificate in house.rows("SELECT id, state, certificate FROM issuance")
    }
    for issuance, certificate in ledger.issued.items():
        state, recorded = issuances[issuance]
        assert recorded == certificate
        assert state == "issued" or issuance in ledger.begun  # its code may still be fetched
    sealed = [certificate for _, certificate in issuances.values() if certificate is not None]
    states = dict(house.rows("SELECT id, state FROM certificate"))
    assert sorted(sealed) == sorted(states)  # none twice, none without its issuance
    assert {number for number, state in states.items() if state == "revoked"} == ledger.revoked
    with reading(Office.here().engine) as db:
        assert check_chain(db) == house.rows("SELECT count(*) FROM audit")[0][0]
    acts = house.rows("SELECT certificate FROM audit WHERE act = 'revoke'")
    assert sorted(number for (number,) in acts) == sorted(ledger.revoked)


def check_indices(house: Bureau, network: Network, ledger: Ledger) -> None:
    """No index twice; the public list says what was acknowledged, and nothing else."""
    forms = house.rows(
        "SELECT certificate, uri, idx FROM form JOIN status_block ON form.block = number"
    )
    places = [(uri, idx) for _, uri, idx in forms]
    assert len(set(places)) == len(places)
    wanted = {(uri, idx): int(number in ledger.revoked) for number, uri, idx in forms}
    until(lambda: published(network, places) == wanted, "the list is not what was acknowledged")


def check_files(home: Path) -> None:
    for role in SERVICES:
        with closing(sqlite3.connect(home / role / f"{role}.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def check_verdicts(clients: Clients) -> None:
    ledger = clients.ledger
    for certificate, text in ledger.texts.items():
        wanted = "refuse" if certificate in ledger.revoked else "accept"
        until(partial(clients.answers, text, wanted), f"{certificate} is not answered: {wanted}")


@pytest.fixture
def network(
    bureau: Bureau,  # noqa: F811
) -> Iterator[Network]:
    with pytest.MonkeyPatch.context() as patch, running_network(bureau.home) as network:
        for name, value in network.settings.items():
            patch.setenv(name, value)
        yield network


@pytest.mark.timeout(120 + 20 * KILLS)
def test_what_was_acknowledged_holds_after_every_kill(
    bureau: Bureau,  # noqa: F811
    network: Network,
) -> None:
    with http_client() as client:
        counter = Counter(network.url("issuer"), client)
        hire(bureau, counter)
    clients = Clients(network, Ledger(), counter.tokens)
    stories = (clients.on_paper, clients.by_protocol, clients.at_a_desk)
    threads = [
        threading.Thread(target=clients.run, args=(story, seed))
        for seed, story in enumerate(stories)
    ]
    for thread in threads:
        thread.start()
    try:
        kill_again_and_again(network, clients)
    finally:
        clients.ended.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
    ledger = clients.ledger
    assert ledger.wrong == []
    assert len(ledger.issued) >= KILLS
    check_indices(bureau, network, ledger)
    check_books(bureau, ledger)
    check_verdicts(clients)
    check_files(bureau.home)


def kill_again_and_again(network: Network, clients: Clients) -> None:
    """Each service in turn at first, then whichever chance names."""
    chance = random.Random(KILLS)  # noqa: S311  moments
    for number in range(KILLS):
        service = SERVICES[number] if number < len(SERVICES) else chance.choice(SERVICES)
        time.sleep(chance.uniform(0.1, LONGEST_LIFE_SECONDS))
        network.kill(service)
        time.sleep(chance.uniform(0, 0.5))
        network.start(service)
        issued = len(clients.ledger.issued)
        until(partial(clients.go_on, issued), "nothing is issued any more")
