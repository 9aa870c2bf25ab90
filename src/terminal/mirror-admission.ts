import type { Tokens } from '../lib/access/index.js'
import { plainHex, type SensorSecrets } from '../lib/mirror/auth.js'
import { readSecrets, readTls } from '../lib/mirror/auth-files.js'
import type { ReceiverOptions } from '../lib/mirror/receiver.js'
import { openTokens } from './tokens.js'

/**
 * Who may send packets to mirror-recv: the clients of `earshot manager token add … --role send --id-sensor N`, read anew for each sender
 * that comes, and what a file of secrets says.
 */
export interface AdmissionSettings {
  readonly tls_cert: string | undefined
  readonly tls_key: string | undefined
  readonly tls_ca: string | undefined
  readonly tokens: string | undefined
}

/**
 * Certificate and secrets. Whether secrets are asked for is decided here: the last sender that is removed from the list does not open
 * the door to everyone. Throws an OperatorError for a file that cannot be used.
 */
export function admissionOf({ tls_cert, tls_key, tls_ca, tokens }: AdmissionSettings): Pick<ReceiverOptions, 'tls' | 'secrets'> {
  const { cert, key, ca } = tls_cert === undefined ? {} : readTls({ ca: tls_ca, cert: tls_cert, key: tls_key })
  const file = tokens === undefined ? undefined : readSecrets(tokens)
  const clients = openTokens(undefined)
  return {
    tls: cert && key && { cert, key, ...(ca && { ca }) },
    secrets: file === undefined && senders(clients).length === 0 ? undefined : () => sensorSecrets(clients, file),
  }
}

export const sensorsOf = ({ keys, fingerprints }: SensorSecrets): Set<number> => new Set([...keys.keys(), ...fingerprints.keys()])

function sensorSecrets(tokens: Tokens, file: SensorSecrets | undefined): SensorSecrets {
  const keys = new Map([...(file?.keys ?? [])].map(([id, list]) => [id, [...list]]))
  const fingerprints = new Map([...(file?.fingerprints ?? [])].map(([id, list]) => [id, [...list]]))
  for (const { sensorId, tokenHash, certificate } of senders(tokens)) {
    if (tokenHash !== undefined) keys.set(sensorId, [...(keys.get(sensorId) ?? []), Buffer.from(tokenHash, 'hex')])
    if (certificate !== undefined)
      fingerprints.set(sensorId, [...(fingerprints.get(sensorId) ?? []), plainHex(certificate.replace('sha256:', ''))])
  }
  return { keys, fingerprints }
}

/** A list that cannot be read lets nobody in. */
function senders(tokens: Tokens): { sensorId: number; tokenHash?: string; certificate?: string }[] {
  try {
    return tokens
      .list()
      .flatMap(({ sensorId, ...client }) => (client.role === 'send' && sensorId !== undefined ? [{ sensorId, ...client }] : []))
  } catch {
    return []
  }
}
