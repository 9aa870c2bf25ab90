import { exitCodes, OperatorError } from '../lib/base/errors.js'
import type { CallJson } from '../lib/call/json.js'
import { nearest } from '../lib/query/nearest.js'
import type { OutputFormat } from './output.js'

/** The fields of a call for CSV and TSV, in order, and what `--fields` may name. Streams are a list of objects and stay in JSON. */
export const flatFields = [
  'id',
  'call_id',
  'state',
  'status',
  'status_text',
  'caller',
  'callee',
  'caller_name',
  'caller_domain',
  'callee_domain',
  'caller_addr',
  'callee_addr',
  'caller_agent',
  'callee_agent',
  'started',
  'ringing',
  'answered',
  'ended',
  'pdd_ms',
  'talk_ms',
  'duration_ms',
  'hung_up_by',
  'codec',
  'mos',
  'loss_pct',
  'jitter_ms',
  'vlan',
  'sensor_id',
  'bye_code',
  'problems',
  'pcap',
] as const satisfies readonly (keyof CallJson)[]

export type CallField = keyof CallJson
const listFields = ['hops', 'dtmf', 'streams'] as const satisfies readonly CallField[]
/** Fields that need the rows of other tables, and a text for each of their values. */
const expensive: ReadonlySet<CallField> = new Set(listFields)

/** `--fields a,b,c`: the fields, or a usage error that names the nearest. */
export function fieldsOf(text: string | undefined): readonly CallField[] | undefined {
  if (text === undefined) return undefined
  const known: readonly CallField[] = ['schema_version', ...flatFields, ...listFields]
  return text.split(',').map((typed) => {
    const name = typed.trim()
    const field = known.find((one) => one === name)
    if (field !== undefined) return field
    const close = nearest(name, known)
    throw new OperatorError('FIELD', `A call has no field "${name}".`, {
      exit: exitCodes.usage,
      suggestions: [...(close === undefined ? [] : [`Did you mean ${close}?`]), `Fields: ${known.join(', ')}`],
    })
  })
}

/** Whether the lists of a call are printed; of what is not asked for by name, only JSON has them. */
export const showsLists = (format: OutputFormat, fields: readonly CallField[] | undefined): boolean =>
  fields?.some((field) => expensive.has(field)) ?? (format === 'json' || format === 'ndjson')

/** A field as one cell of text: lists joined, digits as they were dialled. */
export function cellOf(call: CallJson, field: CallField): string | number | null {
  switch (field) {
    case 'problems':
    case 'hops':
      return call[field].join(' ')
    case 'dtmf':
      return call.dtmf.map((d) => d.digit).join('')
    case 'streams':
      return call.streams.map((s) => `${s.direction}:${s.codec ?? '?'}:${s.packets}`).join(' ')
    default:
      return call[field]
  }
}

/** Columns of the table for people. `widthMin` is the width of the terminal at which a column appears. */
export interface TableColumn {
  readonly title: string
  readonly right?: boolean
  readonly leastCells?: number
  readonly widthMin: number
  readonly value: (call: CallJson) => string
}

const fixed = (value: number | null, digits: number): string => (value === null ? '' : value.toFixed(digits))
const seconds = (ms: number | null, digits: number): string => (ms === null ? '' : (ms / 1000).toFixed(digits))

/** On 80 columns: most numbers whole, of a status the code and how its words begin. */
const NUMBER_CELLS = 13
const STATUS_CELLS = 7

export const tableColumns: readonly TableColumn[] = [
  { title: 'ID', right: true, widthMin: 80, value: (c) => (c.id === null ? '' : String(c.id)) },
  { title: 'Start (UTC)', widthMin: 0, value: (c) => c.started.slice(0, 19).replace('T', ' ') },
  { title: 'Caller', leastCells: NUMBER_CELLS, widthMin: 0, value: (c) => c.caller ?? c.caller_addr },
  { title: 'Callee', leastCells: NUMBER_CELLS, widthMin: 0, value: (c) => c.callee ?? c.callee_addr },
  { title: 'PDD s', right: true, widthMin: 100, value: (c) => seconds(c.pdd_ms, 2) },
  { title: 'Dur. s', right: true, widthMin: 0, value: (c) => seconds(c.talk_ms ?? c.duration_ms, 1) },
  {
    title: 'Status',
    leastCells: STATUS_CELLS,
    widthMin: 0,
    value: (c) => (c.status === null ? c.state.replaceAll('_', ' ') : `${c.status} ${c.status_text ?? ''}`.trim()),
  },
  { title: 'Codec', widthMin: 90, value: (c) => c.codec ?? '' },
  { title: 'Loss %', right: true, widthMin: 100, value: (c) => fixed(c.loss_pct, 1) },
  { title: 'Jitter ms', right: true, widthMin: 110, value: (c) => fixed(c.jitter_ms, 1) },
  { title: 'MOS', right: true, widthMin: 80, value: (c) => fixed(c.mos, 1) },
]

const numeric: ReadonlySet<CallField> = new Set([
  'id',
  'status',
  'pdd_ms',
  'talk_ms',
  'duration_ms',
  'mos',
  'loss_pct',
  'jitter_ms',
  'vlan',
  'sensor_id',
  'bye_code',
])

/** Fields somebody asked for, as columns. */
export const columnsFor = (fields: readonly CallField[]): TableColumn[] =>
  fields.map((field) => ({ title: field, right: numeric.has(field), widthMin: 0, value: (call) => String(cellOf(call, field) ?? '') }))
