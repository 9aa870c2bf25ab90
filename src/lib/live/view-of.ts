import type { Endpoint, Micros } from '../base/units.js'
import { type Call, type TellingMethod, tellingMethods } from '../call/call.js'
import { milliseconds } from '../call/json.js'
import type { CallStream } from '../call/media.js'
import { codecId } from '../rtp/codecs.js'
import { type CallView, type LiveState, type StreamView, streamsShown } from './call-view.js'
import { type LiveCall, sampleOf } from './live-call.js'
import type { StreamSample } from './stream-sample.js'

/** A running call as it is now. */
export function viewOf(live: LiveCall, now: Micros, sensorId: number | undefined, pcap: string | undefined): CallView {
  const { call, media } = live
  const streams = busiest(call.streams).map((stream) => {
    const sample = sampleOf(live, stream)
    sample.place(call, media)
    return streamView(sample)
  })
  const spoken = [streams.find((s) => s.direction === 'a'), streams.find((s) => s.direction === 'b')].filter((s) => s !== undefined)
  const { hops } = call
  const lastPacket = call.lastPacket
  const asOf = Math.max(now, lastPacket) as Micros
  const { ended } = call
  const end = ended ?? asOf
  const progress = call.ringing ?? call.answered
  return {
    number: call.number,
    callId: call.callId,
    state: liveState(call),
    status: call.okStatus ?? call.failedStatus,
    statusText: call.okStatus !== undefined ? call.okText : call.failedStatus !== undefined ? call.failedText : undefined,
    provisional: call.provisional,
    caller: call.caller,
    callee: call.callee,
    callerName: call.callerName,
    callerDomain: call.callerDomain,
    calleeDomain: call.calleeDomain,
    callerAgent: call.callerAgent,
    calleeAgent: call.calleeAgent,
    callerAddr: live.callerAddr,
    calleeAddr: live.calleeAddr,
    lastHopAddr: hops.length > 1 ? media.endpointText(hops.at(-1) as Endpoint) : live.calleeAddr,
    proxies: hops.length > 1 ? hops.slice(0, -1).map((hop) => media.endpointText(hop).ip) : [],
    started: call.started,
    ringing: call.ringing,
    answered: call.answered,
    ended,
    hungUpBy: call.answered === undefined ? undefined : call.hungUpBy,
    byeConfirmed: call.byeConfirmed !== undefined,
    lastPacket,
    asOf,
    pddMs: progress === undefined ? undefined : milliseconds(Math.max(0, progress - call.started)),
    durationMs: milliseconds(Math.max(0, end - call.started)),
    talkMs: call.answered === undefined ? undefined : milliseconds(Math.max(0, end - call.answered)),
    codec: spoken[0]?.codec ?? streams[0]?.codec,
    mos: worst(spoken, (s) => s.mos, Math.min),
    mosMin: worst(spoken, (s) => s.mosMin ?? s.mos, Math.min),
    lossPercent: worst(spoken, (s) => s.lossPercent, Math.max),
    jitterMs: worst(spoken, (s) => s.jitterMs, Math.max),
    sipMessages: call.sipMessages,
    methods: methodsOf(call.methods),
    rtpPackets: call.streams.reduce((sum, s) => sum + s.packets, 0),
    digits: call.digits.length,
    vlan: call.vlan < 0 ? undefined : call.vlan,
    sensorId,
    pcap,
    streams,
    streamCount: call.streams.length,
  }
}

/** Most calls have the same few: each combination is made once. */
const combinations = new Map<number, readonly TellingMethod[]>()

function methodsOf(bits: number): readonly TellingMethod[] | undefined {
  if (bits === 0) return undefined
  let methods = combinations.get(bits)
  if (methods === undefined) {
    methods = tellingMethods.filter((_, i) => (bits & (1 << i)) !== 0)
    combinations.set(bits, methods)
  }
  return methods
}

/** Where a call stands now; `Call.state` says how it would be recorded if it ended now. */
function liveState(call: Call): LiveState {
  if (call.answered !== undefined) return call.bye === undefined ? 'answered' : 'ended'
  if (call.over) {
    const { state } = call
    if (state === 'failed' || state === 'redirected') return state
    return state === 'no_final_response' ? 'ended' : 'cancelled'
  }
  return call.ringing === undefined ? 'setup' : 'ringing'
}

/** Audio before video: it speaks for the call. */
function busiest(streams: readonly CallStream[]): CallStream[] {
  const seen = streams.filter((s) => s.packets > 0)
  if (seen.length > 1) seen.sort((x, y) => Number(x.format?.video === true) - Number(y.format?.video === true) || y.packets - x.packets)
  return seen.slice(0, streamsShown)
}

function streamView(sample: StreamSample): StreamView {
  const { stream } = sample
  const { format, sequence, jitter } = stream
  return {
    ssrc: stream.ssrc,
    src: sample.src,
    dst: sample.dst,
    direction: sample.direction,
    codec: format?.name,
    payloadType: stream.payloadType,
    codecId: format && codecId(format.name, format.clockRate),
    packets: stream.packets,
    expected: sequence.expected,
    lost: sequence.lost,
    mos: sample.mos,
    lossPercent: sample.lossPercent,
    lostRecently: sample.lostRecently,
    mosMin: sample.mosMin,
    mosMean: sample.mosMean,
    jitterMs: jitter?.meanMs === undefined ? undefined : jitter.nowMs,
    jitterMeanMs: jitter?.meanMs,
    jitterMaxMs: jitter?.meanMs === undefined ? undefined : jitter.maxMs,
    lossRuns: sequence.lost === 0 ? undefined : [...sequence.runsAtArrival],
    first: stream.first,
    last: stream.last,
    srtp: sample.srtp,
  }
}

function worst(
  streams: readonly StreamView[],
  value: (s: StreamView) => number | undefined,
  pick: (...n: number[]) => number,
): number | undefined {
  const known = streams.map(value).filter((v) => v !== undefined)
  return known.length === 0 ? undefined : pick(...known)
}
