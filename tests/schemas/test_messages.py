import re
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import data
from schemas.messages import (
    LANGUAGES,
    LEAD_KEYS,
    LEAD_OF_CODE,
    PLACEHOLDERS,
    as_of,
    check_label,
    check_message,
    facts_of,
    humanise,
    lead,
    lead_key,
    next_step,
    pick,
    question,
    resolve_language,
    sentence,
    word,
)
from schemas.problem import ProblemCode
from schemas.verdict import CHECKS, CODES, OUTCOMES, QUESTIONS, RESULTS, Check, Code, Verdict
from talentseal.encoding import parse_json

DATA = Path(__file__).parents[2] / "schemas" / "data"
ALL_CODES = list(dict.fromkeys([*map(str, Code), *map(str, ProblemCode)]))
RESULT_OF_LETTER = {"F": "fail", "U": "unknown", "R": "pass", "N": "not_applicable"}
DAY = 86_400
# What must never be said of anything that is not accepted, by language.
PRAISE = {
    "en": r"\bvalid\b|congratulat",
    "zh-Hans": "真实有效|恭喜",
    "zh-Hant": "真實有效|恭喜",
    "pt": r"(?<!não é )\bválid[oa]s?\b|parabéns",
}
# Spellings that the reform of 1990 brought and Macao did not take over.
REFORMED = (
    r"\b(?:in)?dire(?:to|ta|ção)|\batua|\bações?\b|\bação\b|eletr[óo]nic|\bcorre(?:to|ção)"
    r"|\bobjet|\bprojet|\bativ[oa]|\bseleção|\bexat|\bexce(?:to|ção)|\bletiv|\bfatura|\batos?\b"
)


def catalogue(language: str) -> dict[str, Any]:
    document = parse_json((DATA / f"messages.{language}.json").read_bytes())
    assert isinstance(document, dict)
    return document


