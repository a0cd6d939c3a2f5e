"""Orders that were made while the issuer's clock was ahead reach the registry once it is right."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from issuer_desk import BUREAU, Bureau
from registry_desk import SZ
from serving import serving
from sqlalchemy import select

from issuer.database import outbox, reading
from issuer.office import Office
from issuer.readiness import parts
from issuer.status.ordering import sign_anew
from issuer.status.outbox import backlog, deliver
from issuer.status.service import change
from registry.app import create_app
from registry.office import open_office
from registry.settings import load_settings
from schemas.registry import MAX_ORDERS_AHEAD, ORDERS_A_SECOND
from talentseal.commandline import now
from talentseal.encoding import to_seconds
from talentseal.errors import Exit, UnavailableError
from talentseal.status import StatusList

LEAP = timedelta(days=3)
AWAY = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Says where the registry is found."""
    monkeypatch.setenv("TALENTSEAL_DEV", "1")
    monkeypatch.setenv("TALENTSEAL_ISSUER_URL", BUREAU)
    return lambda url: monkeypatch.setenv("TALENTSEAL_REGISTRY_URL", url)


@contextmanager
def registry_at(far: Callable[[str], None]) -> Iterator[None]:
    with serving(create_app(open_office(load_settings(), now()))) as url:
        far(url)
        yield


def order_ahead(act: str, number: str, reason: str) -> None:
    """An act while the clock is ahead; its order waits where the registry is away."""
    try:
        change(Office.here(), act, number, reason=reason, now=now() + LEAP)
    except UnavailableError:
        assert backlog(Office.here(), now=now()).waiting


def check_outbox() -> None:
    """Raises UnavailableError where the service is not ready for its orders."""
    parts(Office.here(), now)["outbox"]()


def said(bureau: Bureau, number: str) -> list[int | None]:
    """What the newest public list says of a certificate's forms."""
    bureau.registry.ask("publish")
    bureau.sync()
    query = "SELECT certificate, uri, idx FROM form JOIN status_block ON form.block = number"
    places = [(uri, idx) for owner, uri, idx in bureau.rows(query) if owner == number]
    found = [(bureau.bundle().find_status(SZ, uri), idx) for uri, idx in places]
    return [held.value(idx) for held, idx in found if isinstance(held, StatusList)]


def lay_floor_ahead(bureau: Bureau) -> None:
    """As `issuer restored` does while the clock is ahead."""
    floor = to_seconds(now() + LEAP) * ORDERS_A_SECOND
    bureau.change(f"INSERT INTO profile (name, value) VALUES ('order_floor', '{floor}')")  # noqa: S608


