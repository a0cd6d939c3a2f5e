import base64
import json
from pathlib import Path
from typing import Any

import pytest
from claim_samples import DOCUMENT, REFUSED, SAMPLES, claims_of
from hypothesis import given
from hypothesis import strategies as st

from schemas.credentials import MAX_FAULTS, load_table, validate_claims
from schemas.types import TYPE_IDS

EXAMPLES = Path(__file__).parents[2] / "examples" / "claims"
JPEG, PNG = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
WORDS = {
    *("type_mismatch", "too_long", "text_unsafe", "date_invalid", "code_unknown"),
    *("territory_invalid", "territory_outside", "identifier_invalid", "claim_unknown"),
    *("claim_missing", "rule_failed", "document_not_identity"),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def faults(sample: str, **changes: Any) -> list[tuple[str, str]]:
    base = SAMPLES[sample]
    found = validate_claims(base["vct"], claims_of(sample, **changes), territory=base["territory"])
    assert all(fault.error in WORDS and fault.message.endswith(".") for fault in found)
    return [(fault.error, fault.pointer) for fault in found]


def image(media_type: str, octets: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(octets).decode()}"


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_is_fit_to_be_sealed(sample: str) -> None:
    assert faults(sample) == []


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case['base']}-{case['pointer']}")
def test_a_refused_variant_has_exactly_the_fault_that_is_named(case: Any) -> None:
    assert faults(case["base"], **case["change"]) == [(case["error"], case["pointer"])]


def test_the_samples_are_marked_as_fictional() -> None:
    assert DOCUMENT["confidence"] == "fictional"
    assert DOCUMENT["about"].startswith("FICTIONAL")
    assert {sample["vct"] for sample in SAMPLES.values()} == set(TYPE_IDS)


def test_the_examples_are_the_samples() -> None:
    examples = {path.stem: json.loads(path.read_text("utf-8")) for path in EXAMPLES.glob("*.json")}
    assert examples == {
        name: {"type": s["vct"], "territory": s["territory"], "claims": s["claims"]}
        for name, s in SAMPLES.items()
    }


def test_every_fault_is_told_at_once() -> None:
    assert set(
        faults("title-01", title_level="boss", acquired_on="yesterday", specialty=None, wings=2)
    ) == {
        ("claim_unknown", "/wings"),
        ("claim_missing", "/specialty"),
        ("code_unknown", "/title_level"),
        ("date_invalid", "/acquired_on"),
    }


def test_rules_are_still_judged_where_other_claims_are_broken() -> None:
    assert set(faults("title-02", title_level="boss", mapped_from=None)) == {
        ("code_unknown", "/title_level"),
        ("rule_failed", "rule:mapped"),
    }


def test_a_rule_that_cannot_be_decided_has_failed() -> None:
    assert faults("report-01", established=None) == [("rule_failed", "rule:established")]


