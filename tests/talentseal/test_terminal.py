import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import LANGUAGES, next_step, sentence
from schemas.types import load_type
from schemas.verdict import (
    CODES,
    BundleState,
    Caution,
    Check,
    Code,
    CredentialView,
    Verdict,
    answer,
    default_outcome,
    overall_outcome,
)
from talentseal.terminal import Words, escape, render_line, render_verdict, words_of
from talentseal.type_metadata import CredentialType

DATA = Path(__file__).parents[2] / "schemas" / "data"
NOW = 1_795_000_000  # 2026-11-18T11:06:40Z
DAY = 86_400
RESULT_OF_LETTER = {"F": "fail", "U": "unknown", "R": "pass", "N": "not_applicable"}
HOSTILE = {
    "colours": "\x1b[32mACCEPT\x1b[0m",
    "title of the window": "\x1b]0;owned\x07",
    "C1 introducer": "\x9b2J",
    "line feed": "Mei\nACCEPT  Accept.",
    "carriage return": "Mei\rACCEPT",
    "backspace": "revoked\x08\x08\x08\x08\x08\x08\x08",
    "tab": "a\tb",
    "delete": "a\x7f",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "right-to-left override": "nohJ \u202eeiM",
    "isolate": "\u2067Mei\u2069",
    "arabic letter mark": "a\u061cb",
    "zero width": "M\u200bei",
    "joiner": "M\u200dei",
    "byte order mark": "\ufeffMei",
    "soft hyphen": "M\u00adei",
    "variation selector": "王\U000e0100",
    "tag characters": "Mei\U000e0041",
    "filler": "Mei\u3164",
    "blank braille": "Mei\u2800",
    "lone surrogate": "Mei\ud800",
    "private use": "Mei\ue000",
    "noncharacter": "Mei\uffff",
}
# Characters with no visible shape of their own that are not in a category of such.
INVISIBLE = set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u2800\u3164\ufe0f\uffa0\U000e0100")

CREDENTIAL = CredentialView(
    form="cwt",
    type="https://types.example/title/1",
    issuer="https://engineers.example",
    issuer_names={"en": "Harbour Board of Engineers", "zh-Hant": "海港工程師局"},
    jurisdiction="HK",
    issued_at=NOW - 186 * DAY,
    expires_at=NOW + 200 * DAY,
    holder_bound=True,
    claims={
        "territory": ["HK", "MO"],
        "display_name": "Example Mei",
        "names": {"zh-Hant": "示例美", "en": "Example Mei"},
        "practising": False,
        "document": {"kind": "travel permit", "tail": "1234"},
        "years": 7,
    },
)
WAS_GOOD = (
    Check("trust_data", "pass", None, NOW, {"jurisdiction": "HK", "limit_seconds": 7 * DAY}),
    *(Check(c, "pass") for c in ("format", "issuer_key", "certificate", "signature", "key_time")),
    Check("authority", "pass", None, None, {"until": NOW + 200 * DAY, "statement": "g-0012"}),
    Check("scope", "pass"),
    Check("approval", "not_applicable", Code.NOT_APPLICABLE),
    Check("recognition", "pass", None, None, {"statement": "r-0007"}),
    Check("validity", "pass"),
)
COPY = Check("holder", "not_applicable", Code.HOLDER_BEARER_COPY)
STALE = Check(
    "status",
    "unknown",
    Code.STATUS_STALE,
    NOW,
    {"age_seconds": 9 * DAY + 7_300, "limit_seconds": 7 * DAY},
)


def verdict(*checks: Check, **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "outcome": overall_outcome(map(default_outcome, checks)),
        "questions": {q: answer(q, checks) for q in ("authentic", "authorised", "recognised")},
        "checks": checks,
        "credential": CREDENTIAL,
        "evaluated_at": NOW,
        "home_jurisdiction": "CN/4403",
        "place": "CN/4403",
        "purpose": "employment",
        "bundle": {"HK": BundleState(12, NOW - 360, 360)},
        "policy": "default@1",
    }
    return Verdict(**{**values, **changes})


def render(judged: Verdict, **changes: Any) -> str:
    return render_verdict(judged, **{"lang": "en", "colour": False, "width": 100, **changes})


def unescape(text: str) -> str:
    return re.sub(r"\\u\{([0-9a-f]+)\}", lambda m: chr(int(m[1], 16)), text)


# --- escaping -------------------------------------------------------------------------------------


def is_hidden(character: str) -> bool:
    category = unicodedata.category(character)
    return category in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} or character in INVISIBLE


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_becomes_visible_on_one_line(text: str) -> None:
    shown = escape(text)
    assert not [c for c in shown if is_hidden(c)]
    assert r"\u{" in shown
    assert shown.encode("utf-8").decode("utf-8") == shown


