"""Codes from the wallet to a desk and back: what the desk then says."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from simulator import World
from wallet_people import Holder, talk

from schemas.verdict import Verdict
from talentseal import qr
from talentseal.codetext import parse_text
from talentseal.errors import UsageError
from talentseal.policy import Policy
from talentseal.reading import Evidence
from talentseal.trustdb import open_bundle
from talentseal.verify import verify
from wallet_cli.codes import parse_challenge

DESK = "https://desk.example:8443"
NONCE = "AAECAwQFBgcICQoLDA0ODw"
CHALLENGE = f"talentseal:challenge?aud=https%3A%2F%2Fdesk.example%3A8443&n={NONCE}"
STRICT = Policy(holder="required", recognition=False)


def at_the_desk(
    holder: Holder, text: str, *, policy: Policy | None = None, **asked: Any
) -> Verdict:
    """What a desk with the same trust data says."""
    bundle = open_bundle(holder.person.folder / "trust")
    chosen = policy or Policy(recognition=False)
    return verify(Evidence(text=text, **asked), bundle, chosen, now=datetime.now(UTC))


def scan(path: Path) -> str:
    (text,) = qr.read(path.read_bytes())
    return text


def test_a_static_code_is_read_from_its_picture_as_a_bearer_copy(holder: Holder) -> None:
    picture = holder.person.home / "static.png"
    ran = holder.person.run("qr", holder.id, "--static", "--png", picture)
    assert ran.code == 0, ran.err
    assert "Bearer copy" in ran.err
    verdict = at_the_desk(holder, scan(picture))
    assert verdict.outcome == "accept"
    assert "HOLDER_BEARER_COPY" in verdict.remarks
    assert parse_text(scan(picture)).code == holder.issued.code


def test_a_live_code_is_read_from_its_picture_in_open_mode(holder: Holder) -> None:
    picture = holder.person.home / "live.png"
    assert holder.person.run("qr", holder.id, "--png", picture).code == 0
    verdict = at_the_desk(holder, scan(picture), policy=STRICT)
    assert verdict.outcome == "accept"
    assert "HOLDER_OPEN_MODE" in verdict.remarks


def test_a_challenge_of_a_desk_is_answered_for_that_desk_alone(holder: Holder) -> None:
    picture = holder.person.home / "live.png"
    ran = holder.person.run("qr", holder.id, "--challenge", CHALLENGE, "--png", picture)
    assert DESK in ran.err
    asked = {"audience": DESK, "nonce": NONCE}
    verdict = at_the_desk(holder, scan(picture), policy=STRICT, **asked)
    assert verdict.outcome == "accept"
    assert not {"HOLDER_OPEN_MODE", "HOLDER_BEARER_COPY"} & set(verdict.remarks)
    elsewhere = at_the_desk(
        holder, scan(picture), audience="https://other.example", nonce=asked["nonce"]
    )
    assert "HOLDER_AUDIENCE" in elsewhere.codes


def test_eight_digits_read_out_are_answered(holder: Holder) -> None:
    text = holder.person.run("qr", holder.id, "--challenge", "12345678", "--text").out.strip()
    verdict = at_the_desk(holder, text, policy=STRICT, nonce="12345678")
    assert verdict.outcome == "accept"
    assert "HOLDER_OPEN_MODE" not in verdict.remarks
    assert "HOLDER_NONCE" in at_the_desk(holder, text, nonce="87654321").codes


def test_two_live_codes_are_never_the_same(holder: Holder) -> None:
    texts = {holder.person.run("qr", holder.id, "--text").out for _ in range(3)}
    assert len(texts) == 3


def test_a_revoked_code_is_still_shown_and_refused_by_the_desk(
    holder: Holder, world: World
) -> None:
    world.city.list.set(holder.issued.index + 1, 1)
    assert holder.person.synchronise(world).code == 0
    text = holder.person.run("qr", holder.id, "--text").out.strip()
    assert "REVOKED" in at_the_desk(holder, text).codes
    assert holder.person.run("verify", holder.id).code == 0
    assert holder.person.run("verify", holder.id, "--code").code == 1


def test_machines_get_text_size_and_time(holder: Holder) -> None:
    svg = holder.person.home / "static.svg"
    static = holder.person.ask("qr", holder.id, "--static", "--svg", svg)
    live = holder.person.ask("qr", holder.id)
    assert (static["form"], static["valid_seconds"]) == ("static", None)
    assert static["files"] == [str(svg)]
    assert svg.read_text().startswith("<svg")
    assert (live["form"], live["valid_seconds"], live["files"]) == ("dynamic", 120, [])
    assert static["version"] <= 20
    assert live["version"] <= 22
    assert live["text"].startswith("https://verify.talentseal.example/#")


def test_the_host_of_the_link_is_a_setting(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALENTSEAL_VERIFIER_HOST", "localhost:8703")
    text = holder.person.run("qr", holder.id, "--text").out
    assert text.startswith("https://localhost:8703/#")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234567",
        "123456789",
        "１２３４５６７８",
        CHALLENGE + "&x=1",
        CHALLENGE + "\n",
        CHALLENGE.replace("aud", "AUD"),
        CHALLENGE.replace("talentseal", "https"),
        f"talentseal:challenge?n={NONCE}&aud=https%3A%2F%2Fdesk.example",
        "talentseal:challenge?aud=https%3A%2F%2Fdesk.example&n=AAEC",
        f"talentseal:challenge?aud=https%3A%2F%2Fdesk.example&n={NONCE[:-1]}x",
        f"talentseal:challenge?aud=http%3A%2F%2Fdesk.example&n={NONCE}",
        f"talentseal:challenge?aud=https://desk.example&n={NONCE}",
        f"talentseal:challenge?aud=https%3A%2F%2Fdesk%1b%5B31m.example&n={NONCE}",
        f"talentseal:challenge?aud=https%3A%2F%2Fdesk%E2%80%AE.example&n={NONCE}",
        f"talentseal:challenge?aud=https%3A%2F%2F%ff&n={NONCE}",
        f"talentseal:challenge?aud=https%3A%2F%2Fdesk%2&n={NONCE}",
        f"talentseal:challenge?aud=https%3A%2F%2F{'a' * 2048}&n={NONCE}",
    ],
)
def test_anything_but_a_challenge_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_challenge(text)


def test_options_that_contradict_each_other_are_refused(holder: Holder) -> None:
    person, name = holder.person, holder.id
    assert person.run("qr", name, "--static", "--challenge", "12345678").code == 2
    assert person.run("qr", name, "--watch").code == 2
    assert person.run("qr", name, "--terminal", "--watch", "--static").code == 2
    assert person.run("qr", "ffffffff").code == 2


# --- at a terminal --------------------------------------------------------------------------------


def at_a_terminal(columns: int, lines: int, *argv: str) -> tuple[int, str]:
    """Run the program in a window of that size; its exit code, and what is seen."""
    return talk("", *argv, COLUMNS=str(columns), LINES=str(lines))


def test_a_window_that_is_large_enough_gets_the_drawing(holder: Holder) -> None:
    code, seen = at_a_terminal(140, 70, "qr", holder.id)
    assert code == 0, seen
    assert "▀" in seen
    assert "Live code" in seen


def test_a_window_that_is_too_small_gets_a_picture_instead(holder: Holder) -> None:
    code, seen = at_a_terminal(80, 24, "qr", holder.id, "--terminal")
    assert code == 0, seen
    assert "▀" not in seen
    assert "too small" in seen
    picture = holder.person.folder / f"code-{holder.id}.png"
    assert at_the_desk(holder, scan(picture), policy=STRICT).outcome == "accept"


def test_a_drawing_may_be_forced_without_a_terminal(holder: Holder) -> None:
    ran = holder.person.run("qr", holder.id, "--static", "--terminal", "--force")
    assert ran.code == 0
    assert "▀" in ran.out
