"""The main job, from nothing: seal, draw, check without a network, revoke, check again.

Run `make demo`. Everything happens through the four programs' public commands, with real keys and
databases below `.demo`; bodies and persons are fictional. Each step prints the command it runs and
what came of it, and the demo fails at the first answer that is not the expected one.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = Path(os.environ.get("TALENTSEAL_DEMO", ROOT / ".demo"))
PROGRAMS = Path(sys.executable).parent
REFUSE = 1
# A process that imports this cannot open a connection: the checks below run under it.
NO_NETWORK = """import socket
def refuse(*_args, **_kwargs):
    raise OSError("no network in this demo step")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = refuse
"""


class Party:
    """One participant: a folder of its own, and the programs run as it."""

    def __init__(self, name: str, **settings: str) -> None:
        self.home = DEMO / name
        self.settings = settings

    def run(
        self,
        *command: str,
        expect: int = 0,
        shows: str = "",
        quiet: bool = False,
        offline: bool = False,
    ) -> str:
        """Run one command, print it, and stop the demo unless it ends as expected."""
        print(f"\n$ {_spoken(command)}", flush=True)
        done = subprocess.run(
            [PROGRAMS / command[0], *command[1:]],
            env=self._environment(offline=offline),
            cwd=DEMO,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        if not quiet or done.returncode != expect:
            print(said.rstrip())
        if expect:
            print(f"[exit {done.returncode}]")
        if done.returncode != expect or shows not in said:
            sys.exit(f"\nThe demo stops: expected exit {expect} and {shows!r} here.")
        return done.stdout

    def _environment(self, *, offline: bool) -> Mapping[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TALENTSEAL_")}
        return {
            **kept,
            "TALENTSEAL_HOME": str(self.home),
            "TALENTSEAL_EXCHANGE": str(DEMO / "exchange"),
            "TALENTSEAL_TRUST_SOURCE": str(DEMO / "registry" / "registry" / "public"),
            "TALENTSEAL_VERIFIER_HOST": "verify.sz.example",
            "LANG": "C.UTF-8",
            **({"PYTHONPATH": str(DEMO / "no-network")} if offline else {}),
            **self.settings,
        }


def _spoken(command: Sequence[str]) -> str:
    return " ".join(part if part.isascii() and " " not in part else f"'{part}'" for part in command)


def heading(text: str) -> None:
    print(f"\n\n=== {text} " + "=" * max(3, 92 - len(text)), flush=True)


def write_claims() -> None:
    """Sample claims with dates of today, so that the demo works on any day."""
    today = datetime.now(UTC).date()
    folder = DEMO / "claims"
    folder.mkdir()
    dates = {
        "issue_date": today.isoformat(),
        "acquired_on": (today - timedelta(days=30)).isoformat(),
        "registered_on": "2012-01-01",
        "valid_from": today.isoformat(),
        "valid_until": (today + timedelta(days=360)).isoformat(),
    }
    for name in ("title-01", "qual-01", "permit-01"):
        text = (ROOT / "examples" / "claims" / f"{name}.json").read_text("utf-8")
        document = json.loads(text.replace("CN/9999", "CN/4403"))
        claims = document["claims"]
        claims |= {member: day for member, day in dates.items() if member in claims}
        (folder / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False), "utf-8")


def set_up(registry: Party, issuers: Mapping[str, tuple[Party, str, str, str]]) -> None:
    heading("Two jurisdictions, each with its own root, and three issuers")
    registry.run("registry", "init", "--dev")
    for code, host, name, chinese in (
        ("CN/4403", "sz.example", "Shenzhen (demonstration)", "zh-Hans=深圳（演示）"),
        ("HK", "hk.example", "Hong Kong (demonstration)", "zh-Hant=香港（演示）"),
    ):
        registry.run(
            "registry", "jurisdiction", "new", code, "--entity-id", f"https://root.{host}",
            "--name", f"en={name}", "--name", chinese, "--namespace", host,
        )  # fmt: skip
    for name, (issuer, jurisdiction, entity, kind) in issuers.items():
        issuer.run(
            "issuer", "keys", "new", "--dev", "--entity-id", entity,
            "--name", f"en={name} (fictional)", "--out", f"{issuer.home.name}.jws",
        )  # fmt: skip
        registry.run(
            "registry", "issuer", "new", "--jurisdiction", jurisdiction,
            "--request", f"{issuer.home.name}.jws", "--out", f"{issuer.home.name}.json",
        )  # fmt: skip
        registry.run(
            "registry", "grant", "new", "--issuer", entity, "--type", kind,
            "--territory", jurisdiction,
        )  # fmt: skip
    registry.run(
        "registry", "recognition", "new", "--home", "CN/4403", "--of", "HK",
        "--type", "professional-qualification/1", "--purpose", "employment",
    )  # fmt: skip
    registry.run("registry", "publish")
    for issuer, *_ in issuers.values():
        issuer.run("issuer", "enrol", f"{issuer.home.name}.json")


def seal(issuer: Party, wallet: Party, kind: str, claims: str) -> str:
    """One certificate for the wallet and one on paper; the paper one's id comes back."""
    name = wallet.home.name
    wallet.run("wallet", "init", quiet=True)
    wallet.run("wallet", "key", "--copies", "2", "--out", f"{name}-keys.json", quiet=True)
    issuer.run(
        "issuer", "issue", "--type", kind, "--claims", f"claims/{claims}.json",
        "--holder-jwk", f"{name}-keys.json", "--out", f"{name}.json",
    )  # fmt: skip
    wallet.run("wallet", "receive", f"{name}.json")
    issued = issuer.run(
        "issuer", "issue", "--type", kind, "--claims", f"claims/{claims}.json",
        "--paper", "--out", f"{name}.png", "--json",
    )  # fmt: skip
    paper_id: str = json.loads(issued)["id"]
    return paper_id


