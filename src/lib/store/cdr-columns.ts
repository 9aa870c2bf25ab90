import type { Micros } from '../base/units.js'
import type { CallReason, CallRecord, StreamRecord } from '../call/record.js'
import { type ColumnRow, columns, type Table } from './table.js'
import { type BookValue, ceilTimes, dateTime, ip, mediumint, reversed, secondsBetween, smallint, text, times, tinyint } from './values.js'

/** VoIPmonitor's table `cdr`: one row a call, its names, types and units. */
type Row = CallRecord
type Side = 'a' | 'b'

/** End as VoIPmonitor counts it: the 2xx to BYE, else the last packet. */
const end = (r: Row): Micros => r.byeConfirmed ?? r.lastPacket
const stream = (r: Row, side: Side): StreamRecord | undefined => {
  const i = side === 'a' ? r.aStream : r.bStream
  return i === undefined ? undefined : r.streams[i]
}
const both = (r: Row): StreamRecord[] => (['a', 'b'] as const).flatMap((side) => stream(r, side) ?? [])
const reason = (r: Row, protocol: string): CallReason | undefined => r.reasons.find((x) => x.protocol.toUpperCase() === protocol)
const book = (name: BookValue['book'], value: string | undefined, type?: number): BookValue | null =>
  value === undefined ? null : { book: name, text: value.slice(0, name === 'cdr_ua' ? 512 : 255), ...(type === undefined ? {} : { type }) }
const worst = (r: Row, value: (s: StreamRecord) => number | undefined, pick: (...n: number[]) => number): number | undefined => {
  const known = both(r).flatMap((s) => value(s) ?? [])
  return known.length === 0 ? undefined : pick(...known)
}

/** VoIPmonitor's loss: lost of received and lost. */
const lossShare = (s: StreamRecord): number =>
  s.packets + s.lost <= 0 ? 0 : (100 * Math.max(0, s.lost)) / (s.packets + Math.max(0, s.lost))
/** Milliseconds that stand for the buckets d50 … d300 in delay_sum. */
const DELAY_WEIGHTS = [60, 80, 105, 135, 175, 250, 300]
const delaySum = (s: StreamRecord): number => s.delays.reduce((sum, count, i) => sum + count * (DELAY_WEIGHTS[i] as number), 0)
const delayCount = (s: StreamRecord): number => s.delays.reduce((sum, count) => sum + count, 0)
const overBoth = (r: Row, value: (s: StreamRecord) => number): number | undefined =>
  both(r).length === 0 ? undefined : both(r).reduce((sum, s) => sum + value(s), 0)
const average = (sum: number | undefined, count: number | undefined): number | undefined =>
  sum === undefined || count === undefined ? undefined : count === 0 ? 0 : sum / count

/** The same columns for the caller's stream (a_) and the callee's (b_). */
const sides = (make: (side: Side, of: (r: Row) => StreamRecord | undefined) => readonly ColumnRow<Row>[]): ColumnRow<Row>[] => [
  ...make('a', (r) => stream(r, 'a')),
  ...make('b', (r) => stream(r, 'b')),
]
const whose = (side: Side): string => (side === 'a' ? "caller's" : "callee's")

const DELAYS = ['d50', 'd70', 'd90', 'd120', 'd150', 'd200', 'd300']
const dscpBits = (value: number | undefined): number => (value ?? 0) & 0x3f

