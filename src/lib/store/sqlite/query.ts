import type { Micros } from '../../base/units.js'
import { type CallJson, callJson } from '../../call/json.js'
import type { CallRecord, CallState, DtmfRecord, StreamRecord } from '../../call/record.js'
import type { CallDetails, CdrFilter } from '../cdr-store.js'
import { ip } from '../values.js'
import type { Database } from './driver.js'

/** From rows back to the JSON of a call: the columns callJson needs are put into a record again, so both ways end in one function. */
interface CdrRow {
  ID: number
  call_id: string
  sensor_id: number | null
  state: CallState
  status: number
  status_text: string | null
  caller: string | null
  called: string | null
  callername: string | null
  caller_domain: string | null
  called_domain: string | null
  caller_ip: string
  sipcallerport: number
  callee_ip: string
  callee_port: number
  started_us: Micros
  ringing_us: Micros | null
  answered_us: Micros | null
  ended_us: Micros | null
  last_us: Micros
  whohanged: 'caller' | 'callee' | null
  vlan: number | null
  a_stream: number | null
  b_stream: number | null
  pcap: string | null
}

const SELECT = `SELECT c.ID, e.call_id, c.id_sensor AS sensor_id, e.state, c.lastSIPresponseNum AS status, e.status_text,
  c.caller, c.called, c.callername, c.caller_domain, c.called_domain, e.caller_ip, c.sipcallerport, e.callee_ip, e.callee_port,
  e.started_us, e.ringing_us, e.answered_us, e.ended_us, e.last_us, c.whohanged, c.vlan, e.a_stream, e.b_stream, e.pcap
  FROM earshot_cdr e JOIN cdr c ON c.ID = e.cdr_ID`

const sortSql: Record<string, string> = {
  started: 'e.started_us',
  duration_ms: 'e.duration_ms',
  talk_ms: 'e.talk_ms',
  pdd_ms: 'e.pdd_ms',
  mos: 'e.mos',
  loss_pct: 'e.loss_pct',
  jitter_ms: 'e.jitter_ms',
  caller: 'c.caller',
  callee: 'c.called',
  status: 'c.lastSIPresponseNum',
  id: 'c.ID',
}

export function* findCalls(db: Database, filter: CdrFilter): Generator<CallJson, void, void> {
  const { where, values } = conditions(filter)
  const { column, descending } = filter.sort ?? { column: 'started', descending: false }
  const order = `ORDER BY ${sortSql[column]} IS NULL, ${sortSql[column]} ${descending ? 'DESC' : 'ASC'}, c.ID`
  const limit = filter.limit === undefined ? '' : ` LIMIT ${Math.floor(filter.limit)}`
  const toJson = reader(db)
  for (const row of db.prepare(`${SELECT} ${where} ${order}${limit}`).iterate(...values)) yield toJson(row as CdrRow)
}

export function getCall(db: Database, id: number): CallJson | undefined {
  const row = db.prepare(`${SELECT} WHERE c.ID = ?`).get(id) as CdrRow | undefined
  return row && reader(db)(row)
}

