"""The fictional people and credentials of `data/samples.json`, for tests of any package."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "samples.json").read_text("utf-8")
)
SAMPLES: dict[str, dict[str, Any]] = {sample["id"]: sample for sample in DOCUMENT["credentials"]}
REFUSED: list[dict[str, Any]] = DOCUMENT["negative"]


def claims_of(sample: str, **changes: Any) -> dict[str, Any]:
    """A copy of a sample's claims with some of them replaced; None removes a claim."""
    claims = deepcopy(SAMPLES[sample]["claims"]) | changes
    return {name: value for name, value in claims.items() if value is not None}
