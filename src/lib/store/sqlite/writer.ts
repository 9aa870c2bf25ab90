import { Worker } from 'node:worker_threads'
import { OperatorError } from '../../base/errors.js'
import { builtFile } from '../../native/built-file.js'
import type { Inserted, RecordWriter } from '../cdr-store.js'
import type { Reply } from './worker.js'

/** The SQLite store behind a thread of its own, for a run that must not wait for the disk. */
export async function openSqliteWriter(path: string): Promise<RecordWriter> {
  const worker = new Worker(builtFile(import.meta.url, './worker.js'), { workerData: { path } })
  const waiting: { resolve(done: Inserted): void; reject(error: Error): void }[] = []
  let broken: Error | undefined
  const fail = (error: Error): void => {
    broken = error
    for (const one of waiting.splice(0)) one.reject(error)
  }
  worker.on('message', (reply: Reply) => {
    const one = waiting.shift()
    if (reply.ok) one?.resolve(reply.done)
    else one?.reject(new OperatorError(reply.error.code, reply.error.message, { suggestions: reply.error.suggestions }))
  })
  worker.on('error', fail)
  worker.on('exit', () => fail(new Error('The store thread has ended.')))
  const reply = (): Promise<Inserted> =>
    broken ? Promise.reject(broken) : new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  await reply()
  return {
    insert(records) {
      const done = reply()
      worker.postMessage(records)
      return done
    },
    close: () =>
      broken
        ? Promise.resolve()
        : new Promise((resolve) => {
            worker.once('exit', () => resolve())
            worker.postMessage('close')
          }),
  }
}
