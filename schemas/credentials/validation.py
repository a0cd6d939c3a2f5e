"""Are these claims fit to be sealed as a credential of that type?

An issuer asks before sealing and shows every fault at once. Promised: the claims fit the type's
table (known and complete, each value well formed), the identity document is one and its number
fits its kind, scope claims lie inside the envelope's territory, and every rule of the table is
true. Not promised: that anything said is a fact, or that this issuer may say it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from schemas.credentials.table import ClaimTable, load_table
from schemas.credentials.values import ClaimFault, is_identifier, member_faults, token
from schemas.data import code_lists
from schemas.rules import evaluate
from schemas.territory import contains

MAX_FAULTS = 100  # an answer stays readable, whatever was sent

# Kinds of document whose number has the form of another identifier.
_NUMBER_FORM = {
    "passport_cn": "passport",
    "passport_foreign": "passport",
    "tw_residence_permit": "hkmo_residence_permit",
}
_PUNCTUATION = re.compile("[^0-9A-Z]")
_TAIL = 4  # letters or digits of a document number that a counter compares


def validate_claims(type_id: str, claims: object, *, territory: Sequence[str]) -> list[ClaimFault]:
    """Every fault of `claims` (at most `MAX_FAULTS`); an empty list means fit to be sealed.

    claims     decoded JSON, trusted in nothing; only type claims, none of the envelope
    territory  the envelope claim: where the issuer exercises its right

    A `type_id` that is not in `schemas.types.TYPE_IDS` raises KeyError.
    """
    table = load_table(type_id)
    if not isinstance(claims, Mapping):
        return [ClaimFault("type_mismatch", "", "The claims must be an object.")]
    return list(islice(_faults(table, claims, territory), MAX_FAULTS))


def _faults(
    table: ClaimTable, claims: Mapping[str, object], territory: Sequence[str]
) -> Iterator[ClaimFault]:
    pointers: set[str] = set()  # of values about which nothing more can be said
    for fault in member_faults(table.shapes, claims):
        pointers.add(fault.pointer)
        yield fault
    yield from _document_faults(claims.get("id_document"), pointers)
    broken = {pointer.split("/")[1] for pointer in pointers}
    for name in table.territory_claims:
        if name in claims and name not in broken and not _inside(claims[name], territory):
            sentence = "This lies outside the territory of the credential."
            yield ClaimFault("territory_outside", f"/{token(name)}", sentence)
    for rule in table.rules:
        # A rule over a broken claim would only repeat that fault. Unknown is not true.
        if broken.isdisjoint(rule.facts) and evaluate(rule.check, claims) is not True:
            sentence = f"A rule of this type does not hold: {rule.text}."
            yield ClaimFault("rule_failed", f"rule:{rule.id}", sentence)


def _inside(place: object, territory: Sequence[str]) -> bool:
    return any(contains(outer, place) for outer in territory)


def _document_faults(document: object, broken: set[str]) -> Iterator[ClaimFault]:
    """What the kind of an identity document demands of its number, where both are well formed."""
    held = document if isinstance(document, Mapping) else {}
    kind, number, tail = (
        str(held[name]) if name in held and f"/id_document/{name}" not in broken else None
        for name in ("type", "number", "number_tail")
    )
    if kind and not code_lists()["id_document_type"][kind]["identity_document"]:
        sentence = "This document does not prove who a person is."
        yield ClaimFault("document_not_identity", "/id_document/type", sentence)
    elif kind and number and not is_identifier(_NUMBER_FORM.get(kind, kind), number):
        sentence = "This is not a well-formed number of that kind of document."
        yield ClaimFault("identifier_invalid", "/id_document/number", sentence)
    if number and tail and tail != _PUNCTUATION.sub("", number)[-_TAIL:]:
        sentence = f"This must be the last {_TAIL} letters or digits of the document's number."
        yield ClaimFault("rule_failed", "/id_document/number_tail", sentence)
