"""The command `verifier`: pin a root, bring trust data, check certificates, look at policies.

Commands import what they need when they run, so that a check at a counter starts quickly and loads
no server, no database and, unless a bundle is opened, no update client. Every command begins its
help with an example and speaks JSON with `--json`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from talentseal.commandline import emit, is_terminal, main_door, new_app, note, now, role_home
from talentseal.errors import Exit, InputError, TalentsealError, UnavailableError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from talentseal.bundle import Bundle
    from talentseal.holder import Replays
    from talentseal.policy import Policy
    from talentseal.sync import Change, Pin
    from verifier.checking import Answer, Desk

app = new_app(
    "Example: verifier check certificate.png\n\n"
    "Checks certificates and codes against signed trust data, with or without a network."
)
policies = new_app("Example: verifier policy show desk\n\nWhat a verifier insists on.")
operators = new_app("Example: verifier operator list\n\nWho may use the service's closed parts.")
app.add_typer(policies, name="policy")
app.add_typer(operators, name="operator")
keys = new_app(
    "Example: verifier keys new --host verify.sz.example\n\nWho this verifier is to wallets."
)
app.add_typer(keys, name="keys")

ROLE = "verifier"
SOURCE = "TALENTSEAL_TRUST_SOURCE"
_TRUST = "trust"
_REPLAYS = "replays.db"
_MANY = 20  # more inputs than that are worth a progress bar

Json = Annotated[bool, typer.Option("--json", help="One JSON document for machines.")]
Inputs = Annotated[
    list[str] | None, typer.Argument(metavar="FILE", help="Texts, pictures, PDFs; - is stdin.")
]
Root = Annotated[Path | None, typer.Option("--root", help="A published root.json.")]
At = Annotated[str | None, typer.Option("--at", help="Check as of 2026-11-21T09:00:00Z.")]
PolicyName = Annotated[str, typer.Option("--policy", help="default, desk, strict, or a file.")]
Place = Annotated[str | None, typer.Option("--place", help="Where it is used, such as HK.")]
Purpose = Annotated[str | None, typer.Option("--purpose", help="What for, such as employment.")]
Jurisdiction = Annotated[str | None, typer.Option("--jurisdiction", help="Code, such as CN/4403.")]
Lang = Annotated[str | None, typer.Option("--lang", help="en, zh-Hans, zh-Hant or pt.")]


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    main_door(app, argv, name=ROLE)


# --- init -----------------------------------------------------------------------------------------


@app.command()
def init(
    *,
    root: Annotated[Path, typer.Option("--root", help="The published root.json.")],
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", help="Its published SHA-256.")
    ] = None,
    jurisdiction: Jurisdiction = None,
    as_json: Json = False,
) -> None:
    """Example: verifier init --root root.json --fingerprint 0f3a...

    Pin the root of your own jurisdiction. Compare the fingerprint with the published one.
    """
    from verifier.offline.pin import check_fingerprint, check_jurisdiction, keep_pin, read_root

    pin = read_root(root)
    if fingerprint is not None:
        check_fingerprint(pin, fingerprint)
    if jurisdiction is not None:
        check_jurisdiction(pin, jurisdiction)
    keep_pin(role_home(ROLE), pin)
    info = pin.info
    document = {
        "jurisdiction": info.jurisdiction,
        "entity_id": info.entity_id,
        "fingerprint": pin.fingerprint,
        "compared": fingerprint is not None,
        "dev": info.dev,
    }
    if info.dev:
        note("DEVELOPMENT ROOT: nothing that rests on it has legal effect.")
    emit(document, as_json=as_json, text=_pinned(pin, compared=fingerprint is not None))


def _pinned(pin: "Pin", *, compared: bool) -> str:
    from verifier.offline.pin import grouped

    told = "It is the one that was given." if compared else "Compare it with the published one."
    return (
        f"Pinned: {pin.info.jurisdiction}  {pin.info.entity_id}\n"
        f"Fingerprint  {grouped(pin.fingerprint)}\n{told}\nNext: verifier sync"
    )


# --- sync -----------------------------------------------------------------------------------------


@app.command()
def sync(
    *,
    source: Annotated[
        str | None, typer.Option("--from", help=f"Folder, zip or URL; else {SOURCE}.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Example: verifier sync --from monday.zip

    Bring newer trust data of home and its peers. What is refused leaves the previous data in force.
    """
    from talentseal.errors import BundleError
    from talentseal.sync import open_source, synchronise

    place = _source(source)
    pin = _pin_or_refuse()
    try:
        with open_source(place) as opened:
            changes = synchronise(role_home(ROLE) / _TRUST, opened, pin, now=now())
    except BundleError as error:
        raise _with_listed_exit(error) from error
    refused = any(change.refused for change in changes)
    document = {"home": pin.info.jurisdiction, "changes": [_change_json(c) for c in changes]}
    emit(document, as_json=as_json, text="\n".join(map(_change_line, changes)))
    return Exit.REFUSE if refused else Exit.OK


