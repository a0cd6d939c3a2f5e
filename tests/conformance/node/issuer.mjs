// An issuer of others' making by OpenID4VCI 1.0: pre-authorized code with a transaction code, nonce,
// proofs, batches, deferred delivery, notification. It seals SD-JWT VCs with the key it is given.

import { randomBytes } from 'node:crypto'
import {
  Oauth2AuthorizationServer, Oauth2ResourceServer, Oauth2ServerErrorResponseError, clientAuthenticationAnonymous, decodeJwt,
} from '@openid4vc/oauth2'
import { Openid4vciIssuer } from '@openid4vc/openid4vci'
import { callbacks, listen, newKey, sdJwt, serve } from './common.mjs'

const GRANT = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'
const random = () => randomBytes(24).toString('base64url')

let issuer // one for each program

/**
 * {identifier, configurations, batch_size, signing_key, header, payload, frame} -> {url}
 *
 * signing_key  private JWK; header, payload, frame  of the SD-JWT VCs, to which `cnf` is added
 */
async function start(given) {
  const key = await newKey()
  const signer = { method: 'jwk', alg: 'ES256', publicJwk: { ...key.public, kid: 'tokens', use: 'sig' } }
  const host = new URL(given.identifier).host
  const hosts = {}
  const all = callbacks({ hosts, keys: [key.private], clientAuthentication: clientAuthenticationAnonymous() })
  issuer = {
    ...given, signer, offers: new Map(), nonces: new Set(), promised: new Map(), events: [], later: 0,
    protocol: new Openid4vciIssuer({ callbacks: all }),
    server: new Oauth2AuthorizationServer({ callbacks: all }),
    resources: new Oauth2ResourceServer({ callbacks: all }),
  }
  issuer.metadata = issuer.protocol.createCredentialIssuerMetadata(metadataOf(given))
  issuer.serverMetadata = issuer.server.createAuthorizationServerMetadata(serverOf(given))
  issuer.issuerMetadata = {
    originalDraftVersion: 'V1', credentialIssuer: issuer.metadata, authorizationServers: [issuer.serverMetadata],
    knownCredentialConfigurations: issuer.protocol.getKnownCredentialConfigurationsSupported(issuer.metadata),
  }
  hosts[host] = await listen(routes)
  return { url: hosts[host] }
}

const metadataOf = ({ identifier, configurations, batch_size }) => ({
  credential_issuer: identifier,
  credential_endpoint: `${identifier}/credential`,
  nonce_endpoint: `${identifier}/nonce`,
  deferred_credential_endpoint: `${identifier}/deferred`,
  notification_endpoint: `${identifier}/notification`,
  batch_credential_issuance: { batch_size },
  credential_configurations_supported: configurations,
})

const serverOf = ({ identifier }) => ({
  issuer: identifier,
  token_endpoint: `${identifier}/token`,
  jwks_uri: `${identifier}/jwks`,
  grant_types_supported: [GRANT],
  'pre-authorized_grant_anonymous_access_supported': true,
})

/** {configuration, tx_code, by_reference} -> the link of an offer. */
async function offer({ configuration, tx_code, by_reference }) {
  const id = random()
  const made = await issuer.protocol.createCredentialOffer({
    issuerMetadata: issuer.issuerMetadata,
    credentialConfigurationIds: [configuration],
    credentialOfferUri: by_reference ? `${issuer.identifier}/offers/${id}` : undefined,
    grants: { [GRANT]: { ...(tx_code && { tx_code: { input_mode: 'numeric', length: tx_code.length } }) } },
  })
  issuer.offers.set(made.credentialOfferObject.grants[GRANT]['pre-authorized_code'], tx_code)
  routes[`GET /offers/${id}`] = () => ({ json: made.credentialOfferObject })
  return made.credentialOffer
}

/** Deliver the next credentials only after so many requests. */
function delay({ later }) {
  issuer.later = later
}

const events = () => issuer.events

// --- what a wallet asks --------------------------------------------------------------------------

const routes = {
  'GET /.well-known/openid-credential-issuer': () => ({ json: issuer.metadata }),
  'GET /.well-known/oauth-authorization-server': () => ({ json: issuer.serverMetadata }),
  'GET /jwks': () => ({ json: { keys: [issuer.signer.publicJwk] } }),
  'POST /token': refusing(token),
  'POST /nonce': () => {
    const nonce = random()
    issuer.nonces.add(nonce)
    return { json: issuer.protocol.createNonceResponse({ cNonce: nonce }) }
  },
  'POST /credential': refusing(credential),
  'POST /deferred': refusing(deferred),
  'POST /notification': refusing(async (asked) => {
    await authorized(asked)
    issuer.events.push(JSON.parse(asked.body).event)
    return { status: 204 }
  }),
}

