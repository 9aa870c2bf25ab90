import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/**
 * Who may send as which sensor. The token never travels: the receiver sends a nonce, the sender answers with its HMAC under the
 * token's SHA-256, and the receiver may keep that digest instead of the token.
 *
 *   # id_sensor   secret
 *   7             3f9c…                       a token, any text without spaces
 *   8             sha256:9f86d081884c7d65…    the digest of a token
 *   9             cert:AB:CD:…                the SHA-256 fingerprint of a client certificate
 */
export interface SensorSecrets {
  /** Keys for the HMAC and fingerprints, by id_sensor. */
  readonly keys: ReadonlyMap<number, readonly Uint8Array[]>
  readonly fingerprints: ReadonlyMap<number, readonly string[]>
}

export const newNonce = (): string => randomBytes(32).toString('hex')
export const keyOf = (token: string): Uint8Array => createHash('sha256').update(token).digest()
export const proofOf = (key: Uint8Array, nonce: string, sensorId: number): string =>
  createHmac('sha256', key).update(`earshot-mirror ${sensorId} ${nonce}`).digest('hex')

/** Whether this sensor may come in: a proof under one of its tokens, or a certificate it is bound to. */
export function admits(secrets: SensorSecrets, sensorId: number, nonce: string, proof: string, fingerprint: string | undefined): boolean {
  if (fingerprint !== undefined && (secrets.fingerprints.get(sensorId)?.includes(plainHex(fingerprint)) ?? false)) return true
  if (proof.length !== 64) return false
  const given = Buffer.from(proof, 'hex')
  return (secrets.keys.get(sensorId) ?? []).some((key) => timingSafeEqual(Buffer.from(proofOf(key, nonce, sensorId), 'hex'), given))
}

export const plainHex = (text: string): string => text.replaceAll(':', '').toLowerCase()
