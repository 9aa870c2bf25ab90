import { createHash } from 'node:crypto'
import type { Micros } from '../../base/units.js'
import type { CallRecord } from '../../call/record.js'
import { localMicros } from '../../native/local-time.js'
import { callTables } from '../all-tables.js'
import type { BookValue } from '../books.js'
import type { InsertCounts } from '../cdr-store.js'
import type { Column, Table } from '../table.js'
import { dateTime, type SqlValue } from '../values.js'
import type { CodeBooks } from './code-books.js'
import { type Connection, retried } from './driver.js'
import type { Partitions } from './partitions.js'
import type { Form } from './schema.js'
import { name, type Write, writerOf } from './sql.js'

/** Writes records: plain multi-row statements in one transaction, each record once, a higher revision in the place of a lower. */
export interface InsertResult extends InsertCounts {
  /** Records whose start lay outside the sane window; stored at its end. */
  readonly clamped: number
}

/** A statement is sent when it is this long: far below any max_allowed_packet, long enough that round trips do not count. */
const STATEMENT_CHARS = 1 << 18
const ATTEMPTS = 3

interface Prepared {
  readonly record: CallRecord
  /** The record as their tables get it: in local time where that is asked for, moved into the window when its clock is wrong. */
  readonly theirs: CallRecord
  readonly calldate: string
  readonly clamped: boolean
  /** `started_us` and `call_key`, as the server says them. */
  readonly key: string
}

interface Stored {
  readonly id: number
  readonly calldate: string
  readonly revision: number
}

interface Placed {
  readonly id: number
  readonly calldate: string
  readonly prepared: Prepared
}

export class Inserter {
  readonly #form: Form
  readonly #books: CodeBooks
  readonly #partitions: Partitions | undefined
  readonly #localTime: boolean
  readonly #tables: readonly TableWriter[]
  readonly #cdr: TableWriter
  /** auto_increment_increment: the step between the ids of one statement. A Galera cluster changes it with its size. */
  #idStep = 1

  constructor(form: Form, books: CodeBooks, partitions: Partitions | undefined, localTime = false) {
    this.#localTime = localTime
    this.#form = form
    this.#books = books
    this.#partitions = partitions
    const writers = callTables.map((table) => tableWriter(table, form, books))
    this.#cdr = writers[0] as TableWriter
    this.#tables = writers.slice(1)
  }

  /** All or nothing. Collisions with other writers are tried again here; a lost connection is the caller's to try again. */
  async insert(db: Connection, records: readonly CallRecord[], nowMicros: number): Promise<InsertResult> {
    const windowEnd = this.#partitions === undefined ? nowMicros + 86_400e6 : await this.#partitions.windowEnd(db, nowMicros)
    const all = records.map((record) => this.#prepare(record, windowEnd))
    const batch = newestOf(all)
    await this.#books.learn(db, bookValues(batch.map((p) => p.theirs)))
    const done = await retried(db, async () => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        await db.run('BEGIN')
        try {
          const known = await this.#write(db, batch)
          if (known !== undefined) {
            await db.run('COMMIT')
            return counts(all, known)
          }
          await db.run('ROLLBACK')
        } catch (error) {
          if (db.alive) await db.run('ROLLBACK')
          throw error
        }
      }
      throw new Error('The server changes its step of ids again and again.')
    })
    return { ...done, clamped: batch.filter((p) => p.clamped).length }
  }

  /** Gives what was there before. undefined: the ids cannot be told (the step changed in mid-statement); nothing may be kept. */
  async #write(db: Connection, batch: readonly Prepared[]): Promise<ReadonlyMap<string, Stored> | undefined> {
    const known = await this.#known(db, batch)
    const fresh = batch.filter((p) => !known.has(p.key))
    const placed: Placed[] = []
    if (fresh.length > 0) {
      const ids = await this.#insertCalls(db, fresh)
      if (ids === undefined) return undefined
      fresh.forEach((prepared, i) => {
        placed.push({ id: ids[i] as number, calldate: prepared.calldate, prepared })
      })
    }
    const newer = batch.flatMap((prepared): Placed[] => {
      const there = known.get(prepared.key)
      return there === undefined || prepared.record.revision <= there.revision ? [] : [{ ...there, prepared }]
    })
    if (newer.length > 0) await this.#replaceCalls(db, newer)
    await this.#insertChildren(db, [...placed, ...newer])
    return known
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

  async #insertCalls(db: Connection, fresh: readonly Prepared[]): Promise<number[] | undefined> {
    const ids: number[] = []
    const { head, row, table } = this.#cdr
    for (const statement of statements(head, fresh, (p) => `(${row(table.rows(p.theirs)[0], p.calldate)})`)) {
      const { insertId, affected } = await db.run(statement.sql)
      // The ids of one statement are consecutive steps, in every lock mode, when its rows are counted beforehand, as here.
      const [now] = await db.rows<{ step: number }>('SELECT @@auto_increment_increment AS step')
      if (now?.step !== this.#idStep || affected !== statement.rows) {
        this.#idStep = now?.step ?? 1
        return undefined
      }
      for (let i = 0; i < statement.rows; i++) ids.push(insertId + i * this.#idStep)
    }
    return ids
  }

  /** The row of cdr keeps its id, and what others wrote into it (prices); its children are written anew. */
  async #replaceCalls(db: Connection, newer: readonly Placed[]): Promise<void> {
    const { columns, row, table } = this.#cdr
    const head = `INSERT INTO cdr (ID, ${columns.map(name).join(', ')}) VALUES `
    const tail = ` ON DUPLICATE KEY UPDATE ${columns
      .filter((c) => c !== 'calldate')
      .map((c) => `${name(c)} = VALUES(${name(c)})`)
      .join(', ')}`
    for (const { sql } of statements(head, newer, (p) => `(${p.id},${row(table.rows(p.prepared.theirs)[0], p.calldate)})`))
      await db.run(sql + tail)
    const which = `cdr_ID IN (${newer.map((p) => p.id).join(',')}) AND calldate IN (${newer.map((p) => `'${p.calldate}'`).join(',')})`
    for (const child of this.#tables) await db.run(`DELETE FROM ${name(child.table.name)} WHERE ${which}`)
  }

  async #insertChildren(db: Connection, placed: readonly Placed[]): Promise<void> {
    for (const { table, head, row } of this.#tables) {
      if (head === '') continue
      const ours = table.owner === 'earshot'
      const keyed = table.name === 'earshot_cdr'
      const rows = placed.flatMap(({ id, calldate, prepared }) => {
        const start = `(${id},'${calldate}'${keyed ? `,x'${prepared.key.slice(-32)}'` : ''},`
        return (table.rows(ours ? prepared.record : prepared.theirs) as readonly unknown[]).map((r) => `${start}${row(r, calldate)})`)
      })
      for (const { sql } of statements(head, rows, (text) => text)) await db.run(sql)
    }
  }
}

