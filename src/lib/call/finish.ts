import { addressOf } from '../base/address.js'
import type { Endpoint, Micros } from '../base/units.js'
import { codecId, codecNamed } from '../rtp/codecs.js'
import { mosLq } from '../rtp/emodel.js'
import { byeCode } from './bye-code.js'
import type { Call, CloseCause } from './call.js'
import type { CallStream, MediaIndex } from './media.js'
import { type CallRecord, finalRevision, type SdpAddress, type StreamRecord } from './record.js'

/** Turns a call that is over, or seems to be, into its record. */
export function finishCall(
  call: Call,
  cause: CloseCause,
  media: MediaIndex,
  sensorId: number | undefined,
  revision = finalRevision,
): CallRecord {
  const host = (endpoint: Endpoint): { ip: string; port: number } => media.endpointText(endpoint)
  const streams = [...call.streams].filter((s) => s.packets > 0).sort((x, y) => x.first - y.first || x.ssrc - y.ssrc)
  const records = opposed(streams.map((stream) => streamRecord(stream, call, media)))
  const [aStream, bStream] = spokesmen(records, streams)
  const [aSip, bSip] = call.dscp
  const lastHop = call.hops.at(-1) ?? call.calleeEndpoint
  return {
    revision,
    callId: call.callId,
    sensorId,
    state: call.state,
    status: call.okStatus ?? call.failedStatus,
    statusText: call.okStatus !== undefined ? call.okText : call.failedStatus !== undefined ? call.failedText : undefined,
    caller: call.caller,
    callee: call.callee,
    callerName: call.callerName,
    callerDomain: call.callerDomain,
    calleeDomain: call.calleeDomain,
    assertedIdentity: call.assertedIdentity,
    callerAddr: host(call.callerEndpoint),
    calleeAddr: host(call.calleeEndpoint),
    lastHopAddr: host(lastHop),
    proxies: call.hops.slice(0, -1).map((hop) => host(hop).ip),
    callerAgent: call.callerAgent,
    calleeAgent: call.calleeAgent,
    digestUser: call.digestUser,
    started: call.started,
    trying: call.trying,
    ringing: call.ringing,
    firstResponse: call.firstResponse,
    answered: call.answered,
    ended: call.ended,
    bye: call.bye,
    byeConfirmed: call.byeConfirmed,
    lastPacket: call.lastPacket,
    firstRtp: records.length === 0 ? undefined : (Math.min(...records.map((s) => s.first)) as Micros),
    hungUpBy: call.answered === undefined ? undefined : call.hungUpBy,
    reasons: [...call.reasons],
    byeCode: byeCode(call, cause),
    forced: cause === 'forced' || cause === 'end of input',
    flags: flagsOf(call, records),
    inviteRetransmissions: call.retransmissions,
    sipMessages: call.sipMessages,
    responses: [...call.responses],
    branches: Math.max(1, call.branchTags.length),
    vlan: call.vlan < 0 ? undefined : call.vlan,
    dscp: [
      aSip,
      bSip,
      aStream === undefined ? undefined : records[aStream]?.dscp,
      bStream === undefined ? undefined : records[bStream]?.dscp,
    ],
    ttl: call.ttl.count === 0 ? undefined : { min: call.ttl.min, max: call.ttl.max, mean: call.ttl.sum / call.ttl.count },
    sdp: announced(call, media),
    streams: records,
    aStream,
    bStream,
    dtmf: [...call.digits],
    pcap: undefined,
  }
}

function streamRecord(stream: CallStream, call: Call, media: MediaIndex): StreamRecord {
  const { sequence, jitter, format } = stream
  // The call's own list: in the index a later call may have taken the port already.
  const claims = [stream.destination, stream.source].map((e) => call.claims.find((c) => c.endpoint === e && !c.rtcp))
  const codec = format && codecNamed(format.name)
  const burstRatio = sequence.burstRatio()
  const expected = sequence.expected
  const mos =
    codec?.ie === undefined || codec.bpl === undefined || expected === 0
      ? undefined
      : mosLq({ ie: codec.ie, bpl: codec.bpl, lossPercent: (100 * Math.max(0, sequence.lost)) / expected, burstRatio: burstRatio ?? 1 })
  return {
    ssrc: stream.ssrc,
    src: media.endpointText(stream.source),
    dst: media.endpointText(stream.destination),
    direction: directionOf(stream, call),
    codec: format?.name,
    payloadType: stream.payloadType,
    codecId: format && codecId(format.name, format.clockRate),
    clockRate: format?.clockRate,
    packets: stream.packets,
    expected,
    lost: sequence.lost,
    duplicates: sequence.duplicates,
    reordered: sequence.reordered,
    jitterMeanMs: jitter?.meanMs,
    jitterMaxMs: jitter?.meanMs === undefined ? undefined : jitter.maxMs,
    lossRuns: [...sequence.runsAtArrival],
    delays: jitter ? [...jitter.deviations] : [0, 0, 0, 0, 0, 0, 0],
    burstRatio,
    mos,
    ptimeMs: format && stream.packetTicks > 0 ? (stream.packetTicks * 1000) / format.clockRate : undefined,
    sdpPtimeMs: claims[0]?.ptimeMs,
    first: stream.first,
    last: stream.last,
    ttl: stream.ttl,
    dscp: stream.dscp < 0 ? undefined : stream.dscp,
    learned: claims.some((claim) => claim === undefined || claim.learned),
    srtp: claims.some((claim) => claim?.encrypted === true),
    shared: stream.shared,
    codecChanged: stream.codecChanged,
  }
}

