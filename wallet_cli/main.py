"""The command `wallet`: thin commands, each of which loads what it needs when it runs.

Every command begins its help with an example and speaks JSON with `--json`. What a person decides
is asked at the terminal; without one, the missing option is named and nothing happens.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from talentseal.commandline import emit, main_door, new_app, note, now
from talentseal.errors import Exit, UsageError

if TYPE_CHECKING:
    from talentseal.sync import Change
    from wallet_cli.codes import Made
    from wallet_cli.obtain import Options
    from wallet_cli.vault import Content, Holding, Vault

app = new_app(
    "Example: wallet init\n\nHolds a person's certificates, and shows of them what they choose."
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document for machines.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Id = Annotated[str, typer.Argument(help="Id of a certificate, or its beginning.")]
RootFile = Annotated[Path | None, typer.Option("--root", help="Published root.json to pin.")]
PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", help="File with the backup's passphrase.")
]
MaybeCode = Annotated[
    str | None, typer.Option("--jurisdiction", help="Own jurisdiction under development roots.")
]
_OUTCOMES = {"accept": Exit.OK, "refer": Exit.REFER, "refuse": Exit.REFUSE}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    main_door(app, argv, name="wallet")


def _open() -> "Vault":
    from wallet_cli.ahead import stretch
    from wallet_cli.places import vault_file, vault_passphrase
    from wallet_cli.vault import open_vault

    return open_vault(vault_file(), vault_passphrase(), stretch=stretch)


# --- set-up ---------------------------------------------------------------------------------------


@app.command()
def init(
    *,
    root: RootFile = None,
    trust: Annotated[
        str | None, typer.Option("--trust", help="Folder, zip or URL of trust data.")
    ] = None,
    jurisdiction: MaybeCode = None,
    as_json: Json = False,
) -> None:
    """Example: wallet init --root root.json --trust monday.zip

    Make an empty vault, pin the root of your jurisdiction, and take in its trust data.
    """
    from talentseal.commandline import setting
    from wallet_cli.places import TRUST_SOURCE, vault_file, vault_passphrase
    from wallet_cli.trust import pin_root, synchronise_trust
    from wallet_cli.vault import create, refuse_existing

    path = vault_file()
    refuse_existing(path)
    passphrase = vault_passphrase(new=True)
    changes: Sequence[Change] = ()
    if trust or setting(TRUST_SOURCE):
        changes = synchronise_trust(trust, root, jurisdiction=jurisdiction, now=now())
    elif root is not None:
        pin_root(root)
    create(path, passphrase)
    lines = [f"Vault: {path}", *map(_change_line, changes)]
    if not changes:
        lines.append("There are no trust data yet: `wallet sync --from FOLDER|ZIP`.")
    lines.append("Without a backup and its passphrase the keys are lost: `wallet backup FILE`.")
    document = {"vault": str(path), "trust": [_change_document(c) for c in changes]}
    emit(document, as_json=as_json, text="\n".join(lines))


@app.command()
def sync(
    *,
    source: Annotated[
        str | None, typer.Option("--from", help="Folder, zip or URL; default: the setting.")
    ] = None,
    root: RootFile = None,
    jurisdiction: MaybeCode = None,
    as_json: Json = False,
) -> int:
    """Example: wallet sync --from tuesday.zip

    Bring the wallet's own trust data up to date. A refused update changes nothing.
    """
    from wallet_cli.trust import synchronise_trust

    changes = synchronise_trust(source, root, jurisdiction=jurisdiction, now=now())
    text = "\n".join(map(_change_line, changes))
    emit({"trust": [_change_document(c) for c in changes]}, as_json=as_json, text=text)
    return Exit.REFUSE if any(change.refused for change in changes) else Exit.OK


def _change_document(change: "Change") -> dict[str, object]:
    return {
        "jurisdiction": change.jurisdiction,
        "before": change.before,
        "after": change.after,
        "as_of": change.as_of,
        "refused": change.refused,
        "alarms": list(change.alarms),
    }


def _change_line(change: "Change") -> str:
    from schemas.messages import minute
    from talentseal.terminal import escape

    code = escape(change.jurisdiction)
    if change.refused:
        return f"{code}  refused: {escape(change.message)} [{change.refused}]"
    if change.after is None or change.as_of is None:
        return f"{code}  {escape(change.message) or 'nothing held'}"
    alarms = f" [{', '.join(change.alarms)}]" if change.alarms else ""
    return f"{code}  version {change.after}, as of {minute(change.as_of)}{alarms}"


@app.command()
def key(
    *,
    copies: Annotated[
        int, typer.Option("--copies", min=1, max=16, help="Keys, one for each copy.")
    ] = 1,
    out: Annotated[Path | None, typer.Option("--out", help="New file for the issuer.")] = None,
    as_json: Json = False,
) -> None:
    """Example: wallet key --copies 2 --out for-issuer.json

    Make fresh keys and write their public halves for the issuer: the first for the certificate in
    the wallet, the second for its code.
    """
    from talentseal.encoding import dump_json, to_seconds
    from talentseal.files import write_new

    vault = _open()
    with vault.change() as content:
        made = [content.new_key(to_seconds(now())).jwk for _ in range(copies)]
        document: object = made[0] if copies == 1 else {"keys": made}
        if out is not None:
            write_new(out, dump_json(document) + b"\n", mode=0o644)
    if out is None:
        emit(document, as_json=True, text="")
    else:
        text = f"{copies} public key(s) in {out}: give this file to the issuer."
        emit({"file": str(out), "keys": made}, as_json=as_json, text=text)


# --- taking in, looking ---------------------------------------------------------------------------


@app.command()
def receive(
    offer: Annotated[
        str | None, typer.Argument(help="Offer of an issuer (link, picture), or a file it gave.")
    ] = None,
    *,
    tx_code: Annotated[
        str | None, typer.Option("--tx-code", help="Code that came by another way.")
    ] = None,
    copies: Annotated[
        int, typer.Option("--copies", min=1, max=20, help="Copies, each for one showing.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Ask again for what an issuer promised.")
    ] = False,
    wait: Annotated[
        int, typer.Option("--wait", min=0, max=3600, help="Seconds to wait for a promise.")
    ] = 0,
    give_up: Annotated[
        str | None, typer.Option("--give-up", help="Wait no longer for this promise.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Example: wallet receive 'openid-credential-offer://?credential_offer_uri=...'

    Receive a certificate from an issuer, or check one in a file, and keep it if it is good,
    complete and made for a key of this wallet.
    """
    from talentseal.links import OFFER_SCHEMES
    from wallet_cli.calling import link_in

    if give_up is not None:
        return _give_up(give_up, as_json=as_json)
    if offer is None and not resume:
        raise UsageError("name an offer or a file, or ask again with --resume")
    link = link_in(offer, OFFER_SCHEMES) if offer is not None and not resume else None
    if offer is not None and link is None and not resume:
        return _receive_file(Path(offer), yes=yes, as_json=as_json)
    from wallet_cli.obtain import Options

    options = Options(yes=yes, tx_code=tx_code, copies=copies, wait=wait)
    return _receive_online(link, offer, options, as_json=as_json)


