import type { Expression } from '../../query/expression.js'
import type { SqlValue } from '../values.js'
import { type Candidate, candidates } from './candidates.js'
import type { ReadEngine, Row, Sql } from './engine.js'
import { type CdrSort, sortColumns } from './sort.js'
import { whereOf } from './where.js'

/** Which calls, and in which order: the numbers of the calls that fit, a batch at a time. Their rows are fetched by calls.ts. */

export interface Wanted {
  readonly where: Expression
  readonly sort: CdrSort
  /** Go on after this record, in the order of `sort`. */
  readonly after: number | undefined
  readonly limit: number
}

export type Batch = readonly Candidate[]

/** Rows asked for at once: enough to make asking cheap, few enough to hold. */
const PAGE = 1000
/** Calls that one statement names. */
const NAMED_MAX = 1000
/** Keys held to sort by something else than time: 5 million are some 40 MB. */
export const SORTED_MAX = 5_000_000

/** From earshot_cdr, with cdr behind it where the conditions need it. */
export function fromTables({ dialect }: ReadEngine, texts: readonly string[], walked = 'earshot_cdr e'): string {
  if (dialect.shared !== undefined) return dialect.shared.from
  if (!texts.some((text) => /\bc\./.test(text))) return `FROM ${walked}`
  const day = dialect.calldate === undefined ? '' : ` AND c.calldate = ${dialect.calldate('e.calldate')}`
  return `FROM ${walked} ${dialect.joinCdr} ON c.ID = e.cdr_ID${day}`
}
const calldate = ({ dialect }: ReadEngine): string => (dialect.calldate === undefined ? '' : ', e.calldate AS calldate')
const candidateOf = (row: Row): Candidate => ({ id: row['id'] as number, calldate: row['calldate'] as string | undefined })

export async function* ordered(engine: ReadEngine, wanted: Wanted): AsyncGenerator<Batch, void, void> {
  if (wanted.limit <= 0) return
  const found = await candidates(engine, wanted.where)
  if (found !== undefined) yield* sortedHere(engine, wanted, found)
  else if (wanted.sort.column === 'id') yield* byNumber(engine, wanted)
  else if (wanted.sort.column === 'started') yield* byTime(engine, wanted)
  else yield* sortedThere(engine, wanted)
}

/** The few that an index gave: asked whether they fit, and sorted here. */
async function* sortedHere(engine: ReadEngine, wanted: Wanted, found: readonly Candidate[]): AsyncGenerator<Batch, void, void> {
  const { sql, values } = whereOf(wanted.where, engine.dialect)
  const key = sortColumns[wanted.sort.column]
  const keyed: (Candidate & { readonly key: unknown })[] = []
  // Neighbours in number are neighbours in time: each statement looks into few partitions.
  for (const part of chunks([...found].sort((a, b) => a.id - b.id))) {
    const named = namedSql(part, engine, 'e')
    for (const row of await engine.rows(
      `SELECT e.cdr_ID AS id, ${key} AS sort_key${calldate(engine)} ${fromTables(engine, [key, sql])} WHERE ${named.sql} AND ${sql}`,
      [...named.values, ...values],
    )) {
      keyed.push({ ...candidateOf(row), key: row['sort_key'] })
    }
  }
  const way = wanted.sort.descending ? -1 : 1
  keyed.sort((a, b) => byKey(a.key, b.key, way) || way * (a.id - b.id))
  const from = wanted.after === undefined ? 0 : keyed.findIndex(({ id }) => id === wanted.after) + 1
  yield* chunks(wanted.after !== undefined && from === 0 ? await after(engine, wanted, keyed) : keyed.slice(from, from + wanted.limit))
}

/** The record to go on after does not fit itself: what sorts behind it. */
async function after<T extends Candidate & { readonly key: unknown }>(
  engine: ReadEngine,
  wanted: Wanted,
  keyed: readonly T[],
): Promise<T[]> {
  const key = await keyOf(engine, wanted)
  const way = wanted.sort.descending ? -1 : 1
  const start = keyed.findIndex((one) => (byKey(one.key, key, way) || way * (one.id - (wanted.after as number))) > 0)
  return start < 0 ? [] : keyed.slice(start, start + wanted.limit)
}

