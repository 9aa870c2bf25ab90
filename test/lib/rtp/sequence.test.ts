import { describe, expect, test } from 'vitest'
import { StreamRows } from '../../../src/lib/rtp/rows.js'
import { SequenceCount } from '../../../src/lib/rtp/sequence.js'

const counter = (): SequenceCount => {
  const rows = new StreamRows()
  return new SequenceCount(rows, rows.take())
}

interface Case {
  name: string
  sequence: number[]
  want: { expected: number; lost: number; duplicates?: number; reordered?: number; restarts?: number }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => (from + i) & 0xffff)

const cases: Case[] = [
  { name: 'nothing', sequence: [], want: { expected: 0, lost: 0 } },
  { name: 'in order', sequence: range(7, 20), want: { expected: 14, lost: 0 } },
  { name: 'one missing', sequence: [7, 9], want: { expected: 3, lost: 1 } },
  { name: 'the number wraps', sequence: range(65_530, 65_540), want: { expected: 11, lost: 0 } },
  // standards.md 4: base 65530, highest 10 after one wrap, received 15 → expected 17, lost 2.
  { name: 'RFC 3550 A.3 vector', sequence: range(65_530, 65_546).filter((n) => n !== 3 && n !== 4), want: { expected: 17, lost: 2 } },
  { name: 'late is not lost', sequence: [7, 9, 8], want: { expected: 3, lost: 0, reordered: 1 } },
  { name: 'a copy does not hide a loss', sequence: [7, 7, 9], want: { expected: 3, lost: 1, duplicates: 1 } },
  { name: 'a late copy is a copy', sequence: [7, 8, 9, 8], want: { expected: 3, lost: 0, duplicates: 1 } },
  { name: 'a late packet before the first', sequence: [7, 8, 6], want: { expected: 3, lost: 0, reordered: 1 } },
  { name: 'a late packet well before the first leaves a hole', sequence: [7, 8, 4], want: { expected: 5, lost: 2, reordered: 1 } },
  { name: 'late across the wrap', sequence: [65_534, 0, 65_535, 1], want: { expected: 4, lost: 0, reordered: 1 } },
  { name: 'a jump of 3000 is a new start', sequence: [7, 8, 4000, 4001], want: { expected: 4, lost: 0, restarts: 1 } },
  { name: 'a jump of 2999 is loss', sequence: [0, 2999], want: { expected: 3000, lost: 2998 } },
  { name: 'numbers come again after a whole turn', sequence: [...range(0, 65_535), ...range(0, 9)], want: { expected: 65_546, lost: 0 } },
  {
    name: 'a gap over the window border leaves no stale bits',
    sequence: [...range(0, 4100), ...range(4200, 9000).filter((n) => n !== 8300), 8300],
    want: { expected: 9001, lost: 99, reordered: 1 },
  },
]

describe('SequenceCount', () => {
  test.each(cases)('$name', ({ sequence, want }) => {
    const count = counter()
    for (const n of sequence) count.accept(n)
    expect({
      expected: count.expected,
      lost: count.lost,
      duplicates: count.duplicates,
      reordered: count.reordered,
      restarts: count.restarts,
    }).toEqual({ duplicates: 0, reordered: 0, restarts: 0, ...want })
  })

  // An independent count: a set of extended numbers, as a textbook would do it.
  test('agrees with a plain set on random loss, copies and reordering', () => {
    let seed = 12_345
    const random = (): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return seed / 2 ** 32
    }
    for (let round = 0; round < 50; round++) {
      const start = Math.floor(random() * 65_536)
      const sent = Array.from({ length: 3000 }, (_, i) => i).filter(() => random() > 0.05)
      if (sent.length === 0) continue
      for (let i = 0; i < sent.length; i++) {
        if (random() < 0.02) {
          const j = Math.min(sent.length - 1, i + Math.floor(random() * 20))
          const moved = sent.splice(i, 1)[0] as number
          sent.splice(j, 0, moved)
        }
        if (random() < 0.02) sent.splice(i, 0, sent[i] as number)
      }
      const count = counter()
      for (const n of sent) count.accept((start + n) & 0xffff)
      const distinct = new Set(sent)
      const expected = Math.max(...sent) - Math.min(...sent) + 1
      expect([count.expected, count.lost, count.duplicates]).toEqual([expected, expected - distinct.size, sent.length - distinct.size])
    }
  })

  // standards.md 7: 100 packets; five in one run → 4.75; five singles → 0.95, clamped to 1; runs of 2 and 3 → 2.375.
  test.each([
    { name: 'one run of five', lost: [10, 11, 12, 13, 14], want: 4.75 },
    { name: 'five single losses', lost: [10, 20, 30, 40, 50], want: 1 },
    { name: 'runs of two and three', lost: [10, 11, 40, 41, 42], want: 2.375 },
    { name: 'no loss', lost: [] as number[], want: undefined },
  ])('burst ratio: $name', ({ lost, want }) => {
    const count = counter()
    for (const n of range(0, 99)) if (!lost.includes(n)) count.accept(n)
    if (want === undefined) expect(count.burstRatio()).toBeUndefined()
    else expect(count.burstRatio()).toBeCloseTo(want, 6)
  })

  test('a run that a late packet splits counts as two', () => {
    const count = counter()
    for (const n of [...range(0, 9), ...range(15, 99), 12]) count.accept(n)
    // Missing 10, 11 and 13, 14: mean run 2, p = 0.04.
    expect(count.burstRatio()).toBeCloseTo(2 * 0.96, 6)
    expect([...count.runsAtArrival]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
  })
})
