import subprocess
import sys
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.verdict import (
    CHECKS,
    CODES,
    QUESTIONS,
    RESULTS,
    BundleState,
    Check,
    Code,
    CredentialView,
    Verdict,
    answer,
    default_outcome,
    overall_outcome,
    rfc3339,
)
from schemas.verdict_document import CheckName, VerdictDocument

NOW = 1_795_000_000  # 2026-11-18T11:06:40Z
RESULT_OF_LETTER = {"F": "fail", "U": "unknown", "R": "pass", "N": "not_applicable"}
CREDENTIAL = CredentialView(
    form="cwt",
    type="https://types.example/title/1",
    issuer="https://engineers.example",
    issuer_names={"en": "Harbour Board of Engineers"},
    jurisdiction="CN/4403",
    issued_at=NOW - 86_400,
    expires_at=NOW + 86_400,
    holder_bound=True,
    claims={"display_name": "Example Mei"},
)


def verdict(*checks: Check, **changes: Any) -> Verdict:
    outcomes = [default_outcome(check) for check in checks]
    values: dict[str, Any] = {
        "outcome": overall_outcome(outcomes),
        "questions": {q: answer(q, checks) for q in ("authentic", "authorised", "recognised")},
        "checks": checks,
        "credential": CREDENTIAL,
        "evaluated_at": NOW,
        "home_jurisdiction": "HK",
        "place": None,
        "purpose": None,
        "bundle": {"CN/4403": BundleState(12, NOW - 360, 360)},
        "policy": "default@1",
    }
    return Verdict(**{**values, **changes})


def finding(code: Code, check: str | None = None) -> Check:
    info = CODES[code]
    return Check(check or info.checks[0], RESULT_OF_LETTER[info.letter], code)


PLAIN = tuple(Check(name, "pass") for name in CHECKS)


def with_finding(code: Code) -> tuple[Check, ...]:
    """Every check passed except for one, or, for a remark, with one."""
    found = finding(code)
    return tuple(found if check.check == found.check else check for check in PLAIN)


findings = st.sampled_from(Code).flatmap(
    lambda code: st.builds(finding, st.just(code), st.sampled_from(CODES[code].checks))
)
trails = st.lists(findings | st.sampled_from(PLAIN), max_size=20).map(tuple)


# --- the list of codes ----------------------------------------------------------------------------


def test_a_code_is_its_own_name() -> None:
    assert [str(code) for code in Code] == list(Code.__members__)


def test_every_code_has_a_place_and_a_letter() -> None:
    assert list(CODES) == list(Code)
    for code, info in CODES.items():
        assert info.checks, code
        assert set(info.checks) <= set(CHECKS), code
        assert info.letter in RESULT_OF_LETTER, code


def test_absence_is_a_fail_that_old_data_turns_into_unknown() -> None:
    absent = {code for code, info in CODES.items() if info.absence}
    assert absent == {
        Code.ISSUER_UNKNOWN,
        Code.KEY_UNKNOWN,
        Code.NO_GRANT,
        Code.GRANT_SCOPE_TYPE,
        Code.KEY_NOT_IN_GRANT,
        Code.NOT_RECOGNISED,
    }
    assert {CODES[code].letter for code in absent} == {"F"}


def test_the_letter_and_the_result_lead_to_the_same_outcome() -> None:
    for code, info in CODES.items():
        assert info.default_outcome == default_outcome(finding(code)), code


def test_every_question_but_trust_data_and_policy_is_answered_by_its_own_checks() -> None:
    asked = [check for checks in QUESTIONS.values() for check in checks]
    assert sorted([*asked, "trust_data", "policy"]) == sorted(CHECKS)


def test_a_check_has_no_result_by_omission() -> None:
    assert "result" not in Check._field_defaults


# --- outcomes and answers -------------------------------------------------------------------------


@given(trails)
def test_no_doubt_stands_beside_an_accept(checks: tuple[Check, ...]) -> None:
    judged = verdict(*checks)
    doubts = [c for c in checks if c.result in {"fail", "unknown"}]
    assert (judged.outcome == "accept") == (not doubts)
    assert (judged.headline is None) == (not doubts)


