import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { OperatorError } from '../../base/errors.js'
import { makeDirectory } from '../../native/make-directory.js'
import { type FailureKind, StoreFailure } from '../failure.js'

/** The few methods of better-sqlite3 that we use, and the one file that knows its name. */
export interface Statement {
  run(...values: unknown[]): { readonly changes: number; readonly lastInsertRowid: number | bigint }
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  iterate(...values: unknown[]): IterableIterator<unknown>
  /** From now on rows come as arrays. */
  raw(): Statement
  columns(): { readonly name: string }[]
}

export interface Database {
  prepare(sql: string): Statement
  exec(sql: string): void
  pragma(sql: string, options?: { simple: boolean }): unknown
  readonly inTransaction: boolean
  transaction<T extends unknown[], R>(work: (...values: T) => R): { (...values: T): R; immediate(...values: T): R }
  close(): void
}

/** Where the build of better-sqlite3 puts its native part; by itself it would try a dozen places. */
const NATIVE_PART = 'better-sqlite3/build/Release/better_sqlite3.node'

/** How long a write waits for another process that holds the lock. */
const BUSY_MS = 10_000

export function openDatabase(path: string, options: { readonly: boolean }): Database {
  const Sqlite = BetterSqlite3 as unknown as new (path: string, options: object) => Database
  try {
    if (!options.readonly && path !== ':memory:') makeDirectory(dirname(path))
    const nativeBinding = createRequire(import.meta.url)(NATIVE_PART)
    const db = new Sqlite(path, { readonly: options.readonly, fileMustExist: options.readonly, timeout: BUSY_MS, nativeBinding })
    // A file that is no database says so only when it is first read.
    db.pragma('schema_version')
    return db
  } catch (error) {
    throw cannotOpen(path, options.readonly, error as Error & { code?: string })
  }
}

/** Of the library that is in better-sqlite3. */
export function sqliteVersion(): string {
  const db = openDatabase(':memory:', { readonly: false })
  try {
    return (db.prepare('SELECT sqlite_version() AS version').get() as { version: string }).version
  } finally {
    db.close()
  }
}

function cannotOpen(path: string, readonly: boolean, error: Error & { code?: string }): OperatorError {
  const code = error.code ?? ''
  if (readonly && (code === 'SQLITE_CANTOPEN' || /does not exist|unable to open/.test(error.message))) {
    return new OperatorError('NO_STORE', `There is no record database at "${path}".`, {
      cause: error,
      suggestions: ['Make one: earshot sniff -r call.pcap --store sqlite:calls.db', 'Or name it: --store sqlite:PATH'],
    })
  }
  if (/better_sqlite3\.node|NODE_MODULE_VERSION/.test(error.message)) {
    return new OperatorError('NATIVE_PART', 'SQLite is not usable: the native part of better-sqlite3 was not built for this Node.', {
      cause: error,
      suggestions: [
        'npm runs install scripts only where they are allowed: npm install -g --allow-scripts=better-sqlite3,koffi,lz4 earshot-VERSION.tgz',
        'After a change of Node: npm rebuild -g',
      ],
    })
  }
  if (code === 'SQLITE_NOTADB') {
    return new OperatorError('NOT_A_STORE', `"${path}" is not an SQLite database.`, {
      cause: error,
      suggestions: ['Give another path to --store.'],
    })
  }
  return new StoreFailure(
    failures.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'store',
    'STORE_OPEN',
    `Cannot ${readonly ? 'read' : 'write'} the record database "${path}": ${error.message}.`,
    {
      cause: error,
      suggestions: ['Check the directory, its permissions and the space on the disk, or give another path: --store sqlite:PATH'],
    },
  )
}

/** What SQLite's codes mean for the records, and in words. Constraint, mismatch and too big speak of a value; what is not here, of the file. */
const failures: readonly (readonly [code: string, kind: FailureKind, why?: string])[] = [
  ['SQLITE_FULL', 'transient', 'the disk is full'],
  ['SQLITE_BUSY', 'transient', 'another process keeps it locked'],
  ['SQLITE_LOCKED', 'transient', 'another process keeps it locked'],
  ['SQLITE_IOERR', 'transient', 'the disk reports an error'],
  ['SQLITE_NOMEM', 'transient'],
  ['ENOSPC', 'transient', 'the disk is full'],
  ['SQLITE_READONLY', 'store', 'it is read-only'],
  ['SQLITE_CORRUPT', 'store', 'the file is damaged'],
  ['SQLITE_CONSTRAINT', 'record'],
  ['SQLITE_MISMATCH', 'record'],
  ['SQLITE_TOOBIG', 'record'],
]

/** A failed write, told so that an operator can act. */
export function writeFailure(path: string, error: Error & { code?: string }): StoreFailure {
  const [, kind, why] = failures.find(([prefix]) => error.code?.startsWith(prefix)) ?? ['', error.code === undefined ? 'record' : 'store']
  return new StoreFailure(kind, 'STORE_WRITE', `Cannot write to the record database "${path}": ${why ?? error.message}.`, {
    cause: error,
    suggestions: ['Make room or lift the lock and start again; the same input stored twice gives each call once.'],
  })
}