@given(st.text(st.characters(exclude_categories=[]) | st.sampled_from(sorted(INVISIBLE))))
def test_nothing_hidden_survives_and_nothing_is_lost(text: str) -> None:
    shown = escape(text)
    assert not [c for c in shown if is_hidden(c)]
    assert unescape(shown) == text


def test_every_character_without_a_shape_is_escaped() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    assert not [hex(ord(c)) for c in every if is_hidden(c) and escape(c) == c]


def test_the_form_of_a_mark_is_fixed() -> None:
    assert escape("a\u202eb\x1b") == r"a\u{202e}b\u{1b}"


def test_a_text_cannot_pretend_to_have_been_escaped() -> None:
    assert escape(r"\u{202e}") == r"\u{5c}u{202e}"
    assert escape(r"C:\users") == r"C:\users"


@pytest.mark.parametrize(
    "text", ["João Conceição", "𨋢𠮷 示例・美", "O’Neill-Ŵyn", "José", "a\u00a0b", "\u3000", "�"]
)
def test_ordinary_names_in_any_script_stay_as_signed(text: str) -> None:
    assert escape(text) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_own_words_need_no_escaping(language: str) -> None:
    text = (DATA / f"messages.{language}.json").read_text("utf-8").replace("\n", "")
    assert escape(text) == text


# --- the form -------------------------------------------------------------------------------------


def test_the_answer_has_its_published_form() -> None:
    cautions = (Caution("c", {"en": "Registered, but not entitled to practise now."}, "show"),)
    unwitnessed = Check("trust_data", "pass", Code.UNWITNESSED, None, {"jurisdiction": "HK"})
    judged = verdict(unwitnessed, *WAS_GOOD, STALE, COPY, cautions=cautions)
    labels = {"display_name": "Name", "document.kind": "Kind", "names": "Names"}
    copy = "HOLDER_BEARER_COPY  A copy without proof by the holder (paper, picture,"
    unseen = "UNWITNESSED  The data of HK is not covered by an independently witnessed"
    stale = "STATUS_STALE  The status list is 9 d 2 h old; this policy allows 7 d."
    assert render(judged, words=Words(labels)).splitlines() == [
        "REFER   A person must look. Genuine; whether it is still in force could not be checked.",
        "        -> Synchronise, then check again.",
        "        authentic   yes  Harbour Board of Engineers (HK), sealed 2026-05-16",
        "        authorised  yes  grant until 2027-06-06",
        "        recognised  yes  HK for employment, statement r-0007",
        f"        in force    ?    {stale}",
        f"        holder      n/a  {copy}",
        "                         file): anyone could be carrying it.",
        "        HK               As of 2026-11-18 11:00 UTC; 6 min old; at most 7 d accepted",
        f"        note             {unseen}",
        "                         log.",
        "        caution          Registered, but not entitled to practise now.",
        "        Name        Example Mei",
        "        document    Kind: travel permit, tail: 1234",
        "        Names       示例美 / Example Mei",
        "        territory   HK, MO",
        "        practising  no",
        "        years       7",
    ]


def test_a_refusal_names_every_reason_and_what_to_do() -> None:
    judged = verdict(
        *WAS_GOOD[:6],
        Check("authority", "fail", Code.GRANT_WITHDRAWN, None, {"statement": "g-0012"}),
        Check("scope", "fail", Code.GRANT_SCOPE_TERRITORY),
        Check("recognition", "not_applicable", Code.HOME_JURISDICTION),
        Check("policy", "fail", Code.TYPE_NOT_ACCEPTED),
        bundle={},
    )
    lines = [re.sub(" +", " ", line).strip() for line in render(judged, width=200).splitlines()]
    assert lines[:2] == [
        "REFUSE Do not accept. Genuine seal, but the issuer had no right to issue this.",
        "-> Ask the issuer's authority.",
    ]
    withdrawn = "Sealed after the right was withdrawn. (statement g-0012)"
    assert f"authorised no GRANT_WITHDRAWN {withdrawn}" in lines
    beyond = "Issued for a place outside the right."
    assert f"GRANT_SCOPE_TERRITORY {beyond} -> Refuse and report." in lines
    assert "recognised n/a Does not apply" in lines
    asked = "Genuine, but not a type asked for here. -> Ask for the right certificate."
    assert f"Rules of this verifier no TYPE_NOT_ACCEPTED {asked}" in lines