def _source(given: str | None) -> str:
    from talentseal.commandline import setting

    place = given or setting(SOURCE)
    if place is None:
        raise UsageError(
            "no source of trust data is named",
            hint=f"Give --from FILE.zip or an URL, or set {SOURCE}.",
        )
    return place


def _pin_or_refuse() -> "Pin":
    from verifier.offline.pin import stored_pin

    pin = stored_pin(role_home(ROLE))
    if pin is None:
        raise UsageError(
            "no root is pinned yet", hint="Run `verifier init --root FILE` with the published root."
        )
    return pin


def _with_listed_exit(error: TalentsealError) -> TalentsealError:
    """The same refusal, leaving by the exit code that the list of reasons gives it."""
    from schemas.problem import PROBLEMS, ProblemCode

    info = PROBLEMS[ProblemCode(error.code)] if error.code in ProblemCode.__members__ else None
    if info is None or info.exit_code != Exit.UNAVAILABLE:
        return error
    return UnavailableError(error.message, code=error.code, hint=error.hint)


def _change_json(change: "Change") -> dict[str, object]:
    from schemas.verdict import rfc3339

    return {
        "jurisdiction": change.jurisdiction,
        "before": change.before,
        "after": change.after,
        "as_of": None if change.as_of is None else rfc3339(change.as_of),
        "size_bytes": change.size_bytes,
        "refused": change.refused,
        "message": change.message,
        "alarms": list(change.alarms),
    }


def _change_line(change: "Change") -> str:
    from schemas.verdict import rfc3339

    kept = "nothing held" if change.after is None else f"version {change.after} kept"
    if change.refused is not None:
        return f"{change.jurisdiction}  REFUSED {change.refused}: {change.message}; {kept}"
    if change.message:
        return f"{change.jurisdiction}  {change.message}; {kept}"
    versions = f"{change.before or 'none'} -> {change.after}"
    size = f"{-(-change.size_bytes // 1024)} KiB"
    alarms = "".join(f"  ALARM {alarm}" for alarm in dict.fromkeys(change.alarms))
    as_of = rfc3339(change.as_of or 0)
    return f"{change.jurisdiction}  version {versions}  as of {as_of}  {size}{alarms}"


# --- check ----------------------------------------------------------------------------------------


@app.command()
def check(
    inputs: Inputs = None,
    *,
    as_json: Json = False,
    as_lines: Annotated[bool, typer.Option("--jsonl", help="One JSON line an input.")] = False,
    at: At = None,
    policy: PolicyName = "default",
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="Zip or folder, used for this run alone.")
    ] = None,
    root: Root = None,
    jurisdiction: Jurisdiction = None,
    place: Place = None,
    purpose: Purpose = None,
    audience: Annotated[str | None, typer.Option("--audience", help="Your own id.")] = None,
    nonce: Annotated[str | None, typer.Option("--nonce", help="What was asked for.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes for many inputs.")] = 1,
    lang: Lang = None,
) -> int:
    """Example: verifier check certificate.png --place HK --purpose employment

    Judge certificates: texts, pictures or PDFs of their codes. Exit 0 accept, 1 refuse, 3 a person
    must look, 4 not readable.
    """
    from verifier.checking import Desk

    names = _names(inputs)
    moment = _moment(at)
    rules = _rules(policy, jurisdiction, place, purpose)
    opened = _open(bundle, root, rules, moment)
    with _replays(once=bundle is not None, shared=jobs > 1 and len(names) > 1) as replays:
        desk = Desk(opened, _at_home(rules, opened), moment, replays, audience, nonce)
        return _answer(names, desk, jobs=jobs, lang=_language(lang), form=(as_json, as_lines))


