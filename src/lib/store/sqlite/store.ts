import type { CallRecord } from '../../call/record.js'
import type { CdrStore } from '../cdr-store.js'
import { readerOver } from '../read/reader.js'
import { type Chunk, chunkOf } from './chunk.js'
import { type Database, openDatabase, writeFailure } from './driver.js'
import { type Inserter, inserter } from './insert.js'
import { sqliteEngine } from './read.js'
import { checkSchema, ensureSchema } from './schema.js'

/** The SQLite store, in the thread that calls it. */
export function openSqlite(path: string, options: { readonly: boolean }): CdrStore {
  if (options.readonly) {
    const db = openDatabase(path, options)
    checkSchema(db, path)
    return {
      async insert() {
        throw new Error('The store was opened for reading.')
      },
      ...readerOver(sqliteEngine(db)),
    }
  }
  const db = openForWriting(path)
  const store = writing(db, path)
  return {
    async insert(records) {
      const chunk = valuesOf(records, path)
      store.begin()
      store.add(chunk)
      return store.commit()
    },
    ...readerOver(sqliteEngine(db)),
  }
}

function valuesOf(records: readonly CallRecord[], path: string): Chunk {
  try {
    return chunkOf(records)
  } catch (error) {
    throw writeFailure(path, error as Error)
  }
}

/** Its writing half alone. A step that fails ends the transaction, and fails with a StoreFailure. */
export function openSqliteStore(path: string): Inserter & { close(): void } {
  const db = openForWriting(path)
  return { ...writing(db, path), close: () => db.close() }
}

function openForWriting(path: string): Database {
  const db = openDatabase(path, { readonly: false })
  try {
    // Readers do not block the writer and the other way round. What was answered survives a power cut: the queue forgets it then.
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    // The indexes of numbers are written all over: pages are copied into the file every 64 MiB, not every 4. In memory 16 MiB of them
    // do: the kernel has the others, and more cost a long-running sensor memory and gained it no time (bench/store.ts).
    db.pragma('cache_size = -16384')
    db.pragma('wal_autocheckpoint = 16384')
    ensureSchema(db, path)
    return db
  } catch (error) {
    db.close()
    throw error instanceof Error && 'suggestions' in error ? error : writeFailure(path, error as Error)
  }
}

function writing(db: Database, path: string): Inserter {
  const insert = inserter(db)
  const guarded =
    <T extends unknown[], R>(work: (...values: T) => R) =>
    (...values: T): R => {
      try {
        return work(...values)
      } catch (error) {
        insert.rollback()
        throw writeFailure(path, error as Error)
      }
    }
  return { begin: guarded(insert.begin), add: guarded(insert.add), commit: guarded(insert.commit), rollback: guarded(insert.rollback) }
}
