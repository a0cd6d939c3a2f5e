"""Handing a presentation to somebody as a file: only what the person named, and nothing unseen.

Without names nothing optional leaves. The preview is made from the presentation itself, after the
other disclosures were taken out, so that it cannot promise less than what is sent.

Standards: RFC 9901 §7.2 (disclosing), §4.3 (key binding).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from talentseal import sdjwt
from talentseal.encoding import to_seconds
from talentseal.errors import UsageError
from talentseal.type_metadata import ENVELOPE
from wallet_cli.vault import SDJWT, Copy, Holding, signer_of

_MAX_ASKED_CHARS = 2048
Path = Sequence[str | int | None]


class Presentation(NamedTuple):
    """What would leave.

    text    the presentation, bound to audience and nonce where they were given
    shown   claims that it shows, as they stand in it
    hidden  dotted names of claims that stay
    kid     key of the copy that it is made from
    """

    text: str
    shown: Mapping[str, Any]
    hidden: Sequence[str]
    kid: str


def make_presentation(
    holding: Holding,
    names: Sequence[str],
    *,
    audience: str | None,
    nonce: str | None,
    now: datetime,
) -> Presentation:
    """Raises UsageError for a name that is not there, or where only a code is held."""
    copy = _wallet_copy(holding)
    _check_asked(audience, nonce)
    made = _present(copy, sdjwt.disclose(copy.credential, names))
    if audience is None or nonce is None:
        return made
    return _bound(made, copy, audience=audience, nonce=nonce, now=now)


def make_answer(
    holding: Holding, paths: Sequence[Path], *, audience: str, nonce: str, now: datetime
) -> Presentation:
    """A bound presentation that shows these claims path pointers and no more.

    Raises UsageError for a path that leads nowhere, or where only a code is held.
    """
    copy = _wallet_copy(holding)
    made = _present(copy, sdjwt.disclose_paths(copy.credential, paths))
    return _bound(made, copy, audience=audience, nonce=nonce, now=now)


def _wallet_copy(holding: Holding) -> Copy:
    copy = holding.copy(SDJWT)
    if copy is None:
        raise UsageError(
            f"{holding.id} is held as a code alone, and a code shows itself whole",
            code="NOT_FOUND",
            hint="Use `wallet qr`.",
        )
    return copy


def _present(copy: Copy, text: str) -> Presentation:
    shown, all_claims = _own(sdjwt.all_claims(text)), _own(sdjwt.all_claims(copy.credential))
    hidden = [name for name in _paths(all_claims) if name not in set(_paths(shown))]
    outermost = [name for name in hidden if name.rpartition(".")[0] not in hidden]
    return Presentation(text, shown, outermost, copy.kid)


def _bound(
    made: Presentation, copy: Copy, *, audience: str, nonce: str, now: datetime
) -> Presentation:
    text = sdjwt.bind(
        made.text,
        audience=audience,
        nonce=nonce,
        issued_at=to_seconds(now),
        signer=signer_of(copy),
    )
    return made._replace(text=text)


def _check_asked(audience: str | None, nonce: str | None) -> None:
    if (audience is None) != (nonce is None):
        raise UsageError(
            "audience and nonce belong together", hint="Give both as the verifier named them."
        )
    for text in (audience, nonce):
        if text is not None and not (text.isprintable() and 0 < len(text) <= _MAX_ASKED_CHARS):
            raise UsageError("an audience or nonce of an impossible form")


def _own(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in ENVELOPE}


def _paths(claims: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Dotted names of claims and of what lies directly inside them."""
    for name, value in claims.items():
        yield f"{above}{name}"
        if isinstance(value, Mapping) and not above:
            yield from _paths(value, f"{name}.")
