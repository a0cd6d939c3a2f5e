"""Our issuer before a wallet of others' making: `@openid4vc/openid4vci`, `@sd-jwt/sd-jwt-vc`.

The wallet reads offer and metadata, pays with code and transaction code, proves its keys, checks
every copy with the key at `jwt-vc-issuer` and the published status list, and tells us.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from issuer_desk import BUREAU, Bureau
from officers_desk import APPROVER, ISSUER, PREPARER, Counter
from strangers import Stranger, StrangerError, stranger

from talentseal.encoding import b64_encode
from talentseal.reading import Evidence

TITLE = "professional-title_sd_jwt"


@pytest.fixture(scope="module")
def foreign() -> Iterator[Stranger]:
    with stranger("wallet") as running:
        yield running


@pytest.fixture
def statuses(bureau: Bureau) -> dict[str, Any]:
    """The published status list as a token, and the certificate that its chain must end at."""
    (ca,) = bureau.registry.public.glob("*/targets/ca/*.der")
    tokens = bureau.registry.public.glob("*/targets/status/*.jwt")
    newest = max(tokens, key=lambda path: path.stat().st_mtime_ns)
    (uri,) = {row[0] for row in bureau.rows("SELECT uri FROM status_block")}
    return {"statuses": {uri: newest.read_text()}, "anchor": b64_encode(ca.read_bytes())}


def offer(counter: Counter, issuance: str, **body: Any) -> dict[str, Any]:
    """The offer of an issuance, and where the wallet finds us."""
    made = counter.ask(ISSUER, "POST", f"/v1/issuances/{issuance}/offer", body)
    hosts = {BUREAU.removeprefix("https://"): str(counter.client.base_url).rstrip("/")}
    return {"link": made["link"], "tx_code": made["tx_code"], "hosts": hosts}


def test_a_foreign_wallet_receives_a_batch_and_tells_us(
    bureau: Bureau, counter: Counter, foreign: Stranger, issuance: str, statuses: dict[str, Any]
) -> None:
    got = foreign.ask(
        "receive", **offer(counter, issuance), configuration=TITLE, copies=3, **statuses
    )
    assert (got["version"], got["known"]) == ("V1", "dc+sd-jwt")
    assert {claims["display_name"] for claims in got["claims"]} != {None}
    assert len({claims["cnf"]["jwk"]["x"] for claims in got["claims"]}) == 3
    assert {bureau.outcome(Evidence(text=text))[0] for text in got["texts"]} == {"accept"}
    acts = bureau.rows("SELECT act, issuance FROM audit")
    assert ("credential-accepted", issuance) in acts


def test_a_foreign_wallet_waits_for_what_is_not_approved_yet(
    bureau: Bureau, counter: Counter, foreign: Stranger, statuses: dict[str, Any]
) -> None:
    issuance = counter.prepared(PREPARER)
    offered = offer(counter, issuance, forms=["sd_jwt"])
    promised = foreign.ask("receive", **offered, configuration=TITLE, copies=3, **statuses)
    again = {"transaction_id": promised["transaction_id"]}
    assert foreign.ask("resume", **again)["interval"] == promised["interval"]
    counter.ask(APPROVER, "POST", f"/v1/issuances/{issuance}/approve", match='"1"')
    got = foreign.ask("resume", **again)
    assert {bureau.outcome(Evidence(text=text))[0] for text in got["texts"]} == {"accept"}
    with pytest.raises(StrangerError, match="invalid_transaction_id"):
        foreign.ask("resume", **again)


def test_a_foreign_wallet_understands_why_it_is_refused(
    counter: Counter, foreign: Stranger, issuance: str
) -> None:
    offered = offer(counter, issuance)
    wrong = f"{(int(offered['tx_code']) + 1) % 1_000_000:06}"
    with pytest.raises(StrangerError, match="invalid_grant"):
        foreign.ask("receive", **{**offered, "tx_code": wrong}, configuration=TITLE, copies=1)
