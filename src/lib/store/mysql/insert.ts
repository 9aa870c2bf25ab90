import { createHash } from 'node:crypto'
import { setImmediate as immediate } from 'node:timers/promises'
import type { Micros } from '../../base/units.js'
import type { CallRecord } from '../../call/record.js'
import { localMicros } from '../../native/local-time.js'
import { callTables } from '../all-tables.js'
import type { BookValue } from '../books.js'
import type { InsertCounts } from '../cdr-store.js'
import { dateTime } from '../values.js'
import type { CodeBooks } from './code-books.js'
import { type Connection, retried } from './driver.js'
import type { Partitions } from './partitions.js'
import type { Form } from './schema.js'
import { name, writerOf } from './sql.js'
import { type IdOf, type TableRows, tableRows } from './table-rows.js'

/**
 * Writes records: each once, a higher revision in the place of a lower, all or nothing, by plain multi-row INSERTs
 * (docs/decisions/008-load-data.md).
 */
export interface InsertResult extends InsertCounts {
  /** Records whose start lay outside the sane window; stored at its end. */
  readonly clamped: number
}

/** A statement is sent when it is this long: far below any max_allowed_packet, long enough that round trips do not count. */
const STATEMENT_CHARS = 1 << 18
const ATTEMPTS = 3
/** Records that are written as text before others have a turn: a millisecond. */
const RECORDS_IN_A_ROW = 8

interface Prepared {
  readonly record: CallRecord
  /** The record as their tables get it: in local time where that is asked for, moved into the window when its clock is wrong. */
  readonly theirs: CallRecord
  readonly calldate: string
  readonly clamped: boolean
  /** `started_us` and `call_key`, as the server says them. */
  readonly key: string
}

/** With the rows of every table as texts, without what leads to the call; made before the transaction begins. */
interface Written extends Prepared {
  readonly cdr: string
  readonly children: readonly (readonly string[])[]
}

interface Stored {
  readonly id: number
  readonly calldate: string
  readonly revision: number
}

interface Placed {
  readonly id: number
  readonly calldate: string
  readonly written: Written
}

/** Something changed under the batch, and nothing of it may be kept; another try will do. */
class Unsettled extends Error {}

export class Inserter {
  readonly #form: Form
  readonly #books: CodeBooks
  readonly #partitions: Partitions | undefined
  readonly #localTime: boolean
  readonly #children: readonly TableRows[]
  readonly #cdr: TableRows
  /** auto_increment_increment: the step between the ids of one statement. A Galera cluster changes it with its size. */
  #idStep = 1

  constructor(form: Form, books: CodeBooks, partitions: Partitions | undefined, localTime = false) {
    this.#localTime = localTime
    this.#form = form
    this.#books = books
    this.#partitions = partitions
    const [cdr, ...children] = callTables.map((table) => tableRows(table, form))
    this.#cdr = cdr as TableRows
    this.#children = children
  }

  /** Collisions with other writers are tried again here; a lost connection is the caller's to try again. */
  async insert(db: Connection, records: readonly CallRecord[], nowMicros: number): Promise<InsertResult> {
    const windowEnd = this.#partitions === undefined ? nowMicros + 86_400e6 : await this.#partitions.windowEnd(db, nowMicros)
    const all = records.map((record) => this.#prepare(record, windowEnd))
    const batch = newestOf(all)
    const done = await retried(db, async () => {
      for (let attempt = 1; ; attempt++) {
        const written = await this.#rowsOf(db, batch)
        await db.run('BEGIN')
        try {
          const known = await this.#write(db, written)
          await db.run('COMMIT')
          return counts(all, known)
        } catch (error) {
          if (db.alive) await db.run('ROLLBACK')
          if (!(error instanceof Unsettled) || attempt >= ATTEMPTS) throw error
        }
      }
    })
    return { ...done, clamped: batch.filter((p) => p.clamped).length }
  }

  #prepare(record: CallRecord, windowEnd: number): Prepared {
    // Before 1970 no capture can be; a NaN would be neither. The window is one of partitions, and so of the times that are written.
    const said = this.#localTime ? localMicros(record.started) : record.started
    const sane = Math.max(0, Math.min(said, windowEnd))
    const clamped = sane !== said
    const theirs = sane === record.started ? record : moved(record, sane - record.started)
    const text = dateTime(sane as Micros)
    const digest = createHash('sha1')
      .update(`${record.sensorId ?? 0} ${record.callId}`)
      .digest('hex')
      .slice(0, 32)
    return {
      record,
      theirs,
      calldate: this.#form.milliseconds ? text : text.slice(0, 19),
      clamped,
      key: `${bigint(record.started)} ${digest}`,
    }
  }

