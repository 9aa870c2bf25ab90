import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/**
 * How late this thread comes to its timers: a thread that is busy for a second comes a second late. Measured below JavaScript,
 * five times a second (each look wakes an idle process up); told of the last one or two half minutes.
 */
const RESOLUTION_MS = 200
const WINDOW_MS = 30_000

export interface LoopDelayTimes {
  readonly p99Ms: number
  readonly maxMs: number
}

export class LoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #before: LoopDelayTimes = { p99Ms: 0, maxMs: 0 }
  #sinceMs = performance.now()

  constructor() {
    this.#histogram.enable()
  }

  times(): LoopDelayTimes {
    const now = this.#now()
    const before = this.#before
    if (performance.now() - this.#sinceMs >= WINDOW_MS) {
      this.#before = now
      this.#sinceMs = performance.now()
      this.#histogram.reset()
    }
    return { p99Ms: Math.max(now.p99Ms, before.p99Ms), maxMs: Math.max(now.maxMs, before.maxMs) }
  }

  close(): void {
    this.#histogram.disable()
  }

  /** The timer itself is no delay. An empty histogram has no maximum. */
  #now(): LoopDelayTimes {
    const { count, max } = this.#histogram
    if (count === 0) return { p99Ms: 0, maxMs: 0 }
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    return { p99Ms: late(this.#histogram.percentile(99)), maxMs: late(max) }
  }
}
