"""The command `issuer`: thin commands over the services, one door for everything that fails."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from talentseal.commandline import emit, main_door, new_app, now, setting
from talentseal.errors import InputError, UsageError

if TYPE_CHECKING:
    from issuer.issuance.service import Order, Sealed
    from issuer.office import Office
    from talentseal.keys import PublicKey

app = new_app(
    "Example: issuer issue --type professional-title/1 --claims claims.json --paper --out code.png"
    "\n\nSeals certificates, and revokes, suspends and reinstates them."
)
keys = new_app("Example: issuer keys list\n\nThe keys that this issuer seals with.")
app.add_typer(keys, name="keys")
Json = Annotated[bool, typer.Option("--json", help="One JSON document for machines.")]
Out = Annotated[Path | None, typer.Option("--out", help="File to write instead of printing.")]
Source = Annotated[str | None, typer.Option("--trust", "--from", help="Folder or zip.")]
MAX_CLAIMS_BYTES = 256 * 1024


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    main_door(app, argv, name="issuer")


def _office() -> "Office":
    from issuer.office import Office

    return Office.here()


def _source(given: str | None) -> str:
    found = given or setting("TALENTSEAL_TRUST_SOURCE")
    if found is None:
        raise UsageError("where is the trust data?", hint="Name a folder or zip with --trust.")
    return found


@keys.command("new")
def new_key(  # noqa: PLR0917 - typer reads options from parameters
    entity_id: Annotated[str, typer.Option("--entity-id", help="https URL, later `iss`.")],
    name: Annotated[list[str], typer.Option("--name", help="Name as en=...")],
    out: Out = None,
    alg: Annotated[str, typer.Option("--alg", help="ES256 or EdDSA.")] = "ES256",
    dev: Annotated[bool, typer.Option("--dev", help="Development keys.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Example: issuer keys new --entity-id https://titles.sz.example --name en="Title Bureau"

    Make a key and the signed request that asks the registry to list it.
    """
    from issuer.custody.service import new_key as make
    from talentseal.files import write_atomic

    names = dict(part.partition("=")[::2] for part in name)
    request = make(_office(), entity_id=entity_id, names=names, alg=alg, dev=dev, now=now())
    if out:
        write_atomic(out, request.encode(), mode=0o644)
    text = f"{entity_id}  request -> {out}" if out else request
    emit({"entity_id": entity_id, "request": request}, as_json=as_json, text=text)


