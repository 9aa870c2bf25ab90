import type { Micros } from '../../base/units.js'
import { type CallJson, hostText, isoTime, type StreamJson, schemaVersion } from '../../call/json.js'
import { problemsOfBits } from '../../call/problems.js'
import { codecNumbers } from '../../rtp/codecs.js'
import type { CallDetails } from '../cdr-store.js'
import type { ReadEngine, Row } from './engine.js'
import { type Batch, namedSql } from './order.js'

/** From rows to the JSON of calls (docs/records.md): whole batches, so that a call costs no statement of its own. */

const COLUMNS = `c.ID AS id, e.call_id AS call_id, e.sensor AS sensor, e.state AS state, c.lastSIPresponseNum AS status, e.status_text AS status_text,
  c.caller, c.called, c.callername, c.caller_domain, c.called_domain, e.caller_ip AS caller_ip, c.sipcallerport, e.callee_ip AS callee_ip,
  e.callee_port AS callee_port, c.sipcalledip, e.started_us AS started_us, e.ringing_us AS ringing_us, e.answered_us AS answered_us,
  e.ended_us AS ended_us, e.pdd_ms AS pdd_ms, e.talk_ms AS talk_ms, e.duration_ms AS duration_ms, c.whohanged, e.codec AS codec, e.mos AS mos,
  e.loss_pct AS loss_pct, e.jitter_ms AS jitter_ms, c.vlan, c.bye, e.problems AS problems, e.pcap AS pcap, e.exact AS exact,
  ua.ua AS caller_agent, ub.ua AS callee_agent`
const AGENTS = 'LEFT JOIN cdr_ua ua ON ua.id = c.a_ua_id LEFT JOIN cdr_ua ub ON ub.id = c.b_ua_id'

/** The calls of these numbers, in their order. Without `lists` the streams, digits and hops stay empty. */
export async function callsOf(engine: ReadEngine, batch: Batch, lists: boolean): Promise<CallJson[]> {
  if (batch.length === 0) return []
  const named = namedSql(batch, engine, 'c', 'ID')
  const ours = namedSql(batch, engine, 'e')
  const { shared } = engine.dialect
  const from = shared?.from ?? 'FROM cdr c JOIN earshot_cdr e ON e.cdr_ID = c.ID'
  const rows = await engine.rows(
    `SELECT ${COLUMNS}, ${shared?.isTheirs ?? '0'} AS theirs ${from} ${AGENTS} WHERE ${named.sql} AND ${ours.sql}`,
    [...named.values, ...ours.values],
  )
  const [streams, digits, hops] = lists ? await listsOf(engine, batch, rows) : [new Map(), new Map(), new Map()]
  const calls = new Map(rows.map((row) => [row['id'] as number, callOf(row, streams, digits, hops, engine)]))
  return batch.flatMap(({ id }) => calls.get(id) ?? [])
}

type Lists<T> = ReadonlyMap<number, readonly T[]>

async function listsOf(
  engine: ReadEngine,
  batch: Batch,
  rows: readonly Row[],
): Promise<[Lists<StreamJson>, Lists<CallJson['dtmf'][number]>, Lists<string>]> {
  const grouped = async <T>(of: Batch, table: string, order: string, make: (row: Row) => T | undefined): Promise<Map<number, T[]>> => {
    const groups = new Map<number, T[]>()
    if (of.length === 0) return groups
    const named = namedSql(of, engine, 't')
    const found = await engine.rows(`SELECT t.* FROM ${table} t WHERE ${named.sql} ORDER BY t.cdr_ID${order}`, named.values)
    for (const row of found) {
      const made = make(row)
      if (made === undefined) continue
      const group = groups.get(row['cdr_ID'] as number)
      if (group === undefined) groups.set(row['cdr_ID'] as number, [made])
      else group.push(made)
    }
    return groups
  }
  const begin = new Map(rows.filter((row) => row['theirs'] === 1).map((row) => [row['id'] as number, row['started_us'] as number]))
  const ours = batch.filter(({ id }) => !begin.has(id))
  const theirs = batch.filter(({ id }) => begin.has(id))
  const started = (row: Row): number => begin.get(row['cdr_ID'] as number) as number
  const streams = await grouped(ours, 'earshot_rtp', ', t.position', streamOf)
  const digits = await grouped(ours, 'earshot_dtmf', ', t.position', (d) => ({
    time: time(d['time_us']),
    digit: d['digit'] as string,
    type: d['type'] as string,
  }))
  const { dialect } = engine
  for (const [id, made] of await grouped(theirs, 'cdr_rtp', ', t.`index`', (row) => theirStream(row, started(row), dialect)))
    streams.set(id, made)
  for (const [id, made] of await grouped(theirs, 'cdr_dtmf', ', t.firsttime', (row) => theirDigit(row, started(row)))) digits.set(id, made)
  return [streams, digits, await grouped(batch, 'cdr_proxy', '', (row) => dialect.addressText(row['dst']))]
}