  /** Texts that a code book does not know yet are added to it here: outside the transaction, so that ids outlive it and no lock is held. */
  async #rowsOf(db: Connection, batch: readonly Prepared[]): Promise<Written[]> {
    const missing: BookValue[] = []
    const idOf: IdOf = (value) => {
      const id = this.#books.id(value)
      if (id === undefined) missing.push(value)
      return id ?? null
    }
    const cdr = this.#cdr
    const write = (prepared: Prepared): Written => {
      const { record, theirs, calldate } = prepared
      const children: string[][] = []
      for (const { rowsOf, ours, sql } of this.#children) {
        const rows: string[] = []
        for (const row of rowsOf(ours ? record : theirs)) rows.push(sql(row, calldate, idOf))
        children.push(rows)
      }
      return { ...prepared, cdr: cdr.sql(cdr.rowsOf(theirs)[0], calldate, idOf), children }
    }
    const written: Written[] = []
    for (const prepared of batch) {
      let rows = write(prepared)
      for (let attempt = 0; missing.length > 0 && attempt < ATTEMPTS; attempt++) {
        // Of the whole rest of the batch: its texts are mostly the same few.
        for (const other of batch.slice(written.length + 1)) write(other)
        await this.#books.learn(db, missing.splice(0))
        rows = write(prepared)
      }
      missing.length = 0
      written.push(rows)
      // The other connections want to be fed meanwhile: a server that waits for its rows may hold locks.
      if (written.length % RECORDS_IN_A_ROW === 0) await immediate()
    }
    return written
  }

  /** Gives what was there before. */
  async #write(db: Connection, batch: readonly Written[]): Promise<ReadonlyMap<string, Stored>> {
    const known = await this.#known(db, batch)
    const fresh = batch.filter((p) => !known.has(p.key))
    const placed: Placed[] = []
    if (fresh.length > 0) {
      const ids = await this.#insertCalls(db, fresh)
      fresh.forEach((written, i) => {
        placed.push({ id: ids[i] as number, calldate: written.calldate, written })
      })
    }
    const newer = batch.flatMap((written): Placed[] => {
      const there = known.get(written.key)
      return there === undefined || written.record.revision <= there.revision ? [] : [{ ...there, written }]
    })
    if (newer.length > 0) await this.#replaceCalls(db, newer)
    await this.#insertChildren(db, [...placed, ...newer])
    return known
  }

  async #known(db: Connection, batch: readonly Prepared[]): Promise<Map<string, Stored>> {
    const starts = [...new Set(batch.map((p) => bigint(p.record.started)))].join(',')
    // Only the partitions that can hold them; a wrong clock's record may be in any.
    const dates = batch.map((p) => p.calldate).sort()
    const where = batch.some((p) => p.clamped) ? '' : ` AND calldate BETWEEN '${dates[0]}' AND '${dates.at(-1)}'`
    const rows = await db.rows<{ s: number | string; k: string; id: number; d: string; r: number }>(
      `SELECT started_us AS s, lower(hex(call_key)) AS k, cdr_ID AS id, calldate AS d, revision AS r FROM earshot_cdr WHERE started_us IN (${starts})${where}`,
    )
    return new Map(rows.map((row) => [`${row.s} ${row.k}`, { id: row.id, calldate: row.d, revision: row.r }]))
  }

  async #insertCalls(db: Connection, fresh: readonly Written[]): Promise<number[]> {
    const ids: number[] = []
    const rows = fresh.map((p) => `(${p.cdr})`)
    for (const statement of statements(this.#cdr.insert(), rows)) {
      const { insertId, affected } = await db.run(statement.sql)
      // The ids of one statement are consecutive steps, in every lock mode, when its rows are counted beforehand, as here.
      const step = await idStep(db)
      if (step !== this.#idStep || affected !== statement.rows) {
        this.#idStep = step
        throw new Unsettled('The server changes its step of ids again and again.')
      }
      for (let i = 0; i < statement.rows; i++) ids.push(insertId + i * this.#idStep)
    }
    return ids
  }

  #cdrSql(p: Written): string {
    return this.#cdr.sql(this.#cdr.rowsOf(p.theirs)[0], p.calldate, (value) => {
      const id = this.#books.id(value)
      if (id === undefined) throw new Unsettled('A text of a code book was forgotten.')
      return id
    })
  }

  /** The row of cdr keeps its id, and what others wrote into it (prices); its children are written anew. */
  async #replaceCalls(db: Connection, newer: readonly Placed[]): Promise<void> {
    const { columns, insert } = this.#cdr
    const tail = ` ON DUPLICATE KEY UPDATE ${columns
      .filter((c) => c !== name('calldate'))
      .map((c) => `${c} = VALUES(${c})`)
      .join(', ')}`
    const rows = newer.map((p) => `(${p.id},${this.#cdrSql({ ...p.written, calldate: p.calldate })})`)
    for (const { sql } of statements(insert(['ID']), rows)) await db.run(sql + tail)
    const which = `cdr_ID IN (${newer.map((p) => p.id).join(',')})`
    const when = ` AND calldate IN (${newer.map((p) => `'${p.calldate}'`).join(',')})`
    for (const { table, there, dated } of this.#children) if (there) await db.run(`DELETE FROM ${table} WHERE ${which}${dated ? when : ''}`)
  }

  async #insertChildren(db: Connection, placed: readonly Placed[]): Promise<void> {
    for (const [at, { there, keyed, dated, insert }] of this.#children.entries()) {
      if (!there) continue
      const lead = ['cdr_ID', ...(dated ? ['calldate'] : []), ...(keyed ? ['call_key'] : [])]
      const rows = placed.flatMap(({ id, calldate, written }) => {
        const start = `(${id},${dated ? `'${calldate}',` : ''}${keyed ? `x'${written.key.slice(-32)}',` : ''}`
        return (written.children[at] as readonly string[]).map((row) => `${start}${row})`)
      })
      for (const { sql } of statements(insert(lead), rows)) await db.run(sql)
    }
  }
}