/** Unknown comes last, whichever way. */
function byKey(a: unknown, b: unknown, way: number): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? 1 : -1
  return (a as number) < (b as number) ? -way : way
}

async function keyOf(engine: ReadEngine, { sort, after: id }: Wanted): Promise<unknown> {
  const key = sortColumns[sort.column]
  const [row] = await engine.rows(`SELECT ${key} AS sort_key ${fromTables(engine, [key])} WHERE e.cdr_ID = ?`, [id ?? 0])
  return row?.['sort_key']
}

async function* byNumber(engine: ReadEngine, wanted: Wanted): AsyncGenerator<Batch, void, void> {
  const { sql, values } = whereOf(wanted.where, engine.dialect)
  const [sign, way] = wanted.sort.descending ? ['<', 'DESC'] : ['>', 'ASC']
  let last = wanted.after
  for (let left = wanted.limit; left > 0; ) {
    const size = Math.min(PAGE, left)
    const beyond = last === undefined ? { sql: '', values: [] } : { sql: `e.cdr_ID ${sign} ? AND `, values: [last] }
    const rows = await engine.rows(
      `SELECT e.cdr_ID AS id${calldate(engine)} ${fromTables(engine, [sql])} WHERE ${beyond.sql}${sql} ORDER BY e.cdr_ID ${way} LIMIT ${size}`,
      [...beyond.values, ...values],
    )
    if (rows.length > 0) yield rows.map(candidateOf)
    if (rows.length < size) return
    last = rows.at(-1)?.['id'] as number
    left -= rows.length
  }
}

/**
 * Along the index of the starts. Calls of one microsecond have the order of their numbers, which that index does not know: a page
 * that ends between such calls gives up the last microsecond, which is then walked by number.
 */
async function* byTime(engine: ReadEngine, wanted: Wanted): AsyncGenerator<Batch, void, void> {
  const { sql, values } = whereOf(wanted.where, engine.dialect)
  const { descending } = wanted.sort
  const [sign, way] = descending ? ['<', 'DESC'] : ['>', 'ASC']
  // Shared tables have an index of calldate, which is coarser: within a moment calls go by their exact start.
  const key = engine.dialect.shared === undefined ? 'e.started_us' : 'c.calldate'
  const columns = `e.cdr_ID AS id, e.started_us AS started_us, ${key} AS moment${calldate(engine)}`
  const from = fromTables(engine, [sql, key], engine.dialect.byTime)
  let left = wanted.limit
  let last: SqlValue | undefined

  const ofMoment = async function* (moment: SqlValue, after: Row | undefined): AsyncGenerator<Batch, void, void> {
    for (let behind = after; left > 0; ) {
      const size = Math.min(PAGE, left)
      const beyond = behind === undefined ? '' : ` AND (e.started_us ${sign} ? OR (e.started_us = ? AND e.cdr_ID ${sign} ?))`
      const [started, id] = [behind?.['started_us'] as number, behind?.['id'] as number]
      const rows = await engine.rows(
        `SELECT ${columns} ${from} WHERE ${key} = ?${beyond} AND ${sql} ORDER BY e.started_us ${way}, e.cdr_ID ${way} LIMIT ${size}`,
        [moment, ...(behind === undefined ? [] : [started, started, id]), ...values],
      )
      if (rows.length > 0) yield rows.map(candidateOf)
      left -= rows.length
      if (rows.length < size) return
      behind = rows.at(-1)
    }
  }

  if (wanted.after !== undefined) {
    const [row] = await engine.rows(`SELECT ${columns} ${fromTables(engine, [key])} WHERE e.cdr_ID = ?`, [wanted.after])
    if (row === undefined) return
    last = row['moment'] as SqlValue
    yield* ofMoment(last, row)
  }
  while (left > 0) {
    const size = Math.min(PAGE, left)
    const rows = await engine.rows(
      `SELECT ${columns} ${from} WHERE ${last === undefined ? '' : `${key} ${sign} ? AND `}${sql} ORDER BY ${key} ${way} LIMIT ${size + 1}`,
      [...(last === undefined ? [] : [last]), ...values],
    )
    const moment = (row: Row | undefined): unknown => row?.['moment']
    const cut = rows.length > size && moment(rows[size]) === moment(rows[size - 1])
    const whole = cut ? rows.filter((row) => moment(row) !== moment(rows[size])) : rows.slice(0, size)
    if (whole.length > 0) {
      const sign = descending ? -1 : 1
      const started = (row: Row): number => row['started_us'] as number
      yield [...whole]
        .sort(
          (a, b) =>
            byKey(moment(a), moment(b), sign) || sign * (started(a) - started(b)) || sign * ((a['id'] as number) - (b['id'] as number)),
        )
        .map(candidateOf)
    }
    left -= whole.length
    if (rows.length <= size) return
    last = moment(rows[size - 1]) as SqlValue
    if (cut) yield* ofMoment(last, undefined)
  }
}