def test_what_was_not_checked_is_said_to_be_so() -> None:
    judged = verdict(Check("format", "fail", Code.MALFORMED), credential=None, bundle={})
    lines = render(judged).splitlines()
    assert lines[2].split() == [
        "authentic",
        "no",
        "MALFORMED",
        *sentence("MALFORMED", "en").split(),
    ]
    assert [line.split(maxsplit=1)[1] for line in lines[3:5]] == ["?   Could not be checked"] * 2


def test_a_remark_is_said_once_however_often_it_was_found() -> None:
    twice = (Check("trust_data", "pass", Code.DEV_TRUST),) * 2
    assert render(verdict(*twice, *WAS_GOOD, COPY)).count("DEV_TRUST") == 1


def test_the_doubt_about_the_lists_has_its_own_line() -> None:
    rolled = Check("trust_data", "unknown", Code.CLOCK_ROLLED_BACK)
    line = next(t for t in render(verdict(rolled, *WAS_GOOD)).splitlines() if "CLOCK" in t)
    assert line.split()[:3] == ["Trust", "data", "?"]


def test_the_holder_shown_by_an_open_code_is_told_on_its_line() -> None:
    shown = Check("holder", "pass", Code.HOLDER_OPEN_MODE)
    text = render(verdict(*WAS_GOOD, shown), width=200)
    assert text.startswith("ACCEPT  Accept. In force; shown from the holder's wallet")
    assert re.search(r"\n +holder +yes +HOLDER_OPEN_MODE", text)
    assert text.count("HOLDER_OPEN_MODE") == 1


def test_without_facts_a_plain_yes_is_a_sentence() -> None:
    plain = tuple(check._replace(detail=None) for check in WAS_GOOD)
    endless = CredentialView("cwt", "t", "iss.example", {}, None, NOW, None, False, {})
    text = render(verdict(*plain, COPY, credential=endless))
    assert "iss.example (-), sealed 2026-11-18" in text
    assert "The issuer had the right to issue this when it sealed." in text
    assert "It is recognised here for this purpose." in text
    assert "Today lies within its term." in text


def test_a_coded_value_stands_behind_its_words_in_the_reader_s_language() -> None:
    kind = CredentialType.parse(load_type("professional-title/1"))
    claims = {
        "title_level": "associate_senior",
        "title_series": "05",
        "issuing_authority": {"id_scheme": "USCC", "name": {"en": "Bureau"}},
        "acquisition": "by a way nobody listed",
    }
    judged = verdict(*WAS_GOOD, credential=CREDENTIAL._replace(claims=claims))
    shown = {lang: render(judged, lang=lang, words=words_of(kind, lang)) for lang in LANGUAGES}
    assert "Associate senior (associate_senior)" in shown["en"]
    assert "Engineering (05)" in shown["en"]
    assert "Unified Social Credit Code (USCC)" in shown["en"]
    assert "by a way nobody listed\n" in f"{shown['en']}\n"
    assert "副高级（associate_senior）" in shown["zh-Hans"]
    assert "工程技術人員（05）" in shown["zh-Hant"]
    assert "Sénior associado (associate_senior)" in shown["pt"]


def test_a_type_that_is_not_known_has_no_words() -> None:
    assert words_of(None, "en") == Words()


def test_the_age_is_told_without_a_limit_that_is_not_known() -> None:
    text = render(verdict(*WAS_GOOD[1:], COPY))
    assert "As of 2026-11-18 11:00 UTC; 6 min old\n" in text


@pytest.mark.parametrize("lang", ["zh-Hant-HK", "zh-CN", "pt-MO", "en"])
@pytest.mark.parametrize("code", Code)
def test_every_code_can_be_shown_in_every_language(code: Code, lang: str) -> None:
    info = CODES[code]
    found = Check(info.checks[0], RESULT_OF_LETTER[info.letter], code)
    checks = [c for c in (*WAS_GOOD, COPY) if c.check != found.check]
    text = render(verdict(*checks, found), lang=lang, width=400)
    silent = code in {Code.HOME_JURISDICTION, Code.NOT_APPLICABLE}
    assert (code in text) != silent
    if info.letter in "FU":
        assert next_step(code, lang) in text


def test_a_question_that_was_not_asked_in_part_is_answered_and_says_so() -> None:
    unasked = Check("catalogue", "not_applicable", Code.NOT_ASKED)
    lines = render(verdict(*WAS_GOOD, unasked, COPY), width=200).splitlines()
    place = next(n for n, line in enumerate(lines) if line.split()[:2] == ["recognised", "yes"])
    assert lines[place + 1].split()[0] == "NOT_ASKED"


