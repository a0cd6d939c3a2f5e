"""One request for a presentation, from the question to the answer that is taken once.

States: `waiting`, then `answered`, `declined`, `rejected` (the answer was refused with 400),
`expired`, or `not_returned` (the browser that asked did not come back with its code). An answer is
judged by the one procedure with our client identifier as audience, our nonce and our query; it is
taken in one statement, so of two answers one is the first. Only what breaks the answer itself
(integrity, query, holder) is told to the wallet, and without detail; everything else is for whoever
asked. Whoever asked and the wallet are told the same: of a rejected answer nothing that was shown
is kept, only the verdicts on what was wrong with it, and none of those accepts.

Verdicts hold what was disclosed: they are erased a quarter of an hour after the request has ended.

Standards: OpenID4VP 1.0 (final) §5, §8; HAIP 1.0 §5 for encrypted answers.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from schemas.messages import sentence
from schemas.openid4vp import CredentialQuery, DcqlQuery
from schemas.territory import parse_territory
from schemas.verdict import Verdict
from talentseal import dcql, jwe, oid4vp
from talentseal.encoding import b64url_encode, dump_json, format_time, parse_json, to_seconds
from talentseal.errors import InputError, RefusedError, UsageError
from talentseal.policy import PURPOSES
from talentseal.reading import Evidence
from talentseal.service.auth import Actor
from talentseal.verify import verify
from verifier.presentations import repository
from verifier.station import Station

LIFE_SECONDS = 600
KEEP_SECONDS = 900  # after the end: time for whoever asked to read the verdict
MAX_FORM_BYTES = 512 * 1024
_MAX_VERDICTS_BYTES = 16 * MAX_FORM_BYTES  # a verdict says more than the least presentation
SIGNED = ("x509_san_dns", "x509_hash")
_CODES = {
    "declined": "PRESENTATION_DECLINED",
    "expired": "PRESENTATION_EXPIRED",
    "rejected": "PRESENTATION_REJECTED",
    "not_returned": "PRESENTATION_NOT_RETURNED",
}
_WALLET_NONCE = re.compile(r"[A-Za-z0-9._~-]{1,512}")
_RANK = {"accept": 0, "refer": 1, "refuse": 2}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator asks for.

    query       name of a query of this verifier, or the query itself
    identifier  how the verifier says who it is; `redirect_uri` is not signed
    encrypted   the answer comes as `direct_post.jwt`
    """

    query: DcqlQuery
    policy: str
    place: str | None
    purpose: str | None
    mode: str
    identifier: str
    encrypted: bool


class Started(NamedTuple):
    """A request that waits for its answer; `link` is what a wallet is called with."""

    id: str
    link: str
    request_uri: str | None
    expires_at: int


def start(station: Station, actor: Actor, wanted: Wanted) -> Started:
    """Begin a request. Raises UsageError, RefusedError."""
    _check_case(wanted)
    station.policy(wanted.policy, place=wanted.place, purpose=wanted.purpose)
    now = to_seconds(station.clock())
    number = b64url_encode(station.random(16))
    response_uri = f"{station.url}/oid4vp/response/{number}"
    key = jwe.new_key_pair(b64url_encode(station.random(8))) if wanted.encrypted else None
    claims = oid4vp.request_claims(
        client_id=_client_id(station, wanted.identifier, response_uri),
        response_uri=response_uri,
        nonce=b64url_encode(station.random(16)),
        state=b64url_encode(station.random(16)),
        query=wanted.query,
        client_name=station.name,
        issued_at=now,
        seconds=LIFE_SECONDS,
        encryption_key=key.public if key else None,
    )
    signed = wanted.identifier in SIGNED
    row = {
        "id": number, "creator": actor.id, "state": "waiting", "mode": wanted.mode,
        "policy": wanted.policy, "place": wanted.place, "purpose": wanted.purpose,
        "request": dump_json(claims).decode(), "signed": signed,
        "private_key": dump_json(key.private).decode() if key else None,
        "created_at": now, "expires_at": now + LIFE_SECONDS,
        "delete_after": now + LIFE_SECONDS + KEEP_SECONDS,
    }  # fmt: skip
    repository.add(station.engine, row)
    if not signed:
        return Started(number, oid4vp.unsigned_link(claims), None, now + LIFE_SECONDS)
    request_uri = f"{station.url}/oid4vp/request/{number}"
    link = oid4vp.request_link(claims["client_id"], request_uri, post=True)
    return Started(number, link, request_uri, now + LIFE_SECONDS)


