"""The reasons that never come with a verdict: input, sync, publishing, issuing, services, the desk.

This module promises one stable name for each of them, with the HTTP status it is answered with,
where it is met, what it means, and whether somebody must be alarmed. They are carried as `code` by
problem documents (RFC 9457 §3), by results of a synchronisation, by logs and by errors. Left to
others: words for people (`schemas.messages`), building the response, the exit of a program.

Two names, TRUST_DATA_EXPIRED and DEV_TRUST_REFUSED, are also codes of a verdict: they mean the same
thing, met when data enters instead of when it is used.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Any, NamedTuple


class ProblemCode(StrEnum):
    """Why something could not be done (docs/reason-codes.md)."""

    @staticmethod
    def _generate_next_value_(name: str, *_: Any) -> str:
        return name  # a code is its own name, in capitals

    INPUT_UNREADABLE = auto()
    ROLLBACK_REFUSED = auto()
    TRUST_DATA_EXPIRED = auto()
    BUNDLE_SIGNATURE = auto()
    BUNDLE_TAMPERED = auto()
    BUNDLE_INCOMPLETE = auto()
    BUNDLE_TOO_LARGE = auto()
    BUNDLE_UNSAFE = auto()
    WRONG_NETWORK = auto()
    DEV_TRUST_REFUSED = auto()
    NOT_WITNESSED = auto()
    WITNESS_POLICY_INVALID = auto()
    LOG_INCONSISTENT = auto()
    HEAD_MISMATCH = auto()
    NAMESPACE_OVERLAP = auto()
    KEY_STATE_IMPROVED = auto()
    STATEMENT_VANISHED = auto()
    STATUS_ROLLBACK = auto()
    STATUS_LIST_UNPUBLISHED = auto()
    KEY_LISTED_TOO_RECENTLY = auto()
    GRANT_QUOTA_EXCEEDED = auto()
    APPROVER_IS_ISSUER = auto()
    STATEMENT_RETROACTIVE = auto()

    REQUEST_INVALID = auto()
    UNAUTHENTICATED = auto()
    CSRF_REFUSED = auto()
    NOT_FOUND = auto()
    METHOD_NOT_ALLOWED = auto()
    NOT_ACCEPTABLE = auto()
    REQUEST_TIMEOUT = auto()
    IDEMPOTENCY_KEY_MISSING = auto()
    IDEMPOTENCY_CONFLICT = auto()
    PRECONDITION_FAILED = auto()
    PRECONDITION_REQUIRED = auto()
    BODY_TOO_LARGE = auto()
    HEADERS_TOO_LARGE = auto()
    MEDIA_TYPE_UNSUPPORTED = auto()
    RATE_LIMITED = auto()
    NOT_OFFERED = auto()
    OVERLOADED = auto()
    DEPENDENCY_UNAVAILABLE = auto()
    STORAGE_FULL = auto()
    INTERNAL_ERROR = auto()
    PRESENTATION_DECLINED = auto()
    PRESENTATION_EXPIRED = auto()
    PRESENTATION_REJECTED = auto()
    PRESENTATION_NOT_RETURNED = auto()

    CLAIMS_INVALID = auto()
    EVIDENCE_REJECTED = auto()
    STATE_CONFLICT = auto()
    DUPLICATE_APPLICATION = auto()
    SERVICE_CLOSED = auto()
    RULE_SET_NOT_IN_FORCE = auto()
    TASK_CLAIMED = auto()
    SEPARATION_OF_DUTIES = auto()
    ROLE_MISSING = auto()
    PREREQUISITE_MISSING = auto()
    MANDATE_MISSING = auto()
    MANDATE_ENDED = auto()
    MANDATE_SCOPE = auto()
    CONFLICT_OF_INTEREST = auto()
    QUORUM_NOT_MET = auto()
    TESTS_FAILING = auto()
    EDITION_IMMUTABLE = auto()
    EDITION_OVERLAP = auto()
    CONSENT_MISSING = auto()
    CUSTODY_CONFLICT = auto()
    BENEFIT_ALREADY_USED = auto()
    AGENCY_UNAVAILABLE = auto()


class ProblemInfo(NamedTuple):
    """What is known about a code before it happens.

    where      input, sync, monitor, publisher, issuing, approval, service, desk
    statuses   HTTP statuses, the usual one first; empty where it is never an answer of its own
    meaning    one English sentence, the same as in docs/reason-codes.md
    exit_code  the exit of a command line program that ends with it, where one does
    alarm      somebody must be told at once: an attack or a faulty source is likely
    """

    where: tuple[str, ...]
    statuses: tuple[int, ...]
    meaning: str
    exit_code: int | None = None
    alarm: bool = False


def _sync(meaning: str, *, alarm: bool, exit_code: int = 1, where: str = "sync") -> ProblemInfo:
    return ProblemInfo(tuple(where.split()), (), meaning, exit_code, alarm)


def _issuing(status: int, meaning: str, where: str = "issuing") -> ProblemInfo:
    return ProblemInfo(tuple(where.split()), (status,), meaning)


def _service(*statuses: int, meaning: str) -> ProblemInfo:
    return ProblemInfo(("service",), statuses, meaning)


def _desk(*statuses: int, meaning: str) -> ProblemInfo:
    return ProblemInfo(("desk",), statuses, meaning)


_P = ProblemCode

PROBLEMS: Mapping[ProblemCode, ProblemInfo] = {
    _P.INPUT_UNREADABLE: ProblemInfo(
        ("input",), (422,), "No code found in the picture, or the file cannot be read.", 4
    ),
    _P.ROLLBACK_REFUSED: _sync("Older than what is held.", alarm=True),
    _P.TRUST_DATA_EXPIRED: _sync("Repository metadata past its expiry at entry.", alarm=False),
    _P.BUNDLE_SIGNATURE: _sync("Metadata without the required threshold of keys.", alarm=True),
    _P.BUNDLE_TAMPERED: _sync(
        "Length or hash differs from signed metadata, or from `root.json`.", alarm=True
    ),
    _P.BUNDLE_INCOMPLETE: _sync("A named file is missing.", alarm=False, exit_code=4),
    _P.BUNDLE_TOO_LARGE: _sync("A length limit was passed.", alarm=False),
    _P.BUNDLE_UNSAFE: _sync(
        "Unsafe archive: names, links, duplicates or expansion; refused before reading.",
        alarm=True,
    ),
    _P.WRONG_NETWORK: _sync(
        "Network, jurisdiction or entity id differ from the pinned ones.", alarm=False
    ),
    _P.DEV_TRUST_REFUSED: _sync("Development mark differs from the pinned mode.", alarm=False),
    _P.NOT_WITNESSED: _sync("Snapshot not proven under a quorum of witnesses.", alarm=True),
    _P.WITNESS_POLICY_INVALID: _sync(
        "Witness policy invalid, for example one key listed twice.", alarm=True
    ),
    _P.LOG_INCONSISTENT: _sync(
        "Two checkpoints of one log contradict each other; both are kept as evidence.",
        alarm=True,
        where="sync monitor",
    ),
    _P.HEAD_MISMATCH: _sync(
        "Older root, targets or list, or other withdrawals, than the jurisdiction's head states.",
        alarm=True,
    ),
    _P.NAMESPACE_OVERLAP: _sync(
        "Two jurisdictions claim the same names; the second one is not loaded.",
        alarm=True,
        where="sync publisher",
    ),
    _P.KEY_STATE_IMPROVED: _sync(
        "A compromised key is shown as good.", alarm=True, where="sync monitor"
    ),
    _P.STATEMENT_VANISHED: _sync(
        "A withdrawal or key event seen before is gone.", alarm=True, where="sync monitor"
    ),
    _P.STATUS_ROLLBACK: _sync(
        "A status list older than the one held, or a revocation undone; the newer one stays.",
        alarm=True,
        where="sync monitor",
    ),
    _P.STATUS_LIST_UNPUBLISHED: _issuing(503, "The status list is not yet readable in public."),
    _P.KEY_LISTED_TOO_RECENTLY: _issuing(
        409,
        "Key or grant listed less than 24 hours ago; waived under development roots.",
    ),
    _P.GRANT_QUOTA_EXCEEDED: _issuing(
        409, "The number allowed for the period is used up.", "issuing approval"
    ),
    _P.APPROVER_IS_ISSUER: _issuing(
        409, "Both sign-offs by one person or one entity.", "approval issuing"
    ),
    _P.STATEMENT_RETROACTIVE: ProblemInfo(
        ("publisher", "monitor"),
        (),
        "A statement that takes effect before it was logged, without saying so.",
        1,
        alarm=True,
    ),
    _P.REQUEST_INVALID: _service(
        400, 422, meaning="The request breaks its own shape; with 422, every fault is named."
    ),
    _P.UNAUTHENTICATED: _service(401, meaning="Not signed in, or the sign-in has ended."),
    _P.CSRF_REFUSED: _service(403, meaning="A form or call from another site."),
    _P.NOT_FOUND: _service(404, meaning="No such thing, or it belongs to somebody else."),
    _P.METHOD_NOT_ALLOWED: _service(405, meaning="The address does not take this method."),
    _P.NOT_ACCEPTABLE: _service(406, meaning="No form offered here fits `Accept`."),
    _P.REQUEST_TIMEOUT: _service(408, meaning="The body did not arrive in time."),
    _P.IDEMPOTENCY_KEY_MISSING: _service(400, meaning="A creating call without `Idempotency-Key`."),
    _P.IDEMPOTENCY_CONFLICT: _service(
        409, meaning="Same key with another body, or the first call still runs."
    ),
    _P.PRECONDITION_FAILED: _service(412, meaning="`If-Match` names an older version."),
    _P.PRECONDITION_REQUIRED: _service(428, meaning="A change without `If-Match`."),
    _P.BODY_TOO_LARGE: _service(413, meaning="The body is over its cap."),
    _P.HEADERS_TOO_LARGE: _service(431, meaning="The headers are over their cap."),
    _P.MEDIA_TYPE_UNSUPPORTED: _service(415, meaning="A body of a kind not read here."),
    _P.RATE_LIMITED: _service(429, meaning="Too many calls."),
    _P.NOT_OFFERED: _service(
        501, meaning="An optional part that is switched off or not installed."
    ),
    _P.OVERLOADED: _service(503, meaning="The queue is full."),
    _P.DEPENDENCY_UNAVAILABLE: _service(
        503, meaning="Database, key device, file or peer is gone; the part is named."
    ),
    _P.STORAGE_FULL: _service(507, meaning="No room to store the act; nothing was done."),
    _P.INTERNAL_ERROR: _service(500, meaning="A fault of ours; the request id is in `instance`."),
    _P.PRESENTATION_DECLINED: _service(meaning="The person declined."),
    _P.PRESENTATION_EXPIRED: _service(meaning="No answer in time."),
    _P.PRESENTATION_REJECTED: _service(
        meaning="The wallet's answer was refused; a verdict, if one was reached, stands beside it."
    ),
    _P.PRESENTATION_NOT_RETURNED: _service(
        meaning="The browser session that asked did not come back with the response code."
    ),
    _P.CLAIMS_INVALID: _desk(
        422, meaning="Claims or form fields break their table; every fault is named."
    ),
    _P.EVIDENCE_REJECTED: _desk(
        422,
        meaning="A file has a wrong kind, size or page count, active content, or cannot be read.",
    ),
    _P.STATE_CONFLICT: _desk(409, meaning="The act does not fit the present state."),
    _P.DUPLICATE_APPLICATION: _desk(409, meaning="This person has an open case for this service."),
    _P.SERVICE_CLOSED: _desk(409, meaning="The service takes no applications on that day."),
    _P.RULE_SET_NOT_IN_FORCE: _desk(409, meaning="No rule set is in force on that day."),
    _P.TASK_CLAIMED: _desk(409, meaning="Another officer holds the task."),
    _P.SEPARATION_OF_DUTIES: _desk(
        409, meaning="The same person, identity document or an excluded role acted before."
    ),
    _P.ROLE_MISSING: _desk(403, meaning="This account has no role for the act."),
    _P.PREREQUISITE_MISSING: _desk(403, meaning="Training or agreement is absent or lapsed."),
    _P.MANDATE_MISSING: _desk(
        403, meaning="The service organisation has no mandate of this person."
    ),
    _P.MANDATE_ENDED: _desk(403, meaning="The mandate was withdrawn or has ended."),
    _P.MANDATE_SCOPE: _desk(403, meaning="The mandate covers other services or another case."),
    _P.CONFLICT_OF_INTEREST: _desk(409, meaning="An expert is excluded or has not declared."),
    _P.QUORUM_NOT_MET: _desk(409, meaning="Too few experts present."),
    _P.TESTS_FAILING: _desk(
        422, meaning="A test beside the rules, catalogue or service is red or missing."
    ),
    _P.EDITION_IMMUTABLE: _desk(409, meaning="A published edition is never edited."),
    _P.EDITION_OVERLAP: _desk(409, meaning="Another edition starts on that day."),
    _P.CONSENT_MISSING: _desk(403, meaning="The person has not agreed to this use."),
    _P.CUSTODY_CONFLICT: _desk(409, meaning="The file already has another custodian."),
    _P.BENEFIT_ALREADY_USED: _desk(409, meaning="A one-time benefit was used before."),
    _P.AGENCY_UNAVAILABLE: _desk(
        meaning="An agency has not answered yet; never an answer to an applicant."
    ),
}
"""Every code with its facts; a test compares names, statuses and meanings with the page."""
