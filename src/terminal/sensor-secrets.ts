import type { Tokens } from '../lib/access/index.js'
import { plainHex, type SensorSecrets } from '../lib/mirror/auth.js'

/**
 * Who may send packets here: the clients of `earshot manager token add … --role send --id-sensor N`, read anew for each sender that
 * comes, and what a file of secrets said at the start.
 */
export function sensorSecrets(tokens: Tokens, file: SensorSecrets | undefined): SensorSecrets {
  const keys = new Map([...(file?.keys ?? [])].map(([id, list]) => [id, [...list]]))
  const fingerprints = new Map([...(file?.fingerprints ?? [])].map(([id, list]) => [id, [...list]]))
  for (const { sensorId, tokenHash, certificate } of senders(tokens)) {
    if (tokenHash !== undefined) keys.set(sensorId, [...(keys.get(sensorId) ?? []), Buffer.from(tokenHash, 'hex')])
    if (certificate !== undefined)
      fingerprints.set(sensorId, [...(fingerprints.get(sensorId) ?? []), plainHex(certificate.replace('sha256:', ''))])
  }
  return { keys, fingerprints }
}

export const hasSenders = (tokens: Tokens): boolean => senders(tokens).length > 0

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
