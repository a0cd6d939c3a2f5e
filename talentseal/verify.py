"""The one procedure: is this credential good, here, now?

The verdict depends on the arguments alone: no clock, file or socket is read here. No claim is
shown or used before the seal over it has been checked, and what cannot be answered stays unknown.
Left to others: getting the bundle (`sync`), pictures (`qr`), keeping records (the roles).
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from schemas.rules import evaluate
from schemas.verdict import Caution, Check, CredentialView, Verdict
from talentseal.bundle import Bundle, Jurisdiction, ListedKey
from talentseal.encoding import CLOCK_SKEW_SECONDS, date_to_days, to_seconds
from talentseal.errors import InputError, UsageError
from talentseal.holder import Replays, holder
from talentseal.policy import FRESH_SECONDS, Policy
from talentseal.reading import Credential, Evidence, Sealed, check_holder, is_suspicious, read
from talentseal.trail import Trail, finding, passed
from talentseal.trust import (
    authority,
    certificate,
    find_candidates,
    is_fresh,
    key_time,
    recognition,
    state,
    trust_data,
)

if TYPE_CHECKING:
    from schemas.openid4vp import CredentialQuery

# Days named in certificates end at midnight where they are issued; all of the network is UTC+8.
ISSUER_ZONE_SECONDS = 8 * 3600


def verify(
    evidence: Evidence,
    bundle: Bundle,
    policy: Policy,
    *,
    now: datetime,
    replays: Replays | None = None,
) -> Verdict:
    """Judge `evidence` by the trust data in `bundle`, as of `now`.

    evidence  what was shown, with the audience and nonce that were asked for, if any
    bundle    trust data of every jurisdiction in use; its age is judged, never refreshed
    now       aware datetime: the only notion of time in here
    replays   remembers used proofs; None where nothing can be shown twice

    Broken or hostile evidence is a finding in the verdict. Raises UsageError if `now` is naive.
    """
    # 0 trust_data        present, whole, young enough; clock not behind
    # 1 format            one spelling, inside the bounds              RFC 9901 §7.1, RFC 8392 §7.2
    # 2 issuer_key        found in the bundle, never in the evidence       RFC 9901 §7.1 (2c)
    # 3 certificate       path to the jurisdiction's authority, at iat     RFC 5280 §6
    # 4 signature         over the bytes received                          RFC 9901 §7.1 (2b)
    # 5 key_time          the key was in force when it sealed
    # 6-10 authority, scope, approval   a grant within its delegation, in force when sealed
    # 11 recognition      by our own jurisdiction, today and for this case
    # 12 validity, status nbf <= now < exp; status only of what is valid   RFC 9901 §7.1 (6)
    # 13 holder           if the policy asks, whatever was sent            RFC 9901 §7.3
    # 14 policy           what this verifier adds
    if now.tzinfo is None:
        raise UsageError("now has no time zone", hint="pass datetime.now(UTC)")
    at = to_seconds(now)
    trail = Trail(policy, at, policy.home or bundle.home)
    home = trail.note_trust(trust_data(trail.home, bundle, policy, at))  # 0
    if home is None:
        return trail.verdict()
    trail.bundle[home.code] = state(home, at)
    if (sealed := trail.note(_format(evidence, bundle, policy))) is None:  # 1
        return trail.verdict()
    fresh = at - bundle.oldest <= FRESH_SECONDS
    if (candidates := trail.note(find_candidates(sealed, bundle, fresh=fresh))) is None:  # 2
        return trail.verdict()
    key = _sealer(sealed, candidates)
    origin = _origin(trail, key, bundle, home)
    if origin is None or not trail.note(certificate(sealed, key, bundle)):  # 3
        return trail.verdict()
    if (credential := trail.note(_signature(sealed, key, bundle))) is None:  # 4
        return trail.verdict()
    if not trail.note(key_time(credential)):  # 5
        return trail.verdict()
    trail.credential = _view(credential)
    trail.note(authority(credential, bundle, now=at, fresh=is_fresh(origin, at)))  # 6-10
    trail.note(recognition(credential, bundle, policy, home, at))  # 11
    if trail.note(_validity(credential, at)):  # 12
        trail.note(_status(credential, bundle, policy, at))
    else:
        trail.note((None, (finding("status", "NOT_APPLICABLE"),)))
    sound = bundle.is_clock_sound(at)
    trail.note(  # 13
        holder(credential, evidence, policy, now=at, clock_is_sound=sound, replays=replays)
    )
    trail.cautions = trail.note(_own_rules(credential, policy, evidence))  # 14
    return trail.verdict()


def _origin(
    trail: Trail, key: ListedKey, bundle: Bundle, home: Jurisdiction
) -> Jurisdiction | None:
    """The jurisdiction of the key's own entry, whose data must be good too (step 0 again)."""
    code = key.entry.jurisdiction
    if code == home.code:
        return home
    origin = trail.note_trust(trust_data(code, bundle, trail.policy, trail.now))
    if origin is not None:
        trail.bundle[code] = state(origin, trail.now)
    return origin


