import { describe, expect, test } from 'vitest'
import { Histogram } from '../../../src/lib/query/histogram.js'
import { type KpiCall, Kpis } from '../../../src/lib/query/kpi.js'

const call = (status: number | null, rest: Partial<KpiCall> = {}): KpiCall => ({
  status,
  answered: status !== null && status >= 200 && status < 300,
  byeSeen: false,
  ringing: false,
  talkMs: null,
  pddMs: null,
  mos: null,
  lossPct: null,
  jitterMs: null,
  ...rest,
})
const of = (...calls: KpiCall[]): ReturnType<Kpis['values']> => {
  const kpis = new Kpis()
  for (const one of calls) kpis.add(one)
  return kpis.values()
}
const times = (n: number, status: number | null, rest?: Partial<KpiCall>): KpiCall[] => Array.from({ length: n }, () => call(status, rest))

describe('RFC 6076 and E.411', () => {
  // 100 INVITEs and what came of them; the ratios worked out by hand from the RFC's formulas.
  const hundred = [
    ...times(60, 200, { byeSeen: true, talkMs: 90_000 }),
    ...times(5, 302),
    ...times(4, 480),
    ...times(10, 486),
    ...times(1, 600),
    ...times(2, 603),
    ...times(3, 408),
    ...times(2, 500),
    ...times(5, 503),
    ...times(1, 504),
    ...times(7, 404),
  ]
  test('a hundred INVITEs', () =>
    expect(of(...hundred)).toMatchObject({
      calls: 100,
      answered: 60,
      asr_pct: 60,
      ser_pct: 63.157895,
      seer_pct: 81.052632,
      isa_pct: 11,
      scr_pct: 60,
      ner_pct: 77,
      acd_s: 90,
      talk_minutes: 90,
    }))

  test.each<[string, KpiCall[], Partial<ReturnType<Kpis['values']>>]>([
    [
      'nothing is not zero',
      [],
      { calls: 0, asr_pct: null, ser_pct: null, acd_s: null, mos_mean: null, loss_p99_pct: null, talk_minutes: 0 },
    ],
    ['only redirections: no session could be established', times(3, 302), { calls: 3, ser_pct: null, seer_pct: null, asr_pct: 0 }],
    [
      'rung out, and given up while it rang, is no failure of the network',
      [call(487, { ringing: true }), call(408, { ringing: true })],
      { ner_pct: 100, seer_pct: 0, isa_pct: 50 },
    ],
    ['given up before it rang is one', [call(487), call(408)], { ner_pct: 0 }],
    [
      'answered and never hung up is not completed',
      [call(200, { talkMs: 1 }), call(200, { byeSeen: true })],
      { scr_pct: 50, asr_pct: 100 },
    ],
    ['no answer at all', [call(null)], { calls: 1, answered: 0, asr_pct: 0, ser_pct: 0 }],
    [
      'ACD is over answered calls',
      [call(200, { talkMs: 30_000 }), call(202, { talkMs: 60_000 }), call(486)],
      { acd_s: 45, talk_minutes: 1.5 },
    ],
    ['unmeasured calls have no part in the quality', [call(200, { mos: 4, lossPct: 1 }), call(200)], { mos_mean: 4, loss_p50_pct: 1 }],
  ])('%s', (_, calls, want) => expect(of(...calls)).toMatchObject(want))
})

describe('percentiles', () => {
  // Truth: the nearest rank of the sorted values themselves.
  const exact = (values: readonly number[], percent: number): number =>
    [...values].sort((a, b) => a - b)[Math.ceil((percent / 100) * values.length) - 1] as number
  const spread = Array.from({ length: 10_000 }, (_, i) => ((i * 7919) % 10_000) ** 2 / 1000)
  test.each([
    ['many', spread],
    ['one', [3.7]],
    ['mostly nothing', [...Array<number>(97).fill(0), 0.5, 2, 100]],
    ['tiny and huge', [1e-5, 1, 86_400_000]],
  ])('%s', (_, values) => {
    const histogram = new Histogram()
    for (const value of values) histogram.add(value)
    for (const percent of [1, 5, 50, 90, 95, 99, 100]) {
      const want = exact(values, percent)
      const off = Math.abs((histogram.percentile(percent) as number) - want)
      expect(off).toBeLessThanOrEqual(0.0026 * want)
    }
  })
  test('of nothing there is none', () => expect(new Histogram().percentile(50)).toBeUndefined())
})