def check(desk: Party, bundle: str, shown: str, *, expect: int = 0, shows: str = "ACCEPT") -> None:
    desk.run(
        "verifier", "check", "--bundle", bundle, "--jurisdiction", "CN/4403",
        "--place", "CN/4403", "--purpose", "employment", shown,
        expect=expect, shows=shows, offline=True,
    )  # fmt: skip


def tamper(source: Path, target: Path) -> None:
    """Change one character in the middle of a credential's sealed content."""
    text = source.read_text("ascii")
    token = text.split("~", 1)[0]
    middle = token.index(".") + (token.rindex(".") - token.index(".")) // 2
    other = "A" if text[middle] != "A" else "B"
    target.write_text(text[:middle] + other + text[middle + 1 :], "ascii")


class Stage:
    """Everybody in the demo, each with a folder of their own."""

    def __init__(self) -> None:
        vault = {"TALENTSEAL_VAULT_PASSPHRASE_FILE": str(DEMO / "vault-passphrase")}
        self.registry, self.desk = Party("registry"), Party("desk")
        self.bureau, self.experts, self.board = Party("bureau"), Party("experts"), Party("board")
        self.lin, self.alice, self.chan = (
            Party(name, **vault) for name in ("lin", "alice", "chan")
        )

    def issuers(self) -> Mapping[str, tuple[Party, str, str, str]]:
        """Name of each body: who it is, its jurisdiction, its entity id, what it may seal."""
        return {
            "Demonstration Title Bureau": (
                self.bureau, "CN/4403", "https://titles.sz.example", "professional-title/1"),
            "Demonstration Foreign Experts Office": (
                self.experts, "CN/4403", "https://permits.sz.example", "foreigner-work-permit/1"),
            "Demonstration Architects Board": (
                self.board, "HK", "https://board.hk.example", "professional-qualification/1"),
        }  # fmt: skip

    def export(self, name: str) -> None:
        self.registry.run(
            "registry", "bundle", "export", name, "--jurisdiction", "CN/4403",
            "--jurisdiction", "HK",
        )  # fmt: skip


def prepare() -> Stage:
    """An empty folder with what the parties bring along: claims, a passphrase, no network."""
    shutil.rmtree(DEMO, ignore_errors=True)
    (DEMO / "no-network").mkdir(parents=True)
    (DEMO / "no-network" / "sitecustomize.py").write_text(NO_NETWORK, "ascii")
    passphrase = DEMO / "vault-passphrase"
    passphrase.write_text("a long demonstration passphrase\n", "ascii")
    passphrase.chmod(0o600)
    write_claims()
    return Stage()


def seal_three(stage: Stage) -> str:
    heading("A title, a work permit and a Hong Kong qualification: in the wallet and on paper")
    title = seal(stage.bureau, stage.lin, "professional-title/1", "title-01")
    seal(stage.experts, stage.alice, "foreigner-work-permit/1", "permit-01")
    seal(stage.board, stage.chan, "professional-qualification/1", "qual-01")
    stage.lin.run("wallet", "list")
    stage.lin.run("wallet", "qr", held_by(stage.lin), "--static", "--terminal", "--force")
    return title


def held_by(wallet: Party) -> str:
    """The id of the one certificate that a wallet holds."""
    listed = json.loads(wallet.run("wallet", "list", "--json", quiet=True))
    number: str = listed["credentials"][0]["id"]
    return number


def check_all(stage: Stage) -> None:
    heading("A desk in Shenzhen checks them from one file, without a network")
    stage.export("monday.zip")
    for shown in ("lin.png", "alice.png", "chan.png"):
        check(stage.desk, "monday.zip", shown)
    stage.lin.run(
        "wallet", "disclose", held_by(stage.lin), "--disclose", "display_name", "--yes",
        "--out", "presentation.txt", quiet=True,
    )  # fmt: skip
    check(stage.desk, "monday.zip", "presentation.txt")


def revoke(stage: Stage, title: str) -> None:
    heading("The bureau revokes the title; the desk imports the next bundle")
    stage.bureau.run("issuer", "revoke", title, "--reason", "rescinded")
    stage.registry.run("registry", "publish")
    stage.export("tuesday.zip")
    check(stage.desk, "tuesday.zip", "lin.png", expect=REFUSE, shows="REVOKED")
    for shown in ("alice.png", "chan.png"):
        check(stage.desk, "tuesday.zip", shown)


def try_what_must_fail(stage: Stage) -> None:
    heading("What must be refused")
    tamper(DEMO / "presentation.txt", DEMO / "tampered.txt")
    check(stage.desk, "tuesday.zip", "tampered.txt", expect=REFUSE, shows="REFUSE")
    stage.bureau.run(
        "issuer", "issue", "--type", "foreigner-work-permit/1", "--claims",
        "claims/permit-01.json", "--paper", "--out", "beyond.png",
        expect=REFUSE, shows="GRANT_SCOPE_TYPE",
    )  # fmt: skip
    root = "registry/registry/public/tuf/CN-4403/metadata/1.root.json"
    stage.desk.run("verifier", "init", "--root", root)
    stage.desk.run("verifier", "sync", "--from", "tuesday.zip")
    stage.desk.run(
        "verifier", "sync", "--from", "monday.zip", expect=REFUSE, shows="ROLLBACK_REFUSED"
    )


def main() -> None:
    stage = prepare()
    set_up(stage.registry, stage.issuers())
    title = seal_three(stage)
    check_all(stage)
    revoke(stage, title)
    try_what_must_fail(stage)
    heading("Done")
    print(f"Sealed, checked without a network, revoked, refused. Everything is below {DEMO.name}/.")


if __name__ == "__main__":
    main()
