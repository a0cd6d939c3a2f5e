"""The service is killed at any moment, comes back, and is compared with its client's ledger.

`TALENTSEAL_KILLS` says how often; an acknowledged act is found once, an act whose answer was lost
is done once when it is sent again under its key.
"""

import os
import random
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from issuer_desk import BUREAU, Bureau
from officers_desk import Counter, draft, hire
from postgres import both_databases
from serving import http_client
from warm import WarmProcess

from issuer.audit.trail import check_chain
from issuer.database import reading
from issuer.office import Office

KILLS = int(os.environ.get("TALENTSEAL_KILLS", "8"))
LONGEST_LIFE_SECONDS = 1.0


@dataclass
class Ledger:
    """What the client was told, id -> state, and the call whose answer it waits for."""

    issuances: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    open: tuple[Any, ...] | None = None


def service(bureau: Bureau) -> WarmProcess:
    return WarmProcess("issuer", settings={"TALENTSEAL_ISSUER_URL": BUREAU}, folder=bureau.home)


def story(counter: Counter, ledger: Ledger, chance: random.Random) -> None:
    """One certificate from its draft to its end, as far as the service lives."""
    number = f"EX-KILL-{chance.randrange(10**9):09}"
    made = act(
        counter, ledger, "preparer", "POST", "/v1/issuances", draft(certificate_number=number)
    )
    place = f"/v1/issuances/{made['id']}"
    ledger.issuances[made["id"]] = "prepared"
    act(counter, ledger, "approver", "POST", f"{place}/approve", None, match='"1"')
    ledger.issuances[made["id"]] = "approved"
    paper = act(counter, ledger, "issuer", "POST", f"{place}/paper", None, match='"2"')
    ledger.issuances[made["id"]] = "issued"
    ledger.certificates[paper["certificate"]] = "valid"
    path = f"/v1/credentials/{paper['certificate']}/revoke"
    act(counter, ledger, "revoker", "POST", path, {"reason": "rescinded"}, match='"1"')
    ledger.certificates[paper["certificate"]] = "revoked"


def stories(counter: Counter, ledger: Ledger, chance: random.Random) -> None:
    while True:
        story(counter, ledger, chance)


def act(counter: Counter, ledger: Ledger, who: str, method: str, path: str, body: Any,
        match: str | None = None) -> Any:  # fmt: skip
    key = os.urandom(12).hex()
    ledger.open = (who, method, path, body, match, key)
    made = counter.ask(who, method, path, body, match=match, key=key)
    ledger.open = None
    return made


@pytest.mark.timeout(300)
@both_databases
def test_what_was_acknowledged_is_there_once_after_every_kill(bureau: Bureau) -> None:
    ledger, chance = Ledger(), random.Random(KILLS)  # noqa: S311  moments
    tokens: dict[str, str] = {}
    for _ in range(KILLS):
        with service(bureau) as process, http_client(process.url) as http:
            counter = Counter(process.url, http, tokens)
            if not tokens:
                hire(bureau, counter)
            finish(counter, ledger)
            check(bureau, counter, ledger)
            killer = threading.Timer(chance.uniform(0.05, LONGEST_LIFE_SECONDS), process.kill)
            killer.start()
            with pytest.raises(httpx2.HTTPError):
                stories(counter, ledger, chance)
            killer.join()
    with service(bureau) as process, http_client(process.url) as http:
        counter = Counter(process.url, http, tokens)
        finish(counter, ledger)
        check(bureau, counter, ledger)
    assert ledger.issuances


def finish(counter: Counter, ledger: Ledger) -> None:
    """Send again what was open, under the same key: it succeeds whether or not it was done."""
    if ledger.open is None:
        return
    who, method, path, body, match, key = ledger.open
    made = counter.ask(who, method, path, body, match=match, key=key)
    assert counter.ask(who, method, path, body, match=match, key=key) == made
    state = made.get("state", "issued")
    if path.endswith("/paper"):
        ledger.certificates[made["certificate"]] = "valid"
        ledger.issuances[path.split("/")[3]] = "issued"
    elif path.startswith("/v1/credentials"):
        ledger.certificates[made["id"]] = state
    else:
        ledger.issuances[made["id"]] = state
    ledger.open = None


def check(bureau: Bureau, counter: Counter, ledger: Ledger) -> None:
    """Nothing acknowledged is missing, nothing is there twice, and the books are whole."""
    assert dict(bureau.rows("SELECT id, state FROM issuance")) == ledger.issuances
    assert dict(bureau.rows("SELECT id, state FROM certificate")) == ledger.certificates
    places = bureau.rows("SELECT uri, idx FROM form JOIN status_block ON form.block = number")
    assert len(set(places)) == len(places) == len(ledger.certificates)
    assert bureau.taken() == len(places)  # one transaction: no index is lost either
    revoked = sum(state == "revoked" for state in ledger.certificates.values())
    assert bureau.rows("SELECT count(*) FROM outbox") == [(revoked,)]
    with reading(Office.here().engine) as db:
        assert check_chain(db) == bureau.rows("SELECT count(*) FROM audit")[0][0]
    assert counter.client.get("/readyz").status_code == 200
