import type { Micros } from '../base/units.js'
import type { CallReason, CallRecord, StreamRecord } from '../call/record.js'
import type { BookValue } from './books.js'
import { type ColumnRow, columns, type Table } from './table.js'
import { ceilTimes, dateTime, ip, mediumint, reversed, secondsApart, secondsBetween, smallint, text, times, tinyint } from './values.js'

/** VoIPmonitor's table `cdr`: one row a call, its names, types and units. */
interface Row {
  readonly r: CallRecord
  /** The streams that speak for the caller and for the callee. */
  readonly a: StreamRecord | undefined
  readonly b: StreamRecord | undefined
  readonly both: readonly StreamRecord[]
  /** End as VoIPmonitor counts it: the 2xx to BYE, else the last packet. */
  readonly end: Micros
}
type Side = 'a' | 'b'

function rowOf(r: CallRecord): Row {
  const a = r.aStream === undefined ? undefined : r.streams[r.aStream]
  const b = r.bStream === undefined ? undefined : r.streams[r.bStream]
  return {
    r,
    a,
    b,
    both: a === undefined ? (b === undefined ? [] : [b]) : b === undefined ? [a] : [a, b],
    end: r.byeConfirmed ?? r.lastPacket,
  }
}

const reason = (r: CallRecord, protocol: string): CallReason | undefined => r.reasons.find((x) => x.protocol.toUpperCase() === protocol)
const book = (name: BookValue['book'], value: string | undefined, type?: number): BookValue | null =>
  value === undefined ? null : { book: name, text: value.slice(0, name === 'cdr_ua' ? 512 : 255), ...(type === undefined ? {} : { type }) }

/** The worse of the directions that were measured. */
function worst({ both }: Row, value: (s: StreamRecord) => number | undefined, pick: (a: number, b: number) => number): number | undefined {
  const [first, second] = both
  const x = first && value(first)
  const y = second && value(second)
  return x === undefined ? y : y === undefined ? x : pick(x, y)
}

/** VoIPmonitor's loss: lost of received and lost. */
const lossShare = (s: StreamRecord): number =>
  s.packets + s.lost <= 0 ? 0 : (100 * Math.max(0, s.lost)) / (s.packets + Math.max(0, s.lost))
/** Milliseconds that stand for the buckets d50 … d300 in delay_sum. */
const DELAY_WEIGHTS = [60, 80, 105, 135, 175, 250, 300]
const delaySum = (s: StreamRecord): number => s.delays.reduce((sum, count, i) => sum + count * (DELAY_WEIGHTS[i] as number), 0)
const delayCount = (s: StreamRecord): number => s.delays.reduce((sum, count) => sum + count, 0)
const overBoth = ({ both }: Row, value: (s: StreamRecord) => number): number | undefined =>
  both.length === 0 ? undefined : both.reduce((sum, s) => sum + value(s), 0)
const average = (sum: number | undefined, count: number | undefined): number | undefined =>
  sum === undefined || count === undefined ? undefined : count === 0 ? 0 : sum / count

/** The same columns for the caller's stream (a_) and the callee's (b_). */
const sides = (make: (side: Side, of: (row: Row) => StreamRecord | undefined) => readonly ColumnRow<Row>[]): ColumnRow<Row>[] => [
  ...make('a', ({ a }) => a),
  ...make('b', ({ b }) => b),
]
const whose = (side: Side): string => (side === 'a' ? "caller's" : "callee's")

const DELAYS = ['d50', 'd70', 'd90', 'd120', 'd150', 'd200', 'd300']
const dscpBits = (value: number | undefined): number => (value ?? 0) & 0x3f

/** Why a column stays NULL. */
const NEEDS = {
  jitterBuffer: 'needs a jitter buffer played through; our MOS is in mos_min_mult10',
  rtcp: 'needs the contents of RTCP reports; we count them only (flags, bit 17)',
  audio: 'needs the audio decoded',
  billing: 'left to who rates calls: a row that is written anew keeps it',
}
const mosNeeds = (kind: string): string => (kind === 'xr' ? NEEDS.rtcp : kind === 'silence' ? NEEDS.audio : NEEDS.jitterBuffer)

