import { parseIpv4 } from '../base/address.js'
import { civilTime } from '../call/json.js'
import type { Host } from '../call/record.js'
import type { StreamView } from '../live/index.js'
import type { ServiceCall } from './backend.js'

/**
 * VoIPmonitor's `listcalls`: a JSON array, first the names of the columns, then a row a call. The columns are a table here;
 * names, order and types are VoIPmonitor's (manager-protocol.md 3), down to its six decimals and escaped slashes.
 */
interface Row {
  readonly call: ServiceCall
  readonly src: StreamView | undefined
  readonly dst: StreamView | undefined
}

type Column = readonly [name: string, value: (row: Row) => string]

const nil = (): string => 'null'
/** No country table here: what cannot be told to be of this country counts as abroad, as it does there. */
const abroad = (): string => 'true'
/** Nothing and the empty text are both null. */
export const text = (value: string | undefined): string =>
  value === undefined || value === '' ? 'null' : JSON.stringify(value).replaceAll('/', '\\/')
const integer = (value: number): string => String(Math.trunc(value))
const float = (value: number): string => value.toFixed(6)
const address = ({ ip }: Host): string => {
  const v4 = parseIpv4(ip)
  return v4 === undefined ? text(ip) : String(v4)
}
const epoch = (micros: number): number => Math.floor(micros / 1e6)
/** MOS × 10; 45 stands for "nothing measured". */
const mosNow = (mos: number | undefined): string => (mos === undefined ? '45' : integer(mos * 10))

const mosColumns = (side: 'src' | 'dst'): Column[] =>
  ['mosf1', 'mosf2', 'mosAD'].flatMap((kind): Column[] => [
    [`${side}_${kind}`, (r) => mosNow(r[side]?.mos)],
    [`${side}_${kind}_avg`, (r) => (r[side] === undefined ? 'null' : integer((r[side]?.mosMean ?? 0) * 10))],
    [`${side}_${kind}_min`, (r) => (r[side] === undefined ? 'null' : mosNow(r[side]?.mosMin))],
  ])

const jitterColumns = (side: 'src' | 'dst'): Column[] => [
  [`${side}_jitter`, (r) => ifThere(r[side], (s) => float(s.jitterMs ?? 0))],
  [`${side}_jitter_avg`, (r) => ifThere(r[side], (s) => float(s.jitterMeanMs ?? 0))],
  [`${side}_jitter_max`, (r) => ifThere(r[side], (s) => float(s.jitterMaxMs ?? 0))],
]

const both = (name: string, value: (s: StreamView) => string): Column[] => [
  [`src_${name}`, (r) => ifThere(r.src, value)],
  [`dst_${name}`, (r) => ifThere(r.dst, value)],
]

const ifThere = <T>(thing: T | undefined, value: (thing: T) => string): string => (thing === undefined ? 'null' : value(thing))

const columns: readonly Column[] = [
  ['callreference', ({ call }) => text(referenceOf(call))],
  ['callid', ({ call }) => text(call.callId)],
  ['calldate', ({ call }) => text(dateTime(call.started))],
  ['calldate_num', ({ call }) => String(epoch(call.started))],
  ['lastpackettime', ({ call }) => String(epoch(call.lastPacket))],
  // Up to now, also after a BYE: it is a list of what is still there.
  ['duration', ({ call }) => String(epoch(call.asOf) - epoch(call.started))],
  ['connect_duration', ({ call }) => (call.answered === undefined ? '0' : String(epoch(call.asOf) - epoch(call.answered)))],
  ['caller', ({ call }) => text(call.caller)],
  ['called', ({ call }) => text(call.callee)],
  ['caller_country', nil],
  ['called_country', nil],
  ['caller_international', abroad],
  ['called_international', abroad],
  ['callername', ({ call }) => text(call.callerName)],
  ['callerdomain', ({ call }) => text(call.callerDomain)],
  ['calleddomain', ({ call }) => text(call.calleeDomain)],
  ['calleragent', ({ call }) => text(call.callerAgent)],
  ['calledagent', ({ call }) => text(call.calleeAgent)],
  ['callerip', ({ call }) => address(call.callerAddr)],
  ['calledip', ({ call }) => address(call.lastHopAddr)],
  ['callerip_country', nil],
  ['calledip_country', nil],
  ['callerip_encaps', () => '0'],
  ['calledip_encaps', () => '0'],
  ['callerip_encaps_prot', () => '255'],
  ['calledip_encaps_prot', () => '255'],
  ['sipproxies', ({ call }) => (call.proxies.length === 0 ? 'null' : text(call.proxies.join(',')))],
  ['lastSIPresponseNum', ({ call }) => String(call.provisional ?? call.status ?? 0)],
  ['rtp_src', ({ src, dst }) => (src ? address(src.src) : dst ? address(dst.dst) : 'null')],
  ['rtp_dst', ({ src, dst }) => (src ? address(src.dst) : dst ? address(dst.src) : 'null')],
  ['rtp_src_country', nil],
  ['rtp_dst_country', nil],
  ['callercodec', ({ src }) => String(src?.codecId ?? -1)],
  ['calledcodec', ({ dst }) => String(dst?.codecId ?? -1)],
  ...mosColumns('src'),
  ...mosColumns('dst'),
  ...jitterColumns('src'),
  ...jitterColumns('dst'),
  ...both('received', (s) => String(s.packets)),
  ...both('loss_abs', (s) => String(Math.max(0, s.lost))),
  ...both('loss', (s) => float(s.expected > 0 ? (100 * Math.max(0, s.lost)) / s.expected : 0)),
  ...both('loss_last10sec', (s) => float(s.lossPercent ?? 0)),
  ['id_sensor', ({ call }) => String(call.sensorId ?? 0)],
  ['vlan', ({ call }) => String(call.vlan ?? 65_534)],
]

