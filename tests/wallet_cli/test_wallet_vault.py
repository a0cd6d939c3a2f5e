"""The vault: secrecy, integrity, and what is left when somebody pulls the plug."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from talentseal.encoding import (
    MAX_CREDENTIAL_DEPTH,
    MAX_METADATA_DEPTH,
    b64url_decode,
    b64url_encode,
    dump_json,
    parse_json,
)
from talentseal.errors import RefusedError, TalentsealError, UnavailableError, UsageError
from wallet_cli.vault import (
    MAX_UNUSED_KEYS,
    MAX_VAULT_BYTES,
    Act,
    Content,
    Copy,
    Holding,
    Vault,
    create,
    open_vault,
    restore,
)

PASSPHRASE = b"a fictional passphrase"
QUICK = 2**14
HOLDING = Holding(
    "0a1b2c3d", "fictional-1", "2026-11-21T09:00:00Z", {"type": "fictional"},
    [Copy("dc+sd-jwt", "fictional~", "kid", "cGtjczg")],
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet" / "vault.json"


@pytest.fixture
def vault(path: Path) -> Vault:
    return create(path, PASSPHRASE, n=QUICK)


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def refusal(path: Path, passphrase: bytes = PASSPHRASE) -> TalentsealError:
    with pytest.raises(UnavailableError) as caught:
        open_vault(path, passphrase)
    return caught.value


def test_what_is_put_in_comes_out_after_opening_again(vault: Vault, path: Path) -> None:
    with vault.change() as content:
        kid = content.new_key(0).kid
        content.holdings.append(HOLDING)
        content.note(Act("2026-11-21T09:00:00Z", "received", "0a1b2c3d", "", ["one"]))
    read = open_vault(path, PASSPHRASE).read()
    assert [key.kid for key in read.keys] == [kid]
    assert read.holdings == [HOLDING]
    assert read.history == [Act("2026-11-21T09:00:00Z", "received", "0a1b2c3d", "", ["one"])]


def test_file_and_folder_are_for_their_owner_alone(vault: Vault, path: Path) -> None:
    with vault.change() as content:
        content.new_key(0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in path.parent.iterdir())


def test_nothing_inside_can_be_read_in_the_file(vault: Vault, path: Path) -> None:
    with vault.change() as content:
        kid = content.new_key(0).kid
        content.holdings.append(HOLDING)
    document = parse_json(path.read_bytes())
    assert document.keys() == {"lock", "box"}
    assert kid.encode() not in path.read_bytes()
    assert b"fictional-1" not in path.read_bytes() + b64url_decode(document["box"])


def test_a_wrong_passphrase_is_not_called_damage(vault: Vault) -> None:
    assert refusal(vault.path, b"another").message == "wrong passphrase"


@pytest.mark.parametrize("kept", [0, 1, 40, -1, -40])
def test_a_truncated_file_is_called_damaged(vault: Vault, kept: int) -> None:
    vault.path.write_bytes(vault.path.read_bytes()[:kept])
    assert "damaged" in refusal(vault.path).message


def test_no_altered_byte_goes_unnoticed(vault: Vault) -> None:
    whole = vault.path.read_bytes()
    for at in range(0, len(whole), 17):
        vault.path.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert refusal(vault.path).message != "wrong passphrase", at
    vault.path.write_bytes(whole)
    assert open_vault(vault.path, PASSPHRASE).read() == Content()


def test_lock_and_box_of_two_vaults_cannot_be_exchanged(vault: Vault, tmp_path: Path) -> None:
    other = create(tmp_path / "other" / "vault.json", PASSPHRASE, n=QUICK)
    ours, theirs = (parse_json(v.path.read_bytes()) for v in (vault, other))
    vault.path.write_bytes(dump_json({"lock": ours["lock"], "box": theirs["box"]}))
    assert "damaged" in refusal(vault.path).message


@pytest.mark.parametrize(
    "change", [{"n": 2**30}, {"n": 2}, {"p": 1000}, {"r": 1}, {"name": "none"}, {"salt": ""}]
)
def test_a_hostile_lock_may_not_burn_memory_or_weaken_the_key(
    vault: Vault, change: dict[str, object]
) -> None:
    document = parse_json(vault.path.read_bytes())
    lock = {k: v for k, v in document["lock"].items() if k != "digest"}
    lock["kdf"] = {**lock["kdf"], **change}
    from talentseal.keystore import _digest

    document["lock"] = {**lock, "digest": _digest(lock)}
    vault.path.write_bytes(dump_json(document))
    assert "damaged" in refusal(vault.path).message


def test_the_file_of_a_keystore_is_no_vault(vault: Vault) -> None:
    from talentseal.keystore import make_lock

    lock, _ = make_lock(PASSPHRASE, {"dev": True}, n=QUICK)
    vault.path.write_bytes(dump_json({"lock": lock, "box": b64url_encode(bytes(40))}))
    assert "damaged" in refusal(vault.path).message


def test_a_link_in_the_place_of_the_file_is_refused(vault: Vault, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    vault.path.rename(elsewhere)
    vault.path.symlink_to(elsewhere)
    assert "link" in refusal(vault.path).message


def test_a_link_in_the_place_of_the_folder_is_refused(vault: Vault, tmp_path: Path) -> None:
    folder = vault.path.parent
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert "no link" in refusal(vault.path).hint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_open_to_others_is_refused(vault: Vault, mode: int) -> None:
    vault.path.chmod(mode)
    assert "open to other users" in refusal(vault.path).message


def test_a_folder_open_to_others_is_refused(vault: Vault) -> None:
    vault.path.parent.chmod(0o755)
    assert "open to other users" in refusal(vault.path).message


def test_without_a_folder_the_next_step_is_init(path: Path) -> None:
    assert "wallet init" in refusal(path).hint


def test_a_vault_is_never_made_over_another(vault: Vault) -> None:
    before = vault.path.read_bytes()
    with pytest.raises(RefusedError) as caught:
        create(vault.path, b"another", n=QUICK)
    assert caught.value.code == "STATE_CONFLICT"
    assert vault.path.read_bytes() == before


def test_an_error_while_changing_leaves_everything_as_it_was(vault: Vault) -> None:
    before = vault.path.read_bytes()

    def fail_midway() -> None:
        with vault.change() as content:
            content.new_key(0)
            content.find("nothing")

    with pytest.raises(UsageError):
        fail_midway()
    assert vault.path.read_bytes() == before


def test_keys_that_nobody_uses_do_not_pile_up_without_end(vault: Vault) -> None:
    with vault.change() as content:
        for _ in range(MAX_UNUSED_KEYS):
            content.new_key(0)
        with pytest.raises(RefusedError):
            content.new_key(0)
    assert len(vault.read().keys) == MAX_UNUSED_KEYS


@pytest.mark.parametrize(
    ("document", "title"),
    [("x" * (MAX_VAULT_BYTES * 3 // 4), ""), ("", nested(MAX_METADATA_DEPTH)), ("", 2**60)],
)
def test_a_vault_that_could_not_be_opened_again_is_not_written(
    vault: Vault, document: str, title: object
) -> None:
    before = vault.path.read_bytes()
    odd = replace(HOLDING, document=document, summary={"title": title})

    def fill() -> None:
        with vault.change() as content:
            content.holdings.append(odd)

    with pytest.raises(RefusedError, match="opened again"):
        fill()
    assert vault.path.read_bytes() == before


def test_the_deepest_claim_of_a_certificate_fits_a_vault(vault: Vault) -> None:
    deep = replace(HOLDING, summary={"title": nested(MAX_CREDENTIAL_DEPTH)})
    with vault.change() as content:
        content.holdings.append(deep)
    assert vault.read().holdings == [deep]


def test_two_open_vaults_do_not_lose_each_others_work(vault: Vault) -> None:
    again = open_vault(vault.path, PASSPHRASE)
    for turn in (vault, again, vault):
        with turn.change() as content:
            content.new_key(0)
    assert len(vault.read().keys) == len(again.read().keys) == 3


def test_an_id_may_be_shortened_and_must_mean_one(vault: Vault) -> None:
    content = Content(holdings=[HOLDING])
    assert content.find("0a1b") is content.find("0A1B2C3D") is HOLDING
    for wanted in ("0a1", "", "ffff", "0a1b2c3d4"):
        with pytest.raises(UsageError):
            content.find(wanted)
    assert vault.read() == Content()


# --- backup ---------------------------------------------------------------------------------------


def test_a_backup_has_its_own_passphrase_and_comes_back_whole(vault: Vault, tmp_path: Path) -> None:
    with vault.change() as content:
        content.holdings.append(HOLDING)
    backup, again = tmp_path / "backup", tmp_path / "new" / "vault.json"
    vault.copy_to(backup, b"for the stick")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    restore(again, backup, b"for the stick", b"a third one")
    assert open_vault(again, b"a third one").read() == vault.read()


def test_a_backup_replaces_nothing(vault: Vault, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.write_text("precious")
    with pytest.raises(UnavailableError):
        vault.copy_to(backup, PASSPHRASE)
    assert backup.read_text() == "precious"


def test_a_damaged_backup_makes_no_vault(vault: Vault, tmp_path: Path) -> None:
    backup, again = tmp_path / "backup", tmp_path / "new" / "vault.json"
    vault.copy_to(backup, PASSPHRASE)
    whole = backup.read_bytes()
    backup.write_bytes(whole[:-3] + (b'B"}' if whole.endswith(b'A"}') else b'A"}'))
    with pytest.raises(UnavailableError, match="damaged"):
        restore(again, backup, PASSPHRASE, PASSPHRASE)
    backup.write_bytes(whole)
    with pytest.raises(UnavailableError, match="wrong passphrase"):
        restore(again, backup, b"another", PASSPHRASE)
    assert not again.exists()


# --- sudden ends ----------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from wallet_cli.vault import Act, open_vault
vault = open_vault(Path(sys.argv[1]), b"a fictional passphrase")
number = 0
while True:
    with vault.change() as content:
        content.note(Act("", "x" * 20_000, str(number)))
    number += 1
    print(number, flush=True)
"""


def written(process: "subprocess.Popen[str]") -> Iterator[int]:
    assert process.stdout is not None
    for line in process.stdout:
        yield int(line)


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.004, 0.009, 0.017, 0.031])
def test_whoever_is_killed_leaves_the_old_vault_or_the_new(vault: Vault, delay: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, vault.path], stdout=subprocess.PIPE, text=True
    ) as process:
        told = written(process)
        acknowledged = next(told)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        acknowledged = max([acknowledged, *told])
    acts = vault.read().history
    assert [act.id for act in acts] == [str(number) for number in range(len(acts))]
    assert len(acts) in (acknowledged, acknowledged + 1)
    with vault.change() as content:
        content.note(Act("", "after", ""))
    assert not list(vault.path.parent.glob(".vault.json.*"))
