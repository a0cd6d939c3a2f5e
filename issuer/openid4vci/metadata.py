"""What this issuer tells wallets about itself: its metadata, made from type documents and rights.

One configuration for each type that this issuer may seal now and each form of it: the wallet
credential (`dc+sd-jwt`) and the code (`talentseal_cwt`, a format of this project).

Standard: OpenID4VCI 1.0 (final) §12.2, appendix B.2; RFC 8414 for the authorization server.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from issuer.office import Standing
from schemas.openid4vci import (
    PRE_AUTHORIZED,
    AuthorizationServerMetadata,
    BatchIssuance,
    ClaimDescription,
    CredentialConfiguration,
    CredentialMetadata,
    Display,
    IssuerMetadata,
    ProofType,
)
from schemas.types import TYPE_IDS, load_type, vct_of
from talentseal.bundle import Bundle, IssuerKey
from talentseal.encoding import parse_json

BATCH_SIZE = 20
WALLET, CODE = "sd_jwt", "code"
FORMATS: Mapping[str, str] = {WALLET: "dc+sd-jwt", CODE: "talentseal_cwt"}
_LANGUAGES = ["en", "zh-Hans", "zh-Hant", "pt"]
_MAX_TYPE_BYTES = 512 * 1024


class Configuration(NamedTuple):
    """A kind of credential in one form; `name` is the configuration's id."""

    name: str
    type_id: str
    form: str


def configurations() -> dict[str, Configuration]:
    """Every configuration there could be, by id."""
    found = (
        Configuration(f"{type_id.partition('/')[0]}_{form}", type_id, form)
        for type_id in TYPE_IDS
        for form in FORMATS
    )
    return {one.name: one for one in found}


def offered(bundle: Bundle, iss: str) -> list[Configuration]:
    """Those that this issuer has a right for, by the trust data it holds."""
    rights = {vct for right in bundle.find_rights(bundle.home, iss) for vct in right.vct}
    return [one for one in configurations().values() if vct_of(one.type_id) in rights]


def listed_keys(bundle: Bundle, standing: Standing) -> list[IssuerKey]:
    """This issuer's keys as the trust data lists them, newest first."""
    found = (key.entry for kid, _ in standing.keys for key in bundle.find_keys(kid))
    return [entry for entry in found if entry.iss == standing.iss]


def jwks(bundle: Bundle, standing: Standing) -> list[dict[str, str]]:
    """Their public parts, as JWKs with a key identifier."""
    return [
        {**entry.jwk, "kid": entry.kid, "use": "sig"} for entry in listed_keys(bundle, standing)
    ]


def issuer_metadata(base: str, bundle: Bundle, standing: Standing) -> dict[str, Any]:
    """`/.well-known/openid-credential-issuer` of the issuer whose identifier is `base`."""
    names = next((key.names for key in listed_keys(bundle, standing)), {})
    document = IssuerMetadata(
        credential_issuer=base,
        credential_endpoint=f"{base}/credential",
        nonce_endpoint=f"{base}/nonce",
        deferred_credential_endpoint=f"{base}/deferred",
        notification_endpoint=f"{base}/notification",
        batch_credential_issuance=BatchIssuance(batch_size=BATCH_SIZE),
        display=[Display(name=text, locale=tag) for tag, text in names.items()] or None,
        credential_configurations_supported={
            one.name: _configuration(one) for one in offered(bundle, standing.iss)
        },
    )
    return document.document()


def _configuration(one: Configuration) -> CredentialConfiguration:
    document = parse_json(load_type(one.type_id), max_bytes=_MAX_TYPE_BYTES, max_depth=32)
    return CredentialConfiguration(
        format=FORMATS[one.form],
        vct=document["vct"],
        scope=one.name,
        cryptographic_binding_methods_supported=["jwk"],
        proof_types_supported={"jwt": ProofType(proof_signing_alg_values_supported=["ES256"])},
        credential_signing_alg_values_supported=["ES256"],
        credential_metadata=CredentialMetadata(
            display=list(_displays(document["display"])), claims=list(_claims(document["claims"]))
        ),
    )


def _displays(listed: Any) -> Iterator[Display]:
    for one in listed:
        yield Display(name=one.get("name") or one.get("label"), locale=one["locale"])


def _claims(listed: Any) -> Iterator[ClaimDescription]:
    for one in listed:
        yield ClaimDescription(
            path=one["path"],
            mandatory=bool(one.get("mandatory", False)),
            display=list(_displays(one.get("display", ()))) or None,
        )


def server_metadata(base: str, bundle: Bundle, iss: str, status: str | None) -> dict[str, Any]:
    """`/.well-known/oauth-authorization-server`: the issuer is its own."""
    document = AuthorizationServerMetadata(
        issuer=base,
        token_endpoint=f"{base}/token",
        jwks_uri=f"{base}/jwks",
        grant_types_supported=[PRE_AUTHORIZED],
        response_types_supported=[],
        **{"pre-authorized_grant_anonymous_access_supported": True},
        scopes_supported=[one.name for one in offered(bundle, iss)] or None,
        authorization_details_types_supported=["openid_credential"],
        status_list_aggregation_endpoint=status,
        ui_locales_supported=_LANGUAGES,
    )
    return document.document()