/** What the packages refuse becomes an answer of the protocol. */
function refusing(work) {
  return async (asked) => {
    try {
      return await work(asked)
    } catch (error) {
      if (error instanceof Oauth2ServerErrorResponseError) return { status: 400, json: error.errorResponse }
      return { status: 401, json: { error: 'invalid_token', error_description: String(error.message) } }
    }
  }
}

const requestOf = (asked) => ({ method: asked.method, url: `${issuer.identifier}${asked.path}`, headers: new Headers(asked.headers) })

async function token(asked) {
  const request = requestOf(asked)
  const { accessTokenRequest, grant } = issuer.server.parseAccessTokenRequest({
    request, accessTokenRequest: Object.fromEntries(new URLSearchParams(asked.body)),
  })
  const known = issuer.offers.has(grant.preAuthorizedCode)
  await issuer.server.verifyPreAuthorizedCodeAccessTokenRequest({
    authorizationServerMetadata: issuer.serverMetadata, accessTokenRequest, request, grant,
    expectedPreAuthorizedCode: known ? grant.preAuthorizedCode : random(),
    expectedTxCode: issuer.offers.get(grant.preAuthorizedCode),
  })
  issuer.offers.delete(grant.preAuthorizedCode)
  const made = await issuer.server.createAccessTokenResponse({
    audience: issuer.identifier, authorizationServer: issuer.identifier, subject: random(), expiresInSeconds: 300,
    signer: issuer.signer,
  })
  return { json: made }
}

const authorized = (asked) =>
  issuer.resources.verifyResourceRequest({
    request: requestOf(asked), resourceServer: issuer.identifier, authorizationServers: [issuer.serverMetadata],
  })

async function credential(asked) {
  await authorized(asked)
  const parsed = issuer.protocol.parseCredentialRequest({ issuerMetadata: issuer.issuerMetadata, credentialRequest: JSON.parse(asked.body) })
  if (!parsed.credentialConfiguration) throw refused('unknown_credential_configuration')
  const keys = await Promise.all((parsed.proofs?.jwt ?? []).map(proven))
  if (!keys.length || keys.length > issuer.batch_size) throw refused('invalid_proof')
  for (const { nonce } of keys) issuer.nonces.delete(nonce)
  const jwks = keys.map((key) => key.jwk)
  if (!issuer.later) return { json: issuer.protocol.createCredentialResponse({ ...(await sealed(jwks)), credentialRequest: parsed }) }
  const transactionId = random()
  issuer.promised.set(transactionId, jwks)
  return { status: 202, json: issuer.protocol.createCredentialResponse({ transactionId, interval: 1, credentialRequest: parsed }) }
}

const refused = (error) => new Oauth2ServerErrorResponseError({ error })

async function proven(jwt) {
  const { payload } = decodeJwt({ jwt })
  if (!issuer.nonces.has(payload.nonce)) throw refused('invalid_nonce')
  const { signer } = await issuer.protocol.verifyCredentialRequestJwtProof({
    issuerMetadata: issuer.issuerMetadata, jwt, expectedNonce: payload.nonce,
  })
  return { jwk: signer.publicJwk, nonce: payload.nonce }
}

async function sealed(jwks) {
  const writer = sdJwt({ signingKey: issuer.signing_key })
  const seal = ({ kty, crv, x, y }) => writer.issue({ ...issuer.payload, cnf: { jwk: { kty, crv, x, y } } }, issuer.frame, { header: issuer.header })
  return { credentials: await Promise.all(jwks.map(async (jwk) => ({ credential: await seal(jwk) }))), notificationId: random() }
}

async function deferred(asked) {
  await authorized(asked)
  const { deferredCredentialRequest } = issuer.protocol.parseDeferredCredentialRequest({ deferredCredentialRequest: JSON.parse(asked.body) })
  const transactionId = deferredCredentialRequest.transaction_id
  const jwks = issuer.promised.get(transactionId)
  if (!jwks) throw refused('invalid_transaction_id')
  issuer.later -= 1
  if (issuer.later > 0) return { status: 202, json: issuer.protocol.createDeferredCredentialResponse({ transactionId, interval: 1 }) }
  issuer.promised.delete(transactionId)
  const { credentials, notificationId } = await sealed(jwks)
  // The packages would refuse the notification_id that section 9.2 provides for: see wallet.mjs.
  return { json: { ...issuer.protocol.createDeferredCredentialResponse({ credentials }), notification_id: notificationId } }
}

await serve({ start, offer, delay, events })
