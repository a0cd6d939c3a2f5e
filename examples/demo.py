"""The main job, from nothing: apply, approve, receive, present, check, revoke, check again.

Run `make demo`. Registry, issuer and verifier run as real processes on SQLite; officers act through
the issuer's interface, a desk through the verifier's, persons through their wallets, all with real
keys below `.demo`; bodies and persons are fictional. Each step prints what it does and what came of
it, and the demo fails at the first answer that is not the expected one.
"""

import json
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import network
from network import DEMO, PROGRAMS, ROOT, SERVICES, settings, url_of

REFUSE = 1
SECONDS_TO_REVOKE = 60
Bodies = Mapping[str, "tuple[Party, str, str, str]"]
# A process that imports this cannot open a connection: the offline checks run under it.
NO_NETWORK = """import socket
def refuse(*_args, **_kwargs):
    raise OSError("no network in this demo step")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = refuse
"""


class Party:
    """One participant: a folder of its own, and the programs run as it."""

    def __init__(self, name: str) -> None:
        self.name, self.home = name, DEMO / name

    def run(
        self,
        *command: str,
        expect: int = 0,
        shows: str = "",
        quiet: bool = False,
        offline: bool = False,
        source: str = "",
    ) -> str:
        """Run one command, print it, and stop the demo unless it ends as expected."""
        print(f"\n$ {_spoken(command)}", flush=True)
        environment = settings(self.name)
        if offline:
            environment["PYTHONPATH"] = str(DEMO / "no-network")
        if source:
            environment["TALENTSEAL_TRUST_SOURCE"] = source
        done = subprocess.run(
            [PROGRAMS / command[0], *command[1:]],
            env=environment, cwd=DEMO, capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if not quiet or done.returncode != expect:
            print(said.rstrip())
        if expect:
            print(f"[exit {done.returncode}]")
        if done.returncode != expect or shows not in said:
            stop(f"expected exit {expect} and {shows!r} here")
        return done.stdout


class Caller:
    """Somebody who calls a service over HTTP, with a token where one is needed."""

    def __init__(self, service: str, token: str = "") -> None:
        self.service = service
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        expect: int = 200,
        match: str = "",
        quiet: bool = False,
        file: Path | None = None,
    ) -> Any:
        """Call, print what was called, and stop the demo unless the answer is the expected one."""
        told = {**self._headers, "Idempotency-Key": secrets.token_urlsafe(18)}
        if match:
            told["If-Match"] = match
        data, kind = _form(body or {}, file) if file else _json(body)
        if data is not None:
            told["Content-Type"] = kind
        request = urllib.request.Request(  # noqa: S310  this machine's own services
            url_of(self.service) + path, data, told, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        if not quiet or status != expect:
            print(f"\n{self.service}> {method} {path}  ->  {status}", flush=True)
        if status != expect:
            stop(f"expected {expect}: {content[:2000]!r}")
        return json.loads(content) if content else None


def _json(body: Any) -> tuple[bytes | None, str]:
    return (None if body is None else json.dumps(body).encode()), "application/json"


def _form(fields: Mapping[str, str], file: Path) -> tuple[bytes, str]:
    """A form with a file (RFC 7578)."""
    mark = secrets.token_hex(12)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{file.name}"\r\n'
    parts += [head.encode(), b"\r\n", file.read_bytes(), f"\r\n--{mark}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={mark}"


def stop(why: str) -> None:
    sys.exit(f"\nThe demo stops: {why}.")


def _spoken(command: Sequence[str]) -> str:
    return " ".join(part if part.isascii() and " " not in part else f"'{part}'" for part in command)


def heading(text: str) -> None:
    print(f"\n\n=== {text} " + "=" * max(3, 92 - len(text)), flush=True)


def told(document: Mapping[str, Any], *names: str) -> None:
    """Some members of an answer, one a line."""
    for name in names:
        print(f"  {name}: {document[name]}", flush=True)


# --- who is who -----------------------------------------------------------------------------------


class Stage:
    """Everybody in the demo, each with a folder of their own."""

    def __init__(self) -> None:
        self.registry, self.desk, self.counter = Party("registry"), Party("desk"), Party("counter")
        self.bureau, self.experts, self.board = Party("bureau"), Party("experts"), Party("board")
        self.lin, self.alice, self.chan = Party("lin"), Party("alice"), Party("chan")

    def issuers(self) -> Bodies:
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
    if DEMO.exists():
        for service in SERVICES:
            network.stop(service)
        shutil.rmtree(DEMO)
    (DEMO / "no-network").mkdir(parents=True)
    (DEMO / "no-network" / "sitecustomize.py").write_text(NO_NETWORK, "ascii")
    passphrase = DEMO / "vault-passphrase"
    passphrase.write_text("a long demonstration passphrase\n", "ascii")
    passphrase.chmod(0o600)
    write_claims()
    return Stage()


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


def set_up(stage: Stage) -> None:
    heading("Two jurisdictions, each with its own root, three issuers and a verifier")
    registry = stage.registry
    registry.run("registry", "init", "--dev")
    for code, host, name, chinese in (
        ("CN/4403", "sz.example", "Shenzhen (demonstration)", "zh-Hans=深圳（演示）"),
        ("HK", "hk.example", "Hong Kong (demonstration)", "zh-Hant=香港（演示）"),
    ):
        registry.run(
            "registry", "jurisdiction", "new", code, "--entity-id", f"https://root.{host}",
            "--name", f"en={name}", "--name", chinese, "--namespace", host,
        )  # fmt: skip
    for name, body in stage.issuers().items():
        _list_issuer(registry, name, body)
    registry.run(
        "registry", "recognition", "new", "--home", "CN/4403", "--of", "HK",
        "--type", "professional-qualification/1", "--purpose", "employment",
    )  # fmt: skip
    _certify_verifier(stage)
    registry.run("registry", "publish")
    network.start("registry")
    for issuer, *_ in stage.issuers().values():
        issuer.run("issuer", "enrol", f"{issuer.name}.json")
    root = "registry/registry/public/tuf/CN-4403/metadata/1.root.json"
    stage.desk.run("verifier", "init", "--root", root)


def _list_issuer(registry: Party, name: str, body: "tuple[Party, str, str, str]") -> None:
    issuer, jurisdiction, entity, kind = body
    issuer.run(
        "issuer", "keys", "new", "--dev", "--entity-id", entity,
        "--name", f"en={name} (fictional)", "--out", f"{issuer.name}.jws",
    )  # fmt: skip
    registry.run(
        "registry", "issuer", "new", "--jurisdiction", jurisdiction,
        "--request", f"{issuer.name}.jws", "--out", f"{issuer.name}.json",
    )  # fmt: skip
    registry.run(
        "registry", "grant", "new", "--issuer", entity, "--type", kind, "--territory", jurisdiction
    )


def _certify_verifier(stage: Stage) -> None:
    stage.desk.run(
        "verifier", "keys", "new", "--dev", "--host", "verify.sz.example",
        "--name", "en=Harbour Engineering (fictional)", "--out", "desk.jws",
    )  # fmt: skip
    stage.registry.run(
        "registry", "verifier", "new", "--jurisdiction", "CN/4403", "--request", "desk.jws",
        "--out", "desk.json",
    )  # fmt: skip
    stage.desk.run("verifier", "keys", "take", "desk.json")


# --- over the network -----------------------------------------------------------------------------


def officer(stage: Stage, name: str, *roles: str) -> Caller:
    options = [part for role in roles for part in ("--role", role)]
    made = stage.bureau.run("issuer", "officer", "new", name, *options, "--json", quiet=True)
    return Caller("issuer", json.loads(made)["token"])


def receive_title(stage: Stage, first: Caller, second: Caller) -> str:
    """A title from an officer's draft to a wallet; the number of the certificate."""
    heading("One officer prepares a title, another approves it, the applicant's wallet receives it")
    content = json.loads((DEMO / "claims" / "title-01.json").read_text("utf-8"))
    draft = {
        "type": "professional-title/1",
        "claims": content["claims"],
        "territory": content["territory"],
    }
    issuance = first.call("POST", "/v1/issuances", draft, expect=201)
    path = f"/v1/issuances/{issuance['id']}"
    refused = first.call("POST", f"{path}/approve", match='"1"', expect=409)
    told(refused, "code", "title")
    told(second.call("POST", f"{path}/approve", match='"1"'), "state")
    offer = second.call("POST", f"{path}/offer", {}, expect=201)
    told(offer, "link", "tx_code")
    lin = stage.lin
    lin.run("wallet", "init", "--jurisdiction", "CN/4403", quiet=True)
    lin.run(
        "wallet", "receive", offer["link"], "--tx-code", offer["tx_code"], "--copies", "3", "--yes"
    )
    lin.run("wallet", "list")
    number: str = second.call("GET", path)["certificate"]
    return number


def present_title(stage: Stage, desk: Caller) -> None:
    heading("A desk asks for the title; the wallet shows what was asked for and nothing else")
    wish = {"query": "professional-title", "place": "CN/4403", "purpose": "employment"}
    begun = desk.call("POST", "/v1/presentations", wish, expect=201)
    stage.lin.run("wallet", "present", begun["request_url"], "--yes")
    found = desk.call("GET", f"/v1/presentations/{begun['id']}")
    told(found, "state")
    told(found["verdict"], "outcome", "questions")
    if found["verdict"]["outcome"] != "accept":
        stop("the presentation should have been accepted")
    stage.lin.run("wallet", "history")


def show_code(stage: Stage) -> Path:
    heading("The wallet shows a code; anyone checks its picture through the verifier's interface")
    picture = DEMO / "lin-shown.png"
    stage.lin.run("wallet", "qr", held_by(stage.lin), "--static", "--png", str(picture))
    check_picture(picture, "accept")
    return picture


def check_picture(picture: Path, outcome: str, *, quiet: bool = False) -> bool:
    """Ask the verifier about a picture; whether it says `outcome`."""
    case = {"place": "CN/4403", "purpose": "employment"}
    verdict = Caller("verifier").call("POST", "/v1/checks", case, file=picture, quiet=quiet)
    if not quiet:
        told(verdict, "outcome", "questions")
        if verdict["outcome"] != outcome:
            stop(f"expected {outcome}: {json.dumps(verdict['checks'])[:1500]}")
    return bool(verdict["outcome"] == outcome)


def revoke_title(revoker: Caller, number: str, picture: Path) -> None:
    heading("The officer revokes it: the online verifier refuses within seconds")
    path = f"/v1/credentials/{number}"
    state = revoker.call("GET", path)
    match = f'"{state["version"]}"'
    revoker.call("POST", f"{path}/revoke", {"reason": "rescinded"}, match=match)
    begun = time.monotonic()
    while not check_picture(picture, "refuse", quiet=True):
        if time.monotonic() - begun > SECONDS_TO_REVOKE:
            stop("the revocation did not arrive")
        time.sleep(0.2)
    print(f"  refused {time.monotonic() - begun:.1f} s after the officer's act")
    check_picture(picture, "refuse")


# --- without a network ----------------------------------------------------------------------------


def seal(issuer: Party, wallet: Party, kind: str, claims: str) -> None:
    """One certificate for the wallet and one on paper, by the operator's direct tools."""
    name = wallet.name
    wallet.run("wallet", "init", "--jurisdiction", "CN/4403", quiet=True)
    wallet.run("wallet", "key", "--copies", "2", "--out", f"{name}-keys.json", quiet=True)
    issuer.run(
        "issuer", "issue", "--type", kind, "--claims", f"claims/{claims}.json",
        "--holder-jwk", f"{name}-keys.json", "--out", f"{name}.json",
    )  # fmt: skip
    wallet.run("wallet", "receive", f"{name}.json")
    seal_paper(issuer, kind, claims, f"{name}.png")


def seal_paper(issuer: Party, kind: str, claims: str, out: str) -> str:
    issued = issuer.run(
        "issuer", "issue", "--type", kind, "--claims", f"claims/{claims}.json",
        "--paper", "--out", out, "--json",
    )  # fmt: skip
    number: str = json.loads(issued)["id"]
    return number


def held_by(wallet: Party) -> str:
    """The id of the first certificate that a wallet holds."""
    listed = json.loads(wallet.run("wallet", "list", "--json", quiet=True))
    number: str = listed["credentials"][0]["id"]
    return number


def check(desk: Party, bundle: str, shown: str, *, expect: int = 0, shows: str = "ACCEPT") -> None:
    desk.run(
        "verifier", "check", "--bundle", bundle, "--jurisdiction", "CN/4403",
        "--place", "CN/4403", "--purpose", "employment", shown,
        expect=expect, shows=shows, offline=True,
    )  # fmt: skip


def seal_the_others(stage: Stage) -> str:
    """A title on paper, a permit and a qualification; the number of the title."""
    heading("A title on paper, a work permit and a Hong Kong qualification, sealed by command")
    title = seal_paper(stage.bureau, "professional-title/1", "title-01", "lin.png")
    seal(stage.experts, stage.alice, "foreigner-work-permit/1", "permit-01")
    seal(stage.board, stage.chan, "professional-qualification/1", "qual-01")
    stage.lin.run("wallet", "qr", held_by(stage.lin), "--static", "--terminal", "--force")
    return title


def check_all(stage: Stage) -> None:
    heading("A counter without a network checks them from one file")
    stage.export("monday.zip")
    for shown in ("lin.png", "alice.png", "chan.png"):
        check(stage.counter, "monday.zip", shown)
    stage.lin.run(
        "wallet", "disclose", held_by(stage.lin), "--disclose", "display_name", "--yes",
        "--out", "presentation.txt", quiet=True,
    )  # fmt: skip
    check(stage.counter, "monday.zip", "presentation.txt")


def revoke_paper(stage: Stage, title: str) -> None:
    heading("The bureau revokes the title on paper; the counter imports the next bundle")
    stage.bureau.run("issuer", "revoke", title, "--reason", "rescinded")
    stage.registry.run("registry", "publish")
    stage.export("tuesday.zip")
    check(stage.counter, "tuesday.zip", "lin.png", expect=REFUSE, shows="REVOKED")
    for shown in ("alice.png", "chan.png"):
        check(stage.counter, "tuesday.zip", shown)


def tamper(source: Path, target: Path) -> None:
    """Change one character in the middle of a credential's sealed content."""
    text = source.read_text("ascii")
    token = text.split("~", 1)[0]
    middle = token.index(".") + (token.rindex(".") - token.index(".")) // 2
    other = "A" if text[middle] != "A" else "B"
    target.write_text(text[:middle] + other + text[middle + 1 :], "ascii")


def try_what_must_fail(stage: Stage) -> None:
    heading("What must be refused")
    tamper(DEMO / "presentation.txt", DEMO / "tampered.txt")
    check(stage.counter, "tuesday.zip", "tampered.txt", expect=REFUSE, shows="REFUSE")
    stage.bureau.run(
        "issuer", "issue", "--type", "foreigner-work-permit/1", "--claims",
        "claims/permit-01.json", "--paper", "--out", "beyond.png",
        expect=REFUSE, shows="GRANT_SCOPE_TYPE",
    )  # fmt: skip
    root = "registry/registry/public/tuf/CN-4403/metadata/1.root.json"
    stage.counter.run("verifier", "init", "--root", root)
    stage.counter.run("verifier", "sync", "--from", "tuesday.zip")
    stage.counter.run(
        "verifier", "sync", "--from", "monday.zip", expect=REFUSE, shows="ROLLBACK_REFUSED"
    )


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: stop("it was asked to"))
    stage = prepare()
    try:
        play(stage)
    finally:
        for service in reversed(SERVICES):
            network.stop(service)
    heading("Done")
    print("Prepared, approved, received, presented, checked, revoked and refused; over a network")
    print(f"and without one. Everything is below {DEMO.name}/; `make up` starts it again.")


def play(stage: Stage) -> None:
    set_up(stage)
    heading("Issuer and verifier start")
    for service in SERVICES:
        network.start(service)
        print(f"  {service:<9} {url_of(service)}", flush=True)
    first = officer(stage, "Officer Pan (fictional)", "preparer", "approver", "revoker")
    second = officer(stage, "Officer Qiu (fictional)", "approver", "issuer", "revoker")
    made = stage.desk.run(
        "verifier", "operator", "new", "Counter 3", "--role", "desk", "--json", quiet=True
    )
    desk = Caller("verifier", json.loads(made)["token"])
    number = receive_title(stage, first, second)
    present_title(stage, desk)
    picture = show_code(stage)
    title = seal_the_others(stage)
    check_all(stage)
    revoke_title(second, number, picture)
    revoke_paper(stage, title)
    try_what_must_fail(stage)


if __name__ == "__main__":
    main()
