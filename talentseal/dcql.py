"""DCQL: what a verifier asks for, whether certificates held fit it, whether an answer fits it.

The wallet evaluates a query over what it holds and learns which claims would leave, and no others.
The verifier holds the answer against its own query. A value asked for and not there looks the same
from outside as a claim that is not there. Whether a presentation is genuine is judged elsewhere.

Standard: OpenID4VP 1.0 (final), §6 (queries), §7 (paths), §8.1 (`vp_token`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.openid4vp import SDJWT_FORMAT, ClaimQuery, CredentialQuery, CredentialSet, DcqlQuery
from talentseal.encoding import MAX_METADATA_BYTES, MAX_METADATA_DEPTH, malformed, parse_json
from talentseal.shapes import read_shape

Path = tuple[str | int | None, ...]
AKI = "aki"  # trusted authorities named by key identifier (§6.1.1.1): the only kind known here


class Candidate(NamedTuple):
    """A certificate as a query sees it.

    key          whatever the caller knows it by
    vct          its type
    claims       every claim that could be shown, each in its place
    authorities  base64url key identifiers of the authorities in its certificate chain
    """

    key: str
    format: str
    vct: str
    claims: Mapping[str, Any]
    authorities: frozenset[str] = frozenset()


class Choice(NamedTuple):
    """One certificate that answers one query, and the claims that it would show."""

    query: str
    key: str
    paths: tuple[Path, ...]


def parse_query(value: Any) -> DcqlQuery:
    """A parsed JSON value as a query. Raises InputError `MALFORMED`."""
    return read_shape(DcqlQuery, value, "a query")


def parse_query_text(text: str) -> DcqlQuery:
    """A query as a link carries it. Raises InputError `MALFORMED` or `TOO_LARGE`."""
    data = text.encode("utf-8", "surrogatepass")
    return parse_query(parse_json(data, max_bytes=MAX_METADATA_BYTES, max_depth=MAX_METADATA_DEPTH))


# --- evaluating (§6.4) ----------------------------------------------------------------------------


def evaluate(
    query: DcqlQuery, candidates: Sequence[Candidate], *, optional: bool = False
) -> list[Choice] | None:
    """One certificate for each query that must be answered; None if one of these has none.

    Earlier candidates are preferred. Sets that are not required stay away unless `optional`,
    or unless none is.
    """
    found = {asked.id: _first_match(asked, candidates) for asked in query.credentials}
    wanted = _wanted(query, {name for name, choice in found.items() if choice}, optional=optional)
    if wanted is None:
        return None
    return [choice for name, choice in found.items() if choice is not None and name in wanted]


def _first_match(asked: CredentialQuery, candidates: Sequence[Candidate]) -> Choice | None:
    for candidate in candidates:
        paths = match(asked, candidate)
        if paths is not None:
            return Choice(asked.id, candidate.key, paths)
    return None


def match(asked: CredentialQuery, candidate: Candidate) -> tuple[Path, ...] | None:
    """The claims that `candidate` would show to this query; None if it does not fit."""
    if not (_is_of_kind(asked, candidate) and _is_of_authority(asked, candidate)):
        return None
    for claims in _claim_options(asked):
        if not _lacking(candidate, claims):
            return tuple(dict.fromkeys(tuple(claim.path) for claim in claims))
    return None


class Miss(NamedTuple):
    """One way in which a certificate does not answer a query.

    code  the reason (docs/reason-codes.md)
    path  the claim that is not there, for `CLAIM_NOT_DISCLOSED`
    """

    code: str
    path: Path = ()


def find_misses(asked: CredentialQuery, candidate: Candidate) -> list[Miss]:
    """Why `match` finds nothing; empty where it finds something.

    Of several combinations of claims the one that lacks least is named.
    """
    if not _is_of_kind(asked, candidate):
        return [Miss("TYPE_NOT_ACCEPTED")]
    misses = [] if _is_of_authority(asked, candidate) else [Miss("ISSUER_NOT_ACCEPTED")]
    lacking = min((_lacking(candidate, claims) for claims in _claim_options(asked)), key=len)
    return [*misses, *(Miss("CLAIM_NOT_DISCLOSED", path) for path in lacking)]


def _lacking(candidate: Candidate, claims: Sequence[ClaimQuery]) -> list[Path]:
    paths = (tuple(claim.path) for claim in claims if not _holds(candidate.claims, claim))
    return list(dict.fromkeys(paths))


def _is_of_kind(asked: CredentialQuery, candidate: Candidate) -> bool:
    """Only `dc+sd-jwt` is presented here (B.3.5)."""
    return asked.format == candidate.format == SDJWT_FORMAT and (
        candidate.vct in asked.meta["vct_values"]
    )


def _is_of_authority(asked: CredentialQuery, candidate: Candidate) -> bool:
    """Authorities named by anything but a key identifier match nothing: we could not tell."""
    if asked.trusted_authorities is None:
        return True
    named = {v for entry in asked.trusted_authorities if entry.type == AKI for v in entry.values}
    return not named.isdisjoint(candidate.authorities)


def _claim_options(asked: CredentialQuery) -> list[list[ClaimQuery]]:
    """Combinations of claims, the verifier's favourite first (§6.4.1)."""
    claims = asked.claims or []
    if asked.claim_sets is None:
        return [claims]
    by_id = {claim.id: claim for claim in claims}
    return [[by_id[name] for name in option] for option in asked.claim_sets]


