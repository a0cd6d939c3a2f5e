"""What all credential types have in common, as typed models.

A model gives names and types to claims that `validate_claims` has accepted: it knows which
claims exist, which are mandatory and what kind of value each has. Bounds, code lists, check
digits and rules stay with the claim tables. Each kind of value carries the type word of the
table, and a test compares every field with its row, so model and table cannot drift apart.
`to_claims` gives back the same JSON, without members that were not set.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr


@dataclass(frozen=True, slots=True)
class Word:
    """The type word of the claim tables that an annotation stands for."""

    word: str


class Shared(BaseModel):
    """Frozen, closed against unknown members, spelled as in the tables."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True
    )


class LanguageTexts(Shared):
    """One text in some of four languages, as the issuer wrote it; never translated by us."""

    en: StrictStr | None = None
    zh_hans: StrictStr | None = Field(default=None, alias="zh-Hans")
    zh_hant: StrictStr | None = Field(default=None, alias="zh-Hant")
    pt: StrictStr | None = None


Text: TypeAlias = Annotated[StrictStr, Word("string")]
Day: TypeAlias = Annotated[date, Word("date")]
Flag: TypeAlias = Annotated[StrictBool, Word("boolean")]
Integer: TypeAlias = Annotated[StrictInt, Word("integer")]
Code: TypeAlias = Annotated[StrictStr, Word("code")]
Codes: TypeAlias = Annotated[list[StrictStr], Word("code_list")]
Profession: TypeAlias = Annotated[StrictStr, Word("profession")]
Country: TypeAlias = Annotated[StrictStr, Word("country")]
Place: TypeAlias = Annotated[StrictStr, Word("territory")]
Identifier: TypeAlias = Annotated[StrictStr, Word("identifier")]
Names: TypeAlias = Annotated[LanguageTexts, Word("language_map")]
NamesList: TypeAlias = Annotated[list[LanguageTexts], Word("language_map_list")]
Uri: TypeAlias = Annotated[StrictStr, Word("uri")]
Digest: TypeAlias = Annotated[StrictStr, Word("digest")]
Image: TypeAlias = Annotated[StrictStr, Word("image")]  # data:image/jpeg;base64,... or png


class IdDocument(Shared):
    """The document shown at issue; number and tail are disclosed on their own."""

    type: Code
    issuing_region: Country
    number: Text
    number_tail: Text | None = None


class Authority(Shared):
    """The body in whose name something is issued or done."""

    name: Names
    id: Text
    id_scheme: Code


class Employer(Shared):
    """An employer on the Mainland, with its unified social credit code."""

    name: Names
    id: Identifier


class CredentialClaims(Shared):
    """Claims of every type. Names are carried in their own script and never converted."""

    display_name: Text
    family_name: Text
    given_name: Text | None = None
    name_han: Text | None = None
    birthdate: Day | None = None
    sex: Code | None = None
    nationality: Country | None = None
    id_document: IdDocument
    portrait: Image | None = None
    issuing_authority: Authority
    certificate_number: Text
    issue_date: Day
    licence_id: Identifier | None = None

    def to_claims(self) -> dict[str, Any]:
        """The claims as JSON values, as `validate_claims` takes them."""
        return self.model_dump(mode="json", exclude_none=True)
