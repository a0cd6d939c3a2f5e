"""Documents that cannot lie: links lead somewhere, settings and commands are the real ones."""

import importlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

SETTING = re.compile(r"\bTALENTSEAL_[A-Z]+(?:_[A-Z]+)*\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?)\s*$", flags=re.MULTILINE)
RECORD = re.compile(r"docs/decisions/(\d{4})-[a-z0-9-]+\.md")
# The vocabulary that code, commands, pages and documents share.
WORDS = frozenset(
    re.findall(
        r"\w+",
        "credential issuer holder verifier registry jurisdiction authority grant delegation"
        " recognition mandate seal code disclosure status bundle evidence verdict check finding"
        " policy application review decision",
    )
)
SOURCES = {".py", ".sh", ".toml", ""}


def pages(tracked: Sequence[Path]) -> list[Path]:
    """The project's own documents: Markdown at the root and below docs."""
    return [p for p in tracked if p.suffix == ".md" and (len(p.parts) == 1 or p.parts[0] == "docs")]


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """The fragments under which a page's headings can be reached."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in plain}


def broken_links(root: Path, page: Path) -> Iterator[str]:
    text = without_code((root / page).read_text("utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = (root / page.parent / name) if name else root / page
        if not target.exists():
            yield f"{page}: {link} leads nowhere"
        elif fragment and fragment not in anchors(without_code(target.read_text("utf-8"))):
            yield f"{page}: {link} has no such heading"


def settings_in_sources(root: Path, tracked: Sequence[Path]) -> set[str]:
    found: set[str] = set()
    for path in tracked:
        if path.suffix in SOURCES and path.parts[0] != "docs":
            found.update(SETTING.findall((root / path).read_text("utf-8")))
    return found


def test_no_link_leads_nowhere(root: Path, tracked: list[Path]) -> None:
    assert not [fault for page in pages(tracked) for fault in broken_links(root, page)]


def test_every_setting_is_documented_and_every_documented_setting_exists(
    root: Path, tracked: list[Path]
) -> None:
    documented = set(SETTING.findall((root / "docs/operate.md").read_text("utf-8")))
    assert documented == settings_in_sources(root, tracked)


def test_every_shared_word_is_in_the_glossary(root: Path) -> None:
    glossary = (root / "docs/glossary.md").read_text("utf-8")
    defined = set(re.findall(r"^\| \*\*([^*]+)\*\*", glossary, re.MULTILINE))
    assert defined >= WORDS


def test_every_task_that_documents_name_exists(root: Path, tracked: list[Path]) -> None:
    tasks = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        task
        for page in pages(tracked)
        for task in re.findall(r"`make ([a-z-]+)", (root / page).read_text("utf-8"))
    }
    assert named <= tasks


def test_decision_records_are_numbered_without_gaps_and_have_one_shape(
    root: Path, tracked: list[Path]
) -> None:
    records = [p for p in tracked if p.parts[:2] == ("docs", "decisions")]
    numbers = [int(match[1]) for p in records if (match := RECORD.fullmatch(p.as_posix()))]
    assert numbers == list(range(1, len(records) + 1))
    for path in records:
        headings = HEADING.findall((root / path).read_text("utf-8"))
        assert headings[0].startswith(path.name[:4])
        assert {heading.split()[0] for heading in headings[1:]} == {
            "Context",
            "Options",
            "Choice",
            "Consequence",
        }, path


def test_every_decision_is_listed_in_the_tour(root: Path, tracked: list[Path]) -> None:
    tour = (root / "docs/tour.md").read_text("utf-8")
    for path in tracked:
        if RECORD.fullmatch(path.as_posix()):
            assert f"(decisions/{path.name})" in tour


def test_every_module_that_the_tour_names_exists(root: Path, tracked: list[Path]) -> None:
    """By its path where one is given, else by its name alone."""
    tour = (root / "docs/tour.md").read_text("utf-8")
    paths = [f"/{path.as_posix()}" for path in tracked]
    for named in re.findall(r"[a-z_0-9/]+\.py\b", tour):
        assert any(path.endswith(f"/{named.lstrip('/')}") for path in paths), named


def test_every_module_of_the_library_is_on_the_tour(root: Path) -> None:
    tour = (root / "docs/tour.md").read_text("utf-8")
    for path in (root / "talentseal").glob("*.py"):
        assert path.name == "__init__.py" or f"{path.name}" in tour, path.name


def test_the_performance_page_is_drawn_from_the_measured_figures(root: Path) -> None:
    report = importlib.import_module("benchmarks.report")
    document = json.loads((root / "benchmarks/results.json").read_text("utf-8"))
    assert (root / "docs/performance.md").read_text("utf-8") == report.render(document)


def test_every_goal_has_a_row_on_the_performance_page(root: Path) -> None:
    goals = importlib.import_module("benchmarks.goals")
    page = (root / "docs/performance.md").read_text("utf-8")
    assert list(goals.GOALS) == list(range(1, 18))
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == [
        str(number) for number in goals.GOALS
    ]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_the_pages_that_a_newcomer_looks_for_are_there(root: Path, name: str) -> None:
    assert (root / name).read_text("utf-8").startswith("# ")