export function callDetails(db: Database, id: number): CallDetails | undefined {
  const row = db
    .prepare(
      `SELECT ua.ua AS callerAgent, ub.ua AS calleeAgent, c.bye AS byeCode, c.reason_sip_cause, rs.reason AS sipText, c.reason_q850_cause, rq.reason AS q850Text
       FROM cdr c LEFT JOIN cdr_ua ua ON ua.id = c.a_ua_id LEFT JOIN cdr_ua ub ON ub.id = c.b_ua_id
       LEFT JOIN cdr_reason rs ON rs.id = c.reason_sip_text_id LEFT JOIN cdr_reason rq ON rq.id = c.reason_q850_text_id WHERE c.ID = ?`,
    )
    .get(id) as Record<string, string | number | null> | undefined
  if (row === undefined) return undefined
  const texts = (sql: string): string[] => (db.prepare(sql).all(id) as { t: string }[]).map(({ t }) => t)
  const reason = (protocol: string, cause: unknown, text: unknown): string[] =>
    cause === null && text === null ? [] : [`${protocol} ${cause ?? ''} ${text ?? ''}`.replace(/ +/g, ' ').trim()]
  return {
    callerAgent: row['callerAgent'] as string | null,
    calleeAgent: row['calleeAgent'] as string | null,
    byeCode: row['byeCode'] as number | null,
    responses: texts(
      'SELECT s.lastSIPresponse AS t FROM cdr_sipresp r JOIN cdr_sip_response s ON s.id = r.SIPresponse_id WHERE r.cdr_ID = ? ORDER BY r.rowid',
    ),
    reasons: [...reason('SIP', row['reason_sip_cause'], row['sipText']), ...reason('Q.850', row['reason_q850_cause'], row['q850Text'])],
    proxies: texts(
      "SELECT CASE typeof(dst) WHEN 'integer' THEN (dst>>24)||'.'||((dst>>16)&255)||'.'||((dst>>8)&255)||'.'||(dst&255) ELSE hex(dst) END AS t FROM cdr_proxy WHERE cdr_ID = ? ORDER BY rowid",
    ),
  }
}

function reader(db: Database): (row: CdrRow) => CallJson {
  const streams = db.prepare('SELECT * FROM earshot_rtp WHERE cdr_ID = ? ORDER BY position')
  const digits = db.prepare('SELECT * FROM earshot_dtmf WHERE cdr_ID = ? ORDER BY position')
  return (row) => {
    const record: Pick<CallRecord, RecordField> = {
      callId: row.call_id,
      sensorId: row.sensor_id ?? undefined,
      state: row.state,
      status: row.status === 0 ? undefined : row.status,
      statusText: row.status_text ?? undefined,
      caller: row.caller ?? undefined,
      callee: row.called ?? undefined,
      callerName: row.callername ?? undefined,
      callerDomain: row.caller_domain ?? undefined,
      calleeDomain: row.called_domain ?? undefined,
      callerAddr: { ip: row.caller_ip, port: row.sipcallerport },
      calleeAddr: { ip: row.callee_ip, port: row.callee_port },
      started: row.started_us,
      ringing: row.ringing_us ?? undefined,
      answered: row.answered_us ?? undefined,
      ended: row.ended_us ?? undefined,
      lastPacket: row.last_us,
      hungUpBy: row.whohanged ?? undefined,
      vlan: row.vlan ?? undefined,
      pcap: row.pcap ?? undefined,
      aStream: row.a_stream ?? undefined,
      bStream: row.b_stream ?? undefined,
      streams: (streams.all(row.ID) as Record<string, unknown>[]).map(streamOf),
      dtmf: (digits.all(row.ID) as Record<string, unknown>[]).map(
        (d) => ({ time: d['time_us'], digit: d['digit'], type: d['type'], src: '', dst: '' }) as DtmfRecord,
      ),
    }
    return callJson(record as CallRecord, row.ID)
  }
}

type RecordField =
  | 'callId'
  | 'sensorId'
  | 'state'
  | 'status'
  | 'statusText'
  | 'caller'
  | 'callee'
  | 'callerName'
  | 'callerDomain'
  | 'calleeDomain'
  | 'callerAddr'
  | 'calleeAddr'
  | 'started'
  | 'ringing'
  | 'answered'
  | 'ended'
  | 'lastPacket'
  | 'hungUpBy'
  | 'vlan'
  | 'pcap'
  | 'aStream'
  | 'bStream'
  | 'streams'
  | 'dtmf'

