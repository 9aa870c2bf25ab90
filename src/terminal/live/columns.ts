import { civilTime, hostText } from '../../lib/call/json.js'
import type { BoardCall, CallView } from '../../lib/live/index.js'
import type { Signs } from './signs.js'
import type { Role } from './style.js'
import { cellsOf, shown } from './text.js'

/** Columns of the list of calls: one row each. From these rows come the header, the sort orders, the selector and the docs. */
export interface ColumnContext {
  /** Capture time: durations of running calls tick with it. */
  readonly nowMicros: number
  readonly signs: Signs
  readonly aliases: ReadonlyMap<string, string>
  readonly parties: PartyForm
}

/** How From and To are written; a key goes through them. */
export const partyForms = ['number', 'name', 'address'] as const
export type PartyForm = (typeof partyForms)[number]

export interface CallColumn {
  readonly title: string
  readonly help: string
  /** Cells: at least, and at most when there is room. */
  readonly min: number
  readonly max: number
  readonly right?: true
  /** When the screen is too narrow, the column with the highest number goes first. */
  readonly drop: number
  readonly value: (call: BoardCall, context: ColumnContext, width: number) => string
  readonly role?: (call: BoardCall, context: ColumnContext) => Role
  /** What it is sorted by; unknown goes last. */
  readonly order: (call: BoardCall, context: ColumnContext) => number | string | undefined
}

export const mosRole = (mos: number | undefined): Role =>
  mos === undefined ? 'dim' : mos >= 4 ? 'good' : mos >= 3.6 ? 'text' : mos >= 3.1 ? 'fair' : 'bad'
export const lossRole = (percent: number | undefined): Role =>
  percent === undefined ? 'dim' : percent >= 3 ? 'bad' : percent >= 1 ? 'fair' : 'text'
export const jitterRole = (ms: number | undefined): Role => (ms === undefined ? 'dim' : ms >= 40 ? 'bad' : ms >= 20 ? 'fair' : 'text')
const pddRole = (ms: number | undefined): Role => (ms === undefined ? 'dim' : ms >= 8000 ? 'bad' : ms >= 4000 ? 'fair' : 'text')

export const stateRole = (view: CallView): Role => {
  switch (view.state) {
    case 'setup':
      return 'accent'
    case 'ringing':
      return 'accent'
    case 'answered':
      return 'good'
    case 'failed':
      return 'bad'
    case 'cancelled':
    case 'redirected':
      return 'fair'
    case 'ended':
      return 'dim'
    default:
      return view.state satisfies never
  }
}

/** `12:03:17`, UTC. */
export function clock(micros: number): string {
  const { hour, minute, second } = civilTime(Math.floor(micros / 1e6))
  return [hour, minute, second].map((n) => String(n).padStart(2, '0')).join(':')
}

/** `0:42`, `12:07`, `1:02:33`. */
export function minutes(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [hour, minute, second] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const two = (n: number): string => String(n).padStart(2, '0')
  return hour > 0 ? `${hour}:${two(minute)}:${two(second)}` : `${minute}:${two(second)}`
}

/** Of a running call up to now: between two batches of changes the clock goes on. */
export function liveMs(
  { view, over }: BoardCall,
  ms: number | undefined,
  { nowMicros }: Pick<ColumnContext, 'nowMicros'>,
): number | undefined {
  if (ms === undefined || over || view.ended !== undefined) return ms
  return ms + Math.max(0, nowMicros - view.asOf) / 1000
}

export function party(
  form: PartyForm,
  number: string | undefined,
  name: string | undefined,
  domain: string | undefined,
  address: string,
): string {
  const known = number ?? address
  if (form === 'name') return shown(name ?? known)
  if (form === 'address') return shown(number === undefined ? address : domain === undefined ? number : `${number}@${domain}`)
  return shown(known)
}

const endpoint = (host: CallView['callerAddr'], { aliases }: ColumnContext): string => {
  const alias = aliases.get(host.ip)
  return alias === undefined ? hostText(host) : `${shown(alias)}:${host.port}`
}

const fixed = (value: number | undefined, digits: number): string => (value === undefined ? '' : value.toFixed(digits))

/** Of whole windows and of the one that is not whole yet. */
const lowestMos = ({ mos, mosMin }: CallView): number | undefined =>
  mos === undefined || mosMin === undefined ? (mosMin ?? mos) : Math.min(mos, mosMin)

