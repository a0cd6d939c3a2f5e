import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
import typer

from talentseal.commandline import (
    HOME,
    PASSPHRASE_FILE,
    base_home,
    dev_passphrase_file,
    emit,
    key_passphrase,
    make_dev_passphrase,
    new_app,
    role_home,
    run,
    setting,
    visible,
)
from talentseal.errors import (
    BundleError,
    Exit,
    InputError,
    RefusedError,
    TalentsealError,
    UnavailableError,
    UsageError,
)


def app_that(act: Callable[[], None]) -> typer.Typer:
    app = new_app("Example: demo go")

    @app.command()
    def go(*, as_json: bool = typer.Option(False, "--json")) -> None:
        """Example: demo go"""
        assert as_json in (True, False)
        act()

    @app.command()
    def other() -> None:
        """Example: demo other"""

    return app


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("bad bytes", code="MALFORMED", hint="Scan again."), Exit.REFUSE),
        (RefusedError("not allowed", code="STATE_CONFLICT", hint="Look."), Exit.REFUSE),
        (BundleError("older", code="ROLLBACK_REFUSED", hint="Report it."), Exit.REFUSE),
        (UsageError("wrong", hint="Read the help."), Exit.USAGE),
        (UnavailableError("no disk", hint="Try again."), Exit.UNAVAILABLE),
    ],
)
def test_an_error_of_ours_is_a_sentence_a_hint_and_a_code(
    error: TalentsealError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app_that(raising(error)), ["go"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"{error.message}\n{error.hint}\n[{error.code}]\n"


def test_with_json_the_error_is_one_document_on_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = RefusedError("not allowed", code="STATE_CONFLICT", hint="Look.")
    assert run(app_that(raising(error)), ["go", "--json"]) == Exit.REFUSE
    told = json.loads(capsys.readouterr().out)
    assert told == {"code": "STATE_CONFLICT", "title": "not allowed", "detail": "Look."}


def test_a_fault_of_ours_leaves_by_four_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALENTSEAL_DEBUG", raising=False)
    fault = ZeroDivisionError("secret inside")
    assert run(app_that(raising(fault)), ["go"]) == Exit.UNAVAILABLE
    told = capsys.readouterr().err
    assert "[INTERNAL_ERROR]" in told
    assert "Traceback" not in told
    assert "secret inside" not in told


@pytest.mark.parametrize(
    ("fault", "code", "named"),
    [
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/example/tuf"),
         "DEPENDENCY_UNAVAILABLE", "/example/tuf cannot be used: Not a directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "STORAGE_FULL", "No space left"),
    ],
)  # fmt: skip
def test_a_fault_of_the_system_is_told_in_its_words(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fault: OSError,
    code: str,
    named: str,
) -> None:
    monkeypatch.delenv("TALENTSEAL_DEBUG", raising=False)
    assert run(app_that(raising(fault)), ["go"]) == Exit.UNAVAILABLE
    told = capsys.readouterr().err
    assert f"[{code}]" in told
    assert named in told


def test_a_fault_of_ours_is_shown_to_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALENTSEAL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(app_that(raising(ZeroDivisionError())), ["go"])


@pytest.mark.parametrize("argv", [["nothing"], ["go", "--no-such-option"], []])
def test_a_wrong_command_line_leaves_by_two(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app_that(lambda: None), argv) == Exit.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err


def test_a_wrong_command_line_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app_that(lambda: None), ["go", "--json", "--nonsense"]) == Exit.USAGE
    assert json.loads(capsys.readouterr().out)["code"] == "REQUEST_INVALID"


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), typer.Abort()])
def test_being_stopped_is_no_refusal(
    stop: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app_that(raising(stop)), ["go"]) == Exit.UNAVAILABLE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("code", list(Exit))
def test_a_command_may_leave_by_any_code(code: Exit) -> None:
    assert run(app_that(raising(typer.Exit(code))), ["go"]) == code