/** What goes to an endpoint that the callee announced was sent by the caller; the announced address of the sender says the same the other way. */
export function directionOf(stream: CallStream, call: Call): 'a' | 'b' {
  const sides = (endpoint: Endpoint): string[] =>
    call.claims.filter((c) => c.endpoint === endpoint && !c.rtcp && !c.learned).map((c) => c.side)
  const receivers = sides(stream.destination)
  const senders = sides(stream.source)
  if (receivers.length === 1) return receivers[0] === 'b' ? 'a' : 'b'
  if (senders.length === 1) return senders[0] === 'a' ? 'a' : 'b'
  const learned = (endpoint: Endpoint): 'a' | 'b' | undefined => call.claims.find((c) => c.endpoint === endpoint && c.learned)?.side
  const sender = learned(stream.source)
  if (sender !== undefined) return sender
  // The way back to an address that was learned, from behind another NAT.
  const receiver = learned(stream.destination)
  if (receiver !== undefined) return receiver === 'b' ? 'a' : 'b'
  // Both sides announced the same address (a relay seen on two hops): the SIP addresses are all that is left to go by.
  return addressOf(stream.source) === addressOf(call.calleeEndpoint) ? 'b' : 'a'
}

/** Two streams that answer each other are not of one direction, whatever the announcements say (one gateway on both sides). The earlier keeps its own. */
function opposed(records: StreamRecord[]): StreamRecord[] {
  const [first, second] = records
  if (records.length !== 2 || first === undefined || second === undefined || first.direction !== second.direction) return records
  if (first.src.ip !== second.dst.ip || first.dst.ip !== second.src.ip) return records
  return [first, { ...second, direction: first.direction === 'a' ? 'b' : 'a' }]
}

/** The stream that speaks for each direction: of a call with audio an audio stream, though its video has more packets. */
function spokesmen(records: readonly StreamRecord[], streams: readonly CallStream[]): [a: number | undefined, b: number | undefined] {
  const isVideo = streams.map((s) => s.format?.video === true)
  const onlyVideo = isVideo.every(Boolean)
  const eligible = (i: number): boolean => onlyVideo || !isVideo[i]
  return [busiest(records, 'a', eligible), busiest(records, 'b', eligible)]
}

function busiest(records: readonly StreamRecord[], direction: 'a' | 'b', eligible: (i: number) => boolean): number | undefined {
  let best: number | undefined
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as StreamRecord
    if (record.direction !== direction || !eligible(i)) continue
    if (best === undefined || record.packets > (records[best] as StreamRecord).packets) best = i
  }
  return best
}

function announced(call: Call, media: MediaIndex): SdpAddress[] {
  return call.claims
    .filter((claim) => !claim.rtcp && !claim.learned)
    .sort((x, y) => (x.side < y.side ? -1 : x.side > y.side ? 1 : 0))
    .map(({ side, endpoint, ptimeMs }) => ({ side, host: media.endpointText(endpoint), ptimeMs }))
}

type FlagTest = (call: Call, streams: readonly StreamRecord[]) => boolean

/** Bits of VoIPmonitor's cdr.flags that we know (database.md 3.2). */
const flagBits: readonly (readonly [bit: number, on: FlagTest])[] = [
  [2, (call) => call.bye !== undefined && call.byeConfirmed === undefined],
  [4, (_, streams) => streams.some((s) => s.srtp)],
  [6, (_, streams) => streams.some((s) => s.ssrc === 0)],
  [8, (call) => call.eventsOffered.a],
  [9, (call) => call.eventsOffered.b],
  [10, (call) => call.fragmentedSip],
  [11, (call) => call.fragmentedRtp],
  [12, (call) => call.mediaTypes.includes('audio')],
  [13, (call) => call.mediaTypes.includes('image')],
  [14, (call) => call.mediaTypes.includes('video')],
  [17, (call) => call.rtcpSeen],
  [22, (_, streams) => streams.some((s) => s.duplicates > 0)],
  [31, (call) => call.transports.tcp],
  [32, (call) => call.transports.udp],
  [35, (_, streams) => streams.some((s) => s.codecChanged)],
]

/** All the bits are below 2^53, so a number holds them on the way. */
function flagsOf(call: Call, streams: readonly StreamRecord[]): bigint {
  let flags = 0
  for (const [bit, on] of flagBits) if (on(call, streams)) flags += 2 ** bit
  return BigInt(flags)
}
