"""The command `registry`: thin commands over the services, one door for everything that fails.

Commands import what they need when they run, so that help stays quick. Every command begins its
help with an example and speaks JSON with `--json`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from talentseal.commandline import emit, main_door, new_app, note_migration, now
from talentseal.errors import Exit, UsageError

if TYPE_CHECKING:
    from registry.issuers.granting import Scope
    from registry.office import Office
    from registry.status_lists.orders import Outcome

app = new_app(
    "Example: registry init --dev\n\n"
    "Keeps jurisdictions, issuers and their rights, and publishes them as signed files."
)
jurisdictions = new_app("Example: registry jurisdiction list\n\nThe roots of this registry.")
issuers = new_app("Example: registry issuer list\n\nIssuers, their keys and status indices.")
grants = new_app("Example: registry grant list\n\nWho may seal what, where and until when.")
recognitions = new_app(
    "Example: registry recognition list\n\nWhat one jurisdiction takes from another."
)
bundles = new_app("Example: registry bundle export all.zip\n\nThe published files in one zip.")
app.add_typer(jurisdictions, name="jurisdiction")
app.add_typer(issuers, name="issuer")
app.add_typer(grants, name="grant")
app.add_typer(recognitions, name="recognition")
app.add_typer(bundles, name="bundle")
verifiers = new_app("Example: registry verifier new --help\n\nCertificates for those who ask.")
app.add_typer(verifiers, name="verifier")
operators = new_app("Example: registry operator list\n\nWho may act through the service.")
app.add_typer(operators, name="operator")

Json = Annotated[bool, typer.Option("--json", help="One JSON document for machines.")]
Code = Annotated[str, typer.Option("--jurisdiction", help="Code, such as CN/4403.")]
MaybeCode = Annotated[str | None, typer.Option("--jurisdiction", help="Code, such as CN/4403.")]
Types = Annotated[list[str], typer.Option("--type", help="Type, such as professional-title/1.")]
Territories = Annotated[list[str], typer.Option("--territory", help="Place, such as CN/4403.")]
Professions = Annotated[
    list[str] | None, typer.Option("--profession", help="Such as series/05; absent: any.")
]
Days = Annotated[int | None, typer.Option("--days", help="Term in days.")]
Names = Annotated[list[str] | None, typer.Option("--name", help="Name as en=...")]
Out = Annotated[Path | None, typer.Option("--out", help="File to write instead of printing.")]
Block = Annotated[int, typer.Option("--block", help="Number of status indices.")]
At = Annotated[str | None, typer.Option("--at", help="Begin, such as 2026-11-21T09:00:00Z.")]
Retroactive = Annotated[bool, typer.Option("--retroactive", help="Allow a past begin.")]


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    main_door(app, argv, name="registry")


# --- set-up ---------------------------------------------------------------------------------------


@app.command()
def init(
    *,
    dev: Annotated[bool, typer.Option("--dev", help="Software keys, for development.")] = False,
    as_json: Json = False,
) -> None:
    """Example: registry init --dev

    Make the folder, the keystore and the database. What exists is kept.
    """
    from registry.office import create_office
    from registry.settings import load_settings

    office = create_office(load_settings(), now(), dev=dev)
    home = str(office.settings.home)
    text = f"Registry in {home}, for development.\nNext: registry jurisdiction new CODE ..."
    emit({"home": home, "dev": dev}, as_json=as_json, text=text)


@app.command()
def migrate(*, as_json: Json = False) -> None:
    """Example: registry migrate

    Bring the database to the schema of this program.
    """
    from registry.database import REVISION, SCHEMA
    from registry.settings import load_settings
    from talentseal.service.database import connect

    SCHEMA.migrate(connect(load_settings().database), told=note_migration)
    emit({"schema": REVISION}, as_json=as_json, text=f"Schema {REVISION}.")


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8701,
) -> None:
    """Example: registry serve --port 8701

    Serve readers, issuers and operators, and publish what has changed, until told to stop.
    """
    from registry.app import create_app
    from talentseal.service.server import serve as run_server

    run_server(create_app(_office()), host=host, port=port)


def _office() -> "Office":
    from registry.office import open_office
    from registry.settings import load_settings

    return open_office(load_settings(), now())


def _pairs(values: Sequence[str] | None) -> dict[str, str]:
    """`en=Name` options as a mapping."""
    pairs = [value.partition("=") for value in values or ()]
    if not all(tag and mark for tag, mark, _ in pairs):
        raise UsageError("a name is written as tag=name", hint="Such as --name en=Example.")
    return {tag: name for tag, _, name in pairs}


# --- jurisdictions --------------------------------------------------------------------------------


@jurisdictions.command("new")
def jurisdiction_new(
    code: Annotated[str, typer.Argument(help="Code, such as CN/4403.")],
    *,
    entity_id: Annotated[str, typer.Option("--entity-id", help="https URL of the root.")],
    name: Names = None,
    namespace: Annotated[list[str], typer.Option("--namespace", help="DNS suffix.")],
    territory: Annotated[
        list[str] | None, typer.Option("--territory", help="Places, if not the code itself.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Example: registry jurisdiction new CN/4403 --entity-id https://trust.sz.example
    --name en=Shenzhen --namespace sz.example

    Make all keys of a jurisdiction, its root and its first status list, and publish everything.
    """
    from registry.jurisdictions.service import NewJurisdiction, create_jurisdiction, describe
    from registry.publishing.service import publish

    office = _office()
    wanted = NewJurisdiction(code, entity_id, _pairs(name), namespace, territory or ())
    row = create_jurisdiction(office, wanted)
    publish(office)
    with office.reading() as session:
        found = describe(session, row)
    text = f"{code}  root {found['root_s256']}\nPublished in {office.settings.public}."
    emit(found, as_json=as_json, text=text)


