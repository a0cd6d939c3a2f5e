"""The vectors, judged: every folder must get the verdict its case names."""

import filecmp
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from talentseal.bundle import Bundle
from talentseal.encoding import parse_time
from talentseal.policy import parse_policy
from talentseal.reading import Evidence
from talentseal.sync import load_bundle
from talentseal.verify import verify

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
CASES = sorted(VECTORS.glob("*/*/case.json"))
MADE_AT = datetime(2026, 11, 21, 9, tzinfo=UTC)


@cache
def bundle_of(path: Path, home: str) -> Bundle:
    return load_bundle(path, now=MADE_AT, jurisdiction=home)


def evidence_of(folder: Path, case: dict[str, Any]) -> Evidence:
    data = (folder / case["evidence"]).read_bytes()
    asked: dict[str, Any] = {"audience": case.get("audience"), "nonce": case.get("nonce")}
    if case["evidence"].endswith(".txt"):
        return Evidence(text=data.decode(), **asked)
    return Evidence(code=data, **asked)


def case_id(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.parent.name}"


@pytest.mark.parametrize("path", CASES, ids=case_id)
def test_a_vector_gets_its_verdict(path: Path) -> None:
    case = orjson.loads(path.read_bytes())
    policy = parse_policy(orjson.dumps(case["policy"]))
    verdict = verify(
        evidence_of(path.parent, case),
        bundle_of((path.parent / case["bundle"]).resolve(), policy.home),
        policy,
        now=parse_time(case["now"]),
    )
    found = {"outcome": verdict.outcome, "codes": [str(code) for code in verdict.codes]}
    assert found == case["expect"]


def test_there_are_vectors() -> None:
    assert len(CASES) > 150


@pytest.mark.slow
def test_the_vectors_are_what_their_builder_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, VECTORS / "build.py", tmp_path], check=True)
    names = [
        path.relative_to(VECTORS)
        for path in VECTORS.rglob("*")
        if path.is_file() and path.suffix in {".json", ".txt", ".cwt", ".zip"}
    ]
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(names) == sorted(written)
    _, different, unreadable = filecmp.cmpfiles(VECTORS, tmp_path, names, shallow=False)
    assert not different
    assert not unreadable
