from pathlib import Path

import pytest
from simulator import DAY, World

from talentseal.errors import RefusedError
from talentseal.trustdb import open_bundle
from wallet_cli.obtain import _check_trust


def test_an_offer_is_not_used_up_while_nothing_could_be_judged() -> None:
    world = World.honest()
    _check_trust(world.bundle(), now=world.now + 6 * DAY)
    with pytest.raises(RefusedError) as refused:
        _check_trust(world.bundle(), now=world.now + 8 * DAY)
    assert refused.value.code == "TRUST_DATA_EXPIRED"
    assert "wallet sync" in refused.value.hint


def test_an_offer_is_not_used_up_while_the_clock_is_wrong() -> None:
    world = World.honest()
    bundle = world.bundle()
    bundle.clock_mark = world.now
    _check_trust(bundle, now=world.now)
    with pytest.raises(RefusedError) as refused:
        _check_trust(bundle, now=world.now - DAY)
    assert refused.value.code == "CLOCK_ROLLED_BACK"


def test_a_wallet_without_trust_data_uses_no_offer(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        _check_trust(open_bundle(tmp_path), now=0)
