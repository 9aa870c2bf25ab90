/**
 * Complete call records for the benches of stores, each answered, with media both ways: ten rows of VoIPmonitor's (call, Call-ID,
 * two streams, three responses, two media addresses, the BYE) and three of ours.
 */
import type { Micros } from '../src/lib/base/units.js'
import type { CallRecord } from '../src/lib/call/record.js'
import { sampleRecords } from '../test/contract/records.js'

/** What a run gives a store at once while many records wait (sniffer/recorder.ts). */
export const BATCH = 4000

const [model] = sampleRecords() as [CallRecord]
const pick = (n: number, of: number): number => (Math.imul(n, 2654435761) >>> 8) % of

/** Calls as an exchange has them: 200,000 subscribers, 2,000 phones' addresses, 50 user agents. */
function call(n: number, startMicros: number): CallRecord {
  const at = (time: Micros | undefined): Micros => ((time ?? model.started) - model.started + startMicros) as Micros
  const a = `10.${pick(n, 8)}.${pick(n + 1, 250)}.7`
  const b = `10.200.0.${pick(n + 2, 4) + 1}`
  return {
    ...model,
    callId: `${(n * 7919).toString(16)}-${n}@${a}`,
    sensorId: 1 + (n & 3),
    caller: `+42060${String(pick(n + 3, 200_000)).padStart(7, '0')}`,
    callee: `+42070${String(pick(n + 4, 200_000)).padStart(7, '0')}`,
    callerAddr: { ip: a, port: 5060 },
    lastHopAddr: { ip: b, port: 5060 },
    callerAgent: `Phone/${pick(n + 5, 50)}`,
    calleeAgent: 'PBX 20.1',
    responses: [
      { status: 100, text: 'Trying' },
      { status: 180, text: 'Ringing' },
      { status: 200, text: 'OK' },
    ],
    started: at(model.started),
    trying: at(model.started),
    ringing: at(model.ringing),
    firstResponse: at(model.firstResponse),
    answered: at(model.answered),
    ended: (at(model.ended) + pick(n + 6, 300) * 1e6) as Micros,
    bye: (at(model.bye) + pick(n + 6, 300) * 1e6) as Micros,
    byeConfirmed: (at(model.byeConfirmed) + pick(n + 6, 300) * 1e6) as Micros,
    lastPacket: (at(model.lastPacket) + pick(n + 6, 300) * 1e6) as Micros,
    firstRtp: at(model.firstRtp),
    streams: model.streams.map((s, i) => ({
      ...s,
      src: { ip: i === 0 ? a : b, port: 10_000 + pick(n, 20_000) },
      ssrc: Math.imul(n, 40503) >>> 0,
      packets: 50 * pick(n + 6, 300),
      lost: pick(n + i, 30),
      jitterMeanMs: pick(n + 7 + i, 100) / 10,
      jitterMaxMs: pick(n + 8 + i, 500) / 10,
      first: at(s.first),
      last: at(s.last),
    })),
  }
}

/** Batches of different calls, one after the other. */
export function batches(): () => CallRecord[] {
  let n = 0
  const start = Math.floor(Date.now() / 1000) * 1e6 - 3600e6
  return () => Array.from({ length: BATCH }, () => call(n, start + n++ * 150))
}
