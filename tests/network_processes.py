"""The three services as real processes on one machine, to be killed and started again.

One home holds all roles; each service has a port of its own, found free at the beginning, under
which it comes back.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from issuer_desk import BUREAU
from warm import WarmProcess

SERVICES = ("registry", "issuer", "verifier")


@dataclass
class Network:
    """The services of one home. `settings` are theirs, and those of commands beside them."""

    home: Path
    ports: Mapping[str, int]
    settings: Mapping[str, str]
    processes: dict[str, WarmProcess] = field(default_factory=dict)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def start(self, service: str) -> None:
        """Start it; it listens when this returns."""
        process = WarmProcess(
            service, settings=self.settings, folder=self.home, port=self.ports[service]
        )
        assert process.url == self.url(service)
        self.processes[service] = process

    def kill(self, service: str) -> None:
        """As a power cut does."""
        self.processes.pop(service).kill()


def _free_ports() -> dict[str, int]:
    """Ports that nobody uses now; held together, so that they differ."""
    with ExitStack() as stack:
        found = {}
        for service in SERVICES:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            found[service] = int(listener.getsockname()[1])
        return found


def _settings(home: Path, ports: Mapping[str, int]) -> dict[str, str]:
    url = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
    return {
        "TALENTSEAL_HOME": str(home),
        "TALENTSEAL_DEV": "1",
        "TALENTSEAL_DEV_HOSTS": f"trust.sz.example={url['registry']},"
        f"titles.sz.example={url['issuer']}",
        "TALENTSEAL_REGISTRY_URL": url["registry"],
        "TALENTSEAL_TRUST_SOURCE": url["registry"],
        "TALENTSEAL_ISSUER_URL": BUREAU,
        "TALENTSEAL_VERIFIER_URL": url["verifier"],
        "TALENTSEAL_REFRESH_SECONDS": "1",
        "TALENTSEAL_RATE_LIMIT": "100000/minute",
    }


@contextmanager
def running_network(home: Path) -> Iterator[Network]:
    """The services over a home with an enrolled issuer; the verifier pins its registry."""
    from talentseal.commandline import run
    from verifier.cli import app as verifier

    root = home / "registry/public/tuf/CN-4403/metadata/1.root.json"
    assert run(verifier, ["init", "--root", str(root), "--json"]) == 0
    ports = _free_ports()
    network = Network(home, ports, _settings(home, ports))
    try:
        for service in SERVICES:
            network.start(service)
        yield network
    finally:
        for service in list(network.processes):
            network.kill(service)
