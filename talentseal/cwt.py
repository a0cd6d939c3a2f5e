"""The code: a credential as a CWT small enough for paper, and the live proof around it.

A static code is a COSE_Sign1 over a CBOR map with integer labels; a dynamic code is a key-binding
token by the holder's key that carries the static code in its header. Reading believes nothing:
`parse` decodes and types what must be there, `claims_of` translates labels into claims.
Signatures, times and status are judged in `verify`; text and pictures in `codetext` and `qr`.

Standards: CWT RFC 8392, COSE RFC 9052, `typ` RFC 9596, `cnf` RFC 8747, dates RFC 8943,
SD-CWT draft-ietf-spice-sd-cwt-08 for `vct`, `kcwt` and `application/kb+cwt`; Token Status List
draft-ietf-oauth-status-list-21 for the status claim. Private claims and labels are ours.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from talentseal.cose import (
    HEADER_COUNTERSIGNATURE,
    HEADER_KCWT,
    HEADER_KID,
    HEADER_TYP,
    Sign1,
    check_protected,
    parse_sign1,
    sign_sign1,
)
from talentseal.encoding import (
    MAX_JSON_INT,
    TAG_DATE,
    TAG_SIGN1,
    Tag,
    date_to_days,
    days_to_date,
    dump_cbor,
    is_time,
    malformed,
    parse_cbor,
)
from talentseal.errors import InputError, UsageError
from talentseal.keys import KID8_BYTES, PublicKey, Signer
from talentseal.sdjwt import Envelope
from talentseal.type_metadata import CredentialType, Label

TYP_CODE = 61  # CoAP content format of application/cwt
TYP_KEY_BINDING = 294  # application/kb+cwt, a request of draft-ietf-spice-sd-cwt-08
OPEN_AUDIENCE = "talentseal:open"

ISS, AUD, EXP, NBF, IAT, CTI, CNF, VCT, CNONCE, STATUS = 1, 3, 4, 5, 6, 7, 8, 11, 39, 65535
_REQUIRED = frozenset((ISS, EXP, IAT, VCT, STATUS))
_KNOWN = _REQUIRED | {NBF, CTI, CNF}
CTI_BYTES = 16
LANGUAGES = ("en", "zh-Hans", "zh-Hant", "pt")
MAX_CODE_LANGUAGES = 2  # language of issue plus one; a third costs a version


class Code(NamedTuple):
    """A parsed, unverified code. `claims` are the CWT claims by key, `proof` the live proof."""

    message: Sign1
    claims: Mapping[int | str, Any]
    proof: "Proof | None"

    @property
    def form(self) -> str:
        return "cwt-dynamic" if self.proof else "cwt"


class Proof(NamedTuple):
    """The holder's key-binding token around a code."""

    message: Sign1
    audience: str
    issued_at: int
    nonce: bytes

    @property
    def replay_key(self) -> bytes:
        """Over what was signed, never the signature: ECDSA signatures have a second spelling."""
        return hashlib.sha256(self.message.signed).digest()


# --- reading --------------------------------------------------------------------------------------


def parse(data: bytes) -> Code:
    """Decode a static or dynamic code and type its envelope.

    Raises InputError: `MALFORMED`, `TOO_LARGE`, `TYPE_CONFUSION`, `CRIT_UNKNOWN`,
    `ALG_NOT_ALLOWED`, `CLAIM_MISSING`, `CLAIM_INVALID`.
    """
    message = parse_sign1(data)
    if HEADER_KCWT not in message.protected:
        return Code(message, _parse_claims(message), None)
    check_protected(message.protected, TYP_KEY_BINDING)
    if len(message.protected) != 3 or message.unprotected:
        malformed("a live proof with header members that are not read here")
    inner = _inner_code(message.protected[HEADER_KCWT])
    return Code(inner, _parse_claims(inner), _parse_proof(message))


def _inner_code(value: Any) -> Sign1:
    """The code inside a live proof; its parts were decoded, and typed, with the header."""
    if not isinstance(value, Tag) or value.number != TAG_SIGN1:
        malformed("a live proof without a code inside")
    return parse_sign1(dump_cbor(value))


