import { type BookValue, books, KnownTexts } from '../books.js'
import type { InsertCounts } from '../cdr-store.js'
import type { SqlValue } from '../values.js'
import { type CallKey, type Chunk, type ChunkTable, type Layout, layouts } from './chunk.js'
import { quoted } from './ddl.js'
import type { Database, Statement } from './driver.js'

/** Writes records in one transaction, each call once, a higher revision in the place of a lower. */
export interface Inserter {
  begin(): void
  add(chunk: Chunk): void
  commit(): InsertCounts
  /** Nothing happens when there is no transaction. */
  rollback(): void
}

/** Texts remembered with their ids; a book that grows beyond is simply asked again. */
const BOOK_CACHE_MAX = 20_000

export function inserter(db: Database): Inserter {
  const find = db.prepare('SELECT cdr_ID AS id, revision FROM earshot_cdr WHERE started_us = ? AND sensor = ? AND call_id = ?')
  const last = db.prepare('SELECT coalesce(max(ID), 0) AS id FROM cdr')
  const texts = codeBooks(db)
  const tables = layouts.map((layout) => tableInserter(db, layout))
  let counts = { stored: 0, updated: 0, duplicates: 0 }
  let nextId = 0

  /** The number under which each call is stored; undefined for one that is not, because the store or a later one of these says more. */
  const place = (calls: readonly CallKey[]): (number | undefined)[] => {
    const ids: (number | undefined)[] = new Array(calls.length)
    const here = new Map<string, { id: number; revision: number; at: number | undefined }>()
    for (const [at, { started, sensor, callId, revision }] of calls.entries()) {
      const key = `${started} ${sensor} ${callId}`
      let there = here.get(key)
      if (there === undefined) {
        const found = find.get(started, sensor, callId) as { id: number; revision: number } | undefined
        there = found === undefined ? undefined : { ...found, at: undefined }
      }
      if (there !== undefined && revision <= there.revision) {
        counts.duplicates++
        continue
      }
      counts[there === undefined ? 'stored' : 'updated']++
      // A new revision keeps the number of the call; what was there of it goes.
      if (there?.at !== undefined) ids[there.at] = undefined
      else if (there !== undefined) for (const table of tables) table.remove.run(there.id)
      const id = there?.id ?? nextId++
      ids[at] = id
      here.set(key, { id, revision, at })
    }
    return ids
  }

  return {
    begin() {
      // Immediate: the highest ID is still the highest when we write.
      db.exec('BEGIN IMMEDIATE')
      counts = { stored: 0, updated: 0, duplicates: 0 }
      nextId = (last.get() as { id: number }).id + 1
    },
    add(chunk) {
      const ids = place(chunk.calls)
      const textIds = chunk.texts.map(texts.id)
      for (const [at, table] of tables.entries()) table.add(chunk.tables[at] as ChunkTable, ids, textIds)
    },
    commit() {
      db.exec('COMMIT')
      return counts
    },
    rollback() {
      // The ids of texts that were added went with the transaction.
      texts.forget()
      if (db.inTransaction) db.exec('ROLLBACK')
    },
  }
}

interface TableInserter {
  readonly remove: Statement
  add(part: ChunkTable, ids: readonly (number | undefined)[], textIds: readonly number[]): void
}

/** Values of one statement: a statement of several rows costs less than several statements, until its values no longer fit the caches. */
const VALUES_AT_ONCE = 512

function tableInserter(db: Database, { name, columns }: Layout): TableInserter {
  const width = columns.length
  // A statement that fails takes its transaction with it. FAIL spares SQLite the copies of pages it would need to undo one alone.
  const statement = (rows: number): Statement => {
    const row = `(${columns.map(() => '?').join(', ')})`
    return db.prepare(`INSERT OR FAIL INTO ${name} (${columns.map(quoted).join(', ')}) VALUES ${Array(rows).fill(row).join(', ')}`)
  }
  const group = Math.max(1, Math.floor(VALUES_AT_ONCE / width)) * width
  const many = statement(group / width)
  const one = statement(1)
  return {
    remove: db.prepare(`DELETE FROM ${name} WHERE ${columns[0]} = ?`),
    add({ rows, values, inBooks }, ids, textIds) {
      // Rows of calls that are not stored are closed up over.
      let from = 0
      let used = 0
      for (let call = 0; call < rows.length; call++) {
        const id = ids[call]
        const end = from + (rows[call] as number) * width
        if (id === undefined) {
          from = end
          continue
        }
        for (; from < end; from += width, used += width) {
          if (from !== used) values.copyWithin(used, from, from + width)
          values[used] = id
          for (const column of inBooks) {
            const text = values[used + column] as SqlValue
            if (text !== null) values[used + column] = textIds[text as number] as number
          }
        }
      }
      let at = 0
      // Spread: an array would be read element by element through slower calls.
      for (; at + group <= used; at += group) many.run(...values.slice(at, at + group))
      for (; at < used; at += width) one.run(...values.slice(at, at + width))
    },
  }
}

function codeBooks(db: Database): { id(value: BookValue): number; forget(): void } {
  const cache = new KnownTexts<number>()
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
  const id = (value: BookValue): number => {
    const known = cache.get(value)
    if (known !== undefined) return known
    const { add, get } = statements.get(value.book) as { add: Statement; get: Statement }
    const parameters = value.type === undefined ? [value.text] : [value.text, value.type]
    let there = get.get(...parameters) as { id: number } | undefined
    if (there === undefined) {
      add.run(...parameters)
      there = get.get(...parameters) as { id: number }
    }
    if (cache.size >= BOOK_CACHE_MAX) cache.clear()
    cache.set(value, there.id)
    return there.id
  }
  return { id, forget: () => cache.clear() }
}
