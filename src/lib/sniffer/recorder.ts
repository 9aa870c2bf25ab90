import { OperatorError } from '../base/errors.js'
import { textRecord } from '../call/record-text.js'
import type { Backlog } from '../journal/backlog.js'
import type { Journal, NumberedEntry } from '../journal/journal.js'
import type { InsertCounts, RecordWriter } from '../store/cdr-store.js'
import { failureKind, StoreFailure } from '../store/failure.js'
import { recordOfText } from '../store/record-of-text.js'
import type { RecordsNotice, RecordsStatus } from './records-status.js'
import type { RefusedFile } from './refused-file.js'

/**
 * Takes records off the backlog and brings them into the store, whatever the store does.
 *
 *            ┌───────────────────── stored: done ◀──────────────┐
 *            ▼                                                  │
 *     backlog ─▶ a batch ─▶ open, insert ──┬─ fails: transient ─┼─▶ wait, half the batch, again
 *                                          ├─ fails: store ─────┼─▶ say so, wait longer, again
 *                                          └─ fails: record ────┴─▶ half the batch; alone: set aside
 *
 * An insert that failed may have happened all the same. That is why a record has a key and an insert may be repeated.
 */
export interface RecorderOptions {
  open(): Promise<RecordWriter>
  readonly backlog: Backlog
  readonly journal: Journal | undefined
  readonly refusedFile: RefusedFile | undefined
  /** A run over a file gives up after so long without success: its input can be read again. A live run never does. */
  readonly giveUpSeconds: number | undefined
  onNotice(notice: RecordsNotice): void
  onStatus(status: RecordsStatus): void
  readonly timing?: Partial<RecorderTiming>
}

export interface RecorderTiming {
  /** Records that come one by one are gathered this long for one insert. */
  readonly gatherMs: number
  /** First pause after a failure; it doubles up to the second. */
  readonly retryMs: readonly [first: number, most: number]
  readonly refusedRetryMs: readonly [first: number, most: number]
  /** An insert without an answer for this long has failed. */
  readonly insertMsMax: number
  /** A live run does not wait longer than this for its store before it begins. */
  readonly firstOpenMsMax: number
  /** A store that does not close is left. */
  readonly closeMsMax: number
  /** What waits in the journal is brought to the disk itself this often. */
  readonly syncMs: number
}

const usualTiming: RecorderTiming = {
  gatherMs: 200,
  retryMs: [250, 5000],
  refusedRetryMs: [1000, 30_000],
  insertMsMax: 60_000,
  firstOpenMsMax: 2000,
  closeMsMax: 2000,
  syncMs: 1000,
}

const SILENT = 'STORE_SILENT'
const BATCH_MAX = 4000
/** What a batch begins with, before it is known how quick the store is. */
const BATCH_FIRST = 1000
const QUICK_INSERT_MS = 1000
const SLOW_INSERT_MS = 5000
/** A single record that fails this often, each time right after another one went in, is itself the trouble. */
const STRIKES_MAX = 6
/** Failures with a batch of one before that is looked into. */
const SUSPICION_AFTER = 3

