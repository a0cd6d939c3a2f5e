"""OpenID4VCI as a wallet speaks it: from an offer to copies, over HTTP, believing nothing.

Every document is read strictly and within its bounds; identifiers are compared as text with what
they were asked for; a refusal of the issuer becomes one of ours. What arrived is not judged here,
and nothing is stored: that is for `obtain`.

Standard: OpenID4VCI 1.0 (final), pre-authorized code flow, anonymous wallet; RFC 6749, RFC 6750.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from schemas.openid4vci import (
    MAX_CONFIGURATIONS,
    PRE_AUTHORIZED,
    AuthorizationServerMetadata,
    CredentialAnswer,
    CredentialConfiguration,
    CredentialOffer,
    IssuerMetadata,
    NonceAnswer,
    OAuthError,
    TokenAnswer,
    TxCode,
)
from talentseal import oid4vci
from talentseal.encoding import MAX_METADATA_BYTES, too_large
from talentseal.errors import InputError, ProtocolError, RefusedError, UnavailableError
from talentseal.links import check_url
from talentseal.shapes import parse_shape
from talentseal.terminal import escape
from wallet_cli.calling import Wallet, announce
from wallet_cli.vault import CODE, SDJWT

if TYPE_CHECKING:
    from talentseal.fetch import Answer
    from talentseal.keys import Signer

MAX_ANSWER_BYTES = 2 * 1024 * 1024  # twenty copies of 64 KiB, and room
_JSON = "application/json"
_READ = (SDJWT, CODE)
_HINTS = {
    "invalid_grant": "The offer or the code is wrong, used or too old. Ask for a new offer.",
    "invalid_request": "Was a code sent with the offer, by another way? Give it with --tx-code.",
    "invalid_transaction_id": "The issuer knows nothing of it any more. Ask for a new offer.",
    "credential_request_denied": "Ask the issuer why.",
    "invalid_token": "It took too long. Ask for a new offer.",
}


class Wanted(NamedTuple):
    """One offered kind of certificate in one format that this wallet reads."""

    id: str
    configuration: CredentialConfiguration

    @property
    def format(self) -> str:
        return self.configuration.format


class Plan(NamedTuple):
    """What would be asked of whom, before anything secret is sent.

    host     of the issuer's identifier
    skipped  offered configurations of a format that is not read here
    """

    issuer: str
    host: str
    metadata: IssuerMetadata
    token_endpoint: str
    code: str
    tx_code: TxCode | None
    wanted: Sequence[Wanted]
    skipped: Sequence[str]

    @property
    def batch_size(self) -> int:
        batch = self.metadata.batch_credential_issuance
        return batch.batch_size if batch else 1


class Dataset(NamedTuple):
    """One certificate to be asked for, by the issuer's identifier of it where it gave one."""

    wanted: Wanted
    identifier: str | None


# --- before anything is sent ----------------------------------------------------------------------


def fetch_offer(link: str, wallet: Wallet) -> CredentialOffer:
    """The offer in a link, or behind it. Raises InputError, RefusedError, UnavailableError."""
    found = oid4vci.OfferLink(None, link)
    if oid4vci.is_offer_link(link):
        found = oid4vci.parse_offer_link(link, dev=wallet.dev)
    if found.offer is not None:
        return found.offer
    data = _get(found.uri or "", wallet)
    return oid4vci.parse_offer(data, dev=wallet.dev)


def make_plan(offer: CredentialOffer, wallet: Wallet) -> Plan:
    """Read the issuer's and its authorization server's metadata, and see what can be asked for.

    Raises InputError, RefusedError, UnavailableError.
    """
    grant = offer.grants.pre_authorized if offer.grants else None
    if grant is None:
        _cannot("the offer needs a sign-in in a browser, which this wallet does not do")
    issuer, dev = offer.credential_issuer, wallet.dev
    where = oid4vci.issuer_metadata_url(issuer, dev=dev)
    metadata = parse_shape(IssuerMetadata, _get(where, wallet), "the issuer's metadata")
    if metadata.credential_issuer != issuer:
        _foreign(check_url(issuer, dev=dev))
    server = _server_of(metadata, grant.authorization_server)
    where = oid4vci.server_metadata_url(server, dev=dev)
    found = parse_shape(AuthorizationServerMetadata, _get(where, wallet), "the server's metadata")
    if found.issuer != server:
        _foreign(check_url(server, dev=dev))
    if found.token_endpoint is None:
        raise InputError("the server's metadata names no token endpoint", code="MALFORMED")
    _refuse_encryption(metadata)
    wanted, skipped = _wanted(offer, metadata)
    plan = Plan(
        issuer, check_url(issuer, dev=dev), metadata, found.token_endpoint, grant.code,
        grant.tx_code, wanted, skipped,
    )  # fmt: skip
    for url in _endpoints(plan):
        check_url(url, dev=dev)
    return plan


