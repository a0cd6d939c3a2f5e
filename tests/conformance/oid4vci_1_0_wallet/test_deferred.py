"""Mirror of the `deferred` variants of `oid4vci-1_0-wallet-test-*` (suite at 12f2a4d)."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from conformance.oid4vci_1_0_wallet.links import by_value
from conformance.peers.http_peer import Asked, Reply, as_json
from conformance.peers.issuer_peer import IssuerPeer
from wallet_people import Person, Ran


def promised(person: Person, issuer: IssuerPeer, **settings: int) -> str:
    """What an issuer will deliver later; the id under which the wallet remembers it."""
    issuer.later, issuer.interval = settings.get("later", 1), settings.get("interval", 1)
    document = person.ask("receive", by_value(issuer, "title_sd_jwt"), "--yes")
    assert document["received"] == []
    name: str = document["waiting"][0]["id"]
    return name


def kept(person: Person, name: str) -> tuple[int, int]:
    """Certificates and unused keys."""
    backup = person.ask("backup", person.home / name)
    return backup["credentials"], backup["unused_keys"]


def test_what_is_promised_is_waited_for_if_asked(person: Person, issuer: IssuerPeer) -> None:
    issuer.later = 2
    document = person.ask("receive", by_value(issuer, "title_sd_jwt"), "--yes", "--wait", "20")
    assert len(document["received"]) == 1
    assert len(issuer.asked_at("/deferred")) == 2
    assert issuer.events == ["credential_accepted"]


def test_what_is_promised_is_asked_for_later(person: Person, issuer: IssuerPeer) -> None:
    name = promised(person, issuer)
    assert kept(person, "a") == (0, 1)
    ran = person.run("receive", "--resume", name, "--wait", "5", "--yes")
    assert ran.code == 0, ran.err
    assert "Received." in ran.out
    assert kept(person, "b") == (1, 0)
    assert person.refused("receive", "--resume") == (2, "NOT_FOUND")


def test_nobody_is_asked_before_the_issuer_wants_it(person: Person, issuer: IssuerPeer) -> None:
    promised(person, issuer, interval=3600)
    ran = person.run("receive", "--resume")
    assert (ran.code, issuer.asked_at("/deferred")) == (0, [])
    assert "wallet receive --resume" in ran.out


def test_a_half_delivered_offer_is_kept_together(person: Person, issuer: IssuerPeer) -> None:
    issuer.later = 1
    document = person.ask("receive", by_value(issuer), "--yes")
    assert (document["received"], len(document["waiting"])) == ([], 1)
    assert kept(person, "a") == (0, 2)
    (row,) = person.ask("receive", "--resume", "--wait", "5")["received"]
    assert row["formats"] == ["dc+sd-jwt", "talentseal_cwt"]


@pytest.mark.parametrize("error", ["invalid_transaction_id", "credential_request_denied"])
def test_a_final_no_leaves_nothing_behind(person: Person, issuer: IssuerPeer, error: str) -> None:
    promised(person, issuer)
    issuer.instead["/deferred"] = as_json({"error": error}, 400)
    ran = person.run("receive", "--resume", "--wait", "5")
    assert ran.code == 1
    assert error in ran.err
    assert kept(person, "a") == (0, 0)


def test_promises_that_are_never_kept_can_be_given_up(person: Person, issuer: IssuerPeer) -> None:
    issuer.later, issuer.interval, issuer.batch_size = 9, 3600, 20

    def receive() -> Ran:
        return person.run("receive", by_value(issuer, "title_sd_jwt"), "--copies", "20", "--yes")

    assert [receive().code for _ in range(3)] == [0, 0, 0]
    asked = len(issuer.asked_at("/token"))
    ran = receive()
    assert ran.code == 1
    assert "wallet receive --give-up" in ran.err
    assert len(issuer.asked_at("/token")) == asked  # the offer is still good
    name = re.findall(r"[\w-]{8}", ran.err.partition("promised (")[2])[0]
    assert person.ask("receive", "--give-up", name)["given_up"] == name
    assert kept(person, "a") == (0, 40)
    assert person.refused("receive", "--give-up", name) == (2, "NOT_FOUND")
    assert receive().code == 0


def test_whoever_breaks_off_leaves_no_keys_behind(person: Person, issuer: IssuerPeer) -> None:
    # Whoever runs the tests in the background may have them ignore the signal.
    heeded = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = [sys.executable, "-c", f"{heeded}; from wallet_cli.main import main; main()"]
    program += ["receive", by_value(issuer, "title_sd_jwt"), "--yes"]

    def interrupt(_: Asked) -> Reply:
        time.sleep(0.3)  # until it waits for the answer: a signal just before is seen after it
        process.send_signal(signal.SIGINT)
        process.wait(20)
        return Reply(503)

    issuer.instead["/credential"] = interrupt
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as process:
        _, told = process.communicate(timeout=30)
    assert (process.returncode, told.splitlines()[-1]) == (4, "Stopped.")
    assert kept(person, "a") == (0, 0)


def test_a_silent_issuer_can_be_asked_again(person: Person, issuer: IssuerPeer) -> None:
    promised(person, issuer)
    issuer.instead["/deferred"] = Reply(503)
    assert person.run("receive", "--resume", "--wait", "5").code == 4
    assert kept(person, "a") == (0, 1)
    del issuer.instead["/deferred"]
    issuer.later = 0
    assert person.ask("receive", "--resume", "--wait", "5")["received"]


def meanwhile(issuer: IssuerPeer, act: Callable[[], None], *, at: int = 1) -> None:
    """Have `act` done while the issuer is asked for the `at`th time for what it promised."""
    honest = issuer.deferred

    def deferred(asked: Asked) -> Reply:
        if len(issuer.asked_at("/deferred")) == at:
            act()
        return honest(asked)

    issuer.instead["/deferred"] = deferred


def promised_two(person: Person, issuer: IssuerPeer) -> str:
    """Two things promised at once, and due."""
    issuer.later, issuer.interval = 2, 3  # seconds: more than the command needs to end
    (waiting,) = person.ask("receive", by_value(issuer), "--yes")["waiting"]
    issuer.later = 0
    time.sleep(3.1)
    name: str = waiting["id"]
    return name


@pytest.mark.parametrize("at", [1, 2])
def test_of_two_commands_one_goes_on_and_the_other_lets_it(
    person: Person, issuer: IssuerPeer, at: int
) -> None:
    promised_two(person, issuer)
    others: list[Ran] = []
    meanwhile(issuer, lambda: others.append(person.run("receive", "--resume", "--json")), at=at)
    (row,) = person.ask("receive", "--resume")["received"]
    assert sorted(row["formats"]) == ["dc+sd-jwt", "talentseal_cwt"]
    assert [ran.code for ran in others] == [0]
    assert (len(issuer.asked_at("/deferred")), issuer.events) == (2, ["credential_accepted"] * 2)
    assert kept(person, "a") == (1, 0)


def test_what_is_given_up_while_it_is_asked_for_is_not_stored(
    person: Person, issuer: IssuerPeer
) -> None:
    name = promised_two(person, issuer)
    meanwhile(issuer, lambda: person.ask("receive", "--give-up", name), at=2)
    assert person.refused("receive", "--resume") == (1, "STATE_CONFLICT")
    assert (kept(person, "a"), issuer.events) == ((0, 0), [])


def test_a_command_that_was_killed_is_taken_over_later(person: Person, issuer: IssuerPeer) -> None:
    name = promised_two(person, issuer)
    program = [sys.executable, "-c", "from wallet_cli.main import main; main()"]

    def kill(_: Asked) -> Reply:
        process.kill()
        process.wait(20)
        return Reply(503)

    issuer.instead["/deferred"] = kill
    with subprocess.Popen([*program, "receive", "--resume"], stderr=subprocess.DEVNULL) as process:
        process.wait(30)
    del issuer.instead["/deferred"]
    (waiting,) = person.ask("receive", "--resume", name)["waiting"]
    assert time.time() < waiting["again_at"] < time.time() + 61
    assert kept(person, "a") == (0, 2)


def test_a_token_got_anew_is_remembered_before_it_is_used(
    person: Person, issuer: IssuerPeer
) -> None:
    good = ["r-0"]  # each is good once

    def token(asked: Asked) -> Reply:
        if asked.form["grant_type"] == "refresh_token":
            if asked.form["refresh_token"] != good[-1]:
                return as_json({"error": "invalid_grant"}, 400)
            good.append(f"r-{len(good)}")
        return as_json({**issuer.new_token(), "expires_in": 1, "refresh_token": good[-1]})

    issuer.instead["/token"] = token
    promised(person, issuer)
    issuer.later = 0
    issuer.instead["/deferred"] = Reply(503)
    assert person.run("receive", "--resume", "--wait", "5").code == 4
    del issuer.instead["/deferred"]
    assert person.ask("receive", "--resume", "--wait", "5")["received"]
    assert len(good) == 3


@pytest.mark.parametrize("error", ["credential_request_denied", "invalid_token"])
def test_what_came_is_kept_when_the_rest_will_never_come(
    person: Person, issuer: IssuerPeer, error: str
) -> None:
    issuer.later = 1
    assert person.ask("receive", by_value(issuer), "--yes")["waiting"]
    issuer.instead["/deferred"] = as_json({"error": error}, 400)
    ran = person.run("receive", "--resume", "--wait", "5")
    assert ran.code == 0, ran.err
    assert error in ran.err
    assert kept(person, "a") == (1, 0)
    assert issuer.events == ["credential_accepted"]


def test_one_delivery_that_fails_hides_no_other(person: Person, issuer: IssuerPeer) -> None:
    names = [promised(person, issuer), promised(person, issuer)]
    issuer.later = 0
    time.sleep(1.1)
    answers = [None, Reply(503)]
    honest = issuer.deferred
    issuer.instead["/deferred"] = lambda asked: answers.pop(0) or honest(asked)
    ran = person.run("receive", "--resume", "--json")
    told = json.loads(ran.out)
    assert (ran.code, len(told["received"])) == (4, 1)
    assert [(one["id"], one["code"]) for one in told["failed"]] == [
        (names[1], "DEPENDENCY_UNAVAILABLE")
    ]
    assert kept(person, "a") == (1, 1)


def test_an_answer_for_another_transaction_is_refused(person: Person, issuer: IssuerPeer) -> None:
    promised(person, issuer)
    issuer.instead["/deferred"] = as_json({"transaction_id": "other", "interval": 1}, 202)
    assert person.refused("receive", "--resume", "--wait", "5") == (1, "MALFORMED")


def test_a_token_that_ends_is_refreshed_where_the_issuer_allows(
    person: Person, issuer: IssuerPeer
) -> None:
    short = {"expires_in": 1, "refresh_token": "r-1"}

    def token(asked: Asked) -> Reply:
        if asked.form["grant_type"] == "refresh_token":
            assert asked.form["refresh_token"] == "r-1"
            issuer.tokens.clear()
        return as_json({**issuer.new_token(), **short})

    issuer.instead["/token"] = token
    promised(person, issuer)
    issuer.later = 0
    assert person.ask("receive", "--resume", "--wait", "5")["received"]
    assert len(issuer.asked_at("/token")) == 2
