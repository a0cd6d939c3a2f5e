"""A confirmation as high-level talent under one programme of one region.

A category letter is never compared between programmes: it means nothing without both.
"""

from schemas.credentials.common import (
    Code,
    Codes,
    CredentialClaims,
    Day,
    Employer,
    Names,
    Place,
    Shared,
    Text,
)


class ConfirmationLetter(Shared):
    """The confirmation letter for an R visa, with its own end."""

    number: Text
    valid_until: Day


class TalentConfirmation(CredentialClaims):
    """Claims of `talent-confirmation/1`; each benefit is disclosed on its own."""

    programme: Names
    talent_category: Code | None = None
    card_number: Text | None = None
    region: Place
    valid_until: Day | None = None
    category_label: Names | None = None
    confirmed_on: Day
    benefits: Codes | None = None
    basis: Text | None = None
    employer: Employer | None = None
    confirmation_letter_r_visa: ConfirmationLetter | None = None