@pytest.mark.parametrize(
    ("sample", "change", "fault"),
    [
        ("title-01", {"display_name": ""}, ("type_mismatch", "/display_name")),
        ("title-01", {"display_name": "X" * 121}, ("too_long", "/display_name")),
        ("title-01", {"display_name": "e\u0301"}, ("text_unsafe", "/display_name")),
        ("title-01", {"display_name": "A\u200bB"}, ("text_unsafe", "/display_name")),
        ("title-01", {"display_name": ["A"]}, ("type_mismatch", "/display_name")),
        ("title-01", {"birthdate": "19900101"}, ("date_invalid", "/birthdate")),
        ("title-01", {"birthdate": "1990-W01-1"}, ("date_invalid", "/birthdate")),
        ("title-01", {"birthdate": 1990}, ("date_invalid", "/birthdate")),
        ("title-01", {"title_series": "28"}, ("code_unknown", "/title_series")),
        ("title-01", {"title_level": ["senior"]}, ("code_unknown", "/title_level")),
        ("title-01", {"nationality": "CN"}, ("code_unknown", "/nationality")),
        ("title-01", {"title_name": {"fr": "x"}}, ("type_mismatch", "/title_name")),
        ("title-01", {"title_name": {"en": "x\u202e"}}, ("text_unsafe", "/title_name/en")),
        ("title-01", {"title_name": {"en": "x" * 201}}, ("too_long", "/title_name/en")),
        ("title-01", {"title_name": {"en": 1}}, ("type_mismatch", "/title_name/en")),
        ("title-01", {"licence_id": 5}, ("identifier_invalid", "/licence_id")),
        ("title-01", {"recognised_region": "CN/99"}, ("territory_outside", "/recognised_region")),
        ("title-01", {"recognised_region": "999901"}, ("territory_invalid", "/recognised_region")),
        ("title-01", {"a/b~c": 1}, ("claim_unknown", "/a~1b~0c")),
        ("title-01", {"territory": ["CN/9999"]}, ("claim_unknown", "/territory")),
        ("qual-01", {"profession": "series/05"}, ("code_unknown", "/profession")),
        ("qual-01", {"practising": 1}, ("type_mismatch", "/practising")),
        ("qual-01", {"qf_level": 8}, ("type_mismatch", "/qf_level")),
        ("qual-01", {"qf_level": True}, ("type_mismatch", "/qf_level")),
        ("qual-01", {"qf_level": 5.0}, ("type_mismatch", "/qf_level")),
        ("qual-01", {"register_url": "http://a.example"}, ("type_mismatch", "/register_url")),
        ("qual-01", {"register_url": "https://a@b.example"}, ("type_mismatch", "/register_url")),
        ("qual-01", {"conditions": [{"en": "x"}] * 11}, ("type_mismatch", "/conditions")),
        ("qual-01", {"conditions": [{"en": "x"}, {}]}, ("type_mismatch", "/conditions/1")),
        ("qual-05", {"based_on": {"issuer": "x"}}, ("claim_missing", "/based_on/credential_ref")),
        ("report-01", {"methods": []}, ("type_mismatch", "/methods")),
        ("report-01", {"methods": ["paper"] * 21}, ("type_mismatch", "/methods")),
        ("report-01", {"methods": [{}]}, ("code_unknown", "/methods/0")),
        ("report-01", {"evidence_digest": "A" * 42 + "B"}, ("type_mismatch", "/evidence_digest")),
        ("permit-01", {"employer": []}, ("type_mismatch", "/employer")),
        ("talent-01", {"region": "CN/999901"}, None),
        ("report-01", {"evidence_digest": "A" * 43}, None),
        ("qual-01", {"register_url": "https://register.example:8443/a?b=c#d"}, None),
        ("qual-01", {"profession": "engineer/civil", "qf_level": 7}, None),
    ],
)
def test_each_kind_of_value_has_its_own_fault(
    sample: str, change: dict[str, Any], fault: tuple[str, str] | None
) -> None:
    assert faults(sample, **change) == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"type": "work_permit_b"}, ("document_not_identity", "/id_document/type")),
        ({"type": "library_card"}, ("code_unknown", "/id_document/type")),
        ({"type": None}, ("claim_missing", "/id_document/type")),
        ({"number": "999999199001010017"}, ("identifier_invalid", "/id_document/number")),
        ({"number": None, "number_tail": None}, ("claim_missing", "/id_document/number")),
        ({"number": 16}, ("type_mismatch", "/id_document/number")),
        ({"number_tail": "0017"}, ("rule_failed", "/id_document/number_tail")),
        ({"number_tail": "10016"}, ("too_long", "/id_document/number_tail")),
        ({"issued": "2020-01-01"}, ("claim_unknown", "/id_document/issued")),
        ({"number_tail": None}, None),
    ],
)
def test_the_number_of_a_document_fits_its_kind(
    change: dict[str, Any], fault: tuple[str, str] | None
) -> None:
    document = SAMPLES["title-01"]["claims"]["id_document"] | change
    document = {name: value for name, value in document.items() if value is not None}
    found = faults("title-01", id_document=document)
    assert ([fault] if fault else []) == [f for f in found if f[1] == (fault or ("", ""))[1]]
    assert bool(found) is (fault is not None)


@pytest.mark.parametrize(
    ("kind", "number", "is_fine"),
    [
        ("passport_cn", "E12345678", True),
        ("passport_foreign", "l898902c3", False),
        ("tw_residence_permit", "830000199408230025", True),
        ("tw_travel_permit", "00000000", True),
        ("hkid", "A1234563", False),
        ("mo_bir", "1000000(0)", True),
    ],
)
def test_a_document_number_is_taken_in_its_stored_spelling_only(
    kind: str,
    number: str,
    is_fine: bool,  # noqa: FBT001
) -> None:
    document = {"type": kind, "issuing_region": "CHN", "number": number}
    expected = [] if is_fine else [("identifier_invalid", "/id_document/number")]
    assert faults("title-01", id_document=document) == expected


