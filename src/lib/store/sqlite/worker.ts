// The writing thread of the SQLite store: a checkpoint or a slow disk stalls it, never the capture.
import { parentPort, workerData } from 'node:worker_threads'
import { OperatorError } from '../../base/errors.js'
import type { CallRecord } from '../../call/record.js'
import type { InsertCounts } from '../cdr-store.js'
import { type FailureKind, failureKind } from '../failure.js'
import { recordOfText } from '../record-of-text.js'
import { openSqlite } from './store.js'

export type ToWriter = { readonly records: readonly CallRecord[] } | { readonly texts: readonly string[] }
export type Reply = { readonly ok: true; readonly counts: InsertCounts } | { readonly ok: false; readonly error: Told }
export interface Told {
  readonly kind: FailureKind
  readonly code: string
  readonly message: string
  readonly suggestions: string[]
}

const told = (error: unknown): Told =>
  error instanceof OperatorError
    ? { kind: failureKind(error), code: error.code, message: error.message, suggestions: error.suggestions }
    : { kind: 'store', code: 'STORE_WRITE', message: String(error), suggestions: [] }

try {
  const store = openSqlite((workerData as { path: string }).path, { readonly: false })
  const insert = async (message: ToWriter): Promise<InsertCounts> =>
    store.insert('texts' in message ? message.texts.map(recordOfText) : message.records)
  parentPort?.postMessage({ ok: true, counts: { stored: 0, updated: 0, duplicates: 0 } } satisfies Reply)
  parentPort?.on('message', (message: ToWriter | 'close') => {
    if (message === 'close') {
      void store.close().then(() => parentPort?.close())
      return
    }
    insert(message).then(
      (counts) => parentPort?.postMessage({ ok: true, counts } satisfies Reply),
      (error) => parentPort?.postMessage({ ok: false, error: told(error) } satisfies Reply),
    )
  })
} catch (error) {
  parentPort?.postMessage({ ok: false, error: told(error) } satisfies Reply)
  parentPort?.close()
}
