"""Answering a verifier's request: read, choose, ask the person, send, remember.

A request with any defect is refused before anything is sent. Only claims that the query names
leave, with what they stand in, and only after the person saw them and said yes. No and "nothing
fits" are told with the same words. A link that the verifier gives back is shown, never followed.

Standard: OpenID4VP 1.0 (final), `direct_post` and `direct_post.jwt`; RFC 9901 §7.2, §4.3.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from schemas.openid4vp import REQUEST_MEDIA_TYPE, SDJWT_FORMAT, DcqlQuery, ResponseAnswer
from talentseal import dcql, oid4vp, sdjwt
from talentseal.bundle import Bundle
from talentseal.commandline import note
from talentseal.dcql import Candidate, Choice
from talentseal.encoding import (
    MAX_JWS_BYTES,
    MAX_METADATA_BYTES,
    b64url_encode,
    dump_json,
    format_time,
    from_seconds,
    malformed,
)
from talentseal.errors import InputError, RefusedError, TalentsealError, UnavailableError
from talentseal.files import read_bounded
from talentseal.links import check_url
from talentseal.oid4vp import Invocation, Request
from talentseal.shapes import parse_shape
from talentseal.terminal import escape
from talentseal.x509 import authorities_of, load_anchors, parse_x5c
from wallet_cli.ask import Leaving, ask_consent, asker_lines, refuse_unattended
from wallet_cli.calling import Wallet, announce
from wallet_cli.disclose import Presentation, make_answer
from wallet_cli.places import ask_line
from wallet_cli.trust import judge
from wallet_cli.vault import SDJWT, Act, Holding, Vault
from wallet_cli.view import evidence_of, main_copy

if TYPE_CHECKING:
    from cryptography import x509

    from talentseal.fetch import Answer

_MAX_ANCHOR_BYTES = 256 * 1024
_NONCE_BYTES = 24
# Acts of the history; the first turns into another.
SENDING, PRESENTED, NOT_SENT = "being sent", "presented", "not sent"


class Presenter(NamedTuple):
    """Whose certificates, by what trust data, over which network.

    anchors  file with further authorities whose verifiers are believed, None for no others
    """

    vault: Vault
    bundle: Bundle
    wallet: Wallet
    lang: str
    anchors: Path | None


class Wishes(NamedTuple):
    """What the person said on the command line.

    only      ids of certificates, or their beginnings, from which alone is chosen
    optional  show also what the verifier would like and does not need
    """

    yes: bool
    only: Sequence[str]
    optional: bool


class Sent(NamedTuple):
    """What left, to whom, and where the verifier wants the person to go on."""

    to: str
    shown: Sequence[tuple[str, Presentation]]  # holding id, what it showed
    redirect_uri: str | None


def answer(link: str, presenter: Presenter, wishes: Wishes) -> Sent:
    """Answer the request behind a link.

    Raises UsageError, RefusedError (by wallet, person or verifier), InputError, UnavailableError.
    """
    refuse_unattended(yes=wishes.yes, action="something leaves the device")
    invocation = oid4vp.parse_invocation(link)
    request = read_request(invocation, presenter)
    if wishes.yes and not request.signed:
        raise RefusedError(
            "nothing proves who asks, so --yes is not enough",
            code="REQUEST_INVALID",
            hint="Nothing was sent. Answer at a terminal, without --yes.",
        )
    if wishes.yes and request.elsewhere is not None:
        raise RefusedError(
            f"the answer would go to {escape(request.elsewhere)}, so --yes is not enough",
            code="REQUEST_INVALID",
            hint="Nothing was sent. Answer at a terminal, without --yes.",
        )
    presenter.wallet.fetcher.target(request.response_uri)  # it can be called, or nobody is asked
    held = _held(presenter, wishes.only)
    candidates = [_candidate(holding, request.query) for holding in held]
    choices = dcql.evaluate(request.query, candidates, optional=wishes.optional)
    if choices is None:
        _say_nothing_fits(request, presenter, wishes)
    by_id = {holding.id: holding for holding in held}
    made = [
        (choice, by_id[choice.key], _made(request, choice, by_id, presenter)) for choice in choices
    ]
    form = oid4vp.presentation_form(
        request, {choice.query: (shown.text,) for choice, _, shown in made}
    )
    _ask(request, made, presenter, wishes)
    said = _send(request, form, made, presenter)
    shown = [(holding.id, presentation) for _, holding, presentation in made]
    return Sent(request.client_id, shown, _after(said, request, presenter.wallet))


# --- the request ----------------------------------------------------------------------------------


def read_request(invocation: Invocation, presenter: Presenter) -> Request:
    """The request, fetched where it lies and found without a defect."""
    wallet = presenter.wallet
    if invocation.request_uri is None and invocation.request is None:
        return oid4vp.read_unsigned_request(invocation, dev=wallet.dev)
    nonce = b64url_encode(secrets.token_bytes(_NONCE_BYTES)) if _posts(invocation) else None
    text = invocation.request
    if text is None:
        text = _fetch_request(invocation, nonce, wallet)
    return oid4vp.read_request_object(
        text,
        client_id=invocation.client_id,
        anchors=_anchors(presenter),
        now=wallet.clock(),
        wallet_nonce=nonce,
        dev=wallet.dev,
    )


def _posts(invocation: Invocation) -> bool:
    return invocation.request_uri is not None and invocation.method == "post"


def _fetch_request(invocation: Invocation, nonce: str | None, wallet: Wallet) -> str:
    url = invocation.request_uri or ""
    announce(url, dev=wallet.dev)
    if nonce is None:
        answer = wallet.fetcher.get(url, accept=REQUEST_MEDIA_TYPE, max_bytes=MAX_JWS_BYTES)
    else:
        form = {"wallet_nonce": nonce, "wallet_metadata": dump_json(_METADATA).decode()}
        answer = wallet.fetcher.post(
            url, data=form, accept=REQUEST_MEDIA_TYPE, max_bytes=MAX_JWS_BYTES
        )
    try:
        return answer.document.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise InputError("a request object is ASCII text", code="MALFORMED") from error


_METADATA = {
    "vp_formats_supported": {
        SDJWT_FORMAT: {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}
    },
    "client_id_prefixes_supported": [oid4vp.X509_SAN_DNS, oid4vp.X509_HASH],
    "response_modes_supported": ["direct_post", "direct_post.jwt"],
    "request_object_signing_alg_values_supported": ["ES256"],
}


def _anchors(presenter: Presenter) -> "list[x509.Certificate]":
    """The authorities of every jurisdiction held, and those that the person named."""
    held = presenter.bundle.jurisdictions.values()
    found = [anchor for jurisdiction in held for anchor in load_anchors(jurisdiction.ca)]
    if presenter.anchors is not None:
        found += _anchors_in(presenter.anchors)
    return found


def _anchors_in(path: Path) -> "list[x509.Certificate]":
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(read_bounded(path, _MAX_ANCHOR_BYTES))
    except ValueError as error:
        raise InputError(f"{path} holds no certificates in PEM", code="MALFORMED") from error


# --- choosing -------------------------------------------------------------------------------------


def _held(presenter: Presenter, only: Sequence[str]) -> list[Holding]:
    """Holdings to choose from: good ones first, the latest of them first."""
    content = presenter.vault.read()
    held = [content.find(wanted) for wanted in only] if only else content.holdings
    kept = [holding for holding in held if holding.copy(SDJWT) is not None]
    latest = sorted(kept, key=lambda holding: holding.received, reverse=True)
    return sorted(latest, key=lambda holding: bool(_trouble(holding, presenter)))


def _trouble(holding: Holding, presenter: Presenter) -> str:
    now = from_seconds(presenter.wallet.clock())
    verdict = judge(evidence_of(main_copy(holding)), presenter.bundle, now=now)
    return "" if verdict.outcome == "accept" else str(verdict.headline)


def _candidate(holding: Holding, query: DcqlQuery) -> Candidate:
    copy = main_copy(holding)
    named = any(asked.trusted_authorities for asked in query.credentials)
    return Candidate(
        key=holding.id,
        format=copy.format,
        vct=holding.summary["type"],
        claims=sdjwt.all_claims(copy.credential),
        authorities=_authorities(copy.credential) if named else frozenset(),
    )


def _authorities(text: str) -> frozenset[str]:
    """Key identifiers of the authorities in a credential's certificate chain (§6.1.1.1)."""
    return authorities_of(parse_x5c(sdjwt.parse(text).jws.header.get("x5c")))


