import { createHash } from 'node:crypto'
import { setImmediate as immediate } from 'node:timers/promises'
import type { Micros } from '../../base/units.js'
import type { CallRecord } from '../../call/record.js'
import { localMicros } from '../../native/local-time.js'
import { callTables } from '../all-tables.js'
import type { BookValue } from '../books.js'
import type { InsertCounts } from '../cdr-store.js'
import { dateTime } from '../values.js'
import { BulkInsert } from './bulk-insert.js'
import type { CodeBooks } from './code-books.js'
import { type Connection, retried } from './driver.js'
import type { Partitions } from './partitions.js'
import type { Form } from './schema.js'
import { writerOf } from './sql.js'
import { type IdOf, tableRows } from './table-rows.js'
import { TextInsert, TextReplace } from './text-insert.js'
import { Unsettled } from './unsettled.js'

/**
 * Writes records: each once, a higher revision in the place of a lower, all or nothing. Calls that are new go by MariaDB's
 * bulk protocol where the server has it, else as text, as do those that take the place of another
 * (docs/decisions/011-bulk-protocol.md).
 */
export interface InsertResult extends InsertCounts {
  /** Records whose start lay outside the sane window; stored at its end. */
  readonly clamped: number
}

/** A record and what leads to it in the tables. */
export interface Call {
  readonly record: CallRecord
  /** The record as their tables get it: in local time where that is asked for, moved into the window when its clock is wrong. */
  readonly theirs: CallRecord
  readonly calldate: string
  /** `call_key`, 16 bytes. */
  readonly digest: Uint8Array
}

/** What is remembered of a record when its rows are written down. */
interface Entry {
  /** `started_us` and `call_key`. */
  readonly key: string
  readonly startedUs: string
  readonly calldate: string
  readonly revision: number
  readonly clamped: boolean
}

/** A call that is there already, and where. */
interface Stored {
  readonly id: number
  readonly calldate: string
  readonly revision: number
}

/** One way of writing calls: rows are written down as records are read, before the transaction begins, and sent within it. */
export interface Way<C extends Call = Call> {
  clear(): void
  add(call: C, idOf: IdOf): void
  send(db: Connection): Promise<void>
}

export interface WayForNew extends Way {
  /** The calls that were added at these places are not sent. */
  leaveOut(places: ReadonlySet<number>): void
}

const ATTEMPTS = 3
/** Records that are written down before others have a turn: half a millisecond. */
const RECORDS_IN_A_ROW = 8

