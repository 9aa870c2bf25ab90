import type { ServiceStats } from './backend.js'

/** What a service counted, every ten seconds for the last day: what `creategraph` draws. Bounded: 8,640 samples of few numbers. */
export const sampleSeconds = 10
const SAMPLES_MAX = 86_400 / sampleSeconds

/** Sums since the start, and values of the moment. */
export interface Sample {
  /** Seconds since the epoch. */
  readonly time: number
  readonly packets: number
  readonly bytes: number
  readonly sip: number
  readonly rtp: number
  readonly calls: number
  readonly open: number
  readonly dropped: number
  readonly cpuSeconds: number
  readonly rssBytes: number
  readonly heapBytes: number
  readonly waiting: number
  readonly load: number
}

export class History {
  readonly #samples: Sample[] = []
  #stored = 0
  /** When a record was last seen to have been stored, in seconds since the epoch; as exact as samples are. */
  storedAt: number | undefined

  add(time: number, all: readonly ServiceStats[], load: number): void {
    const sum = (value: (s: ServiceStats) => number | undefined): number => all.reduce((total, s) => total + (value(s) ?? 0), 0)
    this.#samples.push({
      time,
      packets: sum((s) => s.packets),
      bytes: sum((s) => s.bytes),
      sip: sum((s) => s.sip),
      rtp: sum((s) => s.rtp),
      calls: sum((s) => s.calls),
      open: sum((s) => s.open),
      dropped: sum((s) => s.kernel?.dropped),
      cpuSeconds: sum((s) => s.cpuSeconds),
      rssBytes: sum((s) => s.rssBytes),
      heapBytes: sum((s) => s.heapBytes),
      waiting: sum((s) => s.records?.waiting),
      load,
    })
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift()
    const stored = sum((s) => s.records?.stored)
    if (stored > this.#stored) this.storedAt = time
    this.#stored = stored
  }

  /** From the last sample before `from` on, so that a rate has something to begin with. */
  between(from: number, to: number): readonly Sample[] {
    const first = this.#samples.findIndex((s) => s.time >= from)
    return first < 0 ? [] : this.#samples.slice(Math.max(0, first - 1)).filter((s) => s.time <= to)
  }
}
