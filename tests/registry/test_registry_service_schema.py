"""The interface's description is complete: every answer is one that it names."""

from typing import Any

import pytest
import schemathesis
from contracts import try_operations
from registry_desk import Desk
from registry_service import calling

EXAMPLES = 6


@schemathesis.serializer("application/jose")
def _signed(_context: Any, value: Any) -> bytes:
    """A text that is hardly ever signed; whatever else is generated is written as one."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("role", ["admin", ""])
def test_no_answer_is_one_that_the_description_does_not_name(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setenv("TALENTSEAL_RATE_LIMIT", "100000/minute")
    with calling(desk) as caller:
        examples = EXAMPLES if role else 1
        count = try_operations(caller.url, headers=caller.headers(role), examples=examples)
    assert count > 20
