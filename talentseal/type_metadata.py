"""A credential type, compiled from its published Type Metadata document.

The document is immutable and pinned by `vct#integrity`; its octets are parsed once and become the
tables that verification needs: which claims are always or never disclosable, which are mandatory,
how a code abbreviates them, what scope and validity mean. A document that does not fit our profile
is refused as a whole; `extends` is not followed.

Standard: SD-JWT VC Type Metadata (draft-ietf-oauth-sd-jwt-vc-19 §6); the member `talentseal` is
ours. What the claims mean is left to `schemas`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from talentseal.encoding import (
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    b64_encode,
    malformed,
    parse_json,
)
from talentseal.errors import InputError

# Claims of the envelope: the same for every type, always visible.
ENVELOPE = frozenset(
    ("iss", "vct", "vct#integrity", "iat", "nbf", "exp", "cnf", "status", "territory", "approval")
)
Path = tuple[str | int | None, ...]
FORMS = frozenset(("text", "int", "bool", "date", "langmap", "list", "object"))


class Label(NamedTuple):
    """How a code writes one claim: its number, where the claim lives, the form of its value."""

    number: int
    path: tuple[str, ...]
    form: str
    members: tuple["Label", ...]


class Caution(NamedTuple):
    """A sentence shown in front of everything else when `when` holds of the visible claims."""

    name: str
    effect: str  # "refer" or "show"
    code: str | None
    when: Any
    message: Mapping[str, str]


class CredentialType(NamedTuple):
    """The compiled tables of one type.

    integrity       SRI string of the document's octets
    always, never   top-level claims by disclosability; envelope claims are in neither
    nested          deeper paths that are disclosures of their own
    visible         mandatory claims that are never hidden
    mandatory       paths of all mandatory claims, for those who hold every disclosure
    required_labels labels that every code of the type carries
    shapes          top-level claims whose value is of one kind: name -> Python type
    values          what coded values mean: dotted path -> value -> language tag -> words
    """

    vct: str
    integrity: str
    names: Mapping[str, str]
    claims: Sequence[tuple[Path, Mapping[str, str]]]
    always: frozenset[str]
    never: frozenset[str]
    nested: frozenset[Path]
    visible: tuple[str, ...]
    mandatory: tuple[Path, ...]
    number: int
    private: int
    labels: Mapping[int, Label]
    required_labels: frozenset[int]
    territory_claims: tuple[str, ...]
    profession_claim: str | None
    max_days: int
    from_claim: str | None
    until_claim: str | None
    status_required: bool
    dual_control: bool
    cautions: tuple[Caution, ...]
    dates: tuple[str, ...]
    language_maps: tuple[str, ...]
    shapes: Mapping[str, type]
    values: Mapping[str, Mapping[str, Mapping[str, str]]]

    @classmethod
    def parse(cls, octets: bytes) -> "CredentialType":
        """Raises InputError `MALFORMED`, `TOO_LARGE` or `CLAIM_INVALID`."""
        document = parse_json(octets, max_bytes=MAX_METADATA_BYTES, max_depth=MAX_METADATA_DEPTH)
        try:
            return _compile(document, integrity(octets))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError("a type document outside our profile", code="MALFORMED") from error


def integrity(octets: bytes) -> str:
    """The SRI string `sha256-<base64>` over exact octets (W3C SRI §3.1)."""
    return "sha256-" + b64_encode(hashlib.sha256(octets).digest())


def _compile(document: Mapping[str, Any], digest: str) -> CredentialType:
    if "extends" in document:
        malformed("type documents that extend others are not read")
    ours, listed = document["talentseal"], document["claims"]
    if ours["profile"] != 1:
        malformed("a type document of another profile")
    claims = [(_path(claim), claim) for claim in listed]
    own = [(str(path[0]), claim) for path, claim in claims if len(path) == 1]
    tops = {name: claim for name, claim in own if name not in ENVELOPE}
    labels = {label.number: label for label in map(_label, ours["cwt"]["labels"])}
    if len(labels) != len(ours["cwt"]["labels"]):
        malformed("a label stands twice")
    validity, scope = ours["validity"], ours["scope"]
    top_labels = {label.path[0]: label for label in labels.values() if len(label.path) == 1}
    return CredentialType(
        vct=_text(document["vct"]),
        integrity=digest,
        names={entry["locale"]: entry["name"] for entry in document["display"]},
        claims=[(path, _displays(claim)) for path, claim in claims],
        always=frozenset(name for name, claim in tops.items() if claim["sd"] == "always"),
        never=frozenset(name for name, claim in tops.items() if claim["sd"] == "never"),
        nested=frozenset(p for p, claim in claims if len(p) > 1 and claim["sd"] == "always"),
        visible=tuple(n for n, c in tops.items() if c["sd"] == "never" and c["mandatory"]),
        mandatory=tuple(path for path, claim in claims if claim["mandatory"]),
        number=_number(ours["cwt"]["vct"]),
        private=_number(ours["cwt"]["private"]),
        labels=labels,
        required_labels=frozenset(
            number for number, label in labels.items() if _is_required(label, claims)
        ),
        territory_claims=tuple(scope["territory_claims"]),
        profession_claim=scope["profession_claim"],
        max_days=_number(validity["max_days"]),
        from_claim=validity.get("from"),
        until_claim=validity.get("until"),
        status_required=ours["status_required"] is not False,
        dual_control=ours["dual_control"] is not False,
        cautions=tuple(map(_caution, ours.get("cautions", ()))),
        dates=tuple(name for name, label in top_labels.items() if label.form == "date"),
        language_maps=tuple(n for n, label in top_labels.items() if label.form == "langmap"),
        shapes=_shapes(labels.values()),
        values={path: _values(meanings) for path, meanings in ours.get("values", {}).items()},
    )


_KINDS: Mapping[str, type] = {
    "text": str, "int": int, "bool": bool, "date": str, "langmap": dict, "list": list,
    "object": dict,
}  # fmt: skip


def _shapes(labels: Iterable[Label]) -> Mapping[str, type]:
    """The kind of what has a label, and of an object with a label for something inside."""
    return {label.path[0]: _KINDS[label.form] if len(label.path) == 1 else dict for label in labels}


def _is_required(label: Label, claims: Sequence[tuple[Path, Mapping[str, Any]]]) -> bool:
    """A label of its own claim follows that claim; one inside a claim follows the whole."""
    by_path = {path: claim["mandatory"] for path, claim in claims}
    return bool(by_path.get(label.path, by_path.get(label.path[:1], False)))


def _path(claim: Mapping[str, Any]) -> Path:
    path = claim["path"]
    if claim["sd"] not in ("always", "never") or not isinstance(path, list) or not path:
        malformed("a claim of a type document without path or disclosability")
    if not isinstance(path[0], str):
        malformed("a path begins with a name")
    return tuple(path)


def _displays(claim: Mapping[str, Any]) -> dict[str, str]:
    return {entry["locale"]: entry["label"] for entry in claim["display"]}


def _label(entry: Mapping[str, Any]) -> Label:
    if entry["as"] not in FORMS:
        malformed("a label of an unknown form")
    members = tuple(
        Label(_number(m["label"]), (_text(m["name"]),), m["as"], ())
        for m in entry.get("members", ())
    )
    return Label(_number(entry["label"]), tuple(map(_text, entry["path"])), entry["as"], members)


def _caution(entry: Mapping[str, Any]) -> Caution:
    return Caution(entry["id"], entry["effect"], entry["code"], entry["when"], entry["message"])


def _values(meanings: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
    return {value: {**words} for value, words in meanings.items()}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        malformed("a text is missing in a type document")
    return value


def _number(value: Any) -> int:
    if type(value) is not int:
        malformed("a number is missing in a type document")
    return value