@given(trails)
def test_codes_are_all_doubts_in_check_order_and_remarks_the_rest(
    checks: tuple[Check, ...],
) -> None:
    judged = verdict(*checks)
    coded = [c.code for c in checks if c.code]
    assert sorted((*judged.codes, *judged.remarks)) == sorted(coded)
    assert {CODES[c].letter for c in judged.codes} <= {"F", "U"}
    assert {CODES[c].letter for c in judged.remarks} <= {"R", "N"}


def test_codes_stand_in_check_order_however_late_they_were_found() -> None:
    judged = verdict(finding(Code.REVOKED), finding(Code.MALFORMED))
    assert judged.codes == (Code.MALFORMED, Code.REVOKED)


def test_the_headline_is_the_first_finding_with_the_overall_outcome() -> None:
    judged = verdict(
        finding(Code.TRUST_DATA_EXPIRED), finding(Code.NOT_RECOGNISED), finding(Code.REVOKED)
    )
    assert (judged.outcome, judged.headline) == ("refuse", Code.NOT_RECOGNISED)


def test_a_softened_finding_does_not_become_the_headline_of_a_refusal() -> None:
    checks = (finding(Code.NOT_RECOGNISED), finding(Code.REVOKED))
    judged = verdict(*checks, outcome="refuse", outcomes=("refer", "refuse"))
    assert judged.headline == Code.REVOKED


def test_a_tightened_remark_can_be_the_headline() -> None:
    checks = (finding(Code.UNWITNESSED), Check("signature", "pass"))
    judged = verdict(*checks, outcome="refer", outcomes=("refer", "accept"))
    assert judged.headline == Code.UNWITNESSED


def test_a_shift_that_was_not_recorded_still_has_a_headline() -> None:
    judged = verdict(finding(Code.STATUS_STALE), outcome="refuse")
    assert judged.headline == Code.STATUS_STALE


@pytest.mark.parametrize(("first", "second"), list(product(RESULTS, repeat=2)))
def test_a_question_is_as_good_as_its_worst_check(first: str, second: str) -> None:
    checks = (Check("recognition", first), Check("catalogue", second))
    worst = next(r for r in ("fail", "unknown", "pass", "not_applicable") if r in {first, second})
    assert answer("recognised", checks) == worst


def test_a_question_whose_checks_did_not_run_is_unknown() -> None:
    assert answer("authorised", [Check("signature", "pass")]) == "unknown"


@pytest.mark.parametrize("question", ["authentic", "authorised", "recognised"])
def test_unknown_trust_data_leaves_no_question_answered_well(question: str) -> None:
    doubtful = (finding(Code.TRUST_DATA_EXPIRED), *PLAIN[1:])
    assert answer(question, doubtful) == "unknown"
    assert answer(question, PLAIN) == "pass"


def test_unknown_trust_data_does_not_hide_a_failure() -> None:
    checks = (finding(Code.TRUST_DATA_EXPIRED), finding(Code.SIGNATURE_INVALID))
    assert answer("authentic", checks) == "fail"


@pytest.mark.parametrize("question", ["in_force", "holder"])
def test_dates_and_holder_do_not_hang_on_the_age_of_the_lists(question: str) -> None:
    assert answer(question, (finding(Code.TRUST_DATA_EXPIRED), *PLAIN[1:])) == "pass"


# --- the document ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("lang", ["en", "zh-Hant-HK", "pt"])
def test_the_document_of_every_code_is_valid(code: Code, lang: str) -> None:
    judged = verdict(*with_finding(code))
    document = VerdictDocument.model_validate(judged.to_json(lang))
    assert document.outcome == CODES[code].default_outcome
    assert code in {check.code for check in document.checks}