def test_a_pipe_closed_early_leaves_the_process_in_silence() -> None:
    program = (
        "import typer, sys\n"
        "from talentseal.commandline import emit, main_door, new_app\n"
        "app = new_app('Example: x')\n"
        "@app.command()\n"
        "def go() -> None:\n"
        "    for _ in range(100000): emit({}, as_json=False, text='line')\n"
        "main_door(app, [])\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    told = child.stderr.read()
    child.stderr.close()
    assert child.wait(30) == Exit.OK
    assert told == b""


def app_that_notes(seen: list[object]) -> typer.Typer:
    """A command with every kind of value that ours take."""
    app = new_app("Example: demo note")

    @app.command()
    def note(
        files: Annotated[list[str], typer.Argument()],
        *,
        name: Annotated[str, typer.Option()] = "nobody",
        place: Annotated[str | None, typer.Option()] = None,
        names: Annotated[list[str] | None, typer.Option()] = None,
        out: Annotated[Path | None, typer.Option()] = None,
        count: Annotated[int, typer.Option(min=1, max=9)] = 4,
        days: Annotated[int | None, typer.Option()] = None,
        loud: Annotated[bool, typer.Option()] = False,
    ) -> None:
        seen.append((files, name, place, names, out, count, days, loud))

    @app.command()
    def other() -> None:
        """Example: demo other"""

    return app


@pytest.mark.parametrize(
    "argv",
    [
        ["a"],
        ["a", "b", "--name", "n", "--place", "", "--names", "x", "--names", "y"],
        ["a", "--out", "new.txt", "--count", "9", "--days", "-3", "--loud"],
        ["a", "--count", "10"],
        ["a", "--count", "many"],
        ["a", "--days", "1.5"],
        ["a", "--name"],
        ["--name", "n"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_values_and_complaints_are_those_of_typer_itself(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ours: list[object] = []
    code = run(app_that_notes(ours), ["note", *argv], name="demo")
    told = capsys.readouterr()
    plain: list[object] = []
    with pytest.raises(SystemExit) as left:
        typer.main.get_command(app_that_notes(plain)).main(["note", *argv], prog_name="demo")
    assert ours == plain
    assert [*map(repr, ours)] == [*map(repr, plain)]
    assert (code, *told) == (left.value.code, *capsys.readouterr())


def test_only_the_command_that_is_named_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    app = app_that(lambda: print("gone"))

    @app.command()
    def never(place: str) -> None:
        raise AssertionError(place)

    never.__annotations__["place"] = "nowhere"  # whoever builds this command stumbles
    assert run(app, ["go"], name="demo") == Exit.OK
    assert capsys.readouterr().out == "gone\n"
    with pytest.raises(NameError, match="nowhere"):
        run(app, ["--help"], name="demo")


def test_help_names_an_example_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app_that(lambda: None), ["go", "--help"], name="demo") == Exit.OK
    text = capsys.readouterr().out
    assert "Example: demo go" in text
    assert "\x1b" not in text


def test_nothing_foreign_reaches_the_terminal_unescaped() -> None:
    assert visible("陈美 O'Neil\nnext") == "陈美 O'Neil\nnext"
    assert visible("a\x1b[31mb\u202ec\x9bd\u200b") == r"a\u{1b}[31mb\u{202e}c\u{9b}d\u{200b}"


def test_a_result_is_a_text_or_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"a": "陈"}, as_json=True, text="text")
    emit({"a": 1}, as_json=False, text="text\u202e")
    assert capsys.readouterr().out == '{"a":"陈"}\ntext\\u{202e}\n'


# --- places and passphrases -----------------------------------------------------------------------


def test_each_program_has_its_folder_below_one_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME, str(tmp_path / "data"))
    assert role_home("issuer") == tmp_path / "data" / "issuer"
    monkeypatch.delenv(HOME)
    assert base_home().name == "talentseal"


def test_a_settings_file_gives_way_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("TALENTSEAL_EXCHANGE='/in/file'\nPATH=/evil\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TALENTSEAL_EXCHANGE", raising=False)
    assert setting("TALENTSEAL_EXCHANGE") == "/in/file"
    monkeypatch.setenv("TALENTSEAL_EXCHANGE", "/in/environment")
    assert setting("TALENTSEAL_EXCHANGE") == "/in/environment"


def test_a_development_passphrase_is_made_once_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME, str(tmp_path))
    monkeypatch.delenv(PASSPHRASE_FILE, raising=False)
    first = make_dev_passphrase("registry")
    assert len(first) >= 32
    assert make_dev_passphrase("registry") == first == key_passphrase("registry")
    assert dev_passphrase_file("registry").stat().st_mode & 0o777 == 0o600


def test_a_named_passphrase_file_goes_first_and_must_be_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME, str(tmp_path))
    monkeypatch.delenv(PASSPHRASE_FILE, raising=False)
    make_dev_passphrase("registry")
    named = tmp_path / "named"
    named.write_text("correct horse\n")
    named.chmod(0o600)
    monkeypatch.setenv(PASSPHRASE_FILE, str(named))
    assert key_passphrase("registry") == b"correct horse"
    named.chmod(0o640)
    with pytest.raises(UnavailableError, match="open to other users"):
        key_passphrase("registry")


def test_nobody_is_asked_where_nobody_can_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME, str(tmp_path))
    monkeypatch.delenv(PASSPHRASE_FILE, raising=False)
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        with pytest.raises(UsageError, match="not known"):
            key_passphrase("registry")
