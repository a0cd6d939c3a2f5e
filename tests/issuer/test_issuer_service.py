import time
from pathlib import Path

import pytest
from issuer_desk import Bureau
from officers_desk import open_counter

from issuer.office import Office
from issuer.readiness import parts
from talentseal.commandline import now
from talentseal.encoding import from_seconds
from talentseal.errors import Exit, UnavailableError
from talentseal.trustdb import CURRENT


def test_the_service_is_ready_where_key_trust_and_indices_are_there(bureau: Bureau) -> None:
    with open_counter(bureau) as counter:
        client = counter.client
        assert client.get("/healthz").json() == {"status": "ok"}
        parts = client.get("/readyz").json()["parts"]
        assert {name: part["ok"] for name, part in parts.items()} == dict.fromkeys(
            ("database", "key", "trust", "outbox", "status"), True
        )
        assert "talentseal_status_room 256.0" in client.get("/metrics").text
        bureau.change("UPDATE status_block SET used = size")
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert not answer.json()["parts"]["status"]["ok"]


@pytest.mark.usefixtures("bureau")
def test_a_clock_behind_what_signed_data_prove_is_not_ready() -> None:
    office = Office.here()
    held = office.bundle.jurisdictions[office.bundle.home]
    early = from_seconds(held.as_of - 3600)
    with pytest.raises(UnavailableError, match="clock is behind"):
        parts(office, lambda: early)["trust"]()
    assert parts(office, now)["trust"]()


def test_trust_data_that_a_command_brings_is_taken_up_in_seconds(
    bureau: Bureau, tmp_path: Path
) -> None:
    trust, aside = bureau.home / "issuer" / "trust", tmp_path / "aside"
    trust.rename(aside)  # as before the first synchronisation
    with open_counter(bureau) as counter:
        client = counter.client
        assert not client.get("/readyz").json()["parts"]["trust"]["ok"]
        aside.rename(trust)
        deadline = time.monotonic() + 30
        while not client.get("/readyz").json()["parts"]["trust"]["ok"]:
            assert time.monotonic() < deadline, "it is not taken up"
            time.sleep(0.1)


def test_trust_data_that_cannot_be_read_is_named_and_ends_no_service(bureau: Bureau) -> None:
    (bureau.home / "issuer" / "trust" / CURRENT).write_bytes(b"\xff")
    with open_counter(bureau) as counter:
        answer = counter.client.get("/readyz")
        assert (answer.status_code, answer.json()["parts"]["trust"]["ok"]) == (503, False)
        assert counter.client.get("/healthz").status_code == 200


def test_the_database_of_another_service_is_named_as_such(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"sqlite:///{bureau.home / 'registry' / 'registry.db'}"
    monkeypatch.setenv("TALENTSEAL_ISSUER_DB", other)
    for command in (["list"], ["migrate"]):
        ran = bureau.run(*command)
        assert (ran.code, "belongs to another service" in ran.err) == (Exit.UNAVAILABLE, True)
        assert "TALENTSEAL_ISSUER_DB" in ran.err