def _made(
    request: Request, choice: Choice, held: dict[str, Holding], presenter: Presenter
) -> Presentation:
    return make_answer(
        held[choice.key],
        choice.paths,
        audience=request.client_id,
        nonce=request.nonce,
        now=from_seconds(presenter.wallet.clock()),
    )


# --- asking and sending ---------------------------------------------------------------------------

_Made = tuple[Choice, Holding, Presentation]


def _ask(request: Request, made: Sequence[_Made], presenter: Presenter, wishes: Wishes) -> None:
    """The consent screen; a no is told to the verifier. Raises RefusedError."""
    leaving = [
        Leaving(holding, shown.shown, shown.hidden, _trouble(holding, presenter))
        for _, holding, shown in made
    ]
    try:
        ask_consent(request, leaving, presenter.bundle, yes=wishes.yes, lang=presenter.lang)
    except RefusedError:
        _decline(request, presenter.wallet)
        raise


def _say_nothing_fits(request: Request, presenter: Presenter, wishes: Wishes) -> NoReturn:
    """Tell it like a no, and not faster than a person would."""
    note("\n".join((*asker_lines(request), "Nothing that you hold fits what they ask for.")))
    if not wishes.yes:
        ask_line("They will be told no. Press Enter to go on: ")
    _decline(request, presenter.wallet)
    who = request.host or request.elsewhere or ""
    raise RefusedError(
        f"nothing in this wallet fits what {escape(who)} asks for",
        code="PRESENTATION_DECLINED",
        hint="The verifier was told no, and nothing else. See `wallet list`.",
    )