def _give_up(wanted: str, *, as_json: bool) -> int:
    from talentseal.terminal import escape
    from wallet_cli.delivery import give_up

    given = give_up(wanted, _open())
    text = f"Nothing is waited for any more from {escape(given.issuer)}."
    emit({"given_up": given.id, "issuer": given.issuer}, as_json=as_json, text=text)
    return Exit.OK


def _receive_online(
    link: str | None, wanted: str | None, options: "Options", *, as_json: bool
) -> int:
    """Take what a link offers; without one, ask again for what was promised. The exit code."""
    import time

    from wallet_cli.calling import open_wallet
    from wallet_cli.delivery import Failed, Taken, Taker, resume
    from wallet_cli.obtain import take_offer, taken_document, taken_text
    from wallet_cli.places import language
    from wallet_cli.trust import open_trust

    bundle, lang = open_trust(), language()
    taker = Taker(_open(), bundle, open_wallet(), lang, time.sleep)
    taken: list[Taken] = []
    failed: list[Failed] = []
    if link:
        taken = [take_offer(link, taker, options)]
    else:
        taken, failed = resume(wanted, taker, options.wait)
    if not taken and len(failed) == 1:
        raise failed[0].error
    text = taken_text(taken, failed, bundle, now(), lang)
    emit(taken_document(taken, failed, bundle, now()), as_json=as_json, text=text)
    return failed[0].error.exit if failed else Exit.OK


def _receive_file(file: Path, *, yes: bool, as_json: bool) -> int:
    from wallet_cli.places import agree, is_attended, language
    from wallet_cli.receive import judge_offer, keep, read_offer
    from wallet_cli.trust import open_trust
    from wallet_cli.view import list_document, list_text

    offer = read_offer(file)
    vault, bundle, lang, at = _open(), open_trust(), language(), now()
    holding = judge_offer(offer, vault.read(), bundle, now=at, lang=lang)
    text = list_text(holding, bundle, at, lang)
    if is_attended() and not yes:
        note(f"Good, and made for this wallet:\n{text}")
        agree("Keep it?", declined="It was not kept.")
    with vault.change() as content:
        keep(content, offer, holding)
    emit(list_document(holding, bundle, at), as_json=as_json, text=f"Received.\n{text}")
    return Exit.OK


