import type { CallRecord } from '../../call/record.js'
import { callTables } from '../all-tables.js'
import { type BookValue, bookKey, books } from '../books.js'
import type { InsertCounts } from '../cdr-store.js'
import type { Column, Table } from '../table.js'
import { dateTime, type SqlValue } from '../values.js'
import { quoted, referenceOf } from './ddl.js'
import type { Database, Statement } from './driver.js'

/** Writes records: one transaction a batch, each call once, a higher revision in the place of a lower. */
export type Inserter = (records: readonly CallRecord[]) => InsertCounts

/** Texts remembered with their ids; a book that grows beyond is simply asked again. */
const BOOK_CACHE_MAX = 20_000

export function inserter(db: Database): Inserter {
  const find = db.prepare('SELECT cdr_ID AS id, revision FROM earshot_cdr WHERE started_us = ? AND sensor = ? AND call_id = ?')
  const lookUp = codeBooks(db)
  const [cdr, ...children] = callTables.map((table) => tableInserter(db, table, lookUp)) as [TableInserter, ...TableInserter[]]
  const insertOne = (record: CallRecord): keyof InsertCounts => {
    const there = find.get(record.started, record.sensorId ?? 0, record.callId) as { id: number; revision: number } | undefined
    if (there !== undefined && record.revision <= there.revision) return 'duplicates'
    if (there !== undefined) for (const table of [...children, cdr]) table.remove.run(there.id)
    // null lets SQLite choose; a new revision keeps the number of the call.
    const calldate = dateTime(record.started)
    const id = cdr.add(cdr.rows(record)[0], there?.id ?? null, calldate)
    for (const table of children) for (const row of table.rows(record)) table.add(row, id, calldate)
    return there === undefined ? 'stored' : 'updated'
  }
  return db.transaction((records: readonly CallRecord[]) => {
    const done = { stored: 0, updated: 0, duplicates: 0 }
    for (const record of records) done[insertOne(record)]++
    return done
  })
}

interface TableInserter {
  readonly remove: Statement
  readonly rows: (record: CallRecord) => readonly unknown[]
  add(row: unknown, id: number | bigint | null, calldate: string): number | bigint
}

// biome-ignore lint/suspicious/noExplicitAny: rows of any table.
function tableInserter(db: Database, table: Table<CallRecord, any>, lookUp: (value: SqlValue | BookValue) => SqlValue): TableInserter {
  const isCdr = table.name === 'cdr'
  const lead = isCdr ? ['ID'] : referenceOf(table).map((c) => c.name)
  const filled = (table.columns as readonly Column<unknown>[]).filter((column) => column.value !== undefined)
  const names = [...lead, ...filled.map((column) => column.name)]
  const statement = db.prepare(`INSERT INTO ${table.name} (${names.map(quoted).join(', ')}) VALUES (${names.map(() => '?').join(', ')})`)
  const values = filled.map((column) => column.value as (row: unknown) => SqlValue | BookValue)
  const dated = lead.includes('calldate')
  const bound: unknown[] = new Array(names.length)
  return {
    remove: db.prepare(`DELETE FROM ${table.name} WHERE ${lead[0]} = ?`),
    rows: table.rows,
    add(row, id, calldate) {
      bound[0] = id
      if (dated) bound[1] = calldate
      for (let i = 0; i < values.length; i++) bound[lead.length + i] = lookUp((values[i] as (row: unknown) => SqlValue | BookValue)(row))
      // Spread: an array would be read element by element through slower calls.
      return statement.run(...bound).lastInsertRowid
    },
  }
}

function codeBooks(db: Database): (value: SqlValue | BookValue) => SqlValue {
  const cache = new Map<string, number>()
  const statements = new Map(
    books.map(({ name, column, kind }) => [
      name,
      kind === undefined
        ? {
            add: db.prepare(`INSERT OR IGNORE INTO ${name} (${column}) VALUES (?)`),
            get: db.prepare(`SELECT id FROM ${name} WHERE ${column} = ?`),
          }
        : {
            add: db.prepare(`INSERT OR IGNORE INTO ${name} (${column}, ${kind}) VALUES (?, ?)`),
            get: db.prepare(`SELECT id FROM ${name} WHERE ${column} = ? AND ${kind} = ?`),
          },
    ]),
  )
  return (value) => {
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
    const key = bookKey(value)
    const known = cache.get(key)
    if (known !== undefined) return known
    const { add, get } = statements.get(value.book) as { add: Statement; get: Statement }
    const parameters = value.type === undefined ? [value.text] : [value.text, value.type]
    let there = get.get(...parameters) as { id: number } | undefined
    if (there === undefined) {
      add.run(...parameters)
      there = get.get(...parameters) as { id: number }
    }
    if (cache.size >= BOOK_CACHE_MAX) cache.clear()
    cache.set(key, there.id)
    return there.id
  }
}
