import { callTables } from '../all-tables.js'
import { type Book, books } from '../books.js'
import { callsView } from '../calls-view.js'
import { plainTables } from '../plain-tables.js'
import { type Column, type PlainTable, reference, type Table } from '../table.js'
import { isAddress, name } from './sql.js'

/** The tables in MySQL, made from the tables of columns: VoIPmonitor's with all their indexes, ours with the few that we use. */
export interface DdlOptions {
  readonly ipv6: boolean
  /** The first partitions, written by `partitionList`; undefined: no partitions. */
  readonly partitions: string | undefined
}

/** Binary collation: what differs is different, and comparing is cheap. */
const ENGINE = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin'
/** A longer text is indexed by its beginning: an index entry has at most 3,072 bytes. */
const INDEXED_TEXT_MAX = 700
const PREFIX = 191

// biome-ignore lint/suspicious/noExplicitAny: columns of any table.
type AnyColumn = Column<any>
// biome-ignore lint/suspicious/noExplicitAny: rows of any table.
type AnyTable = Table<any, any>

function definition({ name: column, type }: AnyColumn, ipv6: boolean): string {
  const shape = ipv6 && isAddress(column) ? type.replace('int(10) unsigned', 'varbinary(16)') : type
  return `${name(column)} ${/not null/.test(shape) ? shape : `${shape} DEFAULT NULL`}`
}

/** `index:column` or just `column`. */
const theirIndex = (text: string): string => {
  const [index, column] = text.split(':') as [string, string?]
  return `KEY ${name(index)} (${name(column ?? index)})`
}

function ourIndex(table: AnyTable, index: readonly string[]): string {
  const part = (column: string): string => {
    const length = Number(/^varchar\((\d+)\)/.exec(table.columns.find((c) => c.name === column)?.type ?? '')?.[1] ?? 0)
    return length > INDEXED_TEXT_MAX ? `${name(column)}(${PREFIX})` : name(column)
  }
  return `KEY ${name(index.join('_'))} (${index.map(part).join(', ')})`
}

/** What makes a record one: its start, and a digest of its sensor and whole Call-ID, which is too long for an index. The start comes first: new rows go to the end of the index. */
const CALL_KEY = '`call_key` binary(16) NOT NULL'

function callTableDdl(table: AnyTable, { ipv6, partitions }: DdlOptions): string {
  const keyed = table.name === 'cdr'
  const lines = keyed
    ? ['`ID` bigint(20) unsigned NOT NULL AUTO_INCREMENT', ...table.columns.map((c) => definition(notNullTimes(c), ipv6))]
    : [...reference, ...table.columns].map((c) => definition(c, ipv6))
  if (table.name === 'earshot_cdr') lines.push(CALL_KEY)
  if (keyed) lines.push('PRIMARY KEY (`ID`, `calldate`)')
  else if (table.holds === 'call') lines.push('PRIMARY KEY (`cdr_ID`, `calldate`)')
  else if (table.holds === 'positions') lines.push('PRIMARY KEY (`cdr_ID`, `position`, `calldate`)')
  if (table.name === 'earshot_cdr') lines.push('UNIQUE KEY `once` (`started_us`, `call_key`, `calldate`)')
  if (table.owner === 'voipmonitor') lines.push(...(table.theirIndexes ?? []).map(theirIndex))
  else lines.push(...(table.indexes ?? []).map((index) => ourIndex(table, index)))
  return create(table.name, lines, partitions && `PARTITION BY RANGE COLUMNS(\`calldate\`) (${partitions})`)
}

const notNullTimes = (column: AnyColumn): AnyColumn =>
  column.name === 'calldate' || column.name === 'callend' ? { ...column, type: `${column.type} not null` } : column

const bookDdl = ({ name: book, idType, column, type, kind, index }: Book): string =>
  create(book, [
    `\`id\` ${idType} NOT NULL AUTO_INCREMENT`,
    ...(kind === undefined ? [] : [`${name(kind)} tinyint(4) DEFAULT NULL`]),
    `${name(column)} ${type} DEFAULT NULL`,
    'PRIMARY KEY (`id`)',
    `UNIQUE KEY ${name(index)} (${kind === undefined ? '' : `${name(kind)}, `}${name(column)})`,
  ])

const plainDdl = (table: PlainTable, { ipv6, partitions }: DdlOptions): string =>
  create(
    table.name,
    [
      ...table.columns.map((c) => definition(c, ipv6)),
      `PRIMARY KEY (${table.primaryKey.map(name).join(', ')})`,
      ...(table.theirIndexes ?? []).map(theirIndex),
    ],
    table.partitionedBy && partitions && `PARTITION BY RANGE COLUMNS(${name(table.partitionedBy)}) (${partitions})`,
  )

/** IF NOT EXISTS: a start that was cut short is finished by the next one. */
const create = (table: string, lines: readonly string[], partitions?: string): string =>
  `CREATE TABLE IF NOT EXISTS ${name(table)} (\n  ${lines.join(',\n  ')}\n) ${ENGINE}${partitions ? `\n${partitions}` : ''}`

/** Who made the tables, and of which number they are. */
export const schemaTable = create('earshot_schema', [
  '`name` varchar(32) NOT NULL',
  '`value` varchar(255) NOT NULL',
  'PRIMARY KEY (`name`)',
])

/** A whole database of our own. */
export const ourDatabase = (options: DdlOptions): string[] => [
  ...books.map(bookDdl),
  ...callTables.map((table) => callTableDdl(table, options)),
  ...plainTables.map((table) => plainDdl(table, options)),
  view('calls'),
]

/** What goes beside VoIPmonitor's tables: ours alone, and with our name before it. */
export const besideTheirs = (options: DdlOptions): string[] => [
  ...callTables.filter((t) => t.owner === 'earshot').map((table) => callTableDdl(table, options)),
  ...plainTables.filter((t) => t.owner === 'earshot').map((table) => plainDdl(table, options)),
  view('earshot_calls'),
]

const view = (of: string): string =>
  callsView(of, {
    // Not FROM_UNIXTIME: that speaks the time zone of the session.
    time: (column) => `left(date_format(timestampadd(MICROSECOND, ${column}, '1970-01-01 00:00:00.000000'), '%Y-%m-%d %H:%i:%s.%f'), 23)`,
    concat: (...parts) => `concat(${parts.join(', ')})`,
  }).replace('CREATE VIEW', 'CREATE OR REPLACE VIEW')

/** The tables with partitions by day, of our making or theirs. */
export const partitionedTables: readonly { readonly name: string; readonly owner: 'voipmonitor' | 'earshot' }[] = [
  ...callTables,
  ...plainTables.filter((t) => t.partitionedBy !== undefined),
]