def _parse_proof(message: Sign1) -> Proof:
    payload = parse_cbor(message.payload)
    if not isinstance(payload, dict) or payload.keys() != {AUD, IAT, CNONCE}:
        malformed("a live proof with other claims than audience, time and nonce")
    audience, issued_at, nonce = payload[AUD], payload[IAT], payload[CNONCE]
    if not (isinstance(audience, str) and is_time(issued_at) and isinstance(nonce, bytes)):
        malformed("a live proof with claims of a wrong kind")
    return Proof(message, audience, issued_at, nonce)


def _parse_claims(message: Sign1) -> Mapping[int | str, Any]:
    check_protected(message.protected, TYP_CODE)
    kid = message.protected.get(HEADER_KID)
    if len(message.protected) != 3 or not isinstance(kid, bytes) or len(kid) != KID8_BYTES:
        malformed("a code with other header members than algorithm, key and type")
    if message.unprotected and message.unprotected.keys() != {HEADER_COUNTERSIGNATURE}:
        malformed("a code with unsealed header members that are not read here")
    claims = parse_cbor(message.payload)
    if not isinstance(claims, dict):
        malformed("the content of a code is a map")
    if not claims.keys() >= _REQUIRED:
        raise InputError("a code without a claim that it must have", code="CLAIM_MISSING")
    if (CNF in claims) == (CTI in claims):
        invalid("a code names either the holder's key or a random identifier")
    _check_envelope(claims)
    return claims


def _check_envelope(claims: Mapping[int | str, Any]) -> None:
    if not isinstance(claims[ISS], str) or not isinstance(claims[VCT], int | str):
        invalid("issuer or type of a wrong kind")
    if isinstance(claims[VCT], bool):
        invalid("a type of a wrong kind")
    if not all(is_time(claims[key]) for key in (EXP, IAT, NBF) if key in claims):
        invalid("a time out of range")
    cti = claims.get(CTI, b"")
    if CTI in claims and not (isinstance(cti, bytes) and len(cti) == CTI_BYTES):
        invalid("an identifier of a wrong form")


def invalid(message: str) -> NoReturn:
    raise InputError(message, code="CLAIM_INVALID")


def claims_of(code: Code, kind: CredentialType) -> dict[str, Any]:
    """The type's claims of a code, by name, in the shape they have in the wallet form.

    The envelope claim `territory` is among them. Raises InputError `CLAIM_INVALID` or
    `CLAIM_MISSING`.
    """
    unknown = code.claims.keys() - _KNOWN - {kind.private}
    labelled = code.claims.get(kind.private, {})
    if unknown or not isinstance(labelled, dict):
        invalid("a code with claims that are not read here")
    if not labelled.keys() >= kind.required_labels:
        raise InputError("a code without a claim that its type demands", code="CLAIM_MISSING")
    claims: dict[str, Any] = {}
    for number, value in labelled.items():
        label = kind.labels.get(number) if type(number) is int else None
        if label is None:
            invalid("a code with a label that its type does not have")
        node = claims
        for name in label.path[:-1]:
            node = node.setdefault(name, {})
        node[label.path[-1]] = _READ[label.form](value, label)
    return claims


def _read_text(value: Any, _: Label) -> str:
    return value if type(value) is str else invalid("a text of a wrong kind")


def _read_int(value: Any, _: Label) -> int:
    if type(value) is not int or not -MAX_JSON_INT <= value <= MAX_JSON_INT:  # as in JSON
        invalid("a number of a wrong kind")
    return value


def _read_bool(value: Any, _: Label) -> bool:
    return value if type(value) is bool else invalid("a yes or no of a wrong kind")


def _read_date(value: Any, _: Label) -> str:
    if not isinstance(value, Tag) or value.number != TAG_DATE or type(value.value) is not int:
        invalid("a date of a wrong kind")
    return days_to_date(value.value)


def _read_langmap(value: Any, _: Label) -> dict[str, str]:
    if not isinstance(value, dict) or not 0 < len(value) <= MAX_CODE_LANGUAGES:
        invalid("texts by language of a wrong kind")
    texts = {}
    for language, text in value.items():
        if type(language) is not int or not 0 <= language < len(LANGUAGES) or type(text) is not str:
            invalid("texts by language of a wrong kind")
        texts[LANGUAGES[language]] = text
    return texts


def _read_list(value: Any, _: Label) -> list[str]:
    if not isinstance(value, list) or not all(type(item) is str for item in value):
        invalid("a list of a wrong kind")
    return value


