import type { Micros } from '../base/units.js'
import { type CallFigures, callFigures, hostText } from '../call/json.js'
import { problemBits, problemNames, problems, problemsOf } from '../call/problems.js'
import type { CallRecord, DtmfRecord, SdpAddress, StreamRecord } from '../call/record.js'
import { columns, type Table } from './table.js'
import { ip, mediumint, secondsBetween, smallint, text, times, tinyint } from './values.js'

/** The tables beside `cdr`: VoIPmonitor's children of it, and ours for what only we compute. */
export interface Of<T> {
  readonly call: CallRecord
  readonly item: T
  readonly index: number
}

const each = <T>(call: CallRecord, items: readonly T[]): Of<T>[] => items.map((item, index) => ({ call, item, index }))

/** cdr_rtp.flags: 1 shared, 2 speaks for a direction, 4 caller's side, 8 callee's, 16 SRTP, 64 codec changed. */
const streamFlags = ({ call, item, index }: Of<StreamRecord>): number =>
  (item.shared ? 1 : 0) |
  (index === call.aStream || index === call.bStream ? 2 : 0) |
  (item.direction === 'a' ? 4 : 8) |
  (item.srtp ? 16 : 0) |
  (item.codecChanged ? 64 : 0)

const cdrNext: Table<CallRecord, { call: CallRecord }> = {
  name: 'cdr_next',
  help: 'More of a call: the Call-ID, the digest user.',
  owner: 'voipmonitor',
  holds: 'call',
  theirIndexes: ['digest_username', 'fbasename', 'match_header'],
  rows: (call) => [{ call }],
  columns: columns<{ call: CallRecord }>([
    ['custom_header1', 'varchar(255)'],
    ['fbasename', 'varchar(255)', 'Call-ID', ({ call }) => text(call.callId)],
    ['digest_username', 'varchar(255)', '', ({ call }) => text(call.digestUser)],
    ['match_header', 'varchar(128)'],
    ['GeoPosition', 'varchar(255)'],
    ['hold', 'varchar(1024)'],
    ['spool_index', 'tinyint(3) unsigned'],
  ]),
}

const cdrRtp: Table<CallRecord, Of<StreamRecord>> = {
  name: 'cdr_rtp',
  help: 'One row an RTP stream.',
  owner: 'voipmonitor',
  holds: 'several',
  theirIndexes: ['calldate', 'cdr_ID'],
  rows: (call) => each(call, call.streams),
  columns: columns<Of<StreamRecord>>([
    ['saddr', 'int(10) unsigned', 'source', ({ item }) => ip(item.src.ip)],
    ['sport', 'smallint(5) unsigned', '', ({ item }) => item.src.port],
    ['daddr', 'int(10) unsigned', 'destination', ({ item }) => ip(item.dst.ip)],
    ['dport', 'smallint(5) unsigned', '', ({ item }) => item.dst.port],
    ['ssrc', 'int(10) unsigned', '', ({ item }) => item.ssrc],
    ['received', 'mediumint(8) unsigned', '', ({ item }) => mediumint(item.packets)],
    ['loss', 'mediumint(8) unsigned', '', ({ item }) => mediumint(item.lost)],
    ['firsttime', 'decimal(9,3)', 's after the start of the call', ({ call, item }) => secondsBetween(call.started, item.first)],
    ['payload', 'smallint(5) unsigned', 'codec number', ({ item }) => smallint(item.codecId)],
    ['maxjitter_mult10', 'smallint(5) unsigned', 'ms × 10', ({ item }) => times(item.jitterMaxMs, 10, smallint)],
    ['index', 'tinyint(3) unsigned', 'from 1', ({ index }) => tinyint(index + 1)],
    ['sdp_ptime', 'tinyint(3) unsigned', 'ms', ({ item }) => tinyint(item.sdpPtimeMs)],
    ['rtp_ptime', 'tinyint(3) unsigned', 'ms', ({ item }) => tinyint(item.ptimeMs)],
    ['flags', 'bigint(20) unsigned', '1 shared, 2 speaks for its direction, 4 caller, 8 callee, 16 SRTP, 64 codec changed', streamFlags],
    ['duration', 'decimal(9,3)', 's', ({ item }) => secondsBetween(item.first, item.last)],
    ['ttl_min', 'tinyint(3) unsigned', '', ({ item }) => tinyint(item.ttl?.min)],
    ['ttl_max', 'tinyint(3) unsigned', '', ({ item }) => tinyint(item.ttl?.max)],
    ['ttl_avg_mult10', 'smallint(5) unsigned', '', ({ item }) => times(item.ttl?.mean, 10, smallint)],
  ]),
}

