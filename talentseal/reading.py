"""Step 1: evidence into a sealed credential, one strict parse for either form.

A `Sealed` says only what is needed to find the key that should have sealed it. Its claims come
out in `Credential`, which a verifier makes in step 4 alone, once the seal is good: what has not
been verified cannot be shown by mistake. (An issuer makes one of its own draft.)

Standards: RFC 9901 §7.1 (1), (2a), (3)-(5); RFC 8392 §7.2; Type Metadata as in `type_metadata`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from schemas.territory import parse_territory
from talentseal import codetext, cwt, sdjwt
from talentseal.bundle import Bundle, ListedKey
from talentseal.encoding import (
    MAX_CODE_TEXT_CHARS,
    MAX_SDJWT_BYTES,
    dump_json,
    is_time,
    parse_json,
    too_large,
)
from talentseal.errors import InputError
from talentseal.jose import check_header, kid_of
from talentseal.keys import COSE_ALGORITHMS, PublicKey
from talentseal.type_metadata import ENVELOPE, CredentialType

if TYPE_CHECKING:
    from schemas.openid4vp import CredentialQuery

MAX_TERRITORIES = 16
MAX_URI_CHARS = 2048


class Evidence(NamedTuple):
    """What was shown, and what had been asked for.

    text      an SD-JWT VC or presentation, or the text of a code in any of its transports
    code      the bytes of a code, where they came without text
    audience  the verifier's own id, as the request named it
    nonce     the request's nonce; for a code the challenge (base64url, or 8 digits read out)
    query     what a wallet was asked for, where this is its answer
    """

    text: str = ""
    code: bytes = b""
    audience: str | None = None
    nonce: str | None = None
    query: "CredentialQuery | None" = None


class Sealed:
    """A well-formed credential whose seal has not been checked."""

    __slots__ = (
        "_claims",
        "alg",
        "code",
        "exp",
        "form",
        "header_text",
        "holder",
        "iat",
        "iss",
        "key_binding",
        "kid",
        "kind",
        "link_host",
        "nbf",
        "signature",
        "signed",
        "status",
        "territory",
        "x5c",
    )  # fmt: skip

    form: str
    kind: CredentialType
    kid: str | bytes
    alg: str
    iss: str
    iat: int
    exp: int
    nbf: int | None
    territory: Sequence[str]
    status: tuple[str, int] | None
    signed: bytes
    signature: bytes
    x5c: Any
    header_text: str
    holder: Any
    key_binding: sdjwt.SdJwt | None
    code: cwt.Code | None
    link_host: str | None
    _claims: Mapping[str, Any]


class Credential:
    """A credential whose seal is good: the only thing that shows claims.

    made  the holder's key, where checking its form has made it already
    """

    __slots__ = ("_made", "claims", "key", "sealed")

    def __init__(self, sealed: Sealed, key: ListedKey, made: PublicKey | None = None) -> None:
        self.sealed = sealed
        self.key = key
        self._made = made
        self.claims: Mapping[str, Any] = sealed._claims  # noqa: SLF001 - the one place that may

    @property
    def holder_bound(self) -> bool:
        return self.sealed.holder is not None

    @property
    def holder_key(self) -> PublicKey | None:
        """The key that the credential names as its holder's, made when it is needed."""
        if self._made is not None or self.sealed.holder is None:
            return self._made
        if self.sealed.code is not None:
            return cwt.holder_of(self.sealed.code)
        return PublicKey.from_jwk(self.sealed.holder)


def read(evidence: Evidence, bundle: Bundle) -> Sealed:
    """Parse evidence of either form. Raises InputError with a code of the check `format`."""
    if evidence.code:
        return _read_code(evidence.code, None, bundle)
    text = evidence.text
    if sdjwt.looks_like_sdjwt(text):
        return _read_sdjwt(text, bundle)
    if len(text) > MAX_CODE_TEXT_CHARS:
        too_large(f"a text of {len(text)} characters")
    parsed = codetext.parse_text(text)
    return _read_code(parsed.code, parsed.host, bundle)


# --- the wallet form ------------------------------------------------------------------------------


def _read_sdjwt(text: str, bundle: Bundle) -> Sealed:
    parsed = sdjwt.parse(text)
    jws = parsed.jws
    sealed = Sealed()
    sealed.form = "sd-jwt-vc"
    sealed.alg = check_header(jws.header, sdjwt.TYP)
    sealed.kid = kid_of(jws.header)
    sealed.signed, sealed.signature = jws.signing_input, jws.signature
    sealed.x5c, sealed.header_text = jws.header.get("x5c"), jws.header_text
    if sealed.x5c is None:
        missing("x5c")
    inner: set[str] = set()
    payload = parse_json(jws.payload, max_bytes=MAX_SDJWT_BYTES, inner=inner)
    _read_envelope(sealed, payload)
    sealed.holder = _confirmation(payload.get("cnf"))
    opened = sdjwt.open_disclosures(payload, parsed.disclosures, inner=inner)
    sealed.kind = _type(payload["vct"], bundle)
    if payload.get("vct#integrity") != sealed.kind.integrity:
        raise InputError("the type's definition differs from the one held", code="VCT_INTEGRITY")
    claims = opened.claims
    for name in ENVELOPE & claims.keys():
        del claims[name]
    check_disclosability(claims, opened, sealed.kind)
    _check_shapes(claims, sealed.kind)
    sealed._claims = claims  # noqa: SLF001 - filled here, read by Credential
    sealed.key_binding = parsed if parsed.key_binding else None
    sealed.code, sealed.link_host = None, None
    return sealed


