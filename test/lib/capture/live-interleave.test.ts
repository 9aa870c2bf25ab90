import { expect, test } from 'vitest'
import type { Micros } from '../../../src/lib/base/units.js'
import { type BlockSource, Interleave } from '../../../src/lib/capture/interleave.js'
import type { BlockBatch } from '../../../src/lib/capture/ring.js'

/** An interface whose blocks are written as lists of times. */
class Written implements BlockSource {
  readonly #blocks: number[][]
  readonly #pressed: boolean
  released = 0

  constructor(blocks: number[][], pressed = false) {
    this.#blocks = [...blocks]
    this.#pressed = pressed
  }
  ready(): boolean {
    return this.#blocks.length > 0
  }
  pressed(): boolean {
    return this.#pressed
  }
  take(): BlockBatch {
    const times = this.#blocks.shift()!
    const numbers = Uint32Array.from(times)
    return {
      bytes: new Uint8Array(0),
      count: times.length,
      at: numbers,
      captured: numbers,
      length: numbers,
      micros: Float64Array.from(times),
      nanos: Uint16Array.from(times),
      linkType: 1,
      capturedBytes: times.reduce((sum, time) => sum + time, 0),
      lastMicros: times.at(-1) as Micros,
      release: () => void this.released++,
    }
  }
}

interface Case {
  name: string
  blocks: number[][][]
  settled?: number
  pressed?: boolean
  want: number[][]
  /** Packets still held at the end. */
  holding?: boolean
}

const cases: Case[] = [
  { name: 'one interface: whole blocks, whatever the time', blocks: [[[1, 2], [3]]], settled: 0, want: [[1, 2], [3]] },
  {
    name: 'blocks apart: each whole',
    blocks: [[[1, 2]], [[3, 4]]],
    settled: 9,
    want: [
      [1, 2],
      [3, 4],
    ],
  },
  { name: 'blocks that overlap: in runs', blocks: [[[1, 2, 5, 6]], [[3, 4], [7]]], settled: 9, want: [[1, 2], [3, 4], [5, 6], [7]] },
  { name: 'three of them', blocks: [[[1, 4]], [[2, 5]], [[3, 6]]], settled: 9, want: [[1], [2], [3], [4], [5], [6]] },
  { name: 'the same time: both go, neither waits for the other', blocks: [[[1, 1, 2]], [[1, 2]]], settled: 9, want: [[1, 1], [1, 2], [2]] },
  { name: 'the other is silent: only what is settled', blocks: [[[1, 2, 3]], []], settled: 2, want: [[1, 2]], holding: true },
  { name: 'the other is silent and nothing is settled', blocks: [[[1, 2, 3]], []], settled: 0, want: [], holding: true },
  {
    name: 'the other is silent and the ring is filling: no waiting',
    blocks: [[[1, 2, 3]], []],
    settled: 0,
    pressed: true,
    want: [[1, 2, 3]],
  },
]

test.each(cases)('$name', ({ blocks, settled = 0, pressed = false, want, holding = false }) => {
  const sources = blocks.map((written) => new Written(written, pressed))
  const order = new Interleave(sources)
  const runs: number[][] = []
  for (let run = order.next(settled as Micros); run !== undefined; run = order.next(settled as Micros)) {
    const times = [...run.micros].slice(0, run.count)
    runs.push(times)
    expect([...run.at]).toEqual(times)
    expect(run.capturedBytes).toBe(times.reduce((sum, time) => sum + time, 0))
    expect(run.lastMicros).toBe(times.at(-1))
    run.release()
  }
  expect(runs).toEqual(want)
  expect(order.holding).toBe(holding)
  order.drop()
  // Every block goes back exactly once.
  expect(sources.map((source) => source.released)).toEqual(blocks.map((written) => written.length))
})
