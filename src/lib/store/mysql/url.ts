import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { OperatorError } from '../../base/errors.js'

/**
 * A store on a MySQL or MariaDB server:
 * `mysql://USER@HOST[:PORT][,HOST[:PORT]…]/DATABASE[?parameter=value&…]`
 *
 * Never with a password in it: whoever may list processes reads the command line.
 */
export interface MysqlLocation {
  readonly user: string
  /** Tried in this order. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly socket: string | undefined
  readonly database: string
  readonly password: string | undefined
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly verify: TlsVerify } | undefined
  /** Connections that write at the same time. */
  readonly connections: number
  readonly connectTimeoutMs: number
  /** The form of addresses in tables we make: with IPv6 they are varbinary(16), as VoIPmonitor's option `ipv6` does. */
  readonly ipv6: boolean
  /** Times are written as the local clock shows them, as VoIPmonitor does unless told `utc = yes`. */
  readonly localTime: boolean
  /** MariaDB's bulk protocol is used where the server has it. */
  readonly bulk: boolean
  /** For messages: no parameters, no secrets. */
  readonly shown: string
}

/** `identity`: the certificate is signed by the CA and names the host; `ca`: signed; `none`: encrypted, to whomever. */
export type TlsVerify = 'identity' | 'ca' | 'none'

const parameters = {
  'password-file': 'file that holds the password',
  socket: 'unix socket instead of hosts',
  'ssl-mode': 'disabled, required, verify-ca, verify-identity',
  'ssl-ca': 'certificates of the authority that signed the server’s (PEM)',
  'ssl-cert': 'our certificate (PEM)',
  'ssl-key': 'its key (PEM)',
  connections: 'that write at the same time, 1–16; default 2',
  'connect-timeout': 'seconds per host; default 5',
  ipv6: 'yes: addresses as varbinary(16) in tables we make',
  bulk: 'no: rows as text also to a MariaDB, for a proxy that does not pass its bulk protocol on; default yes',
  utc: 'no: calldate and callend in local time, as VoIPmonitor writes them; default yes',
} as const
type Parameter = keyof typeof parameters

export const mysqlUrlHelp: readonly (readonly [name: string, help: string])[] = Object.entries(parameters)

const refuse = (message: string, suggestion = 'mysql://user@host:3306/voipmonitor?password-file=/etc/earshot/db-password'): OperatorError =>
  new OperatorError('STORE_URL', message, { exit: 2, suggestions: [suggestion] })

export function parseMysqlUrl(url: string, environment: NodeJS.ProcessEnv = process.env): MysqlLocation {
  const m = /^(?:mysql|mariadb):\/\/(?:([^/@]*)@)?([^/?]*)\/([^/?]*)(?:\?(.*))?$/s.exec(url)
  // A URL that cannot be read is not repeated in the message: it may hold a password.
  if (m === null) throw refuse('This is not the URL of a MySQL store.', 'Write mysql://user@host[:port]/database.')
  const [, who = '', where = '', name = '', query = ''] = m
  if (who.includes(':')) {
    throw refuse(
      'A password in the URL is refused: every user of this machine can read the command line of a process.',
      'Put it into a file that only earshot reads and add ?password-file=FILE, or set EARSHOT_DB_PASSWORD, or use the systemd credential earshot-db-password.',
    )
  }
  const given = new Map<Parameter, string>()
  for (const [key, value] of new URLSearchParams(query)) {
    if (!(key in parameters))
      throw refuse(`"${key}" is no parameter of a MySQL store.`, `There are: ${Object.keys(parameters).join(', ')}.`)
    given.set(key as Parameter, value)
  }
  const database = decode(name)
  if (database === '') throw refuse('The URL names no database.')
  if (database.length > 64) throw refuse('The name of a database has at most 64 characters.')
  const socket = given.get('socket')
  const hosts = where === '' ? [{ host: 'localhost', port: 3306 }] : where.split(',').map(hostOf)
  const user = decode(who) || 'earshot'
  const tls = tlsOf(given)
  // mysql2 would compare the certificate of an address with the name "localhost".
  if (tls?.verify === 'identity' && socket === undefined && hosts.some(({ host }) => isIP(host) !== 0)) {
    throw refuse(
      'Whether a certificate names its host can be checked for names only, and this URL has an address.',
      'Write the name of the host, or ssl-mode=verify-ca to trust every certificate of that authority.',
    )
  }
  return {
    user,
    hosts,
    socket,
    database,
    password: passwordFrom(given.get('password-file'), environment),
    tls,
    connections: whole(given, 'connections', 2, 1, 16),
    connectTimeoutMs: 1000 * whole(given, 'connect-timeout', 5, 1, 600),
    ipv6: given.get('ipv6') === 'yes',
    localTime: given.get('utc') === 'no',
    bulk: given.get('bulk') !== 'no',
    shown: `mysql://${user}@${socket ?? where}/${database}`,
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refuse('The URL holds a % that is no escape.', 'A % itself is written %25.')
  }
}

function hostOf(text: string): { host: string; port: number } {
  const m = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(text)
  const port = Number(m?.[3] ?? 3306)
  if (m === null || port < 1 || port > 65_535) {
    throw refuse(`"${text}" is not a host.`, 'Write host, host:port or [IPv6]:port, several with commas.')
  }
  return { host: (m[1] ?? m[2]) as string, port }
}

function whole(given: ReadonlyMap<Parameter, string>, name: Parameter, otherwise: number, min: number, max: number): number {
  const text = given.get(name)
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw refuse(`${name} is a number from ${min} to ${max}, not "${text}".`, parameters[name])
  }
  return value
}

function tlsOf(given: ReadonlyMap<Parameter, string>): MysqlLocation['tls'] {
  const [ca, cert, key] = (['ssl-ca', 'ssl-cert', 'ssl-key'] as const).map((name) => {
    const path = given.get(name)
    return path === undefined ? undefined : readText(path, name)
  })
  const some = ca !== undefined || cert !== undefined || key !== undefined
  const mode = given.get('ssl-mode') ?? (some ? 'verify-identity' : 'disabled')
  const verify = ({ required: 'none', 'verify-ca': 'ca', 'verify-identity': 'identity' } as const)[mode]
  if (mode === 'disabled') {
    if (some) throw refuse('ssl-mode=disabled and certificates contradict each other.', 'Leave one of them out.')
    return undefined
  }
  if (verify === undefined) throw refuse(`"${mode}" is no ssl-mode.`, parameters['ssl-mode'])
  if ((cert === undefined) !== (key === undefined)) throw refuse('ssl-cert and ssl-key belong together.', 'Give both.')
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), verify }
}

/** From the file that the URL names, else the environment, else the systemd credential. */
function passwordFrom(file: string | undefined, environment: NodeJS.ProcessEnv): string | undefined {
  if (file !== undefined) return readText(file, 'password-file').replace(/\r?\n$/, '')
  const set = environment['EARSHOT_DB_PASSWORD']
  if (set !== undefined) return set
  const credentials = environment['CREDENTIALS_DIRECTORY']
  if (credentials === undefined) return undefined
  try {
    // An empty one is as good as none: units come with the file.
    return readFileSync(join(credentials, 'earshot-db-password'), 'utf8').replace(/\r?\n$/, '') || undefined
  } catch (error) {
    // A unit may have credentials for other things only.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new OperatorError('STORE_FILE', `Cannot read ${what}: ${(error as Error).message}.`, {
      cause: error,
      suggestions: [`Check the path and its permissions: ${path}`],
    })
  }
}