def _read_envelope(sealed: Sealed, payload: Mapping[str, Any]) -> None:
    if not payload.keys() >= _REQUIRED:
        missing(min(_REQUIRED - payload.keys()))
    iss, vct = payload["iss"], payload["vct"]
    if type(iss) is not str or type(vct) is not str or type(payload["vct#integrity"]) is not str:
        wrong("issuer or type")
    sealed.iss, sealed.iat, sealed.exp = iss, payload["iat"], payload["exp"]
    sealed.nbf = payload.get("nbf")
    if not (is_time(sealed.iat) and is_time(sealed.exp)):
        wrong("a time")
    if "nbf" in payload and not is_time(sealed.nbf):
        wrong("nbf")
    sealed.status = read_status(payload.get("status"))
    sealed.territory = _territories(payload["territory"])


_REQUIRED = frozenset(("iss", "vct", "vct#integrity", "iat", "exp", "cnf", "territory"))


def _confirmation(cnf: Any) -> Mapping[str, Any]:
    if type(cnf) is not dict or cnf.keys() != {"jwk"} or type(cnf["jwk"]) is not dict:
        wrong("cnf")
    jwk: Mapping[str, Any] = cnf["jwk"]
    return jwk


def read_status(status: Any) -> tuple[str, int] | None:
    """URI and index of a status reference (Token Status List §6). Raises `CLAIM_INVALID`."""
    if status is None:
        return None
    reference = status.get("status_list") if type(status) is dict else None
    if type(reference) is not dict:
        wrong("status")
    uri, index = reference.get("uri"), reference.get("idx")
    if type(uri) is not str or not uri.startswith("https://") or len(uri) > MAX_URI_CHARS:
        wrong("status uri")
    if type(index) is not int or index < 0:
        wrong("status index")
    return uri, index


def _territories(value: Any) -> Sequence[str]:
    if type(value) is not list or not 0 < len(value) <= MAX_TERRITORIES:
        wrong("territory")
    for item in value:
        if parse_territory(item) is None:
            wrong("territory")
    return value


def _type(vct: str, bundle: Bundle) -> CredentialType:
    kind = bundle.find_type(vct)
    if kind is None:
        raise InputError("the definition of this type is not held", code="VCT_UNKNOWN")
    return kind


def check_disclosability(
    claims: Mapping[str, Any], opened: sdjwt.Opened, kind: CredentialType
) -> None:
    """`sd` and `mandatory` of the Type Metadata. Raises `CLAIM_INVALID` or `CLAIM_MISSING`.

    A claim that is not shown is never taken for a missing one: only what must always be visible
    can be missing here.
    """
    hidden = opened.disclosed
    if not hidden <= kind.always:
        wrong("a claim that must always be visible, or that the type does not have,")
    if claims.keys() - hidden - kind.never:
        wrong("a claim that must be disclosed singly, or that the type does not have,")
    for name in kind.visible:
        if name not in claims:
            missing(name)
    if opened.hiding and not opened.hiding <= {path[:-1] for path in kind.nested}:
        wrong("a part of a claim that may not be hidden")
    if not opened.nested <= kind.nested:
        wrong("a part of a claim that may not be hidden")
    for path in kind.nested:
        if path[0] in hidden and path not in opened.nested:
            _check_not_in_clear(claims[path[0]], path)


def _check_not_in_clear(value: Any, path: Sequence[Any]) -> None:
    inner = path[1]
    if inner is None:
        if type(value) is not list or value:
            wrong("a list whose elements must be disclosed singly")
    elif type(value) is not dict or inner in value:
        wrong(f"{path[0]}.{inner}, which must be disclosed singly,")


def _check_shapes(claims: Mapping[str, Any], kind: CredentialType) -> None:
    """The values whose form the type's own document tells: texts, dates, texts by language.

    No claim of any type has the value null: what is not known is left out.
    """
    if None in claims.values():
        wrong("a claim")
    shapes = kind.shapes
    for name, value in claims.items():
        if name in shapes and type(value) is not shapes[name]:
            wrong(name)
    for name in kind.dates:
        if name in claims and not _is_date(claims[name]):
            wrong(name)
    for name in kind.language_maps:
        if name in claims and set(map(type, claims[name].values())) != _TEXT:
            wrong(name)


