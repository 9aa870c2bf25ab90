import type { Micros } from '../base/units.js'
import { type CallJson, isoMicros } from '../call/json.js'
import type { Host } from '../call/record.js'
import type { CallView, LiveState, StreamView } from './call-view.js'

/** A record as a screen shows it beside running calls: a call that is over. Its numbers are those of the whole call. */
const states: Readonly<Record<string, LiveState>> = {
  answered: 'ended',
  failed: 'failed',
  cancelled: 'cancelled',
  cancelled_no_final: 'cancelled',
  redirected: 'redirected',
  no_final_response: 'ended',
}

export function recordView(call: CallJson, number: number): CallView {
  const started = isoMicros(call.started) as Micros
  const end = (started + call.duration_ms * 1000) as Micros
  const time = (text: string | null): Micros | undefined => (text === null ? undefined : (isoMicros(text) as Micros))
  const calleeAddr = hostOf(call.callee_addr)
  return {
    number,
    callId: call.call_id,
    state: states[call.state] ?? 'ended',
    status: call.status ?? undefined,
    statusText: call.status_text ?? undefined,
    caller: call.caller ?? undefined,
    callee: call.callee ?? undefined,
    callerName: call.caller_name ?? undefined,
    callerDomain: call.caller_domain ?? undefined,
    calleeDomain: call.callee_domain ?? undefined,
    callerAgent: call.caller_agent ?? undefined,
    calleeAgent: call.callee_agent ?? undefined,
    callerAddr: hostOf(call.caller_addr),
    calleeAddr,
    lastHopAddr: calleeAddr,
    proxies: call.hops,
    started,
    ringing: time(call.ringing),
    answered: time(call.answered),
    ended: time(call.ended),
    hungUpBy: call.hung_up_by ?? undefined,
    byeConfirmed: call.ended !== null,
    lastPacket: end,
    asOf: end,
    pddMs: call.pdd_ms ?? undefined,
    durationMs: call.duration_ms,
    talkMs: call.talk_ms ?? undefined,
    codec: call.codec ?? undefined,
    mos: call.mos ?? undefined,
    mosMin: call.mos ?? undefined,
    lossPercent: call.loss_pct ?? undefined,
    jitterMs: call.jitter_ms ?? undefined,
    sipMessages: 0,
    rtpPackets: call.streams.reduce((sum, s) => sum + s.packets, 0),
    digits: call.dtmf.length,
    vlan: call.vlan ?? undefined,
    sensorId: call.sensor_id ?? undefined,
    pcap: call.pcap ?? undefined,
    streams: call.streams.map(streamView),
    streamCount: call.streams.length,
  }
}

function streamView(s: CallJson['streams'][number]): StreamView {
  const mos = s.mos ?? undefined
  return {
    ssrc: Number(s.ssrc),
    src: hostOf(s.src),
    dst: hostOf(s.dst),
    direction: s.direction,
    codec: s.codec ?? undefined,
    payloadType: -1,
    packets: s.packets,
    expected: s.expected,
    lost: s.lost,
    mos,
    lossPercent: s.expected > 0 ? (100 * s.lost) / s.expected : undefined,
    lostRecently: 0,
    mosMin: mos,
    mosMean: mos,
    jitterMs: s.jitter_mean_ms ?? undefined,
    jitterMeanMs: s.jitter_mean_ms ?? undefined,
    jitterMaxMs: s.jitter_max_ms ?? undefined,
    first: isoMicros(s.first) as Micros,
    last: isoMicros(s.last) as Micros,
    srtp: false,
  }
}

/** The reverse of call/json.ts `hostText`. */
function hostOf(text: string): Host {
  const colon = text.lastIndexOf(':')
  return { ip: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}
