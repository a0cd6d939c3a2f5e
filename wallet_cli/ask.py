"""The two questions before something leaves the device: to an issuer, and to a verifier.

What a person reads here comes from certificates, from the registry and from the types held by this
wallet; what the other side calls itself is not shown. The default is no. Where nobody can answer,
the option that answers is named and nothing happens.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.messages import pick
from schemas.openid4vci import TxCode
from talentseal.bundle import Bundle
from talentseal.commandline import note
from talentseal.errors import RefusedError, UsageError
from talentseal.links import check_url
from talentseal.oid4vp import Request
from talentseal.terminal import NO_WORDS, claim_text, escape, words_of
from wallet_cli.issuance import Plan, Wanted
from wallet_cli.places import agree, ask_line, is_attended
from wallet_cli.vault import CODE, Holding

STRANGER = "**not on any list**"
_MAX_TX_CODE_CHARS = 128
_MAX_NAMES, _MAX_WORDS_CHARS = 3, 300  # OpenID4VCI §4.1.1 for the second


def refuse_unattended(*, yes: bool, action: str) -> None:
    """Raises UsageError where the question could be answered by nobody."""
    if not yes and not is_attended():
        raise UsageError(f"nobody is here to agree that {action}", hint="Agree with --yes.")


# --- offers ---------------------------------------------------------------------------------------


def ask_offer(
    plan: Plan, bundle: Bundle, *, copies: int, tx_code: str | None, yes: bool, lang: str, dev: bool
) -> str | None:
    """Show who offers what, ask, and return the transaction code where one is needed.

    Raises RefusedError where the person declines, or where `--yes` met a stranger; UsageError.
    """
    _check_tx_code(plan.tx_code, tx_code)
    if plan.tx_code is not None and tx_code is None and not is_attended():
        raise UsageError(
            "this offer needs a code that came by another way",
            hint="Give it with --tx-code.",
        )
    note("\n".join(offer_lines(plan, bundle, copies=copies, lang=lang, dev=dev)))
    if yes:
        _refuse_stranger(plan, bundle)
    else:
        agree("Ask this issuer for it?", declined="Nothing was asked for.")
    if plan.tx_code is not None and tx_code is None:
        tx_code = ask_line(f"{_code_words(plan.tx_code)}: ")
        _check_tx_code(plan.tx_code, tx_code)
    return tx_code


def offer_lines(plan: Plan, bundle: Bundle, *, copies: int, lang: str, dev: bool) -> list[str]:
    """What a person must know before a word goes to an issuer."""
    name = pick(bundle.issuer_names(plan.issuer), lang)
    who = f"{escape(name)} ({escape(plan.host)})" if name else f"{escape(plan.host)}, {STRANGER}"
    kinds = [escape(_kind(wanted, bundle, lang, copies)) for wanted in plan.wanted]
    lines = [f"Who offers   {who}", *(f"What         {kind}" for kind in kinds)]
    if plan.skipped:
        more = len(plan.skipped) - _MAX_NAMES
        named = [_brief(name) for name in plan.skipped[:_MAX_NAMES]]
        left = escape(", ".join([*named, f"{more} more"] if more > 0 else named))
        lines.append(f"Left out     {left} (a format that this wallet does not read)")
    if plan.tx_code is not None:
        host = escape(check_url(plan.token_endpoint, dev=dev))
        lines.append(f"Code goes to {host}. {_code_words(plan.tx_code)}")
    return lines


def _kind(wanted: Wanted, bundle: Bundle, lang: str, copies: int) -> str:
    vct = wanted.configuration.vct or ""
    kind = bundle.find_type(vct)
    name = f"{_brief(vct)}, **of no type that is known here**"
    if kind is not None:
        name = pick(kind.names, lang) or vct
    if wanted.format == CODE:
        return f"{name}, as a code"
    return name if copies == 1 else f"{name}, {copies} copies"


def _brief(text: str) -> str:
    """Words of an issuer's own: too few of them, and no gaps, to pass for lines of ours."""
    words = " ".join(text.split())
    return words if len(words) <= _MAX_WORDS_CHARS else f"{words[:_MAX_WORDS_CHARS]}..."


