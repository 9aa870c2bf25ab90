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
  const last = db.prepare('SELECT coalesce(max(ID), 0) AS id FROM cdr')
  const texts = codeBooks(db)
  const tables = callTables.map((table) => tableInserter(db, table, texts.id))
  const work = db.transaction((records: readonly CallRecord[]) => {
    const counts = { stored: 0, updated: 0, duplicates: 0 }
    /** What this batch has decided so far, by key: rows are written at its end. */
    const calls = new Map<string, { id: number; revision: number; record: CallRecord | undefined }>()
    let nextId = (last.get() as { id: number }).id + 1
    for (const record of records) {
      const key = `${record.started} ${record.sensorId ?? 0} ${record.callId}`
      let there = calls.get(key)
      if (there === undefined) {
        const found = find.get(record.started, record.sensorId ?? 0, record.callId) as { id: number; revision: number } | undefined
        there = found === undefined ? undefined : { ...found, record: undefined }
      }
      if (there !== undefined && record.revision <= there.revision) {
        counts.duplicates++
        continue
      }
      counts[there === undefined ? 'stored' : 'updated']++
      // A new revision keeps the number of the call; what the file holds of it goes.
      if (there !== undefined && there.record === undefined) for (const table of tables) table.remove.run(there.id)
      calls.set(key, { id: there?.id ?? nextId++, revision: record.revision, record })
    }
    for (const { id, record } of calls.values()) {
      if (record === undefined) continue
      const calldate = dateTime(record.started)
      for (const table of tables) table.add(record, id, calldate)
    }
    for (const table of tables) table.flush()
    return counts
  })
  return (records) => {
    try {
      // Immediate: the highest ID is still the highest when we write.
      return work.immediate(records)
    } catch (error) {
      // The ids of texts that were added, and the rows that wait, went with the transaction.
      texts.forget()
      for (const table of tables) table.forget()
      throw error
    }
  }
}

interface TableInserter {
  readonly remove: Statement
  /** Takes the rows of a record; they are written when there are enough for one statement. */
  add(record: CallRecord, id: number, calldate: string): void
  flush(): void
  forget(): void
}

/** Values of one statement: a statement of several rows costs less than several statements, until its values no longer fit the caches. */
const VALUES_AT_ONCE = 512

// biome-ignore lint/suspicious/noExplicitAny: rows of any table.
function tableInserter(db: Database, table: Table<CallRecord, any>, lookUp: (value: SqlValue | BookValue) => SqlValue): TableInserter {
  const lead = table.name === 'cdr' ? ['ID'] : referenceOf(table).map((c) => c.name)
  const filled = (table.columns as readonly Column<unknown>[]).filter((column) => column.value !== undefined)
  const names = [...lead, ...filled.map((column) => column.name)]
  const statement = (rows: number): Statement => {
    const row = `(${names.map(() => '?').join(', ')})`
    return db.prepare(`INSERT OR FAIL INTO ${table.name} (${names.map(quoted).join(', ')}) VALUES ${Array(rows).fill(row).join(', ')}`)
  }
  const width = names.length
  const group = Math.max(1, Math.floor(VALUES_AT_ONCE / width)) * width
  const many = statement(group / width)
  const one = statement(1)
  const values = filled.map((column) => column.value as (row: unknown) => SqlValue | BookValue)
  const dated = lead.includes('calldate')
  const bound: unknown[] = new Array(group)
  let used = 0
  return {
    remove: db.prepare(`DELETE FROM ${table.name} WHERE ${lead[0]} = ?`),
    add(record, id, calldate) {
      const rows = table.rows(record) as readonly unknown[]
      for (const row of rows) {
        bound[used++] = id
        if (dated) bound[used++] = calldate
        for (const value of values) bound[used++] = lookUp(value(row))
        if (used < group) continue
        // Spread: an array would be read element by element through slower calls.
        many.run(...bound)
        used = 0
      }
    },
    flush() {
      for (let at = 0; at < used; at += width) one.run(...bound.slice(at, at + width))
      used = 0
    },
    forget() {
      used = 0
    },
  }
}

function codeBooks(db: Database): { id(value: SqlValue | BookValue): SqlValue; forget(): void } {
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
  const id = (value: SqlValue | BookValue): SqlValue => {
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
  return { id, forget: () => cache.clear() }
}
