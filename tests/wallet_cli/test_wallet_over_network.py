import time

import pytest
from hostile import files, server
from simulator import World
from wallet_people import Person

from talentseal.errors import Exit


def test_a_wallet_brings_its_trust_data_from_a_registry(
    newcomer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALENTSEAL_DEV", "1")
    world = World.honest(int(time.time()))
    for office in world.offices.values():
        office.dev = True
        office.peers.clear()  # introduced with roots that were no development roots
        office.tuf.roots.clear()
    with server(files(world.publish())) as heard:
        code, _ = newcomer.refused("init", "--trust", heard.url)  # whose root is it to take?
        assert code == Exit.USAGE
        init = newcomer.ask("init", "--trust", heard.url, "--jurisdiction", "HK")
        assert init["trust"][0]["jurisdiction"] == "HK"
        assert newcomer.run("sync", "--from", heard.url).code == Exit.OK
    assert newcomer.refused("sync", "--from", heard.url) == (
        Exit.UNAVAILABLE,
        "DEPENDENCY_UNAVAILABLE",
    )
