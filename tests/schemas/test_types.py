"""The published documents say what the claim tables say, in the shape the standard wants."""

import json
import subprocess
import sys
from typing import Any

import pytest

from schemas.credentials.table import load_table
from schemas.data import LANGUAGES, code_lists
from schemas.types import TYPE_IDS, TYPES_BASE, load_type, path_of, type_id_of, vct_of
from schemas.types.build import build_type
from talentseal.type_metadata import CredentialType

EVERY_TYPE = pytest.mark.parametrize("type_id", TYPE_IDS)
MAX_DOCUMENT = 64 * 1024
# What other implementations count on, as the page of the code format writes it.
COMMON_LABELS = (
    "1 display_name, 2 id_document.number_tail, 3 issuing_authority.name, "
    "4 certificate_number, 5 issue_date, 6 territory, "
)
LABELS = {
    "professional-title/1": (
        "8 title_name, 9 title_level, 10 specialty, 11 acquired_on, 12 title_series"
    ),
    "professional-qualification/1": (
        "8 qualification_name, 9 designation, 10 profession, 11 registration_number, "
        "12 valid_until, 13 practising, 14 record_kind, 15 practice_region"
    ),
    "qualification-validation-report/1": (
        "8 verification_code, 9 result, 10 qualification_name, 11 qualification_body, "
        "12 catalogue_entry, 13 completed_on"
    ),
    "foreigner-work-permit/1": (
        "8 permit_number, 9 category, 10 employer, 11 work_region, 12 valid_from, 13 valid_until"
    ),
    "talent-confirmation/1": (
        "8 programme, 9 talent_category, 10 card_number, 11 region, 12 valid_until"
    ),
}


