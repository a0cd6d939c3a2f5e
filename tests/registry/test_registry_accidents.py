"""Several processes at once, and processes that are killed at any moment."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from postgres import both_databases
from registry_desk import HK, STATION, SZ, Desk

from talentseal.artefacts import parse_root
from talentseal.lote import parse_list
from talentseal.statements import read_unverified

# One process that has loaded everything. For each line (home, database, acts) it forks a child per
# act; the children work until they are done or killed, and it tells how they ended.
NURSERY = """
import json, os, sys
from pathlib import Path
from registry.cli import app
from registry.issuers.granting import Scope, grant
from registry.issuers.repository import get_issuer
from registry.issuers.service import another_block
from registry.office import open_office
from registry.publishing.service import publish
from registry.settings import load_settings
from talentseal.commandline import now

def office():
    return open_office(load_settings(), now())

def publish_for_ever():
    places = iter(range(440301, 440400))
    while True:
        here = office()
        with here.transaction() as session:
            issuer = get_issuer(session, "https://titles.sz.example")
            scope = Scope(["https://types.talentseal.example/professional-title/1"],
                          [f"CN/{next(places)}"])
            grant(here, session, issuer, scope)
        publish(here)

def publish_some():
    for _ in range(4):
        publish(office())

def reserve():
    here = office()
    found = []
    for _ in range(25):
        with here.transaction() as session:
            issuer = get_issuer(session, "https://titles.sz.example")
            found += another_block(here, session, issuer, 40).blocks[0].indices
    Path(os.environ["TALENTSEAL_HOME"], f"{os.getpid()}.json").write_text(json.dumps(found))

def child(home, database, act):
    pid = os.fork()
    if not pid:
        os.environ["TALENTSEAL_HOME"] = home
        os.environ["TALENTSEAL_REGISTRY_DB"] = database
        act()
        os._exit(0)
    return pid

acts = {f.__name__: f for f in (publish_for_ever, publish_some, reserve)}
print("ready", flush=True)
for line in sys.stdin:
    home, database, *names = json.loads(line)
    children = [child(home, database, acts[name]) for name in names]
    print(json.dumps(children), flush=True)
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    print(json.dumps(ends), flush=True)
"""

# Sometimes early, while it reads and signs, sometimes late, while it writes.
LONGEST_LIFE_SECONDS = 0.8
LONGEST_WRITING_SECONDS = 0.03


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", NURSERY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


def begin(nursery: subprocess.Popen[str], desk: Desk, *acts: str) -> list[int]:
    """Begin acts at once, each in a process of its own; returns their ids."""
    assert nursery.stdin is not None
    nursery.stdin.write(json.dumps([str(desk.home), desk.database, *acts]) + "\n")
    nursery.stdin.flush()
    return [int(pid) for pid in hear(nursery)]


def hear(nursery: subprocess.Popen[str]) -> list[int]:
    """Process ids, or how the processes ended."""
    assert nursery.stdout is not None
    return list(json.loads(nursery.stdout.readline()))


@pytest.mark.timeout(180)
def test_a_publisher_killed_at_any_moment_leaves_the_last_good_state(
    desk: Desk, nursery: subprocess.Popen[str]
) -> None:
    chance = random.Random(44)  # noqa: S311  not a secret
    newest = 0
    for number in range(12):
        (child,) = begin(nursery, desk, "publish_for_ever")
        if number % 3:  # in the midst of writing
            wait_for_new_files(desk)
            time.sleep(chance.uniform(0, LONGEST_WRITING_SECONDS))
        else:  # while it reads and signs, or anywhere
            time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
        os.kill(child, signal.SIGKILL)
        assert hear(nursery) == [-signal.SIGKILL]
        # The world still reads something whole, of both jurisdictions, and never older.
        for code in (SZ, HK):
            assert desk.read(code)["status/head.json"]
        timestamp = (desk.public / "CN-4403" / "metadata" / "timestamp.json").read_bytes()
        version = json.loads(timestamp)["signed"]["version"]
        assert version >= newest
        newest = version
        if number % 4 == 0:  # and the next run goes on as if nothing had been
            desk.ask("publish")
            assert desk.read(SZ)["status/head.json"]
    desk.ask("publish")
    rights = desk.ask("grant", "list", "--jurisdiction", SZ)
    grants = [one["jti"] for one in rights if one["to"] == STATION]
    assert len(grants) > 1
    assert desk.ask("jurisdiction", "show", SZ)["versions"]["timestamp"] > newest
    assert set(grants) <= published_grants(desk)


def wait_for_new_files(desk: Desk) -> None:
    folder = desk.public / "HK" / "targets" / "status"
    before = set(folder.iterdir())
    deadline = time.monotonic() + 30
    while set(folder.iterdir()) == before:
        assert time.monotonic() < deadline, "nothing is published"


def published_grants(desk: Desk) -> set[str]:
    root = (desk.public / "CN-4403" / "metadata" / "1.root.json").read_bytes()
    text = desk.read(SZ)["lists/issuers.jws"].decode()
    listed = parse_list(text, list_jkt=parse_root(root)[0].list_jkt, now=None)
    return {read_unverified(grant).jti for one in listed.entities for grant in one.grants}


@both_databases
def test_two_processes_never_get_the_same_index(desk: Desk, nursery: subprocess.Popen[str]) -> None:
    children = begin(nursery, desk, "reserve", "reserve")
    assert hear(nursery) == [0, 0]
    found = [json.loads((desk.home / f"{child}.json").read_text()) for child in children]
    indices = [idx for part in found for idx in part]
    assert len(indices) == len(set(indices)) == 2 * 25 * 40


@both_databases
def test_two_publishers_take_turns(desk: Desk, nursery: subprocess.Popen[str]) -> None:
    before = desk.ask("jurisdiction", "show", SZ)["versions"]["timestamp"]
    begin(nursery, desk, "publish_some", "publish_some")
    assert hear(nursery) == [0, 0]
    assert desk.ask("jurisdiction", "show", SZ)["versions"]["timestamp"] == before + 8
    assert desk.read(SZ)["status/head.json"]
