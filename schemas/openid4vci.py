"""What issuers and wallets hand each other under OpenID4VCI 1.0: shapes, and nothing else.

One class is one JSON document of the text: offer, metadata, token, nonce, credential request and
answer, deferred answer, notification. Members are typed strictly; those that the text does not
name, or that only a later profile needs, are ignored on reading, as the text demands. Whether a
document may be believed is judged elsewhere: signatures and proofs in `talentseal.oid4vci`,
certificates by the one procedure of `talentseal.verify`.

Standards: OpenID4VCI 1.0 (final), RFC 6749 §5, RFC 8414 §2, RFC 9396 §7.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
DETAILS_TYPE = "openid_credential"
MAX_CONFIGURATIONS = 100
MAX_COPIES = 100  # in one answer; an issuer's own `batch_size` is lower

Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=8192)]
# What goes into a header: RFC 6749 A.12.
Token = Annotated[str, StringConstraints(max_length=8192, pattern=r"^[ -~]+$")]
Texts = Annotated[list[Name], Field(min_length=1, max_length=MAX_CONFIGURATIONS)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, populate_by_name=True)

    def document(self) -> dict[str, Any]:
        """The JSON object, without the members that are absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


# --- offer (§4.1) ---------------------------------------------------------------------------------


class TxCode(_Document):
    """What a person must type; it came by another way than the offer."""

    input_mode: Literal["numeric", "text"] = "numeric"
    length: int | None = Field(default=None, ge=1, le=64)
    description: str | None = Field(default=None, max_length=300)


class PreAuthorizedGrant(_Document):
    code: Secret = Field(alias="pre-authorized_code")
    tx_code: TxCode | None = None
    authorization_server: Url | None = None


class AuthorizationCodeGrant(_Document):
    issuer_state: Secret | None = None
    authorization_server: Url | None = None


class Grants(_Document):
    pre_authorized: PreAuthorizedGrant | None = Field(
        default=None, alias="urn:ietf:params:oauth:grant-type:pre-authorized_code"
    )
    authorization_code: AuthorizationCodeGrant | None = None


class CredentialOffer(_Document):
    credential_issuer: Url
    credential_configuration_ids: Texts
    grants: Grants | None = None

    @model_validator(mode="after")
    def _unique(self) -> Self:
        if len(set(self.credential_configuration_ids)) != len(self.credential_configuration_ids):
            raise ValueError("an offer names a configuration twice")
        return self


# --- metadata (§12.2, RFC 8414) -------------------------------------------------------------------


class Display(_Document):
    name: str | None = Field(default=None, max_length=1024)
    locale: str | None = Field(default=None, max_length=64)


class ClaimDescription(_Document):
    """One claim of a configuration (appendix B.2)."""

    path: list[str | int | None] = Field(min_length=1, max_length=16)
    mandatory: bool | None = None
    display: list[Display] | None = None


class CredentialMetadata(_Document):
    display: list[Display] | None = None
    claims: list[ClaimDescription] | None = None


class ProofType(_Document):
    proof_signing_alg_values_supported: Annotated[list[str | int], Field(min_length=1)]
    key_attestations_required: dict[str, Any] | None = None


class CredentialConfiguration(_Document):
    """One kind of credential in one format, as an issuer offers it."""

    format: Name
    vct: Url | None = None
    scope: Name | None = None
    cryptographic_binding_methods_supported: list[Name] | None = None
    proof_types_supported: dict[str, ProofType] | None = None
    credential_signing_alg_values_supported: list[str | int] | None = None
    credential_metadata: CredentialMetadata | None = None


class BatchIssuance(_Document):
    batch_size: int = Field(ge=2)


class IssuerMetadata(_Document):
    """`/.well-known/openid-credential-issuer`."""

    credential_issuer: Url
    credential_endpoint: Url
    nonce_endpoint: Url | None = None
    deferred_credential_endpoint: Url | None = None
    notification_endpoint: Url | None = None
    authorization_servers: list[Url] | None = Field(default=None, min_length=1)
    batch_credential_issuance: BatchIssuance | None = None
    credential_request_encryption: dict[str, Any] | None = None
    credential_response_encryption: dict[str, Any] | None = None
    display: list[Display] | None = None
    credential_configurations_supported: dict[str, CredentialConfiguration] = Field(
        max_length=MAX_CONFIGURATIONS
    )


class AuthorizationServerMetadata(_Document):
    """`/.well-known/oauth-authorization-server`."""

    issuer: Url
    token_endpoint: Url | None = None
    jwks_uri: Url | None = None
    grant_types_supported: list[Name] | None = None
    response_types_supported: list[str] | None = None
    pre_authorized_grant_anonymous_access_supported: bool | None = Field(
        default=None, alias="pre-authorized_grant_anonymous_access_supported"
    )
    scopes_supported: list[Name] | None = None
    authorization_details_types_supported: list[Name] | None = None
    status_list_aggregation_endpoint: Url | None = None
    ui_locales_supported: list[Name] | None = None


# --- token, nonce (§6, §7) ------------------------------------------------------------------------


class AuthorizationDetail(_Document):
    """What a token covers, when it was asked for by details (RFC 9396)."""

    type: Name
    credential_configuration_id: Name | None = None
    credential_identifiers: Texts | None = None


class TokenAnswer(_Document):
    access_token: Token
    token_type: Name
    expires_in: int | None = Field(default=None, ge=0)
    refresh_token: Token | None = None
    scope: str | None = Field(default=None, max_length=8192)
    authorization_details: list[AuthorizationDetail] | None = Field(default=None, min_length=1)


class NonceAnswer(_Document):
    c_nonce: Secret


# --- credential, deferred, notification (§8, §9, §11) ---------------------------------------------


class CredentialRequest(_Document):
    """Exactly one of identifier and configuration id; what `proofs` holds is judged apart."""

    credential_identifier: Name | None = None
    credential_configuration_id: Name | None = None
    proofs: Any = None
    credential_response_encryption: dict[str, Any] | None = None


class IssuedCredential(_Document):
    credential: Annotated[str, StringConstraints(min_length=1, max_length=1024 * 1024)]


class CredentialAnswer(_Document):
    """200 with `credentials`, or 202 with `transaction_id` and `interval`; never both."""

    credentials: list[IssuedCredential] | None = Field(
        default=None, min_length=1, max_length=MAX_COPIES
    )
    notification_id: Name | None = None
    transaction_id: Secret | None = None
    interval: int | None = Field(default=None, ge=1, le=366 * 86_400, description="seconds")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.credentials is None) == (self.transaction_id is None):
            raise ValueError("an answer holds either credentials or a transaction")
        if (self.transaction_id is None) != (self.interval is None):
            raise ValueError("a transaction comes with an interval")
        return self


class DeferredRequest(_Document):
    transaction_id: Secret


class Notification(_Document):
    notification_id: Name
    event: Literal["credential_accepted", "credential_failure", "credential_deleted"]
    event_description: str | None = Field(default=None, max_length=1024)


class OAuthError(_Document):
    """Every refusal of these endpoints (RFC 6749 §5.2)."""

    error: Annotated[str, StringConstraints(pattern=r"^[\x20-\x21\x23-\x5B\x5D-\x7E]{1,128}$")]
    error_description: str | None = Field(default=None, max_length=4096)
