import { type Micros, SECOND } from '../base/units.js'

/**
 * The last minutes of some values, one sample a second of capture time: what sparklines and plots are drawn from. A second
 * without news is a gap. Bounded, and small while it is short: a screen keeps one for every stream it shows, so a value has
 * two bytes.
 */
const FIRST_SAMPLES = 8
const UNKNOWN = 0xffff

export class Trail {
  /** What one of a value is kept as: 1000 keeps thousandths, up to 65. */
  readonly #scales: readonly number[]
  readonly #samplesMax: number
  #values: Uint16Array
  /** Samples there is room for; when it has grown to the maximum, the ring closes. */
  #room: number
  #count = 0
  #next = 0
  #second = -1

  /** Values are 0 or more; what is larger than 65,534 of its parts is kept as so many. */
  constructor(scales: readonly number[], samplesMax: number) {
    this.#scales = scales
    this.#samplesMax = samplesMax
    this.#room = Math.min(FIRST_SAMPLES, samplesMax)
    this.#values = new Uint16Array(this.#room * scales.length)
  }

  get length(): number {
    return this.#count
  }

  /** Second of the newest sample, since the epoch; -1 while there is none. */
  get second(): number {
    return this.#second
  }

  /** The newest values of the second of `at`; what was said before of the same second is replaced. */
  put(at: Micros, ...values: readonly (number | undefined)[]): void {
    const second = Math.floor(at / SECOND)
    if (second === this.#second) this.#next = (this.#next + this.#room - 1) % this.#room
    else if (this.#second >= 0 && second > this.#second) {
      const gap = Math.min(second - this.#second - 1, this.#samplesMax)
      for (let i = 0; i < gap; i++) this.#push([])
    } else if (second < this.#second) {
      // The clock of the capture was set back: what was before is of another time.
      this.#count = this.#next = 0
    }
    const again = second === this.#second
    this.#second = second
    if (again) this.#write(values)
    else this.#push(values)
  }

  /** A value of the sample `back` before the newest; undefined where nothing is known. */
  at(back: number, value = 0): number | undefined {
    if (back < 0 || back >= this.#count) return undefined
    const sample = (this.#next + this.#room - 1 - back) % this.#room
    const found = this.#values[sample * this.#scales.length + value] as number
    return found === UNKNOWN ? undefined : found / (this.#scales[value] as number)
  }

  /** The last `count` values, oldest first. */
  last(count: number, value = 0): (number | undefined)[] {
    return Array.from({ length: count }, (_, i) => this.at(count - 1 - i, value))
  }

  #push(values: readonly (number | undefined)[]): void {
    if (this.#count === this.#room && this.#room < this.#samplesMax) this.#grow()
    this.#write(values)
    this.#count = Math.min(this.#count + 1, this.#room)
  }

  #write(values: readonly (number | undefined)[]): void {
    const from = this.#next * this.#scales.length
    this.#scales.forEach((scale, i) => {
      const value = values[i]
      this.#values[from + i] = value === undefined ? UNKNOWN : Math.max(0, Math.min(UNKNOWN - 1, Math.round(value * scale)))
    })
    this.#next = (this.#next + 1) % this.#room
  }

  #grow(): void {
    const room = Math.min(2 * this.#room, this.#samplesMax)
    const values = new Uint16Array(room * this.#scales.length)
    const from = this.#next * this.#scales.length
    values.set(this.#values.subarray(from))
    values.set(this.#values.subarray(0, from), this.#values.length - from)
    this.#values = values
    this.#next = this.#room
    this.#room = room
  }
}
