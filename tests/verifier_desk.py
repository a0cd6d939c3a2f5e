"""A verifier in a folder of its own, driven by its real commands, in a world of its own."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator import World

from talentseal.commandline import run
from verifier.cli import app

CITY = "CN/9999"
FOR_WORK = ("--place", CITY, "--purpose", "employment")


def dev_world() -> World:
    """The honest network under development roots, at the time of the real clock."""
    world = World.honest(int(time.time()))
    for office in world.offices.values():
        office.dev = True
        office.tuf.roots.clear()
        office.peers.clear()
    for office in world.offices.values():
        for other in world.offices.values():
            if other is not office:
                office.introduce(other)
    return world


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class VerifierDesk:
    """One verifier with a home of its own, in a world of its own."""

    world: World
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home" / "verifier"

    def run(self, *argv: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(app, list(argv), name="verifier")
        return Ran(code, out.getvalue(), err.getvalue())

    def apart(self, *argv: str, stdin: bytes = b"", before: str = "") -> Ran:
        """The same in a process of its own, after the lines `before`."""
        program = f"{before}\nfrom verifier.cli import main\nmain()"
        done = subprocess.run(
            [sys.executable, "-c", program, *argv],
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
            env={**os.environ, "TALENTSEAL_HOME": str(self.folder / "home")},
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def root(self, code: str = CITY) -> str:
        return self.file("root.json", self.world.offices[code].tuf.root_bytes(1))

    def publish(self, name: str = "all.zip") -> str:
        return str(write_zip(self.folder / name, self.world.publish()))

    def ready(self) -> None:
        """Pin the city and bring the first set."""
        assert self.run("init", "--root", self.root()).code == 0
        assert self.run("sync", "--from", self.publish()).code == 0

    def check(self, *argv: str) -> Ran:
        return self.run("check", *FOR_WORK, *argv)


def codes(verdict: Mapping[str, Any]) -> Sequence[str]:
    """Codes of what failed or stayed unknown."""
    doubts = [c for c in verdict["checks"] if c["result"] in ("fail", "unknown")]
    return [check["code"] for check in doubts]
