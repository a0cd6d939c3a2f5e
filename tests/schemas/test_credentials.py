from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.credentials import load_table, model_of, validate_claims, validity_of
from schemas.data import code_lists
from schemas.types import TYPE_IDS

ROOT = Path(__file__).resolve().parents[2]
SAMPLES: dict[str, Any] = orjson.loads((ROOT / "tests/data/samples.json").read_bytes())
BY_ID: dict[str, dict[str, Any]] = {sample["id"]: sample for sample in SAMPLES["credentials"]}
LANGUAGES = {"en", "zh-Hans", "zh-Hant", "pt"}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@pytest.mark.parametrize("sample", BY_ID.values(), ids=lambda sample: sample["id"])
def test_every_sample_is_valid(sample: Mapping[str, Any]) -> None:
    claims = sample["claims"]
    assert validate_claims(sample["vct"], claims, territory=sample["territory"]) == []
    model_of(sample["vct"]).model_validate(claims)


@pytest.mark.parametrize(
    "refused", SAMPLES["negative"], ids=lambda refused: f"{refused['base']}-{refused['pointer']}"
)
def test_every_refused_variant_is_refused_for_the_named_reason(refused: Mapping[str, Any]) -> None:
    base = BY_ID[refused["base"]]
    changed = {**base["claims"], **refused["change"]}
    claims = {name: value for name, value in changed.items() if value is not None}
    faults = validate_claims(base["vct"], claims, territory=base["territory"])
    found = {(fault.error, fault.pointer) for fault in faults}
    assert (refused["error"], refused["pointer"]) in found
    assert all(fault.message for fault in faults)


def test_every_fault_is_named_and_not_only_the_first() -> None:
    base = BY_ID["title-01"]
    claims = {**base["claims"], "title_level": "boss", "acquired_on": "2026-02-30", "extra": 1}
    faults = validate_claims(base["vct"], claims, territory=base["territory"])
    assert {fault.pointer for fault in faults} >= {"/title_level", "/acquired_on", "/extra"}


@given(st.sampled_from(TYPE_IDS), anything)
def test_nothing_that_json_can_say_escapes_as_an_exception(type_id: str, claims: Any) -> None:
    assert isinstance(validate_claims(type_id, claims, territory=["HK"]), list)


@given(st.sampled_from(sorted(BY_ID)), st.data())
def test_a_claim_of_any_other_shape_never_raises(sample_id: str, data: st.DataObject) -> None:
    sample = BY_ID[sample_id]
    name = data.draw(st.sampled_from(sorted(sample["claims"])))
    claims = {**sample["claims"], name: data.draw(anything)}
    validate_claims(sample["vct"], claims, territory=sample["territory"])


@pytest.mark.parametrize("type_id", TYPE_IDS)
def test_a_table_agrees_with_itself(type_id: str) -> None:
    table = orjson.loads((ROOT / f"schemas/data/claims/{type_id[:-2]}.json").read_bytes())
    labels = [claim["label"] for claim in table["claims"]]
    assert len(set(labels)) == len(labels)
    assert 6 not in labels  # the envelope's territory
    assert 7 not in labels  # reserved for all types
    for claim in table["claims"]:
        assert set(claim["display"]) == LANGUAGES
        assert claim["qr"] == (claim["label"] < 24) == ("as" in claim)
        assert claim["sd"] in {"always", "never"}
        assert claim.get("list") is None or claim["list"] in code_lists()
    assert load_table(type_id)


def test_common_labels_mean_the_same_in_every_type() -> None:
    seen: dict[int, str] = {}
    for type_id in TYPE_IDS:
        table = orjson.loads((ROOT / f"schemas/data/claims/{type_id[:-2]}.json").read_bytes())
        for claim in table["claims"]:
            if claim["label"] < 8 or 24 <= claim["label"] < 40:
                assert seen.setdefault(claim["label"], claim["name"]) == claim["name"]


@pytest.mark.parametrize("sample", BY_ID.values(), ids=lambda sample: sample["id"])
def test_a_life_is_full_hours_and_inside_the_type_s_limit(sample: Mapping[str, Any]) -> None:
    issued = datetime.fromisoformat(sample["claims"]["issue_date"]).replace(hour=3, tzinfo=UTC)
    begins, ends = validity_of(sample["vct"], sample["claims"], issued_at=issued)
    assert ends.timestamp() % 3600 in {0, 3599}
    assert begins is None or begins.timestamp() % 3600 == 0
    assert (ends - issued).days <= 5 * 366


def test_the_examples_are_the_samples() -> None:
    for sample in BY_ID.values():
        example = orjson.loads((ROOT / f"examples/claims/{sample['id']}.json").read_bytes())
        assert example["type"] == sample["vct"]
        assert example["claims"] == sample["claims"]
        assert example["territory"] == sample["territory"]
