import { type Micros, SECOND } from '../base/units.js'

/**
 * Capture time as the calls feel it: it follows the packets, but one packet with a wild timestamp (a corrupt record,
 * a bad clock) does not age every call by years. A jump is believed when several packets in a row agree on it.
 */
const FORWARD_MAX = 600 * SECOND
const BACKWARD_MAX = 60 * SECOND
const FORWARD_WITNESSES = 3
/** More for the way back: merged captures are out of order by nature. */
const BACKWARD_WITNESSES = 32

export class CaptureClock {
  now = 0 as Micros
  /** Jumps that were believed. */
  jumps = 0
  #ahead = 0
  #behind = 0

  /** The last packets are from well before `now`: it may be about to go back, so no timer may fire. */
  get doubtful(): boolean {
    return this.#behind > 0
  }

  /** Takes the time of the next packet, answers the time it is. */
  observe(micros: Micros): Micros {
    const step = micros - this.now
    if (step >= 0 && step <= FORWARD_MAX) {
      this.#ahead = this.#behind = 0
      this.now = micros
    } else if (step < 0 && step >= -BACKWARD_MAX) {
      this.#behind = 0
    } else this.#doubt(micros, step)
    return this.now
  }

  /** Packets up to `before` can be followed without asking, when none of them steps back. */
  get sureUntil(): number {
    return this.#behind > 0 ? 0 : this.now + FORWARD_MAX
  }

  /** Takes the time of packets that came in order, none beyond `sureUntil`. */
  follow(micros: Micros): void {
    this.#ahead = this.#behind = 0
    this.now = micros
  }

  /** The source itself says how late it is: no doubt. */
  set(micros: Micros): void {
    if (micros > this.now) this.now = micros
  }

  #doubt(micros: Micros, step: number): void {
    const believed = this.now === 0 || (step > 0 ? ++this.#ahead >= FORWARD_WITNESSES : ++this.#behind >= BACKWARD_WITNESSES)
    if (!believed) return
    if (this.now !== 0) this.jumps++
    this.#ahead = this.#behind = 0
    this.now = micros
  }
}
