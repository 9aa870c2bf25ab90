import type { Micros } from '../base/units.js'
import { problemsOf } from './problems.js'
import type { CallRecord, Host, StreamRecord } from './record.js'

/** Version of the JSON below. Fields are added without a change of it; a change of meaning raises it. */
export const schemaVersion = 1

/** One call as scripts see it (docs/records.md): `sniff -o ndjson` and `cdr query -o ndjson` print this same object. */
export interface CallJson {
  schema_version: number
  id: number | null
  call_id: string
  state: string
  status: number | null
  status_text: string | null
  caller: string | null
  callee: string | null
  caller_name: string | null
  caller_domain: string | null
  callee_domain: string | null
  caller_addr: string
  callee_addr: string
  caller_agent: string | null
  callee_agent: string | null
  hops: string[]
  started: string
  ringing: string | null
  answered: string | null
  ended: string | null
  pdd_ms: number | null
  talk_ms: number | null
  duration_ms: number
  hung_up_by: 'caller' | 'callee' | null
  codec: string | null
  mos: number | null
  loss_pct: number | null
  jitter_ms: number | null
  vlan: number | null
  sensor_id: number | null
  bye_code: number | null
  problems: string[]
  pcap: string | null
  streams: StreamJson[]
  dtmf: { time: string; digit: string; type: string }[]
}

export interface StreamJson {
  ssrc: string
  src: string
  dst: string
  direction: 'a' | 'b'
  codec: string | null
  packets: number
  expected: number
  lost: number
  /** Null in the records of another program (VoIPmonitor), which does not keep them; so are the mean jitter and the MOS. */
  duplicates: number | null
  reordered: number | null
  jitter_mean_ms: number | null
  jitter_max_ms: number | null
  mos: number | null
  first: string
  last: string
}

/** The numbers of a call as a whole: its times, and the worse direction of its media. */
export type CallFigures = Pick<CallJson, 'pdd_ms' | 'talk_ms' | 'duration_ms' | 'codec' | 'mos' | 'loss_pct' | 'jitter_ms'>

export function callFigures(record: CallRecord): CallFigures {
  const a = record.aStream === undefined ? undefined : record.streams[record.aStream]
  const b = record.bStream === undefined ? undefined : record.streams[record.bStream]
  const firstProgress = record.ringing ?? record.answered
  const end = record.ended ?? record.lastPacket
  return {
    // None is below 0, whatever the timestamps of a capture say.
    pdd_ms: firstProgress === undefined ? null : milliseconds(Math.max(0, firstProgress - record.started)),
    talk_ms: record.answered === undefined ? null : milliseconds(Math.max(0, end - record.answered)),
    duration_ms: milliseconds(Math.max(0, end - record.started)),
    codec: (a ?? b)?.codec ?? record.streams[0]?.codec ?? null,
    mos: worst(a, b, (s) => (s.mos === undefined ? null : round3(s.mos)), Math.min),
    loss_pct: worst(a, b, (s) => (s.expected > 0 ? round3((100 * s.lost) / s.expected) : null), Math.max),
    jitter_ms: worst(a, b, (s) => (s.jitterMeanMs === undefined ? null : round3(s.jitterMeanMs)), Math.max),
  }
}