interface TableWriter {
  // biome-ignore lint/suspicious/noExplicitAny: rows of any table.
  readonly table: Table<CallRecord, any>
  /** `INSERT INTO … VALUES `; empty when the database has no such table. */
  readonly head: string
  readonly columns: readonly string[]
  /** The values of a row, comma separated, without what leads to its call. */
  readonly row: (row: unknown, calldate: string) => string
}

/** Columns that the database lacks (an older VoIPmonitor) are left out. */
// biome-ignore lint/suspicious/noExplicitAny: rows of any table.
function tableWriter(table: Table<CallRecord, any>, form: Form, books: CodeBooks): TableWriter {
  const there = form.columns.get(table.name)
  const filled = (table.columns as readonly Column<unknown>[]).flatMap((column) => {
    const type = there?.get(column.name)
    return column.value === undefined || type === undefined ? [] : [{ column: column.name, value: column.value, write: writerOf(type) }]
  })
  const lead = table.name === 'cdr' ? [] : ['cdr_ID', 'calldate', ...(table.name === 'earshot_cdr' ? ['call_key'] : [])]
  const columns = filled.map((c) => c.column)
  const values = filled.map(({ column, value, write }): ((row: unknown, calldate: string) => string) =>
    column === 'calldate' ? (_, calldate) => `'${calldate}'` : valueWriter(value, write, books),
  )
  return {
    table,
    columns,
    head: there === undefined ? '' : `INSERT INTO ${name(table.name)} (${[...lead, ...columns].map(name).join(', ')}) VALUES `,
    row(row, calldate) {
      let text = ''
      for (let i = 0; i < values.length; i++)
        text += (i === 0 ? '' : ',') + (values[i] as (row: unknown, calldate: string) => string)(row, calldate)
      return text
    },
  }
}

const valueWriter =
  (value: (row: unknown) => SqlValue | BookValue, write: Write, books: CodeBooks) =>
  (row: unknown): string => {
    const v = value(row)
    return write(v !== null && typeof v === 'object' && 'book' in v ? books.id(v) : (v as SqlValue))
  }

/** The columns that lead into a code book, by their table. */
const bookColumns = callTables.flatMap((table) => {
  const columns = (table.columns as readonly Column<unknown>[]).flatMap((c) =>
    /_id$/.test(c.name) && c.value !== undefined ? [c.value] : [],
  )
  return columns.length === 0 ? [] : [{ table, columns }]
})

/** Every text of these records that a code book must know. */
function bookValues(records: readonly CallRecord[]): BookValue[] {
  const found: BookValue[] = []
  for (const { table, columns } of bookColumns) {
    for (const record of records) {
      for (const row of table.rows(record)) {
        for (const value of columns) {
          const v = value(row)
          if (v !== null && typeof v === 'object' && 'book' in v) found.push(v)
        }
      }
    }
  }
  return found
}

/** Rows put together to statements of a bounded length. */
function* statements<Row>(head: string, rows: readonly Row[], text: (row: Row) => string): Generator<{ sql: string; rows: number }> {
  let sql = ''
  let count = 0
  for (const row of rows) {
    sql += (count === 0 ? head : ',') + text(row)
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
