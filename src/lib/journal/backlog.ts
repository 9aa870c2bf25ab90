import { Turns } from '../base/turns.js'
import type { CallRecord } from '../call/record.js'
import { recordBytes, recordText, textRecord } from '../call/record-text.js'
import type { Journal } from './journal.js'

/**
 * Records that wait for a store: in the journal when there is one and its disk takes them, else in memory. First in, first
 * out; bounded either way.
 */
export interface Waiting {
  /** Wall-clock time at which it was queued, ms since the epoch. */
  readonly queuedMs: number
  /** In the journal; -1 in memory. */
  readonly number: number
  /** Undefined when what the journal has is no record that this version knows; it is then only a text. */
  readonly record: CallRecord | undefined
  readonly text: string | undefined
}

export interface BacklogOptions {
  readonly journal: Journal | undefined
  readonly memoryBytesMax: number
  readonly drop: 'oldest' | 'newest'
  /** The disk of the journal failed, or works again. Told once each time. */
  onJournal(failure: Error | undefined): void
  /** A journal that failed is tried again at most this often. */
  readonly retryMs?: number
}

const RETRY_MS = 5000
interface InMemory {
  readonly queuedMs: number
  readonly record: CallRecord
}

export class Backlog {
  readonly #options: BacklogOptions
  #memory: InMemory[] = []
  #memoryBytes = 0
  /** Records at the front of #memory that were handed out and are not done yet: they must stay where they are. */
  #out = 0
  #failedAt: number | undefined
  readonly #turns = new Turns()
  #dropped = 0

  constructor(options: BacklogOptions) {
    this.#options = options
  }

  get waiting(): number {
    return (this.#options.journal?.waiting ?? 0) + this.#memory.length
  }

  get inMemory(): number {
    return this.#memory.length
  }

  get bytes(): number {
    return (this.#options.journal?.bytes ?? 0) + this.#memoryBytes
  }

  get dropped(): number {
    return this.#dropped + (this.#options.journal?.dropped ?? 0)
  }

  /** Adds at the end. When it returns, the records are as safe as they get: in the journal, if there is one that works. */
  add(records: readonly CallRecord[], nowMs: number): Promise<void> {
    return this.#turns.take(() => this.#add(records, nowMs))
  }

  /** Up to `max` records from the front, in order. They stay until `done`. */
  peek(max: number): Promise<Waiting[]> {
    return this.#turns.take(() => this.#peek(max))
  }

  /** These, the first of those handed out last, need not be kept. */
  done(these: readonly Waiting[]): Promise<void> {
    return this.#turns.take(() => this.#done(these))
  }

  async #add(records: readonly CallRecord[], nowMs: number): Promise<void> {
    for (const record of records) {
      this.#memory.push({ queuedMs: nowMs, record })
      this.#memoryBytes += recordBytes(record)
    }
    await this.#toJournal(nowMs)
    while (this.#memoryBytes > this.#options.memoryBytesMax && this.#memory.length > this.#out) {
      const [gone] = this.#options.drop === 'newest' ? this.#memory.splice(-1) : this.#memory.splice(this.#out, 1)
      this.#memoryBytes -= recordBytes(gone!.record)
      this.#dropped++
    }
  }

  async #toJournal(nowMs: number): Promise<void> {
    const { journal, onJournal } = this.#options
    if (journal === undefined || this.#out > 0 || this.#memory.length === 0) return
    const { retryMs = RETRY_MS } = this.#options
    if (this.#failedAt !== undefined && nowMs - this.#failedAt < retryMs && nowMs >= this.#failedAt) return
    const taken = this.#memory
    this.#memory = []
    try {
      const settled = await journal.append(taken.map(({ queuedMs, record }) => ({ queuedMs, text: recordText(record) })))
      this.#memory = [...taken.slice(settled), ...this.#memory]
      if (this.#failedAt !== undefined) onJournal(undefined)
      this.#failedAt = undefined
    } catch (error) {
      this.#memory = [...taken, ...this.#memory]
      if (this.#failedAt === undefined) onJournal(error as Error)
      this.#failedAt = nowMs
    }
    this.#memoryBytes = this.#memory.reduce((sum, { record }) => sum + recordBytes(record), 0)
  }

  async #peek(max: number): Promise<Waiting[]> {
    const { journal } = this.#options
    this.#out = 0
    if (journal !== undefined && journal.waiting > 0) {
      const entries = await journal.peek(max)
      if (entries.length > 0) return entries.map((entry) => ({ ...entry, record: textRecord(entry.text) }))
    }
    const waiting = this.#memory.slice(0, max)
    this.#out = waiting.length
    return waiting.map(({ queuedMs, record }) => ({ queuedMs, number: -1, record, text: undefined }))
  }

  async #done(these: readonly Waiting[]): Promise<void> {
    const last = these.at(-1)
    if (last === undefined) return
    if (last.number >= 0) await this.#options.journal?.done(last.number)
    else {
      for (const { record } of this.#memory.splice(0, these.length)) this.#memoryBytes -= recordBytes(record)
      this.#out = 0
    }
  }
}
