import type { Comparison, Expression, Test } from './expression.js'
import { type Field, type FieldName, type FieldType, fields } from './fields.js'
import { nearest } from './nearest.js'
import { parseNetwork } from './network.js'
import { containing, parsePattern } from './pattern.js'
import { durationMs, timeMicros } from './time.js'

/** From an operator and a typed value to a test: one row a type says what it takes. */
export type Operator = Comparison | '!=' | '~' | '!~'

interface TypeRow {
  /** For docs and errors. */
  readonly values: string
  readonly operators: readonly Operator[]
  /** The test of `=` (or of an order), or what is wrong with the value. */
  readonly read: (value: string, op: Operator, context: Context) => Test | Wrong
}
interface Wrong {
  readonly kind: 'wrong'
  readonly next: string
}
type Asked = Pick<Field, 'type' | 'words'>
interface Context {
  readonly field: Asked
  readonly unit: 'ms' | 's'
  readonly nowMs: number
}

const ordered: readonly Operator[] = ['=', '!=', '<', '<=', '>', '>=']
const same: readonly Operator[] = ['=', '!=']
const textual: readonly Operator[] = ['=', '!=', '~', '!~']
const wrong = (next: string): Wrong => ({ kind: 'wrong', next })
const compare = (op: Operator, value: number | undefined, next: string): Test | Wrong =>
  value === undefined ? wrong(next) : { kind: 'compare', op: (op === '!=' ? '=' : op) as Comparison, value }
/** Databases try the ways in which pieces fit one after the other; with many pieces that has no end. */
const STARS_MAX = 8
const text = (value: string, op: Operator): Test | Wrong => {
  const pattern = parsePattern(value)
  if (pattern.pieces.length > STARS_MAX + 1) return wrong(`At most ${STARS_MAX} stars`)
  return { kind: 'text', pattern: op === '~' || op === '!~' ? containing(pattern) : pattern }
}

export const types: Readonly<Record<FieldType, TypeRow>> = {
  text: { values: 'text, `*` for anything; case does not matter', operators: textual, read: text },
  exact: { values: 'text, `*` for anything; case matters', operators: textual, read: text },
  number: {
    values: 'a number',
    operators: ordered,
    read: (value, op) => compare(op, /^(0x[0-9a-f]+|-?\d+(\.\d+)?)$/i.test(value) ? Number(value) : undefined, 'Write a number: 3.6'),
  },
  status: {
    values: 'a status or a class: 486, 4xx',
    operators: ordered,
    read: (value, op) => {
      const next = 'Write a status or its class: 486, 4xx'
      if (/^[1-6]xx$/i.test(value)) {
        const low = Number(value[0]) * 100
        if (op === '=' || op === '!=') return { kind: 'between', low, high: low + 99 }
        // Beyond a class means beyond all of it.
        return compare(op, op === '>' || op === '<=' ? low + 99 : low, next)
      }
      return compare(op, /^\d{3}$/.test(value) ? Number(value) : undefined, next)
    },
  },
  duration: {
    values: 'a length of time: 30s, 1h30m, 200ms',
    operators: ordered,
    read: (value, op, { unit }) => compare(op, durationMs(value, unit), 'Write a length of time: 30s, 5m, 200ms'),
  },
  percent: {
    values: 'a percentage: 1.5, 1.5%',
    operators: ordered,
    read: (value, op) =>
      compare(op, /^\d+(\.\d+)?%?$/.test(value) ? Number.parseFloat(value) : undefined, 'Write a percentage: 1.5 or 1.5%'),
  },
  time: {
    values: 'a time (UTC): 2026-11-24T09:00, -1h, today',
    operators: ordered,
    read: (value, op, { nowMs }) => compare(op, timeMicros(value, nowMs), 'Write a time: 2026-11-24, 2026-11-24T09:00 (UTC), -1h, today'),
  },
  address: {
    values: 'an address or a CIDR block: 192.0.2.1, 2001:db8::/32',
    operators: same,
    read: (value) => {
      const network = parseNetwork(value)
      return network === undefined
        ? wrong('Write an address or a block: 192.0.2.1, 192.0.2.0/24, 2001:db8::/32')
        : { kind: 'network', network }
    },
  },
  word: {
    values: 'one of its words',
    operators: same,
    read: (value, _, { field }) => {
      const words = field.words ?? []
      const word = words.find((w) => w === value.toLowerCase())
      if (word !== undefined) return { kind: 'word', word }
      const close = nearest(value, words)
      return wrong(`${close === undefined ? '' : `Did you mean ${close}? `}It can be: ${words.join(', ')}`)
    },
  },
}

/** `unknown` when written without quotes: the field has no value. */
export const unknownWords = new Set(['none', 'unknown', 'null'])

/**
 * The test that `field op value` means. `quoted` values are never the word for unknown.
 * A mistake comes back as a string that says what would be right.
 */
export const testOf = (name: FieldName, op: Operator, value: string, options: TestOptions): Expression | string =>
  testOn(name, fields[name], op, value, options)

interface TestOptions {
  readonly unit: 'ms' | 's'
  readonly nowMs: number
  readonly quoted?: boolean
}

/** The same of a field that the caller knows. */
export function testOn<F extends string>(name: F, field: Asked, op: Operator, value: string, options: TestOptions): Expression<F> | string {
  const type = types[field.type]
  if (!type.operators.includes(op)) return `${name} knows the operators ${type.operators.join(' ')}`
  const negative = op === '!=' || op === '!~'
  const knownTest: Expression<F> = { kind: 'test', field: name, test: { kind: 'known' } }
  if (options.quoted !== true && (op === '=' || op === '!=') && unknownWords.has(value.toLowerCase()))
    return negative ? knownTest : { kind: 'not', item: knownTest }
  const test = type.read(value, op, { field, unit: options.unit, nowMs: options.nowMs })
  if (test.kind === 'wrong') return test.next
  const positive: Expression<F> = { kind: 'test', field: name, test }
  return negative ? { kind: 'not', item: positive } : positive
}