/** Without `lists`, those of other tables (hops, streams, digits) are empty: a table and CSV show none. */
export function callJson(record: CallRecord, id: number | null = null, lists = true): CallJson {
  const { pdd_ms, talk_ms, duration_ms, codec, mos, loss_pct, jitter_ms } = callFigures(record)
  return {
    schema_version: schemaVersion,
    id,
    call_id: record.callId,
    state: record.state,
    status: record.status ?? null,
    status_text: record.statusText ?? null,
    caller: record.caller ?? null,
    callee: record.callee ?? null,
    caller_name: record.callerName ?? null,
    caller_domain: record.callerDomain ?? null,
    callee_domain: record.calleeDomain ?? null,
    caller_addr: hostText(record.callerAddr),
    callee_addr: hostText(record.calleeAddr),
    caller_agent: record.callerAgent ?? null,
    callee_agent: record.calleeAgent ?? null,
    hops: lists ? [...record.proxies, record.lastHopAddr.ip] : [],
    started: isoTime(record.started),
    ringing: isoTimeOrNull(record.ringing),
    answered: isoTimeOrNull(record.answered),
    ended: isoTimeOrNull(record.ended),
    pdd_ms,
    talk_ms,
    duration_ms,
    hung_up_by: record.hungUpBy ?? null,
    codec,
    mos,
    loss_pct,
    jitter_ms,
    vlan: record.vlan ?? null,
    sensor_id: record.sensorId ?? null,
    bye_code: record.byeCode,
    problems: problemsOf(record),
    pcap: record.pcap ?? null,
    streams: lists ? record.streams.map(streamJson) : [],
    dtmf: (lists ? record.dtmf : []).map(({ time, digit, type }) => ({ time: isoTime(time), digit, type })),
  }
}

function streamJson(s: StreamRecord): StreamJson {
  return {
    ssrc: `0x${s.ssrc.toString(16).padStart(8, '0')}`,
    src: hostText(s.src),
    dst: hostText(s.dst),
    direction: s.direction,
    codec: s.codec ?? null,
    packets: s.packets,
    expected: s.expected,
    lost: s.lost,
    duplicates: s.duplicates,
    reordered: s.reordered,
    jitter_mean_ms: s.jitterMeanMs === undefined ? null : round3(s.jitterMeanMs),
    jitter_max_ms: s.jitterMaxMs === undefined ? null : round3(s.jitterMaxMs),
    mos: s.mos === undefined ? null : round3(s.mos),
    first: isoTime(s.first),
    last: isoTime(s.last),
  }
}

/** The worse direction's value; null when neither was measured. */
function worst(
  a: StreamRecord | undefined,
  b: StreamRecord | undefined,
  value: (s: StreamRecord) => number | null,
  pick: (x: number, y: number) => number,
): number | null {
  const x = a === undefined ? null : value(a)
  const y = b === undefined ? null : value(b)
  return x === null ? y : y === null ? x : pick(x, y)
}

export const round3 = (value: number): number => Math.round(value * 1000) / 1000
/** Microseconds as milliseconds, exact to three decimals. */
export const milliseconds = (micros: number): number => Math.round(micros) / 1000
export const hostText = ({ ip, port }: Host): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)

/** ISO 8601 in UTC with microseconds: `2026-11-24T09:00:00.123456Z`. Pure arithmetic (Howard Hinnant's civil-from-days), no clock, no time zone. */
export function isoTime(micros: Micros): string {
  const seconds = Math.floor(micros / 1e6)
  const rest = Math.floor(micros - seconds * 1e6)
  const { year, month, day, hour, minute, second } = civilTime(seconds)
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}.${String(1e6 + rest).slice(1)}Z`
}

const twoDigits = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'))
const two = (n: number): string => twoDigits[n] as string

/** The reverse of `isoTime`. */
export const isoMicros = (text: string): number => Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number(text.slice(20, 26))

const isoTimeOrNull = (micros: Micros | undefined): string | null => (micros === undefined ? null : isoTime(micros))

/** Calendar parts of a UTC time in seconds since the epoch (proleptic Gregorian). */
export function civilTime(seconds: number): { year: number; month: number; day: number; hour: number; minute: number; second: number } {
  const days = Math.floor(seconds / 86_400)
  const ofDay = seconds - days * 86_400
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const doe = z - era * 146_097
  const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36_524) - Math.floor(doe / 146_096)) / 365)
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100))
  const mp = Math.floor((5 * doy + 2) / 153)
  const month = mp < 10 ? mp + 3 : mp - 9
  return {
    year: yoe + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: doy - Math.floor((153 * mp + 2) / 5) + 1,
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
  }
}
