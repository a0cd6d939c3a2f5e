"""A verifier gets a certificate from a registry and asks in its own name."""

from pathlib import Path

import pytest

from registry.cli import app as registry
from talentseal.commandline import run
from verifier.access import load_access
from verifier.cli import app as verifier


def test_a_verifier_is_certified_for_a_host_in_the_name_spaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TALENTSEAL_HOME", str(tmp_path))

    def act(app: object, *argv: str, code: int = 0) -> None:
        assert run(app, list(argv)) == code, capsys.readouterr()  # type: ignore[arg-type]

    def ask(host: str) -> None:
        act(verifier, "keys", "new", "--dev", "--host", host, "--name", "en=Desk", "--out", jws)

    jws, answer = str(tmp_path / "desk.jws"), str(tmp_path / "desk.json")
    new = ("verifier", "new", "--jurisdiction", "HK", "--request", jws, "--out", answer)
    act(registry, "init", "--dev")
    act(
        registry, "jurisdiction", "new", "HK", "--entity-id", "https://root.hk.example",
        "--name", "en=Hong Kong (demonstration)", "--namespace", "hk.example",
    )  # fmt: skip
    ask("desk.elsewhere.example")
    act(registry, *new, code=1)
    ask("desk.hk.example")
    act(registry, *new)
    act(verifier, "keys", "take", answer)
    access = load_access(tmp_path / "verifier")
    assert access is not None
    assert access.host == "desk.hk.example"
