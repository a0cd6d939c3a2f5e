"""A professional qualification: membership, registration, or a zone's filing that rests on one.

Held, registered, practising and allowed here are four facts; none implies the next.
"""

from schemas.credentials.common import (
    Code,
    CredentialClaims,
    Day,
    Flag,
    Integer,
    Names,
    NamesList,
    Place,
    Profession,
    Shared,
    Text,
    Uri,
)


class BasedOn(Shared):
    """The registration that a practice filing rests on."""

    issuer: Text
    credential_ref: Text


class ProfessionalQualification(CredentialClaims):
    """Claims of `professional-qualification/1`."""

    qualification_name: Names
    designation: Text | None = None
    profession: Profession
    registration_number: Text
    valid_until: Day | None = None
    practising: Flag | None = None
    record_kind: Code
    practice_region: Place | None = None
    grade: Text | None = None
    discipline: Names | None = None
    registered_on: Day
    good_standing: Flag | None = None
    conditions: NamesList | None = None
    qf_level: Integer | None = None
    legal_basis: Text | None = None
    register_url: Uri | None = None
    based_on: BasedOn | None = None
