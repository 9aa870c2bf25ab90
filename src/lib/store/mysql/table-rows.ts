import type { CallRecord } from '../../call/record.js'
import { type BookValue, isBookValue } from '../books.js'
import type { Column, Table } from '../table.js'
import type { SqlValue } from '../values.js'
import type { Form } from './schema.js'
import { name, type Write, writerOf } from './sql.js'

/** One table of a database as it is there: from a record to the texts of its rows, and the statements around them. */
export interface TableRows {
  /** Quoted. */
  readonly table: string
  /** False: the database has no such table. */
  readonly there: boolean
  /** Ours, beside theirs. */
  readonly ours: boolean
  /** Its rows carry the digest of the call's key. */
  readonly keyed: boolean
  /** Its rows carry the calldate of their call: all do where tables have partitions; else VoIPmonitor's mostly lead there by the id alone. */
  readonly dated: boolean
  readonly rowsOf: (record: CallRecord) => readonly unknown[]
  /** The columns before ours that lead to the call; cdr itself has none. */
  readonly lead: readonly string[]
  /** The columns we fill; those that the database lacks (an older VoIPmonitor) are left out. */
  readonly filled: readonly Filled[]
  /** Their names, quoted. */
  readonly columns: readonly string[]
  /** The type of a column on this server; empty when it is not there. */
  typeOf(column: string): string
  /** The values of a row, without what leads to its call. */
  readonly sql: RowText
  /** `INSERT INTO … VALUES `, with these columns before ours. */
  insert(before?: readonly string[]): string
}

type RowText = (row: unknown, calldate: string, idOf: IdOf) => string
/** The id of a text in its code book. */
export type IdOf = (value: BookValue) => number | null

export interface Filled {
  readonly quoted: string
  readonly type: string
  readonly isCalldate: boolean
  readonly value: (row: unknown) => SqlValue | BookValue
}

// biome-ignore lint/suspicious/noExplicitAny: rows of any table.
export function tableRows(table: Table<CallRecord, any>, form: Form): TableRows {
  const types = form.columns.get(table.name)
  const filled = (table.columns as readonly Column<unknown>[]).flatMap(({ name: column, value }): Filled[] => {
    const type = types?.get(column)
    return value === undefined || type === undefined ? [] : [{ quoted: name(column), type, isCalldate: column === 'calldate', value }]
  })
  const keyed = table.name === 'earshot_cdr'
  const quoted = name(table.name)
  const columns = filled.map((c) => c.quoted)
  const dated = types?.has('calldate') ?? false
  const lead = table.name === 'cdr' ? [] : ['cdr_ID', ...(dated ? ['calldate'] : []), ...(keyed ? ['call_key'] : [])]
  return {
    table: quoted,
    there: types !== undefined,
    ours: table.owner === 'earshot',
    keyed,
    dated,
    lead,
    filled,
    typeOf: (column) => types?.get(column) ?? '',
    rowsOf: table.rows,
    columns,
    sql: rowText(filled),
    insert: (before = []) => `INSERT INTO ${quoted} (${[...before.map(name), ...columns].join(', ')}) VALUES `,
  }
}

function rowText(columns: readonly Filled[]): RowText {
  const writes = columns.map(({ type }) => writerOf(type))
  const values = columns.map(({ isCalldate, value }) => (isCalldate ? undefined : value))
  // Joined, not added up: a text that is made of hundreds of pieces would be kept as these pieces.
  const parts: string[] = new Array(columns.length).fill('')
  return (row, calldate, idOf) => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      if (value === undefined) parts[i] = `'${calldate}'`
      else {
        const v = value(row)
        parts[i] = (writes[i] as Write)(isBookValue(v) ? idOf(v) : v)
      }
    }
    return parts.join(',')
  }
}