export class Recorder {
  readonly #options: RecorderOptions
  readonly #timing: RecorderTiming
  #store: RecordWriter | undefined
  #opening: Promise<RecordWriter> | undefined
  #batchMax = BATCH_FIRST
  #counts = { stored: 0, updated: 0, duplicates: 0, refused: 0, lost: 0, failures: 0 }
  #state: RecordsStatus['state'] = 'ok'
  #failure: { code: string; message: string; sinceMs: number } | undefined
  #failuresInARow = 0
  #failuresAlone = 0
  #strikes = 0
  #otherWentIn = false
  #lastInsertMs = 0
  #oldestMs: number | undefined
  #droppedSaid = 0
  #refusedSaid = false
  #closing = false
  #stopped = false
  #wake: (() => void) | undefined
  readonly #syncing: NodeJS.Timeout | undefined
  readonly #takings = new Set<Promise<void>>()
  #running: Promise<void> | undefined

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#timing = { ...usualTiming, ...options.timing }
    const { journal } = options
    if (journal !== undefined) this.#syncing = setInterval(() => this.#sync(journal), this.#timing.syncMs)
  }

  /** Opens the store and begins. Fails when the store does; but with `anyway`, a store that is away is only said to be, and it begins. */
  async start(anyway: boolean): Promise<void> {
    try {
      this.#opening = this.#open()
      // One that takes its time (it may have tables to make) goes on with it; what comes meanwhile waits.
      await within(anyway ? this.#timing.firstOpenMsMax : undefined, this.#opening)
    } catch (error) {
      this.#opening = undefined
      if (!anyway || failureKind(error) !== 'transient') throw error
      this.#counts.failures++
      this.#outage('retrying', error)
    }
    const { found = 0, torn = 0, damaged = 0 } = this.#options.journal ?? {}
    if (found > 0) this.#say('good', `${found} records of an earlier run wait in ${this.#options.journal?.dir}; they are stored first.`)
    if (torn + damaged > 0) this.#say('loss', `The queue on disk was damaged: ${torn} cut off at the end, ${damaged} unreadable.`)
    this.#running = this.#run()
  }

  /** Takes records as text. When it returns they are as safe as they get: on disk, when there is a queue on disk that works. */
  async take(texts: readonly string[]): Promise<void> {
    const taking = this.#take(texts)
    this.#takings.add(taking)
    await taking.finally(() => this.#takings.delete(taking))
  }

  async #take(texts: readonly string[]): Promise<void> {
    const now = Date.now()
    if (this.#state === 'given up') this.#counts.lost += texts.length
    else {
      await this.#options.backlog.add(
        texts.map((text) => ({ queuedMs: now, text })),
        now,
      )
      this.#sayDropped()
      this.#wakeUp()
    }
    this.#tell()
  }

  get status(): RecordsStatus {
    const { backlog, journal } = this.#options
    const { lost, ...counts } = this.#counts
    const waiting = backlog.waiting
    return {
      ...counts,
      state: this.#state,
      waiting,
      waitingInMemory: backlog.inMemory,
      waitingBytes: backlog.bytes,
      oldestMs: waiting === 0 ? undefined : (this.#oldestMs ?? Date.now()),
      dropped: backlog.dropped + lost,
      found: journal?.found ?? 0,
      torn: journal?.torn ?? 0,
      damaged: journal?.damaged ?? 0,
      failure: this.#failure,
    }
  }

  /**
   * Brings what waits into the store, within `seconds` when given, then closes everything. With a queue on disk a store that
   * fails is not waited for: the next start goes on from there.
   */
  async close(seconds: number | undefined): Promise<RecordsStatus> {
    const until = seconds === undefined ? undefined : performance.now() + seconds * 1000
    // What is still on its way into the queue comes first: until then it is nowhere to be found.
    await within(seconds === undefined ? undefined : seconds * 1000, Promise.allSettled(this.#takings))
    this.#closing = true
    this.#wakeUp()
    await within(until === undefined ? undefined : Math.max(0, until - performance.now()), this.#running ?? Promise.resolve())
    this.#stopped = true
    this.#wakeUp()
    const { backlog, journal } = this.#options
    await this.#closeStore()
    clearInterval(this.#syncing)
    const inMemory = backlog.inMemory
    if (inMemory > 0) {
      this.#counts.lost += inMemory
      this.#say('loss', `${inMemory} records could not be stored and are lost.`)
    }
    const left = backlog.waiting - inMemory
    if (left > 0) this.#say('trouble', `${left} records wait in ${journal?.dir} and are stored at the next start.`)
    const status = { ...this.status, waiting: left, waitingInMemory: 0 }
    await journal?.close().catch((error: Error) => this.#say('trouble', `The queue on disk could not be closed: ${error.message}.`))
    return status
  }

  async #run(): Promise<void> {
    if (this.#opening !== undefined) await this.#opened()
    while (!this.#stopped) {
      await this.#gather()
      const batch = await this.#peek()
      if (batch.length > 0) await this.#deliver(batch)
      else if (this.#closing) return
      // Nothing waits, but whether the store is back is worth knowing.
      else if (this.#store === undefined && this.#failure !== undefined) {
        if (await this.#opened()) this.#recovered()
      }
      // What came in between has not woken anybody.
      else await this.#pause(this.#options.backlog.waiting > 0 ? this.#timing.gatherMs / 4 : undefined)
    }
  }

  /** One at a time is too dear for a store: what comes within a moment goes together. */
  async #gather(): Promise<void> {
    const left = this.#lastInsertMs + this.#timing.gatherMs - performance.now()
    if (left > 0 && !this.#closing && this.#options.backlog.waiting < BATCH_FIRST) await this.#pause(left, BATCH_FIRST)
  }

  async #peek(): Promise<NumberedEntry[]> {
    try {
      const batch = await this.#options.backlog.peek(this.#batchMax)
      this.#oldestMs = batch[0]?.queuedMs
      return batch
    } catch (error) {
      await this.#failed(
        [],
        new StoreFailure('transient', 'QUEUE_READ', `The queue on disk cannot be read: ${(error as Error).message}.`, { suggestions: [] }),
      )
      return []
    }
  }

  async #deliver(batch: readonly NumberedEntry[]): Promise<void> {
    if (this.#lookAside() && batch.length === 1) {
      await this.#tryOther()
      return
    }
    if (!(await this.#opened())) return
    try {
      const counts = await this.#insert(batch)
      await this.#done(batch, counts)
      this.#strikes = this.#failuresAlone = 0
      this.#otherWentIn = false
    } catch (error) {
      await this.#failed(batch, error)
    }
  }

  /** A store that cannot be opened says nothing about the records. */
  async #opened(): Promise<boolean> {
    try {
      if (this.#store === undefined) {
        const opening = this.#opening ?? this.#open()
        this.#opening = undefined
        this.#store = await opening
      }
      return true
    } catch (error) {
      await this.#failed([], error)
      return false
    }
  }

  async #insert(batch: readonly NumberedEntry[]): Promise<InsertCounts> {
    this.#lastInsertMs = performance.now()
    const store = this.#store as RecordWriter
    const texts = batch.map(({ text }) => text)
    const inserting = store.insertTexts === undefined ? store.insert(texts.map(recordOfText)) : store.insertTexts(texts)
    const counts = await within(this.#timing.insertMsMax, inserting, 'does not answer')
    const took = performance.now() - this.#lastInsertMs
    // Larger batches cost less each, as long as a store that is slow answers soon enough.
    if (took < QUICK_INSERT_MS) this.#batchMax = Math.min(BATCH_MAX, this.#batchMax * 2)
    else if (took > SLOW_INSERT_MS) this.#batchMax = Math.max(1, Math.ceil(this.#batchMax / 2))
    this.#recovered()
    return counts
  }

  #count(counts: InsertCounts): void {
    this.#counts.stored += counts.stored
    this.#counts.updated += counts.updated
    this.#counts.duplicates += counts.duplicates
  }

  /** It failed alone and again: whether the store or the record is the trouble shows when another record is tried. */
  #lookAside(): boolean {
    return this.#failuresAlone >= SUSPICION_AFTER && !this.#otherWentIn
  }

  async #tryOther(): Promise<void> {
    const [, other] = await this.#options.backlog.peek(2)
    // There is nothing to compare with.
    if (other === undefined || textRecord(other.text) === undefined) {
      this.#failuresAlone = 0
      return
    }
    if (!(await this.#opened())) return
    try {
      this.#count(await this.#insert([other]))
      this.#otherWentIn = true
    } catch (error) {
      // A store that refuses a record is there.
      if (failureKind(error) === 'record') this.#otherWentIn = true
      else {
        // The store it is.
        this.#strikes = this.#failuresAlone = 0
        await this.#failed([], error)
      }
    }
    this.#batchMax = 1
  }

  async #failed(batch: readonly NumberedEntry[], error: unknown): Promise<void> {
    this.#counts.failures++
    const kind = failureKind(error)
    const message = error instanceof Error ? error.message : String(error)
    if (kind === 'record' && batch.length > 0) {
      if (batch.length === 1) await this.#setAside(batch[0]!, message)
      else this.#batchMax = Math.ceil(batch.length / 2)
      return
    }
    // The first failure is the store's; smaller batches are for a store that cannot bear large ones, and to find who is to blame.
    if (batch.length > 1) this.#batchMax = this.#failuresInARow === 0 ? this.#batchMax : Math.ceil(batch.length / 2)
    else if (batch.length === 1) {
      this.#failuresAlone++
      if (this.#otherWentIn && ++this.#strikes >= STRIKES_MAX) {
        this.#strikes = this.#failuresAlone = 0
        return this.#setAside(batch[0]!, message)
      }
      this.#otherWentIn = false
    }
    // One that is silent may be so for ever; what it still does is harmless.
    if (this.#store?.broken === true || (error as { code?: string }).code === SILENT) void this.#closeStore()
    this.#outage(kind === 'transient' ? 'retrying' : 'refused', error)
    const { giveUpSeconds, backlog } = this.#options
    if (giveUpSeconds !== undefined && Date.now() - (this.#failure?.sinceMs ?? 0) >= giveUpSeconds * 1000) return this.#giveUp()
    // What is on disk can wait for the next start.
    if (this.#closing && giveUpSeconds === undefined && backlog.inMemory === 0) {
      this.#stopped = true
      return
    }
    const [first, most] = kind === 'transient' ? this.#timing.retryMs : this.#timing.refusedRetryMs
    const pause = Math.min(most, first * 2 ** Math.min(this.#failuresInARow - 1, 20))
    // Many sensors that lost one server must not all come back in the same moment.
    await this.#pause(pause * (0.8 + 0.4 * Math.random()))
  }

  #outage(state: 'retrying' | 'refused', error: unknown): void {
    this.#failuresInARow++
    const code = error instanceof OperatorError ? error.code : 'STORE_WRITE'
    const message = error instanceof Error ? error.message : String(error)
    const said = this.#failure?.code === code && this.#state === state
    this.#state = state
    this.#failure = { code, message, sinceMs: this.#failure?.sinceMs ?? Date.now() }
    if (!said) {
      const where = this.#options.journal === undefined ? 'in memory' : `in ${this.#options.journal.dir}`
      const next = state === 'retrying' ? 'trying again' : 'nothing is stored until this is put right'
      this.#say('trouble', `${message} Records wait ${where}; ${next}.`, error instanceof OperatorError ? error.suggestions : [])
    }
    this.#tell()
  }

  #recovered(): void {
    this.#failuresInARow = 0
    if (this.#failure !== undefined) {
      const seconds = (Date.now() - this.#failure.sinceMs) / 1000
      const { waiting } = this.#options.backlog
      this.#failure = undefined
      this.#state = 'ok'
      this.#say('good', `The store takes records again after ${seconds.toFixed(seconds < 10 ? 1 : 0)} s; ${waiting} waited.`)
      this.#tell()
    }
  }

  async #giveUp(): Promise<void> {
    this.#state = 'given up'
    const { backlog } = this.#options
    for (let batch = await backlog.peek(BATCH_MAX); batch.length > 0; batch = await backlog.peek(BATCH_MAX)) {
      await backlog.done(batch)
      this.#counts.lost += batch.length
    }
    this.#say('loss', `The store took nothing for ${this.#options.giveUpSeconds} s: records are no longer stored. The run goes on.`, [
      'When the store is back, run the same command again: each call is stored once, however often it is read.',
    ])
    this.#tell()
  }

  async #setAside(entry: NumberedEntry, reason: string): Promise<void> {
    const { refusedFile } = this.#options
    const kept = refusedFile?.add(entry.text, reason, Date.now()) === true
    this.#counts.refused++
    if (!this.#refusedSaid) {
      this.#refusedSaid = true
      const where = kept ? `set aside in ${refusedFile?.path}` : 'left out'
      this.#say('loss', `A record is refused and ${where}: ${reason} Further ones are only counted.`)
    }
    this.#batchMax = BATCH_FIRST
    await this.#done([entry])
  }

  async #done(entries: readonly NumberedEntry[], counts?: InsertCounts): Promise<void> {
    // A record that is counted as stored no longer waits, and the other way round.
    let uncounted = counts
    const settled = (): void => {
      if (uncounted !== undefined) this.#count(uncounted)
      uncounted = undefined
    }
    try {
      await this.#options.backlog.done(entries, settled)
    } catch (error) {
      // They are stored; at worst they are stored again, which changes nothing.
      this.#say('trouble', `The queue on disk could not be shortened: ${(error as Error).message}.`)
      await this.#pause(this.#timing.retryMs[0])
    }
    settled()
    this.#tell()
  }

  #sayDropped(): void {
    const { dropped } = this.#options.backlog
    if (dropped === 0 || this.#droppedSaid > 0) return
    this.#droppedSaid = dropped
    this.#say('loss', 'The queue of records is full: some are dropped from now on, and counted.', [
      'Bring the store back, or give the queue more room: --queue-max MIB',
    ])
  }

  #sync(journal: Journal): void {
    if (journal.dirty)
      journal.sync().catch((error: Error) => this.#say('trouble', `The queue on disk could not be synced: ${error.message}.`))
  }

  async #open(): Promise<RecordWriter> {
    const opening = this.#options.open()
    try {
      return await within(this.#timing.insertMsMax, opening, 'does not answer')
    } catch (error) {
      // One that comes too late is not left open.
      opening.then((store) => store.close()).catch(() => {})
      throw error
    }
  }

  async #closeStore(): Promise<void> {
    const store = this.#store === undefined ? this.#opening : Promise.resolve(this.#store)
    this.#store = this.#opening = undefined
    await within(this.#timing.closeMsMax, store?.then((one) => one.close()) ?? Promise.resolve()).catch(() => {})
  }

  /** Sleeps this long, or until something new waits. With `enough`: until so many wait. */
  #pause(ms: number | undefined, enough?: number): Promise<void> {
    if (this.#stopped || (this.#closing && ms === undefined)) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms)
      this.#wake = () => {
        if (!this.#closing && ms !== undefined && this.#options.backlog.waiting < (enough ?? Number.POSITIVE_INFINITY)) return
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }

  #wakeUp(): void {
    this.#wake?.()
  }

  #say(kind: RecordsNotice['kind'], message: string, suggestions: readonly string[] = []): void {
    this.#options.onNotice({ kind, message, suggestions })
  }

  #tell(): void {
    this.#options.onStatus(this.status)
  }
}

/** Waits for work, but not longer: then goes on, or fails when `failure` says what for. */
async function within<T>(ms: number | undefined, work: Promise<T>, failure?: string): Promise<T> {
  if (ms === undefined) return work
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => {
      if (failure === undefined) resolve(undefined as T)
      else reject(new StoreFailure('transient', SILENT, `The store ${failure} (${Math.round(ms / 1000)} s).`, { suggestions: [] }))
    }, ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
