import { ipv4Text, ipv6Text } from '../../base/address.js'
import { OperatorError } from '../../base/errors.js'
import type { AddressValue } from '../../query/network.js'
import { folded, type Pattern } from '../../query/pattern.js'
import { type Dialect, likePattern, never, type ReadEngine, type Row, type Sql } from '../read/engine.js'
import type { SqlValue } from '../values.js'
import type { Database, Statement } from './driver.js'

/** SQLite as the reading half of the store sees it. */
export function sqliteEngine(db: Database): ReadEngine {
  const prepared = new Map<string, { statement: Statement; names: readonly string[] }>()
  const prepare = (sql: string): { statement: Statement; names: readonly string[] } => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    // A query has few statements, and a page's last one another length.
    if (prepared.size > 50) prepared.clear()
    const statement = db.prepare(sql).raw()
    const made = { statement, names: statement.columns().map(({ name }) => name) }
    prepared.set(sql, made)
    return made
  }
  return {
    dialect: sqlite,
    rows: async (sql, values = []) =>
      told(() => {
        const { statement, names } = prepare(sql)
        return (statement.all(...values) as unknown[][]).map((cells) => rowOf(names, cells))
      }),
    each: async (sql, values, take) =>
      told(() => {
        for (const row of db.prepare(sql).iterate(...values)) take(row as Row)
      }),
    close: async () => db.close(),
  }
}

/** Made here, an object of thirty columns costs half of what the driver takes for it. */
function rowOf(names: readonly string[], cells: readonly unknown[]): Row {
  const row: Record<string, unknown> = {}
  for (let i = 0; i < names.length; i++) row[names[i] as string] = cells[i]
  return row
}

/** A failed question, told so that an operator can act. */
function told<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new OperatorError('STORE_READ', `Cannot read the record database: ${(error as Error).message}.`, {
      cause: error,
      suggestions: ['Check the disk. A damaged file can be saved in part: sqlite3 FILE .recover'],
    })
  }
}

const sqlite: Dialect = {
  text(column, pattern, fold) {
    const { pieces } = pattern
    const [first = ''] = pieces
    // LIKE and GLOB read a text up to a NUL only, which would make of the rest "anything".
    if (pieces.length > 1 && pieces.some((piece) => piece.includes('\0'))) return never
    // The columns we look up by are NOCASE; comparing the others costs no index.
    const collate = fold ? ' COLLATE NOCASE' : ''
    if (pieces.length === 1) return { sql: `${column} = ?${collate}`, values: [first] }
    const rest: Sql = fold
      ? { sql: `${column} LIKE ? ESCAPE '!'`, values: [likePattern(pattern)] }
      : { sql: `${column} GLOB ?`, values: [globPattern(pattern)] }
    // A range makes an index usable, which LIKE with ESCAPE or a parameter may not.
    return first === ''
      ? rest
      : {
          sql: `(${column} >= ?${collate} AND ${column} < ?${collate} AND ${rest.sql})`,
          values: [...beginningWith(fold ? folded(first) : first), ...rest.values],
        }
  },
  indexes: ({ pieces }) => pieces[0] !== '',
  address: (column, { low, high }) => ({ sql: `${column} BETWEEN ? AND ?`, values: [stored(low), stored(high)] }),
  addressText: (value) =>
    typeof value === 'number' ? ipv4Text(value) : value instanceof Uint8Array && value.length === 16 ? ipv6Text(words(value)) : undefined,
  addressValue: (value) =>
    typeof value === 'number' ? value : value instanceof Uint8Array && value.length === 16 ? hexadecimal(value) : undefined,
  calldate: undefined,
  joinCdr: 'CROSS JOIN cdr c',
  byTime: 'earshot_cdr e INDEXED BY earshot_cdr_once',
}

/** From (included) and to (excluded) what begins so: SQLite compares UTF-8 by its bytes, and no character is beyond U+10FFFF. */
const beginningWith = (text: string): [string, string] => [text, `${text}\u{10ffff}`]

/** GLOB, for where case matters: its own signs in brackets. */
const globPattern = ({ pieces }: Pattern): string => pieces.map((piece) => piece.replace(/[[?*]/g, '[$&]')).join('*')

/** IPv4 is an integer and IPv6 a blob: the two never compare as equal, so one range is one family. */
const stored = (value: AddressValue): SqlValue =>
  typeof value === 'number' ? value : Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(value.slice(2 * i, 2 * i + 2), 16))

const hexadecimal = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

function words(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return [0, 4, 8, 12].map((at) => view.getUint32(at))
}
