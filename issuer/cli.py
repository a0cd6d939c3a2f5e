"""The command `issuer`: thin commands over the services, one door for everything that fails."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from talentseal.commandline import emit, main_door, new_app, note, now, setting
from talentseal.errors import Exit, InputError, UnavailableError, UsageError

if TYPE_CHECKING:
    from issuer.issuance.models import Issued, Order
    from issuer.office import Office
    from issuer.status.held_blocks import RefusedBlock
    from talentseal.keys import PublicKey

app = new_app(
    "Example: issuer issue --type professional-title/1 --claims claims.json --paper --out code.png"
    "\n\nSeals certificates, and revokes, suspends and reinstates them."
)
keys = new_app("Example: issuer keys list\n\nThe keys that this issuer seals with.")
app.add_typer(keys, name="keys")
people = new_app("Example: issuer officer list\n\nWho may prepare, approve, seal, revoke, audit.")
app.add_typer(people, name="officer")
Json = Annotated[bool, typer.Option("--json", help="One JSON document for machines.")]
Out = Annotated[Path | None, typer.Option("--out", help="File to write instead of printing.")]
Source = Annotated[str | None, typer.Option("--trust", "--from", help="Folder, zip or URL.")]
MAX_CLAIMS_BYTES = 256 * 1024


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    main_door(app, argv, name="issuer")


def _office() -> "Office":
    """This issuer; orders that an earlier command could not leave go out first."""
    from issuer.office import Office
    from issuer.status.held_blocks import put_aside_blocks
    from issuer.status.outbox import deliver, put_aside

    office = Office.here()
    try:
        deliver(office, now=now())
    except UnavailableError as error:
        note(f"Orders of status still wait: {error.message}")
    if refused := put_aside(office):
        note(
            f"The registry did not take {len(refused)} orders of status: {', '.join(set(refused))}."
            " What they say does not hold. Once that is mended: issuer resend"
        )
    if refused := put_aside_blocks(office):
        note(f"The registry took {len(refused)} blocks not back: {', '.join(set(refused))}.")
    return office


def _source(given: str | None) -> str:
    found = given or setting("TALENTSEAL_TRUST_SOURCE")
    if found is None:
        raise UsageError("where is the trust data?", hint="Name a folder, zip or URL with --trust.")
    return found


@app.command()
def migrate(as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer migrate

    Bring the database to the schema of this program.
    """
    from issuer.database import REVISION
    from issuer.office import Office

    Office.here().migrate()
    emit({"schema": REVISION}, as_json=as_json, text=f"Schema {REVISION}.")


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8702,
) -> None:
    """Example: issuer serve --port 8702

    Serve officers and wallets until told to stop.
    """
    from issuer.app import create_app
    from issuer.office import Office
    from talentseal.service.server import serve as run_server

    run_server(create_app(Office.here()), host=host, port=port)


