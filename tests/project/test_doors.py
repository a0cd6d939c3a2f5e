"""Every foreign byte enters through `talentseal/encoding.py`: nobody else may parse or inflate."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("schemas", "talentseal", "issuer", "registry", "verifier", "wallet_cli")

# What turns bytes of unknown origin into values. A name ending in `.*` stands for the module.
PARSERS = {
    "ast.literal_eval": "code from text",
    "base64.*": "lax: accepts several spellings of the same bytes",
    "binascii.*": "lax: accepts tail bits that nothing checks",
    "cbor2.*": "accepts duplicate names, trailing bytes and unlisted tags",
    "configparser.*": "a second grammar beside the strict ones",
    "eval": "code from text",
    "exec": "code from text",
    "json.load": "accepts duplicate names and NaN",
    "json.loads": "accepts duplicate names and NaN",
    "json.JSONDecoder": "accepts duplicate names and NaN",
    "marshal.*": "code from bytes",
    "msgspec.*": "keeps the last of two equal names",
    "orjson.loads": "keeps the last of two equal names",
    "pickle.*": "code from bytes",
    "shelve.*": "code from bytes",
    "tarfile.*": "unbounded, and a name may lead anywhere",
    "tomllib.*": "a second grammar beside the strict ones",
    "urllib.request.*": "opens whatever an address names",
    "xml.*": "entities and includes",
    "yaml.*": "code from text",
    "zipfile.*": "unbounded, and a name may lead anywhere",
    "zlib.decompress": "unbounded",
    "zlib.decompressobj": "unbounded unless asked",
}

LONGEST_FUNCTION = 45  # lines of code; most have a dozen

# file -> the parsers it may call, each with the reason why that is safe
ALLOWED: dict[str, dict[str, str]] = {
    "talentseal/encoding.py": {
        "binascii.*": "behind the alphabet and the tail check",
        "json.JSONDecoder": "behind the size cap, with duplicate names refused",
        "orjson.loads": "behind the duplicate refusal",
        "zlib.decompressobj": "with a cap on what comes out",
    },
    "talentseal/sources.py": {
        "zipfile.*": "members by expected name, size and ratio capped, nothing extracted by name",
    },
    "registry/publishing/export.py": {
        "zipfile.*": "writes an archive of our own published files; reads none",
    },
    "schemas/data/__init__.py": {
        "json.loads": "documents of our own package, checked by its tests",
    },
}


def sources(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            yield name, ast.parse(path.read_text("utf-8"), filename=name)


def local_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a module stands for: `loads` -> `json.loads`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.expr) -> str | None:
    """`json.loads` as written, or None where the value is computed."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return None


def parsers_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every parser that the module names, with the line: called, passed on or partially bound."""
    names = local_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        written = dotted(node)
        if written is None:
            continue
        head, _, rest = written.partition(".")
        full = names.get(head, head if head in {"eval", "exec"} else "")
        if (parser := matching(full + (f".{rest}" if rest else ""))) is not None:
            yield parser, node.lineno


def matching(full: str) -> str | None:
    for parser in PARSERS:
        if full == parser or (parser.endswith(".*") and full.startswith(parser[:-1])):
            return parser
    return None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import json\njson.loads(x)", {"json.loads"}),
        ("import json as j\nj.load(x)", {"json.load"}),
        ("from orjson import loads as quick\nquick(x)", {"orjson.loads"}),
        ("import functools, zlib\nfunctools.partial(zlib.decompress)", {"zlib.decompress"}),
        ("from base64 import urlsafe_b64decode\nmap(urlsafe_b64decode, x)", {"base64.*"}),
        ("import xml.etree.ElementTree as tree\ntree.parse(x)", {"xml.*"}),
        ("eval(x)", {"eval"}),
        ("import json, zlib\njson.dumps(x); zlib.compress(y)", set()),
    ],
)
def test_the_search_sees_through_aliases(source: str, expected: set[str]) -> None:
    assert {parser for parser, _ in parsers_in(ast.parse(source))} == expected


def test_foreign_bytes_are_parsed_at_the_one_door_only(root: Path) -> None:
    outside = [
        f"{name}:{line} uses {parser} ({PARSERS[parser]})"
        for name, tree in sources(root)
        for parser, line in parsers_in(tree)
        if parser not in ALLOWED.get(name, {})
    ]
    assert not outside


def test_every_permission_is_still_needed(root: Path) -> None:
    used = {(name, parser) for name, tree in sources(root) for parser, _ in parsers_in(tree)}
    granted = {(name, parser) for name, parsers in ALLOWED.items() for parser in parsers}
    assert granted <= used


def function_lengths(path: Path) -> Iterator[tuple[str, int]]:
    """Lines of code per function: docstring, comments and blank lines are free."""
    lines = path.read_text("utf-8").splitlines()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
        body = lines[first.lineno - 1 : node.end_lineno]
        head = first.lineno - 1 if not ast.get_docstring(node) else node.body[0].lineno - 1
        signature = lines[node.lineno - 1 : head]
        code = [line for line in signature + body if line.strip() and line.strip()[0] != "#"]
        yield node.name, len(code)


def test_no_function_is_longer_than_a_screen(root: Path) -> None:
    too_long = [
        f"{path.relative_to(root)}: {function} has {length} lines"
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
        for function, length in function_lengths(path)
        if length > LONGEST_FUNCTION and "migrations" not in path.parts
    ]
    assert not too_long


def test_every_module_opens_with_a_paragraph_for_a_newcomer(root: Path) -> None:
    silent = [
        name
        for name, tree in sources(root)
        if tree.body and not ast.get_docstring(tree) and "migrations" not in name
    ]
    assert not silent
