"""The signed sentences of trust: who may seal what, who recognises whom, and what has ended.

A root delegates to an authority, an authority grants to an issuer (and embeds the delegation), a
root recognises another jurisdiction; a withdrawal ends one of these with a stated effect, a key
event retires a key or calls it stolen. Every statement names the keys it is about, so whoever
keeps the list can drop one but never make one. Here statements are sealed, parsed against the keys
that may sign them, and weighed against each other; which keys those are, and what a statement
means for a credential, is left to `compiling` and `trust`. Times are NumericDate.

Standards: OpenID Federation 1.0 trust marks (`trust-mark+jwt`) and trust mark delegations
(`trust-mark-delegation+jwt`), RFC 7515, RFC 8725. `withdrawal+jwt`, `key-event+jwt` and the mark
types are conventions of this project.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from talentseal.artefacts import NETWORK
from talentseal.encoding import (
    MAX_JWS_BYTES,
    b64url_decode,
    dump_json,
    is_time,
    malformed,
    parse_json,
)
from talentseal.errors import InputError
from talentseal.jose import Jws, is_sealed_by, kid_of, parse_jws, sign_jws
from talentseal.keys import JOSE_ALGORITHMS, PublicKey, Signer
from talentseal.territory import contains, is_profession, is_territory, profession_contains

BASE = NETWORK  # of mark, service and list types

TYP_DELEGATION = "trust-mark-delegation+jwt"
TYP_MARK = "trust-mark+jwt"  # grants and recognitions; the mark type tells them apart
TYP_WITHDRAWAL = "withdrawal+jwt"
TYP_KEY_EVENT = "key-event+jwt"

MARK_ISSUE = f"{BASE}/may-issue"
MARK_STATUS = f"{BASE}/may-publish-status"
MARK_RECOGNISES = f"{BASE}/recognises"

PURPOSES = frozenset(("employment", "filing", "practise", "title_mapping", "study"))
EFFECTS = frozenset(("suspend", "resume", "from", "review", "anchored", "void"))
KEY_EVENTS = frozenset(("retired", "compromised"))
QUOTA_PERIODS = frozenset(("day", "week", "month", "year"))

HOUR_SECONDS = 3600
MAX_ENTITY_ID_CHARS = 512
MAX_REASON_CHARS = 1000
MAX_ITEMS = 1000  # of one list in a statement

# An identifier becomes part of file names and of lines in the log.
_JTI = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")
_ENTITY_ID = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[!-~]*)?")

OnEnd = Literal["grandfather", "review", "void"]
Keys = Mapping[str, PublicKey]


# --- the statements -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delegation:
    """The root's word that an authority may grant.

    jws, sha256   the text as published, and its SHA-256 in hex
    jkt           thumbprints of the authority's statement keys
    vct           types that may be granted; empty for status providers
    profession    None: any
    max_validity  seconds from `iat` to `exp` of a credential; None: no limit
    uri_prefix    of status lists, each ending in a slash; empty unless for status providers
    """

    jws: str
    sha256: str
    kid: str
    iss: str
    sub: str
    jti: str
    mark_type: str
    iat: int
    nbf: int
    exp: int
    jkt: frozenset[str]
    vct: frozenset[str]
    territory: tuple[str, ...]
    profession: tuple[str, ...] | None
    max_validity: int | None
    approval_required: bool
    uri_prefix: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """An authority's word that an issuer may seal; members as in `Delegation`.

    jkt           thumbprints of the issuer's credential keys
    approval_by   entity id of the approver; None: no approval asked for
    approval_jkt  thumbprints of the approver's keys
    quota         (count, period): watched by approver and monitors, not by verifiers
    delegation    the embedded JWS, unread
    """

    jws: str
    sha256: str
    kid: str
    iss: str
    sub: str
    jti: str
    mark_type: str
    iat: int
    nbf: int
    exp: int
    jkt: frozenset[str]
    vct: frozenset[str]
    territory: tuple[str, ...]
    profession: tuple[str, ...] | None
    max_validity: int | None
    approval_by: str | None
    approval_jkt: frozenset[str]
    quota: tuple[int, str] | None
    uri_prefix: tuple[str, ...]
    delegation: str | None


@dataclass(frozen=True, slots=True)
class Recognition:
    """A root's word on credentials of another jurisdiction: directional, scoped, dated.

    issued_in, valid_in  places within the other jurisdiction, and within one's own
    on_end               what becomes of earlier credentials when it ends
    max_age              seconds from `iat` of a credential; None: any age
    catalogue            (id, classes) of the catalogue that must list the qualification
    """

    jws: str
    sha256: str
    kid: str
    iss: str
    sub: str
    jti: str
    iat: int
    nbf: int
    exp: int
    vct: frozenset[str]
    issued_in: tuple[str, ...]
    valid_in: tuple[str, ...]
    profession: tuple[str, ...] | None
    purpose: frozenset[str]
    on_end: OnEnd
    max_age: int | None
    catalogue: tuple[str, tuple[str, ...]] | None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The end of one statement, named by `jti` and SHA-256 (hex), with its effect from `at` on."""

    jws: str
    sha256: str
    kid: str
    iss: str
    jti: str
    iat: int
    statement: str
    statement_s256: str
    effect: str
    at: int
    reason: str
    retroactive: bool


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """A key was retired, or may have been stolen, at `at`.

    survivors_s256  SHA-256 (hex) of the list of what it provably sealed before
    """

    jws: str
    sha256: str
    kid: str
    iss: str
    sub: str
    jti: str
    iat: int
    jkt: str
    event: str
    at: int
    reason: str
    survivors_s256: str | None


