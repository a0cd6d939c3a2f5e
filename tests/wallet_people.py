"""A person with a wallet, an office that seals for them, and their surroundings."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from simulator import DAY, HOUR, Office, World, bytes_from, samples, type_of

from talentseal import cwt, sdjwt
from talentseal.codetext import write_text
from talentseal.commandline import run
from talentseal.encoding import b64url_encode
from talentseal.errors import Exit
from talentseal.keys import PublicKey
from talentseal.sdjwt import Envelope
from wallet_cli.main import app

HOST = "verify.talentseal.example"


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Person:
    """One wallet. `TALENTSEAL_HOME` must lead to `home`."""

    home: Path
    passphrase: Path

    @property
    def folder(self) -> Path:
        return self.home / "wallet"

    @property
    def vault(self) -> Path:
        return self.folder / "vault.json"

    def run(self, *argv: str | Path) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(app, list(map(str, argv)), name="wallet")
        return Ran(code, out.getvalue(), err.getvalue())

    def ask(self, *argv: str | Path) -> Any:
        """The document of a command that succeeds."""
        ran = self.run(*argv, "--json")
        assert ran.code == Exit.OK, ran.out + ran.err
        return json.loads(ran.out)

    def refused(self, *argv: str | Path) -> tuple[int, str]:
        """Exit code and reason code of a command that does not."""
        ran = self.run(*argv, "--json")
        assert ran.code != Exit.OK, ran.out
        return ran.code, json.loads(ran.out)["code"]

    def keys(self, copies: int = 2) -> list[PublicKey]:
        document = self.ask("key", "--copies", str(copies))
        return [PublicKey.from_jwk(jwk) for jwk in document.get("keys", [document])]

    def receive(self, issued: "Issued", **changes: Any) -> str:
        """Take it in; its short id."""
        name: str = self.ask("receive", issued.write(self.home, **changes))["id"]
        return name

    def synchronise(self, world: World, *, root: bool = False) -> Ran:
        """Carry what the world publishes now to this wallet."""
        place = publish(world, self.home / "published")
        (self.home / "root.json").write_bytes(world.city.tuf.root_bytes(1))
        pin = ("--root", self.home / "root.json") if root else ()
        return self.run("sync", "--from", place, *pin)


def publish(world: World, folder: Path) -> Path:
    for name, data in world.publish().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate for a wallet: both copies, and the places of their status."""

    text: str
    code: bytes
    index: int

    def document(self, **changes: Any) -> dict[str, Any]:
        copies = [
            {"format": "dc+sd-jwt", "credential": self.text},
            {"format": "talentseal_cwt", "credential": b64url_encode(self.code)},
        ]
        return {"id": "fictional-1", "credentials": copies, **changes}

    def write(self, folder: Path, **changes: Any) -> Path:
        path = folder / "issued.json"
        path.write_text(json.dumps(self.document(**changes)), "utf-8")
        return path

    @property
    def link(self) -> str:
        return write_text(self.code, host=HOST)


def seal_for(
    office: Office,
    keys: Sequence[PublicKey],
    sample: str = "title-01",
    *,
    claims: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Issued:
    """What `office` seals for these keys: the certificate for the first, a code for the last."""
    body = office.bodies["bureau"]
    found = samples()[sample]
    kind = type_of(found["vct"])
    content = {**found["claims"], **(claims or {})}
    at = office.world.now - office.world.now % HOUR
    index, office.next_index = office.next_index, office.next_index + 2
    envelope = Envelope(
        iss=body.entity_id, iat=at, exp=at + 300 * DAY, nbf=None, territory=found["territory"],
        status_uri=office.status_uri, status_index=index,
    )._replace(**changes)  # fmt: skip
    text = sdjwt.issue(
        content, envelope, kind, holder_jwk=keys[0].jwk, signer=body.signer, x5c=body.x5c,
        randomness=bytes_from(f"wallet {index}"),
    )  # fmt: skip
    code = cwt.issue(
        content, envelope._replace(status_index=index + 1), kind, holder=keys[-1],
        languages=("zh-Hans", "en"), signer=body.signer, identifier=bytes(16),
    )  # fmt: skip
    return Issued(text, code, index)


def live_in(person: Person, patch: pytest.MonkeyPatch) -> None:
    for name in ("TALENTSEAL_TRUST_SOURCE", "TALENTSEAL_VERIFIER_HOST", "TALENTSEAL_DEBUG"):
        patch.delenv(name, raising=False)
    patch.setenv("TALENTSEAL_HOME", str(person.home))
    patch.setenv("TALENTSEAL_VAULT_PASSPHRASE_FILE", str(person.passphrase))
    patch.setenv("LC_ALL", "C.UTF-8")


def arrive(home: Path) -> Person:
    """A person with a passphrase and nothing else."""
    passphrase = home / "passphrase"
    passphrase.write_text("a fictional passphrase\n")
    passphrase.chmod(0o600)
    return Person(home, passphrase)


@dataclass(frozen=True, slots=True)
class Holder:
    """A person who holds one title in both forms, and what was sealed."""

    person: Person
    issued: Issued
    id: str


def start(*argv: str, home: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """The real program in a process of its own."""
    program = Path(sys.executable).parent / "wallet"
    environment = {"PATH": "/usr/bin:/bin", "TALENTSEAL_HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run(
        [program, *argv],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def talk(answers: str, *argv: str | Path, **settings: str) -> tuple[int, str]:
    """Run the program at a terminal where somebody types a line at every question.

    Returns its exit code and what was seen.
    """
    leader, follower = pty.openpty()
    waiting = answers.splitlines(keepends=True)
    with subprocess.Popen(
        [Path(sys.executable).parent / "wallet", *argv],
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        env={**os.environ, **settings},
    ) as process:  # fmt: skip
        os.close(follower)
        seen = b""
        while chunk := _read(leader):
            seen += chunk
            if waiting and seen.endswith((b": ", b"] ")):
                os.write(leader, waiting.pop(0).encode())
    os.close(leader)
    return process.returncode, seen.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other side is gone
        return b""
