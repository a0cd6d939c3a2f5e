"""What is installed is what was resolved: pinned, hashed, and bound to no registry."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = [
    "requirements/lock.txt",
    "requirements/demo.txt",
    "requirements/node.txt",
    "benchmarks/peers/lock.txt",
]


def pins(path: Path) -> dict[str, str]:
    """Distribution name to version, as a lock file states them."""
    text = path.read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, flags=re.MULTILINE))


def declared(metadata: dict[str, Any], *extras: str) -> list[Requirement]:
    """The runtime dependencies of the package and those of the extras named."""
    project = metadata["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(root: Path, lock: str) -> None:
    text = (root / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?://|index-url|find-links", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_hashes(root: Path, lock: str) -> None:
    text = (root / lock).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE)):
        name = entry.split(" ")[0]
        assert re.fullmatch(r"[a-z0-9-]+==[^ ]+", name)
        assert "--hash=sha256:" in entry, f"{name} has no hash"


def test_the_lock_satisfies_every_dependency_of_every_extra(
    root: Path, metadata: dict[str, Any]
) -> None:
    locked = pins(root / "requirements/lock.txt")
    extras = metadata["project"]["optional-dependencies"]
    for requirement in declared(metadata, *extras):
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} against {version}"


def test_the_demo_installs_the_same_versions_and_no_development_tool(
    root: Path, metadata: dict[str, Any]
) -> None:
    locked, demo = pins(root / "requirements/lock.txt"), pins(root / "requirements/demo.txt")
    assert demo.items() <= locked.items()
    assert {canonicalize_name(r.name) for r in declared(metadata, "service")} <= demo.keys()
    assert {"hatchling", "editables"} <= demo.keys()  # without them an offline install fails
    assert not {"pytest", "mypy", "ruff", "cbor2"} & demo.keys()


def test_foreign_verifiers_stay_out_of_our_own_environment(root: Path) -> None:
    foreign = {"sd-jwt", "openvc-core", "cwt", "pycose", "polaris-oid4vp"}
    assert foreign <= pins(root / "benchmarks/peers/lock.txt").keys()
    assert not foreign & pins(root / "requirements/lock.txt").keys()


def test_foreign_parts_for_node_have_hashes_and_no_address(root: Path) -> None:
    text = (root / "tests/conformance/node/package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    packages = json.loads(text)["packages"]
    asked = packages.pop("")["dependencies"]
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in asked} == asked
