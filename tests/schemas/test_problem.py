import re
from pathlib import Path

import pytest

from schemas.problem import PROBLEMS, ProblemCode
from schemas.verdict import CHECKS, CODES, Code

ROOT = Path(__file__).parents[2]
PROGRAMS = ("schemas", "talentseal", "issuer", "registry", "verifier", "wallet_cli")
KINDS = {"F": "fail", "U": "unknown", "R": "remark", "N": "not applicable"}


def section(heading: str) -> list[list[str]]:
    """The cells of every row that begins with a code, below one heading of the page."""
    page = (ROOT / "docs" / "reason-codes.md").read_text("utf-8")
    text = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def dashed(values: object) -> str:
    return str(values) if values not in {None, ""} else "-"


def test_a_code_is_its_own_name_and_has_its_facts() -> None:
    assert [str(code) for code in ProblemCode] == list(ProblemCode.__members__)
    assert list(PROBLEMS) == list(ProblemCode)


def test_two_names_are_shared_with_verdicts_and_no_more() -> None:
    assert set(map(str, Code)) & set(map(str, ProblemCode)) == {
        "TRUST_DATA_EXPIRED",
        "DEV_TRUST_REFUSED",
    }


def test_every_status_is_an_error() -> None:
    statuses = [status for info in PROBLEMS.values() for status in info.statuses]
    assert statuses
    assert all(400 <= status < 600 for status in statuses)


def test_what_ends_a_program_ends_it_with_a_refusal_or_a_failure() -> None:
    assert {info.exit_code for info in PROBLEMS.values()} == {None, 1, 4}


def test_an_alarm_is_raised_where_updates_are_met_alone() -> None:
    alarming = {place for info in PROBLEMS.values() if info.alarm for place in info.where}
    assert alarming == {"sync", "monitor", "publisher"}


# --- the page -------------------------------------------------------------------------------------


def test_the_page_lists_the_codes_of_a_verdict_with_check_and_kind() -> None:
    said = {row[0].strip("`"): (row[1], row[2]) for row in section("Codes of a verdict")}
    meant = {}
    for code, info in CODES.items():
        checks = ", ".join(f"`{check}`" for check in info.checks)
        kind = KINDS[info.letter] + (", absent" if info.absence else "")
        meant[str(code)] = ("any" if info.checks == CHECKS else checks, kind)
    assert said == meant


def test_the_page_lists_the_codes_outside_verdicts() -> None:
    rows = section("Codes outside verdicts")
    said = {row[0].strip("`"): row[1:6] for row in rows}
    assert list(said) == [str(code) for code in list(ProblemCode)[: len(rows)]]
    for name, (where, status, ends, alarm, meaning) in said.items():
        info = PROBLEMS[ProblemCode(name)]
        assert where == ", ".join(info.where)
        assert status == dashed(", ".join(map(str, info.statuses)))
        assert ends == dashed(info.exit_code)
        assert alarm == ("yes" if info.alarm else "no")
        assert meaning == info.meaning


@pytest.mark.parametrize(
    ("heading", "where"), [("Service codes", "service"), ("Desk codes", "desk")]
)
def test_the_page_lists_the_codes_of_services_and_desk(heading: str, where: str) -> None:
    said = {row[0].strip("`"): (row[1], row[2]) for row in section(heading)}
    meant = {
        str(code): (dashed(", ".join(map(str, info.statuses))), info.meaning)
        for code, info in PROBLEMS.items()
        if info.where == (where,)
    }
    assert said == meant


def test_no_code_in_the_programs_is_missing_from_the_list() -> None:
    named = re.compile(r"\bcode\s*=\s*\"([A-Z][A-Z_]+)\"|\bCode\.([A-Z][A-Z_]+)")
    known = {*map(str, Code), *map(str, ProblemCode)}
    sources = [path for program in PROGRAMS for path in (ROOT / program).rglob("*.py")]
    used = {
        name
        for path in sources
        for match in named.finditer(path.read_text("utf-8"))
        for name in match.groups()
        if name
    }
    assert "MALFORMED" in used
    assert used <= known
