import { readFileSync } from 'node:fs'
import { exitCodes, OperatorError } from '../base/errors.js'
import { keyOf, plainHex, type SensorSecrets } from './auth.js'

/** Secrets and certificates as files; what is wrong with one is told with its name and line. */

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
      suggestions: ['Check the path, and that who runs this may read it. Services run as earshot: chgrp earshot FILE; chmod 640 FILE'],
    })
  }
}

const wrongLine = (path: string, line: number, why: string): OperatorError =>
  new OperatorError('MIRROR_SECRETS', `Line ${line} of "${path}" cannot be used: ${why}.`, {
    exit: exitCodes.usage,
    suggestions: ['A line is: id_sensor, a space, and a token, sha256:DIGEST or cert:FINGERPRINT.'],
  })

export interface TlsFiles {
  /** Whom to trust; the system's authorities when undefined. */
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

/** The contents of the files. Throws an OperatorError. */
export function readTls(files: TlsFiles): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const one = (path: string | undefined): Buffer | undefined => (path === undefined ? undefined : Buffer.from(read(path)))
  const [ca, cert, key] = [one(files.ca), one(files.cert), one(files.key)]
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

function push<V>(map: Map<number, V[]>, key: number, value: V): void {
  map.set(key, [...(map.get(key) ?? []), value])
}