def _read_object(value: Any, label: Label) -> dict[str, Any]:
    if not isinstance(value, dict):
        invalid("a group of claims of a wrong kind")
    members = {member.number: member for member in label.members}
    if not value.keys() <= members.keys():
        invalid("a group of claims with a member that its type does not have")
    return {
        members[number].path[0]: _READ[members[number].form](item, members[number])
        for number, item in value.items()
        if type(number) is int
    }


_READ: Mapping[str, Callable[[Any, Label], Any]] = {
    "text": _read_text,
    "int": _read_int,
    "bool": _read_bool,
    "date": _read_date,
    "langmap": _read_langmap,
    "list": _read_list,
    "object": _read_object,
}


# --- issuing --------------------------------------------------------------------------------------


def issue(
    claims: Mapping[str, Any],
    envelope: Envelope,
    kind: CredentialType,
    *,
    holder: PublicKey | None,
    languages: Sequence[str],
    signer: Signer,
    identifier: bytes,
) -> bytes:
    """Seal the claims that have a label as a static code.

    holder      the wallet's key; None makes a copy that can never become dynamic
    languages   which texts to keep, best first; at most two of each claim enter the code
    identifier  16 random bytes, used where no holder key gives the code its entropy
    """
    payload: dict[int, Any] = {
        ISS: envelope.iss,
        EXP: envelope.exp,
        IAT: envelope.iat,
        VCT: kind.number,
        STATUS: {"status_list": {"idx": envelope.status_index, "uri": envelope.status_uri}},
        kind.private: _labelled({**claims, "territory": list(envelope.territory)}, kind, languages),
    }
    if envelope.nbf is not None and envelope.nbf > envelope.iat:
        payload[NBF] = envelope.nbf
    payload |= {CNF: {1: holder.cose}} if holder else {CTI: identifier}
    protected = {HEADER_KID: signer.public.kid8, HEADER_TYP: TYP_CODE}
    return sign_sign1(dump_cbor(payload), protected, signer)


def _labelled(
    claims: Mapping[str, Any], kind: CredentialType, languages: Sequence[str]
) -> dict[int, Any]:
    labelled = {}
    for number, label in kind.labels.items():
        value: Any = claims
        for name in label.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            labelled[number] = _write(value, label, languages)
    return labelled


def _write(value: Any, label: Label, languages: Sequence[str]) -> Any:
    if label.form == "date":
        return Tag(TAG_DATE, date_to_days(value))
    if label.form == "langmap":
        wanted = [language for language in (*languages, *LANGUAGES) if language in value]
        kept = list(dict.fromkeys(wanted))[:MAX_CODE_LANGUAGES]
        return {LANGUAGES.index(language): value[language] for language in kept}
    if label.form == "object":
        members = [member for member in label.members if member.path[0] in value]
        return {m.number: _write(value[m.path[0]], m, languages) for m in members}
    return value


# --- the live proof -------------------------------------------------------------------------------


def prove(code: bytes, *, audience: str, nonce: bytes, issued_at: int, signer: Signer) -> bytes:
    """Wrap a static code into a dynamic one, by the key its `cnf` names.

    audience   the verifier's id, or `OPEN_AUDIENCE`
    nonce      the challenge as bytes, or 8 random bytes in open mode
    issued_at  the exact second
    """
    parsed = parse(code)
    if parsed.proof or holder_of(parsed) != signer.public:
        raise UsageError("only a static code of this very key can be shown live")
    payload = dump_cbor({AUD: audience, IAT: issued_at, CNONCE: nonce})
    inner = parse_cbor(code)
    return sign_sign1(payload, {HEADER_KCWT: inner, HEADER_TYP: TYP_KEY_BINDING}, signer)


def holder_of(code: Code) -> PublicKey | None:
    """The key named by `cnf` (RFC 8747 §3.2), None where there is none.

    Raises InputError `CLAIM_INVALID` or `ALG_NOT_ALLOWED`.
    """
    if CNF not in code.claims:
        return None
    cnf = code.claims[CNF]
    if not isinstance(cnf, dict) or cnf.keys() != {1}:
        invalid("a holder key of a wrong form")
    return PublicKey.from_cose(cnf[1])