/** What is done one after the other, although many ask for it. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>

export function turns(): Turn {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }
}

export class Inserter {
  readonly #form: Form
  readonly #books: CodeBooks
  readonly #partitions: Partitions | undefined
  readonly #localTime: boolean
  readonly #turn: Turn
  readonly #text: TextInsert
  readonly #bulk: BulkInsert
  readonly #newer: TextReplace

  /** `turn` is shared by the connections: the first is fed before rows are written down for the second. */
  constructor(form: Form, books: CodeBooks, partitions: Partitions | undefined, turn: Turn, localTime = false) {
    this.#localTime = localTime
    this.#form = form
    this.#books = books
    this.#partitions = partitions
    this.#turn = turn
    const tables = callTables.map((table) => tableRows(table, form))
    this.#text = new TextInsert(tables)
    this.#bulk = new BulkInsert(tables)
    this.#newer = new TextReplace(tables)
  }

  /** `read` gives a record of an item, and may be asked for it again. Collisions with other writers are tried again here; a lost connection is the caller's to try again. */
  async insert<T>(db: Connection, items: readonly T[], read: (item: T) => CallRecord, nowMicros: number): Promise<InsertResult> {
    const windowEnd = this.#partitions === undefined ? nowMicros + 86_400e6 : await this.#partitions.windowEnd(db, nowMicros)
    const callOf = (item: T): Call & Entry => this.#callOf(read(item), windowEnd)
    return retried(db, async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#once(db, items, callOf)
        } catch (error) {
          if (!(error instanceof Unsettled) || !db.alive || attempt >= ATTEMPTS) throw error
        }
      }
    })
  }

  async #once<T>(db: Connection, items: readonly T[], callOf: (item: T) => Call & Entry): Promise<InsertResult> {
    const { entries, known, ways } = await this.#write(db, items, callOf)
    await db.run('BEGIN')
    try {
      for (const way of ways) await way.send(db)
      await db.run('COMMIT')
      return counts(entries, known)
    } catch (error) {
      // What is not rolled back the next BEGIN would commit. The first error says what happened.
      if (db.alive) await db.run('ROLLBACK').catch(() => db.close())
      throw error
    }
  }

  #callOf(record: CallRecord, windowEnd: number): Call & Entry {
    // Before 1970 no capture can be; a NaN would be neither. The window is one of partitions, and so of the times that are written.
    const said = this.#localTime ? localMicros(record.started) : record.started
    const sane = Math.max(0, Math.min(said, windowEnd))
    const text = dateTime(sane as Micros)
    const digest = createHash('sha1')
      .update(`${record.sensorId ?? 0} ${record.callId}`)
      .digest()
      .subarray(0, 16)
    const startedUs = bigint(record.started)
    return {
      record,
      theirs: sane === record.started ? record : moved(record, sane - record.started),
      calldate: this.#form.milliseconds ? text : text.slice(0, 19),
      digest,
      key: keyOf(startedUs, digest),
      startedUs,
      revision: record.revision,
      clamped: sane !== said,
    }
  }

  /**
   * Writes all down as if it were new, asks what is there already, and takes that out again: so no record is kept in memory.
   * Outside the transaction: no lock is held meanwhile, and ids of code books outlive it. Who stores the same record at the
   * same time is stopped by the unique index, or by `unchanged`, and tried again.
   */
  async #write<T>(db: Connection, items: readonly T[], callOf: (item: T) => Call & Entry): Promise<Written> {
    const fresh: WayForNew = db.takesBulk ? this.#bulk : this.#text
    const entries: Entry[] = []
    await this.#knowingTexts(db, fresh, async (add) => {
      entries.length = 0
      const pause = pauses()
      for (const item of items) {
        const call = callOf(item)
        add(call)
        const { key, startedUs, calldate, revision, clamped } = call
        entries.push({ key, startedUs, calldate, revision, clamped })
        await pause()
      }
    })
    const known = await this.#known(db, entries)
    const places = newest(entries)
    const leftOut = new Set(entries.keys())
    for (const [key, at] of places) if (!known.has(key)) leftOut.delete(at)
    fresh.leaveOut(leftOut)
    const newer = [...places].filter(([key, at]) => (known.get(key)?.revision ?? Infinity) < (entries[at] as Entry).revision)
    const ways: Pick<Way, 'send'>[] = leftOut.size < entries.length ? [fresh] : []
    if (newer.length > 0) {
      const replaced = newer.map(([key]) => known.get(key) as Stored)
      ways.push({ send: (on) => unchanged(on, replaced) }, this.#newer)
      await this.#knowingTexts(db, this.#newer, async (add) => {
        for (const [key, at] of newer) {
          const { id, calldate } = known.get(key) as Stored
          add({ ...callOf(items[at] as T), id, calldate })
        }
      })
    }
    return { entries, known, ways }
  }

  /**
   * Texts that a code book does not know yet are added to it, and all is written once more. What it cannot take becomes NULL.
   * Unsettled when ids are forgotten again and again: the other connections have many new texts too.
   */
  async #knowingTexts<C extends Call>(db: Connection, way: Way<C>, write: (add: (call: C) => void) => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const missing: BookValue[] = []
      const idOf: IdOf = (value) => {
        const id = this.#books.id(value)
        if (id === undefined) missing.push(value)
        return id ?? null
      }
      way.clear()
      await this.#turn(() => write((call) => way.add(call, idOf)))
      if (missing.length === 0) return
      if (attempt > ATTEMPTS) throw new Unsettled(`The ids of ${missing.length} texts were forgotten before they were written.`)
      await this.#books.learn(db, missing)
    }
  }

  async #known(db: Connection, entries: readonly Entry[]): Promise<Map<string, Stored>> {
    const starts = [...new Set(entries.map((p) => p.startedUs))].join(',')
    // Only the partitions that can hold them; a wrong clock's record may be in any.
    const dates = entries.map((p) => p.calldate).sort()
    const where = entries.some((p) => p.clamped) ? '' : ` AND calldate BETWEEN '${dates[0]}' AND '${dates.at(-1)}'`
    const rows = await db.rows<{ s: number | string; k: Uint8Array; id: number; d: string; r: number }>(
      `SELECT started_us AS s, call_key AS k, cdr_ID AS id, calldate AS d, revision AS r FROM earshot_cdr WHERE started_us IN (${starts})${where}`,
    )
    return new Map(rows.map((row) => [keyOf(String(row.s), row.k), { id: row.id, calldate: row.d, revision: row.r }]))
  }
}