@keys.command("list")
def list_keys(as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer keys list"""
    from issuer.custody.service import keys as found

    rows = found(_office())
    lines = [f"{row['kid']}  {'enrolled' if row['enrolled'] else 'waiting'}" for row in rows]
    emit({"keys": rows}, as_json=as_json, text="\n".join(lines) or "No keys yet.")


@app.command()
def enrol(file: Path, trust: Source = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer enrol answer.json --trust registry/public

    Take in the registry's answer: certificates, status indices, trust data.
    """
    from issuer.custody.service import enrol as take

    _tell_changes(take(_office(), file, source=_source(trust), now=now()), as_json=as_json)


@app.command()
def sync(trust: Source = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer sync

    Bring this issuer's own trust data up to date.
    """
    from issuer.custody.service import bring_trust

    _tell_changes(bring_trust(_office(), source=_source(trust), now=now()), as_json=as_json)


def _tell_changes(changes: Sequence[Any], *, as_json: bool) -> None:
    rows = [{"jurisdiction": c.jurisdiction, "version": c.after, "refused": c.refused}
            for c in changes]  # fmt: skip
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
    territory: Annotated[list[str] | None, typer.Option("--territory", help="Place.")] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Example: issuer issue --type professional-title/1 --claims claims.json --paper --out code.png

    Seal one certificate, for a wallet's key or as a code on paper.
    """
    from issuer.issuance.service import issue as seal

    order = _order(kind, claims, holder, territory, paper=paper)
    office = _office()
    sealed = seal(office, order, now=now())
    document, told = _hand_out(office, sealed, out)
    emit(document, as_json=as_json, text=f"{sealed.id}  {kind}{told}")


def _order(
    kind: str, path: Path, holder: Path | None, territory: list[str] | None, *, paper: bool
) -> "Order":
    from issuer.issuance.service import Order
    from talentseal.encoding import parse_json
    from talentseal.files import read_bounded

    document = parse_json(read_bounded(path, MAX_CLAIMS_BYTES), max_bytes=MAX_CLAIMS_BYTES)
    content = document.get("claims", document)
    places = territory or document.get("territory") or []
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        raise InputError("territory is no list of places", code="REQUEST_INVALID")
    if not places:
        raise UsageError("for which place?", hint="Name it with --territory.")
    held = _holder_keys(holder) if holder else []
    if not held and not paper:
        raise UsageError("for whom?", hint="Give --holder-jwk FILE, or --paper.")
    if paper and held:
        return Order(kind, places, content, None, held[0])
    wallet, code = [*held, None, None][:2]
    return Order(kind, places, content, wallet, code, paper=paper)


def _holder_keys(path: Path) -> "list[PublicKey]":
    from talentseal.encoding import parse_json
    from talentseal.files import read_bounded
    from talentseal.keys import PublicKey

    document = parse_json(read_bounded(path, MAX_CLAIMS_BYTES))
    listed = document["keys"] if isinstance(document.get("keys"), list) else [document]
    if not 1 <= len(listed) <= 2:
        raise UsageError("one key for the wallet, and one for its code, at most")
    return [PublicKey.from_jwk(jwk) for jwk in listed]


def _hand_out(office: "Office", sealed: "Sealed", out: Path | None) -> tuple[dict[str, Any], str]:
    """The document of a certificate, and what is told of where it went."""
    from talentseal.encoding import b64url_encode, dump_json
    from talentseal.files import write_atomic

    forms: list[dict[str, str]] = []
    if sealed.text:
        forms.append({"format": "dc+sd-jwt", "credential": sealed.text})
    if sealed.code:
        forms.append({"format": "talentseal_cwt", "credential": b64url_encode(sealed.code)})
    document = {"id": sealed.id, "credentials": forms}
    if out is None:
        return document, "\n" + (sealed.text or _code_text(office, sealed.code or b""))
    if out.suffix == ".json":
        data = dump_json(document)
    elif sealed.text:
        data = sealed.text.encode()
    else:
        data = _drawn(_code_text(office, sealed.code or b""), out.suffix)
    write_atomic(out, data, mode=0o600)
    return document, f"  -> {out}"


def _code_text(office: "Office", code: bytes) -> str:
    from functools import partial

    from talentseal import qr
    from talentseal.codetext import write_text

    return write_text(code, host=office.host, version_of=partial(qr.version_of, level="M"))


def _drawn(text: str, suffix: str) -> bytes:
    from talentseal import qr

    if suffix == ".png":
        return qr.to_png(qr.encode(text, level="M"))
    if suffix == ".svg":
        return qr.to_svg(qr.encode(text, level="M")).encode()
    return text.encode()


@app.command("list")
def list_certificates(as_json: Json = False) -> None:  # noqa: FBT002
    """Example: issuer list"""
    from issuer.issuance.service import listed

    rows = listed(_office())
    lines = [f"{row['id']}  {row['state']:<9}  {row['type']}" for row in rows]
    emit({"certificates": rows}, as_json=as_json, text="\n".join(lines) or "Nothing sealed yet.")


def _change(act: str, number: str, reason: str, *, as_json: bool) -> None:
    from issuer.status.service import change

    change(_office(), act, number, reason=reason, now=now())
    told = f"{number}  {act}: ordered; in the next list after `registry publish`"
    emit({"id": number, "act": act, "reason": reason}, as_json=as_json, text=told)


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