class Unverified(NamedTuple):
    """What a statement claims about itself; good for finding keys, and for nothing else.

    A claim that is absent or no text is the empty string.
    """

    typ: str
    kid: str
    iss: str
    sub: str
    jti: str


# --- time, names, digests -------------------------------------------------------------------------


def floor_hour(seconds: int) -> int:
    """The full hour at or before: ends and compromises are rounded down."""
    return seconds - seconds % HOUR_SECONDS


def ceil_hour(seconds: int) -> int:
    """The full hour at or after: starts are rounded up."""
    return -floor_hour(-seconds)


def is_entity_id(text: object) -> bool:
    """An https URL without query, fragment or user: the name of a body, compared by octet."""
    return (
        isinstance(text, str)
        and len(text) <= MAX_ENTITY_ID_CHARS
        and _ENTITY_ID.fullmatch(text) is not None
        and not {"?", "#", "\\"} & set(text)
    )


def is_thumbprint(text: object) -> bool:
    """RFC 7638 with SHA-256 in base64url: 43 characters, one spelling."""
    if not isinstance(text, str) or len(text) != 43:
        return False
    try:
        return len(b64url_decode(text)) == 32
    except InputError:
        return False


def digest(text: str) -> str:
    """SHA-256 (hex) of a statement as published: its name in the log and in withdrawals."""
    return hashlib.sha256(text.encode()).hexdigest()


# --- parsing --------------------------------------------------------------------------------------


def read_unverified(text: str) -> Unverified:
    """What `text` claims to be, to find the keys that may have signed it. Nothing is believed.

    Raises InputError `MALFORMED` or `TOO_LARGE`.
    """
    jws = parse_jws(text)
    claims = parse_json(jws.payload, max_bytes=MAX_JWS_BYTES)
    named = (jws.header.get("typ"), claims.get("iss"), claims.get("sub"), claims.get("jti"))
    typ, iss, sub, jti = (value if isinstance(value, str) else "" for value in named)
    return Unverified(typ, kid_of(jws.header), iss, sub, jti)


def parse_delegation(text: str, *, keys: Keys) -> Delegation:
    """A delegation signed by one of `keys` (by thumbprint): the root's statement keys.

    Raises InputError `MALFORMED`, `TOO_LARGE`, `STATEMENT_TYPE`, `CRIT_UNKNOWN`,
    `ALG_NOT_ALLOWED`, `STATEMENT_SIGNATURE`, `CLAIM_MISSING`, `CLAIM_INVALID`,
    `DELEGATION_TOO_DEEP`.
    """
    opened = _open(text, TYP_DELEGATION, keys)
    return Delegation(*opened.head(), **_delegation_claims(opened.claims))


def parse_grant(text: str, *, keys: Keys) -> Grant:
    """A grant signed by one of `keys`: the statement keys of the authority it names.

    Its delegation is carried along unread; that there is none is judged by whoever weighs both.
    Raises as `parse_delegation`.
    """
    opened = _open(text, TYP_MARK, keys)
    return Grant(*opened.head(), **_grant_claims(opened.claims))


