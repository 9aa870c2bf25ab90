import { type CallJson, hostText, isoTime, round3, type StreamJson, schemaVersion } from '../call/json.js'
import type { ProblemName } from '../call/problems.js'
import type { CallView, LiveState, StreamView } from './call-view.js'

/**
 * A running call in the shape of a record (docs/records.md), so that the questions of `cdr query` can be asked of it.
 * What is not known before the end (duplicates, reordering, the digits themselves) is zero or empty.
 */
const states: Readonly<Record<LiveState, CallJson['state']>> = {
  setup: 'no_final_response',
  ringing: 'no_final_response',
  answered: 'answered',
  ended: 'answered',
  failed: 'failed',
  cancelled: 'cancelled',
  redirected: 'redirected',
}

export function viewJson(view: CallView): CallJson {
  const time = (micros: CallView['answered']): string | null => (micros === undefined ? null : isoTime(micros))
  return {
    schema_version: schemaVersion,
    id: null,
    call_id: view.callId,
    state: states[view.state],
    status: view.status ?? null,
    status_text: view.statusText ?? null,
    caller: view.caller ?? null,
    callee: view.callee ?? null,
    caller_name: view.callerName ?? null,
    caller_domain: view.callerDomain ?? null,
    callee_domain: view.calleeDomain ?? null,
    caller_addr: hostText(view.callerAddr),
    callee_addr: hostText(view.calleeAddr),
    caller_agent: view.callerAgent ?? null,
    callee_agent: view.calleeAgent ?? null,
    hops: [...view.proxies, view.lastHopAddr.ip],
    started: isoTime(view.started),
    ringing: time(view.ringing),
    answered: time(view.answered),
    ended: time(view.ended),
    pdd_ms: view.pddMs ?? null,
    talk_ms: view.talkMs ?? null,
    duration_ms: view.durationMs,
    hung_up_by: view.hungUpBy ?? null,
    codec: view.codec ?? null,
    mos: view.mos ?? null,
    loss_pct: view.lossPercent ?? null,
    jitter_ms: view.jitterMs ?? null,
    vlan: view.vlan ?? null,
    sensor_id: view.sensorId ?? null,
    bye_code: null,
    problems: problemsOfView(view),
    pcap: view.pcap ?? null,
    streams: view.streams.map(streamJson),
    dtmf: [],
  }
}

/** How long after the answer missing media is odd. */
const MEDIA_WITHIN_MS = 3000

/** What can be told to be odd while a call runs; names as in call/problems.ts. */
export function problemsOfView(view: CallView): ProblemName[] {
  const problems: ProblemName[] = []
  if ((view.talkMs ?? 0) > MEDIA_WITHIN_MS) {
    const directions = new Set(view.streams.map((s) => s.direction))
    if (directions.size === 0) problems.push('no_media')
    else if (directions.size === 1) problems.push('one_way_media')
  }
  return problems
}

function streamJson(s: StreamView): StreamJson {
  return {
    ssrc: `0x${s.ssrc.toString(16).padStart(8, '0')}`,
    src: hostText(s.src),
    dst: hostText(s.dst),
    direction: s.direction,
    codec: s.codec ?? null,
    packets: s.packets,
    expected: s.expected,
    lost: s.lost,
    duplicates: 0,
    reordered: 0,
    jitter_mean_ms: s.jitterMeanMs === undefined ? null : round3(s.jitterMeanMs),
    jitter_max_ms: s.jitterMaxMs === undefined ? null : round3(s.jitterMaxMs),
    mos: s.mosMean === undefined && s.mos === undefined ? null : round3((s.mosMean ?? s.mos) as number),
    first: isoTime(s.first),
    last: isoTime(s.last),
  }
}
