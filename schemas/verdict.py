"""What a check of a credential answers: codes, checks and the verdict made of them.

This module is the one list of reasons (`Code`, `CODES`) and the one shape of an answer
(`Verdict`). It promises that every reason has a stable name, a place in the order of checks and a
letter that says what follows from it, and that `Verdict.to_json` writes the verdict document that
other programs rely on. Left to others: finding the reasons (the verification procedure), deciding
under a policy (the policy), and words for people (`schemas.messages`). A model that validates
foreign verdict documents is in `schemas.verdict_document`: a scan must not pay for pydantic.

A verdict is built once per verification, in a few microseconds: checks are plain tuples, times are
NumericDate (seconds since 1970-01-01T00:00:00Z, RFC 7519 §2) and become RFC 3339 text only when the
document is written.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum, auto
from functools import lru_cache
from typing import Any, NamedTuple

CHECKS = (
    "trust_data",
    "format",
    "issuer_key",
    "certificate",
    "signature",
    "key_time",
    "authority",
    "scope",
    "approval",
    "recognition",
    "catalogue",
    "validity",
    "status",
    "holder",
    "policy",
)
"""The names of all checks, in the order in which they run."""

QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "authentic": ("format", "issuer_key", "certificate", "signature", "key_time"),
    "authorised": ("authority", "scope", "approval"),
    "recognised": ("recognition", "catalogue"),
    "in_force": ("validity", "status"),
    "holder": ("holder",),
}
"""The checks that answer each question; the first three are `questions` of the document."""

RESULTS = ("pass", "fail", "unknown", "not_applicable")
OUTCOMES = ("accept", "refer", "refuse")

_OUTCOME_OF_LETTER = {"F": "refuse", "U": "refer", "R": "accept", "N": "accept"}
_OUTCOME_OF_RESULT = {
    "fail": "refuse",
    "unknown": "refer",
    "pass": "accept",
    "not_applicable": "accept",
}
_DOUBTFUL = frozenset({"fail", "unknown"})
_PLACES = {check: place for place, check in enumerate(CHECKS)}
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that RFC 3339 can write


class Code(StrEnum):
    """Why a check did not simply pass, or a remark on a pass (docs/reason-codes.md)."""

    @staticmethod
    def _generate_next_value_(name: str, *_: Any) -> str:
        return name  # a code is its own name, in capitals

    NO_TRUST_DATA = auto()
    TRUST_DATA_EXPIRED = auto()
    TRUST_DATA_CORRUPT = auto()
    CLOCK_ROLLED_BACK = auto()
    TRUST_DATA_STALE = auto()
    UPDATE_REFUSED = auto()
    UNWITNESSED = auto()
    DEV_TRUST = auto()
    DEV_TRUST_REFUSED = auto()
    NOT_A_CREDENTIAL = auto()
    MALFORMED = auto()
    TOO_LARGE = auto()
    TYPE_CONFUSION = auto()
    ALG_NOT_ALLOWED = auto()
    CRIT_UNKNOWN = auto()
    CLAIM_MISSING = auto()
    CLAIM_INVALID = auto()
    DISCLOSURE_INVALID = auto()
    DISCLOSURE_FORBIDDEN = auto()
    VCT_INTEGRITY = auto()
    PRINT_MISMATCH = auto()
    PDF_SEAL_INVALID = auto()
    FORMAT_UNSUPPORTED = auto()
    VCT_UNKNOWN = auto()
    TEXT_SUSPICIOUS = auto()
    LINK_HOST_UNKNOWN = auto()
    ISSUER_UNKNOWN = auto()
    KEY_UNKNOWN = auto()
    JURISDICTION_UNKNOWN = auto()
    ISSUER_OUTSIDE_NAMESPACE = auto()
    ISSUER_AMBIGUOUS = auto()
    CERT_PATH_INVALID = auto()
    CERT_ISS_MISMATCH = auto()
    CERT_KEY_MISMATCH = auto()
    SIGNATURE_INVALID = auto()
    KEY_NOT_YET_VALID = auto()
    KEY_RETIRED_BEFORE_SIGNING = auto()
    KEY_COMPROMISED = auto()
    SURVIVORS_UNAVAILABLE = auto()
    KEY_COMPROMISED_SURVIVOR = auto()
    NO_GRANT = auto()
    GRANT_SCOPE_TYPE = auto()
    GRANT_SUBJECT = auto()
    KEY_NOT_IN_GRANT = auto()
    STATEMENT_SIGNATURE = auto()
    STATEMENT_TYPE = auto()
    GRANT_NOT_IN_FORCE = auto()
    GRANT_WITHDRAWN = auto()
    GRANT_SUSPENDED = auto()
    GRANT_VOID = auto()
    NOT_ANCHORED = auto()
    GRANT_UNDER_REVIEW = auto()
    GRANT_ENDED_SINCE = auto()
    DELEGATION_MISSING = auto()
    DELEGATION_INVALID = auto()
    DELEGATION_WIDENED = auto()
    DELEGATION_TOO_DEEP = auto()
    DELEGATION_NOT_IN_FORCE = auto()
    DELEGATION_WITHDRAWN = auto()
    DELEGATION_SUSPENDED = auto()
    DELEGATION_VOID = auto()
    AUTHORITY_UNKNOWN = auto()
    AUTHORITY_KEY_UNBOUND = auto()
    AUTHORITY_KEY_COMPROMISED = auto()
    GRANT_SCOPE_TERRITORY = auto()
    GRANT_SCOPE_PROFESSION = auto()
    VALIDITY_TOO_LONG = auto()
    APPROVAL_MISSING = auto()
    APPROVAL_INVALID = auto()
    NOT_RECOGNISED = auto()
    RECOGNITION_SCOPE = auto()
    RECOGNITION_NOT_IN_FORCE = auto()
    RECOGNITION_TOO_OLD = auto()
    RECOGNITION_UNDER_REVIEW = auto()
    PURPOSE_UNDECLARED = auto()
    RECOGNITION_GRANDFATHERED = auto()
    HOME_JURISDICTION = auto()
    CATALOGUE_NOT_LISTED = auto()
    CATALOGUE_REMOVED = auto()
    CATALOGUE_REVIEW = auto()
    CATALOGUE_EDITION_UNKNOWN = auto()
    CATALOGUE_LISTED_THEN = auto()
    NOT_YET_VALID = auto()
    ISSUED_IN_FUTURE = auto()
    EXPIRED = auto()
    STATUS_MISSING = auto()
    STATUS_INDEX_OUT_OF_RANGE = auto()
    REVOKED = auto()
    SUSPENDED = auto()
    STATUS_UNAVAILABLE = auto()
    STATUS_STALE = auto()
    STATUS_SIGNER = auto()
    STATUS_SIGNATURE = auto()
    STATUS_MALFORMED = auto()
    STATUS_MISMATCH = auto()
    STATUS_VALUE_UNKNOWN = auto()
    HOLDER_NOT_BOUND = auto()
    HOLDER_PROOF_MISSING = auto()
    HOLDER_PROOF_INVALID = auto()
    HOLDER_AUDIENCE = auto()
    HOLDER_NONCE = auto()
    HOLDER_REPLAYED = auto()
    HOLDER_TIME = auto()
    HOLDER_OPEN_MODE = auto()
    HOLDER_BEARER_COPY = auto()
    TYPE_NOT_ACCEPTED = auto()
    ISSUER_NOT_ACCEPTED = auto()
    SUBJECT_MISMATCH = auto()
    SUBJECT_UNCERTAIN = auto()
    CLAIM_NOT_DISCLOSED = auto()
    RULE_FAILED = auto()
    REPORT_RESULT_NOT_POSITIVE = auto()
    EXTERNAL_PROFILE = auto()
    NOT_ASKED = auto()
    NOT_APPLICABLE = auto()


class CodeInfo(NamedTuple):
    """Where a code may stand and what it means for the outcome.

    checks   the checks that may carry it
    letter   F fail, U unknown, R remark on a pass, N not applicable
    absence  the code says that something is not listed: it is a fail while the trust data of that
             jurisdiction is fresh, and unknown ("update and try again") while it is not
    """

    checks: tuple[str, ...]
    letter: str
    absence: bool = False

    @property
    def default_outcome(self) -> str:
        """The outcome of this code under no policy and with fresh trust data."""
        return _OUTCOME_OF_LETTER[self.letter]


CODES: Mapping[Code, CodeInfo] = {
    Code.NO_TRUST_DATA: CodeInfo(("trust_data",), "U"),
    Code.TRUST_DATA_EXPIRED: CodeInfo(("trust_data",), "U"),
    Code.TRUST_DATA_CORRUPT: CodeInfo(("trust_data",), "U"),
    Code.CLOCK_ROLLED_BACK: CodeInfo(("trust_data",), "U"),
    Code.TRUST_DATA_STALE: CodeInfo(("trust_data",), "R"),
    Code.UPDATE_REFUSED: CodeInfo(("trust_data",), "R"),
    Code.UNWITNESSED: CodeInfo(("trust_data",), "R"),
    Code.DEV_TRUST: CodeInfo(("trust_data",), "R"),
    Code.DEV_TRUST_REFUSED: CodeInfo(("trust_data",), "F"),
    Code.NOT_A_CREDENTIAL: CodeInfo(("format",), "F"),
    Code.MALFORMED: CodeInfo(("format",), "F"),
    Code.TOO_LARGE: CodeInfo(("format",), "F"),
    Code.TYPE_CONFUSION: CodeInfo(("format",), "F"),
    Code.ALG_NOT_ALLOWED: CodeInfo(("format", "signature"), "F"),
    Code.CRIT_UNKNOWN: CodeInfo(("format", "authority"), "F"),
    Code.CLAIM_MISSING: CodeInfo(("format",), "F"),
    Code.CLAIM_INVALID: CodeInfo(("format",), "F"),
    Code.DISCLOSURE_INVALID: CodeInfo(("format",), "F"),
    Code.DISCLOSURE_FORBIDDEN: CodeInfo(("format",), "F"),
    Code.VCT_INTEGRITY: CodeInfo(("format",), "F"),
    Code.PRINT_MISMATCH: CodeInfo(("format",), "F"),
    Code.PDF_SEAL_INVALID: CodeInfo(("format",), "F"),
    Code.FORMAT_UNSUPPORTED: CodeInfo(("format",), "U"),
    Code.VCT_UNKNOWN: CodeInfo(("format",), "U"),
    Code.TEXT_SUSPICIOUS: CodeInfo(("format",), "R"),
    Code.LINK_HOST_UNKNOWN: CodeInfo(("format",), "R"),
    Code.ISSUER_UNKNOWN: CodeInfo(("issuer_key",), "F", absence=True),
    Code.KEY_UNKNOWN: CodeInfo(("issuer_key",), "F", absence=True),
    Code.JURISDICTION_UNKNOWN: CodeInfo(("issuer_key",), "U"),
    Code.ISSUER_OUTSIDE_NAMESPACE: CodeInfo(("issuer_key",), "F"),
    Code.ISSUER_AMBIGUOUS: CodeInfo(("issuer_key",), "F"),
    Code.CERT_PATH_INVALID: CodeInfo(("certificate",), "F"),
    Code.CERT_ISS_MISMATCH: CodeInfo(("certificate",), "F"),
    Code.CERT_KEY_MISMATCH: CodeInfo(("certificate",), "F"),
    Code.SIGNATURE_INVALID: CodeInfo(("signature",), "F"),
    Code.KEY_NOT_YET_VALID: CodeInfo(("key_time",), "F"),
    Code.KEY_RETIRED_BEFORE_SIGNING: CodeInfo(("key_time",), "F"),
    Code.KEY_COMPROMISED: CodeInfo(("key_time",), "F"),
    Code.SURVIVORS_UNAVAILABLE: CodeInfo(("key_time",), "U"),
    Code.KEY_COMPROMISED_SURVIVOR: CodeInfo(("key_time",), "R"),
    Code.NO_GRANT: CodeInfo(("authority",), "F", absence=True),
    Code.GRANT_SCOPE_TYPE: CodeInfo(("authority",), "F", absence=True),
    Code.GRANT_SUBJECT: CodeInfo(("authority",), "F"),
    Code.KEY_NOT_IN_GRANT: CodeInfo(("authority",), "F", absence=True),
    Code.STATEMENT_SIGNATURE: CodeInfo(("authority", "approval", "recognition"), "F"),
    Code.STATEMENT_TYPE: CodeInfo(("authority", "approval", "recognition"), "F"),
    Code.GRANT_NOT_IN_FORCE: CodeInfo(("authority",), "F"),
    Code.GRANT_WITHDRAWN: CodeInfo(("authority",), "F"),
    Code.GRANT_SUSPENDED: CodeInfo(("authority",), "F"),
    Code.GRANT_VOID: CodeInfo(("authority",), "F"),
    Code.NOT_ANCHORED: CodeInfo(("authority",), "F"),
    Code.GRANT_UNDER_REVIEW: CodeInfo(("authority",), "U"),
    Code.GRANT_ENDED_SINCE: CodeInfo(("authority",), "R"),
    Code.DELEGATION_MISSING: CodeInfo(("authority",), "F"),
    Code.DELEGATION_INVALID: CodeInfo(("authority",), "F"),
    Code.DELEGATION_WIDENED: CodeInfo(("authority",), "F"),
    Code.DELEGATION_TOO_DEEP: CodeInfo(("authority",), "F"),
    Code.DELEGATION_NOT_IN_FORCE: CodeInfo(("authority",), "F"),
    Code.DELEGATION_WITHDRAWN: CodeInfo(("authority",), "F"),
    Code.DELEGATION_SUSPENDED: CodeInfo(("authority",), "F"),
    Code.DELEGATION_VOID: CodeInfo(("authority",), "F"),
    Code.AUTHORITY_UNKNOWN: CodeInfo(("authority",), "F"),
    Code.AUTHORITY_KEY_UNBOUND: CodeInfo(("authority",), "F"),
    Code.AUTHORITY_KEY_COMPROMISED: CodeInfo(("authority",), "F"),
    Code.GRANT_SCOPE_TERRITORY: CodeInfo(("scope",), "F"),
    Code.GRANT_SCOPE_PROFESSION: CodeInfo(("scope",), "F"),
    Code.VALIDITY_TOO_LONG: CodeInfo(("scope",), "F"),
    Code.APPROVAL_MISSING: CodeInfo(("approval",), "F"),
    Code.APPROVAL_INVALID: CodeInfo(("approval",), "F"),
    Code.NOT_RECOGNISED: CodeInfo(("recognition",), "F", absence=True),
    Code.RECOGNITION_SCOPE: CodeInfo(("recognition",), "F"),
    Code.RECOGNITION_NOT_IN_FORCE: CodeInfo(("recognition",), "F"),
    Code.RECOGNITION_TOO_OLD: CodeInfo(("recognition",), "F"),
    Code.RECOGNITION_UNDER_REVIEW: CodeInfo(("recognition",), "U"),
    Code.PURPOSE_UNDECLARED: CodeInfo(("recognition",), "U"),
    Code.RECOGNITION_GRANDFATHERED: CodeInfo(("recognition",), "R"),
    Code.HOME_JURISDICTION: CodeInfo(("recognition",), "N"),
    Code.CATALOGUE_NOT_LISTED: CodeInfo(("catalogue",), "F"),
    Code.CATALOGUE_REMOVED: CodeInfo(("catalogue",), "F"),
    Code.CATALOGUE_REVIEW: CodeInfo(("catalogue",), "U"),
    Code.CATALOGUE_EDITION_UNKNOWN: CodeInfo(("catalogue",), "U"),
    Code.CATALOGUE_LISTED_THEN: CodeInfo(("catalogue",), "R"),
    Code.NOT_YET_VALID: CodeInfo(("validity",), "F"),
    Code.ISSUED_IN_FUTURE: CodeInfo(("validity",), "F"),
    Code.EXPIRED: CodeInfo(("validity",), "F"),
    Code.STATUS_MISSING: CodeInfo(("status",), "F"),
    Code.STATUS_INDEX_OUT_OF_RANGE: CodeInfo(("status",), "F"),
    Code.REVOKED: CodeInfo(("status",), "F"),
    Code.SUSPENDED: CodeInfo(("status",), "F"),
    Code.STATUS_UNAVAILABLE: CodeInfo(("status",), "U"),
    Code.STATUS_STALE: CodeInfo(("status",), "U"),
    Code.STATUS_SIGNER: CodeInfo(("status",), "U"),
    Code.STATUS_SIGNATURE: CodeInfo(("status",), "U"),
    Code.STATUS_MALFORMED: CodeInfo(("status",), "U"),
    Code.STATUS_MISMATCH: CodeInfo(("status",), "U"),
    Code.STATUS_VALUE_UNKNOWN: CodeInfo(("status",), "U"),
    Code.HOLDER_NOT_BOUND: CodeInfo(("holder",), "F"),
    Code.HOLDER_PROOF_MISSING: CodeInfo(("holder",), "F"),
    Code.HOLDER_PROOF_INVALID: CodeInfo(("holder",), "F"),
    Code.HOLDER_AUDIENCE: CodeInfo(("holder",), "F"),
    Code.HOLDER_NONCE: CodeInfo(("holder",), "F"),
    Code.HOLDER_REPLAYED: CodeInfo(("holder",), "F"),
    Code.HOLDER_TIME: CodeInfo(("holder",), "U"),
    Code.HOLDER_OPEN_MODE: CodeInfo(("holder",), "R"),
    Code.HOLDER_BEARER_COPY: CodeInfo(("holder",), "N"),
    Code.TYPE_NOT_ACCEPTED: CodeInfo(("policy",), "F"),
    Code.ISSUER_NOT_ACCEPTED: CodeInfo(("policy",), "F"),
    Code.SUBJECT_MISMATCH: CodeInfo(("policy",), "F"),
    Code.SUBJECT_UNCERTAIN: CodeInfo(("policy",), "U"),
    Code.CLAIM_NOT_DISCLOSED: CodeInfo(("policy",), "U"),
    Code.RULE_FAILED: CodeInfo(("policy",), "F"),
    Code.REPORT_RESULT_NOT_POSITIVE: CodeInfo(("policy",), "U"),
    Code.EXTERNAL_PROFILE: CodeInfo(("authority", "scope", "approval", "recognition"), "N"),
    Code.NOT_ASKED: CodeInfo(("recognition", "catalogue", "holder"), "N"),
    Code.NOT_APPLICABLE: CodeInfo(CHECKS, "N"),
}


class Check(NamedTuple):
    """One finding of the procedure; a check that did not run is absent, never a pass.

    check   a name of CHECKS
    result  a name of RESULTS; there is no default, so that no check passes by omission
    code    None on a plain pass
    as_of   NumericDate of the data the finding rests on
    detail  machine-readable facts (see `schemas.messages` for the names); never a key or token
    """

    check: str
    result: str
    code: Code | None = None
    as_of: int | None = None
    detail: Mapping[str, Any] | None = None


class Caution(NamedTuple):
    """A sentence the type's own document attaches to a genuine credential.

    message  language tag → sentence
    effect   "show" or "refer"; a caution that refers is also a finding of the check `policy`
    """

    id: str
    message: Mapping[str, str]
    effect: str


class BundleState(NamedTuple):
    """Which trust data of one jurisdiction the verdict rests on; `as_of` is a NumericDate."""

    version: int
    as_of: int
    age_seconds: int


class CredentialView(NamedTuple):
    """What may be told about the credential that was checked.

    form          "sd-jwt-vc", "cwt" or "cwt-dynamic"
    type          the `vct`
    issuer_names  language tag → name, from the registry entry of the key, never from the credential
    issued_at     NumericDate, as are all times here
    claims        only what was disclosed; shown only when the credential is authentic
    """

    form: str
    type: str
    issuer: str
    issuer_names: Mapping[str, str]
    jurisdiction: str | None
    issued_at: int
    expires_at: int | None
    holder_bound: bool
    claims: Mapping[str, Any]


class Verdict(NamedTuple):
    """The whole answer. No surface computes an outcome: all of them read this one.

    outcome      "accept", "refer" or "refuse", decided under the policy
    questions    authentic, authorised, recognised → result
    checks       in the order in which they ran
    credential   None as long as nothing could be read
    bundle       jurisdiction → state of its trust data
    policy       "name@version"
    outcomes     what the policy made of each check, in step with `checks`; empty where the
                 defaults hold. It only serves to find the headline and is not in the document.
    """

    outcome: str
    questions: Mapping[str, str]
    checks: tuple[Check, ...]
    credential: CredentialView | None
    evaluated_at: int
    home_jurisdiction: str
    place: str | None
    purpose: str | None
    bundle: Mapping[str, BundleState]
    policy: str
    cautions: tuple[Caution, ...] = ()
    outcomes: tuple[str, ...] = ()

    @property
    def headline_check(self) -> Check | None:
        """The first finding that has the overall outcome; None where the outcome is accept."""
        if self.outcome == "accept":
            return None
        outcomes = self.outcomes or tuple(map(default_outcome, self.checks))
        decided = zip(self.checks, outcomes, strict=True)
        decisive = [check for check, outcome in decided if outcome == self.outcome and check.code]
        # Where a policy shifted the findings and did not say which, whatever is no pass decides.
        doubtful = [check for check in self.checks if check.result in _DOUBTFUL]
        return min(decisive or doubtful, key=_place, default=None)

    @property
    def headline(self) -> Code | None:
        """The code of the headline, or None where the outcome is accept."""
        check = self.headline_check
        return check.code if check else None

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codes of all failed and unknown findings, in check order, without remarks."""
        checks = sorted(self.checks, key=_place)
        return tuple(c.code for c in checks if c.result in _DOUBTFUL and c.code)

    @property
    def remarks(self) -> tuple[Code, ...]:
        """The codes of findings that passed or did not apply, in check order."""
        checks = sorted(self.checks, key=_place)
        return tuple(c.code for c in checks if c.result not in _DOUBTFUL and c.code)

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The verdict document; only `message` is in the language, codes are never translated."""
        return {
            "outcome": self.outcome,
            "questions": dict(self.questions),
            "checks": [_check_json(check, lang) for check in self.checks],
            "credential": self._credential_json(),
            "evaluated_at": rfc3339(self.evaluated_at),
            "home_jurisdiction": self.home_jurisdiction,
            "place": self.place,
            "purpose": self.purpose,
            "bundle": {"jurisdictions": {j: _state_json(s) for j, s in self.bundle.items()}},
            "policy": self.policy,
        }

    def _credential_json(self) -> dict[str, Any] | None:
        credential = self.credential
        if credential is None:
            return None
        # The second lock on "no claim before the seal": the procedure is the first.
        authentic = self.questions.get("authentic") == "pass"
        return {
            "form": credential.form,
            "type": credential.type,
            "issuer": credential.issuer,
            "jurisdiction": credential.jurisdiction,
            "issued_at": rfc3339(credential.issued_at),
            "expires_at": _time_or_none(credential.expires_at),
            "holder_bound": credential.holder_bound,
            "claims": dict(credential.claims) if authentic else {},
        }


def _place(check: Check) -> int:
    return _PLACES.get(check.check, len(CHECKS))


def default_outcome(check: Check) -> str:
    """What follows from a finding where no policy says otherwise: fail refuses, unknown refers."""
    return _OUTCOME_OF_RESULT[check.result]


def overall_outcome(outcomes: Iterable[str]) -> str:
    """Any refuse refuses, else any refer refers, else accept."""
    seen = set(outcomes)
    if "refuse" in seen:
        return "refuse"
    return "refer" if "refer" in seen else "accept"


def answer(question: str, checks: Iterable[Check]) -> str:
    """The result of one of QUESTIONS: fail before unknown before not_applicable before pass.

    A question none of whose checks ran is unknown. While the trust data itself is unknown,
    authentic, authorised and recognised are at best unknown.
    """
    results = set()
    doubtful = False
    for check in checks:
        if check.check in QUESTIONS[question]:
            results.add(check.result)
        elif check.check == "trust_data" and check.result == "unknown":
            doubtful = question in {"authentic", "authorised", "recognised"}
    if "fail" in results:
        return "fail"
    if doubtful or not results or "unknown" in results:
        return "unknown"
    return "not_applicable" if results == {"not_applicable"} else "pass"


@lru_cache(maxsize=4096)
def rfc3339(seconds: int) -> str:
    """A NumericDate as RFC 3339 in UTC with `Z`; what lies beyond years 1970-9999 stops there."""
    within = min(max(seconds, 0), _LAST_SECOND)
    return datetime.fromtimestamp(within, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time_or_none(seconds: int | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)


def _check_json(check: Check, lang: str) -> dict[str, Any]:
    from schemas.messages import check_message

    document: dict[str, Any] = {
        "check": check.check,
        "result": check.result,
        "code": None if check.code is None else str(check.code),
        "message": check_message(check, lang),
        "as_of": _time_or_none(check.as_of),
    }
    if check.detail is not None:
        document["detail"] = dict(check.detail)
    return document


def _state_json(state: BundleState) -> dict[str, Any]:
    version, as_of, age_seconds = state
    return {"version": version, "as_of": rfc3339(as_of), "age_seconds": age_seconds}