@app.command("list")
def list_(*, as_json: Json = False) -> None:
    """Example: wallet list

    What is held, and how it stands by the trust data held.
    """
    from wallet_cli.places import language
    from wallet_cli.trust import open_trust
    from wallet_cli.view import list_document, list_text

    held, bundle, at = _open().read().holdings, open_trust(), now()
    if as_json:
        rows = [list_document(holding, bundle, at) for holding in held]
        emit({"credentials": rows}, as_json=True, text="")
        return
    lang = language()
    texts = [list_text(holding, bundle, at, lang) for holding in held]
    emit(None, as_json=False, text="\n".join(texts) or "Nothing is held yet.")


@app.command()
def show(wanted: Id, *, as_json: Json = False) -> None:
    """Example: wallet show 3f9a2c1d

    Everything that a certificate says, what of it can be hidden, and what was done with it.
    """
    from wallet_cli.places import language
    from wallet_cli.trust import open_trust
    from wallet_cli.view import show_document, show_text

    content, bundle, at = _open().read(), open_trust(), now()
    holding = content.find(wanted)
    if as_json:
        emit(show_document(holding, bundle, at, content.history), as_json=True, text="")
    else:
        text = show_text(holding, bundle, at, content.history, language())
        emit(None, as_json=False, text=text)


@app.command()
def verify(
    wanted: Id,
    *,
    code: Annotated[bool, typer.Option("--code", help="Check its code instead.")] = False,
    as_json: Json = False,
) -> int:
    """Example: wallet verify 3f9a2c1d

    Check a certificate as a verifier would, over the wallet's own trust data.
    """
    import shutil

    from talentseal.commandline import is_terminal
    from talentseal.terminal import render_verdict, words_of
    from wallet_cli.codes import code_copy
    from wallet_cli.places import language
    from wallet_cli.trust import judge, open_trust
    from wallet_cli.view import evidence_of, main_copy

    holding, bundle, lang = _open().read().find(wanted), open_trust(), language()
    copy = code_copy(holding) if code else main_copy(holding)
    verdict = judge(evidence_of(copy), bundle, now=now())
    words = words_of(bundle.find_type(holding.summary["type"]), lang)
    if as_json:
        emit(verdict.to_json(lang), as_json=True, text="")
    elif is_terminal():
        width = shutil.get_terminal_size().columns
        print(render_verdict(verdict, lang=lang, colour=True, width=width, words=words))
    else:
        text = render_verdict(verdict, lang=lang, colour=False, width=100, words=words)
        emit(None, as_json=False, text=text)
    return _OUTCOMES[verdict.outcome]


# --- showing --------------------------------------------------------------------------------------


