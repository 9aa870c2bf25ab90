import type { CallRecord } from '../call/record.js'

/** Records on their way to a store: sent in batches, bounded. A source that can wait waits; a wire never does, and what is too much is counted. */
export interface RecordStore {
  insert(records: readonly CallRecord[]): Promise<{ readonly stored: number; readonly duplicates: number }>
  close(): Promise<void>
}

const BATCH_MAX = 500
const QUEUE_MAX = 50_000

export class RecordQueue {
  readonly #store: RecordStore
  readonly #onFailure: (error: unknown) => void
  #waiting: CallRecord[] = []
  #sending: Promise<void> | undefined
  #failed = false
  stored = 0
  duplicates = 0
  dropped = 0

  /** `onFailure` hears of the first insert that fails; from then on records are dropped and counted. */
  constructor(store: RecordStore, onFailure: (error: unknown) => void) {
    this.#store = store
    this.#onFailure = onFailure
  }

  offer(record: CallRecord): void {
    if (this.#failed || this.#waiting.length >= QUEUE_MAX) {
      this.dropped++
      return
    }
    this.#waiting.push(record)
    if (this.#waiting.length >= BATCH_MAX) this.flush()
  }

  /** Starts sending what waits, when nothing is on its way. */
  flush(): void {
    if (this.#sending !== undefined || this.#waiting.length === 0) return
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined
    })
  }

  /** Resolves when less than a batch waits. */
  async drained(): Promise<void> {
    while (this.#waiting.length >= BATCH_MAX && !this.#failed) {
      this.flush()
      await this.#sending
    }
  }

  /** Sends everything and closes the store. */
  async close(): Promise<void> {
    while ((this.#waiting.length > 0 || this.#sending !== undefined) && !this.#failed) {
      this.flush()
      await this.#sending
    }
    await this.#store.close()
  }

  async #send(): Promise<void> {
    const batch = this.#waiting.splice(0, BATCH_MAX)
    try {
      const { stored, duplicates } = await this.#store.insert(batch)
      this.stored += stored
      this.duplicates += duplicates
    } catch (error) {
      this.#failed = true
      this.dropped += batch.length + this.#waiting.length
      this.#waiting = []
      this.#onFailure(error)
    }
  }
}
