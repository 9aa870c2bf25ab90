import type { CallJson } from '../call/json.js'
import type { Expression, Test } from './expression.js'
import { type Field, type FieldType, fields } from './fields.js'
import { type AddressValue, inNetwork } from './network.js'
import { fits, folded } from './pattern.js'

/** An expression as a function over a call's JSON: for live calls, and for what has no database. */
export type CallPredicate = (call: CallJson) => boolean

export function predicateOf(expression: Expression): CallPredicate {
  switch (expression.kind) {
    case 'and': {
      const items = expression.items.map(predicateOf)
      return (call) => items.every((item) => item(call))
    }
    case 'or': {
      const items = expression.items.map(predicateOf)
      return (call) => items.some((item) => item(call))
    }
    case 'not': {
      const item = predicateOf(expression.item)
      return (call) => !item(call)
    }
    case 'test': {
      const { of, type }: Field = fields[expression.field]
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
