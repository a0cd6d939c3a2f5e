"""Wallets, issuers and verifiers of others' making, on Node, as child processes of a test.

They share no line with ours: `@openid4vc` for the protocols, `@sd-jwt` for credentials, `jose` for
tokens. `make strangers` installs them; the programs are in `tests/conformance/node/`. Each reads
one JSON act a line and answers it with a line.
"""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from parts import need

from talentseal.encoding import b64url_encode
from talentseal.keys import SoftwareSigner

FOLDER = Path(__file__).parent / "conformance" / "node"
OLDEST = 20
PATIENCE_SECONDS = 60


class StrangerError(Exception):
    """What a stranger could not do, in its own words."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """One running program."""

    process: "subprocess.Popen[str]"

    def ask(self, act: str, **asked: Any) -> Any:
        """What it says. Raises StrangerError with its words when it could not."""
        assert self.process.stdin
        assert self.process.stdout
        watch = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        watch.start()
        try:
            self.process.stdin.write(json.dumps({"act": act, **asked}) + "\n")
            self.process.stdin.flush()
            told = json.loads(self.process.stdout.readline())
        finally:
            watch.cancel()
        if "error" in told:
            raise StrangerError(f"{told['error']}\n{told['cause']}")
        return told["ok"]


@cache
def _node() -> str | None:
    """A Node that is new enough."""
    found = os.environ.get("TALENTSEAL_NODE") or shutil.which("node")
    if found is None:
        return None
    asked = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    return found if int(asked.stdout[1:].split(".")[0]) >= OLDEST else None


@contextmanager
def stranger(name: str) -> Iterator[Stranger]:
    """The program `name`.mjs while a test needs it. Where it cannot run, the test says so."""
    node = _node()
    need(f"Node {OLDEST}", present=node is not None, remedy="install it, or name it in "
         "TALENTSEAL_NODE")  # fmt: skip
    made = (FOLDER / "node_modules" / ".made-from").is_file()
    need("The folder of foreign wallets and verifiers", present=made, remedy="run `make strangers`")
    with subprocess.Popen(
        [str(node), f"{name}.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            yield Stranger(process)
        finally:
            process.kill()


def private_jwk(signer: SoftwareSigner) -> dict[str, str]:
    """The private key for a stranger to hold."""
    key: Any = signer.private_key
    secret = key.private_numbers().private_value.to_bytes(32)
    return {**signer.public.jwk, "d": b64url_encode(secret)}
