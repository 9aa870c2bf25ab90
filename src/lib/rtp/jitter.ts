import { type Ticks, ticksDelta } from '../base/units.js'
import { column, type StreamRows } from './rows.js'

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
  #ticksPerMs: number
  #started = false

  constructor(clockRate: number, rows: StreamRows, row: number) {
    this.#ticksPerMs = clockRate / 1000
    this.#rows = rows
    this.#row = row
  }

  accept(ticks: number, arrival: number, marker: boolean): void {
    const { cells } = this.#rows
    const row = this.#row
    if (this.#started) {
      // A difference of differences: a wrap of either clock cancels out.
      const elapsedMs = (arrival - cells[row + column.arrival]!) / 1000
      const deviation = Math.abs(elapsedMs - ticksDelta(ticks as Ticks, cells[row + column.ticks]! as Ticks) / this.#ticksPerMs)
      if (deviation > JUMP_MS) cells[row + column.jitterLeftOut]!++
      else {
        const jitterMs = cells[row + column.jitterMs]! + (deviation - cells[row + column.jitterMs]!) / 16
        cells[row + column.jitterMs] = jitterMs
        cells[row + column.jitterSumMs]! += jitterMs
        if (jitterMs > cells[row + column.jitterMaxMs]!) cells[row + column.jitterMaxMs] = jitterMs
        if (deviation >= 50 && !marker) this.#deviate(deviation)
      }
    } else cells[row + column.jitterLeftOut]!++
    this.#started = true
    cells[row + column.ticks] = ticks | 0
    cells[row + column.arrival] = arrival
  }

  /** The clock rate changed with the codec: differences across the change mean nothing. */
  restart(clockRate: number): void {
    this.#ticksPerMs = clockRate / 1000
    this.#started = false
  }

  get ticksPerMs(): number {
    return this.#ticksPerMs
  }

  /** Undefined until two packets could be compared. */
  get meanMs(): number | undefined {
    const { cells } = this.#rows
    const count = cells[this.#row + column.received]! - cells[this.#row + column.jitterLeftOut]!
    return count === 0 ? undefined : cells[this.#row + column.jitterSumMs]! / count
  }

  /** The running value. */
  get nowMs(): number {
    return this.#rows.cells[this.#row + column.jitterMs]!
  }

  get maxMs(): number {
    return this.#rows.cells[this.#row + column.jitterMaxMs]!
  }

  #deviate(deviation: number): void {
    let i = DEVIATIONS_MS.length - 1
    while (deviation < DEVIATIONS_MS[i]!) i--
    this.deviations[i]!++
  }
}