export const callColumns: readonly string[] = columns.map(([name]) => name)

/** One call as an object, the columns its keys. */
export const callObject = (call: ServiceCall): string => {
  const row = rowOf(call)
  return `{${columns.map(([name, value]) => `"${name}":${value(row)}`).join(',')}}`
}

/** Its streams as `active_call_info` tells them; ports are text there. */
export const streamsJson = ({ streams }: ServiceCall): string =>
  `[${streams
    .map((s) => {
      const fields: readonly [string, string][] = [
        ['src_ip', text(s.src.ip)],
        ['src_port', `"${s.src.port}"`],
        ['dst_ip', text(s.dst.ip)],
        ['dst_port', `"${s.dst.port}"`],
        ['time', integer(s.first)],
        ['time_last', integer(s.last)],
        ['ssrc', integer(s.ssrc)],
        ['codec', String(s.codecId ?? -1)],
        ['received', integer(s.packets)],
        ['lost', integer(Math.max(0, s.lost))],
        ['jitter_avg', sixDigits(s.jitterMeanMs ?? 0)],
        ['jitter_max', sixDigits(s.jitterMaxMs ?? 0)],
      ]
      return `{${fields.map(([name, value]) => `"${name}":${value}`).join(',')}}`
    })
    .join(',')}]`

const sixDigits = (value: number): string => String(Number(value.toPrecision(6)))
const rowOf = (call: ServiceCall): Row => ({
  call,
  src: call.streams.find((s) => s.direction === 'a'),
  dst: call.streams.find((s) => s.direction === 'b'),
})
/** Its rows are longer than its header by its custom headers, of which there are none. */
const CUSTOM = ',null'.repeat(5)

/**
 * A running call's address in VoIPmonitor's memory; ours says which service it is of and the call's number there. A process of a
 * person is told by its number (`sniff-4711`), a service of systemd by its name (`sniff@eth1`): two of a host never look alike.
 */
export function referenceOf({ service, number }: Pick<ServiceCall, 'service' | 'number'>): string {
  const pid = /-(\d+)$/.exec(service)?.[1]
  const which = pid === undefined ? nameNumber(service) : Number(pid)
  return `0x${which.toString(16)}${number.toString(16).padStart(8, '0')}`
}

/** FNV-1a, above the numbers that processes have (up to 2^22, proc(5)), and with the number of the call behind it less than a pointer. */
function nameNumber(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return 0x400000 + (hash >>> 10)
}

export interface ListParameters {
  readonly limit?: number | undefined
  readonly sortField?: string | undefined
  readonly descending: boolean
}

/** `parameters` is undefined for a bare `listcalls`. A call with a confirmed BYE is left out, as there. */
export function listCalls(
  calls: readonly ServiceCall[],
  parameters: ListParameters | undefined,
  about: { sensorId: number | undefined; receiver: boolean },
): string {
  const shown = calls.filter((call) => !call.byeConfirmed)
  const total = `{"total":${shown.length},"is_receiver":${about.receiver ? 1 : 0},"is_server":0,"id_sensor":${about.sensorId ?? 0}}`
  if (parameters?.limit === 0) return total
  const column = columns.find(([name]) => name === parameters?.sortField) ?? (columns[3] as Column)
  const direction = (parameters?.descending ?? true) ? -1 : 1
  const keyed = shown
    .map(rowOf)
    .map((row) => ({ row, key: column[1](row) }))
    .sort((a, b) => direction * compare(a.key, b.key))
  const cut = parameters?.limit === undefined || parameters.limit < 0 ? keyed : keyed.slice(0, parameters.limit)
  const lines = cut.map(({ row }) => `[${columns.map(([, value]) => value(row)).join(',')}${CUSTOM}]`)
  return `[${[`[${callColumns.map((name) => `"${name}"`).join(',')}]`, ...(parameters === undefined ? [] : [`[${total}]`]), ...lines].join(',')}]`
}

/** Nothing comes first; text by its characters ("1001" before "107"), numbers by their size. */
function compare(a: string, b: string): number {
  if (a === b) return 0
  if (a === 'null' || b === 'null') return a === 'null' ? -1 : 1
  if (a.startsWith('"') && b.startsWith('"')) return a < b ? -1 : 1
  return Number(a) - Number(b)
}

/** Names of `listregisters`; registrations are not followed (yet), so it is all there is. */
export const registerColumns = [
  'ID',
  'id_sensor',
  'fname',
  'calldate',
  'sipcallerip',
  'sipcalledip',
  'sipcallerip_encaps',
  'sipcalledip_encaps',
  'sipcallerip_encaps_prot',
  'sipcalledip_encaps_prot',
  'sipcallerport',
  'sipcalledport',
  'from_num',
  'from_name',
  'from_domain',
  'to_num',
  'to_domain',
  'contact_num',
  'contact_domain',
  'digestusername',
  'digestrealm',
  'expires',
  'expires_at',
  'state',
  'ua',
  'rrd_avg',
  'spool_index',
  'is_sipalg_detected',
  'vlan',
  'sipcallerip_country_code',
  'sipcalledip_country_code',
  'from_num_country_code',
  'to_num_country_code',
] as const

/** `2026-11-23 04:37:58`, UTC. */
export function dateTime(micros: number): string {
  const { year, month, day, hour, minute, second } = civilTime(epoch(micros))
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`
}
