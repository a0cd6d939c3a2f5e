"""What a test needs from the machine: present, skipped with the remedy, or a failure where
everything is demanded (`TALENTSEAL_REQUIRE_ALL=1`, as continuous integration sets it)."""

import os

import pytest


def need(part: str, *, present: bool, remedy: str) -> None:
    """Go on if `part` is there; otherwise skip, or fail when nothing may be skipped."""
    if present:
        return
    sentence = f"{part} is missing: {remedy}"
    if os.environ.get("TALENTSEAL_REQUIRE_ALL") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)
