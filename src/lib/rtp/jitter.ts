import { type Ticks, ticksDelta } from '../base/units.js'

/**
 * Interarrival jitter of one stream, RFC 3550 A.8, over media packets only: telephone events repeat their timestamp
 * and comfort noise keeps its own pace, so the caller leaves both out.
 */

/** A deviation above this is a jump of somebody's clock, not jitter (VoIPmonitor's limit too): measuring starts anew. */
const JUMP_MS = 5000
/** Lower bounds of VoIPmonitor's d50 … d300. */
const DEVIATIONS_MS = [50, 70, 90, 120, 150, 200, 300]

export class Jitter {
  /** Ticks a millisecond of the media clock. */
  #ticksPerMs: number
  #ticks = 0
  #arrival = 0
  #started = false
  #jitterMs = 0
  #sumMs = 0
  #count = 0
  maxMs = 0
  readonly deviations = new Uint32Array(DEVIATIONS_MS.length)

  constructor(clockRate: number) {
    this.#ticksPerMs = clockRate / 1000
  }

  accept(ticks: number, arrival: number, marker: boolean): void {
    if (this.#started) {
      // A difference of differences: a wrap of either clock cancels out.
      const deviation = Math.abs((arrival - this.#arrival) / 1000 - ticksDelta(ticks as Ticks, this.#ticks as Ticks) / this.#ticksPerMs)
      if (deviation <= JUMP_MS) {
        this.#jitterMs += (deviation - this.#jitterMs) / 16
        this.#sumMs += this.#jitterMs
        this.#count++
        if (this.#jitterMs > this.maxMs) this.maxMs = this.#jitterMs
        if (deviation >= 50 && !marker) this.#deviate(deviation)
      }
    }
    this.#started = true
    this.#ticks = ticks
    this.#arrival = arrival
  }

  /** The clock rate changed with the codec: differences across the change mean nothing. */
  restart(clockRate: number): void {
    this.#ticksPerMs = clockRate / 1000
    this.#started = false
  }

  /** Undefined until two packets could be compared. */
  get meanMs(): number | undefined {
    return this.#count === 0 ? undefined : this.#sumMs / this.#count
  }

  #deviate(deviation: number): void {
    let i = DEVIATIONS_MS.length - 1
    while (deviation < DEVIATIONS_MS[i]!) i--
    this.deviations[i]!++
  }
}