export const callColumns = {
  number: {
    title: '#',
    help: 'number of the call since the start',
    min: 3,
    max: 6,
    right: true,
    drop: 50,
    value: (c) => String(c.view.number),
    role: () => 'dim',
    order: (c) => c.view.number,
  },
  state: {
    title: 'State',
    help: 'how the call stands',
    min: 11,
    max: 12,
    drop: 0,
    value: (c, { signs }) => `${signs.states[c.view.state]} ${c.view.state}`,
    role: (c) => stateRole(c.view),
    order: (c) => c.view.state,
  },
  from: {
    title: 'From',
    help: 'who calls; u goes through number, name, address',
    min: 10,
    max: 32,
    drop: 0,
    value: ({ view: v }, { parties }) => party(parties, v.caller, v.callerName, v.callerDomain, hostText(v.callerAddr)),
    order: ({ view: v }) => v.caller ?? v.callerAddr.ip,
  },
  to: {
    title: 'To',
    help: 'who is called',
    min: 10,
    max: 32,
    drop: 0,
    value: ({ view: v }, { parties }) => party(parties, v.callee, undefined, v.calleeDomain, hostText(v.calleeAddr)),
    order: ({ view: v }) => v.callee ?? v.calleeAddr.ip,
  },
  source: {
    title: 'Source',
    help: 'where the first INVITE came from',
    min: 15,
    max: 21,
    drop: 42,
    value: (c, context) => endpoint(c.view.callerAddr, context),
    order: (c) => c.view.callerAddr.ip,
  },
  destination: {
    title: 'Destination',
    help: 'where it went',
    min: 15,
    max: 21,
    drop: 43,
    value: (c, context) => endpoint(c.view.calleeAddr, context),
    order: (c) => c.view.calleeAddr.ip,
  },
  start: {
    title: 'Start',
    help: 'time of the first INVITE, UTC',
    min: 8,
    max: 8,
    drop: 30,
    value: (c) => clock(c.view.started),
    role: () => 'dim',
    order: (c) => c.view.started,
  },
  pdd: {
    title: 'PDD',
    help: 'post-dial delay in seconds: INVITE to ringing',
    min: 4,
    max: 5,
    right: true,
    drop: 35,
    value: (c) => (c.view.pddMs === undefined ? '' : (c.view.pddMs / 1000).toFixed(1)),
    role: (c) => pddRole(c.view.pddMs),
    order: (c) => c.view.pddMs,
  },
  duration: {
    title: 'Dur.',
    help: 'from the answer, before it from the INVITE',
    min: 5,
    max: 7,
    right: true,
    drop: 5,
    value: (c, context) => minutes(liveMs(c, c.view.talkMs ?? c.view.durationMs, context) ?? 0),
    role: (c) => (c.view.talkMs === undefined ? 'dim' : 'text'),
    order: (c, context) => liveMs(c, c.view.talkMs ?? c.view.durationMs, context),
  },
  status: {
    title: 'Resp',
    help: 'the response that decided it',
    min: 4,
    max: 4,
    right: true,
    drop: 20,
    value: (c) => (c.view.status === undefined ? '' : String(c.view.status)),
    role: ({ view: { status = 0 } }) => (status >= 500 ? 'bad' : status >= 300 ? 'fair' : 'text'),
    order: (c) => c.view.status,
  },
  codec: {
    title: 'Codec',
    help: 'of the caller, else of the callee',
    min: 5,
    max: 8,
    drop: 25,
    value: (c) => shown(c.view.codec ?? ''),
    order: (c) => c.view.codec,
  },
  loss: {
    title: 'Loss%',
    help: 'packets lost in the last seconds, worse direction',
    min: 5,
    max: 5,
    right: true,
    drop: 12,
    value: (c) => fixed(c.view.lossPercent, 1),
    role: (c) => lossRole(c.view.lossPercent),
    order: (c) => c.view.lossPercent,
  },
  jitter: {
    title: 'Jit.',
    help: 'jitter in ms (RFC 3550), worse direction',
    min: 4,
    max: 5,
    right: true,
    drop: 15,
    value: (c) => (c.view.jitterMs === undefined ? '' : c.view.jitterMs.toFixed(c.view.jitterMs < 99.5 ? 1 : 0)),
    role: (c) => jitterRole(c.view.jitterMs),
    order: (c) => c.view.jitterMs,
  },
  mos: {
    title: 'MOS',
    help: 'of the last seconds, worse direction',
    min: 4,
    max: 4,
    right: true,
    drop: 3,
    value: (c) => fixed(c.view.mos, 2),
    role: (c) => mosRole(c.view.mos),
    order: (c) => c.view.mos,
  },
  mosmin: {
    title: 'Min',
    help: 'lowest MOS so far',
    min: 4,
    max: 4,
    right: true,
    drop: 18,
    value: (c) => fixed(lowestMos(c.view), 2),
    role: (c) => mosRole(lowestMos(c.view)),
    order: (c) => lowestMos(c.view),
  },
  trend: {
    title: 'Trend',
    help: 'MOS over the last seconds',
    min: 8,
    max: 16,
    drop: 22,
    value: (c, { signs }, width) => sparkline(c.mos.last(Math.min(width, c.mos.length)), 1, 4.5, signs),
    role: (c) => mosRole(lowestMos(c.view)),
    order: (c) => lowestMos(c.view),
  },
  messages: {
    title: 'SIP',
    help: 'SIP messages',
    min: 3,
    max: 5,
    right: true,
    drop: 44,
    value: (c) => String(c.view.sipMessages),
    role: () => 'dim',
    order: (c) => c.view.sipMessages,
  },
  packets: {
    title: 'RTP',
    help: 'RTP packets',
    min: 6,
    max: 9,
    right: true,
    drop: 46,
    value: (c) => (c.view.rtpPackets === 0 ? '' : String(c.view.rtpPackets)),
    role: () => 'dim',
    order: (c) => c.view.rtpPackets,
  },
  agent: {
    title: 'User agent',
    help: 'of the caller',
    min: 10,
    max: 30,
    drop: 60,
    value: (c) => shown(c.view.callerAgent ?? ''),
    order: (c) => c.view.callerAgent,
  },
  callid: {
    title: 'Call-ID',
    help: 'as in the first INVITE',
    min: 12,
    max: 40,
    drop: 61,
    value: (c) => shown(c.view.callId),
    role: () => 'dim',
    order: (c) => c.view.callId,
  },
  sensor: {
    title: 'Sensor',
    help: 'which sensor sees it',
    min: 8,
    max: 20,
    drop: 2,
    // Of its services, where there is room for their names.
    value: ({ source }, _, width) => shown(cellsOf(shown(source)) > width ? (source.split('/')[0] as string) : source),
    role: () => 'dim',
    order: (c) => c.source,
  },
} as const satisfies Readonly<Record<string, CallColumn>>