@app.command()
def qr(
    wanted: Id,
    *,
    png: Annotated[Path | None, typer.Option("--png", help="Picture to write.")] = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Drawing to write.")] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Draw it here.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Its text, without a picture.")] = False,
    static: Annotated[
        bool, typer.Option("--static", help="A bearer copy instead of a live code.")
    ] = False,
    challenge: Annotated[
        str | None, typer.Option("--challenge", help="What the verifier shows, or its 8 digits.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Draw even if the window looks too small.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Draw a fresh one every 30 seconds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Example: wallet qr 3f9a2c1d

    A code for others to scan: live by default, by this wallet's key; taken for two minutes.
    """
    from wallet_cli.showing import Ways, show_code

    ways = Ways(png=png, svg=svg, terminal=terminal, text=text, force=force, as_json=as_json)
    if watch and (static or challenge or not ways.on_terminal):
        raise UsageError("--watch redraws live codes without a challenge at a terminal only")
    vault = _open()
    holding = vault.read().find(wanted)
    made = _made(holding, challenge, static=static, on_paper=ways.on_paper)
    _record(vault, holding, made)
    show_code(made, holding, ways)
    while watch:
        _wait_for_the_next()
        show_code(_made(holding, None, static=False, on_paper=ways.on_paper), holding, ways)


def _made(holding: "Holding", challenge: str | None, *, static: bool, on_paper: bool) -> "Made":
    import os

    from wallet_cli.codes import make_code
    from wallet_cli.places import verifier_host

    return make_code(
        holding,
        static=static,
        challenge=challenge,
        on_paper=on_paper,
        host=verifier_host(),
        now=now(),
        random=os.urandom,
    )


def _record(vault: "Vault", holding: "Holding", made: "Made") -> None:
    from talentseal.encoding import format_time, to_seconds
    from wallet_cli.vault import Act

    with vault.change() as content:
        at = format_time(to_seconds(now()))
        content.note(Act(at, f"{made.form} code made", holding.id, made.audience))


def _wait_for_the_next() -> None:
    import time

    from wallet_cli.codes import REDRAW_SECONDS

    time.sleep(REDRAW_SECONDS)


@app.command()
def disclose(
    wanted: Id,
    *,
    names: Annotated[
        list[str] | None, typer.Option("--disclose", help="Name of a claim to show.")
    ] = None,
    audience: Annotated[
        str | None, typer.Option("--audience", help="The verifier it is for.")
    ] = None,
    nonce: Annotated[str | None, typer.Option("--nonce", help="The verifier's nonce.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="New file to write.")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Example: wallet disclose 3f9a2c1d --disclose display_name --out for-desk.txt

    Make a presentation to hand over as a file. What is not named stays hidden where it can.
    """
    from talentseal.files import check_new, write_new
    from wallet_cli.disclose import make_presentation
    from wallet_cli.showing import ask_to_leave

    if out is not None:
        check_new(out)
    vault = _open()
    holding = vault.read().find(wanted)
    at = now()
    made = make_presentation(holding, names or (), audience=audience, nonce=nonce, now=at)
    ask_to_leave(made, holding, audience, yes=yes)
    _record_presentation(vault, holding, made.kid, audience, names or ())
    if out is not None:
        write_new(out, f"{made.text}\n".encode())
    document = {
        "presentation": None if out else made.text,
        "file": str(out) if out else None,
        "shown": list(made.shown),
        "hidden": list(made.hidden),
    }
    emit(document, as_json=as_json, text=f"Written to {out}." if out else made.text)


def _record_presentation(
    vault: "Vault", holding: "Holding", kid: str, audience: str | None, named: Sequence[str]
) -> None:
    from talentseal.encoding import format_time, to_seconds
    from wallet_cli.vault import Act

    with vault.change() as content:
        at = format_time(to_seconds(now()))
        content.mark_used({kid})
        content.note(Act(at, "disclosed", holding.id, audience or "", list(named)))


@app.command()
def present(
    request: Annotated[str, typer.Argument(help="Link of a verifier, or a picture of one.")],
    *,
    only: Annotated[
        list[str] | None, typer.Option("--certificate", help="Choose from these ids alone.")
    ] = None,
    optional: Annotated[
        bool, typer.Option("--optional", help="Show also what is asked for without need.")
    ] = False,
    anchors: Annotated[
        Path | None, typer.Option("--anchors", help="PEM file of further authorities.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Example: wallet present 'openid4vp://?client_id=...&request_uri=...'

    Answer a verifier: see who asks and what would leave, say yes or no, and show that and no more.
    """
    from talentseal.links import REQUEST_SCHEMES
    from wallet_cli.calling import link_in, open_wallet
    from wallet_cli.places import language
    from wallet_cli.present import Presenter, Wishes, answer, sent_document, sent_text
    from wallet_cli.trust import open_trust

    link = link_in(request, REQUEST_SCHEMES)
    if link is None:
        raise UsageError("this is no request of a verifier", hint="openid4vp://?client_id=...")
    presenter = Presenter(_open(), open_trust(), open_wallet(), language(), anchors)
    sent = answer(link, presenter, Wishes(yes=yes, only=only or (), optional=optional))
    emit(sent_document(sent), as_json=as_json, text=sent_text(sent))


@app.command()
def history(*, as_json: Json = False) -> None:
    """Example: wallet history

    What this wallet did, oldest first. It is kept in the vault and nowhere else.
    """
    from wallet_cli.view import act_text, history_document

    acts = _open().read().history
    text = "\n".join(map(act_text, acts)) or "Nothing was done yet."
    emit(history_document(acts), as_json=as_json, text=text)


# --- keeping safe ---------------------------------------------------------------------------------


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="New file; none is replaced.")],
    *,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Example: wallet backup /media/stick/wallet.backup

    Write everything in the vault to a new encrypted file, under the vault's passphrase or its own.
    """
    from wallet_cli.places import vault_file, vault_passphrase
    from wallet_cli.vault import open_vault

    own = vault_passphrase()
    vault = open_vault(vault_file(), own)
    vault.copy_to(file, vault_passphrase(file=passphrase_file) if passphrase_file else own)
    text = f"Backup in {file}.\nTrust data are not in it: after a restore, run `wallet sync`."
    emit({"file": str(file), **_counted(vault.read())}, as_json=as_json, text=text)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `wallet backup` wrote.")],
    *,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Example: wallet restore /media/stick/wallet.backup

    Make a new vault from a backup. A vault that exists is neither replaced nor merged.
    """
    from wallet_cli.places import vault_file, vault_passphrase
    from wallet_cli.vault import refuse_existing, restore

    path = vault_file()
    refuse_existing(path)
    own = vault_passphrase()
    opening = vault_passphrase(file=passphrase_file) if passphrase_file else own
    content = restore(path, file, opening, own)
    text = f"Vault: {path}, {len(content.holdings)} certificate(s).\nNext: wallet sync."
    emit({"vault": str(path), **_counted(content)}, as_json=as_json, text=text)


def _counted(content: "Content") -> dict[str, int]:
    return {"credentials": len(content.holdings), "unused_keys": len(content.keys)}
