import { isBookValue } from '../books.js'
import { BulkRows, bulkTypeOf } from './bulk-rows.js'
import type { Connection } from './driver.js'
import type { Call, WayForNew } from './insert.js'
import { name } from './sql.js'
import type { IdOf, TableRows } from './table-rows.js'
import { Unsettled } from './unsettled.js'

/**
 * Calls that are not there yet, by MariaDB's bulk protocol: one packet a table, of numbers as they are. The server is spared a
 * third of its work, that of reading text and making objects of it. Ids come back by RETURNING and go into the rows that wait.
 */
export class BulkInsert implements WayForNew {
  readonly #cdr: BulkTable
  readonly #children: readonly BulkTable[]
  #calls = 0

  constructor([cdr, ...children]: readonly TableRows[]) {
    this.#cdr = bulkTable(cdr as TableRows, ' RETURNING `ID`')
    this.#children = children.filter(({ there }) => there).map((table) => bulkTable(table))
  }

  clear(): void {
    this.#calls = 0
    this.#cdr.rows.clear()
    for (const { rows } of this.#children) rows.clear()
  }

  add(call: Call, idOf: IdOf): void {
    const place = this.#calls++
    this.#cdr.add(call, place, idOf)
    for (const table of this.#children) table.add(call, place, idOf)
  }

  leaveOut(places: ReadonlySet<number>): void {
    if (places.size === 0) return
    this.#cdr.rows.leaveOut(places)
    for (const { rows } of this.#children) rows.leaveOut(places)
  }

  async send(db: Connection): Promise<void> {
    const { sql, rows } = this.#cdr
    const ids = await db.bulk(sql, rows)
    if (ids.length !== rows.count) throw new Unsettled(`The server gave ${ids.length} ids for ${rows.count} calls.`)
    const idOfPlace = new Array<number>(this.#calls).fill(0)
    for (const [i, id] of ids.entries()) idOfPlace[rows.placeOf(i)] = id
    for (const table of this.#children) {
      table.rows.setIds(idOfPlace)
      if (table.rows.count > 0) await db.bulk(table.sql, table.rows)
    }
    this.clear()
  }
}

interface BulkTable {
  readonly sql: string
  readonly rows: BulkRows
  /** Writes the rows of a call down, which is the one at this place. */
  readonly add: (call: Call, place: number, idOf: IdOf) => void
}

/** Sent in 8 bytes, whatever the width of the column. */
const callId = bulkTypeOf('bigint(20) unsigned')

function bulkTable(table: TableRows, returning = ''): BulkTable {
  const { filled, ours, keyed, dated, rowsOf, lead } = table
  const types = filled.map(({ type }) => bulkTypeOf(type))
  const leadTypes = lead.map((column) => (column === 'cdr_ID' ? callId : bulkTypeOf(table.typeOf(column))))
  const calldate = bulkTypeOf(table.typeOf('calldate'))
  const values = filled.map(({ isCalldate, value }) => (isCalldate ? undefined : value))
  const rows = new BulkRows([...leadTypes, ...types])
  const columns = [...lead.map(name), ...table.columns]
  return {
    sql: `INSERT INTO ${table.table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})${returning}`,
    rows,
    add: (call, place, idOf) => {
      for (const row of rowsOf(ours ? call.record : call.theirs)) {
        rows.startRow(place)
        if (lead.length > 0) rows.int64(0)
        if (dated && lead.length > 0) calldate.write(rows, call.calldate)
        if (keyed) rows.bytes(call.digest)
        for (let i = 0; i < types.length; i++) {
          const value = values[i]
          const v = value === undefined ? call.calldate : value(row)
          types[i]?.write(rows, isBookValue(v) ? idOf(v) : v)
        }
      }
    },
  }
}
