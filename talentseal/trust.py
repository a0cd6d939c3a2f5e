"""Who may seal what, where, when: the judging half of trust, over a bundle's tables.

Each function is a step of the procedure in `verify` and returns what the next step needs, with
its findings. Statements were checked when the bundle was compiled (`compiling`); what depends on
the credential, on its time of sealing and on the verifier's place and purpose is judged here.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from schemas.territory import contains, profession_contains
from schemas.verdict import BundleState, Check
from talentseal import x509
from talentseal.bundle import (
    Bundle,
    Event,
    IssuerKey,
    Jurisdiction,
    ListedKey,
    RecognitionRight,
    Right,
)
from talentseal.encoding import CLOCK_SKEW_SECONDS, MAX_TIME
from talentseal.endings import effect_at
from talentseal.errors import InputError
from talentseal.policy import FRESH_SECONDS, Policy
from talentseal.reading import Credential, Sealed
from talentseal.trail import finding, passed

MAX_CANDIDATES = 4  # keys that share a hint; more is an attack on our time
Checks = Sequence[Check]

_NOT_APPLICABLE_CERTIFICATE = (Check("certificate", "not_applicable"),)
_PASSED = {
    name: (passed(name),)
    for name in ("issuer_key", "certificate", "key_time", "authority", "scope")
}


# --- 0 trust_data ---------------------------------------------------------------------------------


def trust_data(
    code: str, bundle: Bundle, policy: Policy, now: int
) -> tuple[Jurisdiction | None, Checks]:
    """Whether one jurisdiction's data is present, young enough and of the right kind."""
    held = bundle.jurisdictions.get(code)
    if bundle.fault is not None:
        return None, (finding("trust_data", bundle.fault),)
    if held is None:
        return None, (finding("trust_data", "NO_TRUST_DATA", detail={"jurisdiction": code}),)
    home = bundle.jurisdictions.get(bundle.home, held)
    if held.dev != home.dev:
        refused = finding("trust_data", "DEV_TRUST_REFUSED", detail={"jurisdiction": code})
        return None, (refused,)
    checks = [_age(held, policy, now)]
    if not bundle.is_clock_sound(now):
        checks.append(finding("trust_data", "CLOCK_ROLLED_BACK", as_of=bundle.clock_mark))
    if code in bundle.refused:
        detail = {"jurisdiction": code, "reason": bundle.refused[code]}
        checks.append(finding("trust_data", "UPDATE_REFUSED", as_of=held.as_of, detail=detail))
    checks.append(_remark("UNWITNESSED", code))
    if held.dev:
        checks.append(_remark("DEV_TRUST", code))
    return held, checks


@lru_cache(maxsize=256)
def _remark(code: str, jurisdiction: str) -> Check:
    return finding("trust_data", code, detail={"jurisdiction": jurisdiction})


def _age(held: Jurisdiction, policy: Policy, now: int) -> Check:
    age = now - held.as_of
    detail = {
        "jurisdiction": held.code,
        "age_seconds": age,
        "limit_seconds": policy.max_age,
    }
    if age <= FRESH_SECONDS:
        return Check("trust_data", "pass", None, held.as_of, detail)
    code = "TRUST_DATA_EXPIRED" if age > policy.max_age else "TRUST_DATA_STALE"
    return finding("trust_data", code, as_of=held.as_of, detail=detail)


def is_fresh(held: Jurisdiction, now: int) -> bool:
    return now - held.as_of <= FRESH_SECONDS


def state(held: Jurisdiction, now: int) -> BundleState:
    return BundleState(held.version, held.as_of, max(0, now - held.as_of))


# --- 2 issuer_key ---------------------------------------------------------------------------------


