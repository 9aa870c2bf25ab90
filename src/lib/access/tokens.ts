import { createHash, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto'
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { OperatorError } from '../base/errors.js'
import { makeDirectory } from '../native/make-directory.js'
import { ownedAsParent } from '../native/owner.js'
import { type Role, roleNames } from './roles.js'

/**
 * Who may come in: a file of named clients, each with a role and a token (kept as its SHA-256: it has 256 random bits, so
 * there is nothing to guess) or with the fingerprint of its certificate. A service reads the file again when it changed,
 * so a removed client is out at once.
 */
export interface Client {
  readonly name: string
  readonly role: Role
  /** ISO 8601. */
  readonly created: string
  /** SHA-256 of the token, hex. */
  readonly tokenHash?: string
  /** SHA-256 of the certificate, `sha256:hex`. */
  readonly certificate?: string
  /** Of who sends packets: the one sensor that it may send as. */
  readonly sensorId?: number
}

/** How a token begins, so that one found in a log or a repository is recognised. */
const TOKEN_MARK = 'earshot_'
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/
const CLIENTS_MAX = 10_000

export class Tokens {
  readonly file: string
  #clients: readonly Client[] = []
  #stamp = ''

  constructor(file: string) {
    this.file = file
  }

  list(): readonly Client[] {
    this.#refresh()
    return this.#clients
  }

  /** Answers the new token; it is shown once and kept nowhere. */
  addToken(name: string, role: Role, now: Date, sensorId?: number): string {
    const token = TOKEN_MARK + randomBytes(32).toString('base64url')
    this.#add({ name, role, created: now.toISOString(), tokenHash: hashOf(token), ...(sensorId !== undefined && { sensorId }) })
    return token
  }

  /** A client that shows this certificate (PEM). Answers its fingerprint. */
  addCertificate(name: string, role: Role, pem: string, now: Date, sensorId?: number): string {
    let certificate: string
    try {
      certificate = fingerprintOf(new X509Certificate(pem).raw)
    } catch (error) {
      throw new OperatorError('CERTIFICATE', `That is no certificate: ${(error as Error).message}.`, {
        cause: error,
        exit: 2,
        suggestions: ['Give the client’s certificate in PEM form (-----BEGIN CERTIFICATE-----), not its key.'],
      })
    }
    this.#add({ name, role, created: now.toISOString(), certificate, ...(sensorId !== undefined && { sensorId }) })
    return certificate
  }

  /** Answers whether there was such a client. */
  remove(name: string): boolean {
    this.#refresh()
    const left = this.#clients.filter((client) => client.name !== name)
    if (left.length === this.#clients.length) return false
    this.#write(left)
    return true
  }

  byToken(token: string): Client | undefined {
    this.#refresh()
    const hash = Buffer.from(hashOf(token), 'hex')
    return this.#clients.find((c) => c.tokenHash !== undefined && timingSafeEqual(Buffer.from(c.tokenHash, 'hex'), hash))
  }

  /** `fingerprint` as `sha256:hex`. TLS has proven that the peer holds the key. */
  byCertificate(fingerprint: string): Client | undefined {
    this.#refresh()
    return this.#clients.find((c) => c.certificate === fingerprint)
  }

  #add(client: Client): void {
    if (!NAME.test(client.name)) {
      throw new OperatorError('CLIENT_NAME', `"${client.name}" is no name for a client.`, {
        exit: 2,
        suggestions: ['Up to 64 letters, digits, . _ @ -, beginning with a letter or a digit.'],
      })
    }
    this.#refresh()
    if (this.#clients.some(({ name }) => name === client.name)) {
      throw new OperatorError('CLIENT_EXISTS', `There is a client "${client.name}" already.`, {
        suggestions: [`Remove it first: earshot manager token remove ${client.name}`],
      })
    }
    if (this.#clients.length >= CLIENTS_MAX)
      throw new OperatorError('CLIENTS_MAX', `There are ${CLIENTS_MAX} clients already.`, { suggestions: ['Remove those not in use.'] })
    this.#write([...this.#clients, client])
  }

  /** A new file takes the place of the old one, so that a reader finds one or the other, whole. */
  #write(clients: readonly Client[]): void {
    try {
      makeDirectory(dirname(this.file))
      ownedAsParent(dirname(this.file))
      writeSecret(this.file, `${JSON.stringify({ version: 1, clients }, null, 2)}\n`)
    } catch (error) {
      throw new OperatorError('TOKENS_FILE', `Cannot write "${this.file}": ${(error as Error).message}.`, {
        cause: error,
        suggestions: ['Run as the user of the service (or root), or name another directory with --state DIR.'],
      })
    }
    this.#clients = clients
    this.#stamp = stampOf(this.file)
  }

  #refresh(): void {
    const stamp = stampOf(this.file)
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    this.#clients = stamp === '' ? [] : readClients(this.file)
  }
}

function readClients(file: string): Client[] {
  try {
    const { clients } = JSON.parse(readFileSync(file, 'utf8')) as { clients: Client[] }
    return clients.filter((c) => typeof c.name === 'string' && roleNames.includes(c.role))
  } catch (error) {
    // A file that cannot be read lets nobody in: better than the clients of an older state.
    throw new OperatorError('TOKENS_FILE', `Cannot read the clients in "${file}": ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Restore it, or delete it and add the clients again: earshot manager token add NAME --role ROLE'],
    })
  }
}

/** Changes whenever the file does; empty when there is none. */
function stampOf(file: string): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? '' : `${found.ino}:${found.mtimeNs}:${found.size}`
}

/** Writes a file that only its owner may read, in one step. */
export function writeSecret(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  chmodSync(temporary, 0o600)
  ownedAsParent(temporary)
  renameSync(temporary, file)
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')
/** Of a certificate in DER form. */
export const fingerprintOf = (der: Uint8Array): string => `sha256:${createHash('sha256').update(der).digest('hex')}`
