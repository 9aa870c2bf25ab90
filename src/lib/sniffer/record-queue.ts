import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { OperatorError } from '../base/errors.js'
import type { CallRecord } from '../call/record.js'
import { recordText } from '../call/record-text.js'
import { builtFile } from '../native/built-file.js'
import type { FromRecorder, ToRecorder } from './recorder-worker.js'
import type { RecordsNotice, RecordsStatus } from './records-status.js'

/**
 * The capture's end of the way to the store: hands records to the recording thread as text and never waits for it.
 *
 *     hot thread │ recording thread
 *     offer ─────┼─▶ queue on disk (or in memory) ─▶ store
 *          ◀─────┼── status, notices
 *
 * A file, which can wait, waits for `drained`.
 */
export interface RecordingOptions {
  readonly storeUrl: string
  /** The number this sensor writes under; a store of many sensors notices when two use one. */
  readonly sensorId: number | undefined
  /** A queue on disk; without it records wait in memory. */
  readonly queue: { readonly dir: string; readonly bytesMax: number; readonly drop: 'oldest' | 'newest' } | undefined
  readonly memoryBytesMax: number
  /** What gives way in a full memory. */
  readonly drop: 'oldest' | 'newest'
  /** A wire: a store that is away at the start is waited for, and the end waits for it `closeSeconds` at the most. */
  readonly live: boolean
  onNotice(notice: RecordsNotice): void
}

/** What the recording thread is told at its start. */
export interface RecordingPlan extends Omit<RecordingOptions, 'onNotice'> {
  readonly giveUpSeconds: number
  readonly closeSeconds: number
}

/** A run over a file gives a store that fails this long. */
const GIVE_UP_SECONDS = 30
/** What the end of a live run may take; systemd kills after 90 s. */
const CLOSE_SECONDS = 10
/** The thread itself may hang with its disk. */
const THREAD_SECONDS = CLOSE_SECONDS + 10
const MESSAGE_MAX = 200
/** A file waits when more than this many records are on their way. */
const ON_THE_WAY_MAX = 4000

const nothingYet: RecordsStatus = {
  state: 'ok',
  waiting: 0,
  waitingInMemory: 0,
  waitingBytes: 0,
  oldestMs: undefined,
  stored: 0,
  updated: 0,
  duplicates: 0,
  dropped: 0,
  refused: 0,
  found: 0,
  torn: 0,
  damaged: 0,
  failures: 0,
  failure: undefined,
}

/** Starts the recording thread. Fails, as an OperatorError, when the queue or the store cannot be used at all. */
export async function openRecordQueue(options: RecordingOptions): Promise<RecordQueue> {
  const { onNotice: _, ...clonable } = options
  const plan: RecordingPlan = { ...clonable, giveUpSeconds: GIVE_UP_SECONDS, closeSeconds: CLOSE_SECONDS }
  const worker = new Worker(builtFile(import.meta.url, './recorder-worker.cjs'), { workerData: plan })
  const queue = new RecordQueue(worker, options)
  await queue.ready
  return queue
}

export class RecordQueue {
  readonly #worker: Worker
  #bytesMax: number
  readonly #live: boolean
  readonly ready: Promise<void>
  readonly #ended: Promise<unknown>
  #gone = false
  #texts: string[] = []
  #bytes = 0
  /** Messages that the thread has not dealt with yet: how many records and bytes. */
  #posted: { records: number; bytes: number }[] = []
  #untaken = { records: 0, bytes: 0 }
  #status = nothingYet
  #dropped = 0
  #listeners: (() => void)[] = []

  constructor(worker: Worker, options: RecordingOptions) {
    const { onNotice } = options
    this.#worker = worker
    this.#bytesMax = options.live ? options.memoryBytesMax : Number.POSITIVE_INFINITY
    this.#live = options.live
    this.#ended = once(worker, 'exit').catch(() => {})
    this.ready = new Promise((resolve, reject) => {
      worker.on('message', (message: FromRecorder) => {
        if (message.kind === 'ready') resolve()
        else if (message.kind === 'failed') {
          // Its end is no news any more.
          this.#gone = true
          reject(new OperatorError(message.error.code, message.error.message, message.error))
        } else if (message.kind === 'notice') onNotice(message.notice)
        else if (message.kind === 'taken') this.#taken()
        else this.#status = message.status
        this.#wake()
      })
      const lost = (why: string): void => {
        if (this.#gone) return
        this.#gone = true
        const error = new OperatorError('RECORDER', `The recording thread ${why}: records are no longer stored.`, { suggestions: [] })
        reject(error)
        onNotice({ kind: 'loss', message: error.message, suggestions: [] })
        this.#wake()
      }
      worker.on('error', (error) => lost(`failed (${error.message})`))
      worker.on('exit', () => lost('has ended'))
    })
  }

  /** Takes a record. Never waits; what is too much for the memory is dropped and counted. */
  offer(record: CallRecord): void {
    const text = recordText(record)
    if (this.#gone || this.#bytes + this.#untaken.bytes + text.length > this.#bytesMax) {
      this.#dropped++
      return
    }
    this.#texts.push(text)
    this.#bytes += text.length
    if (this.#texts.length >= MESSAGE_MAX) this.flush()
  }

  /** No packet comes any more: what is offered from now on may take the memory it needs, and is not dropped. */
  ending(): void {
    this.#bytesMax = Number.POSITIVE_INFINITY
  }

  /** Hands over what was offered. Cheap when there is nothing: to be called after each batch of packets. */
  flush(): void {
    if (this.#texts.length === 0) return
    const size = { records: this.#texts.length, bytes: this.#bytes }
    this.#worker.postMessage({ texts: this.#texts } satisfies ToRecorder)
    this.#posted.push(size)
    this.#untaken.records += size.records
    this.#untaken.bytes += size.bytes
    this.#texts = []
    this.#bytes = 0
  }

  get status(): RecordsStatus {
    const { records, bytes } = this.#untaken
    const here = this.#texts.length + records
    return {
      ...this.#status,
      waiting: this.#status.waiting + here,
      waitingInMemory: this.#status.waitingInMemory + here,
      waitingBytes: this.#status.waitingBytes + this.#bytes + bytes,
      dropped: this.#status.dropped + this.#dropped,
    }
  }

  /** Resolves when few records are on their way. Those of a live run that wait on disk have arrived; a file waits for its store. */
  async drained(): Promise<void> {
    const onTheWay = (): number => (this.#live ? this.status.waitingInMemory : this.status.waiting)
    while (!this.#gone && onTheWay() > ON_THE_WAY_MAX) {
      this.flush()
      await this.#change()
    }
  }

  /** Resolves when what was offered before is as safe as it gets: on disk, when there is a queue on disk that works. */
  async taken(): Promise<void> {
    this.flush()
    while (!this.#gone && this.#untaken.records > 0) await this.#change()
  }

  /** Brings to the store, or to the disk, what was offered, and ends the thread. The status it ended with. */
  async close(): Promise<RecordsStatus> {
    this.flush()
    if (!this.#gone) {
      this.#worker.postMessage({ close: true } satisfies ToRecorder)
      this.#gone = true
      // A disk that hangs may hold the thread itself.
      const patience = this.#live ? setTimeout(() => void this.#worker.terminate(), THREAD_SECONDS * 1000) : undefined
      await this.#ended
      clearTimeout(patience)
    }
    return this.status
  }

  #taken(): void {
    const size = this.#posted.shift()
    this.#untaken.records -= size?.records ?? 0
    this.#untaken.bytes -= size?.bytes ?? 0
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#listeners.push(resolve))
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener()
  }
}