@people.command("new")
def new_officer(
    name: str,
    role: Annotated[list[str], typer.Option("--role", help="May be given more than once.")],
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Example: issuer officer new "Officer A" --role preparer --role issuer

    Make an account; its token is shown this once. Roles: preparer, approver, issuer, revoker,
    auditor, admin.
    """
    from issuer.office import Office
    from issuer.officers.service import new_officer as make

    officer_id, token = make(Office.here(), name, role, now=now())
    text = f"{officer_id}  {name}\nToken, shown this once: {token}"
    emit({"id": officer_id, "name": name, "token": token}, as_json=as_json, text=text)


@people.command("list")
def list_officers(as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer officer list"""
    from issuer.office import Office
    from issuer.officers.service import officers

    rows = officers(Office.here())
    lines = [
        f"{row['id']}  {'ended' if row['ended_at'] else 'active'}  {row['name']}"
        f"  {', '.join(row['roles'])}"
        for row in rows
    ]
    emit({"officers": rows}, as_json=as_json, text="\n".join(lines) or "No officers yet.")


@people.command("end")
def end_officer(name: str, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer officer end "Officer A"

    End an account at once; what it did stays on record.
    """
    from issuer.office import Office
    from issuer.officers.service import end_officer as end

    end(Office.here(), name, now=now())
    emit({"name": name, "state": "ended"}, as_json=as_json, text=f"{name}: ended.")


Key = Annotated[
    str | None, typer.Option("--key", help="In a signing device: 'pkcs11:token=...;object=...'.")
]


@keys.command("new")
def new_key(  # noqa: PLR0917 - typer reads options from parameters
    entity_id: Annotated[str, typer.Option("--entity-id", help="https URL, later `iss`.")],
    name: Annotated[list[str], typer.Option("--name", help="Name as en=...")],
    out: Out = None,
    alg: Annotated[str, typer.Option("--alg", help="ES256 or EdDSA.")] = "ES256",
    key: Key = None,
    dev: Annotated[bool, typer.Option("--dev", help="Development keys.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Example: issuer keys new --entity-id https://titles.sz.example --name en="Title Bureau"

    Make a key, in the keystore or in a signing device, and the signed request that asks the
    registry to list it.
    """
    from issuer.custody.making import new_key as make

    office, names = _office(), _names(name)
    request = make(office, entity_id=entity_id, names=names, alg=alg, dev=dev, now=now(), uri=key)
    _hand_request(entity_id, request, out, as_json=as_json)


@keys.command("rotate")
def rotate_key(
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Name as en=...; absent: as before.")
    ] = None,
    out: Out = None,
    key: Key = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Example: issuer keys rotate --out request.jws

    Make a key of the same kind beside the newest one, and the signed request to list it. Sealing
    goes over to it once the registry has listed it and granted it rights.
    """
    from issuer.custody.making import rotate_key as make

    office = _office()
    request = make(office, now=now(), names=_names(name) if name else None, uri=key)
    _hand_request(office.entity_id, request, out, as_json=as_json)


def _names(values: Sequence[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    if not all(tag and mark for tag, mark, _ in pairs):
        raise UsageError("a name is written as tag=name", hint="Such as --name en=Example.")
    return {tag: text for tag, _, text in pairs}


def _hand_request(entity_id: str, request: str, out: Path | None, *, as_json: bool) -> None:
    from talentseal.files import write_atomic

    if out:
        write_atomic(out, request.encode(), mode=0o644)
    text = f"{entity_id}  request -> {out}" if out else request
    emit({"entity_id": entity_id, "request": request}, as_json=as_json, text=text)


@keys.command("list")
def list_keys(as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer keys list

    Every key in the order of making: whether it is enrolled, and where it lives.
    """
    from issuer.custody.making import keys as found

    rows = found(_office())
    lines = [
        f"{row['kid']}  {'enrolled' if row['enrolled'] else 'waiting '}  {row['uri'] or 'keystore'}"
        for row in rows
    ]
    emit({"keys": rows}, as_json=as_json, text="\n".join(lines) or "No keys yet.")


@app.command()
def enrol(file: Path, trust: Source = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer enrol answer.json --trust registry/public

    Take in the registry's answer: certificates, status indices, trust data.
    """
    from issuer.custody.service import enrol as take

    changes, left_out = take(_office(), file, source=_source(trust), now=now())
    if left_out:
        note(
            f"{left_out} blocks of status indices in it do not answer to the last restore and were"
            " left out; their indices may be used already."
        )
    _tell_changes(changes, as_json=as_json)


@app.command()
def sync(trust: Source = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer sync

    Bring this issuer's own trust data up to date.
    """
    from issuer.custody.service import bring_trust

    _tell_changes(bring_trust(_office(), source=_source(trust), now=now()), as_json=as_json)


def _tell_changes(changes: Sequence[Any], *, as_json: bool) -> None:
    rows = [
        {"jurisdiction": one.jurisdiction, "version": one.after, "refused": one.refused}
        for one in changes
    ]
    lines = [f"{r['jurisdiction']}  version {r['version']}  {r['refused'] or ''}" for r in rows]
    emit({"jurisdictions": rows}, as_json=as_json, text="\n".join(map(str.rstrip, lines)))


@app.command()
def issue(  # noqa: PLR0917 - typer reads options from parameters
    kind: Annotated[str, typer.Option("--type", help="Such as professional-title/1.")],
    claims: Annotated[Path, typer.Option("--claims", help="JSON file.")],
    holder: Annotated[
        Path | None, typer.Option("--holder-jwk", help="Public JWK, or a set of two.")
    ] = None,
    paper: Annotated[bool, typer.Option("--paper", help="A code to print.")] = False,  # noqa: FBT002
    out: Out = None,
    lang: Annotated[list[str] | None, typer.Option("--lang", help="Best first.")] = None,
    territory: Annotated[list[str] | None, typer.Option("--territory", help="Place.")] = None,
    level: Annotated[str, typer.Option("--level", help="M for paper, L for screens.")] = "M",
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Example: issuer issue --type professional-title/1 --claims claims.json --paper --out code.png

    Seal one certificate, for a wallet's key or as a code on paper.
    """
    from issuer.issuance.handing import check_target
    from issuer.issuance.service import issue as seal

    office = _office()
    order = _order(kind, claims, territory, _keys_for(holder, paper=paper), host=office.host)
    order = _tuned(order, lang, level)
    check_target(order, out)
    _hand_out(seal(office, order, now=now()), out, as_json=as_json)


Keys = tuple["PublicKey | None", "PublicKey | None", bool]


def _keys_for(holder: Path | None, *, paper: bool) -> Keys:
    """Key of the wallet form, key of the code, and whether the code is for paper."""
    held = _holder_keys(holder) if holder else []
    if not held and not paper:
        raise UsageError("for whom?", hint="Give --holder-jwk FILE, or --paper.")
    if paper and len(held) > 1:
        raise UsageError("a code on paper names one key", hint="Give the code's key alone.")
    first, second = [*held, None, None][:2]
    return (None, first, True) if paper else (first, second, False)


def _holder_keys(path: Path) -> "list[PublicKey]":
    from talentseal.encoding import parse_json
    from talentseal.files import read_bounded
    from talentseal.keys import PublicKey

    document = parse_json(read_bounded(path, MAX_CLAIMS_BYTES))
    listed = document["keys"] if isinstance(document.get("keys"), list) else [document]
    if not 1 <= len(listed) <= 2:
        raise UsageError("one key for the wallet, and one for its code, at most")
    found = [PublicKey.from_jwk(jwk) for jwk in listed]
    if len(set(found)) < len(found):
        raise UsageError("each form has a key of its own", hint="Make another key in the wallet.")
    return found


def _order(kind: str, path: Path, territory: list[str] | None, keys: Keys, *, host: str) -> "Order":
    from issuer.issuance.models import Order
    from talentseal.encoding import parse_json
    from talentseal.files import read_bounded

    document = parse_json(read_bounded(path, MAX_CLAIMS_BYTES), max_bytes=MAX_CLAIMS_BYTES)
    content = document.get("claims", document)
    if document.get("type", kind) != kind and "claims" in document:
        raise UsageError("the file holds claims of another type", hint="Look at its member type.")
    places = territory or document.get("territory") or []
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        raise InputError("territory is no list of places", code="REQUEST_INVALID")
    if not places:
        raise UsageError("for which place?", hint="Name it with --territory.")
    wallet, code, paper = keys
    return Order(kind, places, content, wallet, code, paper=paper, host=host)


def _tuned(order: "Order", lang: list[str] | None, level: str) -> "Order":
    from dataclasses import replace

    from issuer.issuance.models import LANGUAGES

    if level not in ("L", "M"):
        raise UsageError("--level is M or L")
    if not set(lang or ()) <= set(LANGUAGES):
        raise UsageError("a language unknown here", hint=f"One of {', '.join(LANGUAGES)}.")
    tuned = replace(order, languages=lang or LANGUAGES)
    return replace(tuned, level="L") if level == "L" else tuned


def _hand_out(issued: "Issued", out: Path | None, *, as_json: bool) -> None:
    """Write, draw or print a certificate that is on record."""
    from issuer.issuance import handing

    number, kind = issued.number, issued.order.type_id
    if issued.one_language:
        note("The code holds one language: with two it would be too large to print.")
    if out is not None:
        handing.write(issued, out)
        told = {"id": number, "type": kind, "forms": issued.order.forms, "file": str(out)}
        emit(told, as_json=as_json, text=f"{number}  {kind}  -> {out}")
    elif as_json or not handing.draw(issued):
        text = f"{number}  {kind}\n{handing.shown(issued)}"
        emit(handing.document(issued), as_json=as_json, text=text)
    else:
        note(f"{number}  {kind}")


@app.command()
def bulk(  # noqa: PLR0917 - typer reads options from parameters
    file: Path,
    kind: Annotated[str, typer.Option("--type", help="Such as professional-title/1.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for what is sealed.")] = None,
    territory: Annotated[list[str] | None, typer.Option("--territory", help="Place.")] = None,
    lang: Annotated[list[str] | None, typer.Option("--lang", help="Best first.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on.")] = False,  # noqa: FBT002
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only.")] = False,  # noqa: FBT002
    workers: Annotated[int, typer.Option("--workers", help="Processes that seal.")] = 1,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Example: issuer bulk titles.csv --type professional-title/1 --territory CN/4403 --out sealed

    Seal every row of a CSV or JSONL file, for holders' keys or as codes. All rows are checked
    before any is sealed; after a crash, --resume seals the rest, each row once.
    """
    from issuer.bulk.command import Options, run_bulk

    options = Options(file, kind, tuple(territory or ()), tuple(lang or ()), out, workers)
    run_bulk(_office(), options, resume=resume, dry_run=dry_run, as_json=as_json)


@app.command("list")
def list_certificates(as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer list"""
    from issuer.issuance.repository import listed

    rows = listed(_office().engine)
    lines = [
        f"{row['id']}  {row['state']:<9}  {row['type']}  {', '.join(row['forms'])}" for row in rows
    ]
    emit({"certificates": rows}, as_json=as_json, text="\n".join(lines) or "Nothing sealed yet.")


def _change(act: str, number: str, reason: str, *, as_json: bool) -> None:
    from issuer.status.service import change

    number = change(_office(), act, number, reason=reason, now=now())
    told = f"{number}  {act}: ordered; in force with the registry's next list"
    emit({"id": number, "act": act, "reason": reason}, as_json=as_json, text=told)


@app.command()
def audit(as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer audit

    Check the trail of acts from its first row on, and tell its newest digest: kept elsewhere, it
    shows rows that were cut off.
    """
    from issuer.audit.trail import check_chain, newest_digest
    from issuer.database import reading
    from issuer.office import Office

    with reading(Office.here().engine) as db:
        told = {"rows": check_chain(db), "digest": newest_digest(db)}
    if not told["rows"]:  # whoever has a key has acts
        raise UsageError(
            "no act is on record here",
            hint="Is it the right database? Look at TALENTSEAL_HOME and TALENTSEAL_ISSUER_DB.",
        )
    emit(told, as_json=as_json, text=f"{told['rows']} acts, whole. Newest digest {told['digest']}")


@app.command("restored")
def after_restore(trust: Source = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer restored --from registry/public

    Once after the database was restored from a copy, before anything else: no status index of the
    copy is used again, orders begin a new numbering, and what was revoked since is taken over.
    """
    from dataclasses import asdict

    from issuer.office import Office
    from issuer.officers.service import OFFICERS
    from issuer.restoring import restored

    office = Office.here()
    found = restored(office, source=_source(trust), now=now())
    block = f"registry issuer block --issuer {office.entity_id} --restored {found.code}"
    text = (
        f"{found.retired} status indices will not be used; {found.reopened} issuances must be "
        f"looked at; {found.taken_over} certificates were changed after the copy."
    )
    text += "\nNext: " if not found.left else "\nWhere a block of status indices comes by file: "
    text += f"{block} --out FILE, then issuer enrol FILE."
    text += f"\n{OFFICERS.reminder(found.accounts)}"
    emit(asdict(found), as_json=as_json, text=text)


@app.command()
def resend(
    days: Annotated[int, typer.Option("--days", help="Orders made since so many days.")] = 7,
    as_json: Json = False,  # noqa: FBT002
) -> int:
    """Example: issuer resend --days 7

    After the registry's database was restored: show it the blocks of status indices that it gave,
    which it takes back where it has forgotten them, and send status orders again. It knows those
    that it has. Exit 3: it refused a block.
    """
    from dataclasses import asdict

    from issuer.office import Office
    from issuer.status.held_blocks import show_blocks
    from issuer.status.outbox import deliver
    from issuer.status.outbox import resend as send_again
    from talentseal.encoding import to_seconds

    if not 0 < days <= MAX_RESEND_DAYS:
        raise UsageError(f"orders of 1 to {MAX_RESEND_DAYS} days are sent again")
    office, moment = Office.here(), now()
    shown = show_blocks(office, now=moment)  # first: orders name their indices
    _tell_refused(shown.refused)
    count = send_again(office, since=to_seconds(moment) - days * 86_400)
    deliver(office, now=moment)
    became = f"{shown.taken_back} were taken back, {shown.known} were known"
    blocks = f"{shown.left} were left for the registry" if shown.left else became
    text = f"Blocks of status indices: {blocks}.\n{count} orders were sent again."
    emit({"orders": count, "blocks": asdict(shown)}, as_json=as_json, text=text)
    return Exit.REFER if shown.refused else Exit.OK


def _tell_refused(refused: "Sequence[RefusedBlock]") -> None:
    for one in refused:
        note(f"The registry refused block {one.block} of {one.uri}: {one.code}.")


MAX_RESEND_DAYS = 3650
Reason = Annotated[str, typer.Option("--reason", help="Code of the reason.")]


@app.command()
def revoke(number: str, reason: Reason, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer revoke 7Q4M2K9D --reason rescinded"""
    _change("revoke", number, reason, as_json=as_json)


@app.command()
def suspend(number: str, reason: Reason, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer suspend 7Q4M2K9D --reason withheld"""
    _change("suspend", number, reason, as_json=as_json)


@app.command()
def reinstate(number: str, reason: Reason, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer reinstate 7Q4M2K9D --reason returned"""
    _change("reinstate", number, reason, as_json=as_json)