/** Locks what a newer revision is to replace. Unsettled when another writer has replaced it since it was looked at, maybe by a newer one still. */
async function unchanged(db: Connection, calls: readonly Stored[]): Promise<void> {
  const dates = [...new Set(calls.map(({ calldate }) => `'${calldate}'`))]
  const rows = await db.rows<{ id: number; r: number }>(
    `SELECT cdr_ID AS id, revision AS r FROM earshot_cdr WHERE cdr_ID IN (${calls.map(({ id }) => id).join(',')}) AND calldate IN (${dates.join(',')}) FOR UPDATE`,
  )
  const revisions = new Map(rows.map(({ id, r }) => [id, r]))
  if (calls.some(({ id, revision }) => revisions.get(id) !== revision))
    throw new Unsettled('Another writer replaces the same calls again and again.')
}

interface Written {
  readonly entries: readonly Entry[]
  readonly known: ReadonlyMap<string, Stored>
  readonly ways: readonly Pick<Way, 'send'>[]
}

const keyOf = (startedUs: string, digest: Uint8Array): string =>
  `${startedUs} ${Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('latin1')}`

/** Lets others have a turn now and then: the other connections want to be fed, and their transactions hold locks. */
function pauses(): () => Promise<void> {
  let count = 0
  return async () => {
    if (++count % RECORDS_IN_A_ROW === 0) await immediate()
  }
}
/** What became of each record, in their order: within a batch too a record may be the later word on the one before it. */
function counts(entries: readonly Entry[], known: ReadonlyMap<string, Stored>): InsertResult {
  const total = { stored: 0, updated: 0, duplicates: 0, clamped: 0 }
  const revisions = new Map<string, number>()
  for (const { key, revision, clamped } of entries) {
    const there = revisions.get(key) ?? known.get(key)?.revision
    const more = there === undefined || revision > there
    total[there === undefined ? 'stored' : more ? 'updated' : 'duplicates']++
    if (clamped && !revisions.has(key)) total.clamped++
    revisions.set(key, Math.max(revision, there ?? 0))
  }
  return total
}

/** By their keys the places of the records of the highest revision. */
function newest(entries: readonly Entry[]): Map<string, number> {
  const places = new Map<string, number>()
  entries.forEach(({ key, revision }, at) => {
    const other = places.get(key)
    if (other === undefined || revision > (entries[other] as Entry).revision) places.set(key, at)
  })
  return places
}

/** The same call at another time: every time in it is moved by as much. */
function moved(record: CallRecord, by: number): CallRecord {
  const at = <T extends Micros | undefined>(time: T): T => (time === undefined ? time : ((time + by) as T))
  return {
    ...record,
    started: at(record.started),
    trying: at(record.trying),
    ringing: at(record.ringing),
    firstResponse: at(record.firstResponse),
    answered: at(record.answered),
    ended: at(record.ended),
    bye: at(record.bye),
    byeConfirmed: at(record.byeConfirmed),
    lastPacket: at(record.lastPacket),
    firstRtp: at(record.firstRtp),
    streams: record.streams.map((s) => ({ ...s, first: at(s.first), last: at(s.last) })),
    dtmf: record.dtmf.map((d) => ({ ...d, time: at(d.time) })),
  }
}

const writeBigint = writerOf('bigint')
const bigint = (value: number): string => writeBigint(value)
