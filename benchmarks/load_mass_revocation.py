"""How long it takes to revoke everything of one issuer: from its signed orders to the signed list.

    .venv/bin/python -m benchmarks.load_mass_revocation [ENTRIES]

A registry of its own in a temporary folder, on SQLite, gives an issuer that many status indices;
the issuer's orders, ten thousand indices each, lie in the exchange folder; the clock runs while
`registry publish` checks, records and publishes them. The published lists are read back and every
entry is looked up. Reported, not gated.
"""

import importlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT
from talentseal.encoding import inflate
from talentseal.keys import SoftwareSigner, new_signer
from talentseal.status import StatusList, parse_status_token

ENTRIES = 1_000_000
BLOCK, ORDER = 65_536, 10_000
Place = tuple[str, int]  # URI of a list, index


def main(count: int) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TALENTSEAL_HOME"] = folder
        desk = importlib.import_module("registry_desk").Desk(Path(folder))
        key = _set_up(desk)
        places = _take(desk, count)
        _leave_orders(desk, key, places)
        begun, used = time.monotonic(), time.process_time()
        told = desk.ask("publish")["orders"]
        seconds, cpu = time.monotonic() - begun, time.process_time() - used
        lists = {uri: _published(desk, uri) for uri in {uri for uri, _ in places}}
    revoked = sum(lists[uri].value(idx) == 1 for uri, idx in places)
    applied = sum(one["state"] == "applied" for one in told)
    print(f"{applied} orders applied, {revoked} of {count} entries revoked in the signed lists")
    print(f"{seconds:.1f} s, {cpu:.1f} s of CPU")
    if revoked != count:
        sys.exit(1)


def _set_up(desk: Any) -> SoftwareSigner:
    """One jurisdiction and an issuer with a grant; its key."""
    desk_module, key = importlib.import_module("registry_desk"), new_signer()
    desk.ask("init", "--dev")
    desk.ask(
        "jurisdiction", "new", desk_module.SZ, "--entity-id", "https://trust.sz.example",
        "--name", "en=Example Registry", "--namespace", "sz.example",
    )  # fmt: skip
    request = desk.request(key)
    desk.ask("issuer", "new", "--jurisdiction", desk_module.SZ, "--request", request)
    desk.ask("publish")
    return key


def _take(desk: Any, count: int) -> list[Place]:
    """That many indices, from as many lists as they need."""
    station, places = importlib.import_module("registry_desk").STATION, list[Place]()
    while len(places) < count:
        ran = desk.run("issuer", "block", "--issuer", station, "--block", str(BLOCK), "--json")
        if ran.code != 0:
            desk.ask("publish")  # another list is begun, and used once it was published
            continue
        for one in json.loads(ran.out)["blocks"]:
            places += [(one["uri"], idx) for idx in one["indices"]]
    return places[:count]


def _leave_orders(desk: Any, key: SoftwareSigner, places: list[Place]) -> None:
    order = importlib.import_module("registry_service").order
    desk.orders.mkdir(parents=True, exist_ok=True)
    for number, at in enumerate(range(0, len(places), ORDER), start=1):
        changes = [(uri, idx, 1) for uri, idx in places[at : at + ORDER]]
        (desk.orders / f"{number:06}.jws").write_text(order(key, number, changes))


def _published(desk: Any, uri: str) -> StatusList:
    files = desk.read(importlib.import_module("registry_desk").SZ)
    token = parse_status_token(files[f"status/{uri.rsplit('/', 1)[1]}.jwt"])
    data = inflate(token.compressed, max_bytes=2**20)
    return StatusList(uri, token.bits, data, token.issued_at, None, None)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES)
