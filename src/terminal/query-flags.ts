import { Flags } from '@oclif/core'
import { OperatorError } from '../lib/base/errors.js'
import { problemNames } from '../lib/call/problems.js'
import { allOf, anyOf, type Expression } from '../lib/query/expression.js'
import { callStates, type FieldName } from '../lib/query/fields.js'
import { parseExpression } from '../lib/query/parse.js'
import { endingWith } from '../lib/query/pattern.js'
import { type Operator, testOf } from '../lib/query/values.js'
import { parseTime } from './time-span.js'

/**
 * The flags by which every command that asks for calls is told which. Each becomes a test of the query language; one flag given
 * several times (or with commas) wants any of its values, different flags want all.
 */
const one = (summary: string, helpValue?: string) => Flags.string({ helpGroup: 'FILTER', summary, ...(helpValue && { helpValue }) })
const several = (summary: string, helpValue?: string) =>
  Flags.string({ helpGroup: 'FILTER', multiple: true, multipleNonGreedy: true, delimiter: ',', summary, ...(helpValue && { helpValue }) })

export const queryFlags = {
  where: Flags.string({
    helpGroup: 'FILTER',
    helpValue: 'EXPR',
    multiple: true,
    multipleNonGreedy: true,
    summary: "Any question: 'mos < 3.6 and (caller = +420* or ip = 192.0.2.0/24)'. See docs/queries.md.",
  }),
  since: one('Calls that began at this time or later: 1h, today, 2026-11-24T09:00.', 'TIME'),
  until: one('Calls that began before this time.', 'TIME'),
  between: one('Both at once: 2026-11-24T09:00..2026-11-24T10:00.', 'TIME..TIME'),
  number: Flags.string({
    char: 'n',
    helpGroup: 'FILTER',
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
    summary: 'Caller or callee: the whole number or its end; +420* its beginning.',
  }),
  caller: Flags.string({
    aliases: ['from'],
    helpGroup: 'FILTER',
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
    summary: 'Caller.',
  }),
  callee: Flags.string({
    aliases: ['to'],
    helpGroup: 'FILTER',
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
    summary: 'Callee.',
  }),
  ip: several('An address of the signalling or of the media: 192.0.2.1, 192.0.2.0/24, 2001:db8::/32.', 'CIDR'),
  'caller-ip': several('Where the first INVITE came from.', 'CIDR'),
  'callee-ip': several('Where an INVITE went.', 'CIDR'),
  'call-id': one('Call-ID; * stands for anything.'),
  sensor: several('Number of the sensor.', 'N'),
  status: several('Final status: 486, 4xx, none.'),
  state: Flags.option({ options: callStates, multiple: true, delimiter: ',' })({ helpGroup: 'FILTER', summary: 'How the call went.' }),
  longer: one('Talk time (of an unanswered call: its duration) at least this: 30s, 5m.', 'TIME'),
  shorter: one('Talk time at most this.', 'TIME'),
  'pdd-above': one('Post-dial delay above this.', 'TIME'),
  'mos-below': one('The worse direction is below this.', 'MOS'),
  'loss-above': one('The worse direction lost more than this.', 'PERCENT'),
  'jitter-above': one('The worse mean jitter is above this (plain number: ms).', 'TIME'),
  codec: several('PCMA, G729 …'),
  agent: Flags.string({ aliases: ['ua', 'user-agent'], helpGroup: 'FILTER', summary: 'User-Agent or Server of either end contains this.' }),
  'hung-up-by': Flags.option({ options: ['caller', 'callee'] as const })({ helpGroup: 'FILTER', summary: 'Who sent the BYE.' }),
  problem: Flags.option({ options: ['any', ...problemNames], multiple: true, delimiter: ',' })({
    helpGroup: 'FILTER',
    summary: 'What was odd about the call (docs/queries.md).',
  }),
}

/** The values that oclif makes of `queryFlags`. */
export interface QueryFlagValues {
  readonly where?: string[] | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly between?: string | undefined
  readonly number?: string[] | undefined
  readonly caller?: string[] | undefined
  readonly callee?: string[] | undefined
  readonly ip?: string[] | undefined
  readonly 'caller-ip'?: string[] | undefined
  readonly 'callee-ip'?: string[] | undefined
  readonly 'call-id'?: string | undefined
  readonly sensor?: string[] | undefined
  readonly status?: string[] | undefined
  readonly state?: string[] | undefined
  readonly longer?: string | undefined
  readonly shorter?: string | undefined
  readonly 'pdd-above'?: string | undefined
  readonly 'mos-below'?: string | undefined
  readonly 'loss-above'?: string | undefined
  readonly 'jitter-above'?: string | undefined
  readonly codec?: string[] | undefined
  readonly agent?: string | undefined
  readonly 'hung-up-by'?: string | undefined
  readonly problem?: string[] | undefined
}