@pytest.mark.parametrize(
    ("portrait", "error"),
    [
        (image("image/jpeg", JPEG + bytes(100)), None),
        (image("image/png", PNG + bytes(101)), None),
        (image("image/jpeg", JPEG + bytes(20480 - 4)), None),
        (image("image/jpeg", JPEG + bytes(20480 - 3)), "too_long"),
        (image("image/jpeg", PNG), "type_mismatch"),
        (image("image/png", JPEG), "type_mismatch"),
        (image("image/gif", b"GIF89a"), "type_mismatch"),
        (image("image/jpeg", JPEG)[:-1], "type_mismatch"),
        (image("image/jpeg", JPEG + b"\x00\x00\x00")[:-3] + "B==", "type_mismatch"),
        (image("image/jpeg", JPEG + b"\x00")[:-2] + "B=", "type_mismatch"),
        (image("image/jpeg", JPEG) + "\n", "type_mismatch"),
        ("data:image/jpeg;base64,/9j/_-_-", "type_mismatch"),
        ("https://portrait.example/1.jpg", "type_mismatch"),
        ("", "type_mismatch"),
        (5, "type_mismatch"),
    ],
)
def test_a_portrait_is_a_small_jpeg_or_png_in_one_spelling(
    portrait: object, error: str | None
) -> None:
    assert faults("title-01", portrait=portrait) == ([(error, "/portrait")] if error else [])


def test_scope_claims_lie_inside_any_one_territory_of_the_envelope() -> None:
    claims = claims_of("permit-01", work_region="CN/999901")
    for territory, count in ((["HK", "CN/9999"], 0), (["CN/9998"], 1), ([], 1), (["CN-9999"], 1)):
        found = validate_claims("foreigner-work-permit/1", claims, territory=territory)
        assert len(found) == count


def test_an_unknown_type_is_the_caller_s_mistake() -> None:
    for type_id in ("professional-title", "professional-title/2", "../envelope/1", ""):
        with pytest.raises(KeyError):
            validate_claims(type_id, {}, territory=[])


def test_an_answer_stays_readable_whatever_was_sent() -> None:
    hostile = {f"claim{n}": n for n in range(10_000)}
    assert len(validate_claims(TYPE_IDS[0], hostile, territory=["CN"])) == MAX_FAULTS


@given(st.sampled_from(TYPE_IDS), JSON)
def test_arbitrary_json_yields_faults_and_never_an_error(type_id: str, claims: Any) -> None:
    assert validate_claims(type_id, claims, territory=["CN"])


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_sample_with_one_arbitrary_value_never_raises(sample: str, data: st.DataObject) -> None:
    base = SAMPLES[sample]
    name = data.draw(st.sampled_from(sorted(load_table(base["vct"]).tops)))
    claims = claims_of(sample) | {name: data.draw(JSON)}
    for fault in validate_claims(base["vct"], claims, territory=base["territory"]):
        assert fault.error in WORDS
        assert fault.pointer.startswith((f"/{name}", "rule:"))


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_an_object_with_one_arbitrary_member_never_raises(sample: str, data: st.DataObject) -> None:
    claims = claims_of(sample)
    name = data.draw(st.sampled_from([n for n, v in claims.items() if isinstance(v, dict)]))
    member = data.draw(st.sampled_from(sorted(claims[name])) | st.text())
    claims[name][member] = data.draw(JSON)
    for fault in validate_claims(SAMPLES[sample]["vct"], claims, territory=["CN", "HK", "MO"]):
        assert fault.error in WORDS


def test_a_deep_nest_and_a_huge_list_are_ordinary_faults() -> None:
    nest: Any = []
    for _ in range(100_000):
        nest = [nest]
    assert faults("title-01", mapped_from=nest) == [("type_mismatch", "/mapped_from")]
    assert faults("title-01", title_name={"en": nest}) == [("type_mismatch", "/title_name/en")]
    assert faults("talent-01", benefits=["housing"] * 100_000) == [("type_mismatch", "/benefits")]
