import type { FieldName } from './fields.js'
import type { Network } from './network.js'
import type { Pattern } from './pattern.js'

/**
 * What a call must be like, as a tree: made by parse.ts from text or by flags, turned into a predicate (predicate.ts) or into
 * SQL (sql.ts). Logic has two values: a field that is unknown passes no test, so `not` of a test on it holds.
 */
export type Expression<F extends string = FieldName> =
  | { readonly kind: 'and' | 'or'; readonly items: readonly Expression<F>[] }
  | { readonly kind: 'not'; readonly item: Expression<F> }
  | { readonly kind: 'test'; readonly field: F; readonly test: Test }

/** One question to one field. A field with several values passes when one of them does. */
export type Test =
  | { readonly kind: 'known' }
  | { readonly kind: 'compare'; readonly op: Comparison; readonly value: number }
  /** Both ends included: a status class. */
  | { readonly kind: 'between'; readonly low: number; readonly high: number }
  | { readonly kind: 'text'; readonly pattern: Pattern }
  | { readonly kind: 'word'; readonly word: string }
  | { readonly kind: 'network'; readonly network: Network }

export type Comparison = '=' | '<' | '<=' | '>' | '>='

/** Everything fits. */
export const anything: Expression = { kind: 'and', items: [] }

/** All of these; one alone stays itself, nested ands become one. */
export const allOf = <F extends string = FieldName>(items: readonly Expression<F>[]): Expression<F> => joined('and', items)
export const anyOf = <F extends string = FieldName>(items: readonly Expression<F>[]): Expression<F> => joined('or', items)

function joined<F extends string>(kind: 'and' | 'or', items: readonly Expression<F>[]): Expression<F> {
  const flat = items.flatMap((item) => (item.kind === kind ? item.items : [item]))
  return flat.length === 1 ? (flat[0] as Expression<F>) : { kind, items: flat }
}
