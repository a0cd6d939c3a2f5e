"""A verifier goes on from its copies: receipts whole, operators known, no trust data backwards."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from backups import copy_database, restore_database
from homes import copy_home
from postgres import Cluster, both_databases
from verifier_desk import VerifierDesk
from verifier_service import VerifierService, verifier_service

from talentseal.errors import Exit
from verifier.station import DATABASE

CHECKS_AT_MOST = 500


def place_of(home: Path) -> str:
    """URL of the database of a verifier in this home."""
    return os.environ.get(DATABASE) or f"sqlite:///{home / 'verifier.db'}"


def receipts(service: VerifierService, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Every receipt on record, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = service.client.get(f"/v1/receipts?limit=100{cursor}", headers=headers).json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


def wait_for(service: VerifierService, headers: dict[str, str], count: int) -> None:
    """Receipts are written a little after the answers."""
    deadline = time.monotonic() + 60
    while len(receipts(service, headers)) < count:
        assert time.monotonic() < deadline, "no receipt is written"
        time.sleep(0.05)


def copy_at_work(service: VerifierService, text: str, target: Path) -> None:
    """A copy that is made while one check follows the other."""
    enough = threading.Event()

    def work() -> None:
        for _ in range(CHECKS_AT_MOST):
            assert service.check(text).json()["outcome"] == "accept"
            if enough.is_set():
                return

    worker = threading.Thread(target=work)
    worker.start()
    try:
        copy_database(place_of(service.station.home), target)
    finally:
        enough.set()
        worker.join(60)


@both_databases
def test_receipts_and_operators_are_as_in_the_copy_and_it_goes_on(
    tmp_path: Path, its_cluster: Cluster | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if its_cluster:
        monkeypatch.setenv(DATABASE, its_cluster.new())
    with verifier_service(tmp_path / "home") as service:
        world, text = service.world, service.world.city.issue().text
        service.trust.refresh()
        headers = service.token("auditor")
        for _ in range(5):
            service.check(text)
        wait_for(service, headers, 5)
        copy_at_work(service, text, tmp_path / "copy.db")
        service.check(text)
        everything = {one["id"] for one in receipts(service, headers)}
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    restore_database(tmp_path / "copy.db", place_of(tmp_path / "elsewhere"))
    with verifier_service(tmp_path / "elsewhere", world=world) as service:
        kept = receipts(service, headers)  # the operator's token is the one that it was
        assert len(kept) >= 5
        assert {one["id"] for one in kept[-5:]} <= everything
        assert service.check(text).json()["outcome"] == "accept"
        wait_for(service, headers, len(kept) + 1)
        assert service.client.get("/readyz").status_code == 200


def test_pin_and_trust_data_are_brought_forward_and_never_backwards(
    desk: VerifierDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = desk.publish("oldest.zip")
    desk.world.turn(60)
    desk.ready()
    copy_home(tmp_path / "home", tmp_path / "elsewhere" / "home")  # the copy
    desk.world.turn(60)
    newest = desk.publish("newest.zip")
    assert desk.run("sync", "--from", newest).code == Exit.OK
    monkeypatch.setenv("TALENTSEAL_HOME", str(tmp_path / "elsewhere" / "home"))
    refused = desk.run("sync", "--from", oldest)
    assert (refused.code, "[ROLLBACK_REFUSED]" in refused.err) == (Exit.REFUSE, True)
    other = desk.file("other.json", desk.world.offices["HK"].tuf.root_bytes(1))
    assert desk.run("init", "--root", other).code == Exit.REFUSE  # the pin came along
    assert desk.run("sync", "--from", newest).code == Exit.OK