def find_candidates(
    sealed: Sealed, bundle: Bundle, *, fresh: bool
) -> tuple[Sequence[ListedKey] | None, Checks]:
    """Keys that may have sealed it: the hint finds them, the issuer's entry decides.

    fresh  whether all data held is fresh, since an unlisted issuer could be anybody's
    """
    kid = sealed.kid
    found = bundle.find_keys(kid) if isinstance(kid, str) else bundle.find_keys8(kid)
    candidates = [key for key in found if key.entry.iss == sealed.iss][:MAX_CANDIDATES]
    if not candidates:
        return None, (_not_found(sealed, bundle, fresh=fresh),)
    if len(candidates) > 1 and len({key.entry.kid for key in candidates}) < len(candidates):
        return None, (finding("issuer_key", "ISSUER_AMBIGUOUS"),)
    if any([key.entry.outside for key in candidates]):
        detail = {"jurisdiction": candidates[0].entry.jurisdiction}
        return None, (finding("issuer_key", "ISSUER_OUTSIDE_NAMESPACE", detail=detail),)
    return candidates, _PASSED["issuer_key"]


def _not_found(sealed: Sealed, bundle: Bundle, *, fresh: bool) -> Check:
    if bundle.find_issuer(sealed.iss):
        return finding("issuer_key", "KEY_UNKNOWN", fresh=fresh)
    for code, namespaces in bundle.known_peers.items():
        if code not in bundle.jurisdictions and is_inside(sealed.iss, namespaces):
            return finding("issuer_key", "JURISDICTION_UNKNOWN", detail={"jurisdiction": code})
    return finding("issuer_key", "ISSUER_UNKNOWN", fresh=fresh)


def is_inside(entity_id: str, namespaces: Iterable[str]) -> bool:
    """Whether the host of an https URL is one of the name spaces or lies below one."""
    try:
        parts = urlsplit(entity_id)
        host = parts.hostname or ""
    except ValueError:
        return False
    if (
        parts.scheme != "https"
        or parts.username is not None
        or parts.netloc.lower() != parts.netloc
    ):
        return False
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in namespaces)


# --- 3 certificate --------------------------------------------------------------------------------


def certificate(sealed: Sealed, key: ListedKey, bundle: Bundle) -> tuple[bool, Checks]:
    """Path to the jurisdiction's authority at the time of sealing; codes carry no chain.

    Issuers repeat one header for ever and `iat` is a full hour, so the answer is remembered for
    as long as the bundle stays the same.
    """
    if sealed.x5c is None:
        return True, _NOT_APPLICABLE_CERTIFICATE
    entry = key.entry
    memo = (sealed.header_text, entry.jurisdiction, entry.iss, sealed.iat)
    code = bundle.chains.get(memo)
    if code is None:
        code = _check_chain(sealed, entry, bundle.jurisdictions[entry.jurisdiction]) or ""
        bundle.chains.put(memo, code)
    if code:
        return False, (finding("certificate", code),)
    return True, _PASSED["certificate"]


def _check_chain(sealed: Sealed, entry: IssuerKey, held: Jurisdiction) -> str | None:
    """The chain itself, unless these very bytes were checked for this key when they came in."""
    try:
        chain = x509.parse_x5c(sealed.x5c)
    except InputError as error:
        return error.code
    life = (entry.chains or {}).get(x509.chain_digest(chain))
    if life is not None and life[0] <= sealed.iat <= life[1] and entry.iss == sealed.iss:
        return None
    anchors = x509.load_anchors(held.ca)
    return x509.check_chain(chain, anchors=anchors, at=sealed.iat, iss=sealed.iss, kid=entry.kid)


# --- 5 key_time -----------------------------------------------------------------------------------


def key_time(credential: Credential) -> tuple[bool, Checks]:
    """Whether the key was in force when it sealed, and has not been stolen since."""
    entry, iat = credential.key.entry, credential.sealed.iat
    if iat < entry.nbf:
        return False, (finding("key_time", "KEY_NOT_YET_VALID"),)
    if entry.sign_until is not None and iat >= entry.sign_until:
        return False, (finding("key_time", "KEY_RETIRED_BEFORE_SIGNING"),)
    if entry.compromised_at is not None and entry.survivors is None:
        return False, (finding("key_time", "KEY_COMPROMISED"),)
    if entry.compromised_at is not None:  # perhaps a survivor: what else is wrong still counts
        return True, (finding("key_time", "SURVIVORS_UNAVAILABLE"),)
    return True, _PASSED["key_time"]


