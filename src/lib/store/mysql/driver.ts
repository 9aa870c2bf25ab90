import mysql from 'mysql2'
import { exitCodes, OperatorError } from '../../base/errors.js'
import { StoreFailure } from '../failure.js'
import { BulkCommand, inactivity, offerBulk, type RawConnection, speaksBulk, UNREADABLE } from './bulk-command.js'
import type { BulkRows } from './bulk-rows.js'
import { Unsettled } from './unsettled.js'
import type { MysqlLocation } from './url.js'

/** What we use of mysql2, and the one file that knows its name: a connection that finds a living host, and errors sorted by what to do. */
export interface Connection {
  /** Values replace `?`; text, numbers and bytes only. */
  rows<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Row[]>
  /** A statement that gives no rows. */
  run(sql: string, values?: readonly unknown[]): Promise<{ readonly affected: number; readonly insertId: number }>
  /** Whether the server takes MariaDB's bulk form of rows; see `bulk`. */
  readonly takesBulk: boolean
  /**
   * A statement with a `?` for each column, for many rows; gives the ids that its RETURNING says, in their order. Unsettled when
   * the server, or what stands before it, does not do it after all: `takesBulk` is false from then on.
   */
  bulk(sql: string, rows: BulkRows): Promise<number[]>
  /** Rows as they come, a bounded number of them in memory. */
  stream<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): AsyncIterable<Row>
  /** False once an error has ended it. */
  readonly alive: boolean
  readonly host: string
  close(): Promise<void>
}

/** Text is what we send, whatever the server would choose; an over-long text is cut with a warning rather than stopping all that follow. */
const session = "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'"
/** No gap locks between sensors that write next to each other. */
const isolation = 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED'

/** Far below any max_allowed_packet, long enough that round trips do not count. */
const BULK_PACKET_BYTES = 1 << 19

/**
 * max_prepared_stmt_count is reached, or 0; not in the protocol of prepared statements, or not by bulk; a statement that nobody
 * knows (a proxy changed servers).
 */
const REFUSALS = [1461, 1295, 1243]
/** An unknown command, and a Galera node that is not ready: that one is away. */
const UNKNOWN_COMMAND = 1047

/** Text will do. */
const refusesBulk = ({ code, errno = 0, message }: MysqlError): boolean =>
  REFUSALS.includes(errno) || code === UNREADABLE || (errno === UNKNOWN_COMMAND && !/WSREP/.test(message))

export interface ConnectionWants {
  readonly readonly: boolean
  /** false: no database is chosen. */
  readonly database?: boolean
  /** A statement that takes longer has met a server that will not answer any more; the connection is given up. 0: wait for ever. */
  readonly statementTimeoutMs?: number
}

/** Connects to the first host that answers and can write (or read, when that is all that is wanted). */
export async function connect(at: MysqlLocation, want: ConnectionWants): Promise<Connection> {
  const failures: { host: string; error: MysqlError }[] = []
  const hosts = at.socket === undefined ? at.hosts : [{ host: at.socket, port: 0 }]
  for (const { host, port } of hosts) {
    try {
      return await open(at, host, port, want)
    } catch (error) {
      failures.push({ host: port === 0 ? host : `${host}:${port}`, error: error as MysqlError })
      // The same user and database on every host: another host would answer the same.
      if (!isAway(error)) break
    }
  }
  throw cannotConnect(at, failures)
}

