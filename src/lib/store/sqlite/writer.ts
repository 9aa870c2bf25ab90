import { Worker } from 'node:worker_threads'
import { builtFile } from '../../native/built-file.js'
import type { InsertCounts, RecordWriter } from '../cdr-store.js'
import { StoreFailure } from '../failure.js'
import type { Reply, ToWriter } from './worker.js'

/** The SQLite store behind a thread of its own, for a run that must not wait for the disk. */
export async function openSqliteWriter(path: string): Promise<RecordWriter> {
  const worker = new Worker(builtFile(import.meta.url, './worker.js'), { workerData: { path } })
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
  const send = (message: ToWriter): Promise<InsertCounts> => {
    const done = reply()
    worker.postMessage(message)
    return done
  }
  return {
    get broken() {
      return broken !== undefined
    },
    insert: (records) => send({ records }),
    insertTexts: (texts) => send({ texts }),
    close: () =>
      broken
        ? Promise.resolve()
        : new Promise((resolve) => {
            worker.once('exit', () => resolve())
            worker.postMessage('close')
          }),
  }
}