def _check_case(wanted: Wanted) -> None:
    """Raises UsageError: nobody is asked for what could not be judged afterwards."""
    if wanted.place is not None and parse_territory(wanted.place) is None:
        raise UsageError("the place is no territory", hint="Such as CN/4403.")
    if wanted.purpose is not None and wanted.purpose not in PURPOSES:
        raise UsageError("the purpose is not known", hint=f"One of {', '.join(sorted(PURPOSES))}.")


def _client_id(station: Station, identifier: str, response_uri: str) -> str:
    if identifier == "redirect_uri":
        return oid4vp.client_id_of_uri(response_uri)
    if station.access is None:
        raise UsageError(
            "this verifier has no certificate to sign requests with",
            hint="Run `verifier keys new`, have the registry answer, then `verifier keys take`.",
        )
    if identifier == "x509_hash":
        return oid4vp.client_id_of_leaf(station.access.leaf)
    return oid4vp.client_id_of_host(station.access.host)


# --- the wallet's side ----------------------------------------------------------------------------


def request_object(station: Station, number: str, *, wallet_nonce: str | None = None) -> str:
    """The signed request, the same however often it is fetched.

    Raises RefusedError `NOT_FOUND`, UsageError.
    """
    if wallet_nonce is not None and not _WALLET_NONCE.fullmatch(wallet_nonce):
        raise UsageError("wallet_nonce is 1 to 512 characters of A-Z a-z 0-9 . _ ~ -")
    row = repository.find(station.engine, number)
    if row is None or not row.signed or station.access is None or not _waits(station, row):
        raise _unknown()
    claims = parse_json(row.request.encode(), max_depth=32)
    if wallet_nonce is not None:
        claims["wallet_nonce"] = wallet_nonce
    return oid4vp.sign_request(claims, signer=station.access.signer, x5c=station.access.x5c)


def _waits(station: Station, row: Any) -> bool:
    return bool(row.state == "waiting" and to_seconds(station.clock()) < row.expires_at)


class Told(NamedTuple):
    """What the wallet is told: 200 with a place to go back to, or 400 without detail."""

    is_taken: bool
    redirect_uri: str | None = None


REFUSED = Told(is_taken=False)


def answer(station: Station, number: str, fields: Mapping[str, str]) -> Told:
    """Judge and take a wallet's answer. Whatever is wrong with it, the wallet hears only 400."""
    row = repository.find(station.engine, number)
    if row is None or not _waits(station, row):
        return REFUSED
    asked = parse_json(row.request.encode(), max_depth=32)
    private = parse_json(row.private_key.encode()) if row.private_key else None
    try:
        given = oid4vp.read_response(fields, private_key=private)
    except (InputError, RefusedError):
        # Only who knows the state has seen the request: whatever a stranger sends uses nothing up.
        is_ours = _is_state(fields.get("state"), asked)
        return _end(station, row, "rejected", None) if is_ours else REFUSED
    if not _is_state(given.state, asked):
        return REFUSED
    if given.error is not None:
        return _end(station, row, "declined", None)
    try:
        verdicts, is_sound = _judged(station, row, asked, given.vp_token)
    except InputError:
        return _end(station, row, "rejected", None)
    return _end(station, row, "answered" if is_sound else "rejected", verdicts)


def _is_state(given: str | None, asked: Mapping[str, Any]) -> bool:
    return hmac.compare_digest((given or "").encode("utf-8", "replace"), asked["state"].encode())


def _end(station: Station, row: Any, state: str, verdicts: Mapping[str, Any] | None) -> Told:
    """Take the answer if nobody was quicker."""
    now = to_seconds(station.clock())
    secret = b64url_encode(station.random(16)) if row.mode == "same_device" else None
    is_first = repository.take(
        station.engine,
        row.id,
        {
            "state": state,
            "code": _CODES.get(state),
            "answered_at": now,
            "delete_after": now + KEEP_SECONDS,
            "private_key": None,
            "verdicts": dump_json(verdicts).decode() if verdicts else None,
            "return_sha256": _digest(secret) if secret and state == "answered" else None,
        },
    )
    if not is_first or state == "rejected":
        return REFUSED
    if secret is None or state != "answered":
        return Told(is_taken=True)
    return Told(True, f"{station.url}/presented/{row.id}#response_code={secret}")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _judged(
    station: Station, row: Any, asked: Mapping[str, Any], vp_token: Any
) -> tuple[dict[str, list[Any]], bool]:
    """The verdicts by query id, in the order shown, and whether the answer is sound (§8.6)."""
    query = dcql.parse_query(asked["dcql_query"])
    shown = dcql.check_vp_token(query, vp_token)
    policy = station.policy(row.policy, place=row.place, purpose=row.purpose)
    policy = replace(policy, holder="required")
    now, bundle = station.clock(), station.trust.bundle
    found = [
        (entry.id, verify(_evidence(text, asked, entry), bundle, policy, now=now))
        for entry in query.credentials
        for text in shown.get(entry.id, ())
    ]
    faulty = [(name, _unshown(verdict)) for name, verdict in found if not _is_sound(verdict)]
    verdicts: dict[str, list[Any]] = {}
    for name, verdict in faulty or found:
        verdicts.setdefault(name, []).append(verdict.to_json())
    return verdicts, not faulty