def _decline(request: Request, wallet: Wallet) -> None:
    """Say no; whether it arrives changes nothing."""
    try:
        _post(request, oid4vp.error_form(request), wallet)
    except (InputError, RefusedError, UnavailableError) as error:
        note(f"The verifier did not take the no: {error.message}")


def _send(
    request: Request, form: dict[str, str], made: Sequence[_Made], presenter: Presenter
) -> "Answer":
    """Post the answer; remembered before it leaves, and what became of it afterwards."""
    begun = _record(request, made, presenter)
    try:
        said = _post(request, form, presenter.wallet)
    except (InputError, RefusedError, UnavailableError) as error:
        _conclude(begun, made, _outcome(error), presenter)
        raise
    _conclude(begun, made, PRESENTED, presenter)
    return said


def _outcome(error: TalentsealError) -> str:
    """The act that a failure leaves: what is no reading of an answer never reached anybody."""
    if isinstance(error, UnavailableError):
        return NOT_SENT if error.is_unsent else "perhaps presented"
    if isinstance(error, RefusedError):
        return "presented and refused" if error.code == "PRESENTATION_REJECTED" else NOT_SENT
    return PRESENTED  # and their answer could not be read


def _record(request: Request, made: Sequence[_Made], presenter: Presenter) -> list[Act]:
    """Remember before anything leaves, so that nothing leaves unremembered by whoever is killed."""
    at, to = format_time(presenter.wallet.clock()), _taker(request)
    begun = []
    with presenter.vault.change() as content:
        content.mark_used({shown.kid for _, _, shown in made})
        for choice, holding, _ in made:
            names = [".".join("*" if s is None else str(s) for s in path) for path in choice.paths]
            begun.append(Act(at, SENDING, holding.id, to, names))
            content.note(begun[-1])
    return begun


def _conclude(
    begun: Sequence[Act], made: Sequence[_Made], outcome: str, presenter: Presenter
) -> None:
    """Say how it ended; where that cannot be written, it stays on record as being sent.

    A copy that never left was not used.
    """
    try:
        with presenter.vault.change() as content:
            for act in begun:
                content.conclude(act, outcome)
            if outcome == NOT_SENT:
                content.mark_used({shown.kid for _, _, shown in made}, by=-1)
    except (RefusedError, UnavailableError) as error:  # RefusedError: a vault that is full
        note(f"The history could not be brought up to date: {error.message}")


def _taker(request: Request) -> str:
    """The verifier's own name, and whoever else gets what it asked for."""
    if request.elsewhere is None:
        return request.client_id
    return f"{request.client_id} at {request.elsewhere}"


def _post(request: Request, form: dict[str, str], wallet: Wallet) -> "Answer":
    """Raises RefusedError where the verifier refused, UnavailableError where nobody knows."""
    try:
        answer = wallet.fetcher.post(
            request.response_uri, data=form, accept="application/json",
            max_bytes=MAX_METADATA_BYTES,
        )  # fmt: skip
    except UnavailableError as error:
        if error.is_unsent:
            raise
        raise UnavailableError(
            f"{error.message}; it is not known whether the answer arrived",
            code=error.code,
            hint="Ask the verifier before you answer again.",
        ) from error
    if answer.status >= 400:
        raise RefusedError(
            f"{escape(request.elsewhere or request.host)} refused the answer ({answer.status})",
            code="PRESENTATION_REJECTED",
            hint="Ask the verifier for a new request.",
        )
    return answer


def _after(answer: "Answer", request: Request, wallet: Wallet) -> str | None:
    """Where the person goes on in a browser, fragment and all; only shown, never fetched."""
    if not answer.body:
        return None
    try:
        uri = parse_shape(ResponseAnswer, answer.body, "the verifier's answer").redirect_uri
        if uri is not None:
            check_url(uri.partition("#")[0], dev=wallet.dev)
            if not (uri.isascii() and uri.isprintable()):
                malformed("a place to go on with marks that cannot be shown")
    except InputError as error:  # the presentation has left: this is no failure any more
        note(f"{escape(request.host)} took the answer and said something unreadable: {error}")
        return None
    return uri


def sent_document(sent: Sent) -> dict[str, Any]:
    """`wallet present --json`."""
    return {
        "state": "sent",
        "to": sent.to,
        "shown": [
            {"id": name, "claims": list(shown.shown), "hidden": list(shown.hidden)}
            for name, shown in sent.shown
        ],
        "redirect_uri": sent.redirect_uri,
    }


def sent_text(sent: Sent) -> str:
    if sent.redirect_uri is None:
        return "Sent."
    return f"Sent. Go on in your browser:\n{sent.redirect_uri}"
