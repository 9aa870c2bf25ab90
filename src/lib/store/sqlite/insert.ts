import type { CallRecord } from '../../call/record.js'
import { cdrTable } from '../cdr-columns.js'
import type { InsertCounts } from '../cdr-store.js'
import { childTables } from '../child-columns.js'
import type { Column } from '../table.js'
import type { BookValue, SqlValue } from '../values.js'
import type { Database, Statement } from './driver.js'

/** Writes records: one transaction a batch, each call once, a later word on a call in place of the earlier. */
export type Inserter = (records: readonly CallRecord[]) => InsertCounts

/** Texts remembered with their ids; a book that grows beyond is simply asked again. */
const BOOK_CACHE_MAX = 20_000

const books = {
  cdr_sip_response: [
    'INSERT OR IGNORE INTO cdr_sip_response (lastSIPresponse) VALUES (?)',
    'SELECT id FROM cdr_sip_response WHERE lastSIPresponse = ?',
  ],
  cdr_ua: ['INSERT OR IGNORE INTO cdr_ua (ua) VALUES (?)', 'SELECT id FROM cdr_ua WHERE ua = ?'],
  cdr_reason: ['INSERT OR IGNORE INTO cdr_reason (reason, type) VALUES (?, ?)', 'SELECT id FROM cdr_reason WHERE reason = ? AND type = ?'],
} as const

export function inserter(db: Database): Inserter {
  const find = db.prepare('SELECT cdr_ID AS id, revision FROM earshot_cdr WHERE sensor = ? AND call_id = ? AND started_us = ?')
  const lookUp = codeBooks(db)
  const cdr = prepareInsert(db, cdrTable.name, 'ID', cdrTable.columns)
  const children = childTables.map((table) => ({ table, insert: prepareInsert(db, table.name, 'cdr_ID', table.columns) }))
  const removals = [cdrTable, ...childTables].map(({ name }) =>
    db.prepare(`DELETE FROM ${name} WHERE ${name === 'cdr' ? 'ID' : 'cdr_ID'} = ?`),
  )
  const insertOne = (record: CallRecord): keyof InsertCounts => {
    const there = find.get(record.sensorId ?? 0, record.callId, record.started) as { id: number; revision: number } | undefined
    if (there !== undefined) {
      if (there.revision >= record.revision) return 'duplicates'
      for (const remove of removals) remove.run(there.id)
    }
    // A row without a number gets the next one.
    const id = cdr.statement.run(there?.id ?? null, ...cdr.filled.map((column) => lookUp(column.value?.(record) ?? null))).lastInsertRowid
    for (const { table, insert } of children) {
      for (const row of table.rows(record)) insert.statement.run(id, ...insert.filled.map((column) => lookUp(column.value?.(row) ?? null)))
    }
    return there === undefined ? 'stored' : 'updated'
  }
  return db.transaction((records: readonly CallRecord[]) => {
    const counts = { stored: 0, updated: 0, duplicates: 0 }
    for (const record of records) counts[insertOne(record)]++
    return counts
  })
}

function prepareInsert<Row>(
  db: Database,
  table: string,
  id: string,
  columns: readonly Column<Row>[],
): { statement: Statement; filled: Column<Row>[] } {
  const filled = columns.filter((column) => column.value !== undefined)
  const names = [id, ...filled.map((column) => column.name)]
  return {
    statement: db.prepare(`INSERT INTO ${table} (${names.map((n) => `"${n}"`).join(', ')}) VALUES (${names.map(() => '?').join(', ')})`),
    filled,
  }
}

function codeBooks(db: Database): (value: SqlValue | BookValue) => SqlValue {
  const cache = new Map<string, number>()
  const statements = Object.fromEntries(
    Object.entries(books).map(([name, [add, get]]) => [name, { add: db.prepare(add), get: db.prepare(get) }]),
  )
  return (value) => {
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
    const key = `${value.book}\0${value.type ?? ''}\0${value.text}`
    const known = cache.get(key)
    if (known !== undefined) return known
    const { add, get } = statements[value.book] as { add: Statement; get: Statement }
    const parameters = value.type === undefined ? [value.text] : [value.text, value.type]
    add.run(...parameters)
    const { id } = get.get(...parameters) as { id: number }
    if (cache.size >= BOOK_CACHE_MAX) cache.clear()
    cache.set(key, id)
    return id
  }
}
