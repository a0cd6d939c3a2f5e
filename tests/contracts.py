"""A running service against its own OpenAPI document, by Schemathesis: no surprise, no fault.

Requests are made from the document, good and bad, and every answer must be one that the document
names, in the shape that it names, and never one of 500 or above; 501, where it is named, says that
something is not offered on purpose.
"""

from collections.abc import Collection, Mapping
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

NOT_OFFERED = 501


def _no_fault(_context: Any, response: Any, case: Any) -> None:
    status = response.status_code
    named = str(NOT_OFFERED) in case.operation.definition.raw["responses"]
    assert status < 500 or (status == NOT_OFFERED and named), f"a fault: {status}"


_CHECKS = [
    _no_fault,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/x-ndjson")
def _lines(_context: Any, value: Any) -> bytes:
    """Lines as they come; whatever else is generated is written as one line."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


_SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


def try_operations(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    examples: int = 8,
    without: Collection[str] = (),
) -> int:
    """Try every operation with some requests each; how many operations there are.

    headers  of every request, such as a token
    without  paths that are left out because a test of their own tries them
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    count = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), "an operation whose description is not valid"
        operation = found.ok()
        if operation.path not in without:
            _try(operation, dict(headers or {}), examples)
            count += 1
    return count


def _try(operation: Any, headers: dict[str, str], examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=_SLOW,
    )
    @given(case=operation.as_strategy())
    def one(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=_CHECKS)

    one()
