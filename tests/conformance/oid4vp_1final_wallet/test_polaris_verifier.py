"""Our wallet before the HAIP verifier of `polaris-oid4vp`: `x509_hash`, a request fetched by POST,
an encrypted answer."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conformance.peers import polaris_service
from conformance.wallet_network import TITLE, find_here
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from parts import need
from simulator import YEAR, Office, World, key
from wallet_people import Person

from benchmarks import peer
from talentseal import x509

HOST = "harbour.city.example"


@pytest.fixture(autouse=True)
def _peers_are_there() -> None:
    missing = peer.missing()
    need("the foreign verifiers", present=missing is None, remedy=missing or "")


def leaf_of(city: Office) -> Any:
    """A certificate right below the anchor: this verifier shows no chain."""
    signer, start = key("harbour of polaris"), city.world.start - YEAR
    return x509.make_leaf(
        city.root, key(f"{city.code} ca"), signer.public, entity_id=f"https://{HOST}",
        organisation="Harbour (fictional)", country=city.code[:2], not_before=start,
        window_end=start + 3 * YEAR, not_after=start + 9 * YEAR, serial=next(city.serials),
    )  # fmt: skip


def configuration(city: Office, anchor: Any) -> dict[str, Any]:
    private: Any = key("harbour of polaris").private_key
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "host": HOST, "key": secret.decode(), "vct": TITLE, "claims": ["display_name"],
        "certificate": leaf_of(city).public_bytes(Encoding.PEM).decode(),
        "anchor": anchor.public_bytes(Encoding.PEM).decode(),
    }  # fmt: skip


@contextmanager
def polaris(given: dict[str, Any]) -> Iterator[Iterator[dict[str, Any]]]:
    """What the running verifier says, line by line."""
    with subprocess.Popen(
        [peer.PYTHON, Path(polaris_service.__file__)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        try:
            yield map(json.loads, process.stdout)
        finally:
            process.kill()


def test_a_haip_verifier_accepts_what_the_wallet_shows(
    holder: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with polaris(configuration(world.city, world.city.root)) as said:
        running = next(said)
        find_here(monkeypatch, HOST, running["url"])
        sent = holder.ask("present", running["link"], "--yes")
        told = next(said)
    assert sent["redirect_uri"] == f"https://{HOST}/done"
    assert (told["status"], told["verdict"]["authentic"]) == (200, True)
    assert told["verdict"]["iss_bound"]
    assert "display_name" in told["verdict"]["claims"]
    assert "birthdate" not in told["verdict"]["claims"]


def test_a_haip_verifier_that_trusts_another_city_refuses_and_the_wallet_says_so(
    holder: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with polaris(configuration(world.city, world.hk.root)) as said:
        running = next(said)
        find_here(monkeypatch, HOST, running["url"])
        assert holder.refused("present", running["link"], "--yes") == (1, "PRESENTATION_REJECTED")
        assert (told := next(said))["verdict"]["code"] == "issuer_key", told