/** By any other column: the database sorts once, and only the numbers are held, so that a reader may take its time. */
async function* sortedThere(engine: ReadEngine, wanted: Wanted): AsyncGenerator<Batch, void, void> {
  const { sql, values } = whereOf(wanted.where, engine.dialect)
  const column = sortColumns[wanted.sort.column]
  const [sign, way] = wanted.sort.descending ? ['<', 'DESC'] : ['>', 'ASC']
  const beyond: { sql: string; values: SqlValue[] } = { sql: '1 = 1', values: [] }
  if (wanted.after !== undefined) {
    const key = (await keyOf(engine, wanted)) as SqlValue | undefined
    if (key === undefined) return
    if (key === null) Object.assign(beyond, { sql: `(${column} IS NULL AND e.cdr_ID ${sign} ?)`, values: [wanted.after] })
    else {
      beyond.sql = `(${column} ${sign} ? OR (${column} = ? AND e.cdr_ID ${sign} ?) OR ${column} IS NULL)`
      beyond.values = [key, key, wanted.after]
    }
  }
  const limit = Math.min(wanted.limit, SORTED_MAX)
  const found = new Numbers()
  await engine.each(
    `SELECT e.cdr_ID AS id ${fromTables(engine, [sql, column])} WHERE ${beyond.sql} AND ${sql} ORDER BY ${column} IS NULL, ${column} ${way}, e.cdr_ID ${way} LIMIT ${limit}`,
    [...beyond.values, ...values],
    (row) => found.push(row['id'] as number),
  )
  for (let at = 0; at < found.length; at += NAMED_MAX) yield found.slice(at, at + NAMED_MAX).map((id) => ({ id, calldate: undefined }))
}

/** Numbers in 8 bytes each. */
class Numbers {
  #cells = new Float64Array(1024)
  length = 0

  push(value: number): void {
    if (this.length === this.#cells.length) {
      const larger = new Float64Array(2 * this.length)
      larger.set(this.#cells)
      this.#cells = larger
    }
    this.#cells[this.length++] = value
  }

  slice(from: number, to: number): number[] {
    return [...this.#cells.subarray(from, Math.min(to, this.length))]
  }
}

/** The condition that a call is one of these. `alias` has `cdr_ID` (or, for cdr, `ID`). */
export function namedSql(batch: Batch, { dialect }: ReadEngine, alias: string, id = 'cdr_ID'): Sql {
  const marks = batch.map(() => '?').join(', ')
  const numbers = batch.map((one) => one.id)
  const days = batch.flatMap((one) => one.calldate ?? []).sort()
  if (dialect.calldate === undefined || days.length === 0 || days.length !== batch.length)
    return { sql: `${alias}.${id} IN (${marks})`, values: numbers }
  // Whole seconds: a table of theirs may have no finer ones.
  const [first, last] = [days[0] as string, days.at(-1) as string]
  return {
    sql: `${alias}.calldate BETWEEN ? AND ? AND ${alias}.${id} IN (${marks})`,
    values: [first.slice(0, 19), `${last.slice(0, 19)}.999`, ...numbers],
  }
}

/** Parts of a list, each short enough to be named in one statement. */
export function* chunks<T>(items: readonly T[]): Generator<T[], void, void> {
  for (let at = 0; at < items.length; at += NAMED_MAX) yield items.slice(at, at + NAMED_MAX)
}