def shape(value: object) -> object:
    """Names at every depth: what must be the same in all languages."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value)


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    assert isinstance(value, str)
    return [value]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def judged(outcome: str, *checks: Check, **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "outcome": outcome,
        "questions": {},
        "checks": checks,
        "credential": None,
        "evaluated_at": 0,
        "home_jurisdiction": "HK",
        "place": None,
        "purpose": None,
        "bundle": {},
        "policy": "default@1",
    }
    return Verdict(**{**values, **changes})


def alone(code: Code) -> Verdict:
    """A verdict in which this code alone decides, under no policy."""
    info = CODES[code]
    check = Check(info.checks[0], RESULT_OF_LETTER[info.letter], code)
    return judged(info.default_outcome, check)


# --- the catalogues -------------------------------------------------------------------------------


def test_there_is_one_catalogue_for_each_language_and_no_other() -> None:
    found = {path.name for path in DATA.glob("messages.*.json")}
    assert found == {f"messages.{language}.json" for language in LANGUAGES}
    assert LANGUAGES == data.LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_words_for_exactly_the_codes_there_are(language: str) -> None:
    words = catalogue(language)
    assert words["language"] == language
    assert sorted(words["codes"]) == sorted(ALL_CODES)
    assert list(words["checks"]) == list(CHECKS)
    assert sorted(words["leads"]) == sorted(LEAD_KEYS)
    assert sorted(words["words"]["outcomes"]) == sorted(OUTCOMES)
    assert sorted(words["words"]["results"]) == sorted(words["words"]["marks"]) == sorted(RESULTS)
    assert set(QUESTIONS) <= set(words["words"]["questions"]) & set(words["words"]["short"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_catalogues_say_the_same_things_about_the_same_facts(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert shape(other) == shape(english)
    for group in ("codes", "leads"):
        for name, entry in english[group].items():
            for part, text in entry.items():
                assert placeholders(other[group][name][part]) == placeholders(text), (name, part)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_empty_and_each_ends_like_one(language: str) -> None:
    words = catalogue(language)
    for text in [*texts(words["codes"]), *texts(words["leads"])]:
        assert text.strip() == text
        assert re.search(r"[.。]$", text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_name_the_allowed_facts_alone(language: str) -> None:
    words = catalogue(language)
    named = {name for text in texts(words["codes"]) for name in placeholders(text)}
    led = {name for text in texts(words["leads"]) for name in placeholders(text)}
    assert named <= PLACEHOLDERS - {"result"}
    assert led == {"place", "purpose", "date", "result"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plain_sentence_needs_no_fact(language: str) -> None:
    words = catalogue(language)
    for name, entry in words["codes"].items():
        assert not placeholders(entry["sentence"]) | placeholders(entry["next"]), name
        assert entry.get("detailed") is None or placeholders(entry["detailed"]), name
    for name, entry in words["leads"].items():
        assert ("plain" in entry) == bool(placeholders(entry["sentence"])), name


def test_every_placeholder_is_used_somewhere() -> None:
    words = catalogue("en")
    used = {n for g in ("codes", "leads") for text in texts(words[g]) for n in placeholders(text)}
    assert used == PLACEHOLDERS


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", [c for c, i in CODES.items() if i.letter in "FU"])
def test_nothing_that_is_not_accepted_is_praised(code: Code, language: str) -> None:
    told = (sentence(code, language), next_step(code, language), lead(alone(code), language)[1])
    assert not [text for text in told if re.search(PRAISE[language], text, re.IGNORECASE)]


def test_portuguese_is_spelt_as_in_macao() -> None:
    reformed = [t for t in texts(catalogue("pt")["codes"]) if re.search(REFORMED, t, re.IGNORECASE)]
    assert not reformed
    assert re.search(REFORMED, "Atualize a direção eletrónica do ato", re.IGNORECASE)


def test_the_two_chinese_catalogues_keep_to_their_script() -> None:
    simplified, traditional = texts(catalogue("zh-Hans")), texts(catalogue("zh-Hant"))
    assert not re.search("[發書簽時資檔證關與據]", "".join(simplified))
    assert not re.search("[发书签时资档证关与据籤説]章?", re.sub("抽籤", "", "".join(traditional)))


def test_the_page_says_what_the_english_catalogue_says() -> None:
    page = (DATA.parents[1] / "docs" / "reason-codes.md").read_text("utf-8")
    listed = page.split("\n## Codes of a verdict\n")[1].split("\n## ")[0]
    for code in Code:
        assert f"| {sentence(code, 'en')} | {next_step(code, 'en')} |" in listed, code
    for problem in ProblemCode:
        assert f"| {next_step(problem, 'en')} |" in page, problem


# --- languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("en-HK", "en"),
        ("zh", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("zh-Hans-HK", "zh-Hans"),
        ("zh-Hant", "zh-Hant"),
        ("zh-Hant-MO", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("zh_TW.UTF-8", "zh-Hant"),
        ("pt", "pt"),
        ("pt_PT.UTF-8", "pt"),
        ("PT-mo", "pt"),
        ("fr", "en"),
        ("C", "en"),
        ("", "en"),
    ],
)
def test_a_tag_leads_to_one_of_the_four_languages(tag: str, language: str) -> None:
    assert resolve_language(tag) == language
    assert sentence(Code.REVOKED, tag) == sentence(Code.REVOKED, language)


@pytest.mark.parametrize(
    ("names", "lang", "name"),
    [
        ({"en": "a", "zh-Hant": "b", "zh-Hant-HK": "c"}, "zh-Hant-HK", "c"),
        ({"en": "a", "zh-Hant": "b", "zh-Hans": "c"}, "zh-Hant-HK", "b"),
        ({"en": "a", "zh-Hans": "c"}, "zh-Hant-HK", "c"),
        ({"en": "a", "zh-Hant": "b"}, "zh-CN", "b"),
        ({"en": "a", "pt": "d"}, "zh-Hant", "a"),
        ({"zh-Hans": "c", "pt": "d"}, "pt-MO", "d"),
        ({"zh-Hans": "c"}, "pt", "c"),
        ({}, "en", ""),
    ],
)
def test_the_best_of_several_languages_is_picked(
    names: dict[str, str], lang: str, name: str
) -> None:
    assert pick(names, lang) == name


# --- sentences ------------------------------------------------------------------------------------


def test_a_sentence_names_the_thing_the_number_and_the_limit() -> None:
    detail = {"jurisdiction": "CN/4403", "age_seconds": 9 * DAY, "limit_seconds": 7 * DAY}
    told = sentence(Code.TRUST_DATA_EXPIRED, "en", detail)
    assert told == "The data of CN/4403 is 9 d old; this policy allows 7 d."


@pytest.mark.parametrize("missing", ["jurisdiction", "age_seconds", "limit_seconds"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_missing_fact_makes_a_sentence_plainer(missing: str, language: str) -> None:
    detail = {"jurisdiction": "CN/4403", "age_seconds": 9 * DAY, "limit_seconds": 7 * DAY}
    del detail[missing]
    plain = sentence(Code.TRUST_DATA_EXPIRED, language)
    assert sentence(Code.TRUST_DATA_EXPIRED, language, detail) == plain


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_that_is_not_known_is_named_and_advises_nothing(language: str) -> None:
    assert "CODE_OF_TOMORROW" in sentence("CODE_OF_TOMORROW", language)
    assert next_step("CODE_OF_TOMORROW", language) == ""


@given(
    st.sampled_from(ALL_CODES),
    st.sampled_from(LANGUAGES),
    st.dictionaries(
        st.sampled_from([*sorted(PLACEHOLDERS), "age_seconds", "limit_seconds", "at"]),
        st.text() | st.integers() | st.none() | st.booleans() | st.lists(st.text()),
    ),
)
def test_no_detail_breaks_a_sentence(code: str, language: str, detail: dict[str, Any]) -> None:
    assert sentence(code, language, detail)


def test_a_fact_is_never_read_as_a_template() -> None:
    detail = {"claim": "{jurisdiction.__class__}{0}", "jurisdiction": "HK"}
    told = sentence(Code.CLAIM_MISSING, "en", detail)
    assert told == "The mandatory item {jurisdiction.__class__}{0} is absent."


def test_a_fact_of_any_length_stays_short() -> None:
    assert len(sentence(Code.LINK_HOST_UNKNOWN, "en", {"host": "h" * 100_000})) < 400


def test_a_fact_that_no_sentence_names_is_never_told() -> None:
    secret = "Example Mei 1984"
    for code in Code:
        for language in LANGUAGES:
            assert secret not in sentence(code, language, {"name": secret, "birthdate": secret})


def test_times_in_a_detail_become_days_and_minutes() -> None:
    facts = facts_of({"from": 0, "until": 10 * DAY, "at": DAY + 3_660}, "en")
    assert facts == {
        "from": "1970-01-01",
        "until": "1970-01-11",
        "date": "1970-01-02",
        "time": "1970-01-02 01:01 UTC",
    }


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (-5, "0 s", "0秒"),
        (59, "59 s", "59秒"),
        (60, "1 min", "1分钟"),
        (6 * 60 + 59, "6 min", "6分钟"),
        (3 * 3_600, "3 h", "3小时"),
        (3 * 3_600 + 120, "3 h 2 min", "3小时2分钟"),
        (9 * DAY + 2 * 3_600 + 59 * 60, "9 d 2 h", "9天2小时"),
        (DAY + 59 * 60, "1 d", "1天"),
    ],
)
def test_an_age_is_told_in_its_two_largest_units(seconds: int, english: str, chinese: str) -> None:
    assert humanise(seconds, "en") == english
    assert humanise(seconds, "zh-Hans") == chinese


def test_age_stands_beside_its_limit_where_one_is_known() -> None:
    told = "As of 1970-01-01 00:00 UTC; 6 min old"
    assert as_of(0, 360, 7 * DAY, "en") == f"{told}; at most 7 d accepted"
    assert as_of(0, 360, None, "en") == told


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_check_has_a_name_and_a_sentence_for_its_plain_pass(
    check: str, language: str
) -> None:
    assert check_label(check, language)
    assert check_message(Check(check, "pass"), language)


def test_a_finding_without_a_code_is_told_by_its_result() -> None:
    assert check_message(Check("holder", "unknown"), "en") == "Could not be checked"
    assert check_label("check_of_tomorrow", "en") == "check_of_tomorrow"


def test_the_day_of_a_check_of_validity_is_the_one_it_states() -> None:
    expired = Check("validity", "fail", Code.EXPIRED, 10 * DAY, {"source": "exp"})
    assert check_message(expired, "en") == "Ended on 1970-01-11."


def test_the_question_names_place_and_purpose_where_both_are_declared() -> None:
    asked = question("recognised", "en", "Hong Kong", "employment")
    assert asked == "Is it recognised in Hong Kong for employment?"
    assert question("recognised", "en", "Hong Kong", None) == "Is it recognised here?"
    assert question("authentic", "pt") == "É autêntico?"


# --- lead sentences -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_leads_to_a_row(code: Code, language: str) -> None:
    key, told = lead(alone(code), language)
    assert key in LEAD_KEYS
    assert told
    assert not placeholders(told)


@pytest.mark.parametrize("code", [c for c, i in CODES.items() if i.letter in "FU"])
def test_a_refusal_or_a_doubt_never_has_the_lead_of_an_accept(code: Code) -> None:
    assert not lead(alone(code), "en").key.startswith("ok")


def test_every_row_is_reached_by_some_code() -> None:
    assert {lead(alone(code), "en").key for code in Code} == set(LEAD_KEYS)


def test_no_code_has_two_rows() -> None:
    codes = {code for code in Code if CODES[code].letter in "FU"}
    assert codes | {"TRUST_DATA_STALE"} == set(LEAD_OF_CODE)


@pytest.mark.parametrize("code", [c for c, i in CODES.items() if i.absence])
def test_what_is_absent_from_old_lists_asks_for_new_ones(code: Code) -> None:
    check = CODES[code].checks[0]
    assert lead_key("refuse", Check(check, "fail", code), ()) != "lists"
    assert lead_key("refer", Check(check, "unknown", code), ()) == "lists"


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (Code.HOLDER_BEARER_COPY, "ok_copy"),
        (Code.HOLDER_OPEN_MODE, "ok_open"),
        (Code.EXTERNAL_PROFILE, "ok_external"),
        (Code.UNWITNESSED, "ok"),
    ],
)
def test_an_accept_says_who_could_be_carrying_it(code: Code, key: str) -> None:
    assert lead(judged("accept", Check("holder", "pass", code)), "en").key == key


def test_an_accept_without_a_remark_is_a_plain_one() -> None:
    told = lead(judged("accept", Check("signature", "pass")), "en")
    assert told == ("ok", "Genuine, issued by an authorised body, in force.")


def test_a_softened_or_tightened_finding_keeps_its_sentence() -> None:
    found = Check("recognition", "fail", Code.NOT_RECOGNISED)
    assert lead(judged("refer", found, outcomes=("refer",)), "en").key == "not_recognised"
    old = Check("trust_data", "pass", Code.TRUST_DATA_STALE)
    assert lead(judged("refuse", old, outcomes=("refuse",)), "en").key == "lists"


def test_a_tightened_remark_without_a_row_speaks_for_itself() -> None:
    found = Check("trust_data", "pass", Code.UNWITNESSED)
    told = lead(judged("refer", found, outcomes=("refer",)), "en")
    assert told == ("", sentence(Code.UNWITNESSED, "en"))


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("signature", "Is it authentic? Reason CODE_OF_TOMORROW."),
        ("status", "Is it in force? Reason CODE_OF_TOMORROW."),
        ("policy", "Rules of this verifier: Reason CODE_OF_TOMORROW."),
    ],
)
def test_an_unknown_headline_shows_the_question_and_the_code(check: str, told: str) -> None:
    unknown: Any = "CODE_OF_TOMORROW"
    assert lead(judged("refuse", Check(check, "fail", unknown)), "en") == ("", told)


def test_a_verdict_without_any_reason_has_no_lead() -> None:
    assert lead(judged("refuse"), "en") == ("", "")


def test_the_lead_names_place_and_purpose_and_the_surface_may_translate_them() -> None:
    found = Check("recognition", "fail", Code.NOT_RECOGNISED)
    verdict = judged("refuse", found, place="HK", purpose="employment")
    translated = {"place": "香港", "purpose": "就業"}
    assert lead(verdict, "en")[1] == "Genuine, but not recognised in HK for employment."
    assert lead(verdict, "zh-Hant", translated)[1] == "證書真實，但香港不認可用於就業。"
    undeclared = judged("refuse", found, place="HK")
    assert lead(undeclared, "en")[1] == "Genuine, but not recognised here for this purpose."


def test_the_lead_names_the_day_of_the_end_and_the_beginning() -> None:
    ended = judged("refuse", Check("validity", "fail", Code.EXPIRED, 10 * DAY))
    early = judged("refuse", Check("validity", "fail", Code.NOT_YET_VALID, 20 * DAY))
    assert lead(ended, "en")[1] == "Genuine, but ended on 1970-01-11."
    assert lead(early, "pt")[1] == "Autêntico, mas só entra em vigor em 1970-01-21."


def test_the_finding_of_a_report_is_named_by_the_surface_alone() -> None:
    detail = {"result": "not_authentic"}
    found = Check("policy", "unknown", Code.REPORT_RESULT_NOT_POSITIVE, None, detail)
    verdict = judged("refer", found)
    assert "not_authentic" not in lead(verdict, "en")[1]
    assert lead(verdict, "en", {"result": "not authentic"})[1].endswith("Finding: not authentic.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_banner_of_a_test_network_exists(language: str) -> None:
    assert word(language, "sentences", "test_network")
