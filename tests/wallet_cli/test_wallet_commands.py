"""The program itself: set-up, trust data, backup, exit codes, and what it does not load."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from simulator import World
from wallet_people import Holder, Person, publish, seal_for, start, talk

from talentseal.keys import PublicKey

FORBIDDEN = {
    "fastapi", "starlette", "sqlalchemy", "alembic", "jinja2", "httpx2", "tuf", "urllib3",
    "securesystemslib", "zxingcpp", "PIL", "pypdfium2", "requests",
}  # fmt: skip


def test_init_makes_a_private_empty_vault_once(newcomer: Person) -> None:
    made = newcomer.ask("init")
    assert made == {"vault": str(newcomer.vault), "trust": []}
    assert newcomer.folder.stat().st_mode & 0o777 == 0o700
    assert newcomer.vault.stat().st_mode & 0o777 == 0o600
    assert newcomer.refused("init") == (1, "STATE_CONFLICT")


def test_init_pins_the_root_and_takes_the_data_in(newcomer: Person, world: World) -> None:
    place = publish(world, newcomer.home / "published")
    root = place / "CN-9999" / "metadata" / "1.root.json"
    made = newcomer.ask("init", "--trust", place, "--root", root)
    assert {change["jurisdiction"] for change in made["trust"]} == {"CN/9999", "HK", "MO"}
    assert (newcomer.folder / "root.json").read_bytes() == root.read_bytes()


def test_a_real_root_is_never_taken_from_the_data_it_vouches_for(
    newcomer: Person, world: World
) -> None:
    place = publish(world, newcomer.home / "published")
    code, _ = newcomer.refused("init", "--trust", place)
    assert code == 2
    assert not newcomer.vault.exists()
    assert newcomer.run("init").code == 0


def test_a_development_root_is_taken_from_the_named_source(
    newcomer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.honest(_now())
    for office in world.offices.values():
        office.dev = True
        office.peers.clear()  # introduced with roots that were no development roots
        office.tuf.roots.clear()
    place = publish(world, newcomer.home / "published")
    monkeypatch.setenv("TALENTSEAL_TRUST_SOURCE", str(place))
    assert newcomer.ask("init", "--jurisdiction", "HK")["trust"][0]["jurisdiction"] == "HK"
    assert newcomer.run("sync").code == 0
    issued = seal_for(world.hk, newcomer.keys(), "qual-01", territory=["HK"])
    assert newcomer.ask("receive", issued.write(newcomer.home))["jurisdiction"] == "HK"


def _now() -> int:
    return int(time.time())


def test_a_wallet_has_one_root(person: Person, world: World) -> None:
    other = person.home / "other.json"
    other.write_bytes(world.hk.tuf.root_bytes(1))
    place = publish(world, person.home / "published")
    assert person.refused("sync", "--from", place, "--root", other) == (1, "WRONG_NETWORK")
    assert person.refused("sync")[0] == 2


def test_without_a_passphrase_or_a_terminal_the_setting_is_named(
    newcomer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALENTSEAL_VAULT_PASSPHRASE_FILE")
    for argv in (("init",), ("list",)):
        ran = start(*argv, home=newcomer.home)
        assert ran.returncode == 2
        assert "TALENTSEAL_VAULT_PASSPHRASE_FILE" in ran.stderr
    assert not newcomer.vault.exists()


def test_a_passphrase_that_others_can_read_is_refused(person: Person) -> None:
    person.passphrase.chmod(0o644)
    assert person.refused("list")[0] == 4


def test_a_wrong_passphrase_and_a_damaged_vault_are_told_apart(person: Person) -> None:
    whole = person.vault.read_bytes()
    person.vault.write_bytes(whole[:-20])
    assert "damaged" in person.run("list").err
    person.vault.write_bytes(whole)
    person.passphrase.write_text("another\n")
    ran = person.run("list")
    assert (ran.code, "wrong passphrase" in ran.err) == (4, True)


def test_keys_for_the_issuer_are_public_and_one_for_each_copy(person: Person) -> None:
    one = json.loads(person.run("key").out)
    assert PublicKey.from_jwk(one).alg == "ES256"
    out = person.home / "for-issuer.json"
    person.ask("key", "--copies", "2", "--out", out)
    keys = json.loads(out.read_text())["keys"]
    assert len({PublicKey.from_jwk(key).kid for key in keys}) == 2
    assert not [key for key in keys if "d" in key]
    assert person.refused("key", "--out", out)[0] == 4
    assert person.ask("backup", person.home / "b")["unused_keys"] == 3
    assert person.run("key", "--copies", "0").code == 2


def test_a_backup_is_restored_into_an_empty_home(
    holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own-passphrase"
    own.write_text("for the stick\n")
    own.chmod(0o600)
    backup = tmp_path / "wallet.backup"
    ran = holder.person.run("backup", backup, "--passphrase-file", own)
    assert "wallet sync" in ran.out
    assert holder.person.refused("backup", backup)[0] == 4
    assert holder.person.refused("restore", backup) == (1, "STATE_CONFLICT")
    monkeypatch.setenv("TALENTSEAL_HOME", str(tmp_path / "new"))
    assert holder.person.run("restore", backup).code == 4
    restored = holder.person.ask("restore", backup, "--passphrase-file", own)
    assert restored["credentials"] == 1
    assert holder.person.ask("list")["credentials"][0]["id"] == holder.id
    assert holder.person.run("qr", holder.id, "--text").code == 0


def test_the_program_speaks_json_and_nothing_else_on_its_output(holder: Holder) -> None:
    settings = {"TALENTSEAL_VAULT_PASSPHRASE_FILE": str(holder.person.passphrase)}
    ran = start("list", "--json", home=holder.person.home, **settings)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["credentials"][0]["id"] == holder.id
    ran = start("show", "ffff", "--json", home=holder.person.home, **settings)
    assert (ran.returncode, json.loads(ran.stdout)["code"]) == (2, "NOT_FOUND")


def test_every_help_begins_with_an_example(person: Person) -> None:
    shown = person.run("--help").out
    assert shown.strip().splitlines()[2].strip().startswith("Example: wallet ")
    names = [line.split()[0] for line in shown.split("Commands:")[1].strip().splitlines()]
    assert len(names) == 13
    for name in names:
        lines = [line.strip() for line in person.run(name, "--help").out.splitlines() if line]
        assert lines[1].startswith(f"Example: wallet {name}"), name


@pytest.mark.parametrize("argv", [("list",), ("show", "ID"), ("verify", "ID")])
def test_looking_loads_neither_services_nor_fetchers(holder: Holder, argv: tuple[str, ...]) -> None:
    command = [holder.id if word == "ID" else word for word in argv]
    script = (
        "import sys, json\n"
        "from talentseal.commandline import run\n"
        "from wallet_cli.main import app\n"
        f"code = run(app, {command!r})\n"
        "print(json.dumps([code, sorted({n.split('.')[0] for n in sys.modules})]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert not FORBIDDEN & set(loaded)


# --- a person at a terminal -----------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "kept"), [("y\n", 1), ("\n", 0), ("n\n", 0), ("yess\n", 0)])
def test_a_person_is_asked_before_a_certificate_is_kept(
    person: Person, world: World, answer: str, kept: int
) -> None:
    issued = seal_for(world.city, person.keys())
    code, seen = talk(answer, "receive", issued.write(person.home))
    assert "bureau of Example City (fictional)" in seen
    assert "Keep it? [y/N]" in seen
    assert code == (0 if kept else 1)
    assert len(person.ask("list")["credentials"]) == kept


@pytest.mark.parametrize(("answer", "leaves"), [("y\n", True), ("\n", False)])
def test_a_person_sees_what_leaves_and_the_default_is_no(
    holder: Holder,
    answer: str,
    leaves: bool,  # noqa: FBT001
) -> None:
    out = holder.person.home / "for-desk.txt"
    code, seen = talk(answer, "disclose", holder.id, "--disclose", "display_name", "--out", out)
    assert "Name [display_name]: 范例一 FANLI YI" in seen
    assert "Stays hidden:" in seen
    assert code == (0 if leaves else 1)
    assert out.exists() == leaves
    assert ("PRESENTATION_DECLINED" in seen) != leaves


def test_a_new_passphrase_is_asked_twice(newcomer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TALENTSEAL_VAULT_PASSPHRASE_FILE")
    code, seen = talk("one\nother\n", "init")
    assert (code, "differ" in seen) == (2, True)
    assert not newcomer.vault.exists()
