"""The trail: the findings of one verification, in the order in which they were made.

A step hands its findings here; what they lead to is the policy's business, and the verdict is
nothing but the trail read once. No step can turn a finding of another into something better.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from schemas.verdict import (
    CODES,
    BundleState,
    Caution,
    Check,
    Code,
    CredentialView,
    Verdict,
    overall_outcome,
)
from talentseal.policy import Policy

Value = TypeVar("Value")

_RESULT = {"F": "fail", "U": "unknown", "R": "pass", "N": "not_applicable"}
_RESULTS = {code: _RESULT[info.letter] for code, info in CODES.items()}
_BY_NAME: Mapping[str, Code] = {str(code): code for code in CODES}
_ABSENCES = frozenset(code for code, info in CODES.items() if info.absence)
_QUESTION_OF = {
    "format": 0, "issuer_key": 0, "certificate": 0, "signature": 0, "key_time": 0,
    "authority": 1, "scope": 1, "approval": 1,
    "recognition": 2, "catalogue": 2,
}  # fmt: skip
_WORST = {"not_applicable": 0, "pass": 1, "unknown": 2, "fail": 3}
_NAME_AND_RESULT = itemgetter(0, 1)
_ANSWERS = ("not_applicable", "pass", "unknown", "fail")


def passed(check: str) -> Check:
    return Check(check, "pass")


def finding(
    check: str,
    code: str,
    *,
    as_of: int | None = None,
    detail: Mapping[str, Any] | None = None,
    fresh: bool = True,
) -> Check:
    """A finding with its code; the code says whether it fails, is unknown, or is a remark.

    fresh  whether the trust data it rests on is fresh: what is absent from data that is not
           may have been published since, and is unknown
    """
    known = _BY_NAME[code]
    result = "unknown" if not fresh and known in _ABSENCES else _RESULTS[known]
    return Check(check, result, known, as_of, detail)


class Trail:
    """The findings so far, and what else the verdict will say."""

    __slots__ = ("_trust", "bundle", "cautions", "checks", "credential", "home", "now", "policy")

    def __init__(self, policy: Policy, now: int, home: str) -> None:
        self.policy = policy
        self.now = now
        self.home = home
        self.checks: list[Check] = []
        self._trust = 0
        self.bundle: dict[str, BundleState] = {}
        self.credential: CredentialView | None = None
        self.cautions: Sequence[Caution] = ()

    def note(self, step: tuple[Value, Sequence[Check]]) -> Value:
        """Record a step's findings and hand on what it found."""
        value, checks = step
        self.checks += checks
        return value

    def note_trust(self, step: tuple[Value, Sequence[Check]]) -> Value:
        """The same for trust data, whose findings stand first even when made later."""
        value, checks = step
        self.checks[self._trust : self._trust] = checks
        self._trust += len(checks)
        return value

    def verdict(self) -> Verdict:
        """Any refuse refuses, else any refer refers, else accept."""
        outcomes = self.policy.decide(self.checks)
        authentic, authorised, recognised = _answers(tuple(map(_NAME_AND_RESULT, self.checks)))
        return Verdict(
            overall_outcome(outcomes),
            {"authentic": authentic, "authorised": authorised, "recognised": recognised},
            tuple(self.checks),
            self.credential,
            self.now,
            self.home,
            self.policy.place,
            self.policy.purpose,
            self.bundle,
            self.policy.label,
            tuple(self.cautions),
            outcomes,
        )


@lru_cache(maxsize=1024)
def _answers(found: tuple[tuple[str, str], ...]) -> tuple[str, str, str]:
    """Fail before unknown before pass; a question none of whose checks ran is unknown.

    found  check and result of each finding: the same few rows, again and again
    """
    worst = [-1, -1, -1]
    doubtful = False
    for name, result in found:
        question = _QUESTION_OF.get(name)
        if question is None:
            doubtful = doubtful or (name == "trust_data" and result != "pass")
        elif (rank := _WORST[result]) > worst[question]:
            worst[question] = rank
    answers = ["unknown" if w < 0 or (doubtful and w < 3) else _ANSWERS[w] for w in worst]
    return answers[0], answers[1], answers[2]
