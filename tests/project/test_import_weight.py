"""A check at the counter and a look into the wallet start fast: they load no server, no database,
no update client, and no picture reader unless a picture is shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from verifier_desk import CITY, VerifierDesk, dev_world

from talentseal import qr
from talentseal.encoding import b64url_encode

DESK, WALLET = "verifier.__main__", "wallet_cli.__main__"

# What costs a good part of a second, or has no business in an offline check (docs/decisions/0001).
NEVER = frozenset(
    {
        "aiohttp",
        "alembic",
        "cbor2",
        "fastapi",
        "httpcore2",
        "httpx",
        "httpx2",
        "jinja2",
        "joserfc",
        "jwt",
        "opentelemetry",
        "pyhanko",
        "requests",
        "securesystemslib",
        "sqlalchemy",
        "starlette",
        "tuf",
        "typst",
        "urllib3",
    }
)
# Slow to load, and needed by no check and no look into the wallet.
SLOW = frozenset({"pydantic", "pydantic_core", "rich", "typing_extensions"})
# Certificates of listed keys are checked when trust data come in, and by their digest at the desk.
CHAINS = frozenset({"cryptography.x509", "cryptography.hazmat.primitives.serialization"})
# What turns signed trust data into tables, once, when it is synchronised.
COMPILERS = frozenset(
    f"talentseal.{name}" for name in ("artefacts", "compiling", "lote", "statements", "sync")
)
WEB = frozenset({"fastapi", "starlette", "uvicorn"})
PICTURES = frozenset({"PIL", "pypdfium2", "qrcode", "zxingcpp"})

# Runs a program as its console script does, then tells what was loaded on the way.
PROBE = """
import importlib, json, sys
module, argv = sys.argv[1], sys.argv[2:]
sys.argv = [module.partition(".")[0], *argv]
try:
    importlib.import_module(module).main()
except SystemExit as leaving:
    code = leaving.code
else:
    code = 0
ours = {name for name in sys.modules if name.startswith(("talentseal.", "cryptography."))}
loaded = sorted(ours | {name.partition(".")[0] for name in sys.modules})
sys.stderr.write("\\n" + json.dumps({"code": code, "loaded": loaded}) + "\\n")
"""


def run(module: str, *arguments: str, home: Path, stdin: str = "") -> tuple[int, frozenset[str]]:
    """Exit code of a command, the top-level names of what it loaded, and some modules in full."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, module, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "TALENTSEAL_HOME": str(home)},
    )
    told = json.loads(done.stderr.splitlines()[-1])
    return int(told["code"] or 0), frozenset(told["loaded"])


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (DESK, ["--help"]),
        (DESK, ["check", "--help"]),
        (DESK, ["check", "-"]),
        (WALLET, ["--help"]),
        (WALLET, ["list"]),
        (WALLET, ["show", "3f9a2c1d"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_offline_commands_load_nothing_heavy(
    module: str, arguments: list[str], tmp_path: Path
) -> None:
    _, loaded = run(module, *arguments, home=tmp_path, stdin="not a certificate")
    assert not loaded & (NEVER | PICTURES | SLOW)


@pytest.mark.parametrize("module", ["issuer.cli", "registry.cli"])
def test_the_help_of_the_services_loads_no_database(module: str, tmp_path: Path) -> None:
    _, loaded = run(module, "--help", home=tmp_path)
    assert not loaded & (NEVER | PICTURES)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("issuer.cli", ["officer", "list"]),
        ("issuer.cli", ["keys", "list"]),
        ("issuer.cli", ["list"]),
        ("registry.cli", ["init", "--dev"]),
        ("verifier.cli", ["operator", "list"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_no_command_but_serve_loads_the_web_framework(
    module: str, arguments: list[str], tmp_path: Path
) -> None:
    code, loaded = run(module, *arguments, home=tmp_path)
    assert code == 0
    assert "sqlalchemy" in loaded  # it came as far as the database
    assert not loaded & WEB


# --- real checks ----------------------------------------------------------------------------------

UPDATE_CLIENT = frozenset({"securesystemslib", "tuf", "urllib3"})
FOR_WORK = ("--place", CITY, "--purpose", "employment")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VerifierDesk:
    monkeypatch.setenv("TALENTSEAL_HOME", str(tmp_path / "home"))
    return VerifierDesk(dev_world(), tmp_path)


def test_a_check_against_the_stored_set_loads_nothing_heavy(desk: VerifierDesk) -> None:
    desk.ready()
    for text in (desk.world.city.issue().text, b64url_encode(desk.world.city.issue().code)):
        shown = desk.file("a.txt", text)
        code, loaded = run(DESK, "check", *FOR_WORK, shown, home=desk.folder / "home")
        assert code == 0
        assert not loaded & (NEVER | PICTURES | SLOW | CHAINS | COMPILERS)
        assert {"cryptography", "talentseal.verify"} <= loaded


def test_a_picture_adds_its_two_readers_and_no_more(desk: VerifierDesk) -> None:
    desk.ready()
    symbol = qr.encode(b64url_encode(desk.world.city.issue().code), level="M")
    shown = desk.file("a.png", qr.to_png(symbol))
    code, loaded = run(DESK, "check", *FOR_WORK, shown, home=desk.folder / "home")
    assert code == 0
    assert loaded & (NEVER | PICTURES) == {"PIL", "zxingcpp"}


def test_an_unseen_bundle_adds_the_update_client_and_no_more(desk: VerifierDesk) -> None:
    arguments = ("check", *FOR_WORK, "--bundle", desk.publish())
    shown = desk.file("a.txt", desk.world.city.issue().text)
    code, loaded = run(DESK, *arguments, shown, home=desk.folder / "home")
    assert code == 0
    assert loaded & (NEVER | PICTURES) == UPDATE_CLIENT