def _holds(claims: Mapping[str, Any], asked: ClaimQuery) -> bool:
    found = select(claims, asked.path)
    if asked.values is None:
        return bool(found)
    wanted = {(type(value), value) for value in asked.values}
    plain = (value for value in found if isinstance(value, str | int))
    return any((type(value), value) in wanted for value in plain)


def _wanted(query: DcqlQuery, found: set[str], *, optional: bool) -> set[str] | None:
    """Ids to be answered (§6.4.2); None if a required one cannot be, or nothing would be."""
    if query.credential_sets is None:
        ids = {asked.id for asked in query.credentials}
        return ids if ids <= found else None
    optional = optional or not any(asked.required for asked in query.credential_sets)
    wanted: set[str] = set()
    for asked in query.credential_sets:
        option = _first_option(asked, found)
        if option is None and asked.required:
            return None
        if option is not None and (asked.required or optional):
            wanted |= option
    return wanted or None


def _first_option(asked: CredentialSet, found: set[str]) -> set[str] | None:
    return next((set(option) for option in asked.options if set(option) <= found), None)


def select(claims: Mapping[str, Any], path: Sequence[str | int | None]) -> list[Any]:
    """The values that a claims path pointer leads to (§7.1.1); none where it leads nowhere."""
    selected: list[Any] = [claims]
    for step in path:
        below: list[Any] = []
        for value in selected:
            if not isinstance(value, Mapping if isinstance(step, str) else list):
                return []
            below += _below(value, step)
        selected = below
    return selected


def _below(value: Any, step: str | int | None) -> list[Any]:
    if step is None:
        return list(value)
    if isinstance(step, str):
        return [value[step]] if step in value else []
    return [value[step]] if step < len(value) else []


# --- an answer against the query (§8.1, §8.6) -----------------------------------------------------


def check_vp_token(query: DcqlQuery, value: Any) -> dict[str, list[str]]:
    """Presentations by query id, in the order of the query. Raises InputError `MALFORMED`.

    Refused are unknown ids, anything but texts, more than one where one was asked for, and an
    answer that leaves a required set out. What each presentation shows is held against its query
    by `talentseal.verify`, once its seal is known to be good.
    """
    asked = {entry.id: entry for entry in query.credentials}
    if not isinstance(value, dict) or not value or not value.keys() <= asked.keys():
        malformed("an answer holds presentations by the ids of its query, and nothing else")
    for name, shown in value.items():
        if not isinstance(shown, list) or not all(isinstance(text, str) for text in shown):
            malformed(f"the presentations of {name} are no list of texts")
        if not shown or (len(shown) > 1 and not asked[name].multiple):
            malformed(f"the number of presentations of {name} is not the one asked for")
    if _wanted(query, set(value), optional=False) is None:
        malformed("an answer leaves out what was asked for")
    return {name: value[name] for name in asked if name in value}
