import socket
from pathlib import Path

import pytest
from hostile import answer, files, saying, server
from verifier_desk import FOR_WORK, VerifierDesk, dev_world

from talentseal.errors import Exit


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VerifierDesk:
    monkeypatch.setenv("TALENTSEAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TALENTSEAL_DEV", "1")
    desk = VerifierDesk(dev_world(), tmp_path)
    assert desk.run("init", "--root", desk.root()).code == Exit.OK
    return desk


def test_trust_data_is_brought_from_a_registry_and_used_without_it(desk: VerifierDesk) -> None:
    shown = desk.file("a.txt", desk.world.city.issue().text)
    with server(files(desk.world.publish())) as heard:
        ran = desk.run("sync", "--from", heard.url, "--json")
    assert ran.code == Exit.OK, ran.err
    after = {one["jurisdiction"]: one["after"] for one in ran.document["changes"]}
    assert after == {"CN/9999": 1, "HK": 1, "MO": 1}
    assert desk.run("check", *FOR_WORK, shown).code == Exit.OK


def test_the_registry_of_the_settings_is_asked(
    desk: VerifierDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(files(desk.world.publish())) as heard:
        monkeypatch.setenv("TALENTSEAL_TRUST_SOURCE", "https://root.example")
        monkeypatch.setenv("TALENTSEAL_DEV_HOSTS", f"root.example={heard.url}")
        assert desk.run("sync").code == Exit.OK
    ran = desk.run("sync", "--json")
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
    assert "root.example cannot be reached" in ran.err
    shown = desk.file("a.txt", desk.world.city.issue().text)
    assert desk.run("check", *FOR_WORK, shown).code == Exit.OK


def test_a_network_that_wants_a_sign_in_is_told_from_a_refusal(desk: VerifierDesk) -> None:
    page = answer(b"<html>Welcome</html>", kind="text/html")
    with server(saying(page)) as heard:
        ran = desk.run("sync", "--from", heard.url)
    assert ran.code == Exit.UNAVAILABLE
    assert "sign in" in ran.err


def test_a_registry_in_development_is_not_asked_without_the_switch(
    desk: VerifierDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALENTSEAL_DEV")
    with server(files(desk.world.publish())) as heard:
        ran = desk.run("sync", "--from", heard.url, "--json")
        assert (ran.code, ran.document["code"]) == (Exit.REFUSE, "REQUEST_INVALID")
        assert not heard.connections


def test_a_registry_that_is_gone_is_unavailable(desk: VerifierDesk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ran = desk.run("sync", "--from", url, "--json")
    assert (ran.code, ran.document["code"]) == (Exit.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