async function open(at: MysqlLocation, host: string, port: number, want: ConnectionWants): Promise<Connection> {
  const raw = mysql.createConnection({
    ...(at.socket === undefined ? { host, port } : { socketPath: at.socket }),
    user: at.user,
    ...(at.password === undefined ? {} : { password: at.password }),
    ...(want.database === false ? {} : { database: at.database }),
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    decimalNumbers: true,
    connectTimeout: at.connectTimeoutMs,
    enableKeepAlive: true,
    multipleStatements: false,
    // Only where there are values is `?` looked for: a statement of ours may be long, with any sign in its texts.
    queryFormat: (sql: string, values: mysql.SqlValue[]) => (values.length === 0 ? sql : mysql.format(sql, values)),
    // The server has no business reading our files.
    flags: ['-LOCAL_FILES'],
    ...(at.tls && {
      ssl: {
        ...(at.tls.ca && { ca: at.tls.ca }),
        ...(at.tls.cert && { cert: at.tls.cert }),
        ...(at.tls.key && { key: at.tls.key }),
        rejectUnauthorized: at.tls.verify !== 'none',
        verifyIdentity: at.tls.verify === 'identity',
      },
    }),
  })
  const inside = raw as unknown as RawConnection
  let handshake = at.bulk ? offerBulk(inside) : undefined
  const timeout = want.statementTimeoutMs ?? 0
  let alive = true
  // Without a listener an idle connection that the server ends would end the program.
  raw.on('error', () => {
    alive = false
  })
  raw.on('end', () => {
    alive = false
  })
  const watched = <T>(work: (done: (error: Error | null, value: T) => void) => void): Promise<T> =>
    new Promise((resolve, reject) =>
      work((error, value) => {
        if (error === null) return resolve(value)
        if (isAway(error) && !refusesBulk(error)) {
          alive = false
          raw.destroy()
        }
        reject(error)
      }),
    )
  const prepare = (sql: string): Promise<{ id: number }> =>
    watched((done) => {
      const timer = timeout > 0 ? setTimeout(() => done(inactivity(), { id: 0 }), timeout) : undefined
      // mysql2 remembers what it has prepared.
      raw.prepare(sql, (error, statement) => {
        clearTimeout(timer)
        done(error, statement as unknown as { id: number })
      })
    })
  const connection: Connection = {
    rows: (sql, values = []) => watched((done) => raw.query({ sql, timeout }, [...values], (error, rows) => done(error, rows as never))),
    run: (sql, values = []) =>
      watched((done) =>
        raw.query({ sql, timeout }, [...values], (error, header) => {
          const { affectedRows = 0, insertId = 0 } = (header ?? {}) as { affectedRows?: number; insertId?: number }
          done(error, { affected: affectedRows, insertId })
        }),
      ),
    get takesBulk() {
      return handshake !== undefined && speaksBulk(inside, handshake)
    },
    async bulk(sql, rows) {
      const ids: number[] = []
      try {
        const { id } = await prepare(sql)
        for (const packet of rows.packets(id, BULK_PACKET_BYTES)) {
          const some = await watched<readonly number[]>((done) => inside.addCommand(new BulkCommand(packet, timeout, done)))
          for (const one of some) ids.push(one)
        }
      } catch (error) {
        if (!refusesBulk(error as MysqlError)) throw error
        handshake = undefined
        throw new Unsettled((error as MysqlError).message, { cause: error })
      }
      return ids
    },
    stream: (sql, values = []) => raw.query(sql, [...values]).stream({ highWaterMark: 256 }) as AsyncIterable<never>,
    get alive() {
      return alive
    },
    host: at.socket ?? `${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        if (!alive) {
          raw.destroy()
          return resolve()
        }
        alive = false
        raw.end(() => resolve())
      }),
  }
  try {
    await watched((done) => raw.connect((error) => done(error, undefined)))
    await connection.run(session)
    // A person waits for the answer of a reader, and each question costs a way to the server and back.
    if (want.readonly) return connection
    await connection.run(isolation)
    const [about] = await connection.rows<{ readonly: number }>('SELECT @@read_only AS readonly')
    // A replica, or a host that is being taken out of service: the next one may be the one that writes.
    if (about?.readonly === 1) throw Object.assign(new Error('the server is read-only'), { code: 'ER_READ_ONLY_MODE' })
    return connection
  } catch (error) {
    raw.destroy()
    throw error
  }
}

export type MysqlError = Error & { readonly code?: string; readonly errno?: number; readonly fatal?: boolean }

/** The server, or the way to it, is the trouble: another host or a later time may do. */
export function isAway(error: unknown): boolean {
  const { code = '', errno = 0, fatal, message } = error as MysqlError
  if (/^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_|ENOENT|EACCES|PROTOCOL_)/.test(code)) return true
  // Shutdown, too many connections, read-only (also WSREP: not prepared), disk full.
  if ([1053, 1040, 1203, 1290, 1836, 1047, 1021, 3, 28, 1927, 1135].includes(errno) || code === 'ER_READ_ONLY_MODE') return true
  return fatal === true && !/^ER_/.test(code) && /closed|lost|reset/i.test(message)
}

/** Another transaction was in the way; the same work may succeed at once. 1062 is the same record on its way by another connection. */
export const isCollision = (error: unknown): boolean => [1205, 1213, 1062].includes((error as MysqlError).errno ?? 0)

/** Does it again when another transaction was in the way. */
export async function retried<T>(db: Connection, work: () => Promise<T>, attempts = 8): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!db.alive || !isCollision(error) || attempt >= attempts) throw error
      await new Promise((resolve) => setTimeout(resolve, attempt * 5 * Math.random()))
    }
  }
}

function cannotConnect(at: MysqlLocation, failures: readonly { host: string; error: MysqlError }[]): StoreFailure {
  const last = failures.at(-1)?.error as MysqlError
  const host = failures.at(-1)?.host
  const fails = (message: string, ...suggestions: string[]): StoreFailure =>
    new StoreFailure('store', 'STORE_OPEN', message, { cause: last, suggestions })
  switch (last.code) {
    case 'ER_ACCESS_DENIED_ERROR':
    case 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR':
      return fails(
        `${host} refuses the user "${at.user}" ${at.password === undefined ? 'without a' : 'with this'} password.`,
        'The password comes from ?password-file=FILE, EARSHOT_DB_PASSWORD or the systemd credential earshot-db-password.',
      )
    case 'ER_DBACCESS_DENIED_ERROR':
      return fails(
        `The user "${at.user}" may not use the database "${at.database}".`,
        `As an administrator: GRANT ALL ON \`${at.database}\`.* TO '${at.user}'@'%';`,
      )
    case 'ER_BAD_DB_ERROR':
      return fails(`${host} has no database "${at.database}".`, `As an administrator: CREATE DATABASE \`${at.database}\`;`)
    case 'HANDSHAKE_SSL_ERROR':
    case 'HANDSHAKE_NO_SSL_SUPPORT':
      return fails(`No TLS with ${host}: ${last.message}.`, 'Check ssl-ca, ssl-cert and ssl-key, and that the certificate names this host.')
  }
  const each = failures.map(({ host: name, error }) => `${name}: ${error.message || error.code}`).join('; ')
  const message = `No database server of ${at.shown} can be used (${each}).`
  if (!isAway(last)) return fails(message, 'Look into the server’s log.')
  return new StoreFailure('transient', 'STORE_UNREACHABLE', message, {
    cause: last,
    suggestions: ['Is it running, and is it reachable from here? Try: mariadb -h HOST -u USER -p'],
    exit: exitCodes.unreachable,
  })
}

/** A value that a column does not take: out of range, too long, wrong letters, NULL where there is none. */
const VALUE_ERRORS = [1048, 1264, 1265, 1292, 1364, 1366, 1406, 3140, 4025]

/** A failed write, told so that an operator can act. */
export function writeFailure(at: MysqlLocation, error: unknown): OperatorError {
  if (error instanceof OperatorError) return error
  const cause = error as MysqlError
  const away = isAway(cause) || isCollision(cause) || cause instanceof Unsettled
  const kind = away ? 'transient' : VALUE_ERRORS.includes(cause.errno ?? 0) || cause.code === undefined ? 'record' : 'store'
  return new StoreFailure(kind, away ? 'STORE_UNREACHABLE' : 'STORE_WRITE', `Cannot write to ${at.shown}: ${cause.message}.`, {
    cause,
    suggestions: away
      ? ['Nothing is stored twice: what was not stored may simply be given again.']
      : ['Look into the server’s log; the tables must be as earshot or VoIPmonitor made them.'],
    ...(away && { exit: exitCodes.unreachable }),
  })
}
