"""Writes the Type Metadata documents from the claim tables: `python -m schemas.types.build`.

Run it after a table changes and before the first credential of that version is sealed; later
the octets stay, and a change belongs to the next major version. A test builds all documents
again and compares them octet by octet with the files. Which numbers stand in codes and which
claims may be hidden is decided in the tables; this module only spells it as the standard wants.
Standard: Type Metadata of SD-JWT VC (draft 19 section 6); the member `talentseal` is ours.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.credentials.table import Claim, ClaimTable, Shape, envelope_claims, load_table
from schemas.data import LANGUAGES, code_lists
from schemas.types import TYPE_IDS, TYPES_BASE, path_of, vct_of

PROFILE = 1
PRIVATE_MAP = -70000  # code claim that holds the labels; private keys are below -65536
REDACTION_GROUP = -70001  # of the experimental form with hidden claims

# How a member or claim of a type word is written in a code; words without an entry are texts.
_FORMS = {
    "language_map": "langmap",
    "date": "date",
    "boolean": "bool",
    "integer": "int",
    "object": "object",
    "code_list": "list",
    "territory_list": "list",
}


def build_type(type_id: str, *, base: str = TYPES_BASE) -> bytes:
    """The document of one of `TYPE_IDS` as octets; any other id raises KeyError."""
    table = load_table(type_id)
    claims = sorted((*table.claims, *envelope_claims()), key=lambda claim: claim.shape.label)
    document = {
        "vct": vct_of(type_id, base=base),
        "name": table.display["en"],
        "description": table.description,
        "display": [{"locale": tag, "name": table.display[tag]} for tag in LANGUAGES],
        "claims": [entry for claim in claims for entry in _entries(claim)],
        "talentseal": _extension(table, claims),
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def main() -> None:
    """Write every document into this package."""
    for type_id in TYPE_IDS:
        path_of(type_id).write_bytes(build_type(type_id))


def _entries(claim: Claim) -> Iterator[dict[str, Any]]:
    """The claim, and once more for its elements where each is disclosed on its own."""
    paths: list[list[str | None]] = [list(claim.path)]
    if claim.disclosed_by_element:
        paths.append([*claim.path, None])
    for path in paths:
        yield {
            "path": path,
            "display": [{"locale": tag, "label": claim.display[tag]} for tag in LANGUAGES],
            # an element is never mandatory: the list may be empty
            "mandatory": claim.shape.mandatory and path[-1] is not None,
            "sd": claim.sd,
        }


def _extension(table: ClaimTable, claims: list[Claim]) -> dict[str, Any]:
    term = table.term
    named_days = {"from": term.starts, "until": term.until}
    return {
        "profile": PROFILE,
        "cwt": {
            "vct": table.number,
            "private": PRIVATE_MAP,
            "group": REDACTION_GROUP,
            "labels": [_label(claim) for claim in claims if claim.code_path],
        },
        "validity": {"max_days": term.max_days}
        | {word: name for word, name in named_days.items() if name},
        "dual_control": table.shared["dual_control"],
        "status_required": table.shared["status_required"],
        "scope": table.shared["scope"],
        "reference_date": table.shared["reference_date"],
        "cautions": list(table.cautions),
        "values": {path: values for claim in claims for path, values in _values(claim)},
    }


def _label(claim: Claim) -> dict[str, Any]:
    label: dict[str, Any] = {
        "path": list(claim.code_path),
        "label": claim.shape.label,
        "as": claim.form,
    }
    if claim.form == "object":
        label["members"] = [_member(member) for member in claim.shape.members]
    return label


def _member(shape: Shape) -> dict[str, Any]:
    return {"name": shape.name, "label": shape.label, "as": _FORMS.get(shape.type, "text")}


def _values(claim: Claim) -> Iterator[tuple[str, dict[str, Mapping[str, str]]]]:
    """What coded values mean, by dotted path: `id_document.type` -> `hkid` -> four texts."""
    for path, name in _lists(claim.shape, ".".join(claim.path)):
        yield path, {code: value["display"] for code, value in code_lists()[name].items()}


def _lists(shape: Shape, path: str) -> Iterator[tuple[str, str]]:
    if shape.list:
        yield path, shape.list
    for member in shape.members:
        yield from _lists(member, f"{path}.{member.name}")


if __name__ == "__main__":
    main()
