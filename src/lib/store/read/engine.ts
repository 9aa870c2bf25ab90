import type { AddressValue, Network } from '../../query/network.js'
import type { Pattern } from '../../query/pattern.js'
import type { SqlValue } from '../values.js'

/**
 * What reading needs of a database: rows, and its way of saying a few things. All else in this folder is the same for every
 * engine. Values only ever travel as parameters.
 */
export interface ReadEngine {
  readonly dialect: Dialect
  rows(sql: string, values?: readonly SqlValue[]): Promise<Row[]>
  /** Rows as they come, for results too long to hold. */
  each(sql: string, values: readonly SqlValue[], take: (row: Row) => void): Promise<void>
  close(): Promise<void>
}

export type Row = Readonly<Record<string, unknown>>

/** A piece of SQL with the values of its question marks. */
export interface Sql {
  readonly sql: string
  readonly values: readonly SqlValue[]
}

export interface Dialect {
  /** A text fits a pattern; `fold`: case does not matter. Uses an index of the column where there can be one. */
  text(column: string, pattern: Pattern, fold: boolean): Sql
  /** Whether `text` can be answered by an index of the column. */
  indexes(pattern: Pattern, fold: boolean): boolean
  /** A column of addresses lies in a block; undefined when this database cannot hold such addresses. */
  address(column: string, network: Network): Sql | undefined
  /** The address that a column of addresses holds, as text. */
  addressText(value: unknown): string | undefined
  /** The same as a value that compares like addresses do. */
  addressValue(value: unknown): AddressValue | undefined
  /**
   * Every table of calls is partitioned by its column `calldate`: naming it spares looking into all of them. Gives cdr's from
   * earshot_cdr's, which may be finer. Undefined where tables are whole.
   */
  readonly calldate: ((ours: string) => string) | undefined
  /** Joins cdr as `c` behind the table before it, never the other way round, to be found by its number and by no other index. */
  readonly joinCdr: string
  /** earshot_cdr as `e`, walked along the index that begins with `started_us`. */
  readonly byTime: string
  /** Set where other programs write calls too, which have no row in earshot_cdr: what is asked of `e` is then asked of both. */
  readonly shared?: SharedCalls
}

/** Calls of ours and of another program in one table `cdr`. */
export interface SharedCalls {
  /** `FROM cdr c`, with what we know of a call beside it as `own`. */
  readonly from: string
  /** There is a table earshot_cdr. */
  readonly hasOwn: boolean
  /** Condition: another program wrote it. */
  readonly isTheirs: string
  /** A condition on calldate, which has an index, that holds for every call that began within these µs. */
  within(low: number | undefined, high: number | undefined): Sql
}

export const never: Sql = { sql: '1 = 0', values: [] }

export function joinSql(parts: readonly Sql[], word: 'AND' | 'OR'): Sql {
  if (parts.length === 0) return { sql: word === 'AND' ? '1 = 1' : '1 = 0', values: [] }
  if (parts.length === 1) return parts[0] as Sql
  return { sql: `(${parts.map((p) => p.sql).join(` ${word} `)})`, values: parts.flatMap((p) => p.values) }
}

/** Texts as LIKE has them, `!` before its own signs: a backslash would mean different things to different servers. */
export const likePattern = ({ pieces }: Pattern): string => pieces.map((piece) => piece.replace(/[!%_]/g, '!$&')).join('%')