@jurisdictions.command("list")
def jurisdiction_list(*, as_json: Json = False) -> None:
    """Example: registry jurisdiction list

    Every jurisdiction of this registry.
    """
    from registry.jurisdictions.repository import all_jurisdictions
    from registry.jurisdictions.service import describe

    office = _office()
    with office.reading() as session:
        found = [describe(session, row) for row in all_jurisdictions(session)]
    lines = [f"{one['jurisdiction']}  {one['entity_id']}  {one['names']['en']}" for one in found]
    emit(found, as_json=as_json, text="\n".join(lines) or "No jurisdiction yet.")


@jurisdictions.command("show")
def jurisdiction_show(
    code: Annotated[str, typer.Argument(help="Code, such as CN/4403.")], *, as_json: Json = False
) -> None:
    """Example: registry jurisdiction show CN/4403

    One jurisdiction with its versions and the fingerprint of its root.
    """
    from registry.jurisdictions.repository import get_jurisdiction
    from registry.jurisdictions.service import describe

    office = _office()
    with office.reading() as session:
        found = describe(session, get_jurisdiction(session, code))
    emit(found, as_json=as_json, text=_table(found))


def _table(found: Mapping[str, Any]) -> str:
    """Members one a line."""
    width = max(map(len, found))
    return "\n".join(f"{name:<{width}}  {_cell(value)}" for name, value in found.items())


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# --- issuers --------------------------------------------------------------------------------------