const cdrDtmf: Table<CallRecord, Of<DtmfRecord>> = {
  name: 'cdr_dtmf',
  help: 'One row a DTMF digit.',
  owner: 'voipmonitor',
  holds: 'several',
  theirIndexes: ['calldate', 'cdr_ID'],
  rows: (call) => each(call, call.dtmf),
  columns: columns<Of<DtmfRecord>>([
    ['daddr', 'int(10) unsigned', '', ({ item }) => ip(item.dst)],
    ['saddr', 'int(10) unsigned', '', ({ item }) => ip(item.src)],
    ['firsttime', 'decimal(9,3)', 's after the start of the call', ({ call, item }) => secondsBetween(call.started, item.time)],
    ['dtmf', 'char(1)', '', ({ item }) => item.digit],
    ['type', 'tinyint(3) unsigned', '0 SIP INFO, 2 RFC 4733', ({ item }) => (item.type === 'info' ? 0 : 2)],
  ]),
}

const cdrSipresp: Table<CallRecord, Of<CallRecord['responses'][number]>> = {
  name: 'cdr_sipresp',
  help: 'Distinct responses of a call, in order of first occurrence.',
  owner: 'voipmonitor',
  holds: 'several',
  theirIndexes: ['calldate', 'cdr_ID'],
  rows: (call) => each(call, call.responses),
  columns: columns<Of<CallRecord['responses'][number]>>([
    [
      'SIPresponse_id',
      'mediumint(8) unsigned',
      'in cdr_sip_response',
      ({ item }) => ({ book: 'cdr_sip_response', text: `${item.status} ${item.text}`.trim().slice(0, 255) }),
    ],
    ['SIPresponseNum', 'smallint(5) unsigned', '', ({ item }) => item.status],
  ]),
}

const cdrSdp: Table<CallRecord, Of<SdpAddress>> = {
  name: 'cdr_sdp',
  help: 'Media addresses announced in SDP.',
  owner: 'voipmonitor',
  holds: 'several',
  theirIndexes: ['calldate', 'cdr_ID', 'ip', 'is_caller', 'port'],
  rows: (call) => each(call, call.sdp),
  columns: columns<Of<SdpAddress>>([
    ['ip', 'int(10) unsigned', '', ({ item }) => ip(item.host.ip)],
    ['port', 'smallint(5) unsigned', '', ({ item }) => item.host.port],
    ['is_caller', 'tinyint(3) unsigned', "1 is where the caller sends to: the callee's address", ({ item }) => (item.side === 'b' ? 1 : 0)],
    ['ptime', 'tinyint(3) unsigned', 'ms', ({ item }) => tinyint(item.ptimeMs)],
  ]),
}

const cdrProxy: Table<CallRecord, Of<string>> = {
  name: 'cdr_proxy',
  help: 'SIP hops between the first and the last.',
  owner: 'voipmonitor',
  holds: 'several',
  theirIndexes: ['calldate', 'cdr_ID', 'dst'],
  rows: (call) => each(call, call.proxies),
  columns: columns<Of<string>>([['dst', 'int(10) unsigned', '', ({ item }) => ip(item)]]),
  indexes: [['dst']],
}

/** Every database holds these; others may not. */
const plain = /^[\x20-\x7e\xa0-\xff]{0,255}$/
const textFields = ['caller', 'callee', 'callerName', 'callerDomain', 'calleeDomain', 'statusText', 'assertedIdentity'] as const