def _names(inputs: list[str] | None) -> list[str]:
    import sys

    names = inputs or []
    if not names and not sys.stdin.isatty():
        return ["-"]
    if not names or names.count("-") > 1:
        raise UsageError("nothing to check is named", hint="Give files, or - once for a text.")
    return names


def _moment(at: str | None) -> "datetime":
    from talentseal.encoding import parse_time

    try:
        return now() if at is None else parse_time(at)
    except InputError as error:
        raise UsageError(f"--at is {error.message}") from error


def _rules(name: str, home: str | None, place: str | None, purpose: str | None) -> "Policy":
    """The policy with what the command line overrides."""
    from dataclasses import replace

    from schemas.territory import parse_territory
    from talentseal.policy import PURPOSES

    for option, value in (("--jurisdiction", home), ("--place", place)):
        if value is not None and parse_territory(value) is None:
            raise UsageError(f"{option} is no territory such as CN/4403")
    if purpose is not None and purpose not in PURPOSES:
        raise UsageError(f"--purpose is none of {', '.join(sorted(PURPOSES))}")
    rules = _policy_named(name)
    return replace(
        rules,
        home=home or rules.home,
        place=place or rules.place,
        purpose=purpose or rules.purpose,
    )


def _policy_named(name: str) -> "Policy":
    from talentseal.policy import SHIPPED, shipped

    if name in SHIPPED:
        return shipped(name)
    try:
        return _policy_file(Path(name))
    except InputError as error:  # a bad policy must not look like a refused certificate
        raise UsageError(f"{name}: {error.message}", code=error.code, hint=error.hint) from error


def _policy_file(path: Path) -> "Policy":
    from talentseal.files import read_bounded
    from talentseal.policy import MAX_POLICY_BYTES, parse_policy

    return parse_policy(read_bounded(path, MAX_POLICY_BYTES))


def _open(place: Path | None, root: Path | None, rules: "Policy", moment: "datetime") -> "Bundle":
    """The bundle of this run: one given, or the set that `verifier sync` put in force."""
    if place is not None:
        return _load(place, root, rules.home or None, moment)
    if root is not None:
        raise UsageError("--root goes with --bundle", hint="Or pin it: verifier init --root FILE")
    from talentseal.trustdb import open_bundle

    return open_bundle(role_home(ROLE) / _TRUST)


def _load(place: Path, root: Path | None, home: str | None, moment: "datetime") -> "Bundle":
    from talentseal.errors import BundleError
    from talentseal.sync import load_bundle
    from verifier.offline.pin import read_root, stored_pin

    try:
        pin = stored_pin(role_home(ROLE)) if root is None else read_root(root)
        loaded = load_bundle(place, now=moment, pin=pin, jurisdiction=home)
        if root is None:
            _check_not_older(loaded)
    except BundleError as error:  # no verdict: nothing was said about a certificate
        raise UnavailableError(error.message, code=error.code, hint=error.hint) from error
    return loaded


def _check_not_older(loaded: "Bundle") -> None:
    """Raises BundleError for data older than what this desk holds: what was revoked would be good.

    Whoever names another root looks at another network, whose versions say nothing here.
    """
    from talentseal.errors import BundleError
    from talentseal.trustdb import current_set, open_bundle

    folder = role_home(ROLE) / _TRUST
    if current_set(folder) is None:
        return
    held = open_bundle(folder).jurisdictions
    older = [
        code
        for code, one in loaded.jurisdictions.items()
        if code in held and one.version < held[code].version
    ]
    if older:
        raise BundleError(
            f"its data of {', '.join(older)} is older than what this desk holds",
            code="ROLLBACK_REFUSED",
            hint="Leave --bundle out. A desk that holds nothing (TALENTSEAL_HOME) may look back.",
        )


def _at_home(rules: "Policy", opened: "Bundle") -> "Policy":
    """The policy with the verifier's own jurisdiction, even where no data of it is held."""
    if rules.home or opened.home:
        return rules
    from dataclasses import replace

    from verifier.offline.pin import stored_pin

    pin = stored_pin(role_home(ROLE))
    return replace(rules, home=pin.info.jurisdiction) if pin else rules


