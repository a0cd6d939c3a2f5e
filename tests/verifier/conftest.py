from pathlib import Path

import pytest
from verifier_desk import VerifierDesk, dev_world


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VerifierDesk:
    for name in ("TALENTSEAL_TRUST_SOURCE", "TALENTSEAL_DEBUG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TALENTSEAL_HOME", str(tmp_path / "home"))
    return VerifierDesk(dev_world(), tmp_path)