def _server_of(metadata: IssuerMetadata, named: str | None) -> str:
    servers = metadata.authorization_servers
    if servers is None:
        return metadata.credential_issuer
    if named is not None and named not in servers:
        raise InputError("the offer names a server that its issuer does not", code="MALFORMED")
    return named or servers[0]


def _endpoints(plan: Plan) -> list[str]:
    metadata = plan.metadata
    optional = (
        metadata.nonce_endpoint,
        metadata.deferred_credential_endpoint,
        metadata.notification_endpoint,
    )
    return [plan.token_endpoint, metadata.credential_endpoint, *(url for url in optional if url)]


def _refuse_encryption(metadata: IssuerMetadata) -> None:
    asked = (metadata.credential_request_encryption, metadata.credential_response_encryption)
    if any(entry and entry.get("encryption_required") for entry in asked):
        _cannot("the issuer demands encrypted requests, which this wallet does not make")


def _wanted(offer: CredentialOffer, metadata: IssuerMetadata) -> tuple[list[Wanted], list[str]]:
    wanted, skipped = [], []
    for name in offer.credential_configuration_ids:
        configuration = metadata.credential_configurations_supported.get(name)
        if configuration is None:
            raise InputError("an offer of something its issuer does not have", code="MALFORMED")
        if configuration.format in _READ:
            if not configuration.vct:
                raise InputError("the issuer does not say of what type it is", code="MALFORMED")
            _check_proofs(configuration)
            wanted.append(Wanted(name, configuration))
        else:
            skipped.append(name)
    if not wanted:
        _cannot("nothing of what is offered has a format that this wallet reads")
    return sorted(wanted, key=lambda entry: _READ.index(entry.format)), skipped


def _check_proofs(configuration: CredentialConfiguration) -> None:
    """Whether the certificate will be bound to a key, by a proof that this wallet can make."""
    types = configuration.proof_types_supported or {}
    if "jwt" not in types or "ES256" not in types["jwt"].proof_signing_alg_values_supported:
        _cannot("the issuer takes no proof of the kind that this wallet makes")
    if types["jwt"].key_attestations_required is not None:
        _cannot("the issuer demands a certified key device, which this wallet has not")


# --- token, nonce, copies -------------------------------------------------------------------------


def get_token(plan: Plan, tx_code: str | None, wallet: Wallet) -> TokenAnswer:
    """Exchange the offer's code, once. Raises ProtocolError and the rest."""
    form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": plan.code}
    form |= {} if tx_code is None else {"tx_code": tx_code}
    return _token(plan.token_endpoint, form, wallet)


