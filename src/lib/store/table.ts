import type { BookValue, SqlValue } from './values.js'

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
  readonly rows: (record: Record) => readonly Row[]
  readonly columns: readonly Column<Row>[]
  readonly indexes?: readonly (readonly string[])[]
}

/** Columns come as [name, type, meaning, value] to keep a long table readable. */
export type ColumnRow<Row> = readonly [name: string, type: string, help?: string, value?: (row: Row) => SqlValue | BookValue]

export const columns = <Row>(rows: readonly ColumnRow<Row>[]): Column<Row>[] =>
  rows.map(([name, type, help, value]) => ({
    name,
    type,
    ...(help === undefined ? {} : { help }),
    ...(value === undefined ? {} : { value }),
  }))