@issuers.command("new")
def issuer_new(
    *,
    jurisdiction: Code,
    request: Annotated[Path, typer.Option("--request", help="Signed enrolment request.")],
    kind: Annotated[str, typer.Option("--kind", help="issuer or authority.")] = "issuer",
    block: Block = 256,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Example: registry issuer new --jurisdiction CN/4403 --request station.jws --out answer.json

    List the key of a signed request; answer with its certificate and a block of status indices.
    """
    from registry.issuers.service import enrol
    from registry.jurisdictions.repository import get_jurisdiction
    from talentseal.encoding import MAX_JWS_BYTES
    from talentseal.files import read_bounded

    if kind not in ("issuer", "authority"):
        raise UsageError("--kind is issuer or authority")
    text = read_bounded(request, MAX_JWS_BYTES).decode("ascii", "replace").strip()
    office = _office()
    with office.transaction() as session:
        row = get_jurisdiction(session, jurisdiction)
        answer = enrol(office, session, row, text, kind=kind, block=block)
    _answer(answer.model_dump(), out=out, as_json=as_json)


@issuers.command("block")
def issuer_block(
    *,
    issuer: Annotated[str, typer.Option("--issuer", help="Entity id, an https URL.")],
    jurisdiction: MaybeCode = None,
    block: Block = 256,
    restored: Annotated[
        str | None, typer.Option("--restored", help="Code that `issuer restored` told.")
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Example: registry issuer block --issuer https://station.sz.example --out block.json

    Set another block of status indices aside for an issuer. An issuer whose database was restored
    takes in only one that was made with the code of that restore.
    """
    from registry.issuers.repository import get_issuer
    from registry.issuers.service import another_block

    office = _office()
    with office.transaction() as session:
        entity = get_issuer(session, issuer, jurisdiction)
        answer = another_block(office, session, entity, block, code=restored)
    _answer(answer.model_dump(), out=out, as_json=as_json)


def _answer(answer: Mapping[str, Any], *, out: Path | None, as_json: bool) -> None:
    """An enrolment, to a file if one is named: it is for the issuer, not for the terminal."""
    from talentseal.encoding import dump_json
    from talentseal.files import write_atomic

    if out is None:
        emit(answer, as_json=True, text="")
        return
    write_atomic(out, dump_json(answer))
    indices = sum(len(block["indices"]) for block in answer["blocks"])
    summary = {
        "entity_id": answer["entity_id"],
        "jurisdiction": answer["jurisdiction"],
        "keys": list(answer["x5c"]),
        "status_indices": indices,
        "file": str(out),
    }
    text = f"{answer['entity_id']}  {len(answer['x5c'])} key(s), {indices} status indices -> {out}"
    emit(summary, as_json=as_json, text=text)


@issuers.command("list")
def issuer_list(*, jurisdiction: MaybeCode = None, as_json: Json = False) -> None:
    """Example: registry issuer list

    Every authority, issuer and status provider.
    """
    from registry.issuers.repository import entities_of
    from registry.issuers.service import describe
    from registry.jurisdictions.repository import all_jurisdictions

    office = _office()
    with office.reading() as session:
        codes = [jurisdiction] if jurisdiction else [r.code for r in all_jurisdictions(session)]
        entities = [one for code in codes for one in entities_of(session, code)]
        found = [describe(session, one) for one in entities if one.kind != "root"]
    lines = [
        f"{one['jurisdiction']}  {one['kind']:<9}  {one['entity_id']}  {one['names']['en']}"
        for one in found
    ]
    emit(found, as_json=as_json, text="\n".join(lines) or "No issuer yet.")


# --- verifiers ------------------------------------------------------------------------------------


@verifiers.command("new")
def verifier_new(
    *,
    jurisdiction: Code,
    request: Annotated[Path, typer.Option("--request", help="Signed request.")],
    out: Annotated[Path, typer.Option("--out", help="File for the answer.")],
    same_body: Annotated[
        bool, typer.Option("--same-body", help="The body on the books with this host asks itself.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Example: registry verifier new --jurisdiction CN/4403 --request desk.jws --out desk.json

    Answer a verifier's signed request with a certificate for its host.
    """
    from registry.issuers.verifying import enrol_verifier
    from registry.jurisdictions.repository import get_jurisdiction
    from talentseal.encoding import MAX_JWS_BYTES, dump_json
    from talentseal.files import read_bounded, write_atomic

    text = read_bounded(request, MAX_JWS_BYTES).decode("ascii", "replace").strip()
    office = _office()
    with office.transaction() as session:
        row = get_jurisdiction(session, jurisdiction)
        answer = enrol_verifier(office, session, row, text, same_body=same_body)
    write_atomic(out, dump_json(answer.model_dump()), mode=0o644)
    told = {"host": answer.host, "jurisdiction": answer.jurisdiction, "file": str(out)}
    emit(told, as_json=as_json, text=f"{answer.host}  {answer.jurisdiction}  -> {out}")


# --- operators ------------------------------------------------------------------------------------


@operators.command("new")
def operator_new(
    name: str,
    *,
    role: Annotated[list[str], typer.Option("--role", help="admin, registrar or reader.")],
    as_json: Json = False,
) -> None:
    """Example: registry operator new "Desk 1" --role registrar

    Make an account for the service; its token is shown this once.
    """
    from registry.operators.service import new_operator

    token = new_operator(_office(), name, role)
    text = f"{token}\nKeep it: it cannot be shown again."
    emit({"name": name, "roles": role, "token": token}, as_json=as_json, text=text)


@operators.command("end")
def operator_end(name: str, *, as_json: Json = False) -> None:
    """Example: registry operator end "Desk 1"

    End an account; its token is refused from now on.
    """
    from registry.operators.service import end_operator

    end_operator(_office(), name)
    emit({"name": name, "ended": True}, as_json=as_json, text=f"{name}: ended.")


@operators.command("list")
def operator_list(*, as_json: Json = False) -> None:
    """Example: registry operator list"""
    from registry.operators.service import operators as listed

    rows = listed(_office())
    lines = [f"{r['name']}  {', '.join(r['roles'])}  {r['ended_at'] or 'at work'}" for r in rows]
    emit({"operators": rows}, as_json=as_json, text="\n".join(lines) or "No operator yet.")


# --- rights ---------------------------------------------------------------------------------------


@grants.command("delegate")
def grant_delegate(
    *,
    jurisdiction: Code,
    authority: Annotated[str, typer.Option("--authority", help="Entity id, or root.")],
    kind: Types,
    territory: Territories,
    profession: Professions = None,
    name: Names = None,
    days: Days = None,
    max_validity_days: Annotated[int | None, typer.Option(help="Longest credential.")] = None,
    as_json: Json = False,
) -> None:
    """Example: registry grant delegate --jurisdiction CN/4403 --authority https://stic.sz.example
    --name en=Commission --type foreigner-work-permit/1 --territory CN/4403

    Let an authority grant. One that is new here gets a key in this registry's keystore.
    """
    from registry.issuers.granting import delegate, describe

    office = _office()
    scope = _scope(kind, territory, profession, days, max_validity_days)
    with office.transaction() as session:
        found = delegate(office, session, jurisdiction, authority, scope, names=_pairs(name))
    _emit_right(describe(found, "in force"), as_json=as_json)


@grants.command("new")
def grant_new(
    *,
    issuer: Annotated[str, typer.Option("--issuer", help="Entity id, an https URL.")],
    kind: Types,
    territory: Territories,
    profession: Professions = None,
    authority: Annotated[str, typer.Option("--authority", help="Entity id, or root.")] = "root",
    jurisdiction: MaybeCode = None,
    days: Days = None,
    max_validity_days: Annotated[int | None, typer.Option(help="Longest credential.")] = None,
    as_json: Json = False,
) -> None:
    """Example: registry grant new --issuer https://titles.sz.example --type professional-title/1
    --territory CN/4403

    Let an issuer seal credentials of a type. In force after the next `registry publish`.
    """
    from registry.issuers.granting import describe, grant
    from registry.issuers.repository import get_issuer

    office = _office()
    scope = _scope(kind, territory, profession, days, max_validity_days)
    with office.transaction() as session:
        entity = get_issuer(session, issuer, jurisdiction)
        found = grant(office, session, entity, scope, authority=authority)
    _emit_right(describe(found, "in force"), as_json=as_json)


@grants.command("renew")
def grant_renew(
    *,
    issuer: Annotated[str, typer.Option("--issuer", help="Entity id, an https URL.")],
    jurisdiction: MaybeCode = None,
    days: Days = None,
    as_json: Json = False,
) -> None:
    """Example: registry grant renew --issuer https://titles.sz.example

    Grant again what an issuer may do, for every key it has now: the step after `issuer keys rotate`
    and `registry issuer new`. Its older grants run out as they are.
    """
    from registry.issuers.granting import describe
    from registry.issuers.renewing import renew
    from registry.issuers.repository import get_issuer

    office = _office()
    with office.transaction() as session:
        entity = get_issuer(session, issuer, jurisdiction)
        found = [describe(one, "in force") for one in renew(office, session, entity, days=days)]
    lines = [_right_line(one) for one in found]
    emit(found, as_json=as_json, text="\n".join([*lines, "Next: registry publish"]))


def _scope(
    kinds: Sequence[str],
    territory: Sequence[str],
    profession: Sequence[str] | None,
    days: int | None,
    max_validity_days: int | None,
) -> "Scope":
    from registry.issuers.granting import Scope
    from registry.naming import vcts_of

    return Scope(vcts_of(kinds), territory, profession or None, days, max_validity_days)


@grants.command("withdraw")
def grant_withdraw(
    jti: Annotated[str, typer.Argument(help="Identifier of the grant or delegation.")],
    *,
    effect: Annotated[str, typer.Option("--effect", help="from, suspend, resume, review, ...")],
    reason: Annotated[str, typer.Option("--reason", help="Published with it.")],
    at: At = None,
    retroactive: Retroactive = False,
    as_json: Json = False,
) -> None:
    """Example: registry grant withdraw g-01ab --effect from --reason "agreed end"

    End a grant or a delegation: from (good faith), suspend, resume, review, anchored, void (fraud).
    """
    _withdraw(
        jti,
        ("grant", "delegation"),
        effect=effect,
        reason=reason,
        at=at,
        retroactive=retroactive,
        as_json=as_json,
    )


def _withdraw(
    jti: str,
    kinds: Sequence[str],
    *,
    effect: str,
    reason: str,
    at: str | None,
    retroactive: bool,
    as_json: bool,
) -> None:
    from registry.issuers.granting import withdraw
    from talentseal.encoding import format_time, parse_time, to_seconds
    from talentseal.statements import EFFECTS

    if effect not in EFFECTS:
        raise UsageError(f"--effect is one of {', '.join(sorted(EFFECTS))}")
    office = _office()
    with office.transaction() as session:
        found = withdraw(
            office,
            session,
            jti,
            kinds=kinds,
            effect=effect,
            at=to_seconds(parse_time(at)) if at else None,
            reason=reason,
            retroactive=retroactive,
        )
    document = {
        "jti": found.jti,
        "statement": found.statement,
        "effect": found.effect,
        "at": format_time(found.at),
    }
    text = f"{found.jti}  {found.effect} {found.statement} at {document['at']}"
    emit(document, as_json=as_json, text=f"{text}\nNext: registry publish")


@grants.command("list")
def grant_list(*, jurisdiction: MaybeCode = None, as_json: Json = False) -> None:
    """Example: registry grant list

    Every delegation and grant with its state.
    """
    from registry.issuers.granting import describe, load_statements

    office = _office()
    found: list[dict[str, Any]] = []
    with office.reading() as session:
        for code in _codes(session, jurisdiction):
            held = load_statements(session, code)
            found += [describe(one, held.state(one, office.now)) for one in held.delegations]
            found += [describe(one, held.state(one, office.now)) for one in held.grants]
    lines = [_right_line(one) for one in found]
    emit(found, as_json=as_json, text="\n".join(lines) or "No grant yet.")


def _codes(session: Any, jurisdiction: str | None) -> list[str]:
    from registry.jurisdictions.repository import all_jurisdictions, get_jurisdiction

    if jurisdiction:
        return [get_jurisdiction(session, jurisdiction).code]
    return [row.code for row in all_jurisdictions(session)]


def _emit_right(found: Mapping[str, Any], *, as_json: bool) -> None:
    emit(found, as_json=as_json, text=f"{_right_line(found)}\nNext: registry publish")


def _right_line(one: Mapping[str, Any]) -> str:
    what = ", ".join(one["types"] or one.get("uri_prefix", ()))
    places = ", ".join(one.get("territory") or one.get("valid_in") or ())
    return (
        f"{one['jti']}  {one['kind']}  {one['state']}  {one['from']} -> {one['to']}  {what}"
        f"{'  ' + places if places else ''}  until {one['exp']}"
    )


# --- recognitions ---------------------------------------------------------------------------------


@recognitions.command("new")
def recognition_new(
    *,
    home: Annotated[str, typer.Option("--home", help="Who recognises.")],
    of: Annotated[str, typer.Option("--of", help="Whose credentials.")],
    kind: Types,
    purpose: Annotated[list[str], typer.Option("--purpose", help="Such as employment.")],
    valid_in: Annotated[list[str] | None, typer.Option(help="Places at home.")] = None,
    issued_in: Annotated[list[str] | None, typer.Option(help="Places over there.")] = None,
    profession: Professions = None,
    on_end: Annotated[str, typer.Option(help="grandfather, review or void.")] = "grandfather",
    days: Days = None,
    as_json: Json = False,
) -> None:
    """Example: registry recognition new --home HK --of CN/4403 --type professional-title/1
    --purpose employment

    Recognise a type of another jurisdiction for a purpose. Nothing is implied the other way.
    """
    from registry.issuers.recognising import NewRecognition, describe, recognise
    from registry.naming import vcts_of

    if on_end not in ("grandfather", "review", "void"):
        raise UsageError("--on-end is grandfather, review or void")
    wanted = NewRecognition(
        home=home,
        origin=of,
        vct=vcts_of(kind),
        purpose=purpose,
        issued_in=issued_in or (),
        valid_in=valid_in or (),
        profession=profession or None,
        on_end=on_end,  # type: ignore[arg-type]
        days=days,
    )
    office = _office()
    with office.transaction() as session:
        found = recognise(office, session, wanted)
    _emit_right(describe(found, "in force"), as_json=as_json)


@recognitions.command("withdraw")
def recognition_withdraw(
    jti: Annotated[str, typer.Argument(help="Identifier of the recognition.")],
    *,
    effect: Annotated[str, typer.Option("--effect", help="from, suspend, resume, ...")],
    reason: Annotated[str, typer.Option("--reason", help="Published with it.")],
    at: At = None,
    retroactive: Retroactive = False,
    as_json: Json = False,
) -> None:
    """Example: registry recognition withdraw r-01ab --effect from --reason "not renewed"

    End a recognition.
    """
    _withdraw(
        jti,
        ("recognition",),
        effect=effect,
        reason=reason,
        at=at,
        retroactive=retroactive,
        as_json=as_json,
    )


@recognitions.command("list")
def recognition_list(*, home: MaybeCode = None, as_json: Json = False) -> None:
    """Example: registry recognition list

    Every recognition with its state.
    """
    from registry.issuers.granting import load_statements
    from registry.issuers.recognising import describe

    office = _office()
    found: list[dict[str, Any]] = []
    with office.reading() as session:
        for code in _codes(session, home):
            held = load_statements(session, code)
            found += [describe(one, held.state(one, office.now)) for one in held.recognitions]
    lines = [_right_line(one) for one in found]
    emit(found, as_json=as_json, text="\n".join(lines) or "No recognition yet.")


# --- publishing -----------------------------------------------------------------------------------


@app.command()
def publish(
    *,
    jurisdiction: Annotated[
        list[str] | None, typer.Option("--jurisdiction", help="Only these; absent: all.")
    ] = None,
    after_pause: Annotated[
        bool, typer.Option("--after-pause", help="Over a month has passed, the clock is right.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Example: registry publish

    Take the waiting status orders, sign what is new and put it where the world reads. Exit 3: an
    order was refused, or came after a later one.
    """
    from dataclasses import asdict

    from registry.publishing.service import publish as publish_all
    from talentseal.encoding import format_time

    published, orders = publish_all(_office(), jurisdiction or (), after_pause=after_pause)
    found = [asdict(one) | {"issued_at": format_time(one.issued_at)} for one in published]
    lines = [
        *(f"{one['jurisdiction']}  {_cell(one['versions'])}  list {one['list_sequence']}"
          f"  as of {one['issued_at']}{_clock_doubt(one['behind_seconds'])}" for one in found),
        *map(_order_line, orders),
    ]  # fmt: skip
    document = {"jurisdictions": found, "orders": [asdict(one) for one in orders]}
    emit(document, as_json=as_json, text="\n".join(lines) or "Nothing to publish.")
    # An issuer believes that what it ordered is done.
    undone = any(one.state == "refused" or one.outdated for one in orders)
    return Exit.REFER if undone else Exit.OK


def _clock_doubt(behind_seconds: int) -> str:
    return f"  CLOCK {behind_seconds} seconds behind that: set it" if behind_seconds else ""


def _order_line(one: "Outcome") -> str:
    from schemas.registry import HELD_BLOCK_ENDING

    late = f"  {one.outdated} changes overtaken by a later order" if one.outdated else ""
    what = "block" if one.file.endswith(HELD_BLOCK_ENDING) else "order"
    return f"{what} {one.file}  {one.state}{late}  {one.code} {one.message}".rstrip()


@app.command()
def audit(*, as_json: Json = False) -> None:
    """Example: registry audit

    Check the trail of acts from its first row on, and tell its newest digest: kept elsewhere, it
    shows rows that were cut off.
    """
    from registry.audit.trail import check, newest_digest

    with _office().reading() as session:
        told = {"rows": check(session), "digest": newest_digest(session)}
    emit(told, as_json=as_json, text=f"{told['rows']} acts, whole. Newest digest {told['digest']}")


@app.command("restored")
def after_restore(*, as_json: Json = False) -> None:
    """Example: registry restored

    Once after the database was restored from a copy, before anything else: no list hands out
    blocks any more, new ones are begun, and all is published. Refused where the published files
    are newer than the copy.
    """
    from registry.operators.service import OPERATORS
    from registry.restoring import restored

    found = restored(_office())
    lines = [f"{code}  {len(uris)} lists closed for new blocks" for code, uris in
             found.closed.items()]  # fmt: skip
    lines.append("Next: every issuer runs `issuer resend`.")
    lines.append(OPERATORS.reminder(found.accounts))
    emit(
        {"closed": found.closed, "accounts": found.accounts}, as_json=as_json, text="\n".join(lines)
    )


@bundles.command("export")
def bundle_export(
    file: Annotated[Path, typer.Argument(help="Zip to write.")],
    *,
    jurisdiction: Annotated[
        list[str] | None, typer.Option("--jurisdiction", help="In this order; absent: all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Example: registry bundle export all.zip --jurisdiction HK --jurisdiction CN/4403

    All published files in one zip, for an offline desk. The first jurisdiction is its home.
    """
    from registry.publishing.export import export_bundle

    found = export_bundle(_office(), file, jurisdiction or ())
    lines = [f"{code}  {count} files" for code, count in found.items()]
    emit(
        {"file": str(file), "files": found},
        as_json=as_json,
        text="\n".join([*lines, f"-> {file}"]),
    )


if __name__ == "__main__":
    main()