const rows: readonly ColumnRow<Row>[] = [
  ['calldate', 'datetime(3)', 'first INVITE', ({ r }) => dateTime(r.started)],
  ['callend', 'datetime(3)', 'calldate + duration', ({ end }) => dateTime(end)],
  [
    'duration',
    'decimal(9,3)',
    's, first packet to the 2xx of the BYE, else to the last packet',
    ({ r, end }) => secondsBetween(r.started, end),
  ],
  [
    'connect_duration',
    'decimal(9,3)',
    's, from the first 2xx; NULL when never connected',
    ({ r, end }) => secondsBetween(r.answered, r.answered && end),
  ],
  ['progress_time', 'decimal(9,3)', 's, PDD: first 18x, else the first 2xx', ({ r }) => secondsBetween(r.started, r.ringing ?? r.answered)],
  ['first_rtp_time', 'decimal(9,3)', 's to the first RTP packet', ({ r }) => secondsBetween(r.started, r.firstRtp)],
  ['post_bye_delay', 'decimal(9,3)', 's from BYE to its 2xx', ({ r }) => secondsBetween(r.bye, r.byeConfirmed)],
  ['caller', 'varchar(255)', 'user part of From', ({ r }) => text(r.caller)],
  ['caller_domain', 'varchar(255)', 'host part of From', ({ r }) => text(r.callerDomain)],
  ['caller_reverse', 'varchar(255)', 'caller backwards, for searching by its end', ({ r }) => reversed(r.caller)],
  ['callername', 'varchar(255)', 'display name of From', ({ r }) => text(r.callerName)],
  ['callername_reverse', 'varchar(255)', 'backwards', ({ r }) => reversed(r.callerName)],
  ['called', 'varchar(255)', 'user part of To', ({ r }) => text(r.callee)],
  ['called_domain', 'varchar(255)', 'host part of To', ({ r }) => text(r.calleeDomain)],
  ['called_reverse', 'varchar(255)', 'backwards', ({ r }) => reversed(r.callee)],
  ['sipcallerip', 'int(10) unsigned', 'source of the first INVITE', ({ r }) => ip(r.callerAddr.ip)],
  ['sipcallerport', 'smallint(5) unsigned', '', ({ r }) => r.callerAddr.port],
  ['sipcalledip', 'int(10) unsigned', "destination of the last hop's INVITE", ({ r }) => ip(r.lastHopAddr.ip)],
  ['sipcalledport', 'smallint(5) unsigned', '', ({ r }) => r.lastHopAddr.port],
  ['whohanged', "enum('caller','callee')", 'who sent the BYE', ({ r }) => r.hungUpBy ?? null],
  [
    'bye',
    'tinyint(3) unsigned',
    'how it ended: 0 not answered, 1 no BYE, 2 BYE unconfirmed, 3 regular, 100–110 see the timeouts',
    ({ r }) => r.byeCode,
  ],
  [
    'lastSIPresponse_id',
    'mediumint(8) unsigned',
    'final response, in cdr_sip_response',
    ({ r }) => book('cdr_sip_response', r.status === undefined ? '' : `${r.status} ${r.statusText ?? ''}`.trim()),
  ],
  ['lastSIPresponseNum', 'smallint(5) unsigned', 'final response code; 0 without one', ({ r }) => r.status ?? 0],
  ['reason_sip_cause', 'smallint(5) unsigned', 'Reason: SIP', ({ r }) => smallint(reason(r, 'SIP')?.cause)],
  ['reason_sip_text_id', 'mediumint(8) unsigned', 'in cdr_reason', ({ r }) => book('cdr_reason', reason(r, 'SIP')?.text, 1)],
  ['reason_q850_cause', 'smallint(5) unsigned', 'Reason: Q.850', ({ r }) => smallint(reason(r, 'Q.850')?.cause)],
  ['reason_q850_text_id', 'mediumint(8) unsigned', 'in cdr_reason', ({ r }) => book('cdr_reason', reason(r, 'Q.850')?.text, 2)],
  ['sighup', 'tinyint(4)', '1 when written because the input or the program ended', ({ r }) => (r.forced ? 1 : 0)],
  [
    'dscp',
    'int(10) unsigned',
    'a_sip<<24 | b_sip<<16 | a_rtp<<8 | b_rtp',
    ({ r }) => r.dscp.reduce<number>((bits, value) => bits * 256 + dscpBits(value), 0),
  ],
  ...sides((side) => [
    [
      `${side}_index`,
      'tinyint(4)',
      `${whose(side)} stream, index among the call's`,
      ({ r }) => tinyint(side === 'a' ? r.aStream : r.bStream),
    ],
  ]),
  ...sides((side, of) => [[`${side}_payload`, 'int(11)', 'codec number', (row) => of(row)?.codecId ?? null]]),
  ...sides((side, of) => [[`${side}_saddr`, 'int(10) unsigned', 'source address', (row) => ip(of(row)?.src.ip)]]),
  ...sides((side, of) => [
    [`${side}_received`, 'mediumint(8) unsigned', 'RTP packets', (row) => mediumint(of(row)?.packets)],
    [`${side}_lost`, 'mediumint(8) unsigned', 'by sequence numbers', (row) => mediumint(of(row)?.lost)],
    [`${side}_reordered`, 'mediumint(8) unsigned', 'late packets', (row) => mediumint(of(row)?.reordered)],
    [`${side}_ua_id`, 'int(10) unsigned', 'User-Agent, in cdr_ua', ({ r }) => book('cdr_ua', side === 'a' ? r.callerAgent : r.calleeAgent)],
    [`${side}_avgjitter_mult10`, 'mediumint(8) unsigned', 'mean jitter, ms × 10', (row) => ceilTimes(of(row)?.jitterMeanMs, 10, mediumint)],
    [`${side}_maxjitter`, 'smallint(5) unsigned', 'largest jitter, ms', (row) => ceilTimes(of(row)?.jitterMaxMs, 1, smallint)],
    ...Array.from(
      { length: 10 },
      (_, i): ColumnRow<Row> => [
        `${side}_sl${i + 1}`,
        'mediumint(8) unsigned',
        i < 9 ? `runs of ${i + 1} missing packets at arrival` : 'runs of 10 and more',
        (row) => mediumint(of(row)?.lossRuns[i]),
      ],
    ),
    ...DELAYS.map(
      (name, i): ColumnRow<Row> => [
        `${side}_${name}`,
        'mediumint(8) unsigned',
        'packets that deviated this many ms',
        (row) => mediumint(of(row)?.delays[i]),
      ],
    ),
    [`${side}_mos_lqo_mult10`, 'tinyint(3) unsigned', NEEDS.audio],
    ...['f1', 'f2', 'adapt', 'xr', 'silence'].flatMap((kind): ColumnRow<Row>[] => [
      [`${side}_mos_${kind}_mult10`, 'tinyint(3) unsigned', mosNeeds(kind)],
      [`${side}_mos_${kind}_min_mult10`, 'tinyint(3) unsigned', mosNeeds(kind)],
    ]),
    [`${side}_rtcp_loss`, 'mediumint(9)', NEEDS.rtcp],
    [`${side}_rtcp_maxfr`, 'smallint(5) unsigned', NEEDS.rtcp],
    [`${side}_rtcp_avgfr_mult10`, 'smallint(5) unsigned', NEEDS.rtcp],
    [`${side}_rtcp_maxjitter`, 'smallint(5) unsigned', NEEDS.rtcp],
    [`${side}_rtcp_avgjitter_mult10`, 'smallint(5) unsigned', NEEDS.rtcp],
    [`${side}_rtcp_avgrtd_mult10`, 'smallint(5) unsigned', NEEDS.rtcp],
    [`${side}_rtcp_maxrtd_mult10`, 'smallint(5) unsigned', NEEDS.rtcp],
    [
      `${side}_last_rtp_from_end`,
      'decimal(9,3)',
      's, end of the call less the last RTP packet',
      (row) => secondsApart(of(row)?.last, row.end),
    ],
    [`${side}_rtcp_fraclost_pktcount`, 'int(10) unsigned', NEEDS.rtcp],
    [`${side}_rtp_ptime`, 'tinyint(3) unsigned', 'packetization seen, ms', (row) => tinyint(of(row)?.ptimeMs)],
    [`${side}_mos_min_mult10`, 'tinyint(3) unsigned', 'MOS-LQ of the stream × 10', (row) => times(of(row)?.mos, 10, tinyint)],
    [`${side}_packet_loss_perc_mult1000`, 'mediumint(8) unsigned', '% × 1000', (row) => times(mapped(of(row), lossShare), 1000, mediumint)],
    [`${side}_delay_sum`, 'mediumint(8) unsigned', 'sum of weighted deviations, ms', (row) => mediumint(mapped(of(row), delaySum))],
    [
      `${side}_delay_avg_mult100`,
      'mediumint(8) unsigned',
      'their mean × 100',
      (row) => times(average(mapped(of(row), delaySum), mapped(of(row), delayCount)), 100, mediumint),
    ],
    [`${side}_delay_cnt`, 'mediumint(8) unsigned', 'their number', (row) => mediumint(mapped(of(row), delayCount))],
    [`${side}_ttl_min`, 'tinyint(3) unsigned', 'TTL of its packets', (row) => tinyint(of(row)?.ttl?.min)],
    [`${side}_ttl_max`, 'tinyint(3) unsigned', '', (row) => tinyint(of(row)?.ttl?.max)],
    [`${side}_ttl_avg_mult10`, 'smallint(5) unsigned', '', (row) => times(of(row)?.ttl?.mean, 10, smallint)],
  ]),
  ['payload', 'int(11)', "codec number, caller's else callee's", (row) => row.both[0]?.codecId ?? null],
  [
    'jitter_mult10',
    'mediumint(8) unsigned',
    'worse mean jitter, ms × 10',
    (row) =>
      ceilTimes(
        worst(row, (s) => s.jitterMeanMs, Math.max),
        10,
        mediumint,
      ),
  ],
  [
    'mos_min_mult10',
    'tinyint(3) unsigned',
    'worse MOS-LQ × 10',
    (row) =>
      times(
        worst(row, (s) => s.mos, Math.min),
        10,
        tinyint,
      ),
  ],
  [
    'packet_loss_perc_mult1000',
    'mediumint(8) unsigned',
    'worse loss, % × 1000',
    (row) => times(worst(row, lossShare, Math.max), 1000, mediumint),
  ],
  ['delay_sum', 'mediumint(8) unsigned', 'both directions', (row) => mediumint(overBoth(row, delaySum))],
  [
    'delay_avg_mult100',
    'mediumint(8) unsigned',
    '',
    (row) => times(average(overBoth(row, delaySum), overBoth(row, delayCount)), 100, mediumint),
  ],
  ['delay_cnt', 'mediumint(8) unsigned', '', (row) => mediumint(overBoth(row, delayCount))],
  ['rtcp_avgfr_mult10', 'smallint(5) unsigned', NEEDS.rtcp],
  ['rtcp_avgjitter_mult10', 'smallint(5) unsigned', NEEDS.rtcp],
  ['lost', 'mediumint(8) unsigned', 'more lost of the two directions', (row) => mediumint(worst(row, (s) => s.lost, Math.max))],
  ['caller_clipping_div3', 'smallint(5) unsigned', NEEDS.audio],
  ['called_clipping_div3', 'smallint(5) unsigned', NEEDS.audio],
  ['caller_silence', 'tinyint(3) unsigned', NEEDS.audio],
  ['called_silence', 'tinyint(3) unsigned', NEEDS.audio],
  ['caller_silence_end', 'smallint(5) unsigned', NEEDS.audio],
  ['called_silence_end', 'smallint(5) unsigned', NEEDS.audio],
  [
    'response_time_100',
    'smallint(5) unsigned',
    'ms to the first 100',
    ({ r }) => times(secondsBetween(r.started, r.trying), 1000, smallint),
  ],
  [
    'response_time_xxx',
    'smallint(5) unsigned',
    'ms to the first other response',
    ({ r }) => times(secondsBetween(r.started, r.firstResponse), 1000, smallint),
  ],
  [
    'max_retransmission_invite',
    'tinyint(3) unsigned',
    'repeats of one INVITE; NULL when none',
    ({ r }) => (r.inviteRetransmissions === 0 ? null : tinyint(r.inviteRetransmissions)),
  ],
  ['ttl_min', 'tinyint(3) unsigned', 'TTL of SIP packets', ({ r }) => tinyint(r.ttl?.min)],
  ['ttl_max', 'tinyint(3) unsigned', '', ({ r }) => tinyint(r.ttl?.max)],
  ['ttl_avg_mult10', 'smallint(5) unsigned', '', ({ r }) => times(r.ttl?.mean, 10, smallint)],
  [
    'flags',
    'bigint(20) unsigned',
    'bits: 2 BYE unconfirmed, 4 SRTP, 8/9 events offered, 10/11 fragments, 12–14 media, 17 RTCP, 31 TCP, 32 UDP …',
    ({ r }) => r.flags,
  ],
  ['vlan', 'smallint(6)', '', ({ r }) => r.vlan ?? null],
  ['id_sensor', 'smallint(5) unsigned', '', ({ r }) => r.sensorId ?? null],
  ['price_operator_mult1000000', 'bigint(20) unsigned', NEEDS.billing],
  ['price_operator_currency_id', 'tinyint(3) unsigned', NEEDS.billing],
  ['price_customer_mult1000000', 'bigint(20) unsigned', NEEDS.billing],
  ['price_customer_currency_id', 'tinyint(3) unsigned', NEEDS.billing],
]