# --- 1 format -------------------------------------------------------------------------------------


def _format(
    evidence: Evidence, bundle: Bundle, policy: Policy
) -> tuple[Sealed | None, Sequence[Check]]:
    try:
        sealed = read(evidence, bundle)
    except InputError as error:
        return None, (finding("format", error.code, detail={"reason": error.message}),)
    host = sealed.link_host
    if host is None or host in policy.link_hosts or _is_known_page(host, bundle):
        return sealed, (_FORMAT,)
    return sealed, (_FORMAT, finding("format", "LINK_HOST_UNKNOWN", detail={"host": host}))


_FORMAT = passed("format")


def _is_known_page(host: str, bundle: Bundle) -> bool:
    return any(host in held.verifier_hosts for held in bundle.jurisdictions.values())


# --- 4 signature ----------------------------------------------------------------------------------


def _sealer(sealed: Sealed, candidates: Sequence[ListedKey]) -> ListedKey:
    """The candidate whose key made the seal; the first one where none did."""
    if len(candidates) == 1:
        return candidates[0]
    for key in candidates:
        if key.public.alg == sealed.alg and key.public.verify(sealed.signature, sealed.signed):
            return key
    return candidates[0]


def _signature(
    sealed: Sealed, key: ListedKey, bundle: Bundle
) -> tuple[Credential | None, Sequence[Check]]:
    """Open the seal. Only that it was good is remembered, never anything that can change.

    The signature is part of the memory's key: an altered one over a known text must fail.
    """
    if key.public.alg != sealed.alg:
        return None, (finding("signature", "ALG_NOT_ALLOWED"),)
    digest = hashlib.sha256(sealed.signed).digest()
    seen = key.public.thumbprint + sealed.signature + digest
    if not bundle.seen.get(seen):
        if not key.public.verify_hashed(sealed.signature, sealed.signed, digest):
            return None, (finding("signature", "SIGNATURE_INVALID"),)
        bundle.seen.put(seen, True)
    try:
        holders = check_holder(sealed)
    except InputError as error:
        return None, (finding("format", error.code),)
    return Credential(sealed, key, holders), (_SIGNATURE,)


_SIGNATURE = passed("signature")


def _view(credential: Credential) -> CredentialView:
    sealed, entry = credential.sealed, credential.key.entry
    return CredentialView(
        sealed.form,
        sealed.kind.vct,
        entry.iss,
        entry.names,
        entry.jurisdiction,
        sealed.iat,
        sealed.exp,
        credential.holder_bound,
        credential.claims,
    )


# --- 12 validity, status --------------------------------------------------------------------------


def _validity(credential: Credential, now: int) -> tuple[bool, Sequence[Check]]:
    sealed = credential.sealed
    if sealed.iat > now + CLOCK_SKEW_SECONDS:
        return False, (finding("validity", "ISSUED_IN_FUTURE", as_of=sealed.iat),)
    starts = sealed.nbf if sealed.nbf is not None else sealed.iat
    if starts > now + CLOCK_SKEW_SECONDS:
        return False, (finding("validity", "NOT_YET_VALID", as_of=starts),)
    if now >= sealed.exp + CLOCK_SKEW_SECONDS:
        detail = {"source": "exp"}
        return False, (finding("validity", "EXPIRED", as_of=sealed.exp, detail=detail),)
    end = _stated_end(credential)
    if end is not None and now >= end + CLOCK_SKEW_SECONDS:
        detail = {"source": str(sealed.kind.until_claim)}
        return False, (finding("validity", "EXPIRED", as_of=end, detail=detail),)
    return True, (_VALID,)


_VALID = passed("validity")


def _stated_end(credential: Credential) -> int | None:
    """The first second after the last day that the content itself names."""
    name = credential.sealed.kind.until_claim
    day = credential.claims.get(name) if name else None
    if not isinstance(day, str):
        return None
    try:
        return (date_to_days(day) + 1) * 86_400 - ISSUER_ZONE_SECONDS
    except InputError:
        return 0  # a last day that is no day has passed


