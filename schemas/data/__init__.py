"""The published data that all parties share: claim tables, code lists, identifiers, reasons.

Each file says where its facts come from (`source`) and how sure they are (`confidence`). What is
derived from it (Type Metadata, validation, labels of codes) is generated or compared by a test,
so these files are the one place where a claim, a code or a text is changed. They are our own
bytes, read as they were shipped: nothing hostile ever passes through this module.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

LANGUAGES = ("en", "zh-Hans", "zh-Hant", "pt")

_HERE = Path(__file__).parent


def load_data(name: str) -> dict[str, Any]:
    """A file of this folder (`code_lists.json`), parsed anew; the caller owns the result."""
    document: dict[str, Any] = json.loads((_HERE / name).read_text("utf-8"))
    return document


@cache
def code_lists() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Closed lists by name, each by code; a value has at least `display` in four languages."""
    lists = load_data("code_lists.json")["lists"]
    return MappingProxyType({name: _by_code(entry["values"]) for name, entry in lists.items()})


@cache
def status_reasons() -> Mapping[str, str | None]:
    """Why a status changed -> the list value it means: `VALID` is never a reason.

    None (`other`) is never mapped by software: a person decides. The reason stays in the
    issuer's record; the public list carries only the value.
    """
    document = load_data("status_reasons.json")
    entries = [*document["codes"], *document["own_reasons"]]
    return MappingProxyType(
        {e["reason"]: e["status_list_value"] for e in entries if e["reason"] is not None}
    )


def _by_code(values: list[dict[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    return MappingProxyType({value["code"]: MappingProxyType(value) for value in values})
