import { OperatorError } from '../lib/base/errors.js'
import type { SensorSecrets } from '../lib/mirror/auth.js'
import { readSecrets, readTls } from '../lib/mirror/auth-files.js'
import { isLoopback } from '../lib/mirror/dial.js'
import type { ReceiverOptions } from '../lib/mirror/receiver.js'
import type { mirrorRecvServiceSettings } from '../lib/settings/services.js'
import type { ValuesOf } from '../lib/settings/table.js'
import { hasSenders, sensorSecrets } from './sensor-secrets.js'
import { openOwnTokens } from './tokens.js'

/** Who may send to a mirror receiver, from its settings, and whether that is safe where it listens. */
type Settings = ValuesOf<typeof mirrorRecvServiceSettings>

/** Certificate and secrets from the files that settings name. */
export function admissionOf({ tls_cert, tls_key, tls_ca, tokens }: Settings): Pick<ReceiverOptions, 'tls' | 'secrets'> {
  const { cert, key, ca } = tls_cert === undefined ? {} : readTls({ ca: tls_ca, cert: tls_cert, key: tls_key })
  const file = tokens === undefined ? undefined : readSecrets(tokens)
  const given = openOwnTokens()
  return {
    tls: cert && key && { cert, key, ...(ca && { ca }) },
    // Decided here for the whole run: the last sender that is removed must not open the door to everyone.
    secrets: file !== undefined || hasSenders(given) ? () => sensorSecrets(given, file) : undefined,
  }
}

export const sensorsOf = ({ keys, fingerprints }: SensorSecrets): number => new Set([...keys.keys(), ...fingerprints.keys()]).size

/** A port open to other machines must be safe, or its owner must have said that it need not be. */
export function checkSafety(host: string, settings: Settings, tls: boolean, secret: boolean): void {
  if (isLoopback(host)) return
  if (!tls && !settings.plain)
    throw new OperatorError('MIRROR_PLAIN', `Other machines could send to ${host} without encryption.`, {
      exit: 2,
      suggestions: [
        'With TLS: --tls-cert FILE --tls-key FILE. A certificate for a try: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=$(hostname) -addext subjectAltName=DNS:$(hostname) -keyout key.pem -out cert.pem',
        'If the network is safe: --plain',
      ],
    })
  if (!secret && settings.tls_ca === undefined && !settings.anyone)
    throw new OperatorError('MIRROR_ANYONE', `Anyone who reaches ${host} could send packets as any sensor.`, {
      exit: 2,
      suggestions: [
        'A token for each sensor: earshot manager token add NAME --role send --id-sensor 7',
        'Or a file of them: --tokens FILE',
        'Or certificates: --tls-ca FILE',
        'Or, if that is meant: --anyone',
      ],
    })
}
