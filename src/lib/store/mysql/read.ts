import { ipv4Text, ipv6Text } from '../../base/address.js'
import { exitCodes, OperatorError } from '../../base/errors.js'
import type { Micros } from '../../base/units.js'
import { localMicros } from '../../native/local-time.js'
import type { AddressValue } from '../../query/network.js'
import { folded, type Pattern } from '../../query/pattern.js'
import type { CdrReader } from '../cdr-store.js'
import { type Dialect, joinSql, likePattern, type ReadEngine, type Row, type SharedCalls } from '../read/engine.js'
import { readerOver } from '../read/reader.js'
import { dateTime, type SqlValue } from '../values.js'
import { type Connection, connect, isAway } from './driver.js'
import { type Form, readableForm } from './schema.js'
import { theirCalls } from './their-calls.js'
import { type MysqlLocation, parseMysqlUrl } from './url.js'

/** MySQL and MariaDB as the reading half of the store sees them. */
export async function openMysqlReader(url: string): Promise<CdrReader> {
  const at = parseMysqlUrl(url)
  const connection = await connect(at, { readonly: true })
  try {
    return readerOver(mysqlEngine(at, connection, await readableForm(connection, at)))
  } catch (error) {
    await connection.close()
    throw error
  }
}

function mysqlEngine(at: MysqlLocation, first: Connection, form: Form): ReadEngine {
  let connection = first
  /** A server that was restarted is found again by the next question. */
  const ready = async (): Promise<Connection> => {
    if (!connection.alive) connection = await connect(at, { readonly: true })
    return connection
  }
  const told = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw readFailure(at, error)
    }
  }
  const translate = form.madeBy === 'voipmonitor' ? theirCalls(form, at.localTime).translate : (sql: string): string => sql
  const sent = (values: readonly SqlValue[]): unknown[] => values.map((v) => (v instanceof Uint8Array ? Buffer.from(v) : v))
  return {
    dialect: dialectOf(form, at.localTime),
    rows: (sql, values = []) => told(async () => (await ready()).rows<Row>(translate(sql), sent(values))),
    each: (sql, values, take) =>
      told(async () => {
        for await (const row of (await ready()).stream<Row>(translate(sql), sent(values))) take(row)
      }),
    close: () => connection.close(),
  }
}

/** A failed question, told so that an operator can act; exit code 5 when the server is away. */
function readFailure(at: MysqlLocation, error: unknown): OperatorError {
  if (error instanceof OperatorError) return error
  const away = isAway(error)
  return new OperatorError(away ? 'STORE_UNREACHABLE' : 'STORE_READ', `Cannot read from ${at.shown}: ${(error as Error).message}.`, {
    cause: error,
    exit: away ? exitCodes.unreachable : exitCodes.failure,
    suggestions: [
      away
        ? 'Is the server running, and is it reachable from here?'
        : 'Look into the server’s log; the tables must be as earshot or VoIPmonitor made them.',
    ],
  })
}

function dialectOf(form: Form, localTime: boolean): Dialect {
  /** VoIPmonitor's tables compare without regard to case (latin1_swedish_ci); ours, and those we make, by their bytes. */
  const caseless = (column: string): boolean => form.madeBy === 'voipmonitor' && /^(c|cdr_ua)\./.test(column)
  return {
    text(column, pattern, fold) {
      const { pieces } = pattern
      const lower = fold && hasLetters(pattern) && !caseless(column)
      const shown = lower ? `lower(${column})` : column
      const wanted = lower ? { pieces: pieces.map(folded) } : pattern
      // LIKE without a star too: `=` would not see blanks at the end.
      return { sql: `${shown} LIKE ? ESCAPE '!'`, values: [likePattern(wanted)] }
    },
    // Looking for letters in any case goes past the index of a column that tells the cases apart.
    indexes: (pattern, fold) => pattern.pieces[0] !== '' && (!fold || form.madeBy === 'voipmonitor' || !hasLetters(pattern)),
    address(column, { low, high }) {
      if (!form.ipv6) return typeof low === 'number' ? { sql: `${column} BETWEEN ? AND ?`, values: [low, high as number] } : undefined
      // Bytes sort as addresses do within one family; its length tells which one a value is of.
      return { sql: `(${column} BETWEEN ? AND ? AND length(${column}) = ?)`, values: [stored(low), stored(high), stored(low).length] }
    },
    addressText(value) {
      if (typeof value === 'number') return ipv4Text(value)
      if (!(value instanceof Uint8Array)) return undefined
      const view = new DataView(value.buffer, value.byteOffset, value.length)
      return value.length === 4
        ? ipv4Text(view.getUint32(0))
        : value.length === 16
          ? ipv6Text([0, 4, 8, 12].map((at) => view.getUint32(at)))
          : undefined
    },
    addressValue(value) {
      if (!(value instanceof Uint8Array)) return typeof value === 'number' ? value : undefined
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
      return bytes.length === 4 ? bytes.readUInt32BE(0) : bytes.length === 16 ? bytes.toString('hex') : undefined
    },
    calldate: !form.partitioned ? undefined : (ours) => (form.milliseconds ? ours : `date_format(${ours}, '%Y-%m-%d %H:%i:%s')`),
    joinCdr: 'STRAIGHT_JOIN cdr c FORCE INDEX (PRIMARY)',
    byTime: 'earshot_cdr e FORCE INDEX (once)',
    ...(form.madeBy === 'voipmonitor' && { shared: sharedCalls(form, localTime) }),
  }
}

function sharedCalls(form: Form, localTime: boolean): SharedCalls {
  const { from, isTheirs } = theirCalls(form, localTime)
  // Theirs may hold whole seconds, cut.
  /** The hours beside an hour that comes twice are let in, too: what was asked is asked exactly of the time in UTC. */
  const second = (micros: number, beside: number): string => {
    const sane = Math.max(0, Math.min(micros, LAST_MICROS)) as Micros
    const written = localTime ? Math.max(0, Math.min(localMicros(sane) + beside, LAST_MICROS)) : sane
    return dateTime(written as Micros).slice(0, 19)
  }
  return {
    from,
    isTheirs,
    hasOwn: form.beside,
    within(low, high) {
      const limits = [
        ...(low === undefined ? [] : [{ sql: 'c.calldate >= ?', values: [second(low, -HOUR)] }]),
        ...(high === undefined ? [] : [{ sql: 'c.calldate <= ?', values: [`${second(high, HOUR)}.999`] }]),
      ]
      return joinSql(limits, 'AND')
    },
  }
}

const HOUR = 3600e6
/** The year 9999: later times have no text that a server reads. */
const LAST_MICROS = 253_402_300_799e6

const hasLetters = ({ pieces }: Pattern): boolean => pieces.some((piece) => /[A-Za-z]/.test(piece))

const stored = (value: AddressValue): Uint8Array => {
  const digits = typeof value === 'number' ? value.toString(16).padStart(8, '0') : value
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16))
}
