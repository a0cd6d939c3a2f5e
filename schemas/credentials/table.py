"""A claim table in memory: what a credential of one type may say, and how.

The tables are the files `data/claims/*.json`; validation, Type Metadata and the labels of codes
all start here, so that they cannot drift apart. Reading is the only promise of this module: what
a word such as `date` or `code` demands of a value is in `values.py`, conditions across claims
are evaluated by `schemas.rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from schemas.data import load_data
from schemas.rules import facts_of
from schemas.types import TYPE_IDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What one value must look like; the bounds that its `type` word does not use are unset.

    label        number of the claim in its type, or of the member in its object
    list         name of the code list of `code`, `code_list`, `profession`
    identifier   kind in `data/identifiers.json` of `identifier`
    members      of an `object`, in order
    """

    name: str
    type: str
    label: int = 0
    mandatory: bool = False
    list: str = ""
    identifier: str = ""
    max_length: int = 0
    min: int = 0
    max: int = 0
    min_items: int = 0
    max_items: int = 20
    max_bytes: int = 0
    media_types: tuple[str, ...] = ()
    members: tuple["Shape", ...] = ()
    by_name: Mapping[str, "Shape"] = field(default_factory=dict, compare=False)  # the members


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One row of a table: a claim at the top, or one that is disclosed on its own inside another.

    sd         `always` its own disclosure, or `never`
    code_path  what enters a code under the label, as `form`; empty for claims that never do
    display    the claim's name in four languages
    """

    shape: Shape
    path: tuple[str, ...]
    sd: str
    meaning: str
    display: Mapping[str, str]
    code_path: tuple[str, ...] = ()
    form: str = ""
    disclosed_by_element: bool = False

    @property
    def name(self) -> str:
        return self.shape.name


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition across claims that must be true, not merely not false; `facts` it reads."""

    id: str
    text: str
    check: Any
    facts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """How long a credential is good: to the end of a named day, else for some months.

    until         claim that names the last day, where the type has one
    months        length without such a day, from the claim `counted_from` or from the sealing
    starts        claim that names the first day, where the type has one
    max_days      no credential outlives this, counted from the sealing
    """

    max_days: int
    until: str | None
    months: int | None
    counted_from: str | None
    starts: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTable:
    """Everything said about one type; `shared` is the table's part of Type Metadata."""

    type_id: str
    display: Mapping[str, str]
    description: str
    number: int
    two_officers: bool
    term: Term
    shared: Mapping[str, Any]
    rules: tuple[Rule, ...]
    cautions: tuple[Mapping[str, Any], ...]
    claims: tuple[Claim, ...]
    tops: Mapping[str, Claim] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)  # of the tops

    @property
    def territory_claims(self) -> tuple[str, ...]:
        """Claims that must lie inside the envelope's `territory`."""
        return tuple(self.shared["scope"]["territory_claims"])


@cache
def load_table(type_id: str) -> ClaimTable:
    """The table of one of `TYPE_IDS`; any other id raises KeyError."""
    if type_id not in TYPE_IDS:
        raise KeyError(type_id)
    raw = load_data(f"claims/{type_id.rpartition('/')[0]}.json")
    claims = tuple(_claim(row) for row in raw["claims"])
    tops = {claim.name: claim for claim in claims if len(claim.path) == 1}
    return ClaimTable(
        type_id=type_id,
        display=raw["display"],
        description=f"Issued by: {raw['issuers']}. Validity: {raw['validity']}.",
        number=raw["vct_integer"],
        two_officers=raw["two_officers"],
        term=_term(raw, tops),
        shared=raw["talentseal"],
        rules=tuple(
            Rule(rule["id"], rule["text"], rule["check"], facts_of(rule["check"]))
            for rule in raw["rules"]
        ),
        cautions=tuple(raw["cautions"]),
        claims=claims,
        tops=tops,
        shapes={name: claim.shape for name, claim in tops.items()},
    )


@cache
def envelope_claims() -> tuple[Claim, ...]:
    """Claims of the envelope that Type Metadata lists for every type; in no credential's table."""
    return tuple(_claim(row) for row in load_data("envelope.json")["claims"])


def _claim(row: Mapping[str, Any]) -> Claim:
    return Claim(
        shape=_shape(row),
        path=tuple(row["path"]),
        sd=row["sd"],
        meaning=row["meaning"],
        display=row["display"],
        code_path=tuple(row.get("code_path", ())),
        form=row.get("as", ""),
        disclosed_by_element=row.get("element_disclosure", False),
    )


_BOUNDS = ("list", "identifier", "max_length", "min", "max", "min_items", "max_items", "max_bytes")


def _shape(row: Mapping[str, Any]) -> Shape:
    members = tuple(_shape(member) for member in row.get("members", ()))
    return Shape(
        name=row["name"],
        type=row["type"],
        label=row["label"],
        mandatory=row["mandatory"],
        media_types=tuple(row.get("media_types", ())),
        members=members,
        by_name={member.name: member for member in members},
        **{bound: row[bound] for bound in _BOUNDS if bound in row},
    )


def _term(raw: Mapping[str, Any], tops: Mapping[str, Claim]) -> Term:
    return Term(
        max_days=raw["talentseal"]["validity"]["max_days"],
        starts="valid_from" if "valid_from" in tops else None,
        **raw["exp"],
    )