function streamOf(s: Record<string, unknown>): StreamRecord {
  const host = (text: string): { ip: string; port: number } => {
    const colon = text.lastIndexOf(':')
    return { ip: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
  }
  return {
    ssrc: s['ssrc'],
    src: host(s['src'] as string),
    dst: host(s['dst'] as string),
    direction: s['direction'],
    codec: s['codec'] ?? undefined,
    packets: s['packets'],
    expected: s['expected'],
    lost: s['lost'],
    duplicates: s['duplicates'],
    reordered: s['reordered'],
    jitterMeanMs: s['jitter_mean_ms'] ?? undefined,
    jitterMaxMs: s['jitter_max_ms'] ?? undefined,
    mos: s['mos'] ?? undefined,
    first: s['first_us'],
    last: s['last_us'],
  } as StreamRecord
}

/** The filter as SQL; every value goes in as a parameter. */
function conditions(filter: CdrFilter): { where: string; values: unknown[] } {
  const parts: string[] = []
  const values: unknown[] = []
  const add = (sql: string, ...parameters: unknown[]): void => {
    parts.push(sql)
    values.push(...parameters)
  }
  const { number, caller, callee, status, state } = filter
  if (filter.sinceMicros !== undefined) add('e.started_us >= ?', filter.sinceMicros)
  if (filter.untilMicros !== undefined) add('e.started_us < ?', filter.untilMicros)
  if (number !== undefined) {
    const a = numberCondition('caller', number)
    const b = numberCondition('called', number)
    add(`(${a.sql} OR ${b.sql})`, a.value, b.value)
  }
  for (const [column, wanted] of [
    ['caller', caller],
    ['called', callee],
  ] as const) {
    if (wanted === undefined) continue
    const one = numberCondition(column, wanted)
    add(one.sql, one.value)
  }
  if (filter.ip !== undefined) {
    const address = ip(filter.ip)
    add(
      '(c.sipcallerip = ? OR c.sipcalledip = ? OR e.callee_ip = ? OR EXISTS (SELECT 1 FROM cdr_rtp r WHERE r.cdr_ID = c.ID AND (r.saddr = ? OR r.daddr = ?)))',
      address,
      address,
      filter.ip,
      address,
      address,
    )
  }
  if (filter.callId !== undefined) {
    if (filter.callId.includes('*')) add('e.call_id GLOB ?', globOf(filter.callId))
    else add('e.call_id = ?', filter.callId)
  }
  if (status !== undefined && status.length > 0) {
    const codes = status.map((s) =>
      /^[1-6]xx$/i.test(s)
        ? { sql: 'c.lastSIPresponseNum BETWEEN ? AND ?', values: [Number(s[0]) * 100, Number(s[0]) * 100 + 99] }
        : { sql: 'c.lastSIPresponseNum = ?', values: [Number(s)] },
    )
    add(`(${codes.map((c) => c.sql).join(' OR ')})`, ...codes.flatMap((c) => c.values))
  }
  if (state !== undefined && state.length > 0) add(`e.state IN (${state.map(() => '?').join(', ')})`, ...state)
  if (filter.mosBelow !== undefined) add('e.mos < ?', filter.mosBelow)
  if (filter.durationMinMs !== undefined) add('coalesce(e.talk_ms, e.duration_ms) >= ?', filter.durationMinMs)
  if (filter.durationMaxMs !== undefined) add('coalesce(e.talk_ms, e.duration_ms) <= ?', filter.durationMaxMs)
  return { where: parts.length === 0 ? '' : `WHERE ${parts.join(' AND ')}`, values }
}

/** Without `*` a number is found whole or by its end: 5550100 finds +15550100. The reversed column makes that a look-up by index. */
function numberCondition(column: 'caller' | 'called', wanted: string): { sql: string; value: string } {
  if (wanted.includes('*')) return { sql: `c.${column} GLOB ?`, value: globOf(wanted) }
  const end = [...wanted].reverse().join('')
  return { sql: `c.${column}_reverse GLOB ?`, value: `${globOf(end)}*` }
}

/** `*` stays what it is; GLOB's other signs are meant literally. */
const globOf = (text: string): string => text.replace(/[[?]/g, (sign) => `[${sign}]`)