const idStep = async (db: Connection): Promise<number> =>
  (await db.rows<{ step: number }>('SELECT @@auto_increment_increment AS step'))[0]?.step ?? 1

/** Rows put together to statements of a bounded length. */
function* statements(head: string, rows: readonly string[]): Generator<{ sql: string; rows: number }> {
  let sql = ''
  let count = 0
  for (const row of rows) {
    sql += (count === 0 ? head : ',') + row
    count++
    if (sql.length < STATEMENT_CHARS) continue
    yield { sql, rows: count }
    sql = ''
    count = 0
  }
  if (count > 0) yield { sql, rows: count }
}

/** What became of each record, in their order: within a batch too a record may be the later word on the one before it. */
function counts(all: readonly Prepared[], known: ReadonlyMap<string, Stored>): InsertCounts {
  const total = { stored: 0, updated: 0, duplicates: 0 }
  const revisions = new Map<string, number>()
  for (const { key, record } of all) {
    const there = revisions.get(key) ?? known.get(key)?.revision
    const more = there === undefined || record.revision > there
    total[there === undefined ? 'stored' : more ? 'updated' : 'duplicates']++
    if (more) revisions.set(key, record.revision)
  }
  return total
}

/** Of several records of one key the one of the highest revision. */
function newestOf(batch: readonly Prepared[]): Prepared[] {
  const newest = new Map<string, Prepared>()
  for (const p of batch) {
    const other = newest.get(p.key)
    if (other === undefined || p.record.revision > other.record.revision) newest.set(p.key, p)
  }
  return [...newest.values()]
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
