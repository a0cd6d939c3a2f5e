"""What the four programs share at the terminal: one door for errors, the home folder, passphrases.

`main_door` runs a typer app and is the only place where an exception ends: an error of ours becomes
a sentence, a hint and its code on standard error and leaves by its own exit code; anything else is
a fault of ours and leaves by code 4, without a traceback unless `TALENTSEAL_DEBUG=1`. With `--json`
the error is one JSON document on standard output. Text of foreign origin is made `visible` first.
What the commands do is left to the programs; typer is loaded only inside functions.

This module reads the environment, files and the clock; nothing pure may import it.
"""

import errno
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from talentseal.encoding import dump_json
from talentseal.errors import Exit, TalentsealError, UnavailableError, UsageError

if TYPE_CHECKING:
    import typer

    from talentseal.pkcs11 import DeviceSettings

HOME = "TALENTSEAL_HOME"
PASSPHRASE_FILE = "TALENTSEAL_KEY_PASSPHRASE_FILE"  # noqa: S105  the name of a setting
PKCS11_MODULE = "TALENTSEAL_PKCS11_MODULE"
PKCS11_PIN_FILE = "TALENTSEAL_PKCS11_PIN_FILE"
DEBUG = "TALENTSEAL_DEBUG"

_PREFIX = "TALENTSEAL_"
_MAX_SETTINGS_BYTES = 64 * 1024
_KEYS_FOLDER = "keys"
_DEV_PASSPHRASE_NAME = "dev-passphrase"  # noqa: S105  the name of a file


# --- settings and places --------------------------------------------------------------------------


def setting(name: str) -> str | None:
    """A setting from the environment, else from a `.env` file in the working folder."""
    value = os.environ.get(name)
    return value or _settings_file(str(Path.cwd())).get(name)