const rows: readonly ColumnRow<Row>[] = [
  ['calldate', 'datetime(3)', 'first INVITE', (r) => dateTime(r.started)],
  ['callend', 'datetime(3)', 'calldate + duration', (r) => dateTime(end(r))],
  ['duration', 'decimal(9,3)', 's, first packet to the 2xx of the BYE, else to the last packet', (r) => secondsBetween(r.started, end(r))],
  [
    'connect_duration',
    'decimal(9,3)',
    's, from the first 2xx; NULL when never connected',
    (r) => secondsBetween(r.answered, r.answered && end(r)),
  ],
  ['progress_time', 'decimal(9,3)', 's, PDD: first 18x, else the first 2xx', (r) => secondsBetween(r.started, r.ringing ?? r.answered)],
  ['first_rtp_time', 'decimal(9,3)', 's to the first RTP packet', (r) => secondsBetween(r.started, r.firstRtp)],
  ['post_bye_delay', 'decimal(9,3)', 's from BYE to its 2xx', (r) => secondsBetween(r.bye, r.byeConfirmed)],
  ['caller', 'varchar(255)', 'user part of From', (r) => text(r.caller)],
  ['caller_domain', 'varchar(255)', 'host part of From', (r) => text(r.callerDomain)],
  ['caller_reverse', 'varchar(255)', 'caller backwards, for searching by its end', (r) => reversed(r.caller)],
  ['callername', 'varchar(255)', 'display name of From', (r) => text(r.callerName)],
  ['callername_reverse', 'varchar(255)', 'backwards', (r) => reversed(r.callerName)],
  ['called', 'varchar(255)', 'user part of To', (r) => text(r.callee)],
  ['called_domain', 'varchar(255)', 'host part of To', (r) => text(r.calleeDomain)],
  ['called_reverse', 'varchar(255)', 'backwards', (r) => reversed(r.callee)],
  ['sipcallerip', 'int(10) unsigned', 'source of the first INVITE', (r) => ip(r.callerAddr.ip)],
  ['sipcallerport', 'smallint(5) unsigned', '', (r) => r.callerAddr.port],
  ['sipcalledip', 'int(10) unsigned', "destination of the last hop's INVITE", (r) => ip(r.lastHopAddr.ip)],
  ['sipcalledport', 'smallint(5) unsigned', '', (r) => r.lastHopAddr.port],
  ['whohanged', "enum('caller','callee')", 'who sent the BYE', (r) => r.hungUpBy ?? null],
  [
    'bye',
    'tinyint(3) unsigned',
    'how it ended: 0 not answered, 1 no BYE, 2 BYE unconfirmed, 3 regular, 100–110 see the timeouts',
    (r) => r.byeCode,
  ],
  [
    'lastSIPresponse_id',
    'mediumint(8) unsigned',
    'final response, in cdr_sip_response',
    (r) => book('cdr_sip_response', r.status === undefined ? '' : `${r.status} ${r.statusText ?? ''}`.trim()),
  ],
  ['lastSIPresponseNum', 'smallint(5) unsigned', 'final response code; 0 without one', (r) => r.status ?? 0],
  ['reason_sip_cause', 'smallint(5) unsigned', 'Reason: SIP', (r) => smallint(reason(r, 'SIP')?.cause)],
  ['reason_sip_text_id', 'mediumint(8) unsigned', 'in cdr_reason', (r) => book('cdr_reason', reason(r, 'SIP')?.text, 1)],
  ['reason_q850_cause', 'smallint(5) unsigned', 'Reason: Q.850', (r) => smallint(reason(r, 'Q.850')?.cause)],
  ['reason_q850_text_id', 'mediumint(8) unsigned', 'in cdr_reason', (r) => book('cdr_reason', reason(r, 'Q.850')?.text, 2)],
  ['sighup', 'tinyint(4)', '1 when written because the input or the program ended', (r) => (r.forced ? 1 : 0)],
  [
    'dscp',
    'int(10) unsigned',
    'a_sip<<24 | b_sip<<16 | a_rtp<<8 | b_rtp',
    (r) => r.dscp.reduce<number>((bits, value) => bits * 256 + dscpBits(value), 0),
  ],
  ...sides((side) => [
    [`${side}_index`, 'tinyint(4)', `${whose(side)} stream, index among the call's`, (r) => tinyint(side === 'a' ? r.aStream : r.bStream)],
  ]),
  ...sides((side, of) => [[`${side}_payload`, 'int(11)', 'codec number', (r) => of(r)?.codecId ?? null]]),
  ...sides((side, of) => [[`${side}_saddr`, 'int(10) unsigned', 'source address', (r) => ip(of(r)?.src.ip)]]),
  ...sides((side, of) => [
    [`${side}_received`, 'mediumint(8) unsigned', 'RTP packets', (r) => mediumint(of(r)?.packets)],
    [`${side}_lost`, 'mediumint(8) unsigned', 'by sequence numbers', (r) => mediumint(of(r)?.lost)],
    [`${side}_reordered`, 'mediumint(8) unsigned', 'late packets', (r) => mediumint(of(r)?.reordered)],
    [`${side}_ua_id`, 'int(10) unsigned', 'User-Agent, in cdr_ua', (r) => book('cdr_ua', side === 'a' ? r.callerAgent : r.calleeAgent)],
    [`${side}_avgjitter_mult10`, 'mediumint(8) unsigned', 'mean jitter, ms × 10', (r) => ceilTimes(of(r)?.jitterMeanMs, 10, mediumint)],
    [`${side}_maxjitter`, 'smallint(5) unsigned', 'largest jitter, ms', (r) => ceilTimes(of(r)?.jitterMaxMs, 1, smallint)],
    ...Array.from(
      { length: 10 },
      (_, i): ColumnRow<Row> => [
        `${side}_sl${i + 1}`,
        'mediumint(8) unsigned',
        i < 9 ? `runs of ${i + 1} missing packets at arrival` : 'runs of 10 and more',
        (r) => mediumint(of(r)?.lossRuns[i]),
      ],
    ),
    ...DELAYS.map(
      (name, i): ColumnRow<Row> => [
        `${side}_${name}`,
        'mediumint(8) unsigned',
        'packets that deviated this many ms',
        (r) => mediumint(of(r)?.delays[i]),
      ],
    ),
    [`${side}_mos_lqo_mult10`, 'tinyint(3) unsigned'],
    ...['f1', 'f2', 'adapt', 'xr', 'silence'].flatMap((kind): ColumnRow<Row>[] => [
      [`${side}_mos_${kind}_mult10`, 'tinyint(3) unsigned'],
      [`${side}_mos_${kind}_min_mult10`, 'tinyint(3) unsigned'],
    ]),
    [`${side}_rtcp_loss`, 'mediumint(9)'],
    [`${side}_rtcp_maxfr`, 'smallint(5) unsigned'],
    [`${side}_rtcp_avgfr_mult10`, 'smallint(5) unsigned'],
    [`${side}_rtcp_maxjitter`, 'smallint(5) unsigned'],
    [`${side}_rtcp_avgjitter_mult10`, 'smallint(5) unsigned'],
    [`${side}_rtcp_avgrtd_mult10`, 'smallint(5) unsigned'],
    [`${side}_rtcp_maxrtd_mult10`, 'smallint(5) unsigned'],
    [
      `${side}_last_rtp_from_end`,
      'decimal(9,3)',
      's, end of the call less the last RTP packet',
      (r) => secondsBetween(of(r)?.last, end(r)),
    ],
    [`${side}_rtcp_fraclost_pktcount`, 'int(10) unsigned'],
    [`${side}_rtp_ptime`, 'tinyint(3) unsigned', 'packetization seen, ms', (r) => tinyint(of(r)?.ptimeMs)],
    [`${side}_mos_min_mult10`, 'tinyint(3) unsigned', 'MOS-LQ of the stream × 10', (r) => times(of(r)?.mos, 10, tinyint)],
    [`${side}_packet_loss_perc_mult1000`, 'mediumint(8) unsigned', '% × 1000', (r) => times(mapped(of(r), lossShare), 1000, mediumint)],
    [`${side}_delay_sum`, 'mediumint(8) unsigned', 'sum of weighted deviations, ms', (r) => mediumint(mapped(of(r), delaySum))],
    [
      `${side}_delay_avg_mult100`,
      'mediumint(8) unsigned',
      'their mean × 100',
      (r) => times(average(mapped(of(r), delaySum), mapped(of(r), delayCount)), 100, mediumint),
    ],
    [`${side}_delay_cnt`, 'mediumint(8) unsigned', 'their number', (r) => mediumint(mapped(of(r), delayCount))],
    [`${side}_ttl_min`, 'tinyint(3) unsigned', 'TTL of its packets', (r) => tinyint(of(r)?.ttl?.min)],
    [`${side}_ttl_max`, 'tinyint(3) unsigned', '', (r) => tinyint(of(r)?.ttl?.max)],
    [`${side}_ttl_avg_mult10`, 'smallint(5) unsigned', '', (r) => times(of(r)?.ttl?.mean, 10, smallint)],
  ]),
  ['payload', 'int(11)', "codec number, caller's else callee's", (r) => both(r)[0]?.codecId ?? null],
  [
    'jitter_mult10',
    'mediumint(8) unsigned',
    'worse mean jitter, ms × 10',
    (r) =>
      ceilTimes(
        worst(r, (s) => s.jitterMeanMs, Math.max),
        10,
        mediumint,
      ),
  ],
  [
    'mos_min_mult10',
    'tinyint(3) unsigned',
    'worse MOS-LQ × 10',
    (r) =>
      times(
        worst(r, (s) => s.mos, Math.min),
        10,
        tinyint,
      ),
  ],
  [
    'packet_loss_perc_mult1000',
    'mediumint(8) unsigned',
    'worse loss, % × 1000',
    (r) => times(worst(r, lossShare, Math.max), 1000, mediumint),
  ],
  ['delay_sum', 'mediumint(8) unsigned', 'both directions', (r) => mediumint(overBoth(r, delaySum))],
  ['delay_avg_mult100', 'mediumint(8) unsigned', '', (r) => times(average(overBoth(r, delaySum), overBoth(r, delayCount)), 100, mediumint)],
  ['delay_cnt', 'mediumint(8) unsigned', '', (r) => mediumint(overBoth(r, delayCount))],
  ['rtcp_avgfr_mult10', 'smallint(5) unsigned'],
  ['rtcp_avgjitter_mult10', 'smallint(5) unsigned'],
  ['lost', 'mediumint(8) unsigned', 'more lost of the two directions', (r) => mediumint(worst(r, (s) => s.lost, Math.max))],
  ['caller_clipping_div3', 'smallint(5) unsigned'],
  ['called_clipping_div3', 'smallint(5) unsigned'],
  ['caller_silence', 'tinyint(3) unsigned'],
  ['called_silence', 'tinyint(3) unsigned'],
  ['caller_silence_end', 'smallint(5) unsigned'],
  ['called_silence_end', 'smallint(5) unsigned'],
  ['response_time_100', 'smallint(5) unsigned', 'ms to the first 100', (r) => times(secondsBetween(r.started, r.trying), 1000, smallint)],
  [
    'response_time_xxx',
    'smallint(5) unsigned',
    'ms to the first other response',
    (r) => times(secondsBetween(r.started, r.firstResponse), 1000, smallint),
  ],
  [
    'max_retransmission_invite',
    'tinyint(3) unsigned',
    'repeats of one INVITE; NULL when none',
    (r) => (r.inviteRetransmissions === 0 ? null : tinyint(r.inviteRetransmissions)),
  ],
  ['ttl_min', 'tinyint(3) unsigned', 'TTL of SIP packets', (r) => tinyint(r.ttl?.min)],
  ['ttl_max', 'tinyint(3) unsigned', '', (r) => tinyint(r.ttl?.max)],
  ['ttl_avg_mult10', 'smallint(5) unsigned', '', (r) => times(r.ttl?.mean, 10, smallint)],
  [
    'flags',
    'bigint(20) unsigned',
    'bits: 2 BYE unconfirmed, 4 SRTP, 8/9 events offered, 10/11 fragments, 12–14 media, 17 RTCP, 31 TCP, 32 UDP …',
    (r) => r.flags,
  ],
  ['vlan', 'smallint(6)', '', (r) => r.vlan ?? null],
  ['id_sensor', 'smallint(5) unsigned', '', (r) => r.sensorId ?? null],
  ['price_operator_mult1000000', 'bigint(20) unsigned'],
  ['price_operator_currency_id', 'tinyint(3) unsigned'],
  ['price_customer_mult1000000', 'bigint(20) unsigned'],
  ['price_customer_currency_id', 'tinyint(3) unsigned'],
]

function mapped<T>(value: StreamRecord | undefined, of: (s: StreamRecord) => T): T | undefined {
  return value === undefined ? undefined : of(value)
}

export const cdrTable: Table<CallRecord, Row> = {
  name: 'cdr',
  help: 'One row a call.',
  owner: 'voipmonitor',
  rows: (record) => [record],
  columns: columns(rows),
  indexes: [['caller'], ['called'], ['caller_reverse'], ['called_reverse'], ['sipcallerip'], ['sipcalledip']],
}
