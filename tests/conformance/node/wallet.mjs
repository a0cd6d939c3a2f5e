// A wallet of others' making: receives by OpenID4VCI 1.0, presents by OpenID4VP 1.0.

import { clientAuthenticationAnonymous } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { DcqlQuery } from 'dcql'
import { callbacks, fetchFrom, newKey, sdJwt, serve } from './common.mjs'

const deferred = new Map()

// --- receiving -----------------------------------------------------------------------------------

/** {link, tx_code, configuration, copies, hosts} -> what was received, or {transaction_id, interval}. */
async function receive({ link, tx_code, configuration, copies, hosts, ...trust }) {
  const keys = await Promise.all(Array.from({ length: copies }, newKey))
  const client = new Openid4vciClient({
    callbacks: callbacks({ hosts, keys: keys.map((key) => key.private), clientAuthentication: clientAuthenticationAnonymous() }),
  })
  const credentialOffer = await client.resolveCredentialOffer(link)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer, issuerMetadata, txCode: tx_code,
  })
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
  const proofs = await Promise.all(keys.map((key) => proofOf(client, issuerMetadata, configuration, key, nonce)))
  const { credentialResponse } = await client.retrieveCredentials({
    accessToken: accessTokenResponse.access_token, issuerMetadata, credentialConfigurationId: configuration, proofs: { jwt: proofs },
  })
  const session = { client, issuerMetadata, accessToken: accessTokenResponse.access_token, keys, hosts, trust }
  const about = { version: issuerMetadata.originalDraftVersion, known: issuerMetadata.knownCredentialConfigurations[configuration]?.format }
  if (!credentialResponse.transaction_id) return { ...about, ...(await arrived(session, credentialResponse)) }
  deferred.set(credentialResponse.transaction_id, session)
  return { ...about, transaction_id: credentialResponse.transaction_id, interval: credentialResponse.interval }
}

/** {transaction_id} -> as `receive`. */
async function resume({ transaction_id }) {
  const session = deferred.get(transaction_id)
  const { client, issuerMetadata, accessToken } = session
  const answer = await client
    .retrieveDeferredCredentials({ issuerMetadata, accessToken, transactionId: transaction_id })
    .then((found) => found.deferredCredentialResponse, misjudged)
  if (answer.transaction_id) return answer
  return arrived(session, answer)
}

// Version 0.4.6 refuses a deferred answer that has both credentials and a notification_id, which
// OpenID4VCI 1.0 section 9.2 provides for: its condition is the reverse of its own message.
async function misjudged(error) {
  const { response } = error.response
  if (response.status !== 200) throw error
  return response.clone().json()
}

async function proofOf(client, issuerMetadata, credentialConfigurationId, key, nonce) {
  const signer = { method: 'jwk', alg: 'ES256', publicJwk: key.public }
  return (await client.createCredentialRequestJwtProof({ issuerMetadata, credentialConfigurationId, signer, nonce, issuedAt: new Date() })).jwt
}

async function arrived(session, { credentials, notification_id }) {
  const { client, issuerMetadata, accessToken, keys } = session
  const texts = credentials.map((one) => one.credential)
  const found = await Promise.all(texts.map((text) => verified(session, text)))
  const bound = new Set(found.map(({ payload }) => payload.cnf.jwk.x))
  if (bound.size !== keys.length || keys.some((key) => !bound.has(key.public.x))) throw new Error('not bound to my keys')
  await client.sendNotification({ issuerMetadata, accessToken, notification: { notificationId: notification_id, event: 'credential_accepted' } })
  return { texts, claims: found.map(({ payload }) => payload) }
}

/** An SD-JWT VC, verified with the key that the issuer publishes for consumers without chains. */
async function verified({ issuerMetadata, hosts, trust }, text) {
  const iss = issuerMetadata.credentialIssuer.credential_issuer
  const answer = await fetchFrom(hosts)(`${iss}/.well-known/jwt-vc-issuer`)
  const { issuer, jwks } = await answer.json()
  if (issuer !== iss) throw new Error('another issuer')
  const header = JSON.parse(Buffer.from(text.split('.')[0], 'base64url'))
  const issuerKey = jwks.keys.find((key) => key.kid === header.kid)
  if (!issuerKey) throw new Error(`no key ${header.kid} among ${jwks.keys.length}`)
  return sdJwt({ issuerKey, ...trust }).verify(text)
}

// --- presenting ----------------------------------------------------------------------------------

/** {link, text, holder, anchor, hosts} -> what the verifier answered. `holder` is a private JWK. */
async function present({ link, text, holder, anchor, hosts }) {
  const client = new Openid4vpClient({ callbacks: callbacks({ hosts, anchor, keys: [holder] }) })
  const { params } = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: link })
  const resolved = await client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: params })
  const request = resolved.authorizationRequestPayload
  const presentations = await answerTo(resolved.dcql.query, { text, holder, audience: resolved.client.effective, nonce: request.nonce })
  const made = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request,
    authorizationResponsePayload: { vp_token: presentations },
    ...(request.response_mode === 'direct_post.jwt' && { jarm: encrypted(request) }),
  })
  const { response } = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request, authorizationResponsePayload: made.authorizationResponsePayload, jarm: made.jarm,
  })
  return { prefix: resolved.client.prefix, signed: Boolean(resolved.jar), mode: request.response_mode, status: response.status, body: await response.json() }
}

function encrypted(request) {
  const serverMetadata = {
    authorization_signing_alg_values_supported: [],
    authorization_encryption_alg_values_supported: ['ECDH-ES'],
    authorization_encryption_enc_values_supported: ['A256GCM', 'A128GCM'],
  }
  return { serverMetadata, encryption: { jwk: request.client_metadata.jwks.keys[0] } }
}

/** The presentations of a DCQL answer: one credential shown to every query that it fits. */
async function answerTo(query, { text, holder, audience, nonce }) {
  const reader = sdJwt({ holderKey: holder })
  const claims = await reader.getClaims(text)
  const parsed = DcqlQuery.parse(query)
  DcqlQuery.validate(parsed)
  const result = DcqlQuery.query(parsed, [{ credential_format: 'dc+sd-jwt', vct: claims.vct, claims, cryptographic_holder_binding: true }])
  if (!result.can_be_satisfied) throw new Error('the query asks for something else')
  const kb = { payload: { iat: Math.floor(Date.now() / 1000), nonce, aud: audience } }
  const shown = {}
  for (const [id, match] of Object.entries(result.credential_matches)) {
    const output = match.valid_credentials[0].claims.valid_claim_sets[0].output
    shown[id] = [await reader.present(text, frameOf(output), { kb })]
  }
  return shown
}

const frameOf = (value) =>
  value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, frameOf(one)])) : true

await serve({ receive, resume, present })