def parse_recognition(text: str, *, keys: Keys) -> Recognition:
    """A recognition signed by one of `keys`: the recognising root's. Raises as the others."""
    opened = _open(text, TYP_MARK, keys)
    return Recognition(*opened.head(), **_recognition_claims(opened.claims))


def parse_withdrawal(text: str, *, keys: Keys) -> Withdrawal:
    """A withdrawal signed by one of `keys`: the ended statement's signer, or the root."""
    opened = _open(text, TYP_WITHDRAWAL, keys)
    return Withdrawal(*opened.head(), **_withdrawal_claims(opened.claims))


def parse_key_event(text: str, *, keys: Keys) -> KeyEvent:
    """A key event signed by one of `keys`: the root's, or the authority's that granted the key."""
    opened = _open(text, TYP_KEY_EVENT, keys)
    return KeyEvent(*opened.head(), **_key_event_claims(opened.claims))


class _Opened(NamedTuple):
    """A statement whose signature holds; its claims are the signer's words, shape unchecked."""

    text: str
    kid: str
    claims: Mapping[str, Any]

    def head(self) -> tuple[str, str, str]:
        return self.text, digest(self.text), self.kid


def _open(text: str, typ: str, keys: Keys) -> _Opened:
    jws = parse_jws(text)
    kid = _check_header(jws, typ)
    claims = parse_json(jws.payload, max_bytes=MAX_JWS_BYTES)
    if "crit" in claims:
        raise InputError("a critical claim is not understood", code="CRIT_UNKNOWN")
    # Said before the signature is looked at: a delegate's own delegation is never signed by the
    # root, and its depth is the better reason.
    if typ == TYP_DELEGATION and "delegation" in claims:
        raise InputError("a delegation of a delegation", code="DELEGATION_TOO_DEEP")
    key = keys.get(kid)
    if key is None or key.kid != kid or not is_sealed_by(jws, key):
        raise InputError("not signed by a key that may sign it", code="STATEMENT_SIGNATURE")
    return _Opened(text, kid, claims)


def _check_header(jws: Jws, typ: str) -> str:
    header = jws.header
    if "crit" in header:
        raise InputError("a critical header is not understood", code="CRIT_UNKNOWN")
    if header.get("typ") != typ:
        raise InputError(f"a statement of another kind than {typ}", code="STATEMENT_TYPE")
    if header.keys() != {"alg", "typ", "kid"}:
        malformed("the header of a statement has alg, typ and kid")
    alg = header["alg"]
    if not isinstance(alg, str) or alg not in JOSE_ALGORITHMS:
        raise InputError("the signature algorithm is not allowed", code="ALG_NOT_ALLOWED")
    return kid_of(header)


# --- claims: one function per kind, used on the way in and on the way out -------------------------


def _delegation_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_right_claims(claims),
        "approval_required": _flag(claims, "approval_required"),
    }


def _grant_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    approved = "approval_by" in claims
    if approved != ("approval_jkt" in claims):
        raise _invalid("approval_by and approval_jkt")
    delegation = claims.get("delegation")
    if "delegation" in claims and not isinstance(delegation, str):
        raise _invalid("delegation")
    return {
        **_right_claims(claims),
        "approval_by": _entity(claims, "approval_by") if approved else None,
        "approval_jkt": frozenset(_list(claims, "approval_jkt", is_thumbprint, optional=True)),
        "quota": _quota(claims.get("quota")) if "quota" in claims else None,
        "delegation": delegation,
    }


def _right_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """What delegation and grant share: for whom, until when, for which types and places."""
    mark_type = _value(claims, "trust_mark_type")
    if mark_type not in (MARK_ISSUE, MARK_STATUS):
        raise InputError("a trust mark of another kind", code="STATEMENT_TYPE")
    issues = mark_type == MARK_ISSUE
    foreign = "uri_prefix" if issues else "vct"
    if foreign in claims:
        raise _invalid(foreign)
    return {
        **_term_claims(claims),
        "mark_type": mark_type,
        "jkt": frozenset(_list(claims, "jkt", is_thumbprint)),
        "vct": frozenset(_list(claims, "vct", _is_name, optional=not issues)),
        "territory": _list(claims, "territory", is_territory, optional=not issues),
        "profession": _professions(claims),
        "max_validity": _seconds(claims, "max_validity"),
        "uri_prefix": _list(claims, "uri_prefix", _is_prefix, optional=issues),
    }