def _refuse_stranger(plan: Plan, bundle: Bundle) -> None:
    if not bundle.find_issuer(plan.issuer):
        raise RefusedError(
            f"{plan.host} is not on any list that this wallet holds",
            code="ISSUER_UNKNOWN",
            hint="Nothing was asked for. Run `wallet sync`; without --yes you are asked.",
        )


def _code_words(asked: TxCode) -> str:
    length = f"{asked.length} " if asked.length else ""
    kind = "digits" if asked.input_mode == "numeric" else "characters"
    words = f"The code of {length}{kind} that came by another way"
    return f'{words} ("{escape(_brief(asked.description))}")' if asked.description else words


def _check_tx_code(asked: TxCode | None, given: str | None) -> None:
    """Raises UsageError for a code that cannot be right; nothing is sent then."""
    if given is None:
        return
    if asked is None:
        raise UsageError("this offer takes no code", hint="Leave out --tx-code.")
    fits = asked.length is None or len(given) == asked.length
    digits = asked.input_mode != "numeric" or (given.isascii() and given.isdigit())
    if not (fits and digits and 0 < len(given) <= _MAX_TX_CODE_CHARS):
        raise UsageError("the code has not the form that the issuer names")


# --- requests -------------------------------------------------------------------------------------


class Leaving(NamedTuple):
    """What one holding would show to one verifier.

    shown    claims that the presentation holds
    hidden   dotted names that stay
    trouble  code of what this wallet itself finds wrong with it, "" where it finds nothing
    """

    holding: Holding
    shown: Mapping[str, object]
    hidden: Sequence[str]
    trouble: str


def ask_consent(
    request: Request, leaving: Sequence[Leaving], bundle: Bundle, *, yes: bool, lang: str
) -> None:
    """Show who would see what, and ask. Raises RefusedError where the person declines."""
    note("\n".join(consent_lines(request, leaving, bundle, lang)))
    if not yes:
        agree("Leave this device?", declined="Nothing of it was shown.")


def consent_lines(
    request: Request, leaving: Sequence[Leaving], bundle: Bundle, lang: str
) -> list[str]:
    """The screen before anything leaves; names come from certificates and types alone."""
    lines = asker_lines(request)
    for entry in leaving:
        kind = bundle.find_type(entry.holding.summary["type"])
        labels = words_of(kind, lang).labels
        seen = [labels.get(name, name) for name in _paths(entry.shown, entry.hidden)]
        kept = [labels.get(name, name) for name in entry.hidden]
        lines += [
            f"From            {escape(_title(entry.holding, lang))}",
            f"They will see   {escape(', '.join(seen)) or 'that you hold it'}",
            f"Stays hidden    {escape(', '.join(kept)) or 'nothing'}",
        ]
        if entry.trouble:
            lines.append(f"Be warned       it does not check as good now: {entry.trouble}")
    return lines


def asker_lines(request: Request) -> list[str]:
    """Who asks, and who gets the answer where that is somebody else."""
    lines = [f"Who asks        {verifier_words(request)}"]
    if request.elsewhere is not None:
        elsewhere = escape(request.elsewhere)
        lines.append(f"Who gets it     {elsewhere}, **which their certificate does not name**")
    return lines


def verifier_words(request: Request) -> str:
    """Who asks, as far as it is proven."""
    host = escape(request.host or "no host")
    if not request.signed:
        return f"{host} gets the answer. **Who that is, nothing proves.**"
    name = f"{escape(request.name)} ({host}, " if request.name else f"{host} ("
    return f"{name}certificate valid)"


def _title(holding: Holding, lang: str) -> str:
    summary = holding.summary
    name = pick(summary["type_names"], lang) or summary["type"]
    title = claim_text(summary["title"], "title", NO_WORDS, lang)
    return ", ".join(filter(None, (name, title, str(summary["number"]))))


def _paths(claims: Mapping[str, object], hidden: Sequence[str]) -> list[str]:
    """Names of what is shown; by dotted names where a part of a claim stays hidden."""
    names = []
    for name, value in claims.items():
        partly = isinstance(value, Mapping) and any(h.startswith(f"{name}.") for h in hidden)
        inner = value if partly and isinstance(value, Mapping) else ()
        names += [f"{name}.{member}" for member in inner] or [name]
    return names
