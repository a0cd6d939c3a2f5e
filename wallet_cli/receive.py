"""Taking a certificate in: read, judge by the wallet's own trust data, compare with the keys, keep.

Nothing is stored unless every copy offered is accepted, complete, bound to a key that this wallet
made and has not used, and says the same as its siblings: one certificate is of one person. The
names shown come from the registry's entry of the issuer, never from the file. How the file reached
this device is not our business.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from schemas.messages import lead, next_step
from schemas.verdict import CredentialView, Verdict
from talentseal import codetext, cwt, qr, sdjwt
from talentseal.bundle import Bundle
from talentseal.encoding import (
    b64url_encode,
    canonical_json,
    format_time,
    parse_json,
    to_seconds,
)
from talentseal.errors import InputError, RefusedError
from talentseal.files import read_bounded
from talentseal.keys import PublicKey
from talentseal.reading import Evidence, read
from talentseal.type_metadata import ENVELOPE, CredentialType
from wallet_cli.trust import judge
from wallet_cli.vault import CODE, SDJWT, Act, Content, Copy, Holding, Key

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_DOCUMENT_BYTES = 1024 * 1024
MAX_COPIES = 16
_MAX_ID_CHARS = 200
_ID_CHARS = 8
_SAME = ("issuer", "jurisdiction", "type", "expires_at")
_TITLES = ("title_name", "qualification_name", "programme", "position", "category")


class Offered(NamedTuple):
    """One copy as it came: its format and the text, or bytes in base64url, and what it is bound to.

    kid  thumbprint of the key that it names, "" where it names none
    """

    format: str
    credential: str
    kid: str

    def evidence(self) -> Evidence:
        if self.format == SDJWT:
            return Evidence(text=self.credential)
        return Evidence(code=codetext.parse_text(self.credential).code)


class Delivered(NamedTuple):
    """One copy as an issuer's answer brought it.

    type     that was asked for
    request  with which it was asked for, alike for the copies of one certificate; "" if not known
    """

    copy: Offered
    type: str
    request: str


class Offer(NamedTuple):
    """What a file holds: the issuer's own id of it, if any, and the copies."""

    document: str
    copies: Sequence[Offered]

    @property
    def id(self) -> str:
        return hashlib.sha256(self.copies[0].credential.encode()).hexdigest()[:_ID_CHARS]


# --- reading a file -------------------------------------------------------------------------------


def read_offer(path: Path) -> Offer:
    """An offer from a document, an SD-JWT VC, or a code as text or picture.

    Raises UnavailableError, InputError.
    """
    data = read_bounded(path, MAX_FILE_BYTES)
    if qr.looks_like_picture(data) or qr.looks_like_pdf(data):
        return Offer("", [_only(_read_code(text) for text in qr.read(data))])
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise InputError("no certificate", code="NOT_A_CREDENTIAL") from error
    if text.startswith("{"):
        return _read_document(text.encode())
    if sdjwt.looks_like_sdjwt(text):
        return Offer("", [_read_sdjwt(text)])
    return Offer("", [_read_code(text)])


def _only(found: Iterable[Offered]) -> Offered:
    copies = list(found)
    if len(copies) != 1:
        raise InputError("more than one code on one page", code="NOT_A_CREDENTIAL")
    return copies[0]


def _read_document(data: bytes) -> Offer:
    document = parse_json(data, max_bytes=MAX_DOCUMENT_BYTES)
    name, items = document.get("id", ""), document.get("credentials")
    if type(name) is not str or len(name) > _MAX_ID_CHARS or type(items) is not list:
        _malformed("a document without certificates")
    if not 0 < len(items) <= MAX_COPIES:
        _malformed(f"a document holds 1 to {MAX_COPIES} copies")
    return Offer(name, [read_item(item) for item in items])


def read_item(item: Any) -> Offered:
    """One copy, as `{"format", "credential"}`. Raises InputError."""
    readers = {SDJWT: _read_sdjwt, CODE: _read_code}
    form = item.get("format") if type(item) is dict else None
    reader = readers.get(form) if type(form) is str else None
    credential = item.get("credential") if reader else None
    if reader is None or type(credential) is not str:
        _malformed("a copy of a format that is not read here")
    return reader(credential)


