import { callTables } from '../all-tables.js'
import { books } from '../books.js'
import { callsView } from '../calls-view.js'
import { plainTables } from '../plain-tables.js'
import { type Column, reference, type Table } from '../table.js'

/** The tables in SQLite, made from the table of columns. */

/** MySQL's type → SQLite's affinity. INTEGER turns whole doubles (all numbers above 2^31 come as such) into integers and leaves the bytes of IPv6 addresses alone. */
function affinity(type: string): string {
  if (/^(tiny|small|medium|big)?int/.test(type)) return 'INTEGER'
  if (/^(decimal|double)/.test(type)) return 'REAL'
  return 'TEXT'
}

// biome-ignore lint/suspicious/noExplicitAny: columns and rows of any table.
type AnyColumn = Column<any>
// biome-ignore lint/suspicious/noExplicitAny: as above.
type AnyTable = Table<any, any>

export const quoted = (name: string): string => `"${name}"`
const definition = ({ name, type }: AnyColumn): string => `${quoted(name)} ${affinity(type)}${/not null/.test(type) ? ' NOT NULL' : ''}`
/** People look for these without regard to case, and an index only helps when it sees letters the same way. */
const caseless: ReadonlySet<string> = new Set(['caller', 'called', 'caller_reverse', 'called_reverse'])
const indexed = (column: string): string => `${quoted(column)}${caseless.has(column) ? ' COLLATE NOCASE' : ''}`
const indexOn = (table: string, columns: readonly string[]): string =>
  `CREATE INDEX ${table}_${columns.join('_')} ON ${table} (${columns.map(indexed).join(', ')})`
/** The indexes of a table of calls that serve our queries. */
export const indexDdl = (table: AnyTable): string[] => (table.indexes ?? []).map((index) => indexOn(table.name, index))

/** What leads from a row to its call: theirs carry calldate too, as in VoIPmonitor; ours do not need it here. */
export const referenceOf = (table: AnyTable): readonly AnyColumn[] => (table.owner === 'voipmonitor' ? reference : reference.slice(0, 1))

export function tableDdl(table: AnyTable): string[] {
  const lines =
    table.name === 'cdr'
      ? ['ID INTEGER PRIMARY KEY', ...table.columns.map(definition)]
      : table.holds === 'call'
        ? ['cdr_ID INTEGER PRIMARY KEY', ...[...referenceOf(table).slice(1), ...table.columns].map(definition)]
        : [...referenceOf(table), ...table.columns].map(definition)
  // Numbered rows are kept in the order of their key: no index beside the table.
  if (table.holds === 'positions') lines.push('PRIMARY KEY (cdr_ID, position)')
  const statements = [`CREATE TABLE ${table.name} (${lines.join(', ')})${table.holds === 'positions' ? ' WITHOUT ROWID' : ''}`]
  if (table.holds === 'several') statements.push(indexOn(table.name, ['cdr_ID']))
  return [...statements, ...indexDdl(table)]
}

/** A call is stored once, however often its packets are read. By time first: that also serves queries by time. */
export const onceIndex = 'CREATE UNIQUE INDEX earshot_cdr_once ON earshot_cdr (started_us, sensor, call_id)'

export const plainDdl = (): string[] =>
  plainTables.map(
    (t) => `CREATE TABLE ${t.name} (${t.columns.map(definition).join(', ')}, PRIMARY KEY (${t.primaryKey.map(quoted).join(', ')}))`,
  )

export const bookDdl = (names?: readonly string[]): string[] =>
  books
    .filter((b) => names?.includes(b.name) ?? true)
    .map(({ name, column, kind }) =>
      kind === undefined
        ? `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${column} TEXT UNIQUE)`
        : `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${kind} INTEGER, ${column} TEXT, UNIQUE (${kind}, ${column}))`,
    )

export const view = (): string =>
  callsView('calls', {
    time: (column) => `strftime('%Y-%m-%d %H:%M:%f', ${column} / 1000000.0, 'unixepoch')`,
    concat: (...parts) => `(${parts.join(' || ')})`,
  })

export const ddl = (): string[] => [...bookDdl(), ...callTables.flatMap(tableDdl), ...plainDdl(), onceIndex, view()]
