"""The claim tables agree with themselves, with each other and with the code lists."""

import json
import types
import typing
from typing import Any

import pytest
from claim_samples import SAMPLES, claims_of
from pydantic import BaseModel, ValidationError

from schemas.credentials import load_table, model_of
from schemas.credentials.common import Word
from schemas.credentials.table import ClaimTable, Shape, envelope_claims
from schemas.data import LANGUAGES, code_lists, load_data, status_reasons
from schemas.identifiers import identifier_kinds
from schemas.rules import expression_fault, facts_of
from schemas.types import TYPE_IDS

TABLES = [load_table(type_id) for type_id in TYPE_IDS]
EVERY_TABLE = pytest.mark.parametrize("table", TABLES, ids=TYPE_IDS)
DATA_FILES = [
    *(f"claims/{type_id.split('/')[0]}.json" for type_id in TYPE_IDS),
    *("code_lists.json", "identifiers.json", "status_reasons.json", "envelope.json"),
]


def shapes(shape: Shape) -> list[Shape]:
    return [shape, *(inner for member in shape.members for inner in shapes(member))]


@pytest.mark.parametrize("name", DATA_FILES)
def test_every_file_says_where_its_facts_come_from_and_how_sure_they_are(name: str) -> None:
    document = load_data(name)
    assert document["source"]
    assert document["confidence"]


@EVERY_TABLE
def test_labels_and_names_are_unique_and_the_reserved_label_is_free(table: ClaimTable) -> None:
    claims = [*table.claims, *envelope_claims()]
    labels = [claim.shape.label for claim in claims]
    assert len(set(labels)) == len({claim.name for claim in claims}) == len(claims)
    assert 7 not in labels


def test_common_labels_mean_the_same_in_all_types() -> None:
    common: dict[int, Any] = {}
    for table in TABLES:
        for claim in table.claims:
            if claim.shape.label < 8 or 24 <= claim.shape.label < 40:
                assert common.setdefault(claim.shape.label, claim) == claim
    assert sorted(common) == [1, 2, 3, 4, 5, *range(24, 34)]


@EVERY_TABLE
def test_labels_below_24_are_exactly_those_that_enter_a_code(table: ClaimTable) -> None:
    raw = load_data(f"claims/{table.type_id.split('/')[0]}.json")["claims"]
    for row, claim in zip(raw, table.claims, strict=True):
        assert row["qr"] == (claim.shape.label < 24) == bool(claim.form) == bool(claim.code_path)


@EVERY_TABLE
def test_every_claim_is_named_in_four_languages(table: ClaimTable) -> None:
    for display in (table.display, *(claim.display for claim in table.claims)):
        assert set(display) == set(LANGUAGES)
        assert all(display.values())


@EVERY_TABLE
def test_disclosability_and_bounds_are_decided(table: ClaimTable) -> None:
    for claim in table.claims:
        assert claim.sd in ("always", "never")
        for shape in shapes(claim.shape):
            assert (shape.type == "string") == (shape.max_length > 0)
            assert not shape.list or shape.list in code_lists()
            assert not shape.identifier or shape.identifier in identifier_kinds()
            assert len({member.label for member in shape.members}) == len(shape.members)


@EVERY_TABLE
def test_a_claim_inside_another_is_its_member_and_mandatory_only_with_it(table: ClaimTable) -> None:
    for claim in table.claims:
        if len(claim.path) > 1:
            parent = table.tops[claim.path[0]]
            (member,) = (m for m in parent.shape.members if m.name == claim.path[1])
            assert (member.type, member.max_length) == (claim.shape.type, claim.shape.max_length)
            assert member.mandatory is claim.shape.mandatory
            assert not claim.shape.mandatory or parent.shape.mandatory