@contextmanager
def _replays(*, once: bool, shared: bool) -> Iterator["Replays"]:
    """The memory of used proofs: for this run alone, or the desk's own."""
    from talentseal.encoding import to_seconds
    from verifier.offline.replays import MemoryReplays, StoredReplays

    if not once:
        yield StoredReplays(role_home(ROLE) / _REPLAYS, now=to_seconds(now()))
    elif not shared:
        yield MemoryReplays()
    else:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:
            yield StoredReplays(Path(folder) / _REPLAYS, now=0)


def _language(lang: str | None) -> str:
    import os

    from schemas.messages import resolve_language

    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return resolve_language(lang or next((v for n in names if (v := os.environ.get(n))), "en"))


# --- answers --------------------------------------------------------------------------------------


def _answer(
    names: Sequence[str], desk: "Desk", *, jobs: int, lang: str, form: tuple[bool, bool]
) -> int:
    from verifier.checking import check_all, exit_of

    as_json, as_lines = form
    answers = []
    for answer in _with_progress(check_all(names, desk, jobs=jobs), len(names)):
        answers.append(answer)
        if as_lines:
            emit({"input": answer.name, **answer.document(lang)}, as_json=True, text="")
        elif not as_json and len(names) > 1:
            _print_line(answer, lang)
    if as_json and not as_lines:
        _print_document(answers, lang)
    elif not as_lines and len(names) == 1:
        _print_whole(answers[0], desk, lang)
    elif not as_lines:
        _print_summary(answers)
    return exit_of(answers)


def _with_progress(answers: "Iterator[Answer]", total: int) -> "Iterator[Answer]":
    import sys

    if total <= _MANY or not sys.stderr.isatty():
        yield from answers
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(answers, "Checking", total=total, console=console, transient=True)


def _print_document(answers: "Sequence[Answer]", lang: str) -> None:
    documents = [{"input": one.name, **one.document(lang)} for one in answers]
    if len(answers) > 1:
        emit(documents, as_json=True, text="")
        return
    whole = answers[0].document(lang)
    emit(whole.get("verdict", whole.get("problem")), as_json=True, text="")


def _print_whole(answer: "Answer", desk: "Desk", lang: str) -> None:
    import shutil

    from talentseal.terminal import render_verdict
    from verifier.checking import claim_words, place_facts

    verdict = answer.verdict
    if verdict is None:
        _print_problem(answer)
        return
    text = render_verdict(
        verdict,
        lang=lang,
        colour=is_terminal(),
        width=shutil.get_terminal_size((100, 24)).columns,
        words=claim_words(verdict, desk.bundle, lang),
        facts=place_facts(verdict, desk.bundle, lang),
    )
    print(text)  # every foreign text in it was escaped by `terminal`


def _print_problem(answer: "Answer") -> None:
    problem = answer.problem
    for line in (problem["title"], problem["detail"], f"[{problem['code']}]"):
        if line:
            note(line)


def _print_line(answer: "Answer", lang: str) -> None:
    from talentseal.terminal import escape, render_line

    if answer.verdict is not None:
        print(render_line(answer.verdict, name=answer.name, lang=lang, colour=is_terminal()))
        return
    code, title = answer.problem["code"], answer.problem["title"]
    print(f"-       {escape(answer.name)}  {code}  {escape(title)}")


def _print_summary(answers: "Sequence[Answer]") -> None:
    outcomes = [answer.verdict.outcome if answer.verdict else "unreadable" for answer in answers]
    counts = {word: outcomes.count(word) for word in ("accept", "refer", "refuse", "unreadable")}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    print(f"{len(answers)} checked: {told}")


# --- policies -------------------------------------------------------------------------------------


@policies.command("show")
def policy_show(
    name: Annotated[str, typer.Argument(help="default, desk or strict.")] = "default",
    *,
    as_json: Json = False,
) -> None:
    """Example: verifier policy show desk > our-desk.json

    A shipped profile as a document with every member; null where nothing is said.
    """
    import json

    from talentseal.policy import shipped
    from verifier.policies import policy_document

    document = policy_document(shipped(name))
    emit(document, as_json=as_json, text=json.dumps(document, indent=2))


