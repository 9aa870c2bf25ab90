import type { Comparison, Expression, Test } from '../../query/expression.js'
import { type Field, fields } from '../../query/fields.js'
import type { Pattern } from '../../query/pattern.js'
import { type Dialect, joinSql, never, type SharedCalls, type Sql } from './engine.js'
import { type Place, placesIn, within } from './places.js'

/** An expression as a condition over `cdr c` and `earshot_cdr e`. It holds for the same calls as the predicate. */
export function whereOf(expression: Expression, dialect: Dialect): Sql {
  switch (expression.kind) {
    case 'and':
    case 'or':
      return joinSql(
        expression.items.map((item) => whereOf(item, dialect)),
        expression.kind === 'and' ? 'AND' : 'OR',
      )
    case 'not': {
      // What is unknown to SQL is false to us; without this, NOT would leave it unknown.
      const { sql, values } = whereOf(expression.item, dialect)
      return { sql: `NOT coalesce(${sql}, 0)`, values }
    }
    case 'test':
      return testSql(expression, dialect)
    default:
      return expression satisfies never
  }
}

export type TestExpression = Extract<Expression, { kind: 'test' }>

function testSql({ field, test }: TestExpression, dialect: Dialect): Sql {
  const exact = joinSql(
    placesIn(dialect)[field].map((place) => within(place, placeSql(place, fields[field], test, dialect))),
    'OR',
  )
  return field === 'started' && dialect.shared !== undefined ? joinSql([...limits(test, dialect.shared), exact], 'AND') : exact
}

/** The same limits of time once more, where an index can use them. */
function limits(test: Test, shared: SharedCalls): Sql[] {
  if (test.kind === 'between') return [shared.within(test.low, test.high)]
  if (test.kind !== 'compare') return []
  return [
    shared.within(
      /[>=]/.test(test.op) && !test.op.includes('<') ? test.value : undefined,
      /[<=]/.test(test.op) && !test.op.includes('>') ? test.value : undefined,
    ),
  ]
}

/** An expression may come from afar: nothing of it is written into SQL but by this list. */
const operators: Readonly<Record<Comparison, string>> = { '=': '=', '<': '<', '<=': '<=', '>': '>', '>=': '>=' }

/** The test on one column. */
export function placeSql(place: Place, { type }: Field, test: Test, dialect: Dialect): Sql {
  const { column, unknown } = place
  const sure = (sql: string, ...values: number[]): Sql =>
    unknown === undefined ? { sql, values } : { sql: `(${sql} AND ${column} <> ${unknown})`, values }
  switch (test.kind) {
    case 'known':
      return unknown === undefined ? { sql: `${column} IS NOT NULL`, values: [] } : { sql: `${column} <> ${unknown}`, values: [] }
    case 'compare':
      return sure(`${column} ${operators[test.op] ?? '='} ?`, test.value)
    case 'between':
      return sure(`${column} BETWEEN ? AND ?`, test.low, test.high)
    case 'word':
      return place.bits === undefined
        ? { sql: `${column} = ?`, values: [test.word] }
        : { sql: `(${column} & ${1 << (place.bits[test.word]?.bit ?? 31)}) <> 0`, values: [] }
    case 'text': {
      const backwards = reversedPattern(test.pattern)
      if (place.reversed !== undefined && backwards !== undefined && dialect.indexes(backwards, true)) {
        return dialect.text(place.reversed, backwards, true)
      }
      return dialect.text(column, test.pattern, type !== 'exact')
    }
    case 'network':
      return dialect.address(column, test.network) ?? never
    default:
      return test satisfies never
  }
}

/** `*100` as `001*`; undefined for what does not begin with a star, which the column itself answers as well. */
export function reversedPattern({ pieces }: Pattern): Pattern | undefined {
  if (pieces.length === 1 || pieces[0] !== '' || pieces.at(-1) === '') return undefined
  return { pieces: pieces.map((piece) => [...piece].reverse().join('')).reverse() }
}
