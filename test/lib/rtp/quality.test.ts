import { describe, expect, test } from 'vitest'
import { codecId, codecNamed, staticPayloads } from '../../../src/lib/rtp/codecs.js'
import { effectiveImpairment, mosLq, mosOfRating, ratingLq } from '../../../src/lib/rtp/emodel.js'
import { TelephoneEvents } from '../../../src/lib/rtp/events.js'
import { Jitter } from '../../../src/lib/rtp/jitter.js'
import { StreamRows, word } from '../../../src/lib/rtp/rows.js'

describe('E-model, vectors of the reference table', () => {
  test.each([
    [0, 1],
    [10, 1.035],
    [20, 1.252],
    [30, 1.609],
    [40, 2.064],
    [50, 2.575],
    [60, 3.1],
    [70, 3.597],
    [80, 4.024],
    [90, 4.339],
    [93.2, 4.409286],
    [100, 4.5],
    [3, 1],
    [120, 4.5],
    [-8.95, 1],
  ])('R %d → MOS %d', (r, mos) => expect(mosOfRating(r)).toBeCloseTo(mos, 3))

  test.each([
    { codec: 'PCMU', loss: 1, burst: 1, ieEff: 3.6398, r: 89.5602, mos: 4.3281 },
    { codec: 'PCMA', loss: 5, burst: 1, ieEff: 15.7807, r: 77.4193, mos: 3.9228 },
    { codec: 'PCMA', loss: 5, burst: 2, ieEff: 17.2101, r: 75.9899, mos: 3.8639 },
    { codec: 'G729', loss: 0, burst: 1, ieEff: 11, r: 82.2, mos: 4.1044 },
    { codec: 'G729', loss: 1, burst: 1, ieEff: 15.2, r: 78, mos: 3.9462 },
    { codec: 'G729', loss: 5, burst: 2, ieEff: 30.5349, r: 62.6651, mos: 3.2369 },
    { codec: 'G723', loss: 3, burst: 1, ieEff: 27.5654, r: 65.6346, mos: 3.3862 },
    { codec: 'GSM-EFR', loss: 2, burst: 1, ieEff: 20, r: 73.2, mos: 3.7433 },
    { codec: 'GSM-EFR', loss: 5, burst: 2, ieEff: 41, r: 52.2, mos: 2.6908 },
  ])('$codec with $loss % loss, BurstR $burst', ({ codec, loss, burst, ieEff, r, mos }) => {
    const { ie = Number.NaN, bpl = Number.NaN } = codecNamed(codec) ?? {}
    const impairment = { ie, bpl, lossPercent: loss, burstRatio: burst }
    expect(effectiveImpairment(impairment)).toBeCloseTo(ieEff, 3)
    expect(ratingLq(impairment)).toBeCloseTo(r, 3)
    expect(mosLq(impairment)).toBeCloseTo(mos, 3)
  })
})

describe('Jitter, RFC 3550 A.8', () => {
  const feed = (clock: number, packets: readonly (readonly [ticks: number, arrivalMs: number])[]): Jitter => {
    const rows = new StreamRows()
    const row = rows.take()
    const jitter = new Jitter(clock, rows, row)
    for (const [ticks, ms] of packets) {
      rows.words[row + word.received]!++
      jitter.accept(ticks | 0, ms * 1000, false)
    }
    return jitter
  }

  test('the reference run: J ends at 9.100952 units of 8 kHz', () => {
    const arrivals = [0, 20, 45, 60, 85, 100]
    const jitter = feed(
      8000,
      arrivals.map((ms, i) => [160 * i, ms] as const),
    )
    expect(jitter.maxMs).toBeCloseTo(9.100952 / 8, 5)
    expect(jitter.meanMs).toBeCloseTo((0 + 2.5 + 4.84375 + 7.041016 + 9.100952) / 5 / 8, 5)
  })

  test.each([
    {
      name: 'on time',
      packets: [
        [0, 0],
        [160, 20],
        [320, 40],
      ] as const,
      max: 0,
    },
    {
      name: '16 ms late is 1 ms',
      packets: [
        [0, 0],
        [160, 36],
      ] as const,
      max: 1,
    },
    {
      name: 'the media clock wraps',
      packets: [
        [2 ** 32 - 160, 0],
        [0, 20],
        [160, 40],
      ] as const,
      max: 0,
    },
    {
      name: 'a pause with the timestamp going on',
      packets: [
        [0, 0],
        [80_160, 10_020],
      ] as const,
      max: 0,
    },
    {
      name: 'a jump of the sender by 10 s is no jitter',
      packets: [
        [0, 0],
        [80_000, 20],
        [80_160, 40],
      ] as const,
      max: 0,
    },
  ])('$name', ({ packets, max }) => expect(feed(8000, packets).maxMs).toBeCloseTo(max, 9))

  test('one packet is no measurement', () => expect(feed(8000, [[0, 0]]).meanMs).toBeUndefined())

  test('deviations go to the right bucket', () => {
    const jitter = feed(8000, [
      [0, 0],
      [160, 20 + 60],
      [320, 40 + 60],
      [480, 60 + 60 + 350],
    ])
    expect([...jitter.deviations]).toEqual([1, 0, 0, 0, 0, 0, 1])
  })
})

describe('RFC 4733 events', () => {
  test('six packets with one timestamp are one digit, the same digit later is another', () => {
    const events = new TelephoneEvents()
    const found = [1000, 1000, 1000, 1000, 1000, 1000, 2600, 2600].map((ticks) => events.accept(5, ticks)).filter(Boolean)
    expect(found).toEqual(['5', '5'])
  })

  test.each([
    [0, '0'],
    [9, '9'],
    [10, '*'],
    [11, '#'],
    [12, 'A'],
    [15, 'D'],
    [16, 'F'],
    [17, undefined],
    [255, undefined],
  ])('event %d is %s', (event, digit) => expect(new TelephoneEvents().accept(event, 1)).toBe(digit))
})

describe('codecs', () => {
  test.each([
    [0, 'PCMU', 8000],
    [8, 'PCMA', 8000],
    [9, 'G722', 8000],
    [13, 'CN', 8000],
    [18, 'G729', 8000],
    [34, 'H263', 90_000],
  ])('static payload type %d is %s/%d (RFC 3551)', (type, name, clock) => {
    expect(staticPayloads.get(type)).toMatchObject({ name, clockRate: clock })
  })

  // call-semantics.md 4: VoIPmonitor's numbers.
  test.each([
    ['PCMA', 8000, 8],
    ['opus', 48_000, 316],
    ['OPUS', 16_000, 314],
    ['iLBC', 8000, 97],
    ['telephone-event', 8000, 400],
    ['nobody-knows', 8000, undefined],
  ])('%s/%d has id %s', (name, clock, id) => expect(codecId(name, clock)).toBe(id))
})
