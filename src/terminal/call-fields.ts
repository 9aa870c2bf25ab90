import type { CallJson } from '../lib/call/json.js'

/** The flat fields of a call for CSV and TSV, in order; streams and digits are lists and stay in JSON. */
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
  'pcap',
] as const satisfies readonly (keyof CallJson)[]

/** Columns of the table for people. `from` is the width of the terminal at which a column appears. */
export interface TableColumn {
  readonly title: string
  readonly right?: true
  readonly widthMin: number
  readonly value: (call: CallJson) => string
}

const fixed = (value: number | null, digits: number): string => (value === null ? '' : value.toFixed(digits))
const seconds = (ms: number | null, digits: number): string => (ms === null ? '' : (ms / 1000).toFixed(digits))

export const tableColumns: readonly TableColumn[] = [
  { title: 'ID', right: true, widthMin: 80, value: (c) => (c.id === null ? '' : String(c.id)) },
  { title: 'Start (UTC)', widthMin: 0, value: (c) => c.started.slice(0, 19).replace('T', ' ') },
  { title: 'Caller', widthMin: 0, value: (c) => c.caller ?? c.caller_addr },
  { title: 'Callee', widthMin: 0, value: (c) => c.callee ?? c.callee_addr },
  { title: 'PDD s', right: true, widthMin: 100, value: (c) => seconds(c.pdd_ms, 2) },
  { title: 'Dur. s', right: true, widthMin: 0, value: (c) => seconds(c.talk_ms ?? c.duration_ms, 1) },
  {
    title: 'Status',
    widthMin: 0,
    value: (c) => (c.status === null ? c.state.replaceAll('_', ' ') : `${c.status} ${c.status_text ?? ''}`.trim()),
  },
  { title: 'Codec', widthMin: 90, value: (c) => c.codec ?? '' },
  { title: 'Loss %', right: true, widthMin: 100, value: (c) => fixed(c.loss_pct, 1) },
  { title: 'Jitter ms', right: true, widthMin: 110, value: (c) => fixed(c.jitter_ms, 1) },
  { title: 'MOS', right: true, widthMin: 80, value: (c) => fixed(c.mos, 1) },
]
