"""What a credential says: the claims of the five types, their bounds and their life.

The claim tables in `schemas/data/claims` are the one source. `validate_claims` judges decoded
JSON against them and needs the standard library only; `model_of` gives the same claims as typed
pydantic models, for forms, interfaces and code that reads them. How claims are sealed, hidden
and shown is left to `talentseal`.
"""

from typing import TYPE_CHECKING

from schemas.credentials.table import ClaimTable, load_table
from schemas.credentials.validation import MAX_FAULTS, validate_claims
from schemas.credentials.validity import CHINA_TIME, validity_of
from schemas.credentials.values import ClaimFault

if TYPE_CHECKING:
    from schemas.credentials.common import CredentialClaims

__all__ = [
    "CHINA_TIME",
    "MAX_FAULTS",
    "ClaimFault",
    "ClaimTable",
    "load_table",
    "model_of",
    "validate_claims",
    "validity_of",
]


def model_of(type_id: str) -> "type[CredentialClaims]":
    """The pydantic model of one of `schemas.types.TYPE_IDS`; any other id raises KeyError."""
    # Here, because an offline check and the wallet do without pydantic's start-up time.
    from schemas.credentials.foreigner_work_permit import ForeignerWorkPermit
    from schemas.credentials.professional_qualification import ProfessionalQualification
    from schemas.credentials.professional_title import ProfessionalTitle
    from schemas.credentials.qualification_validation_report import QualificationValidationReport
    from schemas.credentials.talent_confirmation import TalentConfirmation

    models: dict[str, type[CredentialClaims]] = {
        "professional-title/1": ProfessionalTitle,
        "professional-qualification/1": ProfessionalQualification,
        "qualification-validation-report/1": QualificationValidationReport,
        "foreigner-work-permit/1": ForeignerWorkPermit,
        "talent-confirmation/1": TalentConfirmation,
    }
    return models[type_id]
