import type { CallJson } from '../call/json.js'
import type { Expression, Test } from './expression.js'
import { type FieldType, type Language, recordLanguage } from './fields.js'
import { type AddressValue, inNetwork } from './network.js'
import { fits, folded } from './pattern.js'

/** An expression as a function over a call's JSON: for live calls, and for what has no database. */
export type CallPredicate = (call: CallJson) => boolean

export const predicateOf = (expression: Expression): CallPredicate => predicateIn(recordLanguage, expression)

/** The same, of other fields. */
export function predicateIn<F extends string, C>(language: Language<F, C>, expression: Expression<F>): (call: C) => boolean {
  switch (expression.kind) {
    case 'and': {
      const items = expression.items.map((item) => predicateIn(language, item))
      return (call) => items.every((item) => item(call))
    }
    case 'or': {
      const items = expression.items.map((item) => predicateIn(language, item))
      return (call) => items.some((item) => item(call))
    }
    case 'not': {
      const item = predicateIn(language, expression.item)
      return (call) => !item(call)
    }
    case 'test': {
      const { of, type } = language.fields[expression.field]
      const passes = passing(expression.test, type)
      return (call) => of(call).some(passes)
    }
    default:
      return expression satisfies never
  }
}

function passing(test: Test, type: FieldType): (value: string | number | AddressValue) => boolean {
  switch (test.kind) {
    case 'known':
      return () => true
    case 'compare': {
      const { value } = test
      switch (test.op) {
        case '=':
          return (v) => v === value
        case '<':
          return (v) => (v as number) < value
        case '<=':
          return (v) => (v as number) <= value
        case '>':
          return (v) => (v as number) > value
        case '>=':
          return (v) => (v as number) >= value
        default:
          return test.op satisfies never
      }
    }
    case 'between':
      return (v) => (v as number) >= test.low && (v as number) <= test.high
    case 'word':
      return (v) => v === test.word
    case 'text': {
      if (type === 'exact') return (v) => fits(test.pattern, v as string)
      const pattern = { pieces: test.pattern.pieces.map(folded) }
      return (v) => fits(pattern, folded(v as string))
    }
    case 'network':
      return (v) => inNetwork(test.network, v)
    default:
      return test satisfies never
  }
}
