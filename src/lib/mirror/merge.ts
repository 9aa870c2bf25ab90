import type { Lane, MirrorBatch } from './lane.js'

/**
 * Several lanes in the order of time, over a bounded window. A lane with nothing here may still bring something older than what the
 * others have: it is waited for as far as its sender has not said "nothing older will come", and never longer than the window.
 *
 *   a  ──1──2─────────5──6──▶        1 2 from a, 3 4 from b, then 5, when b is known to have come past 5
 *   b  ────────3──4─────────▶        or 5 has waited for the window
 *
 * A lane that is behind all others by more than the window (its sender replays what it had to keep) does not hold them up:
 * it takes turns with them.
 */
export class LaneGroup {
  readonly lanes: Lane[] = []
  readonly #windowMs: number
  #servedLate = false

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** The next run of packets, or time alone; undefined when there is nothing, or nothing yet. */
  next(nowMs: number): MirrorBatch | undefined {
    const { lanes } = this
    if (lanes.length === 1) {
      const lane = lanes[0] as Lane
      return lane.peek() === undefined ? lane.tick() : lane.take(Number.POSITIVE_INFINITY)
    }
    return this.#merged(nowMs) ?? this.#tick()
  }

  #merged(nowMs: number): MirrorBatch | undefined {
    const known = Math.max(...this.lanes.map((lane) => Math.max(lane.peek() ?? 0, lane.until + lane.orderShift)))
    const lateBefore = known - this.#windowMs * 1000
    let late: Lane | undefined
    let lateAt = Number.POSITIVE_INFINITY
    let best: Lane | undefined
    let bestAt = Number.POSITIVE_INFINITY
    let limit = Number.POSITIVE_INFINITY
    let silent = Number.POSITIVE_INFINITY
    for (const lane of this.lanes) {
      const at = lane.peek()
      if (at === undefined) {
        if (lane.connected) silent = Math.min(silent, lane.until + lane.orderShift)
      } else if (at < lateBefore) {
        if (at < lateAt) {
          late = lane
          lateAt = at
        }
      } else if (at < bestAt) {
        limit = Math.min(limit, bestAt)
        best = lane
        bestAt = at
      } else limit = Math.min(limit, at)
    }
    if (late !== undefined && (best === undefined || !this.#servedLate)) {
      this.#servedLate = true
      return late.take(lateBefore)
    }
    this.#servedLate = false
    if (best === undefined) return undefined
    if (nowMs - best.arrivedMs < this.#windowMs) {
      if (bestAt > silent) return undefined
      limit = Math.min(limit, silent)
    }
    return best.take(limit)
  }

  /** Time goes on for all when it has for the slowest that is here. */
  #tick(): MirrorBatch | undefined {
    for (const lane of this.lanes) {
      const tick = lane.tick()
      if (tick !== undefined) return tick
    }
    return undefined
  }
}
