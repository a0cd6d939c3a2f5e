"""A validation report: what a body answered when asked whether a certificate is authentic.

A report never means more than it says: nothing in it speaks of ability or level, and a report
whose result is not `authentic` is a genuine credential with a negative answer.
"""

from schemas.credentials.common import (
    Authority,
    Code,
    Codes,
    Country,
    CredentialClaims,
    Day,
    Digest,
    Names,
    Shared,
    Text,
)


class QualificationBody(Shared):
    """The body that issued the checked qualification."""

    name: Names
    country: Country
    id: Text | None = None


class CatalogueEntry(Shared):
    """Where the qualification stands in a catalogue of recognised ones."""

    catalogue_id: Text
    entry: Text
    category: Text


class Requester(Shared):
    """Who asked for the check."""

    name: Names
    id: Text | None = None


class QualificationValidationReport(CredentialClaims):
    """Claims of `qualification-validation-report/1`."""

    verification_code: Text | None = None
    result: Code
    qualification_name: Names
    qualification_body: QualificationBody
    catalogue_entry: CatalogueEntry | None = None
    completed_on: Day
    qualification_number: Text | None = None
    methods: Codes
    established: Codes | None = None
    requested_on: Day
    requested_by: Requester | None = None
    commissioned_by: Authority | None = None
    scope_note: Names
    evidence_digest: Digest | None = None
