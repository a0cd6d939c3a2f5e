from pathlib import Path

import pytest
from hostile import files, server
from issuer_desk import Bureau
from registry_desk import SZ

from talentseal.errors import Exit


def test_an_issuer_brings_its_trust_data_from_its_registry(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALENTSEAL_DEV", "1")
    folder = Path(bureau.public) / "tuf"
    published = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    with server(files(published)) as heard:
        monkeypatch.setenv("TALENTSEAL_TRUST_SOURCE", heard.url)
        assert bureau.ask("sync")["jurisdictions"][0]["jurisdiction"] == SZ
        assert heard.requests
    assert bureau.refused("sync") == (Exit.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
