import type { Micros } from '../../base/units.js'
import { StoreFailure } from '../failure.js'
import { dateTime } from '../values.js'
import { partitionedTables } from './ddl.js'
import type { Connection, MysqlError } from './driver.js'
import { runPastLeftovers } from './leftover.js'
import { name } from './sql.js'

/**
 * One partition a day, `pYYMMDD VALUES LESS THAN ('next day')`, as VoIPmonitor makes them. Ours are made ahead, and looked at
 * on every insert: no schedule that can fail in silence. VoIPmonitor's own are left to it; a missing one is said.
 */
export const DAY = 86_400e6
/** Today's and this many after it are there. */
const DAYS_AHEAD = 3

const dayStart = (micros: number): number => Math.floor(micros / DAY) * DAY
const dayText = (micros: number): string => dateTime(micros as Micros).slice(0, 10)

/** The part of a DDL that names the partitions from this day on. */
export function partitionList(nowMicros: number, fromMicros = dayStart(nowMicros)): string {
  const parts: string[] = []
  for (let day = dayStart(fromMicros); day <= dayStart(nowMicros) + DAYS_AHEAD * DAY; day += DAY) {
    parts.push(`PARTITION p${dayText(day).slice(2).replaceAll('-', '')} VALUES LESS THAN ('${dayText(day + DAY)}')`)
  }
  return parts.join(', ')
}

export interface Partition {
  readonly table: string
  readonly name: string
  /** µs; rows before it, and not in an earlier partition, are here. */
  readonly endMicros: number
  readonly rows: number
}

/** Partitions of the tables we write, by their ends; a table without partitions gives none. */
export async function readPartitions(db: Connection): Promise<Partition[]> {
  const names = partitionedTables.map((t) => `'${t.name}'`).join(', ')
  const rows = await db.rows<{ t: string; p: string; d: string; n: number }>(
    `SELECT TABLE_NAME AS t, PARTITION_NAME AS p, PARTITION_DESCRIPTION AS d, TABLE_ROWS AS n FROM information_schema.PARTITIONS
     WHERE TABLE_SCHEMA = DATABASE() AND PARTITION_NAME IS NOT NULL AND TABLE_NAME IN (${names}) ORDER BY TABLE_NAME, PARTITION_ORDINAL_POSITION`,
  )
  return rows.map(({ t, p, d, n }) => ({ table: t, name: p, endMicros: endOf(d), rows: n }))
}

/** `'2026-11-24'` and `'2026-11-24 05:00:00'` (RANGE COLUMNS), `740000` (to_days(), old VoIPmonitors), MAXVALUE. */
function endOf(description: string): number {
  const text = description.replaceAll("'", '')
  if (/^\d+$/.test(text)) return (Number(text) - 719_528) * DAY
  const millis = Date.parse(`${text.replace(' ', 'T')}${text.includes(':') ? '' : 'T00:00:00'}Z`)
  return Number.isNaN(millis) ? Number.POSITIVE_INFINITY : millis * 1000
}

export class Partitions {
  readonly #ours: boolean
  /** Rows that begin before this have a partition in each table. */
  #endMicros = 0
  #oursEndMicros = 0
  readonly #shown: string

  /** `ours`: all tables are of our making, and we add partitions to all of them; else only to those named `earshot_…`. */
  constructor(ours: boolean, shown: string) {
    this.#ours = ours
    this.#shown = shown
  }

  /**
   * Sees to it that today and tomorrow have partitions. Gives the end of the sane window, µs: the end of tomorrow, or what
   * VoIPmonitor's partitions leave of it. A row that claims to be later comes from a wrong clock and is stored at that time.
   */
  async windowEnd(db: Connection, nowMicros: number): Promise<number> {
    const wanted = dayStart(nowMicros) + 2 * DAY
    if (Math.min(this.#endMicros, this.#oursEndMicros) < wanted) await this.#look(db, nowMicros)
    if (this.#endMicros <= nowMicros) {
      throw new StoreFailure(
        'store',
        'STORE_PARTITION',
        `${this.#shown} has no partition for ${dayText(nowMicros)}: VoIPmonitor's end before it.`,
        {
          suggestions: [
            'Start VoIPmonitor, which makes them, or make one by hand in each of its tables, e.g.',
            `ALTER TABLE cdr ADD PARTITION (${partitionList(nowMicros).split(', ')[0]});`,
          ],
        },
      )
    }
    return Math.min(this.#endMicros, wanted) - 1000
  }

  async #look(db: Connection, nowMicros: number): Promise<void> {
    const end = (ends: ReadonlyMap<string, number>, ours: boolean): number =>
      Math.min(...partitionedTables.filter((t) => (this.#ours || t.owner === 'earshot') === ours).map((t) => ends.get(t.name) ?? Infinity))
    let ends = lastEnds(await readPartitions(db))
    if (end(ends, true) < dayStart(nowMicros) + 2 * DAY) {
      await addPartitions(db, ends, nowMicros, this.#ours, this.#shown)
      ends = lastEnds(await readPartitions(db))
    }
    this.#oursEndMicros = end(ends, true)
    this.#endMicros = Math.min(this.#oursEndMicros, end(ends, false))
  }
}

function lastEnds(partitions: readonly Partition[]): Map<string, number> {
  const ends = new Map<string, number>()
  for (const { table, endMicros } of partitions) ends.set(table, Math.max(ends.get(table) ?? 0, endMicros))
  return ends
}

async function addPartitions(
  db: Connection,
  ends: ReadonlyMap<string, number>,
  nowMicros: number,
  all: boolean,
  shown: string,
): Promise<void> {
  for (const table of partitionedTables) {
    const end = ends.get(table.name)
    if (end === undefined || (!all && table.owner !== 'earshot')) continue
    // After a long pause the first new partition takes the days between: no partition for each day that nothing wrote.
    const list = partitionList(nowMicros, Math.max(end, dayStart(nowMicros)))
    if (list === '') continue
    try {
      await runPastLeftovers(db, shown, `ALTER TABLE ${name(table.name)} ADD PARTITION (${list})`)
    } catch (error) {
      // 1517, 1493: another sensor was quicker.
      if (![1517, 1493].includes((error as MysqlError).errno ?? 0)) throw error
    }
  }
}
