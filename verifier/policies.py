"""A policy for people: the whole document of a shipped profile, and what a file changes.

The documents are those that `talentseal.policy.parse_policy` reads; a member that is null stands
for what is not limited or not said. Whether a policy is wise is left to whoever writes it.
"""

from collections.abc import Mapping
from typing import Any

from schemas.verdict import CODES, Check, Code
from talentseal.policy import Policy, shipped

_RESULTS = {"F": "fail", "U": "unknown", "R": "pass", "N": "not_applicable"}
_RANK = {"accept": 0, "refer": 1, "refuse": 2}


def policy_document(policy: Policy) -> dict[str, Any]:
    """Every member of a policy document, in the spelling in which it is written to a file."""
    return {
        "name": policy.name,
        "version": policy.version,
        "home": policy.home or None,
        "place": policy.place,
        "purpose": policy.purpose,
        "max_age_seconds": policy.max_age,
        "open_window_seconds": policy.open_window,
        "holder": policy.holder,
        "recognition": policy.recognition,
        "outcomes": dict(policy.outcomes),
        "types": _listed(policy.types),
        "issuers": _listed(policy.issuers),
        "required": sorted(policy.required),
        "link_hosts": sorted(policy.link_hosts),
    }


def _listed(values: frozenset[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def compare(policy: Policy) -> dict[str, Any]:
    """What a policy makes stricter or softer than the default, and its other members that differ.

    Shape: `{"policy", "tightens": {code: [from, to]}, "softens": ..., "members": {name: value}}`.
    """
    default = shipped("default")
    moved = {code: (_outcome(default, code), _outcome(policy, code)) for code in CODES}
    plain, own = policy_document(default), policy_document(policy)
    ignored = {"name", "version", "outcomes"}
    return {
        "policy": policy.label,
        "tightens": _steps(moved, 1),
        "softens": _steps(moved, -1),
        "members": {m: v for m, v in own.items() if m not in ignored and v != plain[m]},
    }


def _outcome(policy: Policy, code: Code) -> str:
    info = CODES[code]
    return policy.outcome(Check(info.checks[0], _RESULTS[info.letter], code))


def _steps(moved: Mapping[Code, tuple[str, str]], direction: int) -> dict[str, list[str]]:
    return {
        str(code): [before, after]
        for code, (before, after) in moved.items()
        if (_RANK[after] - _RANK[before]) * direction > 0
    }
