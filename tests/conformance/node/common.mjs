// What the foreign wallet, issuer and verifier of the tests share: acts over stdin and stdout, a
// fetch that finds public https hosts on this machine, JOSE from `jose`, SD-JWT from `@sd-jwt`.
//
// One line in is {"act", ...}, one line out {"ok": ...} or {"error", "cause"}.

import { X509Certificate, createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import readline from 'node:readline'
import { ES256, digest, generateSalt } from '@sd-jwt/crypto-nodejs'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import * as jose from 'jose'

const NAMES = ['@openid4vc/oauth2', '@openid4vc/openid4vci', '@openid4vc/openid4vp', '@sd-jwt/sd-jwt-vc', 'dcql', 'jose']

/** Answer every line of stdin by the act it names. */
export async function serve(acts) {
  const all = { versions, ...acts }
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { act, ...asked } = JSON.parse(line)
    let told
    try {
      told = { ok: (await all[act](asked)) ?? null }
    } catch (error) {
      told = { error: String(error?.message ?? error).slice(0, 1000), cause: causes(error) }
    }
    process.stdout.write(`${JSON.stringify(told)}\n`)
  }
  process.exit(0)
}

function causes(error) {
  const found = []
  for (let cause = error; cause; cause = cause.cause) {
    const said = cause.response?.credentialErrorResponseResult?.data ?? cause.errorResponse
    found.push(`${cause.stack ?? cause} ${said ? JSON.stringify(said) : ''}`)
  }
  return found.join('\n').slice(0, 3000)
}

function versions() {
  const root = new URL('node_modules/', import.meta.url)
  const read = (name) => JSON.parse(readFileSync(new URL(`${name}/package.json`, root))).version
  return { node: process.version, ...Object.fromEntries(NAMES.map((name) => [name, read(name)])) }
}

/** A fetch for which `https://HOST` is where `hosts` says: {host: "http://127.0.0.1:port"}. */
export function fetchFrom(hosts) {
  return async (address, options) => {
    const url = new URL(address)
    const here = hosts[url.host]
    if (url.protocol !== 'https:' || !here) throw new Error(`no such host: ${url.origin}`)
    return fetch(`${here}${url.pathname}${url.search}`, { ...options, redirect: 'error' })
  }
}

