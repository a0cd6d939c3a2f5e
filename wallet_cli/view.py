"""What a person sees of what they hold: the list, one certificate, what was done with it.

Every text from a certificate goes through `terminal.escape` before it stands on a line. How a
certificate stands is the verdict of the library over the wallet's own trust data; where that says
nothing about its content, the vault's own summary stands in, and says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from schemas.messages import as_of, day, lead, pick
from schemas.verdict import Verdict
from talentseal import sdjwt
from talentseal.bundle import Bundle
from talentseal.encoding import b64url_decode, to_seconds
from talentseal.reading import Evidence
from talentseal.terminal import NO_WORDS, claim_text, escape, words_of
from talentseal.type_metadata import ENVELOPE, CredentialType
from wallet_cli.trust import judge
from wallet_cli.vault import SDJWT, Act, Copy, Holding

_INDENT = " " * 10


def evidence_of(copy: Copy) -> Evidence:
    """A copy as evidence, for the wallet's own eyes."""
    if copy.format == SDJWT:
        return Evidence(text=copy.credential)
    return Evidence(code=b64url_decode(copy.credential))


def main_copy(holding: Holding) -> Copy:
    """The copy that says most: the SD-JWT VC where there is one."""
    return holding.copy(SDJWT) or holding.copies[0]


# --- the list -------------------------------------------------------------------------------------


def list_document(holding: Holding, bundle: Bundle, now: datetime) -> dict[str, Any]:
    """One row of `wallet list --json`; `known` says how it stands by the trust data held."""
    verdict = judge(evidence_of(main_copy(holding)), bundle, now=now)
    return {
        "id": holding.id,
        "document": holding.document,
        **holding.summary,
        "received": holding.received,
        "formats": [copy.format for copy in holding.copies],
        "known": _known(verdict, to_seconds(now)),
    }


def _known(verdict: Verdict, now: int) -> dict[str, Any]:
    status = next((c for c in verdict.checks if c.check == "status"), None)
    at = status.as_of if status else None
    return {
        "outcome": verdict.outcome,
        "code": verdict.headline,
        "as_of": at,
        "age_seconds": None if at is None else max(now - at, 0),
    }


def list_text(holding: Holding, bundle: Bundle, now: datetime, lang: str) -> str:
    """Three lines about one certificate."""
    summary = holding.summary
    verdict = judge(evidence_of(main_copy(holding)), bundle, now=now)
    known = _known(verdict, to_seconds(now))
    titles = (
        pick(summary["type_names"], lang) or summary["type"],
        claim_text(summary["title"], "title", NO_WORDS, lang),
    )
    issuer = pick(summary["issuer_names"], lang) or summary["issuer"]
    end = summary["expires_at"]
    until = f", until {day(end)}" if end is not None else ""
    standing = "in force" if verdict.outcome == "accept" else _trouble(verdict, lang)
    if known["as_of"] is not None:
        standing += f". {as_of(known['as_of'], known['age_seconds'], None, lang)}"
    lines = (
        ": ".join(filter(None, titles)),
        f"{issuer} ({summary['jurisdiction']}){until}",
        standing,
    )
    first, *rest = map(escape, lines)
    return "\n".join((f"{holding.id}  {first}", *(_INDENT + line for line in rest)))


def _trouble(verdict: Verdict, lang: str) -> str:
    return f"{verdict.outcome}: {lead(verdict, lang).sentence} [{verdict.headline}]"


# --- one certificate ------------------------------------------------------------------------------


def claims_of(holding: Holding, bundle: Bundle, now: datetime) -> Mapping[str, Any]:
    """What a holding says; the vault vouches that it is what was accepted on arrival."""
    copy = main_copy(holding)
    if copy.format == SDJWT:
        claims = sdjwt.all_claims(copy.credential)
        return {name: value for name, value in claims.items() if name not in ENVELOPE}
    view = judge(evidence_of(copy), bundle, now=now).credential
    return view.claims if view else {}


def show_document(
    holding: Holding, bundle: Bundle, now: datetime, history: Sequence[Act]
) -> dict[str, Any]:
    """`wallet show --json`."""
    kind = bundle.find_type(holding.summary["type"])
    claims = claims_of(holding, bundle, now)
    hideable = hideable_in(claims, kind) if holding.copy(SDJWT) else []
    acts = [_act_document(act) for act in history if act.id == holding.id]
    return {
        **list_document(holding, bundle, now),
        "claims": claims,
        "hideable": hideable,
        "history": acts,
    }


def hideable_in(claims: Mapping[str, Any], kind: CredentialType | None) -> list[str]:
    """Top-level claims that stay away unless they are named."""
    return [name for name in claims if kind is not None and name in kind.always]


def show_text(
    holding: Holding, bundle: Bundle, now: datetime, history: Sequence[Act], lang: str
) -> str:
    kind = bundle.find_type(holding.summary["type"])
    claims = claims_of(holding, bundle, now)
    hideable = set(hideable_in(claims, kind)) if holding.copy(SDJWT) else set()
    lines = [list_text(holding, bundle, now, lang), ""]
    lines += claim_lines(claims, kind, lang, marked=hideable)
    if hideable:
        lines += ["", "* stays hidden unless you name it (`wallet disclose`)"]
    if not holding.copy(SDJWT):
        lines += ["", "Held as a code alone: it shows all of this to whoever reads it."]
    acts = [act_text(act) for act in history if act.id == holding.id]
    return "\n".join((*lines, "", *acts)).rstrip()


def claim_lines(
    claims: Mapping[str, Any],
    kind: CredentialType | None,
    lang: str,
    *,
    marked: set[str] = frozenset(),  # type: ignore[assignment]
) -> Iterator[str]:
    """One line a claim, in the order of the type, with labels in the person's language."""
    words = words_of(kind, lang)
    labels = words.labels
    order = [name for name in labels if name in claims]
    for name in dict.fromkeys((*order, *claims)):
        mark = "*" if name in marked else " "
        text = claim_text(claims[name], name, words, lang)
        yield f"{mark} {escape(labels.get(name, name))} [{escape(name)}]: {escape(text)}"


# --- history --------------------------------------------------------------------------------------


def _act_document(act: Act) -> dict[str, Any]:
    return {"at": act.at, "act": act.act, "id": act.id, "to": act.to, "what": list(act.what)}


def history_document(history: Sequence[Act]) -> dict[str, Any]:
    return {"history": [_act_document(act) for act in history]}


def act_text(act: Act) -> str:
    to = f" to {act.to}" if act.to else ""
    what = f": {', '.join(act.what)}" if act.what else ""
    return escape(f"{act.at}  {act.id}  {act.act}{to}{what}")