@cache
def _settings_file(folder: str) -> Mapping[str, str]:
    path = Path(folder) / ".env"
    try:
        with path.open("rb") as file:
            lines = file.read(_MAX_SETTINGS_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = [line.partition("=") for line in lines if line.startswith(_PREFIX)]
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def base_home() -> Path:
    """The folder of all data: `TALENTSEAL_HOME`, else the platform's user data folder."""
    chosen = setting(HOME)
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("talentseal", appauthor=False)


def role_home(role: str) -> Path:
    """The folder of one program (`registry`, `issuer`, `verifier`, `wallet`); may not exist yet."""
    return base_home() / role


def keys_folder(role: str) -> Path:
    """Where a program keeps its encrypted keys."""
    return role_home(role) / _KEYS_FOLDER


def now() -> datetime:
    """The clock, read once per command and passed on from there."""
    return datetime.now(UTC)


# --- passphrases ----------------------------------------------------------------------------------


def key_passphrase(role: str) -> bytes:
    """The passphrase of a program's keys: named file, development file, or typed at a terminal.

    Raises UsageError where none of these exists, UnavailableError for a file others can read.
    """
    from talentseal.passphrase import read_passphrase

    named = setting(PASSPHRASE_FILE)
    path = Path(named).expanduser() if named else dev_passphrase_file(role)
    if named or path.exists():
        return read_passphrase(path, None)
    if not sys.stdin.isatty():
        raise UsageError(
            "the passphrase of the keys is not known",
            hint=f"Name a file that holds it in {PASSPHRASE_FILE}.",
        )
    return read_passphrase(None, _ask_passphrase)


def _ask_passphrase() -> str:
    from getpass import getpass

    return getpass("Passphrase of the keys: ")


def dev_passphrase_file(role: str) -> Path:
    """Where `init --dev` leaves the passphrase of development keys, beside the keystore."""
    return role_home(role) / _DEV_PASSPHRASE_NAME


def make_dev_passphrase(role: str) -> bytes:
    """A passphrase for development keys, written once (mode 0600) by `init --dev`."""
    import secrets

    from talentseal.files import make_private_folder, write_new

    if setting(PASSPHRASE_FILE) is None and not dev_passphrase_file(role).exists():
        make_private_folder(role_home(role))
        write_new(dev_passphrase_file(role), secrets.token_urlsafe(24).encode() + b"\n")
    return key_passphrase(role)


# --- signing devices ------------------------------------------------------------------------------


def device_settings() -> "DeviceSettings":
    """Module and PIN file of the signing device, for what the URI of a key leaves open."""
    from talentseal.pkcs11 import DeviceSettings

    module, pin_file = setting(PKCS11_MODULE), setting(PKCS11_PIN_FILE)
    return DeviceSettings(
        Path(module).expanduser() if module else None,
        Path(pin_file).expanduser() if pin_file else None,
    )


# --- talking to people and machines ---------------------------------------------------------------


def visible(text: str) -> str:
    r"""Lines for a terminal: controls, bidi and invisible marks as `\u{...}`."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    from talentseal.terminal import escape_lines

    return escape_lines(text)


def emit(document: object, *, as_json: bool, text: str) -> None:
    """The result of a command: one JSON document for machines, or a text for people."""
    _write(dump_json(document).decode() if as_json else visible(text))


def note(text: str) -> None:
    """A message beside the result, on standard error."""
    print(visible(text), file=sys.stderr)


def note_migration(found: str, wanted: str) -> None:
    """For people: what `migrate` is about to do, which takes a while where much is on record."""
    note(f"From schema {found} to {wanted}. Nobody else is let in until it is done.")


def is_terminal() -> bool:
    """Whether a person is watching: colours and progress are for them alone."""
    return sys.stdout.isatty() and sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _write(text: str) -> None:
    if not text:
        return
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; the work goes on
        _mute()


# --- the door -------------------------------------------------------------------------------------


def new_app(help_text: str) -> "typer.Typer":
    """A typer app as all our programs want it: plain help, no completion, no pretty tracebacks."""
    import typer

    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def main_door(app: "typer.Typer", argv: Sequence[str] | None = None, *, name: str = "") -> NoReturn:
    """Run `app` and leave the process with the exit code that the outcome deserves.

    argv  None in a program of its own, whose process ends here
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    forbid_core_dumps()
    code = run(app, arguments, name=name)
    _silence_broken_pipe()
    if argv is None:
        gc.freeze()  # or the interpreter searches all it loaded for cycles, only to end
    sys.exit(code)


def run(app: "typer.Typer", argv: Sequence[str], *, name: str = "") -> int:
    """Run `app` once and return its exit code; errors are already told."""
    import typer

    as_json = any(argument in ("--json", "--jsonl") for argument in argv)
    command = _built(app, argv[0] if argv else "")
    _take_plain_values(command)
    try:
        result = command.main(list(argv), prog_name=name or None, standalone_mode=False)
    except TalentsealError as error:
        return _tell(error, as_json=as_json)
    except (typer.Abort, KeyboardInterrupt):
        note("Stopped.")
        return Exit.UNAVAILABLE
    except typer.Exit as leaving:
        return leaving.exit_code
    except Exception as error:  # noqa: BLE001  the outermost door of a program
        return _tell_other(error, as_json=as_json)
    if result == _INTERRUPTED:
        note("Stopped.")
        return Exit.UNAVAILABLE
    return result if isinstance(result, int) and not isinstance(result, bool) else Exit.OK


_INTERRUPTED = 130  # what typer makes of Ctrl-C


def _built(app: "typer.Typer", word: str) -> Any:
    """What typer makes of an app: all of it, or only the command that the first word names.

    Each command costs a part of a millisecond to build, and one of them will run.
    """
    from typer.main import get_command, get_command_name, get_group

    named = [
        one
        for one in app.registered_commands
        if word == (one.name or get_command_name(getattr(one.callback, "__name__", "")))
    ]
    if not named or not (app.registered_commands[1:] or app.registered_groups):
        return get_command(app)
    chosen = copy(app)
    chosen.registered_commands, chosen.registered_groups = named, []
    return get_group(chosen)


def _take_plain_values(command: Any) -> None:
    """Let values that need no conversion pass by typer's converters, which load pydantic.

    That would double the time to start. Whatever is not plainly what the command asked for still
    goes the usual way, with typer's own words about what is wrong with it.
    """
    for below in getattr(command, "commands", {}).values():
        _take_plain_values(below)
    command.get_params = partial(_params_of, command.get_params)


def _params_of(given: Callable[[Any], list[Any]], context: Any) -> list[Any]:
    params = given(context)
    for param in params:
        if not isinstance(param.process_value, partial):
            param.process_value = partial(_value_of, param, param.process_value)
    return params


def _value_of(param: Any, convert: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """A value of the command line, converted only where it has to be."""
    many = param.multiple or param.nargs != 1
    if value is None and not param.required:
        plain: Any = () if many else None
    elif _is_plain(value, param.type_descriptor.annotation):
        plain = value
    else:
        return convert(context, value)
    return plain if param.callback is None else param.callback(context, param, plain)


def _is_plain(value: Any, kind: Any) -> bool:
    """A text, a list of texts, or a number, which can only be a default of our own."""
    if kind == list[str]:
        return bool(value) and isinstance(value, list | tuple) and {*map(type, value)} == {str}
    return kind in (str, int) and type(value) is kind


def _tell(error: TalentsealError, *, as_json: bool) -> int:
    if as_json:
        _write(dump_json(problem_document(error)).decode())
    for line in (error.message, error.hint, f"[{error.code}]"):
        if line:
            note(line)
    return error.exit


def problem_document(error: TalentsealError) -> dict[str, Any]:
    """An error as the object that `--json` prints; `errors` lists the faults of a request."""
    document = {"code": error.code, "title": error.message, "detail": error.hint}
    return {**document, "errors": list(error.errors)} if error.errors else document


def _tell_other(error: Exception, *, as_json: bool) -> int:
    """A wrong command line shows itself and leaves by 2; anything else is a fault of ours."""
    show: Callable[[], Any] | None = getattr(error, "show", None)
    if show is not None and getattr(error, "exit_code", None) == Exit.USAGE:
        if as_json:
            usage = UsageError(str(error), hint="See --help.")
            _write(dump_json(problem_document(usage)).decode())
        show()
        return Exit.USAGE
    if os.environ.get(DEBUG) == "1":
        raise error
    if isinstance(error, OSError) and error.strerror:
        return _tell(_of_the_system(error), as_json=as_json)
    fault = UnavailableError(
        "Something unexpected went wrong.",
        code="INTERNAL_ERROR",
        hint=f"Run it again with {DEBUG}=1 and report what it prints.",
    )
    return _tell(fault, as_json=as_json)


def _of_the_system(error: OSError) -> UnavailableError:
    """A fault of a file, a folder or a disk, in the words of the system."""
    what = "a file, folder or connection" if error.filename is None else str(error.filename)
    return UnavailableError(
        f"{what} cannot be used: {error.strerror}",
        code="STORAGE_FULL" if error.errno in _FULL else "DEPENDENCY_UNAVAILABLE",
        hint="Check that it is there, its rights, and the room that is left.",
    )


_FULL = (errno.ENOSPC, errno.EDQUOT)


def forbid_core_dumps() -> None:
    """Keys are in memory: a crash must not write them to a disk."""
    try:
        import resource
    except ImportError:  # not on every platform
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _silence_broken_pipe() -> None:
    """Flush now; a reader that has gone away is no reason for a message at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _mute()


def _mute() -> None:
    """Let standard output lead nowhere from here on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