# --- 6-10 authority, scope, approval --------------------------------------------------------------


class Standing(NamedTuple):
    """How far one grant carries a credential: the step that stopped it, and why."""

    step: int
    checks: Checks
    right: Right | None = None


_REACHED = 11  # beyond step 10: everything asked of a grant holds


def authority(
    credential: Credential, bundle: Bundle, *, now: int, fresh: bool
) -> tuple[None, Checks]:
    """Steps 6 to 10: one grant that passes all of them is enough.

    Otherwise the reason of the grant that got furthest is given. What counts is the time of
    sealing; `now` only tells whether the right has ended since.
    """
    entry = credential.key.entry
    best: Standing | None = None
    for right in bundle.find_rights(entry.jurisdiction, entry.iss):
        standing = _weigh(right, credential, now=now, fresh=fresh)
        if best is None or standing.step > best.step:
            best = standing
            if best.step == _REACHED:
                break
    return None, best.checks if best else (finding("authority", "NO_GRANT", fresh=fresh),)


def _weigh(right: Right, credential: Credential, *, now: int, fresh: bool) -> Standing:
    sealed = credential.sealed
    detail = {"statement": right.jti}
    if right.fault and right.stage == 6:
        return Standing(6, (finding("authority", right.fault, detail=detail),), right)
    if sealed.kind.vct not in right.vct:
        return Standing(6, (finding("authority", "GRANT_SCOPE_TYPE", fresh=fresh),), right)
    if credential.key.entry.kid not in right.jkt:
        return Standing(6, (finding("authority", "KEY_NOT_IN_GRANT", fresh=fresh),), right)
    if right.fault:
        return Standing(7, (finding("authority", right.fault, detail=detail),), right)
    delegation = _in_force(
        "DELEGATION",
        sealed.iat,
        right.delegation_nbf,
        right.delegation_exp,
        right.delegation_events,
        now=now,
    )
    if delegation.code:
        return Standing(7, (finding("authority", delegation.code, detail=detail),), right)
    grant = _in_force("GRANT", sealed.iat, right.nbf, right.exp, right.events, now=now)
    if grant.code:
        return Standing(8, (finding("authority", grant.code, detail=detail),), right)
    if delegation.ended or grant.ended or now >= right.exp:
        ended = finding("authority", "GRANT_ENDED_SINCE", detail=detail)
        return _scope(right, credential, (_PASSED["authority"][0], ended))
    return _scope(right, credential, (_granted(right.jti, right.exp),))


@lru_cache(maxsize=1024)
def _granted(jti: str, until: int) -> Check:
    return Check("authority", "pass", None, None, {"statement": jti, "until": until})


class _Force(NamedTuple):
    code: str | None
    ended: bool


_IN_FORCE = _Force(None, ended=False)


def _in_force(
    kind: str, iat: int, nbf: int, exp: int, events: Sequence[Event], *, now: int
) -> _Force:
    """Whether a statement was in force at the time of sealing (trust effects, by word)."""
    if not nbf <= iat < exp:
        return _Force(f"{kind}_NOT_IN_FORCE", ended=False)
    if not events:
        return _IN_FORCE
    effect = effect_at(events, iat, now=now)
    if effect.word is None:
        return _Force(None, ended=effect.ended)
    if effect.word == "NOT_ANCHORED":
        return _Force("NOT_ANCHORED", ended=True)
    if effect.word == "UNDER_REVIEW":
        return _Force("GRANT_UNDER_REVIEW", ended=True)
    return _Force(f"{kind}_{effect.word}", ended=True)


