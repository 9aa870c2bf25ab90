import type { CallJson } from '../call/json.js'
import { isoMicros } from '../call/json.js'
import { problemNames } from '../call/problems.js'
import { type AddressValue, addressValue } from './network.js'

/**
 * What can be asked of a call: one row a field. The names are those of the JSON (docs/records.md); some have a shorter one,
 * and some look in several places. From these rows come the parser, the predicate, docs/queries.md and the help.
 */
export type FieldType = 'text' | 'exact' | 'number' | 'status' | 'duration' | 'percent' | 'time' | 'address' | 'word'
export type FieldValue = string | number

export interface Field<C = CallJson> {
  readonly type: FieldType
  readonly help: string
  /** Further names; for a duration, with the unit that a plain number has under that name. */
  readonly short?: string
  readonly unit?: 'ms' | 's'
  /** The words that a field of type `word` can be. */
  readonly words?: readonly string[]
  /** Values of a call; none when it is unknown. Text comes as it is, times in µs, addresses as `AddressValue`. */
  readonly of: (call: C) => readonly (FieldValue | AddressValue)[]
}

export const callStates = ['answered', 'failed', 'cancelled', 'redirected', 'cancelled_no_final', 'no_final_response'] as const

const known = <T>(...values: readonly (T | null | undefined)[]): T[] => values.filter((v) => v !== null && v !== undefined) as T[]
const time = (text: string | null): number[] => (text === null ? [] : [isoMicros(text)])
const addresses = (...texts: readonly string[]): AddressValue[] => known(...texts.map(addressValue))
const media = (call: CallJson): AddressValue[] => addresses(...call.streams.flatMap((s) => [s.src, s.dst]))

export const fields = {
  id: { type: 'number', help: 'number of the record', of: (c) => known(c.id) },
  call_id: { type: 'exact', help: 'Call-ID', of: (c) => [c.call_id] },
  state: { type: 'word', help: 'how the call went', words: callStates, of: (c) => [c.state] },
  status: { type: 'status', help: 'final response: `486`, `4xx`', of: (c) => known(c.status) },
  status_text: { type: 'text', help: 'its words', of: (c) => known(c.status_text) },
  number: { type: 'text', help: 'caller or callee', of: (c) => known(c.caller, c.callee) },
  caller: { type: 'text', help: 'user part of From', of: (c) => known(c.caller) },
  callee: { type: 'text', help: 'user part of To', of: (c) => known(c.callee) },
  caller_name: { type: 'text', help: 'display name of From', of: (c) => known(c.caller_name) },
  caller_domain: { type: 'text', help: 'host of From', of: (c) => known(c.caller_domain) },
  callee_domain: { type: 'text', help: 'host of To', of: (c) => known(c.callee_domain) },
  ip: {
    type: 'address',
    help: 'any address of the call: signalling, hops, media',
    of: (c) => [...addresses(c.caller_addr, c.callee_addr, ...c.hops), ...media(c)],
  },
  caller_ip: { type: 'address', help: 'source of the first INVITE', of: (c) => addresses(c.caller_addr) },
  callee_ip: {
    type: 'address',
    help: 'where INVITEs went: the first hop, the last, those between',
    of: (c) => addresses(c.callee_addr, ...c.hops),
  },
  media_ip: { type: 'address', help: 'either end of an RTP stream', of: media },
  ssrc: { type: 'number', help: 'of one of the streams: `0xdeadbeef`', of: (c) => c.streams.map((s) => Number(s.ssrc)) },
  started: { type: 'time', help: 'first INVITE', of: (c) => time(c.started) },
  ringing: { type: 'time', help: 'first 180–183', of: (c) => time(c.ringing) },
  answered: { type: 'time', help: 'first 2xx', of: (c) => time(c.answered) },
  ended: { type: 'time', help: 'BYE, final response or CANCEL', of: (c) => time(c.ended) },
  pdd_ms: { type: 'duration', short: 'pdd', unit: 's', help: 'post-dial delay', of: (c) => known(c.pdd_ms) },
  talk_ms: { type: 'duration', short: 'talk', unit: 's', help: 'answer to end', of: (c) => known(c.talk_ms) },
  duration_ms: { type: 'duration', short: 'duration', unit: 's', help: 'start to end', of: (c) => [c.duration_ms] },
  hung_up_by: { type: 'word', help: 'who sent the BYE', words: ['caller', 'callee'], of: (c) => known(c.hung_up_by) },
  codec: { type: 'text', help: "rtpmap name of the caller's stream, else of the callee's", of: (c) => known(c.codec) },
  mos: { type: 'number', help: 'MOS-LQ of the worse direction', of: (c) => known(c.mos) },
  loss_pct: { type: 'percent', short: 'loss', help: 'packet loss of the worse direction', of: (c) => known(c.loss_pct) },
  jitter_ms: { type: 'duration', short: 'jitter', unit: 'ms', help: 'mean jitter of the worse direction', of: (c) => known(c.jitter_ms) },
  agent: { type: 'text', help: 'User-Agent or Server of either end', of: (c) => known(c.caller_agent, c.callee_agent) },
  caller_agent: { type: 'text', help: "the caller's", of: (c) => known(c.caller_agent) },
  callee_agent: { type: 'text', help: "the callee's", of: (c) => known(c.callee_agent) },
  problem: { type: 'word', help: 'what was odd about the call; alone: anything was', words: problemNames, of: (c) => c.problems },
  bye_code: { type: 'number', help: 'how it ended, VoIPmonitor’s number (docs/schema.md, column `bye`)', of: (c) => known(c.bye_code) },
  vlan: { type: 'number', help: 'outermost tag of the first INVITE', of: (c) => known(c.vlan) },
  sensor_id: { type: 'number', short: 'sensor', help: 'which sensor saw it', of: (c) => known(c.sensor_id) },
  pcap: { type: 'exact', help: 'path of its packets below the spool', of: (c) => known(c.pcap) },
} as const satisfies Readonly<Record<string, Field>>

export type FieldName = keyof typeof fields

export const fieldNames = Object.keys(fields) as FieldName[]

/** The fields that can be asked, and every name that may be typed, short ones too, with the unit of a plain number under that name. */
export interface Language<F extends string, C = CallJson> {
  readonly fields: Readonly<Record<F, Field<C>>>
  readonly names: ReadonlyMap<string, { readonly name: F; readonly unit: 'ms' | 's' }>
}

export function languageOf<F extends string, C>(known: Readonly<Record<F, Field<C>>>): Language<F, C> {
  const entries = (Object.keys(known) as F[]).flatMap((name) => {
    const { short, unit } = known[name]
    const own: [string, { name: F; unit: 'ms' | 's' }][] = [[name, { name, unit: 'ms' }]]
    if (short !== undefined) own.push([short, { name, unit: unit ?? 'ms' }])
    return own
  })
  return { fields: known, names: new Map(entries) }
}

/** What records can be asked. */
export const recordLanguage: Language<FieldName> = languageOf<FieldName, CallJson>(fields)
