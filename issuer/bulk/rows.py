"""The rows of a CSV or JSONL file, read strictly and within bounds, each as one JSON object.

Both are UTF-8; a byte order mark at the beginning is passed over. JSONL: `{"claims": {...},
"territory": [...], "holder": JWK}`, the last two where they differ from what holds for all rows,
and where the holder's key is known. CSV (RFC 4180): the header names claims, members with a dot
(`id_document.number`, `title_name.zh-Hans`); lists are split at `;`; an empty cell is no claim;
`territory` and `holder_jwk` are columns too. A row without a holder's key becomes a code to print.

Not promised here: that the claims are good; that is asked of every row afterwards, before any is
sealed.
"""

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from issuer.bulk.models import MAX_FILE_BYTES, MAX_ROW_BYTES, MAX_ROWS, RowFault
from schemas.credentials import load_table
from schemas.credentials.table import Shape
from talentseal.encoding import dump_json, parse_json, reread_json
from talentseal.errors import InputError, UsageError
from talentseal.files import read_bounded

MAX_ROW_MEMBERS = 2000
_MEMBERS = {"claims", "territory", "holder"}
_TERRITORY, _HOLDER = "territory", "holder_jwk"
_LISTS = ("code_list", "language_map_list")
_MAX_COLUMN_PARTS = 4  # the deepest claim, issuing_authority.name.zh-Hans, has three


def read_file(path: Path) -> bytes:
    """The whole file. Raises UnavailableError, InputError `TOO_LARGE`."""
    return read_bounded(path, MAX_FILE_BYTES)


def parse_rows(data: bytes, *, suffix: str, type_id: str) -> tuple[list[bytes], list[RowFault]]:
    """Rows in order, empty where one is none, and what is wrong with those.

    Raises UsageError, InputError.
    """
    if suffix not in (".csv", ".jsonl"):
        raise UsageError("rows come in a .csv or a .jsonl file")
    found = _csv_rows(data, type_id) if suffix == ".csv" else _json_rows(data)
    rows: list[bytes] = []
    faults: list[RowFault] = []
    for number, row in enumerate(found, 1):
        if number > MAX_ROWS:
            raise InputError(f"more than {MAX_ROWS} rows", code="TOO_LARGE", hint="Split the file.")
        if isinstance(row, bytes):
            rows.append(row)
        else:
            rows.append(b"")
            faults.append(row._replace(row=number))
    if not rows:
        raise UsageError("the file holds no rows")
    return rows, faults


def open_row(row: bytes) -> dict[str, Any]:
    """The members of a row that `parse_rows` has let pass. Raises InputError."""
    document: dict[str, Any] = parse_json(row, max_bytes=MAX_ROW_BYTES, max_members=MAX_ROW_MEMBERS)
    return document


def reopen_row(row: bytes) -> dict[str, Any]:
    """The members of a row in which `Sealer.faults`, which reads strictly, found none."""
    document: dict[str, Any] = reread_json(row)
    return document


def _fault(pointer: str, error: str, message: str) -> RowFault:
    return RowFault(0, pointer, error, message)


# --- JSONL ----------------------------------------------------------------------------------------


def _json_rows(data: bytes) -> Iterator[bytes | RowFault]:
    for line in data.removeprefix(BOM_UTF8).split(b"\n"):
        row = line.rstrip(b"\r")
        if row.strip():
            yield _checked(row)


def _checked(row: bytes) -> bytes | RowFault:
    try:
        document = open_row(row)
    except InputError as error:
        return _fault("", error.code, error.message)
    strange = sorted(document.keys() - _MEMBERS)
    if strange:
        return _fault(f"/{strange[0][:64]}", "claim_unknown", "No member of a row has this name.")
    if not isinstance(document.get("claims"), dict):
        return _fault("/claims", "type_mismatch", "This must be an object with the claims.")
    places = document.get("territory", [])
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        return _fault("/territory", "type_mismatch", "This must be a list of places.")
    if not isinstance(document.get("holder", {}), dict):
        return _fault("/holder", "type_mismatch", "This must be a public JWK.")
    return dump_json(document)  # without white space: read quickly, as often as it takes


# --- CSV ------------------------------------------------------------------------------------------


def _csv_rows(data: bytes, type_id: str) -> Iterator[bytes | RowFault]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the file is not UTF-8 text", code="MALFORMED") from error
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            raise _no_line(lines.line_num, str(error)) from None  # it may quote the line
        if header is None:
            header = _header(cells, type_id)
        elif any(cells):
            yield _csv_row(header, cells, type_id)


def _no_line(number: int, told: str) -> InputError:
    """What is wrong with a line, by the words that the reader of CSV has for it."""
    if not told.startswith("field larger than field limit"):
        return InputError(f"line {number} is no line of CSV", code="MALFORMED")
    return InputError(
        f"a cell in line {number} has more than {csv.field_size_limit()} characters",
        code="TOO_LARGE",
        hint="Shorten it, or close the quotes that it or a line before it opened.",
    )


def _header(cells: Sequence[str], type_id: str) -> list[str]:
    """The columns. Raises UsageError for one that is no claim, or is there twice."""
    known = load_table(type_id).tops.keys() | {_TERRITORY, _HOLDER}
    for cell in cells:
        if cell.partition(".")[0] not in known or cell.count(".") >= _MAX_COLUMN_PARTS:
            raise UsageError(f"no claim of {type_id} has the name {cell[:60]!r}")
    if len(set(cells)) < len(cells):
        raise UsageError("a column stands there twice")
    return list(cells)


def _csv_row(header: Sequence[str], cells: Sequence[str], type_id: str) -> bytes | RowFault:
    if len(cells) != len(header):
        return _fault("", "type_mismatch", f"This row has {len(cells)} cells, not {len(header)}.")
    claims: dict[str, Any] = {}
    row: dict[str, Any] = {"claims": claims}
    tops = load_table(type_id).tops
    for name, cell in zip(header, cells, strict=True):
        if not cell:
            continue
        if name == _TERRITORY:
            row["territory"] = cell.split(";")
        elif name == _HOLDER:
            try:
                row["holder"] = parse_json(cell.encode())
            except InputError as error:
                return _fault("/holder", error.code, "This must be a public JWK.")
        else:
            _put(claims, name.split("."), cell, tops[name.partition(".")[0]].shape)
    return _checked(dump_json(row))


def _put(claims: dict[str, Any], path: Sequence[str], cell: str, shape: Shape) -> None:
    *outer, last = path
    for name in outer:
        inner = claims.setdefault(name, {})
        if not isinstance(inner, dict):
            return  # a claim and its member: the claim itself stands, and is judged
        claims = inner
    claims[last] = _value(cell, _below(shape, path[1:]))


def _below(shape: Shape, path: Sequence[str]) -> Shape:
    members: Mapping[str, Shape] = {member.name: member for member in shape.members}
    return _below(members[path[0]], path[1:]) if path and path[0] in members else shape


def _value(cell: str, shape: Shape) -> Any:
    """A cell by the word of its claim; what does not fit stays text, and is refused as such."""
    if shape.type == "integer" and cell.isascii() and cell.isdigit() and len(cell) < 16:
        return int(cell)
    if shape.type == "boolean" and cell in ("true", "false"):
        return cell == "true"
    if shape.type in _LISTS and cell.startswith("["):
        try:
            return parse_json(cell.encode(), top=list)
        except InputError:
            return cell
    return cell.split(";") if shape.type == "code_list" else cell
