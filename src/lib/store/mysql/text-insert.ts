import type { Connection } from './driver.js'
import type { Call, Way, WayForNew } from './insert.js'
import { hex, name } from './sql.js'
import type { IdOf, TableRows } from './table-rows.js'
import { Unsettled } from './unsettled.js'

/**
 * Calls as text, by multi-row INSERTs: what every server understands. We write the text ourselves; a statement of hundreds of
 * rows is too long for placeholders.
 */
export class TextInsert implements WayForNew {
  readonly #cdr: TableRows
  readonly #children: readonly TableRows[]
  #written: Written[] = []
  /** auto_increment_increment: the step between the ids of one statement. A Galera cluster changes it with its size. */
  #idStep = 1

  constructor([cdr, ...children]: readonly TableRows[]) {
    this.#cdr = cdr as TableRows
    this.#children = children
  }

  clear(): void {
    this.#written = []
  }

  add(call: Call, idOf: IdOf): void {
    this.#written.push(rowsOf(call, this.#cdr, this.#children, idOf))
  }

  leaveOut(places: ReadonlySet<number>): void {
    if (places.size > 0) this.#written = this.#written.filter((_, at) => !places.has(at))
  }

  async send(db: Connection): Promise<void> {
    const ids = await this.#insertCalls(db)
    await insertChildren(
      db,
      this.#children,
      this.#written.map((one, i) => ({ ...one, id: ids[i] as number })),
    )
    this.clear()
  }

  async #insertCalls(db: Connection): Promise<number[]> {
    const ids: number[] = []
    const rows = this.#written.map((p) => `(${p.cdr})`)
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
}

/**
 * Calls in the place of an earlier word on them, as text: the row of cdr keeps its id, and what others wrote into it (prices);
 * its children are written anew.
 */
export class TextReplace implements Way<Call & { readonly id: number }> {
  readonly #cdr: TableRows
  readonly #children: readonly TableRows[]
  #written: (Written & { readonly id: number })[] = []

  constructor([cdr, ...children]: readonly TableRows[]) {
    this.#cdr = cdr as TableRows
    this.#children = children
  }

  clear(): void {
    this.#written = []
  }

  add(call: Call & { readonly id: number }, idOf: IdOf): void {
    this.#written.push({ id: call.id, ...rowsOf(call, this.#cdr, this.#children, idOf) })
  }

  async send(db: Connection): Promise<void> {
    const { columns, insert } = this.#cdr
    const tail = ` ON DUPLICATE KEY UPDATE ${columns
      .filter((c) => c !== name('calldate'))
      .map((c) => `${c} = VALUES(${c})`)
      .join(', ')}`
    const rows = this.#written.map((p) => `(${p.id},${p.cdr})`)
    for (const { sql } of statements(insert(['ID']), rows)) await db.run(sql + tail)
    const which = `cdr_ID IN (${this.#written.map((p) => p.id).join(',')})`
    const when = ` AND calldate IN (${this.#written.map((p) => `'${p.calldate}'`).join(',')})`
    for (const { table, there, dated } of this.#children) if (there) await db.run(`DELETE FROM ${table} WHERE ${which}${dated ? when : ''}`)
    await insertChildren(db, this.#children, this.#written)
    this.clear()
  }
}

/** The rows of every table as texts, without what leads to the call. */
interface Written extends Pick<Call, 'calldate' | 'digest'> {
  readonly cdr: string
  readonly children: readonly (readonly string[])[]
}

function rowsOf({ record, theirs, calldate, digest }: Call, cdr: TableRows, children: readonly TableRows[], idOf: IdOf): Written {
  return {
    calldate,
    digest,
    cdr: cdr.sql(cdr.rowsOf(theirs)[0], calldate, idOf),
    children: children.map((table) => table.rowsOf(table.ours ? record : theirs).map((row) => table.sql(row, calldate, idOf))),
  }
}

async function insertChildren(
  db: Connection,
  tables: readonly TableRows[],
  calls: readonly (Written & { readonly id: number })[],
): Promise<void> {
  for (const [at, { there, dated, keyed, lead, insert }] of tables.entries()) {
    if (!there) continue
    const rows = calls.flatMap(({ id, calldate, digest, children }) => {
      const start = `(${id},${dated ? `'${calldate}',` : ''}${keyed ? `${hex(digest)},` : ''}`
      return (children[at] as readonly string[]).map((row) => `${start}${row})`)
    })
    for (const { sql } of statements(insert(lead), rows)) await db.run(sql)
  }
}

const idStep = async (db: Connection): Promise<number> =>
  (await db.rows<{ step: number }>('SELECT @@auto_increment_increment AS step'))[0]?.step ?? 1

/** A statement is sent when it is this long: far below any max_allowed_packet, long enough that round trips do not count. */
const STATEMENT_CHARS = 1 << 18

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
