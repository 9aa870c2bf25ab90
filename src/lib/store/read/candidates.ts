import type { Expression } from '../../query/expression.js'
import { fields } from '../../query/fields.js'
import type { ReadEngine, Sql } from './engine.js'
import { placesIn } from './places.js'
import { placeSql, reversedPattern, type TestExpression } from './where.js'

/**
 * Few calls found by an index. A planner guesses whether a number or the time narrows more, and guesses wrong for the one
 * number in five million as for the one that everybody calls. We look: an index is asked for at most so many calls; when it has
 * more, walking the calls by time finds enough of them soon.
 */
export const CANDIDATES_MAX = 10_000

export interface Candidate {
  readonly id: number
  /** Where the tables are partitioned by it. */
  readonly calldate: string | undefined
}

/** Calls of which every call that fits is one; undefined when no index narrows enough. */
export async function candidates(engine: ReadEngine, where: Expression): Promise<Candidate[] | undefined> {
  const parts = where.kind === 'and' ? where.items : [where]
  const limited = parts.some(
    (part) => part.kind === 'test' && part.field === 'started' && part.test.kind === 'compare' && /^[>=]/.test(part.test.op),
  )
  for (const part of parts) {
    const statements = statementsOf(part, engine, limited)
    if (statements === undefined) continue
    const found = await gather(engine, statements)
    if (found !== undefined) return found
  }
  return undefined
}

/** Statements that together give every call of which the expression can hold; undefined when an index cannot. */
function statementsOf(expression: Expression, engine: ReadEngine, limited: boolean): Sql[] | undefined {
  if (expression.kind === 'or') {
    const all = expression.items.map((item) => statementsOf(item, engine, limited))
    return all.length > 0 && all.every((s) => s !== undefined) ? all.flat() : undefined
  }
  return expression.kind === 'test' ? ofTest(expression, engine, limited) : undefined
}

function ofTest({ field, test }: TestExpression, { dialect }: ReadEngine, limited: boolean): Sql[] | undefined {
  const statements: Sql[] = []
  for (const place of placesIn(dialect)[field]) {
    if (place.find === undefined || (place.scanned && limited)) return undefined
    if (test.kind === 'text') {
      const backwards = place.reversed === undefined ? undefined : reversedPattern(test.pattern)
      if (!dialect.indexes(backwards ?? test.pattern, fields[field].type !== 'exact')) return undefined
    } else if (test.kind !== 'network' && !(test.kind === 'compare' && test.op === '=')) return undefined
    const [table, id] = place.find
    const { sql, values } = placeSql(place, fields[field], test, dialect)
    const alias = place.column.includes('.') ? place.column.slice(0, place.column.indexOf('.')) : table
    const columns = dialect.calldate !== undefined ? `${id} AS id, calldate` : `${id} AS id`
    statements.push({ sql: `SELECT ${columns} FROM ${table} ${alias} WHERE ${sql} LIMIT ${CANDIDATES_MAX + 1}`, values })
  }
  return statements
}

async function gather(engine: ReadEngine, statements: readonly Sql[]): Promise<Candidate[] | undefined> {
  const found = new Map<number, Candidate>()
  for (const { sql, values } of statements) {
    const rows = await engine.rows(sql, values)
    if (rows.length > CANDIDATES_MAX) return undefined
    for (const row of rows) found.set(row['id'] as number, { id: row['id'] as number, calldate: row['calldate'] as string | undefined })
  }
  return [...found.values()]
}
