"""What a verifier insists on: few fields, safe defaults.

A policy may tighten anything. It may soften a refusal to `refer` only for findings about
recognition, catalogue, validity and its own rules: authenticity, authority, status and holder
binding are not for sale. Unknown and fail never become accept, whatever a policy says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, Literal, NoReturn

from schemas.territory import parse_territory
from schemas.verdict import CODES, Check, Code
from talentseal.encoding import parse_json
from talentseal.errors import InputError, UsageError

DAY = 86_400
MAX_AGE_SECONDS = 7 * DAY  # life of the courier's timestamp; tighter where it matters
FRESH_SECONDS = DAY  # the jurisdiction speaks hourly: a day of silence is news
OPEN_WINDOW_SECONDS = 120
CHALLENGE_WINDOW_SECONDS = 300
SHORT_CHALLENGE_WINDOW_SECONDS = 120
MAX_POLICY_BYTES = 64 * 1024
PURPOSES = frozenset(("employment", "filing", "practise", "title_mapping", "study"))
_SOFTER = frozenset(("recognition", "catalogue", "validity", "policy"))
_RANK = {"accept": 0, "refer": 1, "refuse": 2}
_RESULT = itemgetter(1)
_BY_RESULT = {"pass": "accept", "not_applicable": "accept", "unknown": "refer", "fail": "refuse"}

Holder = Literal["required", "optional", "not_asked"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A verifier's rules.

    home              code of its own jurisdiction; "" where the bundle's own home is meant
    place, purpose    what the check is for; None leaves limited recognitions unanswered
    max_age           seconds after which trust data and status lists no longer answer
    holder            whether the holder's own proof is required, judged if shown, or not asked
    recognition       False leaves the third question unasked
    outcomes          code -> outcome, where it differs from the default
    types, issuers    what is accepted; None accepts all
    required          claims that must be shown
    link_hosts        hosts of verifier pages that a code's link may lead to
    """

    name: str = "default"
    version: int = 1
    home: str = ""
    place: str | None = None
    purpose: str | None = None
    max_age: int = MAX_AGE_SECONDS
    holder: Holder = "optional"
    recognition: bool = True
    outcomes: Mapping[str, str] = field(default_factory=dict)
    types: frozenset[str] | None = None
    issuers: frozenset[str] | None = None
    required: frozenset[str] = frozenset()
    link_hosts: frozenset[str] = frozenset()
    open_window: int = OPEN_WINDOW_SECONDS

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    def decide(self, checks: Iterable[Check]) -> tuple[str, ...]:
        """What each finding leads to: the default of its result, or this policy's own word."""
        if not self.outcomes:
            return tuple(map(_BY_RESULT.__getitem__, map(_RESULT, checks)))
        return tuple([self.outcome(check) for check in checks])

    def outcome(self, check: Check) -> str:
        default = _BY_RESULT[check.result]
        if check.code is None or not self.outcomes:
            return default
        wanted = self.outcomes.get(check.code, default)
        softer = _RANK[wanted] < _RANK[default]
        if softer and not (wanted == "refer" and check.check in _SOFTER):
            return default
        return default if check.code == Code.LINK_HOST_UNKNOWN else wanted


def _unknown_refused() -> dict[str, str]:
    refused = {str(code): "refuse" for code, info in CODES.items() if info.letter == "U"}
    return {**refused, **{str(c): "refuse" for c, i in CODES.items() if i.absence}}


_DESK = {
    "NOT_RECOGNISED": "refer",
    "RECOGNITION_SCOPE": "refer",
    "RECOGNITION_NOT_IN_FORCE": "refer",
    "RECOGNITION_TOO_OLD": "refer",
    "CATALOGUE_NOT_LISTED": "refer",
}


def shipped(name: str) -> Policy:
    """One of the profiles `default`, `desk`, `strict`. Raises UsageError for another name."""
    if name == "default":
        return Policy()
    if name == "desk":
        return Policy(name="desk", outcomes=_DESK)
    if name == "strict":
        outcomes = {**_unknown_refused(), "TRUST_DATA_STALE": "refuse"}
        return Policy(name="strict", holder="required", outcomes=outcomes)
    raise UsageError(
        f"no policy of the name {name[:40]!r}", hint="Shipped are default, desk and strict."
    )


SHIPPED = ("default", "desk", "strict")


def parse_policy(data: bytes) -> Policy:
    """Read a policy document (JSON). Raises InputError `MALFORMED` or `REQUEST_INVALID`.

    Members: those of `Policy`, `max_age` as `max_age_seconds`, `open_window` as
    `open_window_seconds`, and `base`, the shipped profile that the document starts from. A member
    that is null says nothing.
    """
    document = parse_json(data, max_bytes=MAX_POLICY_BYTES)
    base = shipped(_text(document.pop("base", "default"), "base"))
    values: dict[str, Any] = {}
    for member, value in document.items():
        reader = _READERS.get(member)
        if reader is None:
            _bad(f"a policy has no member {member[:40]!r}")
        name, read = reader
        if value is not None:
            values[name] = read(value, member)
    if "outcomes" in values:
        values["outcomes"] = {**base.outcomes, **values["outcomes"]}
    return replace(base, **values)


def _bad(message: str) -> NoReturn:
    raise InputError(
        message, code="REQUEST_INVALID", hint="See `verifier policy show` for an example."
    )


def _text(value: Any, member: str) -> str:
    return value if isinstance(value, str) and value else _bad(f"{member} is not a text")


def _count(value: Any, member: str) -> int:
    return value if type(value) is int and value > 0 else _bad(f"{member} is no positive number")


def _flag(value: Any, member: str) -> bool:
    return value if isinstance(value, bool) else _bad(f"{member} is neither true nor false")


def _place(value: Any, member: str) -> Any:
    return value if parse_territory(value) else _bad(f"{member} is no territory such as CN/4403")


def _purpose(value: Any, member: str) -> Any:
    return (
        value if value in PURPOSES else _bad(f"{member} is none of {', '.join(sorted(PURPOSES))}")
    )


def _holder(value: Any, member: str) -> Any:
    known = ("required", "optional", "not_asked")
    return value if value in known else _bad(f"{member} is none of {', '.join(known)}")


def _texts(value: Any, member: str) -> frozenset[str]:
    fine = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return frozenset(value) if fine else _bad(f"{member} is no list of texts")


def _outcomes(value: Any, member: str) -> dict[str, str]:
    if not isinstance(value, dict):
        _bad(f"{member} is no object")
    for code, outcome in value.items():
        if code not in Code.__members__ or outcome not in _RANK:
            _bad(f"{code[:40]!r} is no code, or its outcome is none of accept, refer, refuse")
        if _loosens(Code(code), outcome):
            _bad(f"a policy may not turn {code} into {outcome}")
    return value


def _loosens(code: Code, outcome: str) -> bool:
    info = CODES[code]
    if _RANK[outcome] >= _RANK[info.default_outcome]:
        return False
    return not (outcome == "refer" and set(info.checks) <= _SOFTER)


_READERS = {
    "name": ("name", _text),
    "version": ("version", _count),
    "home": ("home", _place),
    "place": ("place", _place),
    "purpose": ("purpose", _purpose),
    "max_age_seconds": ("max_age", _count),
    "open_window_seconds": ("open_window", _count),
    "holder": ("holder", _holder),
    "recognition": ("recognition", _flag),
    "outcomes": ("outcomes", _outcomes),
    "types": ("types", _texts),
    "issuers": ("issuers", _texts),
    "required": ("required", _texts),
    "link_hosts": ("link_hosts", _texts),
}
