"""The demo, the README's session and the transcripts, run as a person would."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from transcripts import console_blocks, matches, play, steps

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The demo's network in a folder of its own, running, and the settings to visit it."""
    folder = tmp_path_factory.mktemp("demo") / "network"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TALENTSEAL_")}
    environment = {
        **kept,
        "TALENTSEAL_DEMO": str(folder),
        "TALENTSEAL_DEMO_PORTS": str(three_free_ports()),
        "TALENTSEAL_BIN": str(Path(sys.executable).parent),
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "LANG": "C.UTF-8",
    }
    try:
        act(environment, "demo.py")
        act(environment, "network.py", "up")
        yield environment
    finally:
        act(environment, "network.py", "down")


def act(environment: Mapping[str, str], script: str, *argv: str) -> None:
    """Run an example whole; what it starts is stopped by `network.py down`."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / script, *argv],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def three_free_ports() -> int:
    """The first of three neighbours that nobody uses, from a range that systems do not hand out."""
    for first in secrets.SystemRandom().sample(range(10_240, 30_000, 4), 200):
        if all(is_free(first + step) for step in range(3)):
            return first
    raise AssertionError("no three free ports")


def is_free(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_the_session_in_the_readme_is_true(demo: Mapping[str, str]) -> None:
    blocks = list(console_blocks((ROOT / "README.md").read_text("utf-8")))
    assert blocks
    for block in blocks:
        play(block, cwd=ROOT, environment=demo)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_a_transcript_is_true(path: Path, demo: Mapping[str, str]) -> None:
    play(path.read_text("utf-8"), cwd=ROOT, environment=demo)


def test_a_transcript_that_differs_is_noticed() -> None:
    (step,) = steps("$ echo one\none\n")
    assert matches(step.expected, "one\n")
    assert not matches(step.expected, "two\n")
    assert not matches(step.expected, "one\nmore\n")
    assert matches(["...", "z... end"], "a\nb\nzebra end\n")