def refresh(endpoint: str, refresh_token: str, wallet: Wallet) -> TokenAnswer:
    """A new token in place of one that has ended (RFC 6749 §6)."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return _token(endpoint, form, wallet)


def _token(endpoint: str, form: Mapping[str, str], wallet: Wallet) -> TokenAnswer:
    answer = wallet.fetcher.post(endpoint, data=form, accept=_JSON, max_bytes=MAX_METADATA_BYTES)
    token = parse_shape(TokenAnswer, _taken(answer, endpoint, wallet), "a token")
    if token.token_type.lower() != "bearer":
        _cannot("the issuer gave a token of a kind that this wallet does not use")
    return token


def datasets_of(plan: Plan, token: TokenAnswer) -> list[Dataset]:
    """What to ask for: each dataset that the token names, else each configuration (§8.2)."""
    details = token.authorization_details
    if details is None:
        return [Dataset(wanted, None) for wanted in plan.wanted]
    found = [
        Dataset(wanted, identifier)
        for wanted in plan.wanted
        for detail in details
        if detail.credential_configuration_id == wanted.id
        for identifier in detail.credential_identifiers or ()
    ]
    if not found:
        raise InputError("the issuer's token covers nothing of its offer", code="MALFORMED")
    if len(found) > MAX_CONFIGURATIONS:  # each costs a key and a question
        too_large(f"{len(found)} certificates in one offer; at most {MAX_CONFIGURATIONS} are taken")
    return found


def ask_for(
    plan: Plan,
    dataset: Dataset,
    token: str,
    signers: "Sequence[Signer]",
    wallet: Wallet,
) -> CredentialAnswer:
    """One request with a proof by each of these keys; one more try where the nonce was refused."""
    try:
        return _ask_once(plan, dataset, token, signers, wallet)
    except ProtocolError as refusal:
        if refusal.error != "invalid_nonce":
            raise
    return _ask_once(plan, dataset, token, signers, wallet)


def _ask_once(
    plan: Plan,
    dataset: Dataset,
    token: str,
    signers: "Sequence[Signer]",
    wallet: Wallet,
) -> CredentialAnswer:
    nonce = _nonce(plan, wallet)
    proofs = [
        oid4vci.make_proof(signer, issuer=plan.issuer, nonce=nonce, issued_at=wallet.clock())
        for signer in signers
    ]
    asked = {"credential_configuration_id": dataset.wanted.id}
    if dataset.identifier is not None:
        asked = {"credential_identifier": dataset.identifier}
    body = {**asked, "proofs": {"jwt": proofs}}
    answer = _post(plan.metadata.credential_endpoint, body, token, wallet)
    _check_count(answer, len(signers))
    return answer


def _nonce(plan: Plan, wallet: Wallet) -> str | None:
    endpoint = plan.metadata.nonce_endpoint
    if endpoint is None:
        return None
    answer = wallet.fetcher.post(endpoint, body=b"", accept=_JSON, max_bytes=MAX_METADATA_BYTES)
    return parse_shape(NonceAnswer, _taken(answer, endpoint, wallet), "a nonce").c_nonce


def ask_again(endpoint: str, transaction_id: str, token: str, wallet: Wallet) -> CredentialAnswer:
    """Ask for what was promised (§9); either copies, or the same transaction once more."""
    answer = _post(endpoint, {"transaction_id": transaction_id}, token, wallet)
    if answer.transaction_id not in (None, transaction_id):
        raise InputError("the issuer answers for something else", code="MALFORMED")
    return answer


def _check_count(answer: CredentialAnswer, keys: int) -> None:
    if answer.credentials is not None and len(answer.credentials) > keys:
        raise InputError("the issuer sent more copies than it got keys for", code="MALFORMED")


def notify(
    endpoint: str | None, ids: Sequence[str], event: str, token: str, wallet: Wallet
) -> None:
    """Tell the issuer how it ended (§11); whether it listens changes nothing here."""
    for notification_id in ids if endpoint else ():
        body = {"notification_id": notification_id, "event": event}
        try:
            wallet.fetcher.post(
                endpoint or "", json=body, accept=_JSON, max_bytes=MAX_METADATA_BYTES,
                headers=_bearer(token),
            )  # fmt: skip
        except (InputError, RefusedError, UnavailableError):
            return


# --- HTTP -----------------------------------------------------------------------------------------


def _get(url: str, wallet: Wallet) -> bytes:
    announce(url, dev=wallet.dev)
    answer = wallet.fetcher.get(url, accept=_JSON, max_bytes=MAX_METADATA_BYTES)
    return answer.document


def _post(endpoint: str, body: Mapping[str, Any], token: str, wallet: Wallet) -> CredentialAnswer:
    answer = wallet.fetcher.post(
        endpoint, json=body, accept=_JSON, max_bytes=MAX_ANSWER_BYTES, headers=_bearer(token)
    )
    data = _taken(answer, endpoint, wallet)
    return parse_shape(CredentialAnswer, data, "the issuer's answer", max_bytes=MAX_ANSWER_BYTES)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _taken(answer: "Answer", url: str, wallet: Wallet) -> bytes:
    """The body of a success. Raises ProtocolError with the issuer's own word for a refusal."""
    if answer.status < 400:
        return answer.body
    try:
        word = parse_shape(OAuthError, answer.body, "a refusal").error
    except InputError:
        word = "invalid_token" if answer.status == 401 else str(answer.status)
    raise ProtocolError(
        f"{check_url(url, dev=wallet.dev)} refused: {escape(word)}",
        error=word,
        hint=f"Nothing was stored. {_HINTS.get(word, 'Ask the issuer.')}",
    )


def _foreign(host: str) -> NoReturn:
    raise RefusedError(
        f"{host} answers in the name of another issuer",
        code="REQUEST_INVALID",
        hint="Nothing was sent. Do not use this offer.",
    )


def _cannot(message: str) -> NoReturn:
    raise RefusedError(
        message,
        code="NOT_OFFERED",
        hint="Nothing was stored. Ask the issuer for another way, or use another wallet.",
    )
