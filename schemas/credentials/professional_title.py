"""A professional title: level and specialty that a review, an exam or a mapping has given.

A title has no end date; only its seal is renewed. Its series decides which grant is needed.
"""

from schemas.credentials.common import Code, CredentialClaims, Day, Names, Place, Shared, Text


class MappedFrom(Shared):
    """The listed overseas qualification that a title was mapped from."""

    catalogue_id: Text
    entry: Text
    qualification: Names
    credential_ref: Text | None = None


class ProfessionalTitle(CredentialClaims):
    """Claims of `professional-title/1`."""

    title_name: Names
    title_level: Code
    specialty: Names
    acquired_on: Day
    title_series: Code
    acquisition: Code
    review_committee: Names | None = None
    approval_number: Text | None = None
    employer_at_review: Text | None = None
    mapped_from: MappedFrom | None = None
    recognised_region: Place | None = None