def _read_sdjwt(text: str) -> Offered:
    parsed = sdjwt.parse(text)
    if parsed.key_binding is not None:
        _malformed("a presentation, made for somebody else, is no certificate to keep")
    cnf = parse_json(parsed.jws.payload).get("cnf")
    jwk = cnf.get("jwk") if type(cnf) is dict else None
    return Offered(SDJWT, text, PublicKey.from_jwk(jwk).kid)


def _read_code(text: str) -> Offered:
    data = codetext.parse_text(text).code
    code = cwt.parse(data)
    if code.proof is not None:
        _malformed("a live code, made for somebody else, is no certificate to keep")
    holder = cwt.holder_of(code)
    return Offered(CODE, b64url_encode(data), holder.kid if holder else "")


def _malformed(message: str) -> NoReturn:
    raise InputError(message, code="MALFORMED")


# --- judging --------------------------------------------------------------------------------------


def judge_offer(
    offer: Offer, content: Content, bundle: Bundle, *, now: datetime, lang: str
) -> Holding:
    """The holding that the offer makes. Raises RefusedError with the code of what is wrong."""
    _refuse_held(offer, content)
    keys = _keys_of(offer, content)
    views = [_accepted(copy, bundle, now=now, lang=lang) for copy in offer.copies]
    return _holding(offer, keys, views, bundle, now)


def judge_issued(
    delivered: Sequence[Delivered],
    issuer: str | None,
    content: Content,
    bundle: Bundle,
    *,
    now: datetime,
    lang: str,
) -> list[tuple[Offer, Holding]]:
    """What an issuer delivered to this wallet, one holding for each certificate.

    issuer   the only body that may have sealed them, None where that is not known
    content  whose unused keys are those of this delivery and no others

    Raises RefusedError with the code of what is wrong with any of them.
    """
    copies = [one.copy for one in delivered]
    whole = Offer("", copies)
    _refuse_held(whole, content)
    keys = _keys_of(whole, content)
    views = [_accepted(copy, bundle, now=now, lang=lang) for copy in copies]
    for one, view in zip(delivered, views, strict=True):
        if one.type != view.type or issuer not in (None, view.issuer):
            _refuse_other(view)
    judged = []
    for members in _certificates(delivered, views):
        offer = Offer("", [copies[at] for at in members])
        parts = [keys[at] for at in members], [views[at] for at in members]
        judged.append((offer, _holding(offer, *parts, bundle, now)))
    return judged


def _certificates(
    delivered: Sequence[Delivered], views: Sequence[CredentialView]
) -> list[list[int]]:
    """Places of the copies of each certificate, by type and number; forms may come apart.

    What was asked for with one request is one certificate (OpenID4VCI §3.3.2).
    """
    groups: dict[tuple[str, str], list[int]] = {}
    answers: dict[str, tuple[str, str]] = {}
    for at, (one, view) in enumerate(zip(delivered, views, strict=True)):
        name = view.type, str(view.claims.get("certificate_number", ""))
        groups.setdefault(name, []).append(at)
        if one.request and answers.setdefault(one.request, name) != name:
            _refuse_contradiction()
    return list(groups.values())


def _refuse_other(view: CredentialView) -> NoReturn:
    raise RefusedError(
        f"{view.issuer} delivered a certificate of another type, or of another body, than promised",
        code="CLAIMS_INVALID",
        hint="Nothing was stored. Ask the issuer what went wrong.",
    )


def _holding(
    offer: Offer,
    keys: Sequence[Key],
    views: Sequence[CredentialView],
    bundle: Bundle,
    now: datetime,
) -> Holding:
    if len(views) > 1 and not _say_the_same(offer.copies, views, bundle):
        _refuse_contradiction()
    return Holding(
        id=offer.id,
        document=offer.document,
        received=format_time(to_seconds(now)),
        summary=_summary(views, bundle),
        copies=[
            Copy(copy.format, copy.credential, key.kid, key.pkcs8)
            for copy, key in zip(offer.copies, keys, strict=True)
        ],
    )


def _say_the_same(
    copies: Sequence[Offered], views: Sequence[CredentialView], bundle: Bundle
) -> bool:
    """Whether these are copies of one certificate.

    Only salts, keys, places of status and the moment of sealing may differ, and a code holds a part
    of the claims. When they begin is not compared: every accepted copy has begun.
    """
    places = [read(copy.evidence(), bundle).territory for copy in copies]
    terms = {
        (*(getattr(view, name) for name in _SAME), *territory)
        for view, territory in zip(views, places, strict=True)
    }
    said = {copy.format: view.claims for copy, view in zip(copies, views, strict=True)}
    texts = {
        (copy.format, canonical_json(view.claims)) for copy, view in zip(copies, views, strict=True)
    }
    alike = len(terms) == 1 and len(texts) == len(said)
    return alike and (len(said) == 1 or _is_part(said[CODE], said[SDJWT]))