function mapped<T>(value: StreamRecord | undefined, of: (s: StreamRecord) => T): T | undefined {
  return value === undefined ? undefined : of(value)
}

export const cdrTable: Table<CallRecord, Row> = {
  name: 'cdr',
  help: 'One row a call.',
  owner: 'voipmonitor',
  holds: 'call',
  rows: (record) => [rowOf(record)],
  columns: columns(rows),
  indexes: [['caller'], ['called'], ['caller_reverse'], ['called_reverse'], ['sipcallerip'], ['sipcalledip']],
  theirIndexes: [
    'a_avgjitter_mult10',
    'a_lost',
    'a_maxjitter',
    'a_rtcp_avgjitter_mult10',
    'a_rtcp_loss',
    'a_rtcp_maxfr',
    'a_rtcp_maxjitter',
    'a_rtcp_maxrtd_mult10',
    'a_saddr',
    'a_ua_id',
    'bye',
    'b_avgjitter_mult10',
    'b_lost',
    'b_maxjitter',
    'b_rtcp_avgjitter_mult10',
    'b_rtcp_loss',
    'b_rtcp_maxfr',
    'b_rtcp_maxjitter',
    'b_rtcp_maxrtd_mult10',
    'b_saddr',
    'b_ua_id',
    'calldate',
    'callend',
    'callername',
    'callername_reverse',
    'destination:called',
    'destination_reverse:called_reverse',
    'duration',
    'id_sensor',
    'lastSIPresponseNum',
    'lastSIPresponse_id',
    'payload',
    'reason_q850_text_id',
    'reason_sip_text_id',
    'sipcalledip',
    'sipcallerip',
    'source:caller',
    'source_reverse:caller_reverse',
    'vlan',
  ],
}
