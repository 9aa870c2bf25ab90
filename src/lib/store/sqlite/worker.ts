// The writing thread of the SQLite store: a checkpoint or a slow disk stalls it, never the capture.
import { parentPort, workerData } from 'node:worker_threads'
import { OperatorError } from '../../base/errors.js'
import type { InsertCounts } from '../cdr-store.js'
import { type FailureKind, failureKind } from '../failure.js'
import type { Chunk } from './chunk.js'
import { openSqliteStore } from './store.js'

/** A batch comes in chunks, the first said to be so; at its end it is stored, or dropped when there was trouble with what was to come. */
export type ToWriter = { readonly chunk: Chunk; readonly first: boolean } | 'store' | 'drop' | 'close'
/** To 'store' and 'drop', and once at the start. */
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
const nothing: InsertCounts = { stored: 0, updated: 0, duplicates: 0 }
const reply = (message: Reply): void => parentPort?.postMessage(message)

try {
  const store = openSqliteStore((workerData as { path: string }).path)
  /** Of a chunk of this batch: those that follow it are passed over. */
  let trouble: unknown
  const attempt = (work: () => void): void => {
    if (trouble !== undefined) return
    try {
      work()
    } catch (error) {
      trouble = error
    }
  }
  reply({ ok: true, counts: nothing })
  parentPort?.on('message', (message: ToWriter) => {
    if (message === 'close') {
      store.close()
      parentPort?.close()
    } else if (message === 'store' || message === 'drop') {
      let counts = nothing
      attempt(() => {
        if (message === 'store') counts = store.commit()
        else store.rollback()
      })
      reply(trouble === undefined ? { ok: true, counts } : { ok: false, error: told(trouble) })
      trouble = undefined
    } else
      attempt(() => {
        if (message.first) store.begin()
        store.add(message.chunk)
      })
  })
} catch (error) {
  reply({ ok: false, error: told(error) })
  parentPort?.close()
}
