// The recording thread: the queue on disk and the store. Whatever happens to them stalls it, never the capture.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { OperatorError } from '../base/errors.js'
import { Backlog, type Journal, openJournal } from '../journal/index.js'
import { processIdentity } from '../native/process-identity.js'
import { checkStoreUrl, openWriter } from '../store/index.js'
import type { RecordingPlan } from './record-queue.js'
import { Recorder } from './recorder.js'
import type { RecordsNotice, RecordsStatus } from './records-status.js'
import { RefusedFile } from './refused-file.js'

export type ToRecorder = { readonly texts: readonly string[] } | { readonly close: true }
export type FromRecorder =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: Told }
  | { readonly kind: 'status'; readonly status: RecordsStatus }
  /** A message with texts has been dealt with. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'notice'; readonly notice: RecordsNotice }
  | { readonly kind: 'closed'; readonly status: RecordsStatus }

/** An OperatorError on its way between threads. */
export interface Told {
  readonly code: string
  readonly message: string
  readonly suggestions: string[]
  readonly exit: number
}

const LET_GO_MS = 1000
const instance = `${processIdentity()}.${randomUUID().slice(0, 8)}`
const plan = workerData as RecordingPlan
const tell = (message: FromRecorder): void => parentPort?.postMessage(message)
const notice = (kind: RecordsNotice['kind'], message: string, suggestions: string[] = []): void =>
  tell({ kind: 'notice', notice: { kind, message, suggestions } })

async function work(): Promise<void> {
  let journal: Journal | undefined
  try {
    const { queue, storeUrl, sensorId, live } = plan
    await checkStoreUrl(storeUrl)
    if (queue !== undefined) journal = await openJournal(queue.dir, storeUrl, queue)
    const recorder = new Recorder({
      open: () => openWriter(storeUrl, { sensorId, instance, onNotice: (text) => notice('trouble', text) }),
      journal,
      backlog: new Backlog({
        journal,
        // A file waits, so there is no end to what memory must hold for it, but little.
        memoryBytesMax: live ? plan.memoryBytesMax : Number.POSITIVE_INFINITY,
        drop: plan.drop,
        onJournal: (failure) =>
          failure === undefined
            ? notice('good', 'The queue on disk works again.')
            : notice('trouble', `The queue on disk fails: ${failure.message}. Records wait in memory; a crash would lose them.`, [
                'Make room on its disk, or give it another directory: --queue DIR',
              ]),
      }),
      refusedFile: journal && new RefusedFile(join(journal.dir, 'refused.ndjson')),
      giveUpSeconds: live ? undefined : plan.giveUpSeconds,
      onNotice: (one) => tell({ kind: 'notice', notice: one }),
      onStatus: (status) => tell({ kind: 'status', status }),
    })
    await recorder.start(live)
    parentPort?.on('message', (message: ToRecorder) => {
      if ('texts' in message) void recorder.take(message.texts).then(() => tell({ kind: 'taken' }))
      else
        void recorder.close(live ? plan.closeSeconds : undefined).then((status) => {
          tell({ kind: 'closed', status })
          parentPort?.close()
          // A store that does not let go must not keep the thread.
          setTimeout(() => process.exit(), LET_GO_MS).unref()
        })
    })
    tell({ kind: 'ready' })
  } catch (error) {
    await journal?.close().catch(() => {})
    const told =
      error instanceof OperatorError
        ? { code: error.code, message: error.message, suggestions: error.suggestions, exit: error.exit }
        : { code: 'RECORDER', message: String(error), suggestions: [], exit: 1 }
    tell({ kind: 'failed', error: told })
    parentPort?.close()
  }
}
void work()