_TEXT = {str}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


# --- the code form --------------------------------------------------------------------------------


def _read_code(data: bytes, host: str | None, bundle: Bundle) -> Sealed:
    code = cwt.parse(data)
    message, claims = code.message, code.claims
    sealed = Sealed()
    sealed.form = code.form
    sealed.alg = COSE_ALGORITHMS[message.protected[1]]
    sealed.kid = message.protected[4]
    sealed.signed, sealed.signature = message.signed, message.signature
    sealed.x5c, sealed.header_text = None, ""
    sealed.iss, sealed.iat, sealed.exp = claims[cwt.ISS], claims[cwt.IAT], claims[cwt.EXP]
    sealed.nbf = claims.get(cwt.NBF)
    sealed.status = read_status(claims[cwt.STATUS])
    vct = claims[cwt.VCT]
    kind = bundle.find_type(vct) if type(vct) is str else bundle.find_type_by_number(vct)
    if kind is None:
        raise InputError("the definition of this type is not held", code="VCT_UNKNOWN")
    sealed.kind = kind
    named = cwt.claims_of(code, kind)
    if "territory" not in named:
        missing("territory")
    sealed.territory = _territories(named.pop("territory"))
    sealed._claims = named  # noqa: SLF001 - filled here, read by Credential
    sealed.holder = claims.get(cwt.CNF)
    sealed.key_binding, sealed.code, sealed.link_host = None, code, host
    return sealed


# --- both -----------------------------------------------------------------------------------------


def missing(name: str) -> NoReturn:
    raise InputError(f"{name} is missing", code="CLAIM_MISSING")


def wrong(name: str) -> NoReturn:
    raise InputError(f"{name} has an impossible value", code="CLAIM_INVALID")


# The bytes that begin what the two expressions below look for: most texts have none of them.
_DOUBTFUL = b"\\\x7f\xc2\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd8\xe1\xe2\xea\xf3"
_LEADS_OF_MIXED = b"\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xe1\xea"
# Zero-width and blank characters that begin as the commonest letters and signs of Chinese do.
_ZERO_WIDTH, _BLANK, _HALF_BLANK = b"\xef\xbb\xbf", b"\xe3\x85\xa4", b"\xef\xbe\xa0"
# Control, direction-changing, zero-width and blank characters, as UTF-8 or as JSON escapes.
_INVISIBLE = re.compile(
    rb"\\u00[01]|\\[bfnrt]|\x7f|\xc2[\x80-\x9f\xad]|\xcd\x8f|\xd8\x9c|\xe1\x85[\x9f\xa0]|\xe1\xa0\x8e"
    rb"|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xe2\xa0\x80|\xf3\xa0[\x80\x81]"
)
# A Latin letter beside a Cyrillic, Greek, Armenian or Cherokee one inside a word: the look-alikes
# of names.
_ALIKE = (
    rb"(?:\xcd[\xb0-\xbf]|[\xce-\xd3][\x80-\xbf]|\xd4[\x80-\xbf]|\xd5[\x80-\xbf]|\xd6[\x80-\x8f]"
    rb"|\xe1\x8e[\xa0-\xbf]|\xe1\x8f[\x80-\xbf]|\xe1[\xbc-\xbf][\x80-\xbf]|\xea\xad[\xb0-\xbf]|\xea\xae[\x80-\xbf])"
)
_MIXED = re.compile(rb"[A-Za-z]" + _ALIKE + rb"|" + _ALIKE + rb"[A-Za-z]")


def is_suspicious(claims: Mapping[str, Any]) -> bool:
    """Whether a text could look like another: invisible marks, or scripts mixed in a word."""
    text = dump_json(claims)
    if _ZERO_WIDTH in text or _BLANK in text or _HALF_BLANK in text:
        return True
    plain = text.isascii() and b"\\" not in text and b"\x7f" not in text
    if plain or len(text.translate(None, _DOUBTFUL)) == len(text):
        return False
    if _INVISIBLE.search(text) is not None:
        return True
    mixable = len(text.translate(None, _LEADS_OF_MIXED)) < len(text)
    return mixable and _MIXED.search(text) is not None


def check_holder(sealed: Sealed) -> PublicKey | None:
    """Refuse a holder's key of a wrong form, or a point off the curve.

    The point of a code is compressed, so checking it makes the key, which is returned; that of a
    JWK is checked by the curve's equation, and the key is made where a proof needs it.
    Raises InputError `CLAIM_INVALID` or `ALG_NOT_ALLOWED`.
    """
    if sealed.code is not None:
        return cwt.holder_of(sealed.code)
    if sealed.key_binding is not None:
        return PublicKey.from_jwk(sealed.holder)
    PublicKey.check_jwk(sealed.holder)
    return None
