"""`make bench`: run every bench, print the table, write the performance page and the figures.

    BENCH=quick   fewer blocks, for a first look (default: full)
    PEERS=0       leave the foreign verifiers out

Every `bench_*.py` beside this file offers `run(quick: bool) -> list[GoalResult]`. The figures go
to `benchmarks/results.json`; `docs/performance.md` is drawn from that file alone, so that no
number on the page was typed by hand. Ends with 1 when a goal is missed by more than a fifth.
"""

import importlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.goals import GOALS
from benchmarks.inputs import SEED
from benchmarks.pairing import TOLERANCE, GoalResult, PeerFigure

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "performance.md"
LIBRARIES = (
    "cryptography",
    "orjson",
    "pydantic",
    "typer",
    "rich",
    "tuf",
    "zxing-cpp",
    "qrcode",
    "pillow",
    "pypdfium2",
    "sqlalchemy",
)


def main() -> int:
    """Run, write, print; the exit code for `make`."""
    quick = os.environ.get("BENCH") == "quick"
    load_at_start = os.getloadavg()[0]
    results = sorted(run_all(quick=quick), key=lambda result: result.goal.id)
    document = describe(results, machine(load_at_start, quick=quick))
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = render(document)
    PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(page)
    missed = [str(r.goal.id) for r in results if not r.met(tolerance=TOLERANCE)]
    if missed:
        sys.stdout.write(f"\nmissed by more than {TOLERANCE:.0%}: goal {', '.join(missed)}\n")
    return 1 if missed else 0


def run_all(*, quick: bool) -> Iterable[GoalResult]:
    """The results of all bench modules; one that cannot show its refusals ends the run."""
    for path in sorted((ROOT / "benchmarks").glob("bench_*.py")):
        print(f"bench: {path.stem}", file=sys.stderr, flush=True)
        module = importlib.import_module(f"benchmarks.{path.stem}")
        yield from module.run(quick)


def machine(load_at_start: float, *, quick: bool) -> dict[str, Any]:
    """Where and when: everything somebody needs to judge the absolute numbers."""
    from cryptography.hazmat.backends.openssl.backend import backend

    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_start": round(load_at_start, 2),
        "load_end": round(os.getloadavg()[0], 2),
        "kernel": _kernel(),
        "python": platform.python_version(),
        "openssl": backend.openssl_version_text(),
        "libraries": {name: installed for name in LIBRARIES if (installed := _version(name))},
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seed": SEED,
        "mode": "quick" if quick else "full",
    }


def describe(results: Iterable[GoalResult], machine_line: Mapping[str, Any]) -> dict[str, Any]:
    """The document of `results.json`."""
    busiest = max(machine_line["load_start"], machine_line["load_end"])
    return {
        "machine": dict(machine_line),
        "commit": _commit(),
        "noisy": busiest > machine_line["cores"],
        "goals": [describe_goal(result) for result in results],
    }


def describe_goal(result: GoalResult) -> dict[str, Any]:
    goal = result.goal
    return {
        "id": goal.id,
        "name": goal.name,
        "limit": asdict(goal.limit),
        "floor": goal.floor,
        "floor_us": round(result.floor_us, 2),
        "ours_us": round(result.ours_us, 2),
        "ratio_p10": round(result.ratio_p10, 3),
        "ratio_median": round(result.ratio_median, 3),
        "blocks": result.blocks,
        "inputs": result.inputs,
        "peers": [describe_peer(peer) for peer in result.peers],
        "refusals_checked": result.refusals_checked,
        "met": result.met(),
        "why_not_lower": result.why_not_lower,
        "extra": result.extra,
    }


def describe_peer(peer: PeerFigure) -> dict[str, Any]:
    told = asdict(peer) | {"skips": list(peer.skips)}
    if peer.ratio is not None:
        told["ratio"] = round(peer.ratio, 2)
    return told


def render(document: Mapping[str, Any]) -> str:
    """`docs/performance.md` from the document of `results.json`."""
    measured = {goal["id"]: goal for goal in document["goals"]}
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; do not edit. A figure is a ratio inside one run: ours against",
        "the floor named, in paired interleaved blocks of CPU time. `raw` is one ES256",
        "verification by `cryptography` with a ready key. Peers measure themselves against their",
        "own floor, in their own environment; what a peer accepted that it should refuse is named",
        "in brackets. Microseconds are for orientation only.",
        "",
        "| # | goal | limit | floor | peers | ours (p10 / median of pairs) | us | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(number, measured.get(number)) for number in GOALS]
    lines += ["", *_remarks(document["goals"]), "", *_machine_lines(document), ""]
    return "\n".join(lines)


def _row(number: int, measured: Mapping[str, Any] | None) -> str:
    goal = GOALS[number]
    head = f"| {number} | {goal.name} | {goal.limit} | {goal.floor} |"
    if measured is None:
        return f"{head} | not measured yet | | |"
    peers = "; ".join(_peer(peer) for peer in measured["peers"])
    ratios = f"**{measured['ratio_p10']:.2f}** / {measured['ratio_median']:.2f}"
    times = f"{measured['ours_us']:.1f} to {measured['floor_us']:.1f}"
    return f"{head} {peers} | {ratios} | {times} | {'yes' if measured['met'] else 'no'} |"


def _peer(peer: Mapping[str, Any]) -> str:
    if peer["missing"]:
        return f"`{peer['name']}` missing: {peer['missing']}"
    lax = f" [accepts: {', '.join(peer['skips'])}]" if peer["skips"] else ""
    return f"`{peer['name']}` {peer['version']}: {peer['ratio']:.2f}{lax}"


def _remarks(goals: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = ["## What was measured, and why not lower", ""]
    for goal in goals:
        refused = f"{goal['refusals_checked']} bad inputs refused before the clock ran"
        lines.append(f"- **{goal['id']}** {goal['inputs']}; {goal['blocks']} blocks; {refused}.")
        if goal["why_not_lower"]:
            lines.append(f"  Why not lower: {goal['why_not_lower']}")
        lines += [f"  {name}: {value}." for name, value in goal["extra"].items()]
    return lines


def _machine_lines(document: Mapping[str, Any]) -> list[str]:
    told = document["machine"]
    libraries = ", ".join(f"{name} {number}" for name, number in told["libraries"].items())
    load = f"load {told['load_start']} to {told['load_end']}, kernel {told['kernel']}"
    noisy = " **Noisy run: the machine was busy.**" if document["noisy"] else ""
    governor = f"governor {told['governor'] or 'unknown'}"
    run = f"{told['mode'].capitalize()} run of {told['date']}"
    return [
        "## The machine",
        "",
        f"{told['cpu']}, {told['cores']} cores, {governor}, {load}.{noisy}",
        f"Python {told['python']}, {told['openssl']}, {libraries}.",
        f"{run}, commit {document['commit']}, seed {told['seed']}.",
    ]


def _cpu_model() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _kernel() -> str:
    """Name and major.minor: what follows tells whose machine it was, and nothing about speed."""
    return " ".join((platform.system(), *re.findall(r"^\d+\.\d+", platform.release())))


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """The commit measured, with `+` when the tree differs from it; `unknown` outside git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