def _status(
    credential: Credential, bundle: Bundle, policy: Policy, now: int
) -> tuple[None, Sequence[Check]]:
    """Token Status List §8.3, over what the bundle holds; nothing is fetched for a person."""
    reference = credential.sealed.status
    if reference is None:
        required = credential.sealed.kind.status_required
        return None, (finding("status", "STATUS_MISSING" if required else "NOT_APPLICABLE"),)
    uri, index = reference
    jurisdiction = credential.key.entry.jurisdiction
    held = bundle.find_status(jurisdiction, uri)
    if held is None:
        prefixes = bundle.jurisdictions[jurisdiction].status_uris
        known = any(uri.startswith(prefix) for prefix in prefixes)
        return None, (finding("status", "STATUS_UNAVAILABLE" if known else "STATUS_MISMATCH"),)
    if isinstance(held, str):
        return None, (finding("status", held),)
    age = now - held.issued_at
    detail = {"jurisdiction": jurisdiction, "age_seconds": age, "limit_seconds": policy.max_age}
    if age > policy.max_age or (held.expires_at is not None and now > held.expires_at):
        found = finding("status", "STATUS_STALE", as_of=held.issued_at, detail=detail)
        return None, (found,)
    value = held.value(index)
    if value == 0:
        return None, (Check("status", "pass", None, held.issued_at, detail),)
    code = "STATUS_INDEX_OUT_OF_RANGE" if value is None else _STATUS.get(value)
    return None, (finding("status", code or "STATUS_VALUE_UNKNOWN", as_of=held.issued_at),)


_STATUS = {1: "REVOKED", 2: "SUSPENDED"}


# --- 14 policy ------------------------------------------------------------------------------------


def _own_rules(
    credential: Credential, policy: Policy, evidence: Evidence
) -> tuple[Sequence[Caution], Sequence[Check]]:
    sealed, checks = credential.sealed, []
    if policy.types is not None and sealed.kind.vct not in policy.types:
        checks.append(finding("policy", "TYPE_NOT_ACCEPTED"))
    if policy.issuers is not None and credential.key.entry.iss not in policy.issuers:
        checks.append(finding("policy", "ISSUER_NOT_ACCEPTED"))
    hidden = sorted(policy.required - credential.claims.keys()) if policy.required else ()
    checks += [finding("policy", "CLAIM_NOT_DISCLOSED", detail={"claim": name}) for name in hidden]
    if evidence.query is not None:
        checks += _misses(credential, evidence.query)
    cautions = _cautions(credential) if sealed.kind.cautions else []
    checks.extend(finding("policy", code) for code, _ in cautions if code)
    if is_suspicious(credential.claims):
        checks.append(finding("format", "TEXT_SUSPICIOUS"))
    return [caution for _, caution in cautions], checks or (_POLICY,)


_POLICY = passed("policy")


def _misses(credential: Credential, query: "CredentialQuery") -> list[Check]:
    """What keeps it from answering the query; each finding names it (`detail.query`)."""
    from schemas.openid4vp import SDJWT_FORMAT
    from talentseal.dcql import Candidate, find_misses

    sealed = credential.sealed
    candidate = Candidate(
        key="",
        format=SDJWT_FORMAT if sealed.form == "sd-jwt-vc" else sealed.form,
        vct=sealed.kind.vct,
        claims=credential.claims,
        authorities=_authorities(sealed) if query.trusted_authorities else frozenset(),
    )
    return [
        finding(
            "policy", code, detail={"query": query.id, **({"claim": _dotted(path)} if path else {})}
        )
        for code, path in find_misses(query, candidate)
    ]


def _authorities(sealed: Sealed) -> frozenset[str]:
    """Of the chain whose path step 3 has checked; a code carries none."""
    from talentseal.x509 import authorities_of, parse_x5c

    return authorities_of(parse_x5c(sealed.x5c)) if sealed.x5c is not None else frozenset()


def _dotted(path: Sequence[str | int | None]) -> str:
    return ".".join("*" if step is None else str(step) for step in path)


def _cautions(credential: Credential) -> list[tuple[str | None, Caution]]:
    """The sentences of the type that hold of what is always visible."""
    return [
        (caution.code, Caution(caution.name, caution.message, caution.effect))
        for caution in credential.sealed.kind.cautions
        if evaluate(caution.when, credential.claims) is True
    ]