@EVERY_TABLE
def test_rules_and_cautions_are_sound_and_name_known_claims(table: ClaimTable) -> None:
    for rule in table.rules:
        assert expression_fault(rule.check) is None
        assert facts_of(rule.check) <= set(table.tops)
    for caution in table.cautions:
        assert expression_fault(caution["when"]) is None
        assert all(table.tops[fact].sd == "never" for fact in facts_of(caution["when"]))
        assert (caution["effect"] == "refer") == bool(caution["code"])
        assert set(caution["message"]) == set(LANGUAGES)


@EVERY_TABLE
def test_scope_and_term_name_claims_of_the_right_kind(table: ClaimTable) -> None:
    assert all(table.tops[name].shape.type == "territory" for name in table.territory_claims)
    places = {c.name for c in table.claims if c.shape.type == "territory"}
    assert set(table.territory_claims) == places
    term = table.term
    days = (term.until, term.counted_from, term.starts, table.shared["reference_date"])
    assert all(table.tops[name].shape.type == "date" for name in days if name)
    assert (term.until is None) == ("valid_until" not in table.tops)
    profession = table.shared["scope"]["profession_claim"]
    assert profession is None or table.tops[profession].sd == "never"


@EVERY_TABLE
def test_a_table_is_loaded_once_and_under_its_own_name(table: ClaimTable) -> None:
    raw = load_data(f"claims/{table.type_id.split('/')[0]}.json")
    assert raw["vct"] == table.type_id
    assert load_table(table.type_id) is table


def test_code_lists_speak_four_languages() -> None:
    for values in code_lists().values():
        for value in values.values():
            assert set(value["display"]) == set(LANGUAGES)


def test_a_code_list_never_names_a_code_twice() -> None:
    for name, entry in load_data("code_lists.json")["lists"].items():
        assert len(entry["values"]) == len(code_lists()[name])


def test_a_reason_maps_to_one_status_and_other_is_left_to_a_person() -> None:
    reasons = status_reasons()
    assert reasons["correction"] == reasons["cancelled"] == "INVALID"
    assert reasons["withheld"] == "SUSPENDED"
    assert reasons["other"] is None
    assert set(reasons.values()) == {"INVALID", "SUSPENDED", None}


# --- the typed models -------------------------------------------------------------------------


def described(model: type[BaseModel]) -> dict[str, tuple[str, bool, Any]]:
    """Each field's name -> type word of the tables, whether it is mandatory, members."""
    hints = typing.get_type_hints(model, include_extras=True)
    return {
        name: (*word_and_members(hints[name]), field.is_required())
        for name, field in model.model_fields.items()
    }


def word_and_members(annotation: Any) -> tuple[str, Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        (annotation,) = (a for a in typing.get_args(annotation) if a is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "object", described(annotation)
    (word,) = (m for m in annotation.__metadata__ if isinstance(m, Word))
    return word.word, {}


def tabled(of: typing.Iterable[Shape]) -> dict[str, tuple[str, Any, bool]]:
    return {shape.name: (shape.type, tabled(shape.members), shape.mandatory) for shape in of}


@EVERY_TABLE
def test_a_model_has_the_fields_of_its_table(table: ClaimTable) -> None:
    model = model_of(table.type_id)
    assert described(model) == tabled(claim.shape for claim in table.tops.values())
    assert table.type_id in (model.__doc__ or "")


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_model_gives_back_the_claims_it_was_made_of(sample: str) -> None:
    claims = claims_of(sample)
    model = model_of(SAMPLES[sample]["vct"])
    assert model.model_validate(claims).to_claims() == claims
    assert model.model_validate_json(json.dumps(claims)).to_claims() == claims


def test_a_model_is_closed_and_frozen() -> None:
    model = model_of("professional-title/1")
    with pytest.raises(ValidationError, match="wings"):
        model.model_validate(claims_of("title-01", wings=2))
    title = model.model_validate(claims_of("title-01"))
    with pytest.raises(ValidationError, match="frozen"):
        title.__setattr__("display_name", "Somebody Else")