def test_the_document_has_exactly_the_published_members() -> None:
    document = verdict(Check("trust_data", "pass", None, NOW)).to_json()
    assert list(document) == [
        "outcome",
        "questions",
        "checks",
        "credential",
        "evaluated_at",
        "home_jurisdiction",
        "place",
        "purpose",
        "bundle",
        "policy",
    ]
    assert document["bundle"] == {
        "jurisdictions": {
            "CN/4403": {"version": 12, "as_of": "2026-11-18T11:00:40Z", "age_seconds": 360}
        }
    }
    assert document["checks"] == [
        {
            "check": "trust_data",
            "result": "pass",
            "code": None,
            "message": "The trust data is present, whole and young enough.",
            "as_of": "2026-11-18T11:06:40Z",
        }
    ]
    assert list(document["credential"]) == [
        "form",
        "type",
        "issuer",
        "jurisdiction",
        "issued_at",
        "expires_at",
        "holder_bound",
        "claims",
    ]


def test_detail_is_written_only_where_there_is_some() -> None:
    found = Check("status", "unknown", Code.STATUS_STALE, NOW, {"age_seconds": 5})
    plain, told = verdict(Check("validity", "pass"), found).to_json()["checks"]
    assert "detail" not in plain
    assert told["detail"] == {"age_seconds": 5}


def test_no_claim_leaves_a_verdict_that_is_not_authentic() -> None:
    honest = verdict(*PLAIN).to_json()
    forged = verdict(*with_finding(Code.SIGNATURE_INVALID)).to_json()
    assert honest["credential"]["claims"] == {"display_name": "Example Mei"}
    assert forged["credential"]["claims"] == {}


def test_a_verdict_about_nothing_readable_has_no_credential() -> None:
    judged = verdict(finding(Code.NOT_A_CREDENTIAL), credential=None)
    document = VerdictDocument.model_validate(judged.to_json())
    assert document.credential is None


def test_a_credential_without_an_end_has_none_in_the_document() -> None:
    endless = CredentialView("cwt", "t", "i", {}, None, NOW, None, holder_bound=False, claims={})
    document = VerdictDocument.model_validate(verdict(*PLAIN, credential=endless).to_json())
    assert document.credential is not None
    assert (document.credential.expires_at, document.credential.jurisdiction) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NOW, "2026-11-18T11:06:40Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (10**30, "9999-12-31T23:59:59Z"),
        (-1, "1970-01-01T00:00:00Z"),
    ],
)
def test_every_number_of_seconds_can_be_written(seconds: int, text: str) -> None:
    assert rfc3339(seconds) == text


# --- foreign documents ----------------------------------------------------------------------------


def test_the_model_knows_the_same_checks() -> None:
    assert CheckName.__args__ == CHECKS  # type: ignore[attr-defined]


def test_a_code_from_a_newer_program_is_read_by_its_result() -> None:
    document = verdict(finding(Code.REVOKED)).to_json()
    document["checks"][0]["code"] = "REVOKED_BY_SOMETHING_NEW"
    document["of_tomorrow"] = 1
    assert VerdictDocument.model_validate(document).outcome == "refuse"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["outcome"], "valid"),
        (["outcome"], "accept"),
        (["questions", "authentic"], "not_applicable"),
        (["checks", 0, "result"], "maybe"),
        (["checks", 0, "code"], None),
        (["checks", 0, "code"], "revoked"),
        (["checks", 0, "check"], "colour"),
        (["credential", "form"], "jwt"),
        (["credential", "issued_at"], 1_795_000_000),
        (["credential", "claims"], {"name": "shown although nothing is authentic"}),
        (["evaluated_at"], "2026-11-18T11:06:40+00:00"),
        (["bundle", "jurisdictions", "CN/4403", "version"], "12"),
        (["policy"], "default"),
    ],
)
def test_a_foreign_document_with_a_fault_is_refused(path: list[Any], value: object) -> None:
    document = verdict(finding(Code.REVOKED)).to_json()
    VerdictDocument.model_validate(document)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValidationError):
        VerdictDocument.model_validate(document)


# --- start-up -------------------------------------------------------------------------------------


def test_importing_a_verdict_loads_neither_models_nor_words() -> None:
    program = (
        "import sys, schemas.verdict;"
        "print([m for m in ('pydantic', 'json', 'schemas.messages') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout.decode().strip() == "[]"
