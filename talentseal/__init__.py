"""Talentseal: how certificates of titles, qualifications and permits are sealed and checked.

    from talentseal import Evidence, Policy, open_bundle, verify

    verdict = verify(Evidence(text), bundle, Policy(home="HK"), now=datetime.now(UTC))

Names are loaded when first used, so that a scan does not pay for what it does not need.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from talentseal.bundle import Bundle
    from talentseal.errors import (
        BundleError,
        Exit,
        InputError,
        RefusedError,
        TalentsealError,
        UnavailableError,
        UsageError,
    )
    from talentseal.policy import Policy, parse_policy
    from talentseal.reading import Evidence
    from talentseal.sync import load_bundle
    from talentseal.trustdb import open_bundle
    from talentseal.verify import verify

_HOMES = {
    "Bundle": "bundle",
    "BundleError": "errors",
    "Evidence": "reading",
    "Exit": "errors",
    "InputError": "errors",
    "Policy": "policy",
    "RefusedError": "errors",
    "TalentsealError": "errors",
    "UnavailableError": "errors",
    "UsageError": "errors",
    "load_bundle": "sync",
    "open_bundle": "trustdb",
    "parse_policy": "policy",
    "verify": "verify",
}

__all__ = [
    "Bundle",
    "BundleError",
    "Evidence",
    "Exit",
    "InputError",
    "Policy",
    "RefusedError",
    "TalentsealError",
    "UnavailableError",
    "UsageError",
    "load_bundle",
    "open_bundle",
    "parse_policy",
    "verify",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'talentseal' has no attribute {name!r}")
    return getattr(import_module(f"talentseal.{_HOMES[name]}"), name)