def _recognition_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    if _value(claims, "trust_mark_type") != MARK_RECOGNISES:
        raise InputError("a trust mark of another kind", code="STATEMENT_TYPE")
    return {
        **_term_claims(claims),
        "vct": frozenset(_list(claims, "vct", _is_name)),
        "issued_in": _list(claims, "issued_in", is_territory),
        "valid_in": _list(claims, "valid_in", is_territory),
        "profession": _professions(claims),
        "purpose": frozenset(_list(claims, "purpose", PURPOSES.__contains__)),
        "on_end": _one_of(claims, "on_end", ("grandfather", "review", "void")),
        "max_age": _seconds(claims, "max_age"),
        "catalogue": _catalogue(claims["catalogue"]) if "catalogue" in claims else None,
    }


def _withdrawal_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "iss": _entity(claims, "iss"),
        "jti": _match(claims, "jti", _JTI),
        "iat": _time(claims, "iat"),
        "statement": _match(claims, "statement", _JTI),
        "statement_s256": _match(claims, "statement_s256", _HEX_SHA256),
        "effect": _one_of(claims, "effect", EFFECTS),
        "at": _hour(claims, "at"),
        "reason": _reason(claims),
        "retroactive": _flag(claims, "retroactive"),
    }


def _key_event_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    jkt = _value(claims, "jkt")
    if not is_thumbprint(jkt):
        raise _invalid("jkt")
    survivors = "survivors_s256"
    return {
        "iss": _entity(claims, "iss"),
        "sub": _entity(claims, "sub"),
        "jti": _match(claims, "jti", _JTI),
        "iat": _time(claims, "iat"),
        "jkt": jkt,
        "event": _one_of(claims, "event", KEY_EVENTS),
        "at": _hour(claims, "at"),
        "reason": _reason(claims),
        survivors: _match(claims, survivors, _HEX_SHA256) if survivors in claims else None,
    }


def _term_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    nbf, exp = _hour(claims, "nbf"), _hour(claims, "exp")
    if exp <= nbf:
        raise _invalid("exp")
    return {
        "iss": _entity(claims, "iss"),
        "sub": _entity(claims, "sub"),
        "jti": _match(claims, "jti", _JTI),
        "iat": _time(claims, "iat"),
        "nbf": nbf,
        "exp": exp,
    }


# --- single claims --------------------------------------------------------------------------------


def _invalid(name: str) -> InputError:
    return InputError(f"a statement with an impossible {name}", code="CLAIM_INVALID")


def _value(claims: Mapping[str, Any], name: str) -> Any:
    if name not in claims:
        raise InputError(f"a statement without {name}", code="CLAIM_MISSING")
    return claims[name]


def _entity(claims: Mapping[str, Any], name: str) -> str:
    value = _value(claims, name)
    if not is_entity_id(value):
        raise _invalid(name)
    return str(value)


