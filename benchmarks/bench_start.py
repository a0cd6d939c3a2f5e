"""Goal 17: how long a person waits for `wallet list` and `verifier check FILE`, from nothing.

Whole processes in wall time, the best of each, interleaved. The floor imports what no such program
can do without: the curve code, CBOR and the library of the command line. All have their bytecode,
as programs have that were installed and run once. The wallet is empty; it opens its vault, whose
passphrase is stretched on purpose while the rest is loaded, as far as a second core is free. The
desk knows the certificate's chain from its trust data; for a chain that it does not know
`cryptography` loads its X.509 part. Both are measured alone as well and told beside the figure.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.goals import GOALS
from benchmarks.inputs import check_refusals, flip_text
from benchmarks.pairing import GoalResult
from benchmarks.report import ROOT
from benchmarks.shown import network
from talentseal.keystore import make_lock

BIN = Path(sys.executable).parent
IMPORTS = "import cbor2, typer; from cryptography.hazmat.primitives.asymmetric import ec"
FLOOR = (sys.executable, "-c", IMPORTS)
CHAINS = (sys.executable, "-c", f"{IMPORTS}; from cryptography import x509")
RUNS = 15
QUICK_RUNS = 7
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
Command = Sequence[str | Path]


def run(quick: bool) -> list[GoalResult]:  # noqa: FBT001 - the shape all bench modules share
    """Goal 17: the slower of the two programs is the figure."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = _settle(place)
        good, bad = place / "good.txt", place / "bad.txt"
        check: Command = (BIN / "verifier", "check", good)
        refused = check_refusals(
            lambda path: _code((BIN / "verifier", "check", path), environment) == 0,
            good=good,
            bad={"signature": bad},
        )
        programs: dict[str, Command] = {
            "verifier check FILE": check,
            "wallet list": (BIN / "wallet", "list"),
        }
        return [_figure(programs, environment, runs=QUICK_RUNS if quick else RUNS, refused=refused)]


def _figure(
    programs: Mapping[str, Command], environment: Mapping[str, str], *, runs: int, refused: int
) -> GoalResult:
    acts: dict[str, Command] = {"floor": FLOOR, "X.509": CHAINS, **programs}
    times: dict[str, list[float]] = {name: [] for name in acts}
    for command in acts.values():
        _seconds(command, environment)  # leaves the bytecode behind
    for _ in range(runs):
        for name, command in acts.items():
            times[name].append(_seconds(command, environment))
    best = {name: min(row) for name, row in times.items()}
    floor, chains = best.pop("floor"), best.pop("X.509")
    slowest = max(best, key=best.__getitem__)
    found = GoalResult(
        goal=GOALS[17], ratio_p10=best[slowest] / floor, ratio_median=best[slowest] / floor,
        floor_us=floor * 1e6, ours_us=best[slowest] * 1e6, blocks=runs,
        inputs=f"`{slowest}`, best of {runs}, wall time", refusals_checked=refused,
    )  # fmt: skip
    why = "the stretching of the vault's passphrase is a security parameter and stays."
    told = {name: _told(seconds, floor) for name, seconds in best.items()}
    return replace(found, extra={**told, **_shares(best, floor, chains)}, why_not_lower=why)


def _shares(best: Mapping[str, float], floor: float, chains: float) -> dict[str, str]:
    """What stretching costs, what the wallet gains by not waiting for it, and a chain unknown."""
    stretching = min(_stretching() for _ in range(QUICK_RUNS))
    return {
        "stretching the passphrase alone": _told(stretching, floor),
        "wallet list by floor and stretching one after the other": (
            f"{best['wallet list'] / (floor + stretching):.2f}"
        ),
        "loading X.509 for a chain unknown to the desk": _told(chains - floor, floor),
    }


def _told(seconds: float, floor: float) -> str:
    return f"{seconds / floor:.2f}, {seconds * 1e3:.0f} ms"


def _stretching() -> float:
    start = time.perf_counter()
    make_lock(b"a passphrase for measuring", {})
    return time.perf_counter() - start


def _settle(place: Path) -> dict[str, str]:
    """A desk with trust data, a wallet without certificates, and two files to check."""
    city = network()
    for name, data in city.world.publish().items():
        path = place / "published" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    text = city.shown()
    token, rest = text.split("~", 1)
    (place / "good.txt").write_text(text, "ascii")
    (place / "bad.txt").write_text(f"{flip_text(token, -9)}~{rest}", "ascii")
    secret = place / "passphrase"
    secret.write_text("a passphrase for measuring\n", "ascii")
    secret.chmod(0o600)
    environment = {
        **{name: value for name, value in os.environ.items() if name != _NO_BYTECODE},
        "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
        "TALENTSEAL_HOME": str(place / "home"),
        "TALENTSEAL_VAULT_PASSPHRASE_FILE": str(secret),
    }
    root = place / "published" / "CN-9999" / "metadata" / "1.root.json"
    for command in (
        (BIN / "verifier", "init", "--root", root),
        (BIN / "verifier", "sync", "--from", place / "published"),
        (BIN / "wallet", "init"),
    ):
        subprocess.run(command, env=environment, check=True, capture_output=True, cwd=ROOT)
    return environment


def _code(command: Command, environment: Mapping[str, str]) -> int:
    done = subprocess.run(command, env=dict(environment), capture_output=True, check=False)
    return done.returncode


def _seconds(command: Command, environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    _code(command, environment)
    return time.perf_counter() - start
