"""What verifiers and wallets hand each other under OpenID4VP 1.0: shapes, and nothing else.

A request object asks with a DCQL query; a response carries presentations by the ids of that query.
Members are typed strictly and bounded; unknown ones are ignored on reading, as the text demands.
Who signed a request is judged in `talentseal.oid4vp`, whether something fits a query in
`talentseal.dcql`, what a presentation is worth by the one procedure of `talentseal.verify`.

Standard: OpenID4VP 1.0 (final), §5 (request), §6 and §7 (DCQL), §8 (response), §11.1 (metadata).
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

SDJWT_FORMAT = "dc+sd-jwt"
DIRECT_POST, DIRECT_POST_JWT = "direct_post", "direct_post.jwt"
STATIC_AUDIENCE = "https://self-issued.me/v2"
REQUEST_TYP = "oauth-authz-req+jwt"
REQUEST_MEDIA_TYPE = "application/oauth-authz-req+jwt"

# What one query may hold. The text has no bounds; a person could not read more either.
MAX_QUERIES = 20
MAX_CLAIMS = 100
MAX_OPTIONS = 50
MAX_PATH = 16
MAX_VALUES = 100

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
UrlSafe = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,512}$")]
Index = Annotated[int, Field(ge=0)]
IdList = Annotated[list[Id], Field(min_length=1, max_length=MAX_CLAIMS)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    def document(self) -> dict[str, Any]:
        """The JSON object, without the members that are absent; a null inside a path stays."""
        return self.model_dump(mode="json", exclude_none=True, exclude_unset=True)


# --- DCQL (§6) ------------------------------------------------------------------------------------


class ClaimQuery(_Document):
    """One claim: where it stands, and, if that matters, which values are wanted."""

    id: Id | None = None
    path: list[str | Index | None] = Field(min_length=1, max_length=MAX_PATH)
    values: list[bool | int | str] | None = Field(default=None, min_length=1, max_length=MAX_VALUES)


class TrustedAuthority(_Document):
    type: Text
    values: list[Text] = Field(min_length=1, max_length=MAX_VALUES)


class CredentialQuery(_Document):
    """One credential: its kind, and the claims of it that are asked for."""

    id: Id
    format: Text
    multiple: bool = False
    meta: dict[str, Any]
    trusted_authorities: list[TrustedAuthority] | None = Field(
        default=None, min_length=1, max_length=MAX_OPTIONS
    )
    require_cryptographic_holder_binding: bool = True
    claims: list[ClaimQuery] | None = Field(default=None, min_length=1, max_length=MAX_CLAIMS)
    claim_sets: list[IdList] | None = Field(default=None, min_length=1, max_length=MAX_OPTIONS)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [claim.id for claim in self.claims or () if claim.id is not None]
        if len(set(ids)) != len(ids):
            raise ValueError("a claim id stands twice")
        if self.claim_sets is None:
            return self
        if len(ids) != len(self.claims or ()) or not ids:
            raise ValueError("claim_sets need claims, each with an id")
        if not {name for option in self.claim_sets for name in option} <= set(ids):
            raise ValueError("claim_sets name a claim that is not there")
        return self

    @model_validator(mode="after")
    def _vct_values(self) -> Self:
        values = self.meta.get("vct_values")
        if self.format == SDJWT_FORMAT and not _are_texts(values):
            raise ValueError("a query for dc+sd-jwt names vct_values")
        return self


class CredentialSet(_Document):
    """Combinations of queries of which one satisfies a purpose."""

    options: list[IdList] = Field(min_length=1, max_length=MAX_OPTIONS)
    required: bool = True


class DcqlQuery(_Document):
    credentials: list[CredentialQuery] = Field(min_length=1, max_length=MAX_QUERIES)
    credential_sets: list[CredentialSet] | None = Field(
        default=None, min_length=1, max_length=MAX_OPTIONS
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = {query.id for query in self.credentials}
        if len(ids) != len(self.credentials):
            raise ValueError("a credential id stands twice")
        for options in self.credential_sets or ():
            if not {name for option in options.options for name in option} <= ids:
                raise ValueError("credential_sets name a credential that is not there")
        return self


def _are_texts(values: Any) -> bool:
    return (
        isinstance(values, list)
        and 0 < len(values) <= MAX_VALUES
        and all(isinstance(value, str) and value for value in values)
    )


# --- request (§5, §11.1) --------------------------------------------------------------------------


class KeySet(_Document):
    keys: list[dict[str, Any]] = Field(max_length=MAX_OPTIONS)


class ClientMetadata(_Document):
    """What a verifier says about itself; its name is never believed."""

    jwks: KeySet | None = None
    encrypted_response_enc_values_supported: list[Text] | None = Field(default=None, min_length=1)
    vp_formats_supported: dict[str, Any] | None = None
    client_name: str | None = Field(default=None, max_length=1024)


class RequestParameters(_Document):
    """The parameters of a request that we read, from a request object or from a link.

    transaction_data, scope, redirect_uri and the like are read in order to be refused.
    """

    client_id: Text
    response_type: Text
    response_mode: Text
    response_uri: Text | None = None
    nonce: UrlSafe | None = None
    state: UrlSafe | None = None
    dcql_query: DcqlQuery | None = None
    client_metadata: ClientMetadata | None = None
    aud: Any = None
    iat: int | None = None
    nbf: int | None = None
    exp: int | None = None
    wallet_nonce: str | None = None
    redirect_uri: Any = None
    scope: Any = None
    transaction_data: Any = None


# --- response (§8) --------------------------------------------------------------------------------


class ResponseAnswer(_Document):
    """What a verifier answers to a posted response."""

    redirect_uri: Text | None = None
