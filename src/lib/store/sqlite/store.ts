import type { CdrStore } from '../cdr-store.js'
import { readerOver } from '../read/reader.js'
import { openDatabase, writeFailure } from './driver.js'
import { inserter } from './insert.js'
import { sqliteEngine } from './read.js'
import { checkSchema, ensureSchema } from './schema.js'

/** The SQLite store, in the thread that calls it. */
export function openSqlite(path: string, options: { readonly: boolean }): CdrStore {
  const db = openDatabase(path, options)
  if (!options.readonly) {
    try {
      // Readers do not block the writer and the other way round. What was answered survives a power cut: the queue forgets it then.
      db.pragma('journal_mode = WAL')
      db.pragma('synchronous = FULL')
      // The indexes of numbers are written all over: pages stay in memory, and are copied into the file every 64 MiB, not every 4.
      db.pragma('cache_size = -65536')
      db.pragma('wal_autocheckpoint = 16384')
      ensureSchema(db, path)
    } catch (error) {
      db.close()
      throw error instanceof Error && 'suggestions' in error ? error : writeFailure(path, error as Error)
    }
  } else checkSchema(db, path)
  const insert = options.readonly ? undefined : inserter(db)
  return {
    async insert(records) {
      if (insert === undefined) throw new Error('The store was opened for reading.')
      try {
        return insert(records)
      } catch (error) {
        throw writeFailure(path, error as Error)
      }
    },
    ...readerOver(sqliteEngine(db)),
  }
}
