import { type Ticks, ticksDelta } from '../base/units.js'

/**
 * What changes with every packet of a stream, in one row of one typed array: two cache lines a packet, where objects
 * with their boxed numbers take ten (at 10,000 streams that is the difference between 0.7 and over 3 million packets/s).
 */
export const column = {
  source: 0,
  ssrc: 1,
  /** Payload type × 256 + TTL. */
  kind: 2,
  /** Highest sequence number, extended beyond 16 bits. */
  highest: 3,
  received: 4,
  /** Of the last media packet. */
  arrival: 5,
  ticks: 6,
  /** Of the media clock; 0 keeps the stream off the short way. */
  ticksPerMs: 7,
  jitterMs: 8,
  jitterSumMs: 9,
  jitterMaxMs: 10,
  /** Packets received that are not in the sum: events, noise, the first. */
  jitterLeftOut: 11,
  /** What the spool calls the file of the one call that owns the stream, or NO_TAG. */
  tag: 12,
} as const

export const rowLength = 16
export const NO_TAG = -1
/** From this deviation on, it has a bucket (rtp/jitter.ts). */
const DEVIATION_MS = 50

export class StreamRows {
  cells = new Float64Array(256 * rowLength)
  #used = 0
  readonly #free: number[] = []

  /** Answers the offset of a row, zeroed but for its tag. */
  take(): number {
    const free = this.#free.pop()
    if (free !== undefined) {
      this.cells.fill(0, free, free + rowLength)
      this.cells[free + column.tag] = NO_TAG
      return free
    }
    const row = this.#used
    this.#used += rowLength
    if (this.#used > this.cells.length) {
      const larger = new Float64Array(2 * this.cells.length)
      larger.set(this.cells)
      this.cells = larger
    }
    this.cells[row + column.tag] = NO_TAG
    return row
  }

  give(row: number): void {
    this.#free.push(row)
  }

  /**
   * The short way, for nearly every packet: the next number of the same SSRC, type and TTL, no CSRC, no extension, not far
   * off its time. The caller has found the row by both endpoints; 12 bytes at `at` are there. Takes the times of the batch
   * as they are: a number passed as an argument would be boxed. Answers false, having changed nothing, when any of that is
   * not so; RtpStream knows the rest.
   */
  acceptNext(row: number, view: DataView, at: number, ttl: number, micros: Float64Array, index: number): boolean {
    const cells = this.cells
    const head = view.getUint32(at)
    if (head >>> 24 !== 0x80 || ((head >>> 8) & 0x7f00) + ttl !== cells[row + column.kind]) return false
    const highest = cells[row + column.highest]!
    if ((head & 0xffff) !== ((highest + 1) & 0xffff) || view.getUint32(at + 8) !== cells[row + column.ssrc]) return false
    const ticksPerMs = cells[row + column.ticksPerMs]!
    if (ticksPerMs === 0) return false
    const ticks = view.getInt32(at + 4)
    const arrival = micros[index]!
    const deviation = Math.abs(
      (arrival - cells[row + column.arrival]!) / 1000 - ticksDelta(ticks as Ticks, cells[row + column.ticks]! as Ticks) / ticksPerMs,
    )
    if (deviation >= DEVIATION_MS) return false
    const jitterMs = cells[row + column.jitterMs]! + (deviation - cells[row + column.jitterMs]!) / 16
    cells[row + column.highest] = highest + 1
    cells[row + column.received]!++
    cells[row + column.arrival] = arrival
    cells[row + column.ticks] = ticks
    cells[row + column.jitterMs] = jitterMs
    cells[row + column.jitterSumMs]! += jitterMs
    if (jitterMs > cells[row + column.jitterMaxMs]!) cells[row + column.jitterMaxMs] = jitterMs
    return true
  }
}
