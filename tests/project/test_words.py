"""What must not stand in any file of the project."""

import re
from pathlib import Path

import pytest

# pattern -> why; brackets keep a pattern from matching its own line.
FORBIDDEN = {
    r"/wor[k]/|/hom[e]/\w|/roo[t]/|/User[s]/\w": "a path of somebody's machine",
    r"shared/(domai[n]|desig[n])": "a file that lives outside the project",
    r"py[p]i\.org|python[h]osted|npm[j]s\.org|index\.crate[s]": "the address of a registry",
    r"\bissu[e] #?\d+|\B#\d{1,5}\b(?=[ ,.)]|$)": "a number of a tracker that moves",
    r"\bTOD[O]\b|\bFIXM[E]\b|\bXX[X]\b": "a plan; do it, or write it down where work is planned",
    r"BEGI[N] (EC |RSA )?PRIVATE KEY": "a secret key in clear",
}
# File suffixes that hold text of ours; everything else is data or a picture.
TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".ini", ".mako", ".in", ""}
# file -> patterns allowed there, with the reason beside it
ALLOWED: dict[str, set[str]] = {
    "LICENSE": {r"\bTOD[O]\b|\bFIXM[E]\b|\bXX[X]\b"},  # verbatim text of the licence
}


def found(pattern: str, root: Path, tracked: list[Path]) -> list[str]:
    """`file:line` of every place where the pattern stands and is not allowed to."""
    places = []
    for path in tracked:
        if path.suffix not in TEXT or pattern in ALLOWED.get(str(path), set()):
            continue
        for number, line in enumerate((root / path).read_text("utf-8").splitlines(), start=1):
            if re.search(pattern, line):
                places.append(f"{path}:{number}: {line.strip()[:80]}")
    return places


@pytest.mark.parametrize("pattern", FORBIDDEN, ids=list(FORBIDDEN.values()))
def test_no_file_holds_what_has_no_place_there(
    root: Path, tracked: list[Path], pattern: str
) -> None:
    assert not found(pattern, root, tracked), FORBIDDEN[pattern]
