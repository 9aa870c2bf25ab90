import type { CallRecord } from '../../call/record.js'
import { callTables } from '../all-tables.js'
import { type BookValue, isBookValue, KnownTexts } from '../books.js'
import type { Column, Table } from '../table.js'
import { dateTime, type SqlValue } from '../values.js'
import { referenceOf } from './ddl.js'

/**
 * Records as the values that SQLite is given: everything that needs no database. A thread makes the next chunk while the store's
 * own thread binds this one; that is why it is plain lists, which cross threads at little cost.
 */
export interface Chunk {
  readonly calls: readonly CallKey[]
  /** In the order of `layouts`. */
  readonly tables: readonly ChunkTable[]
  /** The texts for code books, each once; in the values stands an index into this. */
  readonly texts: readonly BookValue[]
}

export interface CallKey {
  readonly started: number
  readonly sensor: number
  readonly callId: string
  readonly revision: number
}

export interface ChunkTable {
  /** How many rows each call has. */
  readonly rows: readonly number[]
  /** Row after row; the first value of each is the number of the call, and is filled in by who stores it. */
  readonly values: SqlValue[]
  /** Columns whose values, where there are any, stand for a text. */
  readonly inBooks: readonly number[]
}

/** A table's columns that are written, the number of the call first. */
export interface Layout {
  readonly name: string
  readonly columns: readonly string[]
  // biome-ignore lint/suspicious/noExplicitAny: rows of any table.
  readonly table: Table<CallRecord, any>
  readonly values: readonly ((row: unknown) => SqlValue | BookValue)[]
  readonly dated: boolean
}

export const layouts: readonly Layout[] = callTables.map((table) => {
  const lead = table.name === 'cdr' ? ['ID'] : referenceOf(table).map((c) => c.name)
  const filled = (table.columns as readonly Column<unknown>[]).filter((column) => column.value !== undefined)
  return {
    name: table.name,
    columns: [...lead, ...filled.map((column) => column.name)],
    table,
    values: filled.map((column) => column.value as (row: unknown) => SqlValue | BookValue),
    dated: lead.includes('calldate'),
  }
})

export function chunkOf(records: readonly CallRecord[]): Chunk {
  const texts: BookValue[] = []
  const known = new KnownTexts<number>()
  const textIndex = (value: BookValue): number => {
    const there = known.get(value)
    if (there !== undefined) return there
    known.set(value, texts.length)
    return texts.push(value) - 1
  }
  const dates = records.map((record) => dateTime(record.started))
  const tables = layouts.map(({ table, values: columns, columns: { length: width }, dated }): ChunkTable => {
    const values: SqlValue[] = []
    const inBooks = new Set<number>()
    const rows = records.map((record, at) => {
      const found = table.rows(record) as readonly unknown[]
      for (const row of found) {
        values.push(null)
        if (dated) values.push(dates[at] as string)
        for (let i = 0; i < columns.length; i++) {
          const value = (columns[i] as (row: unknown) => SqlValue | BookValue)(row)
          if (isBookValue(value)) {
            inBooks.add(width - columns.length + i)
            values.push(textIndex(value))
          } else values.push(typeof value === 'bigint' ? small(value) : value)
        }
      }
      return found.length
    })
    return { rows, values, inBooks: [...inBooks] }
  })
  return {
    calls: records.map(({ started, sensorId = 0, callId, revision }) => ({ started, sensor: sensorId, callId, revision })),
    tables,
    texts,
  }
}

/** A number crosses threads for less than a bigint. */
const small = (value: bigint): number | bigint => (value <= Number.MAX_SAFE_INTEGER ? Number(value) : value)