def document(type_id: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(load_type(type_id))
    return parsed


def claim(type_id: str, *path: str | None) -> dict[str, Any]:
    (entry,) = (c for c in document(type_id)["claims"] if c["path"] == list(path))
    return dict(entry)


@EVERY_TYPE
def test_the_published_octets_are_those_that_the_tables_build(type_id: str) -> None:
    assert load_type(type_id) == path_of(type_id).read_bytes() == build_type(type_id)
    assert len(load_type(type_id)) < MAX_DOCUMENT


@EVERY_TYPE
def test_a_document_names_itself_and_another_base_changes_only_that(type_id: str) -> None:
    assert document(type_id)["vct"] == vct_of(type_id) == f"{TYPES_BASE}/{type_id}"
    other = json.loads(build_type(type_id, base="https://types.example"))
    assert other.pop("vct") == f"https://types.example/{type_id}"
    assert other == {k: v for k, v in document(type_id).items() if k != "vct"}


def test_a_vct_leads_back_to_its_type_and_to_no_other() -> None:
    assert [type_id_of(vct_of(type_id)) for type_id in TYPE_IDS] == list(TYPE_IDS)
    assert type_id_of("https://elsewhere.example/professional-title/1") is None
    for vct in ("", TYPES_BASE, f"{vct_of(TYPE_IDS[0])}/", vct_of(TYPE_IDS[0]).upper()):
        assert type_id_of(vct) is None
    with pytest.raises(KeyError):
        load_type("../__init__")


@EVERY_TYPE
def test_every_claim_of_the_table_and_the_place_of_issue_is_listed_once(type_id: str) -> None:
    paths = [tuple(entry["path"]) for entry in document(type_id)["claims"]]
    assert len(set(paths)) == len(paths)
    tabled = {claim.path for claim in load_table(type_id).claims}
    elements = {path for path in paths if path[-1] is None}
    assert set(paths) - elements == tabled | {("territory",)}
    assert elements == ({("benefits", None)} if type_id == "talent-confirmation/1" else set())


@EVERY_TYPE
def test_every_display_speaks_four_languages(type_id: str) -> None:
    parsed = document(type_id)
    for display, word in [
        (parsed["display"], "name"),
        *((entry["display"], "label") for entry in parsed["claims"]),
    ]:
        assert [text["locale"] for text in display] == list(LANGUAGES)
        assert all(text[word] for text in display)
    ours = parsed["talentseal"]
    texts = [*(c["message"] for c in ours["cautions"])]
    texts += [text for values in ours["values"].values() for text in values.values()]
    assert all(set(text) == set(LANGUAGES) for text in texts)


@EVERY_TYPE
def test_disclosability_and_duty_are_those_of_the_standard(type_id: str) -> None:
    mandatory = {tuple(c["path"]): c["mandatory"] for c in document(type_id)["claims"]}
    for entry in document(type_id)["claims"]:
        assert set(entry) == {"path", "display", "mandatory", "sd"}
        assert entry["sd"] in ("always", "never")
        ancestors = [tuple(entry["path"][:depth]) for depth in range(1, len(entry["path"]))]
        assert not entry["mandatory"] or all(mandatory[path] for path in ancestors)
    assert claim(type_id, "territory")["sd"] == "never"
    assert claim(type_id, "id_document", "number")["mandatory"]
    assert not claim(type_id, "id_document", "number_tail")["mandatory"]


@EVERY_TYPE
def test_labels_are_the_published_ones(type_id: str) -> None:
    cwt = document(type_id)["talentseal"]["cwt"]
    labels = [f"{entry['label']} {'.'.join(entry['path'])}" for entry in cwt["labels"]]
    assert ", ".join(labels) == COMMON_LABELS + LABELS[type_id]
    assert cwt["vct"] == 65001 + TYPE_IDS.index(type_id)
    assert (cwt["private"], cwt["group"]) == (-70000, -70001)


def test_forms_of_values_in_codes_are_the_published_ones() -> None:
    forms = {
        entry["label"]: (entry["as"], [(m["name"], m["label"], m["as"]) for m in members])
        for entry in document("qualification-validation-report/1")["talentseal"]["cwt"]["labels"]
        for members in [entry.get("members", [])]
    }
    assert forms[3] == ("langmap", [])
    assert forms[6] == ("list", [])
    assert forms[13] == ("date", [])
    body = [("name", 1, "langmap"), ("country", 2, "text"), ("id", 3, "text")]
    entry = [("catalogue_id", 1, "text"), ("entry", 2, "text"), ("category", 3, "text")]
    assert forms[11] == ("object", body)
    assert forms[12] == ("object", entry)


@EVERY_TYPE
def test_the_member_of_ours_carries_what_a_verifier_judges_by(type_id: str) -> None:
    ours = document(type_id)["talentseal"]
    table = load_table(type_id)
    assert ours["profile"] == 1
    assert ours["status_required"] is True
    assert ours["dual_control"] is False
    assert ours["scope"] == table.shared["scope"]
    assert ours["reference_date"] == table.shared["reference_date"]
    assert ours["cautions"] == list(table.cautions)


@EVERY_TYPE
def test_a_document_compiles_to_the_tables_of_its_claims(type_id: str) -> None:
    kind = CredentialType.parse(load_type(type_id))
    table = load_table(type_id)
    assert kind.always == {name for name, claim in table.tops.items() if claim.sd == "always"}
    assert kind.never == {name for name, claim in table.tops.items() if claim.sd == "never"}
    labels = {claim.shape.label: claim.code_path for claim in table.claims if claim.code_path}
    assert {n: label.path for n, label in kind.labels.items()} == labels | {6: ("territory",)}
    assert kind.number == table.number


def test_terms_name_the_claims_that_hold_the_days() -> None:
    words = {
        type_id: (validity["max_days"], validity.get("from"), validity.get("until"))
        for type_id in TYPE_IDS
        for validity in [document(type_id)["talentseal"]["validity"]]
    }
    assert words == {
        "professional-title/1": (1826, None, None),
        "professional-qualification/1": (1826, None, "valid_until"),
        "qualification-validation-report/1": (366, None, None),
        "foreigner-work-permit/1": (1826, "valid_from", "valid_until"),
        "talent-confirmation/1": (1826, None, "valid_until"),
    }


def test_coded_values_are_explained_by_the_path_of_their_claim() -> None:
    values = document("professional-title/1")["talentseal"]["values"]
    assert values["title_level"]["senior"]["zh-Hans"] == "正高级"
    assert set(values["title_series"]) == set(code_lists()["title_series"])
    assert {"id_document.type", "issuing_authority.id_scheme", "sex", "acquisition"} < set(values)


def test_an_offline_check_needs_no_pydantic_for_types_places_rules_and_claims() -> None:
    program = (
        "import sys, schemas.types, schemas.territory, schemas.rules, schemas.credentials;"
        "schemas.types.load_type('professional-title/1');"
        "schemas.credentials.validate_claims('professional-title/1', {}, territory=[]);"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"