def _scope(right: Right, credential: Credential, remarks: Checks) -> Standing:
    """Step 9: place, profession and term lie inside the grant; then step 10."""
    sealed = credential.sealed
    code, dimension = _outside(right, credential)
    if code:
        detail = {"statement": right.jti, "dimension": dimension}
        return Standing(9, (*remarks, finding("scope", code, detail=detail)), right)
    checks = (*remarks, *_PASSED["scope"])
    if right.approval_required or sealed.kind.dual_control:
        # Approvals are demanded here and cannot be read yet: what demands one is never complete.
        return Standing(10, (*checks, finding("approval", "APPROVAL_MISSING")), right)
    if sealed.code is not None and sealed.code.message.unprotected:
        # A countersignature nobody asked for lies outside the seal: a second spelling.
        return Standing(10, (*checks, finding("approval", "APPROVAL_INVALID")), right)
    return Standing(_REACHED, (*checks, _NO_APPROVAL), right)


_NO_APPROVAL = Check("approval", "not_applicable")


def _outside(right: Right, credential: Credential) -> tuple[str | None, str]:
    sealed, claims = credential.sealed, credential.claims
    if not all_inside(sealed.territory, right.territory):
        return "GRANT_SCOPE_TERRITORY", "territory"
    for name in sealed.kind.territory_claims:
        place = claims.get(name)
        if place is not None and not is_within(place, sealed.territory):
            return "GRANT_SCOPE_TERRITORY", name
    if right.profession is not None and not _practises(credential, right.profession):
        return "GRANT_SCOPE_PROFESSION", "profession"
    term = sealed.exp - sealed.iat
    limit = right.max_validity if right.max_validity is not None else MAX_TIME
    if term > limit or term > sealed.kind.max_days * 86_400:
        return "VALIDITY_TOO_LONG", "validity"
    return None, ""


def all_inside(places: Iterable[str], outer: Sequence[str]) -> bool:
    return all([is_within(place, outer) for place in places])


def is_within(place: object, outer: Sequence[str]) -> bool:
    """Whether a territory lies in one of `outer`; anything that is no territory lies in none."""
    return place in outer or any([contains(big, place) for big in outer])


def profession_of(credential: Credential) -> str | None:
    """The profession path a credential is about; for titles `series/<number>`."""
    name = credential.sealed.kind.profession_claim
    value = credential.claims.get(name) if name else None
    if not isinstance(value, str):
        return None
    return f"series/{value}" if name == "title_series" else value


def _practises(credential: Credential, professions: Sequence[str]) -> bool:
    profession = profession_of(credential)
    return profession is not None and any(
        profession_contains(outer, profession) for outer in professions
    )


# --- 11 recognition -------------------------------------------------------------------------------


def recognition(
    credential: Credential, bundle: Bundle, policy: Policy, home: Jurisdiction, now: int
) -> tuple[None, Checks]:
    """Whether home recognises this type and profession from there, now and for this case."""
    origin = credential.key.entry.jurisdiction
    if origin == home.code:
        return None, _HOME
    if not policy.recognition:
        return None, (finding("recognition", "NOT_ASKED"),)
    fresh = is_fresh(home, now)
    best = (
        0,
        finding("recognition", "NOT_RECOGNISED", detail={"jurisdiction": origin}, fresh=fresh),
    )
    for right in bundle.find_recognitions(home.code, origin):
        step = _weigh_recognition(right, credential, policy, home, now)
        if step[0] > best[0]:
            best = step
    return None, (best[1], *(_catalogue(best[1])))


_HOME = (finding("recognition", "HOME_JURISDICTION"),)


def _catalogue(found: Check) -> Checks:
    """A recognition that names a catalogue cannot be completed without one."""
    detail = found.detail or {}
    if found.result == "pass" and detail.get("catalogue"):
        return (finding("catalogue", "CATALOGUE_EDITION_UNKNOWN", detail=detail),)
    return ()


