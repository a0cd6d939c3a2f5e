"""An issuer in a folder of its own, driven by its real commands, beside its registry."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect
from typing import Any

from postgres import direct
from registry_desk import SZ, Desk, Ran

from issuer.cli import app
from talentseal.bundle import Bundle
from talentseal.commandline import now, run
from talentseal.errors import Exit
from talentseal.keys import SoftwareSigner
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.trustdb import open_bundle
from talentseal.verify import verify

ROOT = Path(__file__).resolve().parents[1]
BUREAU = "https://titles.sz.example"
TITLE = "professional-title/1"
TERM_DAYS = 700  # of the bureau's grant, shorter than the type's own


@dataclass(frozen=True, slots=True)
class Bureau:
    """One issuer and its registry. `TALENTSEAL_HOME` must lead to `home`."""

    home: Path

    @property
    def registry(self) -> Desk:
        return Desk(self.home)

    @property
    def orders(self) -> Path:
        return self.home / "exchange" / "orders"

    @property
    def public(self) -> str:
        return str(self.home / "registry" / "public")

    @property
    def url(self) -> str | None:
        """Of the issuer's database in a cluster; None where it is the file in this home."""
        return os.environ.get("TALENTSEAL_ISSUER_DB")

    @property
    def place(self) -> str:
        """URL of the issuer's database, wherever it is."""
        return self.url or f"sqlite:///{self.database}"

    @property
    def database(self) -> Path:
        return self.home / "issuer" / "issuer.db"

    def run(self, *argv: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(app, list(argv), name="issuer")
        return Ran(code, out.getvalue(), err.getvalue())

    def ask(self, *argv: str) -> Any:
        """The document of a command that succeeds."""
        ran = self.run(*argv, "--json")
        assert ran.code == Exit.OK, ran.err
        return json.loads(ran.out)

    def problem(self, *argv: str) -> tuple[int, Any]:
        """Exit code and document of a command that does not."""
        ran = self.run(*argv, "--json")
        assert ran.code != Exit.OK, ran.out
        return ran.code, json.loads(ran.out)

    def refused(self, *argv: str) -> tuple[int, str]:
        code, document = self.problem(*argv)
        return code, document["code"]

    def enrolled(self, *grant: str) -> None:
        """Make a key, have it listed with a grant if one is given, and take in the answer."""
        self.list_key()
        if grant:
            self.registry.ask("grant", "new", "--issuer", BUREAU, *grant)
        self.registry.ask("publish")
        self.enrol()

    def list_key(self) -> None:
        request, answer = str(self.home / "bureau.jws"), str(self.home / "answer.json")
        self.ask("keys", "new", "--dev", "--entity-id", BUREAU, "--name", "en=Example Title Bureau",
                 "--out", request)  # fmt: skip
        self.registry.ask(
            "issuer", "new", "--jurisdiction", SZ, "--request", request, "--out", answer
        )

    def enrol(self) -> Any:
        return self.ask("enrol", str(self.home / "answer.json"), "--trust", self.public)

    def sync(self) -> Any:
        return self.ask("sync", "--from", self.public)

    # sealing

    def claims(self, name: str = "title-01", /, **changes: Any) -> str:
        """A sample in a file, dated today and placed in Shenzhen; returns its path."""
        document = sample(name)
        document["claims"].update(changes)
        path = self.home / f"{name}.json"
        path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
        return str(path)

    def keys(self, *signers: SoftwareSigner) -> str:
        """The holder's public keys in a file; returns its path."""
        path = self.home / "holder.json"
        path.write_text(json.dumps({"keys": [one.public.jwk for one in signers]}), "ascii")
        return str(path)

    def seal(self, *options: str, claims: str | None = None, kind: str = TITLE) -> Any:
        return self.ask("issue", "--type", kind, "--claims", claims or self.claims(), *options)

    def refused_seal(
        self, *options: str, claims: str | None = None, kind: str = TITLE
    ) -> tuple[int, Any]:
        return self.problem("issue", "--type", kind, "--claims", claims or self.claims(), *options)

    # looking

    def bundle(self) -> Bundle:
        return open_bundle(self.home / "issuer" / "trust")

    def outcome(self, evidence: Evidence) -> tuple[str, list[str]]:
        """What a verifier with this issuer's trust data says, and the codes of what fails."""
        verdict = verify(evidence, self.bundle(), Policy(), now=now())
        return str(verdict.outcome), [str(c.code) for c in verdict.checks if c.result == "fail"]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.url:
            with direct(self.url) as db:
                found: list[tuple[Any, ...]] = db.execute(query).fetchall()
            return found
        with closing(connect(self.database)) as db:
            return db.execute(query).fetchall()

    def change(self, statement: str) -> None:
        if self.url:
            with direct(self.url) as db:
                db.execute(statement)
            return
        with closing(connect(self.database)) as db, db:
            db.execute(statement)

    def taken(self) -> int:
        """How many status indices are used up."""
        return int(self.rows("SELECT sum(used) FROM status_block")[0][0])

    def process(self, code: str) -> "subprocess.Popen[str]":
        """A process of its own that runs Python over this home."""
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "TALENTSEAL_HOME": str(self.home)},
            cwd=self.home,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )


def sample(name: str) -> dict[str, Any]:
    text = (ROOT / "examples" / "claims" / f"{name}.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text.replace("CN/9999", SZ))
    today = datetime.now(UTC).date()
    dates = {"issue_date": today, "acquired_on": today - timedelta(days=30)}
    claims = document["claims"]
    claims.update({key: day.isoformat() for key, day in dates.items() if key in claims})
    return document


def forms(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Format -> credential of what a wallet receives."""
    credentials: Sequence[Mapping[str, str]] = document["credentials"]
    return {one["format"]: one["credential"] for one in credentials}
