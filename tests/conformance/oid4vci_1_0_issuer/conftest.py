from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.peers.strange_wallet import StrangeWallet
from homes import copy_home
from issuer_desk import Bureau
from issuer_rooms import enrolled_home, live_in, unlisted_home  # noqa: F401  fixtures
from officers_desk import ISSUER, Counter, open_counter

BASE = "https://titles.sz.example"


@pytest.fixture(scope="module")
def bureau(
    enrolled_home: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bureau]:
    """One enrolled issuer for all stories of a module; each has issuances of its own."""
    home = tmp_path_factory.mktemp("strangers") / "home"
    copy_home(enrolled_home, home)
    with pytest.MonkeyPatch.context() as patch:
        live_in(home, patch, {})
        patch.setenv("TALENTSEAL_ISSUER_URL", BASE)
        yield Bureau(home)


@pytest.fixture(scope="module")
def counter(bureau: Bureau) -> Iterator[Counter]:
    with open_counter(bureau) as counter:
        yield counter


@pytest.fixture
def wallet(counter: Counter) -> StrangeWallet:
    return StrangeWallet(BASE, counter.client)


@pytest.fixture
def issuance(counter: Counter) -> str:
    """An approved issuance of the story's own."""
    return counter.approved()


@pytest.fixture
def offered(counter: Counter, wallet: StrangeWallet, issuance: str) -> tuple[str, str]:
    """Code and transaction code of its offer."""
    made = counter.ask(ISSUER, "POST", f"/v1/issuances/{issuance}/offer", {})
    return wallet.code_of(wallet.read_offer(made["link"])), made["tx_code"]


@pytest.fixture
def token(wallet: StrangeWallet, offered: tuple[str, str]) -> str:
    answer = wallet.token(*offered)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["access_token"])
