import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { exitCodes, OperatorError } from '../base/errors.js'

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

const plainHex = (text: string): string => text.replaceAll(':', '').toLowerCase()

/** Reads a file of secrets. Throws an OperatorError that names the line. */
export function readSecrets(path: string): SensorSecrets {
  const keys = new Map<number, Uint8Array[]>()
  const fingerprints = new Map<number, string[]>()
  const lines = read(path).split('\n')
  lines.forEach((line, i) => {
    const text = line.replace(/(^|\s)#.*$/, '').trim()
    if (text === '') return
    const [, id, secret] = /^(\d{1,5})\s+(\S+)$/.exec(text) ?? []
    const sensorId = Number(id)
    if (secret === undefined || sensorId > 65_535) throw wrongLine(path, i + 1, 'it is not "id_sensor secret"')
    const [, kind, value] = /^(sha256|cert):(.+)$/.exec(secret) ?? []
    if (kind === undefined) push(keys, sensorId, keyOf(secret))
    else {
      const hex = plainHex(value as string)
      if (!/^[0-9a-f]{64}$/.test(hex))
        throw wrongLine(path, i + 1, `a ${kind === 'cert' ? 'fingerprint' : 'digest'} has 64 hexadecimal digits`)
      if (kind === 'cert') push(fingerprints, sensorId, hex)
      else push(keys, sensorId, Buffer.from(hex, 'hex'))
    }
  })
  return { keys, fingerprints }
}

/** The token in the first line of a file. */
export function readToken(path: string): string {
  const token = (read(path).split('\n')[0] as string).trim()
  if (token === '') throw wrongLine(path, 1, 'it is empty')
  return token
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new OperatorError('MIRROR_SECRETS', `Cannot read "${path}": ${(error as Error).message}.`, {
      cause: error,
      exit: exitCodes.usage,
      suggestions: ['Check the path, and that this user may read it.'],
    })
  }
}

const wrongLine = (path: string, line: number, why: string): OperatorError =>
  new OperatorError('MIRROR_SECRETS', `Line ${line} of "${path}" cannot be used: ${why}.`, {
    exit: exitCodes.usage,
    suggestions: ['A line is: id_sensor, a space, and a token, sha256:DIGEST or cert:FINGERPRINT.'],
  })

function push<V>(map: Map<number, V[]>, key: number, value: V): void {
  map.set(key, [...(map.get(key) ?? []), value])
}
