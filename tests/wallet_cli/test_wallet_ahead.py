"""What is begun before the rest is loaded changes how soon a command answers, and nothing else."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import typer
from wallet_people import Holder, Person, Ran

from talentseal.encoding import parse_json
from talentseal.passphrase import derive_key
from wallet_cli import ahead
from wallet_cli.main import app

PARAMS = {"name": "scrypt", "n": 2**14, "r": 8, "p": 1, "salt": "c2l4dGVlbiBieXRlcyEhIQ"}


def program(*argv: str) -> Ran:
    """The wallet as its console script runs it."""
    command = [sys.executable, "-m", "wallet_cli", *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return Ran(done.returncode, done.stdout, done.stderr)


def _nothing(_: Person) -> None: ...


def _another_passphrase(person: Person) -> None:
    person.passphrase.write_text("something else entirely\n")


def _two_lines(person: Person) -> None:
    person.passphrase.write_text("one\ntwo\n")


def _passphrase_for_all(person: Person) -> None:
    person.passphrase.chmod(0o644)


def _folder_for_all(person: Person) -> None:
    person.folder.chmod(0o755)


def _no_vault(person: Person) -> None:
    person.vault.unlink()


def _cut(person: Person) -> None:
    person.vault.write_bytes(person.vault.read_bytes()[:-9])


def _cheaper_lock(person: Person) -> None:
    data = person.vault.read_bytes()
    person.vault.write_bytes(data.replace(b'"n":16384', b'"n":1024'))


def _lock_of_another_kind(person: Person) -> None:
    person.vault.write_bytes(b'{"lock":[1],"box":""}')


@pytest.mark.parametrize(
    "change",
    [
        _nothing, _another_passphrase, _two_lines, _passphrase_for_all, _folder_for_all, _no_vault,
        _cut, _cheaper_lock, _lock_of_another_kind,
    ],
)  # fmt: skip
def test_the_program_says_what_the_command_says(
    holder: Holder, change: Callable[[Person], None]
) -> None:
    change(holder.person)
    assert program("history", "--json") == holder.person.run("history", "--json")  # tells no age


def test_what_was_begun_is_the_key_and_is_handed_out_once(person: Person) -> None:
    params = parse_json(person.vault.read_bytes())["lock"]["kdf"]
    passphrase = person.passphrase.read_bytes().rstrip(b"\n")
    ahead.begin()
    (begun,) = ahead._begun
    assert ahead.stretch(passphrase, params) == begun.key == derive_key(passphrase, params)
    assert ahead._begun == []


@pytest.mark.parametrize("change", [{"n": 2**15}, {"salt": "b3RoZXIgc2l4dGVlbiBieQ"}])
def test_what_was_begun_for_another_lock_opens_nothing(
    person: Person, change: dict[str, object]
) -> None:
    ahead.begin()
    passphrase = person.passphrase.read_bytes().rstrip(b"\n")
    assert ahead.stretch(passphrase, PARAMS | change) == derive_key(passphrase, PARAMS | change)


def test_what_was_begun_for_another_passphrase_opens_nothing(person: Person) -> None:
    params = parse_json(person.vault.read_bytes())["lock"]["kdf"]
    ahead.begin()
    assert ahead.stretch(b"another", params) == derive_key(b"another", params)


def test_it_begins_for_commands_that_exist() -> None:
    assert getattr(typer.main.get_command(app), "commands", {}).keys() >= ahead.OPENING
