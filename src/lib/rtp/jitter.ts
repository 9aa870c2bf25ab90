import { type Ticks, ticksDelta } from '../base/units.js'
import { double, float, type StreamRows, word } from './rows.js'

/**
 * Interarrival jitter of one stream, RFC 3550 A.8, over media packets only: telephone events repeat their timestamp
 * and comfort noise keeps its own pace, so the caller leaves both out.
 */

/** A deviation above this is a jump of somebody's clock, not jitter (VoIPmonitor's limit too): measuring starts anew. */
const JUMP_MS = 5000
/** Lower bounds of VoIPmonitor's d50 … d300. */
const DEVIATIONS_MS = [50, 70, 90, 120, 150, 200, 300]

/** Takes each media packet after it was counted in `received`. */
export class Jitter {
  /** Packets by how far they were off. */
  readonly deviations: number[] = Array<number>(DEVIATIONS_MS.length).fill(0)
  readonly #rows: StreamRows
  readonly #row: number
  /** As precise as in its row, so that both ways count alike. */
  #ticksPerMs: number
  #started = false

  constructor(clockRate: number, rows: StreamRows, row: number) {
    this.#ticksPerMs = Math.fround(clockRate / 1000)
    this.#rows = rows
    this.#row = row
  }

  accept(ticks: number, arrival: number, marker: boolean): void {
    const { doubles, floats, words } = this.#rows
    const row = this.#row
    const half = row >>> 1
    if (this.#started) {
      // A difference of differences: a wrap of either clock cancels out.
      const elapsedMs = (arrival - doubles[half + double.arrival]!) / 1000
      const deviation = Math.abs(elapsedMs - ticksDelta(ticks as Ticks, words[row + word.ticks]! as Ticks) / this.#ticksPerMs)
      if (deviation > JUMP_MS) words[row + word.jitterLeftOut]!++
      else {
        const before = floats[row + float.jitterMs]!
        const jitterMs = before + (deviation - before) / 16
        floats[row + float.jitterMs] = jitterMs
        doubles[half + double.jitterSumMs]! += jitterMs
        if (jitterMs > floats[row + float.jitterMaxMs]!) floats[row + float.jitterMaxMs] = jitterMs
        if (deviation >= 50 && !marker) this.#deviate(deviation)
      }
    } else words[row + word.jitterLeftOut]!++
    this.#started = true
    words[row + word.ticks] = ticks
    doubles[half + double.arrival] = arrival
  }

  /** The clock rate changed with the codec: differences across the change mean nothing. */
  restart(clockRate: number): void {
    this.#ticksPerMs = Math.fround(clockRate / 1000)
    this.#started = false
  }

  get ticksPerMs(): number {
    return this.#ticksPerMs
  }

  /** Undefined until two packets could be compared. */
  get meanMs(): number | undefined {
    const { doubles, words } = this.#rows
    const count = words[this.#row + word.received]! - words[this.#row + word.jitterLeftOut]!
    return count === 0 ? undefined : doubles[(this.#row >>> 1) + double.jitterSumMs]! / count
  }

  /** The running value. */
  get nowMs(): number {
    return this.#rows.floats[this.#row + float.jitterMs]!
  }

  get maxMs(): number {
    return this.#rows.floats[this.#row + float.jitterMaxMs]!
  }

  #deviate(deviation: number): void {
    let i = DEVIATIONS_MS.length - 1
    while (deviation < DEVIATIONS_MS[i]!) i--
    this.deviations[i]!++
  }
}
