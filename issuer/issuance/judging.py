"""Would a verifier take it? Asked twice, of the same procedure and with this issuer's trust data.

Before sealing, a draft is held against the steps that bear on the issuer: its key, its certificate,
its grant with delegation, scope and approval. After sealing, the certificate goes through all of
`verify`. Neither recognition elsewhere nor the holder's proof is the issuer's affair.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from issuer.issuance.models import Sealed
from schemas.verdict import Check
from talentseal.bundle import Bundle, ListedKey
from talentseal.encoding import to_seconds
from talentseal.errors import RefusedError, UnavailableError
from talentseal.policy import Policy
from talentseal.reading import Credential, Evidence, read
from talentseal.trust import authority, certificate, find_candidates, key_time
from talentseal.verify import verify

# What must have been asked, and not failed; a check that never ran is no pass.
_REQUIRED = frozenset(
    ("issuer_key", "certificate", "signature", "key_time", "authority", "scope", "approval")
)
_JUDGED = _REQUIRED | {"trust_data", "format", "validity", "status"}
# A certificate may begin later, and a list that is only old says nothing against a new entry.
_ALLOWED = frozenset(("NOT_YET_VALID", "STATUS_STALE"))
_ANYWHERE = Policy(recognition=False)
_HOUR = "Rights and keys begin on a full hour: try again when the next one has begun."
_HINTS = {
    "KEY_NOT_YET_VALID": _HOUR,
    "GRANT_NOT_IN_FORCE": _HOUR,
    "DELEGATION_NOT_IN_FORCE": _HOUR,
    "TRUST_DATA_EXPIRED": "Run: issuer sync",
}


def check_draft(draft: Sealed, key: ListedKey, bundle: Bundle, *, now: datetime) -> None:
    """Steps 3 and 5 to 10 over a draft. Raises RefusedError with the code of the step."""
    for evidence in draft.evidence():
        _refuse_first(_steps(evidence, key, bundle, to_seconds(now)))


def _steps(evidence: Evidence, key: ListedKey, bundle: Bundle, now: int) -> Iterator[Check]:
    sealed = read(evidence, bundle)
    yield from find_candidates(sealed, bundle, fresh=True)[1]
    yield from certificate(sealed, key, bundle)[1]
    written = Credential(sealed, key)  # our own claims: nothing here is believed or shown
    yield from key_time(written)[1]
    yield from authority(written, bundle, now=now, fresh=True)[1]


def check_sealed(sealed: Sealed, bundle: Bundle, *, now: datetime) -> None:
    """The whole procedure over the certificate itself. Raises RefusedError."""
    for evidence in sealed.evidence():
        checks = verify(evidence, bundle, _ANYWHERE, now=now).checks
        _refuse_first(check for check in checks if check.check in _JUDGED)
        if not {check.check for check in checks} >= _REQUIRED:
            raise UnavailableError("the certificate could not be checked", code="INTERNAL_ERROR")


def _refuse_first(checks: Iterable[Check]) -> None:
    for check in checks:
        if check.result in ("fail", "unknown") and str(check.code) not in _ALLOWED:
            raise _refusal(str(check.code))


def _refusal(code: str) -> RefusedError:
    return RefusedError(
        f"a verifier would not take this certificate: {code}",
        code=code,
        hint=_HINTS.get(code, "Nothing was recorded or handed out."),
    )