export type ColumnName = keyof typeof callColumns
export const columnNames = Object.keys(callColumns) as ColumnName[]
export const columnOf = (name: ColumnName): CallColumn => callColumns[name]

export const usualColumns: readonly ColumnName[] = [
  'state',
  'from',
  'to',
  'source',
  'destination',
  'start',
  'pdd',
  'duration',
  'status',
  'codec',
  'loss',
  'jitter',
  'mos',
  'mosmin',
  'trend',
]

export interface PlacedColumn {
  readonly name: ColumnName
  readonly column: CallColumn
  readonly width: number
}

/** What stands at the left edge of the list before the columns. */
export const LIST_MARGIN = 2

/** Those that stay whatever is scrolled: how it stands, who calls whom. */
const stays = (name: ColumnName): boolean => columnOf(name).drop === 0

/** As many columns as must be left out at the left for the last one to be seen. */
export function sidewaysMax(names: readonly ColumnName[], columns: number): number {
  const moving = names.filter((name) => !stays(name)).length
  for (let side = 0; side < moving; side++) if (placeColumns(names, columns - LIST_MARGIN, side).length === names.length - side) return side
  return Math.max(0, moving - 1)
}

/**
 * Columns that fit into `width` cells, one space between them; what is left over widens those that can use it. Of too many
 * the least important go, but with `side` they come as they stand, without so many at the left.
 */
export function placeColumns(names: readonly ColumnName[], width: number, side = 0): PlacedColumn[] {
  const gone = new Set(names.filter((name) => !stays(name)).slice(0, side))
  let kept = names.filter((name) => !gone.has(name)).map((name) => ({ name, column: columnOf(name), width: columnOf(name).min }))
  const total = (): number => kept.reduce((sum, c) => sum + c.width + 1, -1)
  while (kept.length > 1 && total() > width) {
    const next = side > 0 ? kept.findLast((c) => !stays(c.name)) : undefined
    const last = next ?? kept.reduce((worst, c) => (c.column.drop >= worst.column.drop ? c : worst))
    kept = kept.filter((c) => c !== last)
  }
  for (let left = width - total(); left > 0; ) {
    const growing = kept.filter((c) => c.width < c.column.max)
    if (growing.length === 0) break
    for (const c of growing) {
      if (left === 0) break
      c.width++
      left--
    }
  }
  return kept
}

/** The lines of a list stay apart: a bar never fills its cell. */
const SPARKS_USED = 6

/** Values as small bars between `low` and `high`; unknown is a space. */
export function sparkline(values: readonly (number | undefined)[], low: number, high: number, { sparks }: Signs): string {
  return values
    .map((value) => {
      if (value === undefined) return ' '
      const part = Math.max(0, Math.min(1, (value - low) / (high - low)))
      return sparks[Math.min(SPARKS_USED - 1, Math.floor(part * SPARKS_USED))]
    })
    .join('')
}
