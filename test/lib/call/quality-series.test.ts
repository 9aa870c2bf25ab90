import { describe, expect, test } from 'vitest'
import { callJson, isoMicros } from '../../../src/lib/call/json.js'
import { LadderReader } from '../../../src/lib/call/ladder.js'
import { QualitySeries, type StreamSeries } from '../../../src/lib/call/quality-series.js'
import { analyseBatches } from '../../support/analyse.js'
import { batchOf, type Packet, type RtpOptions, sip, talk } from '../../support/ladder.js'

const A = '10.0.0.1:5060'
const B = '10.0.0.2:5060'

/** A call whose caller talks for `seconds` at 50 packets/s, some of them missing; its series counted again from the packets. */
function seriesOf(seconds: number, missing: (packet: number) => boolean, rtp: RtpOptions = {}): StreamSeries[] {
  const packets: Packet[] = [
    sip(0, A, B, 'INVITE', { callId: 'q', sdp: '10.0.0.1:4000' }),
    sip(0.1, B, A, '200 OK', { callId: 'q', toTag: 'b', sdp: '10.0.0.2:6000' }),
    ...talk(0.2, '10.0.0.1:4000', '10.0.0.2:6000', seconds * 50, { ssrc: 1, ...rtp }).filter((_, i) => !missing(i)),
  ]
  const { records } = analyseBatches([batchOf(packets)])
  const call = callJson(records[0] as NonNullable<(typeof records)[0]>)
  const ladder: LadderReader = new LadderReader('q', (frame, time) => void series.accept(frame, time))
  const series = new QualitySeries(call.streams, ladder.addresses, isoMicros)
  ladder.accept(batchOf(packets))
  return series.series()
}

describe('quality over time', () => {
  test('loss lies in the second in which it happened', () => {
    const [one] = seriesOf(5, (i) => i >= 100 && i < 150 && i % 5 === 0)
    expect(one?.steps.map((s) => Math.round(s.lossPct as number))).toEqual([0, 0, 20, 0, 0])
    expect(one?.steps.map((s) => s.packets)).toEqual([50, 50, 40, 50, 50])
    const mos = one?.steps.map((s) => s.mos as number) as number[]
    expect(Math.min(...mos)).toBe(mos[2])
    // G.711 with PLC and 20 % random loss: Ie,eff = 95 × 20 / (20 + 25.1) = 42.13, R = 51.07.
    expect(mos[2]).toBeCloseTo(2.63, 2)
    expect(mos[0]).toBeCloseTo(4.409, 3)
  })

  test('a silent second has no values, not good ones', () => {
    const [one] = seriesOf(4, (i) => i >= 50 && i < 100)
    // The numbers go on after it: what was lost shows where the gap ended.
    expect(one?.steps[1]).toEqual({ packets: 0, lossPct: null, jitterMs: null, mos: null })
    expect(one?.steps[2]?.lossPct).toBe(50)
  })

  test('a long call has sixty steps at most', () => {
    const [one] = seriesOf(130, () => false)
    expect(one?.steps.length).toBeLessThanOrEqual(60)
    expect(one?.steps.reduce((sum, s) => sum + s.packets, 0)).toBe(6500)
  })

  test('a codec without values has no MOS', () => {
    const [one] = seriesOf(2, () => false, { type: 97 })
    expect(one?.steps[0]).toMatchObject({ packets: 50, lossPct: 0, mos: null, jitterMs: null })
  })
})
