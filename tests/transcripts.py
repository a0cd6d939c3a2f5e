"""Terminal sessions as tests: what is typed, what must be seen, how it ends.

`$ command` runs in one shell for the whole session; the lines below it are what must be printed:
`...` alone on a line stands for any number of lines, inside a line for any text. `[exit N]` ends a
block whose command must exit with N; without it the command must succeed. `#` lines are remarks.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_MARK = "\x1e done "


@dataclass
class Step:
    command: str
    expected: list[str]
    exit_code: int = 0


def steps(text: str) -> list[Step]:
    """The steps of a session."""
    found: list[Step] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], []))
        elif match := re.fullmatch(r"\[exit (\d+)\]", line.strip()):
            found[-1].exit_code = int(match[1])
        elif found and not line.startswith("#") and line.strip():
            found[-1].expected.append(line.rstrip())
    return found


def console_blocks(markdown: str) -> Iterator[str]:
    """The ```console blocks of a page."""
    yield from re.findall(r"```console\n(.*?)```", markdown, re.DOTALL)


def matches(expected: list[str], printed: str) -> bool:
    """Whether the printed lines are the expected ones, `...` standing for anything."""
    parts = []
    for line in expected:
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*")
        else:
            parts.append(re.escape(line).replace(r"\.\.\.", "[^\n]*") + r"[ ]*\n")
    kept = "".join(f"{line.rstrip()}\n" for line in printed.splitlines() if line.strip())
    return re.fullmatch("".join(parts), kept) is not None


def play(text: str, *, cwd: Path, environment: Mapping[str, str]) -> None:
    """Run a session; raises AssertionError at the first step that differs."""
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(environment),
        text=True,
    )
    assert shell.stdin
    assert shell.stdout
    try:
        for step in steps(text):
            shell.stdin.write(f'{step.command}\nprintf "\\n\\036 done %s\\n" $?\n')
            shell.stdin.flush()
            printed = ""
            for line in shell.stdout:
                if line.startswith(_MARK):
                    break
                printed += line
            code = int(line.removeprefix(_MARK))
            assert code == step.exit_code, f"$ {step.command}\n{printed}\n[exit {code}]"
            assert matches(step.expected, printed), f"$ {step.command}\n{printed}"
    finally:
        shell.stdin.close()
        shell.wait(timeout=30)
        shell.stdout.close()
