"""The verdict document as a model, for readers who receive one from another program.

It promises that a document it accepts has the shape, the names and the forms of time that
`schemas.verdict.Verdict.to_json` writes, and that no check that is unknown or failed stands beside
the outcome accept. A code it does not know is accepted, because new ones may be added: read such a
check by its `result`. Unknown members are ignored for the same reason. Left to others: whether
the document comes from somebody to be believed; a verdict is not signed.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Outcome = Literal["accept", "refer", "refuse"]
Result = Literal["pass", "fail", "unknown", "not_applicable"]
CheckName = Literal[
    "trust_data",
    "format",
    "issuer_key",
    "certificate",
    "signature",
    "key_time",
    "authority",
    "scope",
    "approval",
    "recognition",
    "catalogue",
    "validity",
    "status",
    "holder",
    "policy",
]
Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
CodeName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{2,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Questions(_Part):
    """The three questions agencies ask separately."""

    authentic: Literal["pass", "fail", "unknown"]
    authorised: Result
    recognised: Result


class CheckDocument(_Part):
    """One check; `code` is null on a plain pass and never on a fail or an unknown."""

    check: CheckName
    result: Result
    code: CodeName | None
    message: str
    as_of: Time | None = None
    detail: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.result in {"fail", "unknown"} and self.code is None:
            raise ValueError("a check that failed or is unknown has a code")
        return self


class CredentialDocument(_Part):
    """What may be told about the credential; `claims` holds only what was disclosed."""

    form: Literal["sd-jwt-vc", "cwt", "cwt-dynamic"]
    type: str
    issuer: str
    jurisdiction: str | None
    issued_at: Time
    expires_at: Time | None
    holder_bound: bool
    claims: dict[str, Any]


class JurisdictionState(_Part):
    """The trust data of one jurisdiction that the verdict rests on."""

    version: int
    as_of: Time
    age_seconds: int


class BundleDocument(_Part):
    """The trust data used, by jurisdiction."""

    jurisdictions: dict[str, JurisdictionState]


class VerdictDocument(_Part):
    """The whole document; pydantic's ValidationError says what is wrong with a foreign one."""

    outcome: Outcome
    questions: Questions
    checks: list[CheckDocument]
    credential: CredentialDocument | None
    evaluated_at: Time
    home_jurisdiction: str
    place: str | None
    purpose: str | None
    bundle: BundleDocument
    policy: Annotated[str, Field(pattern=r"^[^@]+@[^@]+$")]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        doubts = [c.code for c in self.checks if c.result in {"fail", "unknown"}]
        if self.outcome == "accept" and doubts:
            raise ValueError(f"accepted although checks failed or are unknown: {doubts}")
        if self.credential and self.credential.claims and self.questions.authentic != "pass":
            raise ValueError("claims of a credential that is not authentic")
        return self
