"""Several processes at once, and processes that are killed at any moment."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest
from registry_desk import HK, STATION, SZ, Desk

# One process that has loaded everything and forks a child for each line it reads: the child works
# until it is done or killed, and its parent tells how it ended.
NURSERY = """
import json, os, sys
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
    print(json.dumps(found), flush=True)

acts = {f.__name__: f for f in (publish_for_ever, publish_some, reserve)}
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        acts[line.strip()]()
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

# Sometimes early, while it reads and signs, sometimes late, while it writes.
LONGEST_LIFE_SECONDS = 0.8


@contextmanager
def nursery() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", NURSERY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert tell(process.stdout) == "ready"
        yield process
    finally:
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        process.wait(30)


def tell(pipe: IO[str] | None) -> str:
    assert pipe is not None
    return pipe.readline().strip()


def start(process: subprocess.Popen[str], act: str) -> int:
    """Begin an act in a child; returns its process id."""
    assert process.stdin is not None
    process.stdin.write(f"{act}\n")
    process.stdin.flush()
    return int(tell(process.stdout))


@pytest.mark.timeout(180)
def test_a_publisher_killed_at_any_moment_leaves_the_last_good_state(desk: Desk) -> None:
    moments = random.Random(44).sample(range(1, 100), 8)  # noqa: S311  not a secret
    newest = 0
    with nursery() as process:
        for percent in sorted(moments):
            child = start(process, "publish_for_ever")
            time.sleep(LONGEST_LIFE_SECONDS * percent / 100)
            os.kill(child, signal.SIGKILL)
            assert tell(process.stdout) == str(-signal.SIGKILL)
            # The world still reads something whole, of both jurisdictions, and never older.
            for code in (SZ, HK):
                assert desk.read(code)["status/head.json"]
            timestamp = (desk.public / "CN-4403" / "metadata" / "timestamp.json").read_bytes()
            version = json.loads(timestamp)["signed"]["version"]
            assert version >= newest
            newest = version
            # And the next run goes on as if nothing had been.
            if percent in moments[::3]:
                desk.ask("publish")
                assert desk.read(SZ)["status/head.json"]
    desk.ask("publish")
    grants = [one for one in desk.ask("grant", "list") if one["to"] == STATION]
    listed = desk.read(SZ)["lists/issuers.jws"].decode()
    assert len(grants) > 1
    assert desk.ask("jurisdiction", "show", SZ)["versions"]["timestamp"] > newest
    assert len(listed) > 1000


@pytest.mark.usefixtures("desk")
def test_two_processes_never_get_the_same_index() -> None:
    with nursery() as one, nursery() as other:
        for process in (one, other):
            start(process, "reserve")
        found = [json.loads(tell(process.stdout)) for process in (one, other)]
        assert [tell(process.stdout) for process in (one, other)] == ["0", "0"]
    indices = [idx for part in found for idx in part]
    assert len(indices) == len(set(indices)) == 2 * 25 * 40


def test_two_publishers_take_turns(desk: Desk) -> None:
    before = desk.ask("jurisdiction", "show", SZ)["versions"]["timestamp"]
    with nursery() as one, nursery() as other:
        for process in (one, other):
            start(process, "publish_some")
        assert [tell(process.stdout) for process in (one, other)] == ["0", "0"]
    assert desk.ask("jurisdiction", "show", SZ)["versions"]["timestamp"] == before + 8
    assert desk.read(SZ)["status/head.json"]
