import type { BookValue } from './books.js'
import type { SqlValue } from './values.js'

/**
 * One column: from this row come DDL, INSERT and docs/schema.md. A column without `value` is VoIPmonitor's and stays NULL
 * with us, for now.
 */
export interface Column<Row> {
  readonly name: string
  /** MySQL's type, as VoIPmonitor creates it; SQLite takes its affinity from it. */
  readonly type: string
  readonly help?: string
  readonly value?: (row: Row) => SqlValue | BookValue
}

export interface Table<Record, Row> {
  readonly name: string
  readonly help: string
  /** Ours beside theirs, or theirs. */
  readonly owner: 'voipmonitor' | 'earshot'
  /** One row a call, or several; `positions`: several, numbered by their first column. Every row but cdr's own carries `cdr_ID`; see `reference`. */
  readonly holds: 'call' | 'several' | 'positions'
  readonly rows: (record: Record) => readonly Row[]
  readonly columns: readonly Column<Row>[]
  /** What our own queries need; SQLite carries only these, ours carry them in both engines. */
  readonly indexes?: readonly (readonly string[])[]
  /** VoIPmonitor's, one column each, `index:column` where the names differ: MySQL carries them all. */
  readonly theirIndexes?: readonly string[]
}

/** A table without a record behind it: kept by people, or filled in another way. */
export interface PlainTable {
  readonly name: string
  readonly help: string
  readonly owner: 'voipmonitor' | 'earshot'
  readonly columns: readonly Column<unknown>[]
  readonly primaryKey: readonly string[]
  readonly theirIndexes?: readonly string[]
  /** The column by which MySQL partitions it. */
  readonly partitionedBy?: string
}

/** What leads from a row to its call: theirs carry the call's calldate too; ours only in MySQL, where it is what partitions are made by. */
export const reference: readonly Column<unknown>[] = [
  { name: 'cdr_ID', type: 'bigint(20) unsigned not null' },
  { name: 'calldate', type: 'datetime(3) not null' },
]

/** Columns come as [name, type, meaning, value] to keep a long table readable. */
export type ColumnRow<Row> = readonly [name: string, type: string, help?: string, value?: (row: Row) => SqlValue | BookValue]

export const columns = <Row>(rows: readonly ColumnRow<Row>[]): Column<Row>[] =>
  rows.map(([name, type, help, value]) => ({
    name,
    type,
    ...(help === undefined ? {} : { help }),
    ...(value === undefined ? {} : { value }),
  }))
