"""Three services as real processes on this machine: `make up`, `make down`.

    python examples/network.py up|down|status|addresses
    python examples/network.py settings PARTY

Everything lives below `.demo` (`TALENTSEAL_DEMO`): one folder a party, as in the demo. Public hosts
of the fictional bodies are found on loopback (`TALENTSEAL_DEV_HOSTS`), so that every identifier in
a certificate looks as it would in the world. `up` sets up what is missing, starts what is not
running and waits until all are ready.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = Path(os.environ.get("TALENTSEAL_DEMO", ROOT / ".demo"))
PROGRAMS = Path(sys.executable).parent
SERVICES = {"registry": ("registry", 8701), "issuer": ("bureau", 8702), "verifier": ("desk", 8703)}
READY_SECONDS = 60
STOP_SECONDS = 30


def port_of(service: str) -> int:
    """The port of a service; `TALENTSEAL_DEMO_PORTS` moves all three, for tests."""
    first = int(os.environ.get("TALENTSEAL_DEMO_PORTS", "8701"))
    return first + SERVICES[service][1] - 8701


def url_of(service: str) -> str:
    return f"http://127.0.0.1:{port_of(service)}"


def public_hosts() -> Mapping[str, str]:
    """The hosts of the fictional bodies and the service that answers for each."""
    return {
        "root.sz.example": url_of("registry"),
        "root.hk.example": url_of("registry"),
        "types.talentseal.example": url_of("registry"),
        "titles.sz.example": url_of("issuer"),
        "verify.sz.example": url_of("verifier"),
    }


def settings(party: str) -> dict[str, str]:
    """The settings of one party; nothing of the caller's own Talentseal is seen."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TALENTSEAL_")}
    return {
        **kept,
        "TALENTSEAL_DEV": "1",
        "TALENTSEAL_DEV_HOSTS": ",".join(f"{h}={url}" for h, url in public_hosts().items()),
        "TALENTSEAL_HOME": str(DEMO / party),
        "TALENTSEAL_EXCHANGE": str(DEMO / "exchange"),
        "TALENTSEAL_TRUST_SOURCE": url_of("registry"),
        "TALENTSEAL_REGISTRY_URL": url_of("registry"),
        "TALENTSEAL_ISSUER_URL": "https://titles.sz.example",
        "TALENTSEAL_VERIFIER_URL": "https://verify.sz.example",
        "TALENTSEAL_VERIFIER_NAME": "Harbour-Engineering",
        "TALENTSEAL_VERIFIER_HOST": "verify.sz.example",
        "TALENTSEAL_REFRESH_SECONDS": "2",
        "TALENTSEAL_VAULT_PASSPHRASE_FILE": str(DEMO / "vault-passphrase"),
        "LANG": "C.UTF-8",
    }


# --- processes ------------------------------------------------------------------------------------


def start(service: str) -> None:
    """Start a service unless it runs, and wait until it is ready."""
    process = None
    if pid_of(service) is None:
        party, _ = SERVICES[service]
        log = (DEMO / f"{service}.log").open("ab")
        process = subprocess.Popen(
            [PROGRAMS / service, "serve", "--port", str(port_of(service))],
            env=settings(party), cwd=DEMO, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        _pid_file(service).write_text(str(process.pid), "ascii")
    _wait_ready(service, process)


def stop(service: str) -> bool:
    """Ask a service to end and wait for it; whether one was running."""
    pid = pid_of(service)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _is_running(pid, service):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        _reap(pid)
        time.sleep(0.05)
    _pid_file(service).unlink(missing_ok=True)
    return True


def pid_of(service: str) -> int | None:
    """The process of a service that was started here and still runs."""
    try:
        pid = int(_pid_file(service).read_text("ascii"))
    except (OSError, ValueError):
        return None
    return pid if _is_running(pid, service) else None


def _pid_file(service: str) -> Path:
    return DEMO / f"{service}.pid"


def _is_running(pid: int, service: str) -> bool:
    """Whether the process exists and is the program that we mean, not one that has its number."""
    _reap(pid)
    try:
        os.kill(pid, 0)
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except ProcessLookupError:
        return False
    except OSError:  # no such list of processes on this system
        return True
    return b"serve" in words and any(word.endswith(service.encode()) for word in words)


def _reap(pid: int) -> None:
    """Take leave of a child that has ended, if it is one of ours."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _wait_ready(service: str, process: "subprocess.Popen[bytes] | None") -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(service):
        has_ended = process is not None and process.poll() is not None
        if time.monotonic() > deadline or has_ended:
            log = DEMO / f"{service}.log"
            sys.exit(
                f"The {service} does not become ready. Its log: {log}\n{log.read_text()[-2000:]}"
            )
        time.sleep(0.1)


def is_ready(service: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url_of(service)}/readyz", timeout=5) as answer:  # noqa: S310
            return bool(json.load(answer)["status"] == "ready")
    except (OSError, urllib.error.URLError, ValueError):
        return False


# --- commands -------------------------------------------------------------------------------------


def up() -> None:
    """The network of the demo, set up if it is not there yet, and its three services."""
    if not (DEMO / "registry").exists():
        from demo import prepare, set_up  # the demo knows who is who

        set_up(prepare())
    else:
        _catch_up()
    for service in SERVICES:
        start(service)
    told("The network is up; `make down` stops it.")
    for service in SERVICES:
        told(f"  {service:<9} {url_of(service)}/openapi.json")
    told("Act as a party:  . examples/session.sh; as bureau issuer list")


def _catch_up() -> None:
    """What an older version of the programs, or a pause of months, has left to be done."""
    asleep = [service for service in SERVICES if pid_of(service) is None]
    for service in asleep:
        _run(service, "migrate")
    if "registry" in asleep:
        _run("registry", "publish", "--after-pause")


def _run(service: str, *command: str) -> None:
    party, _ = SERVICES[service]
    with (DEMO / f"{service}.log").open("ab") as log:
        subprocess.run(
            [PROGRAMS / service, *command],
            env=settings(party), cwd=DEMO, stdout=log, stderr=log, check=False,
        )  # fmt: skip


def down() -> None:
    stopped = [service for service in reversed(SERVICES) if stop(service)]
    told(f"Stopped: {', '.join(stopped) or 'nothing was running'}.")


def status() -> None:
    for service in SERVICES:
        told(f"{service:<9} {'ready' if is_ready(service) else 'not ready'}  {url_of(service)}")


def say_settings(party: str) -> None:
    """The settings of a party, for a shell: `examples/session.sh`."""
    own = {name: value for name, value in settings(party).items() if name.startswith("TALENTSEAL_")}
    told("\n".join(f"{name}={value}" for name, value in own.items()))


def addresses() -> None:
    """Where the services are, as assignments for a shell."""
    for service in SERVICES:
        told(f"{service.upper()}={url_of(service)}")


def told(text: str) -> None:
    print(text, flush=True)


def main(argv: Sequence[str]) -> None:
    if len(argv) == 2 and argv[0] == "settings":
        say_settings(argv[1])
        return
    commands = {"up": up, "down": down, "status": status, "addresses": addresses}
    if len(argv) != 1 or argv[0] not in commands:
        sys.exit(f"usage: network.py {'|'.join(commands)}")
    commands[argv[0]]()


if __name__ == "__main__":
    main(sys.argv[1:])
