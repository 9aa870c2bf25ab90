import type { Micros } from '../../base/units.js'
import { problems } from '../../call/problems.js'
import { zoneSteps } from '../../native/local-time.js'
import { codecNumbers } from '../../rtp/codecs.js'
import { dateTime } from '../values.js'
import type { Form } from './schema.js'
import { isAddress, name } from './sql.js'

/**
 * Calls that VoIPmonitor wrote itself, in a database that it made: there is no row of earshot_cdr for them, so what that table
 * says of a call is worked out from `cdr`, as far as it can be; what only we know is NULL. The SQL of the reading half says
 * `e.COLUMN`; for such a database each of these is replaced by what stands here. `own` is earshot_cdr, joined where it has a row.
 */
export function theirCalls(
  { columns, beside }: Form,
  localTime: boolean,
): { from: string; isTheirs: string; translate(sql: string): string } {
  const there = columns.get('cdr')
  /** An older VoIPmonitor may lack a column. */
  const c = (column: string): string => (there?.has(column) === false ? 'NULL' : `c.${name(column)}`)
  /** Without partitions its tables lead to a call by the id alone. */
  const sameDay = (table: string, alias: string): string =>
    columns.get(table)?.has('calldate') === false ? '' : ` AND ${alias}.calldate = c.calldate`
  const said = (time: string): string => `timestampdiff(MICROSECOND, '1970-01-01', ${time})`
  const micros = (time: string): string => (localTime ? `(${said(time)} - ${aheadSql(time)})` : said(time))
  const after = (seconds: string): string => `CAST(${micros('c.calldate')} + (${seconds}) * 1000000 AS SIGNED)`
  const part = (column: string, factor: number): string => `(${c(column)} / ${factor}.0)`
  const address = (column: string): string => {
    const bytes = isAddress(column) && /^varbinary/.test(there?.get(column) ?? '')
    return `${bytes ? 'inet6_ntoa' : 'inet_ntoa'}(${c(column)})`
  }
  const connected = `(${c('duration')} - ${c('connect_duration')})`
  const status = c('lastSIPresponseNum')
  const bit = (problem: keyof typeof problems, when: string): string => `IF(${when}, ${1 << problems[problem].bit}, 0)`
  const codecs = codecNumbers.map(([number, codec]) => `WHEN ${number} THEN '${codec}'`).join(' ')

  const theirs: Readonly<Record<string, string>> = {
    sensor: `coalesce(${c('id_sensor')}, 0)`,
    call_id: `(SELECT n.fbasename FROM cdr_next n WHERE n.cdr_ID = c.ID${sameDay('cdr_next', 'n')} LIMIT 1)`,
    started_us: micros('c.calldate'),
    // progress_time is that of the first 18x, or of the 2xx when there was none.
    ringing_us: `CASE WHEN ${c('connect_duration')} IS NULL OR ${c('progress_time')} < ${connected} THEN ${after(c('progress_time'))} END`,
    answered_us: after(connected),
    ended_us: `CASE WHEN ${c('bye')} IN (1, 100) OR ${c('bye')} > 101 THEN NULL ELSE ${after(c('duration'))} END`,
    state: `CASE WHEN ${c('connect_duration')} IS NOT NULL THEN 'answered' WHEN ${status} = 487 THEN 'cancelled'
      WHEN ${status} BETWEEN 300 AND 399 THEN 'redirected' WHEN ${status} >= 400 THEN 'failed' ELSE 'no_final_response' END`,
    status_text: `(SELECT nullif(substr(s.lastSIPresponse, 5), '') FROM cdr_sip_response s WHERE s.id = ${c('lastSIPresponse_id')})`,
    caller_ip: address('sipcallerip'),
    callee_ip: address('sipcalledip'),
    callee_port: c('sipcalledport'),
    pdd_ms: `(${c('progress_time')} * 1000)`,
    talk_ms: `(${c('connect_duration')} * 1000)`,
    duration_ms: `(${c('duration')} * 1000)`,
    codec: `CASE ${c('payload')} ${codecs} END`,
    mos: part('mos_min_mult10', 10),
    loss_pct: part('packet_loss_perc_mult1000', 1000),
    jitter_ms: part('jitter_mult10', 10),
    problems: `(${[
      bit('no_media', `${c('connect_duration')} IS NOT NULL AND ${c('a_received')} IS NULL AND ${c('b_received')} IS NULL`),
      bit('one_way_media', `${c('connect_duration')} IS NOT NULL AND (${c('a_received')} IS NULL) <> (${c('b_received')} IS NULL)`),
      bit('one_way_sip', `${c('bye')} = 101`),
      bit('no_bye', `${c('bye')} = 1`),
      bit('bye_unconfirmed', `${c('bye')} = 2`),
      bit('timeout', `${c('bye')} IN (102, 103, 104, 105, 107, 108)`),
      bit('cut', `${c('sighup')} = 1`),
      bit('loss_burst', `${c('a_sl10')} > 0 OR ${c('b_sl10')} > 0`),
      bit('retransmitted', `${c('max_retransmission_invite')} > 0`),
      bit('fragmented', `${c('flags')} & 0xc00`),
    ].join(' | ')})`,
    pcap: 'NULL',
    exact: 'NULL',
  }
  const always: Readonly<Record<string, string>> = { cdr_ID: 'c.ID', calldate: 'c.calldate' }
  return {
    from: beside ? 'FROM cdr c LEFT JOIN earshot_cdr own ON own.cdr_ID = c.ID AND own.calldate = c.calldate' : 'FROM cdr c',
    isTheirs: beside ? 'own.cdr_ID IS NULL' : '1',
    translate: (sql) =>
      sql.replace(/\be\.(\w+)/g, (whole, column: string) => {
        const fixed = always[column]
        if (fixed !== undefined) return fixed
        const their = theirs[column]
        if (their === undefined) return whole
        // Never coalesce: a call of ours that lacks a value lacks it.
        return beside ? `IF(own.cdr_ID IS NULL, ${their}, own.${name(column)})` : their
      }),
  }
}

/** Older calls come from old captures only; they have the offset of its first day. */
const FIRST_YEAR = 2000

/** By how many µs the clock on the wall was ahead when it showed `time`: the zone is that of this machine, the server need not know it. */
function aheadSql(time: string): string {
  const [first, ...steps] = zoneSteps(FIRST_YEAR, new Date().getFullYear() + 2)
  const ahead = first?.aheadMicros ?? 0
  if (steps.length === 0) return String(ahead)
  const when = steps.reverse().map((step) => `WHEN ${time} >= '${dateTime(step.from as Micros)}' THEN ${step.aheadMicros}`)
  return `CASE ${when.join(' ')} ELSE ${ahead} END`
}
