import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { OperatorError } from '../base/errors.js'
import { makeDirectory } from '../native/make-directory.js'
import { fingerprintOf, writeSecret } from './tokens.js'

/** The certificate that a service shows: the administrator's, or one that it signed itself at its first start and keeps. */
export interface ServerCertificate {
  readonly certificate: string
  readonly key: string
  /** `sha256:hex` of the certificate: what clients remember. */
  readonly fingerprint: string
  readonly selfSigned: boolean
  /** When it expires, ms since the epoch. */
  readonly notAfterMs: number
}

const YEARS = 10

/** `paths` are the administrator's files; without them the pair in `directory` is taken, made when it is not there. */
export async function serverCertificate(
  directory: string,
  paths?: { readonly certificate: string; readonly key: string },
): Promise<ServerCertificate> {
  if (paths !== undefined) return load(paths.certificate, paths.key, false)
  const certificate = join(directory, 'server-cert.pem')
  const key = join(directory, 'server-key.pem')
  if (!existsSync(certificate) || !existsSync(key)) await make(directory, certificate, key)
  return load(certificate, key, true)
}

async function make(directory: string, certificateFile: string, keyFile: string): Promise<void> {
  const { generate } = await import('selfsigned')
  const now = Date.now()
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address.split('%')[0] as string))
  const made = await generate([{ name: 'commonName', value: hostname() }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // A clock that is a little behind must not refuse a new certificate.
    notBeforeDate: new Date(now - 86_400_000),
    notAfterDate: new Date(now + YEARS * 365 * 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: hostname() },
          { type: 2, value: 'localhost' },
          ...[...new Set(addresses)].map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  })
  try {
    makeDirectory(directory)
    writeSecret(keyFile, made.private)
    writeSecret(certificateFile, made.cert)
  } catch (error) {
    throw new OperatorError('CERTIFICATE_WRITE', `Cannot keep the service's certificate in "${directory}": ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Make the directory writable for this user, or give your own: --tls-cert FILE --tls-key FILE'],
    })
  }
}

/** When the first certificate of a PEM file expires, ms since the epoch; undefined when it is none. */
export function expiryOf(pem: string | Buffer): number | undefined {
  try {
    return Date.parse(new X509Certificate(pem).validTo)
  } catch {
    return undefined
  }
}

function load(certificateFile: string, keyFile: string, selfSigned: boolean): ServerCertificate {
  try {
    const certificate = readFileSync(certificateFile, 'utf8')
    const key = readFileSync(keyFile, 'utf8')
    // Both are looked at now, so that a wrong pair is an error of the start and not of the first client.
    const parsed = new X509Certificate(certificate)
    if (!parsed.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is not that of the certificate')
    createSecureContext({ cert: certificate, key })
    return { certificate, key, fingerprint: fingerprintOf(parsed.raw), selfSigned, notAfterMs: Date.parse(parsed.validTo) }
  } catch (error) {
    throw new OperatorError(
      'CERTIFICATE',
      `Cannot use the certificate "${certificateFile}" with "${keyFile}": ${(error as Error).message}.`,
      {
        cause: error,
        suggestions: ['Both are PEM files; the certificate may be followed by its chain.'],
      },
    )
  }
}