function callOf(
  row: Row,
  streams: Lists<StreamJson>,
  digits: Lists<CallJson['dtmf'][number]>,
  hops: Lists<string>,
  { dialect }: ReadEngine,
): CallJson {
  const id = row['id'] as number
  const number = (column: string): number | null => (row[column] ?? null) as number | null
  // Texts that the columns of `cdr` could not hold as they were.
  const exact = row['exact'] === null ? {} : (JSON.parse(row['exact'] as string) as Readonly<Record<string, string>>)
  const text = (column: string, field = ''): string | null => (exact[field] ?? row[column] ?? null) as string | null
  const calleeIp = row['callee_ip'] as string
  return {
    schema_version: schemaVersion,
    id,
    call_id: row['call_id'] as string,
    state: row['state'] as string,
    status: number('status') || null,
    status_text: text('status_text', 'statusText'),
    caller: text('caller', 'caller'),
    callee: text('called', 'callee'),
    caller_name: text('callername', 'callerName'),
    caller_domain: text('caller_domain', 'callerDomain'),
    callee_domain: text('called_domain', 'calleeDomain'),
    caller_addr: hostText({ ip: row['caller_ip'] as string, port: row['sipcallerport'] as number }),
    callee_addr: hostText({ ip: calleeIp, port: row['callee_port'] as number }),
    caller_agent: text('caller_agent'),
    callee_agent: text('callee_agent'),
    hops: [...(hops.get(id) ?? []), dialect.addressText(row['sipcalledip']) ?? calleeIp],
    started: time(row['started_us']),
    ringing: timeOrNull(row['ringing_us']),
    answered: timeOrNull(row['answered_us']),
    ended: timeOrNull(row['ended_us']),
    pdd_ms: number('pdd_ms'),
    talk_ms: number('talk_ms'),
    duration_ms: row['duration_ms'] as number,
    hung_up_by: text('whohanged') as 'caller' | 'callee' | null,
    codec: text('codec'),
    mos: number('mos'),
    loss_pct: number('loss_pct'),
    jitter_ms: number('jitter_ms'),
    vlan: number('vlan'),
    sensor_id: number('sensor') || null,
    bye_code: number('bye'),
    problems: problemsOfBits((row['problems'] as number | null) ?? 0),
    pcap: text('pcap'),
    streams: [...(streams.get(id) ?? [])],
    dtmf: [...(digits.get(id) ?? [])],
  }
}

const time = (micros: unknown): string => isoTime(micros as Micros)
const timeOrNull = (micros: unknown): string | null => (micros === null || micros === undefined ? null : time(micros))
const round3 = (value: unknown): number | null =>
  value === null || value === undefined ? null : Math.round((value as number) * 1000) / 1000

const streamOf = (s: Row): StreamJson => ({
  ssrc: `0x${(s['ssrc'] as number).toString(16).padStart(8, '0')}`,
  src: s['src'] as string,
  dst: s['dst'] as string,
  direction: s['direction'] as 'a' | 'b',
  codec: (s['codec'] ?? null) as string | null,
  packets: s['packets'] as number,
  expected: s['expected'] as number,
  lost: s['lost'] as number,
  duplicates: s['duplicates'] as number,
  reordered: s['reordered'] as number,
  jitter_mean_ms: round3(s['jitter_mean_ms']),
  jitter_max_ms: round3(s['jitter_max_ms']),
  mos: round3(s['mos']),
  first: time(s['first_us']),
  last: time(s['last_us']),
})

/** A stream as cdr_rtp has it: what VoIPmonitor wrote of it. Its firsttime and duration are seconds. */
function theirStream(s: Row, startedMicros: number, { addressText }: ReadEngine['dialect']): StreamJson {
  const number = (column: string): number => (s[column] ?? 0) as number
  const endpoint = (ip: string, port: string): string => hostText({ ip: addressText(s[ip]) ?? '?', port: number(port) })
  const first = startedMicros + Math.round(number('firsttime') * 1e6)
  return {
    ssrc: `0x${number('ssrc').toString(16).padStart(8, '0')}`,
    src: endpoint('saddr', 'sport'),
    dst: endpoint('daddr', 'dport'),
    direction: (number('flags') & 8) !== 0 ? 'b' : 'a',
    codec: codecNumbers.find(([id]) => id === s['payload'])?.[1] ?? null,
    packets: number('received'),
    expected: number('received') + number('loss'),
    lost: number('loss'),
    duplicates: null,
    reordered: null,
    jitter_mean_ms: null,
    jitter_max_ms: s['maxjitter_mult10'] === null ? null : number('maxjitter_mult10') / 10,
    mos: null,
    first: time(first),
    last: time(first + Math.round(number('duration') * 1e6)),
  }
}

const theirDigit = (d: Row, startedMicros: number): CallJson['dtmf'][number] => ({
  time: time(startedMicros + Math.round(((d['firsttime'] ?? 0) as number) * 1e6)),
  digit: d['dtmf'] as string,
  // 1 is heard in the audio, which we do not do.
  type: ['info', 'inband', 'rfc4733'][d['type'] as number] ?? 'rfc4733',
})

/** What `cdr show` tells beyond the JSON. */
export async function detailsOf(engine: ReadEngine, id: number): Promise<CallDetails | undefined> {
  const [row] = await engine.rows(
    `SELECT c.reason_sip_cause, rs.reason AS sip_text, c.reason_q850_cause, rq.reason AS q850_text, n.digest_username
     FROM cdr c LEFT JOIN cdr_next n ON n.cdr_ID = c.ID LEFT JOIN cdr_reason rs ON rs.id = c.reason_sip_text_id
     LEFT JOIN cdr_reason rq ON rq.id = c.reason_q850_text_id WHERE c.ID = ?`,
    [id],
  )
  if (row === undefined) return undefined
  const responses = await engine.rows(
    'SELECT s.lastSIPresponse AS line FROM cdr_sipresp r JOIN cdr_sip_response s ON s.id = r.SIPresponse_id WHERE r.cdr_ID = ?',
    [id],
  )
  const reason = (protocol: string, cause: unknown, text: unknown): string[] =>
    cause === null && text === null ? [] : [`${protocol} ${cause ?? ''} ${text ?? ''}`.replace(/ +/g, ' ').trim()]
  return {
    digestUser: row['digest_username'] as string | null,
    responses: responses.map(({ line }) => line as string),
    reasons: [...reason('SIP', row['reason_sip_cause'], row['sip_text']), ...reason('Q.850', row['reason_q850_cause'], row['q850_text'])],
  }
}
