"""A key is changed while certificates are sealed: none fails, and the new key takes over."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest
from issuer_desk import BUREAU, Bureau, forms
from postgres import both_databases
from registry_desk import SZ

from talentseal import cwt, sdjwt
from talentseal.cose import HEADER_KID
from talentseal.encoding import b64url_decode
from talentseal.errors import Exit
from talentseal.keys import new_signer
from talentseal.reading import Evidence

WORKERS = ("left", "right")
PATIENCE_SECONDS = 120  # of a test on a busy machine; a certificate takes a fraction of a second

# Seals one certificate after another, each into a file of its own, until a file says stop.
SEALING = """
import sys
from pathlib import Path
from issuer.cli import app
from talentseal.commandline import run
number = 0
while not Path("stop").exists():
    code = run(app, ["issue", "--type", "professional-title/1", "--claims", {claims!r}, "--paper",
                     "--out", f"{prefix}-{{number:04}}.json"])
    if code:
        sys.exit(code)
    number += 1
"""


def rotate(bureau: Bureau) -> None:
    """The new key and the registry's answer, which is not taken in yet."""
    request, answer = str(bureau.home / "bureau.jws"), str(bureau.home / "answer.json")
    bureau.ask("keys", "rotate", "--out", request)
    bureau.registry.ask(
        "issuer", "new", "--jurisdiction", SZ, "--request", request, "--out", answer
    )


def kids(bureau: Bureau) -> list[str]:
    return [row["kid"] for row in bureau.ask("keys", "list")["keys"]]


def kid_of_next(bureau: Bureau) -> str:
    held = forms(bureau.seal("--holder-jwk", bureau.keys(new_signer())))
    return str(sdjwt.parse(held["dc+sd-jwt"]).jws.header["kid"])


def code_in(path: Path) -> bytes:
    return b64url_decode(forms(json.loads(path.read_bytes()))["talentseal_cwt"])


def kid8_in(path: Path) -> bytes:
    return bytes(cwt.parse(code_in(path)).message.protected[HEADER_KID])


def sealed_files(bureau: Bureau, prefix: str = "") -> list[Path]:
    return sorted(bureau.home.glob(f"{prefix}*-[0-9][0-9][0-9][0-9].json"))


@contextmanager
def sealing(bureau: Bureau) -> Iterator[list["Popen[str]"]]:
    """Two processes that seal, until the block ends; whatever became of it, so do they."""
    claims = bureau.claims()
    workers = [bureau.process(SEALING.format(claims=claims, prefix=name)) for name in WORKERS]
    try:
        yield workers
    finally:
        (bureau.home / "stop").touch()
        for worker in workers:
            worker.wait(PATIENCE_SECONDS)


def wait_for_more(bureau: Bureau, workers: list["Popen[str]"], count: int = 2) -> None:
    """Until every worker has sealed a few more."""
    wanted = {name: len(sealed_files(bureau, name)) + count for name in WORKERS}
    end = time.monotonic() + PATIENCE_SECONDS
    while any(len(sealed_files(bureau, name)) < many for name, many in wanted.items()):
        for worker in workers:
            assert worker.poll() is None, worker.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.timeout(600)  # of what its processes do, all waits for a busy machine
@both_databases
def test_a_key_is_rotated_while_certificates_are_sealed(bureau: Bureau) -> None:
    with sealing(bureau) as workers:
        wait_for_more(bureau, workers)
        rotate(bureau)  # listed, and without rights
        bureau.registry.ask("publish")
        bureau.enrol()
        wait_for_more(bureau, workers)
        bureau.registry.ask("grant", "renew", "--issuer", BUREAU)
        bureau.registry.ask("publish")
        bureau.sync()
        wait_for_more(bureau, workers)
    told = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [Exit.OK, Exit.OK], told
    codes = [code_in(path) for path in sealed_files(bureau)]
    assert [bureau.outcome(Evidence(code=code)) for code in codes] == [("accept", [])] * len(codes)
    assert bureau.rows("SELECT DISTINCT kid FROM certificate ORDER BY kid") == [
        (kid,) for kid in sorted(kids(bureau))
    ]
    for name in WORKERS:
        used = [kid8_in(path) for path in sealed_files(bureau, name)]
        assert used == sorted(used, key=used.index), "the key is changed once, and not back"


def test_the_new_key_seals_once_it_is_listed_and_granted(bureau: Bureau) -> None:
    (old,) = kids(bureau)
    rotate(bureau)
    new = kids(bureau)[1]
    assert kid_of_next(bureau) == old
    bureau.registry.ask("publish")
    assert kid_of_next(bureau) == old
    bureau.enrol()
    assert kid_of_next(bureau) == old
    (right,) = bureau.registry.ask("grant", "renew", "--issuer", BUREAU)
    assert (right["to"], right["state"]) == (BUREAU, "in force")
    assert kid_of_next(bureau) == old
    bureau.registry.ask("publish")
    bureau.sync()
    assert kid_of_next(bureau) == new


def test_what_either_key_has_sealed_can_be_revoked_after_the_rotation(bureau: Bureau) -> None:
    before = bureau.seal("--paper")
    rotate(bureau)
    bureau.registry.ask("grant", "renew", "--issuer", BUREAU)
    bureau.registry.ask("publish")
    bureau.enrol()
    after = bureau.seal("--paper")
    for document in (before, after):
        bureau.ask("revoke", document["id"], "--reason", "rescinded")
    assert [one["state"] for one in bureau.registry.ask("publish")["orders"]] == ["applied"] * 2
    bureau.sync()
    for document in (before, after):
        code = b64url_decode(forms(document)["talentseal_cwt"])
        assert bureau.outcome(Evidence(code=code)) == ("refuse", ["REVOKED"])


def test_several_rotations_in_one_second_keep_their_order(bureau: Bureau) -> None:
    for _ in range(3):
        bureau.ask("keys", "rotate")
    rows = bureau.ask("keys", "list")["keys"]
    made = [row["created_at"] for row in rows]
    assert made == sorted(set(made))
    assert [row["uri"] for row in rows] == [None] * 4


def test_a_rotated_key_is_of_the_same_kind(newcomer: Bureau) -> None:
    newcomer.ask("keys", "new", "--dev", "--entity-id", BUREAU, "--name", "en=Example Title Bureau",
                 "--name", "zh-Hans=示例职称办", "--alg", "EdDSA")  # fmt: skip
    request = newcomer.ask("keys", "rotate")["request"]
    claims = json.loads(b64url_decode(request.split(".")[1]))
    assert claims["jwk"]["crv"] == "Ed25519"
    assert claims["names"] == {"en": "Example Title Bureau", "zh-Hans": "示例职称办"}
    renamed = newcomer.ask("keys", "rotate", "--name", "en=Example Bureau of Titles")["request"]
    assert json.loads(b64url_decode(renamed.split(".")[1]))["names"] == {
        "en": "Example Bureau of Titles"
    }


def test_there_must_be_a_key_to_rotate(newcomer: Bureau) -> None:
    assert newcomer.refused("keys", "rotate")[0] == Exit.USAGE


@pytest.mark.parametrize("name", ["Example", "zh-Hans=示例"])
def test_a_rotated_key_needs_a_name_of_the_body(bureau: Bureau, name: str) -> None:
    assert bureau.refused("keys", "rotate", "--name", name)[0] == Exit.USAGE
    assert len(kids(bureau)) == 1