/** Flags whose value is one test of one field. `unit`: of a plain number. */
const simple: readonly [flag: keyof QueryFlagValues, field: FieldName, op: Operator, unit?: 'ms' | 's'][] = [
  ['ip', 'ip', '='],
  ['caller-ip', 'caller_ip', '='],
  ['callee-ip', 'callee_ip', '='],
  ['call-id', 'call_id', '='],
  ['sensor', 'sensor_id', '='],
  ['status', 'status', '='],
  ['state', 'state', '='],
  ['pdd-above', 'pdd_ms', '>', 's'],
  ['mos-below', 'mos', '<'],
  ['loss-above', 'loss_pct', '>'],
  ['jitter-above', 'jitter_ms', '>', 'ms'],
  ['codec', 'codec', '='],
  ['agent', 'agent', '~'],
  ['hung-up-by', 'hung_up_by', '='],
]

/** Everything the flags ask, as one expression. Throws usage errors that name the flag. */
export function expressionOf(flags: QueryFlagValues, nowMs = Date.now()): Expression {
  const all: Expression[] = []
  const test = (flag: string, field: FieldName, op: Operator, value: string, unit: 'ms' | 's' = 'ms'): Expression => {
    const made = testOf(field, op, value, { unit, nowMs })
    if (typeof made !== 'string') return made
    throw new OperatorError('FILTER', `--${flag} cannot be "${value}".`, { exit: 2, suggestions: [made] })
  }

  // The time first: it narrows, and it prunes partitions.
  if (flags.since !== undefined) all.push(atTime('>=', parseTime(flags.since, nowMs)))
  if (flags.until !== undefined) all.push(atTime('<', parseTime(flags.until, nowMs)))
  if (flags.between !== undefined) {
    const [from, to, ...more] = flags.between.split(/\.\.|,/)
    if (from === undefined || to === undefined || more.length > 0 || from === '' || to === '') {
      throw new OperatorError('FILTER', `--between wants two times, not "${flags.between}".`, {
        exit: 2,
        suggestions: ['--between 2026-11-24T09:00..2026-11-24T10:00', '--between 2h..1h'],
      })
    }
    all.push(atTime('>=', parseTime(from, nowMs)), atTime('<', parseTime(to, nowMs)))
  }
  for (const [flag, field] of [
    ['number', 'number'],
    ['caller', 'caller'],
    ['callee', 'callee'],
  ] as const) {
    const values = flags[flag]
    if (values !== undefined) all.push(anyOf(values.map((value) => numberTest(field, value, test))))
  }
  for (const [flag, field, op, unit] of simple) {
    const value = flags[flag]
    if (value === undefined) continue
    all.push(anyOf([value].flat().map((one) => test(flag, field, op, one, unit))))
  }
  if (flags.longer !== undefined) all.push(talked((field) => test('longer', field, '>=', flags.longer as string, 's')))
  if (flags.shorter !== undefined) all.push(talked((field) => test('shorter', field, '<=', flags.shorter as string, 's')))
  if (flags.problem !== undefined) {
    all.push(anyOf(flags.problem.map((name) => (name === 'any' ? known('problem') : test('problem', 'problem', '=', name)))))
  }
  for (const text of flags.where ?? []) all.push(parseExpression(text, nowMs))
  return allOf(all)
}

const known = (field: FieldName): Expression => ({ kind: 'test', field, test: { kind: 'known' } })
const atTime = (op: '>=' | '<', value: number): Expression => ({ kind: 'test', field: 'started', test: { kind: 'compare', op, value } })

/** Without a star a number is found whole or by its end: 5550100 finds +15550100. */
const numberTest = (
  field: 'number' | 'caller' | 'callee',
  value: string,
  test: (flag: string, field: FieldName, op: Operator, value: string) => Expression,
): Expression =>
  value.includes('*') ? test(field, field, '=', value) : { kind: 'test', field, test: { kind: 'text', pattern: endingWith(value) } }

const talked = (of: (field: 'talk_ms' | 'duration_ms') => Expression): Expression =>
  anyOf([of('talk_ms'), allOf([{ kind: 'not', item: known('talk_ms') }, of('duration_ms')])])
