import type { CallRecord } from '../../call/record.js'
import { recordOfText } from '../record-of-text.js'
import { CodeBooks } from './code-books.js'
import { type Connection, connect, isAway, type MysqlError, writeFailure } from './driver.js'
import { Inserter, type InsertResult, turns } from './insert.js'
import { BEAT_MS, Lease } from './lease.js'
import { Partitions } from './partitions.js'
import { ensureSchema } from './schema.js'
import { type MysqlLocation, parseMysqlUrl } from './url.js'

/** The MySQL store for a run: a few connections that write at the same time, found again after an outage by the next insert. */
export interface MysqlWriterOptions {
  readonly nowMicros?: () => number
  /** Under which number this writer's heartbeat is; without it 0. */
  readonly sensorId?: number | undefined
  /** Who writes; without it this writer is somebody of its own. */
  readonly instance?: string
  /** What an operator should hear: another writer under the same number, records with a wrong clock. */
  readonly onNotice?: (text: string) => void
}

/** A statement of a batch takes milliseconds. A server that has said nothing for this long is taken for dead, and another host may be asked. */
const STATEMENT_TIMEOUT_MS = 60_000

/** A batch is cut for the connections, but not smaller than this. */
const CHUNK_MIN = 50
const CHUNK_MAX = 500

export async function openMysqlWriter(url: string, options: MysqlWriterOptions = {}): Promise<MysqlWriter> {
  const writer = new MysqlWriter(parseMysqlUrl(url), options)
  try {
    await writer.open()
  } catch (error) {
    await writer.close()
    throw error
  }
  return writer
}

export class MysqlWriter {
  readonly #at: MysqlLocation
  readonly #now: () => number
  readonly #hosts = new Map<string, Promise<() => Inserter>>()
  readonly #idle: Lane[] = []
  readonly #waiting: ((lane: Lane) => void)[] = []
  #closed = false
  readonly #lease: Lease
  readonly #onNotice: (text: string) => void
  #beats: NodeJS.Timeout | undefined
  /** Records whose start lay outside the sane window. */
  clamped = 0

  constructor(at: MysqlLocation, options: MysqlWriterOptions) {
    this.#at = at
    this.#now = options.nowMicros ?? (() => Date.now() * 1000)
    this.#onNotice = options.onNotice ?? (() => {})
    this.#lease = new Lease({ sensorId: options.sensorId ?? 0, instance: options.instance, onNotice: this.#onNotice })
    for (let i = 0; i < at.connections; i++) this.#idle.push({ connection: undefined, inserter: undefined })
  }

  /** Connects, and makes the tables where they are missing. */
  async open(): Promise<void> {
    const lane = await this.#take()
    try {
      await this.#lease.beat((await this.#ready(lane)).connection)
    } catch (error) {
      throw writeFailure(this.#at, error)
    } finally {
      this.#give(lane)
    }
    this.#beats = setInterval(() => void this.#beat(), BEAT_MS)
    this.#beats.unref()
  }

  /** A server that is away is the next insert's to say. */
  async #beat(): Promise<void> {
    const lane = await this.#take()
    try {
      if (lane.connection?.alive) await this.#lease.beat(lane.connection)
    } catch {
      // See above.
    } finally {
      this.#give(lane)
    }
  }

  /** Stores what is not there yet, and what is there in a lower revision. Chunks are all or nothing each; the same batch may be given again after an error. */
  insert(records: readonly CallRecord[]): Promise<InsertResult> {
    return this.#insertAll(records, (record) => record)
  }

  /** Texts are read a chunk at a time: meanwhile the server is at work on the chunk before. */
  insertTexts(texts: readonly string[]): Promise<InsertResult> {
    return this.#insertAll(texts, recordOfText)
  }