def _match(claims: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = _value(claims, name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _invalid(name)
    return value


def _time(claims: Mapping[str, Any], name: str) -> int:
    value = _value(claims, name)
    if not is_time(value):
        raise _invalid(name)
    return int(value)


def _hour(claims: Mapping[str, Any], name: str) -> int:
    value = _time(claims, name)
    if value % HOUR_SECONDS:
        raise _invalid(name)
    return value


def _seconds(claims: Mapping[str, Any], name: str) -> int | None:
    """A length of time, one second at least; None where absent: no limit."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int or value < 1:
        raise _invalid(name)
    return value


def _flag(claims: Mapping[str, Any], name: str) -> bool:
    value = claims.get(name, False)
    if not isinstance(value, bool):
        raise _invalid(name)
    return value


def _one_of(claims: Mapping[str, Any], name: str, allowed: Iterable[str]) -> str:
    value = _value(claims, name)
    if not isinstance(value, str) or value not in allowed:
        raise _invalid(name)
    return value


def _reason(claims: Mapping[str, Any]) -> str:
    value = _value(claims, "reason")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_REASON_CHARS:
        raise _invalid("reason")
    return value


def _list(
    claims: Mapping[str, Any], name: str, accept: Callable[[Any], bool], *, optional: bool = False
) -> tuple[str, ...]:
    """A list of different texts, never empty where present: an empty right would be a riddle."""
    if optional and name not in claims:
        return ()
    value = _value(claims, name)
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ITEMS:
        raise _invalid(name)
    if not all(isinstance(item, str) and accept(item) for item in value):
        raise _invalid(name)
    if len(set(value)) != len(value):
        raise _invalid(name)
    return tuple(value)


def _professions(claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    return _list(claims, "profession", is_profession) if "profession" in claims else None


def _quota(value: Any) -> tuple[int, str]:
    if not isinstance(value, dict) or value.keys() != {"count", "per"}:
        raise _invalid("quota")
    count = value["count"]
    if type(count) is not int or count < 1:
        raise _invalid("quota")
    return count, _one_of(value, "per", QUOTA_PERIODS)


def _catalogue(value: Any) -> tuple[str, tuple[str, ...]]:
    if not isinstance(value, dict) or value.keys() != {"id", "classes"}:
        raise _invalid("catalogue")
    return _match(value, "id", _JTI), _list(value, "classes", _is_name)


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_ENTITY_ID_CHARS and text.isprintable()


def _is_prefix(text: str) -> bool:
    """A folder of status lists. The slash at its end keeps `/a/` from covering `/ab`."""
    if not is_entity_id(text) or not text.endswith("/"):
        return False
    segments = text.removeprefix("https://").removesuffix("/").split("/")
    return not {"", ".", ".."} & set(segments)


# --- sealing --------------------------------------------------------------------------------------


def seal_delegation(
    *,
    signer: Signer,
    iss: str,
    sub: str,
    jti: str,
    iat: int,
    nbf: int,
    exp: int,
    mark_type: str,
    jkt: Iterable[str],
    vct: Iterable[str] = (),
    territory: Iterable[str] = (),
    profession: Iterable[str] | None = None,
    max_validity: int | None = None,
    approval_required: bool = False,
    uri_prefix: Iterable[str] = (),
) -> str:
    """A delegation by the root's statement key.

    Like all of these it raises InputError for what no reader would accept, before it signs.
    """
    claims = {
        **_head(iss, sub, jti, iat),
        **_term(mark_type, nbf, exp),
        **_scope(jkt, vct, territory, uri_prefix),
        **_limits(profession, max_validity=max_validity),
        **({"approval_required": True} if approval_required else {}),
    }
    return _seal(TYP_DELEGATION, claims, signer, _delegation_claims)


def seal_grant(
    *,
    signer: Signer,
    iss: str,
    sub: str,
    jti: str,
    iat: int,
    nbf: int,
    exp: int,
    mark_type: str,
    jkt: Iterable[str],
    delegation: str | None,
    vct: Iterable[str] = (),
    territory: Iterable[str] = (),
    profession: Iterable[str] | None = None,
    max_validity: int | None = None,
    approval_by: str | None = None,
    approval_jkt: Iterable[str] = (),
    quota: tuple[int, str] | None = None,
    uri_prefix: Iterable[str] = (),
) -> str:
    """A grant by the authority's statement key, its delegation embedded by value."""
    approval = {"approval_by": approval_by, "approval_jkt": sorted(approval_jkt)}
    claims = {
        **_head(iss, sub, jti, iat),
        **_term(mark_type, nbf, exp),
        **_scope(jkt, vct, territory, uri_prefix),
        **_limits(profession, max_validity=max_validity),
        **(approval if approval_by is not None or approval["approval_jkt"] else {}),
        **({"quota": {"count": quota[0], "per": quota[1]}} if quota else {}),
        **({"delegation": delegation} if delegation is not None else {}),
    }
    return _seal(TYP_MARK, claims, signer, _grant_claims)


def seal_recognition(
    *,
    signer: Signer,
    iss: str,
    sub: str,
    jti: str,
    iat: int,
    nbf: int,
    exp: int,
    vct: Iterable[str],
    issued_in: Iterable[str],
    valid_in: Iterable[str],
    purpose: Iterable[str],
    on_end: OnEnd,
    profession: Iterable[str] | None = None,
    max_age: int | None = None,
    catalogue: tuple[str, Sequence[str]] | None = None,
) -> str:
    """A recognition by the recognising root's statement key."""
    listed = {"id": catalogue[0], "classes": list(catalogue[1])} if catalogue else None
    claims = {
        **_head(iss, sub, jti, iat),
        **_term(MARK_RECOGNISES, nbf, exp),
        "vct": sorted(vct),
        "issued_in": list(issued_in),
        "valid_in": list(valid_in),
        **_limits(profession, max_age=max_age),
        "purpose": sorted(purpose),
        "on_end": on_end,
        **({"catalogue": listed} if listed else {}),
    }
    return _seal(TYP_MARK, claims, signer, _recognition_claims)


def seal_withdrawal(
    *,
    signer: Signer,
    iss: str,
    jti: str,
    iat: int,
    statement: str,
    statement_s256: str,
    effect: str,
    at: int,
    reason: str,
    retroactive: bool = False,
) -> str:
    """A withdrawal of the statement with that `jti` and SHA-256 (hex), by its signer or the root.

    at  full hour; an end is rounded down (`floor_hour`), a `resume` up (`ceil_hour`)
    """
    claims = {
        **_head(iss, None, jti, iat),
        "statement": statement,
        "statement_s256": statement_s256,
        "effect": effect,
        "at": at,
        "reason": reason,
        **({"retroactive": True} if retroactive else {}),
    }
    return _seal(TYP_WITHDRAWAL, claims, signer, _withdrawal_claims)


def seal_key_event(
    *,
    signer: Signer,
    iss: str,
    sub: str,
    jti: str,
    iat: int,
    jkt: str,
    event: str,
    at: int,
    reason: str,
    survivors_s256: str | None = None,
) -> str:
    """A key event about the key `jkt` of `sub`; `at` is a full hour, rounded down."""
    claims = {
        **_head(iss, sub, jti, iat),
        "jkt": jkt,
        "event": event,
        "at": at,
        "reason": reason,
        **({"survivors_s256": survivors_s256} if survivors_s256 is not None else {}),
    }
    return _seal(TYP_KEY_EVENT, claims, signer, _key_event_claims)


def _head(iss: str, sub: str | None, jti: str, iat: int) -> dict[str, Any]:
    return {"iss": iss, **({"sub": sub} if sub is not None else {}), "jti": jti, "iat": iat}


def _term(mark_type: str, nbf: int, exp: int) -> dict[str, Any]:
    return {"nbf": nbf, "exp": exp, "trust_mark_type": mark_type}


def _scope(
    jkt: Iterable[str], vct: Iterable[str], territory: Iterable[str], uri_prefix: Iterable[str]
) -> dict[str, Any]:
    """Lists in one order, so that the same right is the same text; empty ones are left out."""
    lists = {
        "jkt": sorted(jkt),
        "vct": sorted(vct),
        "territory": list(territory),
        "uri_prefix": list(uri_prefix),
    }
    return {name: items for name, items in lists.items() if items}


def _limits(profession: Iterable[str] | None, **seconds: int | None) -> dict[str, Any]:
    given = {} if profession is None else {"profession": list(profession)}
    return {**given, **{name: value for name, value in seconds.items() if value is not None}}


def _seal(
    typ: str,
    claims: Mapping[str, Any],
    signer: Signer,
    check: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> str:
    check(claims)
    return sign_jws(dump_json(claims), {"typ": typ, "kid": signer.public.kid}, signer)


# --- weighing -------------------------------------------------------------------------------------


def check_within(grant: Grant, delegation: Delegation) -> str | None:
    """Whether a grant lies inside its delegation.

    Returns None, `DELEGATION_INVALID` (another authority, another kind of right) or
    `DELEGATION_WIDENED`. Signatures and bound keys are for the caller to check.
    """
    if delegation.sub != grant.iss or delegation.mark_type != grant.mark_type:
        return "DELEGATION_INVALID"
    inside = (
        grant.nbf >= delegation.nbf
        and grant.exp <= delegation.exp
        and grant.vct <= delegation.vct
        and _all_below(delegation.territory, grant.territory, contains)
        and _is_narrower(delegation.profession, grant.profession)
        and _is_shorter(delegation.max_validity, grant.max_validity)
        and _all_below(delegation.uri_prefix, grant.uri_prefix, _is_folder_of)
    )
    return None if inside else "DELEGATION_WIDENED"


def _all_below(
    outer: Sequence[str], inner: Sequence[str], covers: Callable[[str, str], bool]
) -> bool:
    return all(any(covers(big, small) for big in outer) for small in inner)


def _is_narrower(outer: Sequence[str] | None, inner: Sequence[str] | None) -> bool:
    if outer is None:
        return True
    return inner is not None and _all_below(outer, inner, profession_contains)


def _is_shorter(outer: int | None, inner: int | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


def _is_folder_of(outer: str, inner: str) -> bool:
    return inner.startswith(outer)