def _weigh_recognition(
    right: RecognitionRight, credential: Credential, policy: Policy, home: Jurisdiction, now: int
) -> tuple[int, Check]:
    detail = {"statement": right.jti, "from": right.nbf, "until": right.exp}
    if right.fault:
        return 1, finding("recognition", right.fault, detail=detail)
    for dimension, fits in _RECOGNITION_SCOPE:
        answer = fits(right, credential, policy, home)
        if answer is None:
            continue
        code = "RECOGNITION_SCOPE" if answer is False else "PURPOSE_UNDECLARED"
        if answer is not True:
            found = finding("recognition", code, detail={**detail, "dimension": dimension})
            return (2 if answer is False else 4), found
    return _recognised_when(right, credential, now, detail)


Undeclared = str
Fit = Callable[[RecognitionRight, Credential, Policy, Jurisdiction], "bool | Undeclared | None"]


def _fits_type(right: RecognitionRight, credential: Credential, *_: object) -> bool:
    return credential.sealed.kind.vct in right.vct


def _fits_profession(right: RecognitionRight, credential: Credential, *_: object) -> bool:
    return right.profession is None or _practises(credential, right.profession)


def _fits_origin(right: RecognitionRight, credential: Credential, *_: object) -> bool:
    return all_inside(credential.sealed.territory, right.issued_in)


def _fits_place(
    right: RecognitionRight, _: Credential, policy: Policy, home: Jurisdiction
) -> bool | Undeclared:
    if policy.place is not None:
        return is_within(policy.place, right.valid_in)
    return True if all_inside(home.territory, right.valid_in) else "undeclared"


def _fits_purpose(
    right: RecognitionRight, _: Credential, policy: Policy, __: Jurisdiction
) -> bool | Undeclared:
    return "undeclared" if policy.purpose is None else policy.purpose in right.purpose


_RECOGNITION_SCOPE: Sequence[tuple[str, Fit]] = (
    ("type", _fits_type),
    ("profession", _fits_profession),
    ("issued_in", _fits_origin),
    ("place", _fits_place),
    ("purpose", _fits_purpose),
)


def _recognised_when(
    right: RecognitionRight, credential: Credential, now: int, detail: dict[str, object]
) -> tuple[int, Check]:
    """In force now, or, for what was sealed while it held, by the way it ended."""
    iat = credential.sealed.iat
    if right.max_age is not None and now - iat > right.max_age:
        limit = {**detail, "limit_seconds": right.max_age, "age_seconds": now - iat}
        return 5, finding("recognition", "RECOGNITION_TOO_OLD", detail=limit)
    end, on_end = _recognition_end(right, now)
    if right.nbf - CLOCK_SKEW_SECONDS <= now < end:
        found = {**detail, "catalogue": right.catalogue} if right.catalogue else detail
        return 9, Check("recognition", "pass", None, None, found)
    if now < right.nbf or iat >= end or iat < right.nbf or on_end == "void":
        return 5, finding("recognition", "RECOGNITION_NOT_IN_FORCE", detail=detail)
    if on_end == "review":
        return 6, finding("recognition", "RECOGNITION_UNDER_REVIEW", detail=detail)
    return 8, finding("recognition", "RECOGNITION_GRANDFATHERED", detail=detail)


def _recognition_end(right: RecognitionRight, now: int) -> tuple[int, str]:
    """When it ends, and what becomes of what was sealed before: a withdrawal may end it early."""
    if not right.events or effect_at(right.events, now, now=now).word is None:
        return right.exp, right.on_end
    last = [event for event in right.events if event.effect != "resume"][-1]
    if last.effect == "void":
        return right.nbf, "void"
    return min(right.exp, last.at), _ON_WITHDRAWAL.get(last.effect, right.on_end)


_ON_WITHDRAWAL = {"suspend": "review", "review": "review", "anchored": "void"}