def test_a_document_without_checks_is_shown_all_the_same() -> None:
    empty = verdict(questions={"authentic": "pass", "authorised": "pass", "recognised": "pass"})
    assert re.search(r"authorised +yes +Yes\n", render(empty))


def test_an_issuer_is_named_in_the_language_asked_for() -> None:
    assert "海港工程師局（HK）" in render(verdict(*WAS_GOOD, COPY), lang="zh-Hant")


# --- what must not be shown -----------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["accept", "refer", "refuse"])
def test_only_an_accept_is_green(outcome: str) -> None:
    checks = {"accept": COPY, "refer": STALE, "refuse": Check("status", "fail", Code.REVOKED)}
    text = render(verdict(*WAS_GOOD, checks[outcome]), colour=True)
    assert (re.search(r"\x1b\[[0-9;]*32m", text) is not None) == (outcome == "accept")
    assert text.count("\x1b") == 2
    assert text.startswith("\x1b[1;3")


def test_words_stay_the_same_without_colours() -> None:
    judged = verdict(*WAS_GOOD, STALE, COPY)
    assert re.sub(r"\x1b\[[0-9;]*m", "", render(judged, colour=True)) == render(judged)
    assert "\x1b" not in render(judged)


def test_nothing_of_a_forged_credential_is_shown() -> None:
    caution = Caution("c", {"en": "A caution of the type."}, "show")
    forged = (*WAS_GOOD[:4], Check("signature", "fail", Code.SIGNATURE_INVALID))
    text = render(verdict(*forged, cautions=(caution,)), words=Words({"display_name": "Name"}))
    for hidden in ("Harbour", "engineers.example", "Example Mei", "Name", "1234", "caution"):
        assert hidden not in text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_part_of_a_credential_reaches_the_terminal_unescaped(text: str) -> None:
    credential = CredentialView(
        form=text,
        type=text,
        issuer=text,
        issuer_names={"en": text},
        jurisdiction=text,
        issued_at=NOW,
        expires_at=NOW,
        holder_bound=True,
        claims={text: text, "list": [text], "map": {text: {"en": text}}, "zh": {"en": text}},
    )
    detail = {"statement": text, "host": text, "jurisdiction": text}
    judged = verdict(
        *WAS_GOOD[:6],
        Check("format", "pass", Code.LINK_HOST_UNKNOWN, None, detail),
        Check("authority", "fail", Code.GRANT_WITHDRAWN, None, detail),
        Check("recognition", "pass", None, None, detail),
        credential=credential,
        place=text,
        purpose=text,
        bundle={text: BundleState(1, NOW, 0)},
        cautions=(Caution("c", {"en": text}, "show"),),
    )
    shown = render(judged, words=Words({"list": text, f"map.{text}": text}), facts={"place": text})
    for line in [*shown.split("\n"), render_line(judged, name=text, lang="en", colour=False)]:
        assert not [c for c in line if is_hidden(c)], line
    assert len(re.findall(r"^(?:ACCEPT|REFER|REFUSE) ", shown, re.MULTILINE)) == 1


# --- width ----------------------------------------------------------------------------------------


def columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide


@pytest.mark.parametrize("width", [60, 80, 132])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_line_is_wider_than_the_terminal(width: int, lang: str) -> None:
    text = render(verdict(*WAS_GOOD, STALE, COPY), width=width, lang=lang)
    assert max(columns(line) for line in text.split("\n")) <= width


def test_a_word_without_end_is_cut_and_a_wide_text_broken_without_loss() -> None:
    claims = {"long": "x" * 500, "wide": "證" * 300}
    credential = CredentialView("cwt", "t", "i", {}, "HK", NOW, NOW, False, claims)
    text = render(verdict(*WAS_GOOD, COPY, credential=credential), width=80)
    assert max(columns(line) for line in text.split("\n")) <= 80
    assert (text.count("x") - text.count("xt"), text.count("證")) == (500, 300)


def test_a_terminal_that_is_too_narrow_gets_lines_all_the_same() -> None:
    assert render(verdict(*WAS_GOOD, STALE, COPY), width=1).startswith(
        "REFER   A person must look."
    )


# --- one of several -------------------------------------------------------------------------------


def test_one_of_several_inputs_is_one_line() -> None:
    line = render_line(verdict(*WAS_GOOD, STALE), name="mei.png", lang="en", colour=False)
    told = "Genuine; whether it is still in force could not be checked."
    assert line == f"REFER   mei.png  {told}"


def test_the_terminal_loads_nothing_heavy() -> None:
    heavy = ("pydantic", "rich", "typer", "cryptography", "json")
    program = f"import sys, talentseal.terminal; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout.decode().strip() == "[]"