@policies.command("test")
def policy_test(
    file: Annotated[Path, typer.Argument(help="A policy document (JSON).")],
    *,
    as_json: Json = False,
) -> None:
    """Example: verifier policy test our-desk.json

    Read a policy and say what it makes stricter or softer than the default one.
    """
    from verifier.policies import compare

    found = compare(_policy_file(file))
    lines = [f"{found['policy']} is a policy."]
    for word in ("tightens", "softens"):
        steps = found[word].items()
        lines += [f"{word}  {code}  {old} -> {new}" for code, (old, new) in steps]
    lines += [f"sets  {member}  {value}" for member, value in found["members"].items()]
    emit(found, as_json=as_json, text="\n".join(lines))


# --- the service ----------------------------------------------------------------------------------


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8703,
    source: Annotated[
        str | None, typer.Option("--from", help=f"URL of a registry, folder or zip; else {SOURCE}.")
    ] = None,
) -> None:
    """Example: verifier serve --port 8703 --from https://registry.sz.example

    Answer checks over HTTP until told to stop; trust data is kept young in the background.
    """
    from verifier.serving import serve as run

    run(host=host, port=port, source=source)


@app.command()
def migrate(*, as_json: Json = False) -> None:
    """Example: verifier migrate

    Bring the service's database to the schema of this program.
    """
    from verifier.database import REVISION
    from verifier.station import migrate as bring

    bring()
    emit({"schema": REVISION}, as_json=as_json, text=f"Schema {REVISION}.")


@keys.command("new")
def new_key(
    *,
    host: Annotated[str, typer.Option("--host", help="Host of this verifier, such as a page.")],
    name: Annotated[list[str], typer.Option("--name", help="Name as en=...")],
    out: Annotated[Path | None, typer.Option("--out", help="File for the request.")] = None,
    dev: Annotated[bool, typer.Option("--dev", help="Development key.")] = False,
    as_json: Json = False,
) -> None:
    """Example: verifier keys new --host verify.sz.example --name en="Counter" --out verifier.jws

    Make a key and the signed request for its certificate, which a registry answers.
    """
    from talentseal.files import write_atomic
    from verifier.access import new_key as make

    pairs = [part.partition("=") for part in name]
    if not all(tag and mark for tag, mark, _ in pairs):
        raise UsageError("a name is written as tag=name", hint="Such as --name en=Example.")
    request = make(host, {tag: text for tag, _, text in pairs}, dev=dev, now=now())
    if out:
        write_atomic(out, request.encode(), mode=0o644)
    text = f"{host}  request -> {out}" if out else request
    emit({"host": host, "request": request}, as_json=as_json, text=text)


@keys.command("take")
def take_certificate(file: Path, *, as_json: Json = False) -> None:
    """Example: verifier keys take answer.json

    Keep the certificate that a registry made for this verifier's key.
    """
    from verifier.access import take_answer

    host = take_answer(role_home(ROLE), file)
    emit({"host": host}, as_json=as_json, text=f"Requests are now signed as {host}.")


@operators.command("new")
def operator_new(
    name: str,
    *,
    role: Annotated[list[str], typer.Option("--role", help="desk or auditor.")],
    as_json: Json = False,
) -> None:
    """Example: verifier operator new "Counter 3" --role desk

    Make an account; its token is shown this once.
    """
    from verifier.operators.service import new_operator
    from verifier.station import open_engine

    token = new_operator(open_engine(), name, role, now=now())
    text = f"{token}\nKeep it: it cannot be shown again."
    emit({"name": name, "roles": role, "token": token}, as_json=as_json, text=text)


@operators.command("end")
def operator_end(name: str, *, as_json: Json = False) -> None:
    """Example: verifier operator end "Counter 3"

    End an account; its token is refused from now on.
    """
    from verifier.operators.service import end_operator
    from verifier.station import open_engine

    end_operator(open_engine(), name, now=now())
    emit({"name": name, "ended": True}, as_json=as_json, text=f"{name}: ended.")


@operators.command("list")
def operator_list(*, as_json: Json = False) -> None:
    """Example: verifier operator list"""
    from verifier.operators.service import operators as listed
    from verifier.station import open_engine

    rows = listed(open_engine())
    lines = [f"{r['name']}  {', '.join(r['roles'])}  {r['ended_at'] or 'at work'}" for r in rows]
    emit({"operators": rows}, as_json=as_json, text="\n".join(lines) or "No operator yet.")


if __name__ == "__main__":
    main()
