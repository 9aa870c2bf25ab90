/** Telephone events (RFC 4733): which digit, and that all packets of one press share a timestamp, so a press counts once. */

/** Table 3 of RFC 4733: 0–9, *, #, A–D, and 16 for the flash hook. */
const DIGITS = '0123456789*#ABCDF'

export class TelephoneEvents {
  #lastTicks = -1
  #lastEvent = -1

  /** Answers the digit at the first packet of a press, undefined for its other packets and for events that are no digit. */
  accept(event: number, ticks: number): string | undefined {
    if (ticks === this.#lastTicks && event === this.#lastEvent) return undefined
    this.#lastTicks = ticks
    this.#lastEvent = event
    return DIGITS[event]
  }
}