def test_an_order_from_a_time_to_come_is_signed_anew_and_taken_once(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    number, columns = bureau.seal("--paper")["id"], "SELECT seq, jti, order_jws FROM outbox"
    far(AWAY)
    order_ahead("revoke", number, "rescinded")
    with pytest.raises(UnavailableError, match="ahead"):
        check_outbox()
    ((seq, jti, text),) = bureau.rows(columns)
    with registry_at(far):
        deliver(Office.here(), now=now())
        ((seq_after, jti_after, anew),) = bureau.rows(columns)
        assert (seq_after, jti_after, anew == text) == (seq, jti, False)
        check_outbox()
        # Where the answer was lost as well, the registry knows what is signed once more.
        late = to_seconds(now() + LEAP)
        bureau.change(f"UPDATE outbox SET delivered_at = NULL, made_at = {late}")  # noqa: S608
        assert deliver(Office.here(), now=now()) == [jti]
        assert bureau.rows(columns) != [(seq, jti, anew)]
    assert said(bureau, number) == [1]


def test_an_order_that_cannot_be_signed_anew_keeps_no_other_waiting(
    bureau: Bureau, far: Callable[[str], None], tmp_path: Path
) -> None:
    numbers = [bureau.seal("--paper")["id"] for _ in range(2)]
    far(AWAY)
    bureau.refused("revoke", numbers[1], "--reason", "rescinded")
    order_ahead("revoke", numbers[0], "rescinded")
    keys = bureau.home / "issuer" / "keys"
    keys.rename(tmp_path / "keys")
    with registry_at(far):
        with pytest.raises(UnavailableError, match="1 orders cannot be signed anew"):
            deliver(Office.here(), now=now())
        assert backlog(Office.here(), now=now()).waiting == 1
        with pytest.raises(UnavailableError, match="ahead"):
            check_outbox()
        (tmp_path / "keys").rename(keys)
        deliver(Office.here(), now=now())
    assert said(bureau, numbers[0]) == said(bureau, numbers[1]) == [1]


def test_orders_numbered_from_a_time_to_come_get_numbers_of_the_present_in_their_turn(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    number, other = (bureau.seal("--paper")["id"] for _ in range(2))
    bureau.ask("suspend", other, "--reason", "withheld")
    bureau.registry.ask("publish")
    lay_floor_ahead(bureau)
    far(AWAY)
    order_ahead("suspend", number, "withheld")
    order_ahead("reinstate", number, "returned")
    order_ahead("suspend", number, "withheld")
    bureau.refused("reinstate", number, "--reason", "returned")  # by the right clock
    before = bureau.rows("SELECT jti FROM outbox ORDER BY seq")
    with registry_at(far):
        deliver(Office.here(), now=now())
        bureau.ask("reinstate", other, "--reason", "returned")
    assert bureau.rows("SELECT jti FROM outbox ORDER BY seq")[:5] == before
    highest = bureau.rows("SELECT max(seq) FROM outbox")[0][0]
    assert highest <= to_seconds(now()) * ORDERS_A_SECOND + MAX_ORDERS_AHEAD
    assert said(bureau, number) == said(bureau, other) == [0]


def test_numbers_are_kept_while_no_registry_has_refused_them(
    bureau: Bureau, far: Callable[[str], None]
) -> None:
    """It may be this clock that is behind: then they are right, and must go on rising."""
    number = bureau.seal("--paper")["id"]
    lay_floor_ahead(bureau)
    far(AWAY)
    bureau.refused("revoke", number, "--reason", "rescinded")
    before = bureau.rows("SELECT seq, order_jws FROM outbox")
    with pytest.raises(UnavailableError):
        deliver(Office.here(), now=now())
    assert bureau.rows("SELECT seq, order_jws FROM outbox") == before


def test_no_order_is_numbered_anew_before_an_earlier_one(bureau: Bureau) -> None:
    number, moment = bureau.seal("--paper")["id"], now()
    lay_floor_ahead(bureau)
    order_ahead("suspend", number, "withheld")
    order_ahead("reinstate", number, "returned")
    bureau.change("UPDATE outbox SET delivered_at = NULL")
    with reading(Office.here().engine) as db:
        first, second = db.execute(select(outbox).order_by(outbox.c.seq)).all()
    with pytest.raises(UnavailableError, match="earlier"):
        sign_anew(Office.here(), second, now=moment, renumber=True)
    for row in (first, second):
        sign_anew(Office.here(), row, now=moment, renumber=True)
    floor = to_seconds(moment) * ORDERS_A_SECOND
    found = bureau.rows("SELECT jti, seq FROM outbox ORDER BY seq")
    assert found == [(first.jti, floor + 1), (second.jti, floor + 2)]


@pytest.mark.parametrize("is_floor_ahead", [False, True])
def test_an_order_ahead_that_was_put_aside_in_the_folder_goes_with_resend(
    bureau: Bureau, *, is_floor_ahead: bool
) -> None:
    number = bureau.seal("--paper")["id"]
    if is_floor_ahead:
        lay_floor_ahead(bureau)
    order_ahead("revoke", number, "rescinded")
    assert bureau.registry.run("publish").code == Exit.REFER
    with pytest.raises(UnavailableError, match="REQUEST_INVALID"):
        check_outbox()
    assert bureau.ask("resend")["orders"] == 1
    check_outbox()
    assert said(bureau, number) == [1]
