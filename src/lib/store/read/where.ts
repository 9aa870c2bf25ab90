import type { Comparison, Expression, Test } from '../../query/expression.js'
import { type Field, fields } from '../../query/fields.js'
import type { Pattern } from '../../query/pattern.js'
import { type Dialect, joinSql, never, type Sql } from './engine.js'
import { type Place, places, within } from './places.js'

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

const testSql = ({ field, test }: TestExpression, dialect: Dialect): Sql =>
  joinSql(
    places[field].map((place) => within(place, placeSql(place, fields[field], test, dialect))),
    'OR',
  )

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
