"""The first set-up of the operator's page, command by command, as it stands there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from transcripts import play

ROOT = Path(__file__).resolve().parents[2]


def set_up_block() -> list[str]:
    page = (ROOT / "docs" / "operate.md").read_text("utf-8")
    found = re.search(r"## First set-up\n.*?```\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


@pytest.mark.timeout(300)
def test_whoever_types_the_first_set_up_can_seal_and_check(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TALENTSEAL_HOME": str(home),
    }
    session = "".join(f"$ {command}\n...\n" for command in set_up_block())
    play(session, cwd=tmp_path, environment=environment)
    document = json.loads((ROOT / "examples" / "claims" / "title-01.json").read_bytes())
    claims = tmp_path / "title.json"
    claims.write_text(json.dumps({**document, "territory": ["CN/4403"]}), "utf-8")
    for command in (
        ["issuer", "issue", "--type", "professional-title/1", "--claims", str(claims), "--paper",
         "--out", "code.png"],
        ["verifier", "check", "code.png", "--jurisdiction", "CN/4403", "--purpose", "employment"],
    ):  # fmt: skip
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
