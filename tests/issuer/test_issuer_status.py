import json
import sqlite3

import psycopg
import pytest
from issuer_desk import Bureau, forms
from postgres import both_databases

from talentseal.encoding import b64url_decode
from talentseal.errors import Exit
from talentseal.keys import new_signer
from talentseal.reading import Evidence


def published(bureau: Bureau) -> list[str]:
    """What became of the waiting orders; the issuer knows the new lists afterwards."""
    told = json.loads(bureau.registry.run("publish", "--json").out)
    bureau.sync()
    return [one["state"] for one in told["orders"]]


@both_databases
def test_revoking_reaches_every_form_through_the_registry(bureau: Bureau) -> None:
    document = bureau.seal("--holder-jwk", bureau.keys(new_signer(), new_signer()))
    held = forms(document)
    shown = (
        Evidence(text=held["dc+sd-jwt"]),
        Evidence(code=b64url_decode(held["talentseal_cwt"])),
    )
    bureau.ask("revoke", document["id"].lower(), "--reason", "rescinded")
    assert published(bureau) == ["applied"]
    assert [bureau.outcome(one) for one in shown] == [("refuse", ["REVOKED"])] * 2


def test_suspending_ends_with_reinstating_and_revoking_never_ends(bureau: Bureau) -> None:
    document = bureau.seal("--paper")
    number, code = document["id"], b64url_decode(forms(document)["talentseal_cwt"])
    outcomes = []
    for act, reason in (("suspend", "withheld"), ("reinstate", "returned"), ("revoke", "lapsed")):
        bureau.ask(act, number, "--reason", reason)
        assert published(bureau) == ["applied"]
        outcomes.append(bureau.outcome(Evidence(code=code)))
    assert outcomes == [("refuse", ["SUSPENDED"]), ("accept", []), ("refuse", ["REVOKED"])]
    for act, reason in (("suspend", "withheld"), ("reinstate", "returned"), ("revoke", "lapsed")):
        assert bureau.refused(act, number, "--reason", reason) == (Exit.REFUSE, "STATE_CONFLICT")
    assert published(bureau) == []


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("revoke", "withheld"),
        ("revoke", "other"),
        ("suspend", "rescinded"),
        ("reinstate", "because of Mr Example"),
    ],
)
def test_a_reason_must_fit_its_act(bureau: Bureau, act: str, reason: str) -> None:
    number = bureau.seal("--paper")["id"]
    assert bureau.refused(act, number, "--reason", reason)[0] == Exit.USAGE
    assert bureau.rows("SELECT state FROM certificate") == [("valid",)]
    assert bureau.rows("SELECT count(*) FROM outbox") == [(0,)]


def test_a_number_that_was_never_sealed_here_is_not_found(bureau: Bureau) -> None:
    assert bureau.refused("revoke", "00000000", "--reason", "lapsed") == (
        Exit.REFUSE,
        "NOT_FOUND",
    )


@both_databases
def test_an_order_that_cannot_be_left_goes_out_with_the_next_command(bureau: Bureau) -> None:
    number = bureau.seal("--paper")["id"]
    exchange = bureau.home / "exchange"
    away = exchange.rename(bureau.home / "away")
    exchange.write_text("no folder")
    code, problem = bureau.problem("revoke", number, "--reason", "lapsed")
    assert code == Exit.UNAVAILABLE
    assert number in problem["title"]
    exchange.unlink()
    away.rename(exchange)
    (row,) = bureau.ask("list")["certificates"]
    assert row["state"] == "revoked"
    assert published(bureau) == ["applied"]
    bureau.change("UPDATE outbox SET delivered_at = NULL")  # died before it was noted
    bureau.ask("list")
    assert published(bureau) == ["known"]


def test_an_order_that_was_put_aside_is_told_until_it_is_sent_again(bureau: Bureau) -> None:
    number = bureau.seal("--paper")["id"]
    bureau.ask("revoke", number, "--reason", "lapsed")
    (order,) = bureau.orders.glob("*.jws")
    text = order.read_text()
    order.write_text(text[: text.rindex(".")])  # without its signature
    assert published(bureau) == ["refused"]
    assert "did not take 1 orders of status: MALFORMED." in bureau.run("list").err
    bureau.ask("resend")
    assert not list((bureau.orders / "refused").iterdir())
    assert "did not take" not in bureau.run("list").err
    assert published(bureau) == ["known", "applied"]  # the block, the order


@both_databases
def test_every_act_leaves_a_line_that_nobody_can_change(bureau: Bureau) -> None:
    number = bureau.seal("--paper")["id"]
    bureau.ask("suspend", number, "--reason", "withheld")
    bureau.refused("suspend", number, "--reason", "withheld")
    lines = bureau.rows("SELECT act, certificate, reason FROM audit ORDER BY number")
    assert lines == [
        ("key-made", None, None),
        ("enrolled", None, None),
        ("sealed", number, None),
        ("suspend", number, "withheld"),
    ]
    for statement in ("DELETE FROM audit", "UPDATE audit SET reason = 'another'"):
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match="never changed"):
            bureau.change(statement)


@both_databases
def test_orders_are_numbered_without_a_gap(bureau: Bureau) -> None:
    for number in [bureau.seal("--paper")["id"] for _ in range(3)]:
        bureau.ask("revoke", number, "--reason", "lapsed")
    assert len(list(bureau.orders.glob("*.jws"))) == 3
    told = json.loads(bureau.registry.run("publish", "--json").out)
    assert sorted(one["seq"] for one in told["orders"]) == [1, 2, 3]
