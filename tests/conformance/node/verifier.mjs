// A verifier of others' making by OpenID4VP 1.0: signed requests by reference, answers by
// `direct_post` or `direct_post.jwt`, credentials and key binding judged by `@sd-jwt/sd-jwt-vc`.

import { randomBytes } from 'node:crypto'
import { Openid4vpVerifier, calculateX509HashClientIdPrefixValue } from '@openid4vc/openid4vp'
import { DcqlPresentationResult, DcqlQuery } from 'dcql'
import { callbacks, keyOfChain, listen, newKey, sdJwt, serve } from './common.mjs'

const random = () => randomBytes(24).toString('base64url')
const routes = {}

let verifier // one for each program

/**
 * {host, key, x5c, anchor, statuses} -> {url}
 *
 * key  private JWK of the certificate x5c[0]; statuses  {uri: status list token}
 */
async function start(given) {
  verifier = given
  return { url: await listen(routes) }
}

/** {prefix, encrypted, query} -> {id, link}. */
async function ask({ prefix, encrypted, query }) {
  const id = random()
  const decryptionKey = encrypted ? await newKey() : undefined
  const all = callbacks({ keys: [verifier.key], anchor: verifier.anchor, decryptionKey: decryptionKey?.private })
  const protocol = new Openid4vpVerifier({ callbacks: all })
  const hash = await calculateX509HashClientIdPrefixValue({ hash: all.hash, x509Certificate: verifier.x5c[0] })
  const request = {
    response_type: 'vp_token',
    client_id: prefix === 'x509_hash' ? `x509_hash:${hash}` : `x509_san_dns:${verifier.host}`,
    response_uri: `https://${verifier.host}/response/${id}`,
    response_mode: encrypted ? 'direct_post.jwt' : 'direct_post',
    nonce: random(),
    state: random(),
    dcql_query: query,
    client_metadata: metadataOf(decryptionKey),
  }
  const now = Math.floor(Date.now() / 1000)
  const made = await protocol.createOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: request,
    jar: {
      requestUri: `https://${verifier.host}/request/${id}`,
      jwtSigner: { method: 'x5c', alg: 'ES256', x5c: verifier.x5c },
      additionalJwtPayload: { aud: 'https://self-issued.me/v2', iat: now, exp: now + 600 },
    },
  })
  routes[`GET /request/${id}`] = () => ({ body: made.jar.authorizationRequestJwt, type: 'application/oauth-authz-req+jwt' })
  routes[`POST /response/${id}`] = (asked) => answered({ id, protocol, request, callbacks: all }, asked)
  return { id, link: made.authorizationRequest }
}

const metadataOf = (key) => ({
  vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } },
  ...(key && {
    jwks: { keys: [{ ...key.public, kid: 'answer', use: 'enc', alg: 'ECDH-ES' }] },
    encrypted_response_enc_values_supported: ['A256GCM'],
  }),
})

const answers = new Map()

/** {id} -> what came back, by query id. */
function answer({ id }) {
  const found = answers.get(id)
  if (found?.problem) throw found.problem
  return found ?? null
}

async function answered(session, asked) {
  try {
    answers.set(session.id, await judged(session, Object.fromEntries(new URLSearchParams(asked.body))))
    return { json: {} }
  } catch (problem) {
    answers.set(session.id, { problem })
    return { status: 400, json: { error: 'invalid_request' } }
  }
}

async function judged({ protocol, request, callbacks: all }, form) {
  const parsed = await protocol.parseOpenid4vpAuthorizationResponse({
    authorizationResponse: form, authorizationRequestPayload: request, callbacks: all,
  })
  if (parsed.type !== 'dcql') throw new Error(`answered by ${parsed.type}`)
  const shown = {}
  for (const [id, texts] of Object.entries(parsed.dcql.presentations)) shown[id] = await Promise.all(texts.map((text) => opened(text, request)))
  const query = DcqlQuery.parse(request.dcql_query)
  const fits = DcqlPresentationResult.fromDcqlPresentation(inTheirWords(shown), { dcqlQuery: query })
  if (!fits.can_be_satisfied) throw new Error('not what was asked for')
  return { shown, type: parsed.jarm?.type ?? 'plain', header: parsed.jarm?.jarmHeader }
}

/** The claims of one presentation; its seal, status, key binding, nonce and audience hold. */
async function opened(text, { nonce, client_id }) {
  const { x5c } = JSON.parse(Buffer.from(text.split('.')[0], 'base64url'))
  const reader = sdJwt({ issuerKey: keyOfChain(x5c, verifier.anchor), anchor: verifier.anchor, statuses: verifier.statuses })
  const { payload, kb } = await reader.verify(text, { keyBindingNonce: nonce })
  if (kb.payload.aud !== client_id) throw new Error(`made for ${kb.payload.aud}`)
  if (Math.abs(Date.now() / 1000 - kb.payload.iat) > 300) throw new Error('made at another time')
  return payload
}

const inTheirWords = (shown) =>
  Object.fromEntries(
    Object.entries(shown).map(([id, found]) => [
      id, found.map((claims) => ({ credential_format: 'dc+sd-jwt', vct: claims.vct, claims, cryptographic_holder_binding: true })),
    ]),
  )

await serve({ start, ask, answer })
