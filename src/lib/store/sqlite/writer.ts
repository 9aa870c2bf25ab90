import { setImmediate as immediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { CallRecord } from '../../call/record.js'
import { builtFile } from '../../native/built-file.js'
import type { InsertCounts, RecordWriter } from '../cdr-store.js'
import { StoreFailure } from '../failure.js'
import { recordOfText } from '../record-of-text.js'
import { chunkOf } from './chunk.js'
import type { Reply, ToWriter } from './worker.js'

/** Records of one chunk: few, so that the other thread soon has work; many, so that messages do not count. */
const CHUNK = 200

/**
 * The SQLite store behind a thread of its own, for a run that must not wait for the disk. The two threads share the work: this
 * one turns records into values, a chunk at a time, while that one stores the chunk before.
 */
export async function openSqliteWriter(path: string): Promise<RecordWriter> {
  const worker = new Worker(builtFile(import.meta.url, './worker.cjs'), { workerData: { path } })
  const waiting: { resolve(counts: InsertCounts): void; reject(error: Error): void }[] = []
  let broken: Error | undefined
  const fail = (error: Error): void => {
    broken = error
    for (const one of waiting.splice(0)) one.reject(error)
  }
  worker.on('message', (reply: Reply) => {
    const one = waiting.shift()
    if (reply.ok) one?.resolve(reply.counts)
    else one?.reject(new StoreFailure(reply.error.kind, reply.error.code, reply.error.message, reply.error))
  })
  const died = (why: string, cause?: Error): void =>
    fail(new StoreFailure('transient', 'STORE_THREAD', `The thread that writes "${path}" ${why}.`, { suggestions: [], cause }))
  worker.on('error', (error) => died(`failed: ${error.message}`, error))
  worker.on('exit', () => died('has ended'))
  const reply = (): Promise<InsertCounts> =>
    broken ? Promise.reject(broken) : new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  await reply()
  const post = (message: ToWriter): void => worker.postMessage(message)

  const send = async <T>(items: readonly T[], read: (item: T) => CallRecord): Promise<InsertCounts> => {
    if (items.length === 0) return { stored: 0, updated: 0, duplicates: 0 }
    try {
      for (let at = 0; at < items.length; at += CHUNK) {
        post({ chunk: chunkOf(items.slice(at, at + CHUNK).map(read)), first: at === 0 })
        // Records that come in meanwhile are put into the queue meanwhile.
        await immediate()
      }
    } catch (error) {
      post('drop')
      await reply()
      // What has no values is the record's own trouble.
      throw error instanceof StoreFailure
        ? error
        : new StoreFailure('record', 'RECORD_VALUES', `A record cannot be stored: ${(error as Error).message}.`, {
            suggestions: [],
            cause: error,
          })
    }
    post('store')
    return reply()
  }
  /** Batches follow one another: their chunks would mix. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = (work: () => Promise<InsertCounts>): Promise<InsertCounts> => {
    const done = turn.then(work)
    turn = done.catch(() => {})
    return done
  }
  return {
    get broken() {
      return broken !== undefined
    },
    insert: (records) => inTurn(() => send(records, (record) => record)),
    insertTexts: (texts) => inTurn(() => send(texts, recordOfText)),
    close: () =>
      broken
        ? Promise.resolve()
        : new Promise((resolve) => {
            worker.once('exit', () => resolve())
            post('close')
          }),
  }
}