function exactTexts(call: CallRecord): string | null {
  const odd = textFields.filter((field) => call[field] !== undefined && !plain.test(call[field]))
  return odd.length === 0 ? null : JSON.stringify(Object.fromEntries(odd.map((field) => [field, call[field]])))
}

/** Requests and responses with their times; VoIPmonitor's default keeps the BYE, and so do we. */
const cdrSiphistory: Table<CallRecord, { call: CallRecord; bye: Micros }> = {
  name: 'cdr_siphistory',
  help: 'The BYE of a call and its time.',
  owner: 'voipmonitor',
  holds: 'several',
  theirIndexes: ['calldate', 'cdr_ID'],
  rows: (call) => (call.bye === undefined ? [] : [{ call, bye: call.bye }]),
  columns: columns<{ call: CallRecord; bye: Micros }>([
    ['time', 'bigint(20) unsigned', 'µs after calldate', ({ call, bye }) => Math.max(0, bye - call.started)],
    ['SIPrequest_id', 'mediumint(8) unsigned', 'in cdr_sip_request', () => ({ book: 'cdr_sip_request', text: 'BYE' })],
    ['SIPresponse_id', 'mediumint(8) unsigned'],
    ['SIPresponseNum', 'smallint(5) unsigned'],
  ]),
}

const problemsHelp = `bits: ${problemNames.map((name) => `${problems[name].bit} ${name}`).join(', ')}`

const earshotCdr: Table<CallRecord, { call: CallRecord; figures: CallFigures }> = {
  name: 'earshot_cdr',
  help: 'What only Earshot keeps of a call: the whole Call-ID, exact times, the worse direction, the pcap.',
  owner: 'earshot',
  holds: 'call',
  rows: (call) => [{ call, figures: callFigures(call) }],
  columns: columns<{ call: CallRecord; figures: CallFigures }>([
    ['sensor', 'smallint unsigned not null', 'id_sensor, 0 for none: part of the key', ({ call }) => call.sensorId ?? 0],
    ['call_id', 'varchar(2048) not null', 'whole', ({ call }) => call.callId],
    ['started_us', 'bigint not null', 'µs since the epoch', ({ call }) => call.started],
    [
      'revision',
      'tinyint unsigned not null',
      '1, 2 … said early, soon after the end; 255 the last word; the higher one stays',
      ({ call }) => call.revision,
    ],
    ['ringing_us', 'bigint', '', ({ call }) => call.ringing ?? null],
    ['answered_us', 'bigint', '', ({ call }) => call.answered ?? null],
    ['ended_us', 'bigint', 'BYE, final response or CANCEL', ({ call }) => call.ended ?? null],
    ['last_us', 'bigint not null', 'last packet', ({ call }) => call.lastPacket],
    ['state', 'varchar(24) not null', '', ({ call }) => call.state],
    ['status_text', 'varchar(255)', '', ({ call }) => text(call.statusText)],
    ['callee_ip', 'varchar(45) not null', 'destination of the first INVITE', ({ call }) => call.calleeAddr.ip],
    ['callee_port', 'smallint unsigned not null', '', ({ call }) => call.calleeAddr.port],
    ['caller_ip', 'varchar(45) not null', '', ({ call }) => call.callerAddr.ip],
    ['asserted_identity', 'varchar(255)', 'P-Asserted-Identity', ({ call }) => text(call.assertedIdentity)],
    ['a_stream', 'smallint unsigned', 'which of earshot_rtp speaks for the caller', ({ call }) => call.aStream ?? null],
    ['b_stream', 'smallint unsigned', '', ({ call }) => call.bStream ?? null],
    ['pdd_ms', 'double', '', ({ figures }) => figures.pdd_ms],
    ['talk_ms', 'double', '', ({ figures }) => figures.talk_ms],
    ['duration_ms', 'double not null', 'start to end, or to the last packet', ({ figures }) => figures.duration_ms],
    ['codec', 'varchar(64)', '', ({ figures }) => text(figures.codec ?? undefined, 64)],
    ['mos', 'double', 'MOS-LQ of the worse direction', ({ figures }) => figures.mos],
    ['loss_pct', 'double', '', ({ figures }) => figures.loss_pct],
    ['jitter_ms', 'double', '', ({ figures }) => figures.jitter_ms],
    ['problems', 'int unsigned not null', problemsHelp, ({ call }) => problemBits(problemsOf(call))],
    ['pcap', 'varchar(1024)', 'path below the spool', ({ call }) => call.pcap ?? null],
    [
      'exact',
      'text',
      'texts that `cdr` cannot hold as they are (too long, or letters a latin1 database lacks), as JSON',
      ({ call }) => exactTexts(call),
    ],
  ]),
  indexes: [['call_id']],
}

