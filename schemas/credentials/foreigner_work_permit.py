"""A foreigner's work permit: for one employer, at one place, from one day to another."""

from schemas.credentials.common import (
    Code,
    CredentialClaims,
    Day,
    Employer,
    Flag,
    Integer,
    Names,
    Place,
    Text,
)


class ForeignerWorkPermit(CredentialClaims):
    """Claims of `foreigner-work-permit/1`."""

    permit_number: Text
    category: Code
    employer: Employer
    work_region: Place
    valid_from: Day
    valid_until: Day
    position: Names | None = None
    notification_number: Text | None = None
    qualification_route: Code | None = None
    points_total: Integer | None = None
    age_relaxation_basis: Text | None = None
    social_security_card_linked: Flag | None = None
