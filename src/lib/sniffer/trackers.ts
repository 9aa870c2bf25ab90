import { AddressBook } from '../base/address.js'
import type { BatchOrigin, PacketBatch } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import type { TrackerOutputs } from '../call/outputs.js'
import { CallTracker, type TrackerChange, type TrackerOptions, type TrackerTotals } from '../call/tracker.js'

/**
 * A tracker for each origin of packets: one for what is captured here, one for each sensor behind a mirror. Each has its own capture time,
 * so that a sensor that replays an outage, or whose clock is wrong, ends nobody else's calls; and its own addresses.
 */
export class Trackers {
  #options: TrackerOptions
  readonly #outputs: TrackerOutputs
  readonly #byOrigin = new Map<BatchOrigin | undefined, CallTracker>()

  constructor(options: TrackerOptions, outputs: TrackerOutputs) {
    this.#options = { ...options, numbers: { next: 1 } }
    this.#outputs = outputs
  }

  of({ origin }: PacketBatch): CallTracker {
    const known = this.#byOrigin.get(origin)
    if (known !== undefined) return known
    const options = origin === undefined ? this.#options : { ...this.#options, sensorId: origin.sensorId }
    const made = new CallTracker(options, new AddressBook(), this.#outputs)
    this.#byOrigin.set(origin, made)
    return made
  }

  change(to: TrackerChange): void {
    this.#options = { ...this.#options, ...to }
    for (const tracker of this.#byOrigin.values()) tracker.change(to)
  }

  finish(cause: 'end of input' | 'forced'): void {
    for (const tracker of this.#byOrigin.values()) tracker.finish(cause)
  }

  /** The latest capture time of all. */
  get now(): Micros {
    let latest = 0 as Micros
    for (const { now } of this.#byOrigin.values()) if (now > latest) latest = now
    return latest
  }

  get totals(): TrackerTotals {
    const sum = { packets: 0, rtp: 0, rtcp: 0, sip: 0, filtered: 0, calls: 0, open: 0 }
    for (const { totals } of this.#byOrigin.values()) for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += totals[key]
    return sum
  }

  oddities(): [reason: string, count: number][] {
    const sum = new Map<string, number>()
    for (const tracker of this.#byOrigin.values())
      for (const [reason, count] of tracker.oddities()) sum.set(reason, (sum.get(reason) ?? 0) + count)
    return [...sum]
  }
}
