"""The wallet before our own issuer: both sides of one standard, over a real server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from homes import copy_home
from issuer_desk import BUREAU, Bureau
from issuer_rooms import enrolled_home, live_in, unlisted_home  # noqa: F401  fixtures
from officers_desk import ISSUER, Counter, open_counter
from wallet_people import arrive, start


@pytest.fixture(scope="module")
def bureau(
    enrolled_home: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bureau]:
    home = tmp_path_factory.mktemp("our own") / "home"
    copy_home(enrolled_home, home)
    with pytest.MonkeyPatch.context() as patch:
        live_in(home, patch, {})
        yield Bureau(home)


@pytest.fixture(scope="module")
def counter(bureau: Bureau) -> Iterator[Counter]:
    with open_counter(bureau) as counter:
        yield counter


class Citizen:
    """A person whose wallet runs in a process of its own, with the registry's trust data."""

    def __init__(self, home: Path, bureau: Bureau, counter: Counter) -> None:
        self.home = home
        self.settings = {
            "TALENTSEAL_VAULT_PASSPHRASE_FILE": str(arrive(home).passphrase),
            "TALENTSEAL_DEV": "1",
            "TALENTSEAL_DEV_HOSTS": f"{BUREAU.removeprefix('https://')}={counter.url}",
            "TALENTSEAL_TRUST_SOURCE": bureau.public,
        }
        assert self.wallet("init")[0] == 0

    def wallet(self, *argv: str) -> tuple[int, Any]:
        ran = start(*argv, "--json", home=self.home, **self.settings)
        assert ran.stdout, ran.stderr
        return ran.returncode, json.loads(ran.stdout)


@pytest.fixture
def citizen(tmp_path: Path, bureau: Bureau, counter: Counter) -> Citizen:
    return Citizen(tmp_path, bureau, counter)


def offer(counter: Counter) -> dict[str, Any]:
    issuance = counter.approved()
    made: dict[str, Any] = counter.ask(ISSUER, "POST", f"/v1/issuances/{issuance}/offer", {})
    return made


def test_both_forms_arrive_checked_and_kept(citizen: Citizen, counter: Counter) -> None:
    made = offer(counter)
    code = ("--tx-code", made["tx_code"])
    ended, document = citizen.wallet("receive", made["link"], "--yes", "--copies", "3", *code)
    assert ended == 0, document
    (row,) = document["received"]
    assert row["known"]["outcome"] == "accept"
    assert row["formats"].count("dc+sd-jwt") == 3
    assert citizen.wallet("receive", made["link"], "--yes", *code)[0] != 0


def test_a_wrong_code_gets_nothing(citizen: Citizen, counter: Counter) -> None:
    made = offer(counter)
    wrong = "000000" if made["tx_code"] != "000000" else "111111"
    ended, document = citizen.wallet("receive", made["link"], "--yes", "--tx-code", wrong)
    assert (ended, document["code"]) == (1, "REQUEST_INVALID")
    ended, document = citizen.wallet("receive", made["link"], "--yes", "--tx-code", made["tx_code"])
    assert ended == 0, document