  async #insertAll<T>(items: readonly T[], read: (item: T) => CallRecord): Promise<InsertResult> {
    const size = Math.min(CHUNK_MAX, Math.max(CHUNK_MIN, Math.ceil(items.length / this.#at.connections)))
    const chunks: (readonly T[])[] = []
    for (let i = 0; i < items.length; i += size) chunks.push(items.slice(i, i + size))
    const done = await Promise.allSettled(chunks.map((chunk) => this.#insertChunk(chunk, read)))
    const total = { stored: 0, updated: 0, duplicates: 0, clamped: 0 }
    for (const one of done) {
      if (one.status === 'rejected') throw one.reason
      total.stored += one.value.stored
      total.updated += one.value.updated
      total.duplicates += one.value.duplicates
      total.clamped += one.value.clamped
    }
    if (total.clamped > 0 && this.clamped === 0)
      this.#onNotice(
        'The clock of a source is wrong: calls from the future are stored as of the end of tomorrow, their own times beside them.',
      )
    this.clamped += total.clamped
    return total
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#beats)
    for (let i = 0; i < this.#at.connections; i++) {
      const { connection } = await this.#take()
      // A lease that cannot be given back runs out by itself.
      if (i === 0 && connection?.alive && this.#beats !== undefined) await this.#lease.release(connection).catch(() => {})
      await connection?.close()
    }
  }

  async #insertChunk<T>(items: readonly T[], read: (item: T) => CallRecord): Promise<InsertResult> {
    const lane = await this.#take()
    try {
      const { connection, inserter } = await this.#ready(lane)
      return await inserter.insert(connection, items, read, this.#now())
    } catch (error) {
      // A host that turned read-only or is full still answers: leave it, so that the next insert may find another.
      if (isAway(error as MysqlError)) {
        await lane.connection?.close()
        lane.connection = undefined
      }
      throw writeFailure(this.#at, error)
    } finally {
      this.#give(lane)
    }
  }

  async #ready(lane: Lane): Promise<{ connection: Connection; inserter: Inserter }> {
    if (lane.connection?.alive !== true) {
      lane.connection = await connectMakingDatabase(this.#at)
      lane.inserter = undefined
    }
    const { connection } = lane
    lane.inserter ??= (await this.#knowledge(connection))()
    return { connection, inserter: lane.inserter }
  }

  /** What is known of a host: its form, the ids of its code books. Another host may be another server, so nothing is carried over. */
  #knowledge(connection: Connection): Promise<() => Inserter> {
    const known = this.#hosts.get(connection.host)
    if (known !== undefined) return known
    const learning = (async () => {
      const form = await ensureSchema(connection, this.#at, this.#now())
      const books = new CodeBooks()
      const partitions = form.partitioned ? new Partitions(form.madeBy === 'earshot', this.#at.shown) : undefined
      const turn = turns()
      return () => new Inserter(form, books, partitions, turn, this.#at.localTime)
    })()
    this.#hosts.set(connection.host, learning)
    // What could not be learned is asked again.
    learning.catch(() => this.#hosts.delete(connection.host))
    return learning
  }

  #take(): Promise<Lane> {
    const lane = this.#idle.pop()
    return lane === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(lane)
  }

  #give(lane: Lane): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(lane)
    else next(lane)
  }
}

/** One connection and what writes over it. */
interface Lane {
  connection: Connection | undefined
  inserter: Inserter | undefined
}

async function connectMakingDatabase(at: MysqlLocation): Promise<Connection> {
  try {
    return await connect(at, { readonly: false, statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  } catch (error) {
    if (((error as Error).cause as MysqlError | undefined)?.code !== 'ER_BAD_DB_ERROR') throw error
    const admin = await connect(at, { readonly: false, database: false })
    try {
      await admin.run(`CREATE DATABASE IF NOT EXISTS \`${at.database.replaceAll('`', '``')}\` CHARACTER SET utf8mb4`)
    } catch {
      // Not ours to make: the first error says what to ask for.
      throw error
    } finally {
      await admin.close()
    }
    return connect(at, { readonly: false, statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  }
}