/** Listen on a free port of this machine; answers come from `routes`, "METHOD /path" to function. */
export async function listen(routes) {
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const { pathname } = new URL(request.url, 'http://here')
    const route = routes[`${request.method} ${pathname}`]
    const asked = { method: request.method, path: pathname, headers: request.headers, body: Buffer.concat(chunks).toString() }
    const reply = route ? await route(asked) : { status: 404, json: { error: 'not_found' } }
    const headers = { 'cache-control': 'no-store', 'content-type': reply.type ?? 'application/json' }
    response.writeHead(reply.status ?? 200, headers)
    response.end(reply.status === 204 ? undefined : (reply.body ?? JSON.stringify(reply.json)))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${server.address().port}`
}

// --- keys and certificates -----------------------------------------------------------------------

export async function newKey() {
  const { publicKey, privateKey } = await ES256.generateKeyPair()
  const { kty, crv, x, y } = publicKey
  return { public: { kty, crv, x, y }, private: { kty, crv, x, y, d: privateKey.d } }
}

const sameKey = (one, other) => one.kty === other.kty && one.crv === other.crv && one.x === other.x && one.y === other.y

/** The public key of a chain without its anchor, each certificate issued by the next. */
export function keyOfChain(x5c, anchor) {
  const chain = [...x5c, anchor].map((text) => new X509Certificate(Buffer.from(text, 'base64')))
  const now = Date.now()
  for (const [index, certificate] of chain.slice(0, -1).entries()) {
    const above = chain[index + 1]
    if (!certificate.checkIssued(above) || !certificate.verify(above.publicKey)) throw new Error('broken chain')
    if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo)) throw new Error('certificate out of time')
    if (certificate.checkIssued(certificate)) throw new Error('anchor inside the chain')
  }
  return chain[0].publicKey.export({ format: 'jwk' })
}

/** The callbacks that the @openid4vc packages ask for. `keys` are private JWKs that sign. */
export function callbacks({ hosts = {}, keys = [], anchor, decryptionKey, clientAuthentication }) {
  const privateOf = (signer) => {
    if (keys.length === 1) return keys[0] // even where it is not the certified one
    const wanted = signer.publicJwk ?? new X509Certificate(Buffer.from(signer.x5c[0], 'base64')).publicKey.export({ format: 'jwk' })
    return keys.find((key) => sameKey(key, wanted))
  }
  return {
    fetch: fetchFrom(hosts),
    hash: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
    generateRandom: (size) => randomBytes(size),
    clientAuthentication,
    async signJwt(signer, { header, payload }) {
      const key = privateOf(signer)
      const signed = new jose.SignJWT(payload).setProtectedHeader(header)
      const { d, ...publicJwk } = key
      return { jwt: await signed.sign(await jose.importJWK(key, 'ES256')), signerJwk: publicJwk }
    },
    async verifyJwt(signer, { compact }) {
      const jwk = signer.method === 'x5c' ? keyOfChain(signer.x5c, anchor) : signer.publicJwk
      try {
        await jose.compactVerify(compact, await jose.importJWK(jwk, 'ES256'), { algorithms: ['ES256'] })
        return { verified: true, signerJwk: jwk }
      } catch {
        return { verified: false }
      }
    },
    async encryptJwe({ publicJwk, alg, enc, apu, apv }, data) {
      const bytes = (text) => (text ? jose.base64url.decode(text) : undefined)
      const jwe = new jose.CompactEncrypt(new TextEncoder().encode(data))
        .setProtectedHeader({ alg, enc, kid: publicJwk.kid })
        .setKeyManagementParameters({ apu: bytes(apu), apv: bytes(apv) })
      return { encryptionJwk: publicJwk, jwe: await jwe.encrypt(await jose.importJWK(publicJwk, alg)) }
    },
    async decryptJwe(jwe) {
      const { plaintext, protectedHeader } = await jose.compactDecrypt(jwe, await jose.importJWK(decryptionKey, 'ECDH-ES'))
      return { decrypted: true, decryptionJwk: decryptionKey, payload: new TextDecoder().decode(plaintext), header: protectedHeader }
    },
    getX509CertificateMetadata(certificate) {
      const names = (new X509Certificate(Buffer.from(certificate, 'base64')).subjectAltName ?? '').split(', ')
      const of = (kind) => names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length))
      return { sanDnsNames: of('DNS:'), sanUriNames: of('URI:') }
    },
  }
}

// --- SD-JWT VC -----------------------------------------------------------------------------------

const verifierOf = async (jwk, data, signature) => (await ES256.getVerifier(jwk))(data, signature)

/**
 * An SD-JWT VC reader and writer.
 *
 * issuerKey  public JWK that must have signed; holderKey  private JWK for key binding;
 * statuses   {uri: status list token}; each is checked with its own chain up to `anchor`
 */
export function sdJwt({ issuerKey, holderKey, signingKey, statuses = {}, anchor }) {
  return new SDJwtVcInstance({
    hasher: digest,
    hashAlg: 'sha-256',
    saltGenerator: generateSalt,
    verifier: (data, signature) => verifierOf(issuerKey, data, signature),
    kbVerifier: (data, signature, payload) => verifierOf(payload.cnf.jwk, data, signature),
    statusListFetcher: async (uri) => statuses[uri] ?? Promise.reject(new Error(`no status list ${uri}`)),
    statusVerifier: (data, signature) => {
      const header = JSON.parse(Buffer.from(data.split('.')[0], 'base64url'))
      if (header.typ !== 'statuslist+jwt') throw new Error(`typ ${header.typ} is no status list`)
      return verifierOf(keyOfChain(header.x5c, anchor), data, signature)
    },
    ...(holderKey && { kbSigner: async (data) => (await ES256.getSigner(holderKey))(data), kbSignAlg: 'ES256' }),
    ...(signingKey && { signer: async (data) => (await ES256.getSigner(signingKey))(data), signAlg: 'ES256' }),
  })
}
