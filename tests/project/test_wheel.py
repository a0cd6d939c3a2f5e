"""What we ship is exactly what we mean to ship."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

OURS = {"schemas", "talentseal", "issuer", "registry", "verifier", "wallet_cli"}
COMMANDS = {"issuer", "registry", "verifier", "wallet"}

pytestmark = pytest.mark.slow


def build(root: Path, folder: Path) -> Path:
    """A wheel of the working tree, built without a network by the locked build tool."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root,
        env={"SOURCE_DATE_EPOCH": "1767225600", "PATH": ""},
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(root, tmp_path_factory.mktemp("wheel"))


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_brings_our_six_packages_and_nothing_else(wheel: Path) -> None:
    top_level = {name.split("/")[0] for name in names(wheel)}
    assert {name for name in top_level if not name.endswith(".dist-info")} == OURS


def test_the_wheel_holds_every_file_of_the_packages_that_git_knows(
    wheel: Path, tracked: list[Path]
) -> None:
    ours = {str(path) for path in tracked if path.parts[0] in OURS}
    shipped = {name for name in names(wheel) if name.split("/")[0] in OURS}
    assert shipped == ours


def test_the_wheel_names_its_licence_and_its_four_commands(wheel: Path) -> None:
    (licence,) = [name for name in names(wheel) if name.endswith("licenses/LICENSE")]
    (commands,) = [name for name in names(wheel) if name.endswith("entry_points.txt")]
    with zipfile.ZipFile(wheel) as archive:
        assert b"Apache License" in archive.read(licence)
        lines = archive.read(commands).decode().splitlines()
    assert {line.split(" = ")[0] for line in lines if " = " in line} == COMMANDS


def test_the_same_tree_gives_the_same_wheel_byte_for_byte(
    root: Path, wheel: Path, tmp_path: Path
) -> None:
    assert build(root, tmp_path).read_bytes() == wheel.read_bytes()