def _is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(name in whole and _is_part(part[name], whole[name]) for name in part)
    return canonical_json([part]) == canonical_json([whole])


def _refuse_contradiction() -> NoReturn:
    raise RefusedError(
        "the copies do not say the same: they are of different certificates, or different people",
        code="CLAIMS_INVALID",
        hint="Nothing was stored. Ask the issuer what went wrong.",
    )


def keep(content: Content, offer: Offer, holding: Holding) -> None:
    """Store a judged offer and use up its keys. Raises RefusedError where one was used meanwhile.

    The content may have changed since it was judged: somebody was asked in between.
    """
    _refuse_held(offer, content)
    used = {key.kid for key in _keys_of(offer, content)}
    content.keys = [key for key in content.keys if key.kid not in used]
    content.holdings.append(holding)
    content.note(Act(holding.received, "received", holding.id))


def _refuse_held(offer: Offer, content: Content) -> None:
    held = {copy.kid: found for found in content.holdings for copy in found.copies}
    known = next((held[copy.kid] for copy in offer.copies if copy.kid in held), None)
    if known is not None:
        raise RefusedError(
            f"the wallet holds a certificate for this key already: {known.id}",
            code="STATE_CONFLICT",
            hint="Nothing was stored. A new certificate needs a new key: `wallet key`.",
        )


def _keys_of(offer: Offer, content: Content) -> list[Key]:
    unused = {key.kid: key for key in content.keys}
    kids = [copy.kid for copy in offer.copies]
    if not unused.keys() >= set(kids) or len(set(kids)) != len(kids):
        raise RefusedError(
            "this certificate is bound to a key that is not one of this wallet's unused keys",
            code="HOLDER_NOT_BOUND",
            hint="Nothing was stored. Make a key with `wallet key` and give it to the issuer.",
        )
    return [unused[kid] for kid in kids]


def _accepted(copy: Offered, bundle: Bundle, *, now: datetime, lang: str) -> CredentialView:
    verdict = judge(copy.evidence(), bundle, now=now)
    view = verdict.credential
    if verdict.outcome != "accept" or view is None:
        _refuse(verdict, lang)
    kind = bundle.find_type(view.type)
    if copy.format == SDJWT and kind is not None:
        _refuse_incomplete(view.claims, kind)
    return view


def _refuse(verdict: Verdict, lang: str) -> NoReturn:
    code = verdict.headline or "NOT_A_CREDENTIAL"
    sentence, step = lead(verdict, lang).sentence, next_step(code, lang)
    hint = f"Nothing was stored. {step}".strip()
    raise RefusedError(sentence, code=str(code), hint=hint)


def _refuse_incomplete(claims: Mapping[str, Any], kind: CredentialType) -> None:
    """A holder gets every disclosure: what the type demands and is not there was held back."""
    for path in kind.mandatory:
        if path[0] not in ENVELOPE and not _has(claims, path):
            raise RefusedError(
                f"the certificate came without {'.'.join(map(str, path))}",
                code="CLAIM_MISSING",
                hint="Nothing was stored. Ask the issuer for the whole certificate.",
            )


def _has(claims: Mapping[str, Any], path: Sequence[str | int | None]) -> bool:
    value: Any = claims
    for name in path:
        if not isinstance(name, str):
            return True  # inside a list: as many as there are
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return True


def _summary(views: Sequence[CredentialView], bundle: Bundle) -> dict[str, Any]:
    """What is shown of the certificate when trust data cannot be read."""
    view = views[0]
    kind = bundle.find_type(view.type)
    return {
        "type": view.type,
        "type_names": dict(kind.names) if kind else {},
        "title": next((view.claims[name] for name in _TITLES if name in view.claims), ""),
        "number": view.claims.get("certificate_number", ""),
        "issuer": view.issuer,
        "issuer_names": dict(view.issuer_names),
        "jurisdiction": view.jurisdiction,
        "issued_at": view.issued_at,
        "expires_at": view.expires_at,
    }