const earshotRtp: Table<CallRecord, Of<StreamRecord>> = {
  name: 'earshot_rtp',
  help: 'Exact values of the streams.',
  owner: 'earshot',
  holds: 'positions',
  rows: (call) => each(call, call.streams),
  columns: columns<Of<StreamRecord>>([
    ['position', 'smallint unsigned not null', 'from 0', ({ index }) => index],
    ['ssrc', 'int unsigned not null', '', ({ item }) => item.ssrc],
    ['src', 'varchar(56) not null', 'address:port', ({ item }) => hostText(item.src)],
    ['dst', 'varchar(56) not null', '', ({ item }) => hostText(item.dst)],
    ['direction', 'char(1) not null', 'a is sent by the caller', ({ item }) => item.direction],
    ['codec', 'varchar(64)', 'rtpmap name', ({ item }) => text(item.codec, 64)],
    ['packets', 'bigint not null', '', ({ item }) => item.packets],
    ['expected', 'bigint not null', '', ({ item }) => item.expected],
    ['lost', 'bigint not null', '', ({ item }) => item.lost],
    ['duplicates', 'bigint not null', '', ({ item }) => item.duplicates],
    ['reordered', 'bigint not null', '', ({ item }) => item.reordered],
    ['jitter_mean_ms', 'double', 'RFC 3550 A.8', ({ item }) => item.jitterMeanMs ?? null],
    ['jitter_max_ms', 'double', '', ({ item }) => item.jitterMaxMs ?? null],
    ['burst_ratio', 'double', 'BurstR of G.107', ({ item }) => item.burstRatio ?? null],
    ['mos', 'double', 'MOS-LQ', ({ item }) => item.mos ?? null],
    ['first_us', 'bigint not null', '', ({ item }) => item.first],
    ['last_us', 'bigint not null', '', ({ item }) => item.last],
    ['learned', 'tinyint not null', '1: an address no SDP named', ({ item }) => (item.learned ? 1 : 0)],
  ]),
}

const earshotDtmf: Table<CallRecord, Of<DtmfRecord>> = {
  name: 'earshot_dtmf',
  help: 'Digits with their exact times.',
  owner: 'earshot',
  holds: 'positions',
  rows: (call) => each(call, call.dtmf),
  columns: columns<Of<DtmfRecord>>([
    ['position', 'smallint unsigned not null', 'from 0', ({ index }) => index],
    ['time_us', 'bigint not null', '', ({ item }) => item.time],
    ['digit', 'char(1) not null', '', ({ item }) => item.digit],
    ['type', 'varchar(8) not null', 'rfc4733 or info', ({ item }) => item.type],
  ]),
}

// The rows of each table have a type of their own; whoever walks the list only hands them from `rows` to `value`.
// biome-ignore lint/suspicious/noExplicitAny: see above.
export const childTables: readonly Table<CallRecord, any>[] = [
  cdrNext,
  cdrRtp,
  cdrDtmf,
  cdrSipresp,
  cdrSdp,
  cdrProxy,
  cdrSiphistory,
  earshotCdr,
  earshotRtp,
  earshotDtmf,
]
