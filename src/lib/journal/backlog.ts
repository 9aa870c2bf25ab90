import { Turns } from '../base/turns.js'
import type { Entry } from './entry.js'
import type { Journal, NumberedEntry } from './journal.js'

/**
 * What waits for a store: in the journal when there is one and its disk takes it, else in memory. First in, first out;
 * bounded either way.
 */
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
/** Objects around the text, roughly. */
const ENTRY_OVERHEAD_BYTES = 100

export class Backlog {
  readonly #options: BacklogOptions
  #memory: Entry[] = []
  #memoryBytes = 0
  /** Entries of #memory that were handed out and are not done yet: they must stay where they are. */
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

  /** Adds at the end. When it returns, the entries are as safe as they get: in the journal, if there is one that works. */
  add(entries: readonly Entry[], nowMs: number): Promise<void> {
    return this.#turns.take(() => this.#add(entries, nowMs))
  }

  /** Up to `max` entries from the front, in order. They stay until `done`. */
  peek(max: number): Promise<NumberedEntry[]> {
    return this.#turns.take(() => this.#peek(max))
  }

  /** These entries, the first of those handed out last, need not be kept. `settled` is called in the moment in which they no longer wait. */
  done(entries: readonly NumberedEntry[], settled?: () => void): Promise<void> {
    return this.#turns.take(() => this.#done(entries, settled))
  }

  async #add(entries: readonly Entry[], nowMs: number): Promise<void> {
    for (const entry of entries) {
      this.#memory.push(entry)
      this.#memoryBytes += size(entry)
    }
    await this.#toJournal(nowMs)
    while (this.#memoryBytes > this.#options.memoryBytesMax && this.#memory.length > this.#out) {
      const [gone] = this.#options.drop === 'newest' ? this.#memory.splice(-1) : this.#memory.splice(this.#out, 1)
      this.#memoryBytes -= size(gone!)
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
      const settled = await journal.append(taken)
      this.#memory = [...taken.slice(settled), ...this.#memory]
      if (this.#failedAt !== undefined) onJournal(undefined)
      this.#failedAt = undefined
    } catch (error) {
      this.#memory = [...taken, ...this.#memory]
      if (this.#failedAt === undefined) onJournal(error as Error)
      this.#failedAt = nowMs
    }
    this.#memoryBytes = this.#memory.reduce((sum, entry) => sum + size(entry), 0)
  }

  async #peek(max: number): Promise<NumberedEntry[]> {
    const { journal } = this.#options
    this.#out = 0
    if (journal !== undefined && journal.waiting > 0) {
      const entries = await journal.peek(max)
      if (entries.length > 0) return entries
    }
    const entries = this.#memory.slice(0, max).map((entry, i) => ({ ...entry, number: -1 - i }))
    this.#out = entries.length
    return entries
  }

  async #done(entries: readonly NumberedEntry[], settled?: () => void): Promise<void> {
    const last = entries.at(-1)
    if (last === undefined) return
    if (last.number >= 0) await this.#options.journal?.done(last.number, settled)
    else {
      for (const entry of this.#memory.splice(0, entries.length)) this.#memoryBytes -= size(entry)
      this.#out = 0
      settled?.()
    }
  }
}

const size = ({ text }: Entry): number => text.length + ENTRY_OVERHEAD_BYTES
