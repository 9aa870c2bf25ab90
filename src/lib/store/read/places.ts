import { problems } from '../../call/problems.js'
import type { FieldName } from '../../query/fields.js'
import type { Dialect, Sql } from './engine.js'

/**
 * Where in the tables each field of the query language lies: `c` is cdr, `e` is earshot_cdr. A field with several places
 * fits when one of them does.
 */
export interface Place {
  readonly column: string
  /** A number that stands for "unknown" here. */
  readonly unknown?: number
  /** The column is another table's: what is asked of it stands in `before … after`. */
  readonly within?: readonly [before: string, after: string]
  /** The column has an index, and this statement with the condition gives the calls (`ID`, and `calldate` where it is). */
  readonly find?: readonly [table: string, id: 'ID' | 'cdr_ID']
  /** `find` has no index but reads a narrow table from end to end: still quicker than every call, unless their time is limited. */
  readonly scanned?: true
  /** The same text backwards, with an index too: an end is found as a beginning. */
  readonly reversed?: string
  /** The bit of a word, where words are kept as bits. */
  readonly bits?: Readonly<Record<string, { readonly bit: number }>>
}

const e = (column: string): Place[] => [{ column: `e.${column}` }]
const c = (column: string): Place[] => [{ column: `c.${column}` }]
const inCdr = ['cdr', 'ID'] as const
const party = (column: 'caller' | 'called'): Place => ({ column: `c.${column}`, reversed: `c.${column}_reverse`, find: inCdr })
const child = (table: string, column: string, scanned?: true): Place => ({
  column,
  within: [`EXISTS (SELECT 1 FROM ${table} WHERE ${table}.cdr_ID = c.ID AND `, ')'],
  find: [table, 'cdr_ID'],
  ...(scanned && { scanned }),
})
const agent = (side: 'a' | 'b'): Place => ({
  column: 'cdr_ua.ua',
  within: [`EXISTS (SELECT 1 FROM cdr_ua WHERE cdr_ua.id = c.${side}_ua_id AND `, ')'],
})
const callerIp: Place = { column: 'c.sipcallerip', find: inCdr }
const calleeIps: Place[] = [{ column: 'c.sipcalledip', find: inCdr }, child('cdr_proxy', 'cdr_proxy.dst')]
const mediaIps: Place[] = [child('cdr_rtp', 'cdr_rtp.saddr', true), child('cdr_rtp', 'cdr_rtp.daddr', true)]

const places: Readonly<Record<FieldName, readonly Place[]>> = {
  id: e('cdr_ID'),
  call_id: [{ column: 'e.call_id', find: ['earshot_cdr', 'cdr_ID'] }],
  state: e('state'),
  status: [{ column: 'c.lastSIPresponseNum', unknown: 0 }],
  status_text: e('status_text'),
  number: [party('caller'), party('called')],
  caller: [party('caller')],
  callee: [party('called')],
  caller_name: c('callername'),
  caller_domain: c('caller_domain'),
  callee_domain: c('called_domain'),
  ip: [callerIp, ...calleeIps, ...mediaIps],
  caller_ip: [callerIp],
  callee_ip: calleeIps,
  media_ip: mediaIps,
  ssrc: [child('cdr_rtp', 'cdr_rtp.ssrc', true)],
  started: e('started_us'),
  ringing: e('ringing_us'),
  answered: e('answered_us'),
  ended: e('ended_us'),
  pdd_ms: e('pdd_ms'),
  talk_ms: e('talk_ms'),
  duration_ms: e('duration_ms'),
  hung_up_by: c('whohanged'),
  codec: e('codec'),
  mos: e('mos'),
  loss_pct: e('loss_pct'),
  jitter_ms: e('jitter_ms'),
  agent: [agent('a'), agent('b')],
  caller_agent: [agent('a')],
  callee_agent: [agent('b')],
  problem: [{ column: 'e.problems', unknown: 0, bits: problems }],
  bye_code: c('bye'),
  vlan: c('vlan'),
  sensor_id: [{ column: 'e.sensor', unknown: 0 }],
  pcap: e('pcap'),
}

/** A call of another program has its Call-ID as the name of its files. */
const inFileName = child('cdr_next', 'cdr_next.fbasename')
const theirPlaces: Readonly<Record<FieldName, readonly Place[]>> = { ...places, call_id: [inFileName] }
const sharedPlaces: Readonly<Record<FieldName, readonly Place[]>> = {
  ...places,
  call_id: [
    { column: 'own.call_id', find: ['earshot_cdr', 'cdr_ID'] },
    { ...inFileName, within: ['(own.cdr_ID IS NULL AND EXISTS (SELECT 1 FROM cdr_next WHERE cdr_next.cdr_ID = c.ID AND ', '))'] },
  ],
}

export const placesIn = ({ shared }: Dialect): Readonly<Record<FieldName, readonly Place[]>> =>
  shared === undefined ? places : shared.hasOwn ? sharedPlaces : theirPlaces

/** A condition on the place's column, as a condition on the call. */
export const within = ({ within: around }: Place, { sql, values }: Sql): Sql =>
  around === undefined ? { sql, values } : { sql: `${around[0]}${sql}${around[1]}`, values }