def _evidence(text: str, asked: Mapping[str, Any], entry: CredentialQuery) -> Evidence:
    return Evidence(text, audience=asked["client_id"], nonce=asked["nonce"], query=entry)


def _is_sound(verdict: Verdict) -> bool:
    """Intact, shown by its holder to us, and what was asked for; no other verdict accepts."""
    holder = [check.result for check in verdict.checks if check.check == "holder"]
    misses = any("query" in (check.detail or ()) for check in verdict.checks)
    return verdict.questions["authentic"] == "pass" and holder == ["pass"] and not misses


def _unshown(verdict: Verdict) -> Verdict:
    """The verdict without what was shown: nothing of a rejected answer is for anybody to read."""
    if verdict.credential is None:
        return verdict
    return verdict._replace(credential=verdict.credential._replace(claims={}))


# --- the side of whoever asked --------------------------------------------------------------------


def come_back(station: Station, actor: Actor, number: str, response_code: str) -> dict[str, Any]:
    """The code that the wallet brought back to the browser that had asked.

    Raises RefusedError `NOT_FOUND`; a wrong or late code ends the presentation as not returned.
    """
    row = _own(station, actor, number)
    if row.state == "answered" and row.return_sha256 is not None:
        is_right = hmac.compare_digest(_digest(response_code), row.return_sha256)
        is_right = is_right and to_seconds(station.clock()) < row.expires_at
        changes: dict[str, Any] = {"return_sha256": None}
        if not is_right:
            changes |= {"state": "not_returned", "code": _CODES["not_returned"], "verdicts": None}
        repository.change(station.engine, number, changes)
    return result(station, actor, number)


def result(station: Station, actor: Actor, number: str) -> dict[str, Any]:
    """How a request stands, for whoever began it. Raises RefusedError `NOT_FOUND`.

    The verdict of a same-device request is told once its browser came back with the code.
    """
    row = _own(station, actor, number)
    state = _state(station, row)
    is_told = row.verdicts is not None and row.return_sha256 is None and state != "not_returned"
    verdicts = _read_verdicts(row.verdicts) if is_told else {}
    every = [verdict for some in verdicts.values() for verdict in some]
    document = {
        "id": row.id,
        "state": state,
        "code": _CODES.get(state),
        "message": sentence(_CODES[state], "en") if state in _CODES else None,
        "verdict": max(every, key=lambda one: _RANK[one["outcome"]], default=None),
        "expires_at": format_time(row.expires_at),
    }
    return {**document, "verdicts": verdicts} if len(every) > 1 else document


def _read_verdicts(text: str) -> dict[str, list[Any]]:
    """What this service wrote itself: of so large an answer, all that its verdicts say."""
    found: dict[str, list[Any]] = parse_json(
        text.encode(), max_bytes=_MAX_VERDICTS_BYTES, max_members=_MAX_VERDICTS_BYTES, max_depth=32
    )
    return found


def _state(station: Station, row: Any) -> str:
    """The state as of now: what was not answered, or not brought back in time, has ended."""
    is_late = to_seconds(station.clock()) >= row.expires_at
    if row.state == "waiting" and is_late:
        return "expired"
    if row.state == "answered" and row.return_sha256 is not None:
        return "not_returned" if is_late else "waiting"
    state: str = row.state
    return state


def _own(station: Station, actor: Actor, number: str) -> Any:
    row = repository.find(station.engine, number)
    if row is None or row.creator != actor.id:
        raise _unknown()
    return row


def _unknown() -> RefusedError:
    return RefusedError(
        "no such presentation", code="NOT_FOUND", hint="It may have ended; start another."
    )
