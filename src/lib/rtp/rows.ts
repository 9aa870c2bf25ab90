import { type Ticks, ticksDelta } from '../base/units.js'

/**
 * What changes with every packet of a stream, in one row of 64 bytes: one cache line a packet, where objects with their boxed
 * numbers take ten (at 10,000 streams that is the difference between 0.7 and over 3 million packets/s). Three views of one memory;
 * a row's number counts words of four bytes, so a double stands at half of it.
 *
 *     0        8         16              24         28            32           36     40      44        48         52     56              60
 *     | source | arrival | jitter sum ms | jitter ms | jitter max | ticks / ms | ssrc | ticks | highest | received | kind | jitter left out | tag |
 */
export const double = {
  source: 0,
  /** Of the last media packet. */
  arrival: 1,
  jitterSumMs: 2,
} as const

export const float = {
  jitterMs: 6,
  jitterMaxMs: 7,
  /** Of the media clock; 0 keeps the stream off the short way. */
  ticksPerMs: 8,
} as const

export const word = {
  ssrc: 9,
  ticks: 10,
  /** Highest sequence number, extended beyond 16 bits. */
  highest: 11,
  received: 12,
  /** Destination port × 65,536 + payload type × 256 + TTL. */
  kind: 13,
  /** Packets received that are not in the sum: events, noise, the first. */
  jitterLeftOut: 14,
  /** What the spool calls the file of the one call that owns the stream, or NO_TAG. */
  tag: 15,
} as const

export const rowLength = 16
const ROW_BYTES = 64
/** Memory from malloc begins 16 bytes into a page: so far on, rows begin with cache lines. Elsewhere they take two, and all is well. */
const SHIFT_BYTES = 48
export const NO_TAG = 0xffff_ffff
export const kindOf = (port: number, payloadType: number, ttl: number): number => port * 65_536 + payloadType * 256 + ttl
/** A kind that no packet has: no payload type yet. */
export const noKindOf = (port: number): number => port * 65_536 + 0xffff
/** From this deviation on, it has a bucket (rtp/jitter.ts). */
const DEVIATION_MS = 50

export class StreamRows {
  doubles = new Float64Array(0)
  floats = new Float32Array(0)
  words = new Uint32Array(0)
  #used = 0
  readonly #free: number[] = []

  constructor() {
    this.#makeRoom(256)
  }

  /** Answers the number of a row, zeroed but for its tag. */
  take(): number {
    const row = this.#free.pop() ?? this.#used
    if (row === this.#used) this.#used += rowLength
    if (this.#used > this.words.length) this.#makeRoom((2 * this.words.length) / rowLength)
    this.words.fill(0, row, row + rowLength)
    this.words[row + word.tag] = NO_TAG
    return row
  }

  give(row: number): void {
    this.#free.push(row)
  }

  #makeRoom(rows: number): void {
    const before = this.words
    const memory = new ArrayBuffer(rows * ROW_BYTES + SHIFT_BYTES)
    this.doubles = new Float64Array(memory, SHIFT_BYTES)
    this.floats = new Float32Array(memory, SHIFT_BYTES)
    this.words = new Uint32Array(memory, SHIFT_BYTES)
    this.words.set(before)
  }

  /**
   * The short way, for nearly every packet: the next number of the same SSRC, type and TTL, no CSRC, no extension, not far
   * off its time. The caller has found the row by both endpoints; 12 bytes at `at` are there. Takes the times of the batch
   * as they are: a number passed as an argument would be boxed. Answers false, having changed nothing, when any of that is
   * not so; RtpStream knows the rest.
   */
  acceptNext(row: number, view: DataView, at: number, ttl: number, micros: Float64Array, index: number): boolean {
    const { words, floats, doubles } = this
    const head = view.getUint32(at)
    if (head >>> 24 !== 0x80 || ((head >>> 8) & 0x7f00) + ttl !== (words[row + word.kind]! & 0xffff)) return false
    const highest = words[row + word.highest]!
    if ((head & 0xffff) !== ((highest + 1) & 0xffff) || view.getUint32(at + 8) !== words[row + word.ssrc]) return false
    const ticksPerMs = floats[row + float.ticksPerMs]!
    if (ticksPerMs === 0) return false
    const ticks = view.getInt32(at + 4)
    const arrival = micros[index]!
    const half = row >>> 1
    const deviation = Math.abs(
      (arrival - doubles[half + double.arrival]!) / 1000 - ticksDelta(ticks as Ticks, words[row + word.ticks]! as Ticks) / ticksPerMs,
    )
    if (deviation >= DEVIATION_MS) return false
    const before = floats[row + float.jitterMs]!
    const jitterMs = before + (deviation - before) / 16
    words[row + word.highest] = highest + 1
    words[row + word.received]!++
    doubles[half + double.arrival] = arrival
    words[row + word.ticks] = ticks
    floats[row + float.jitterMs] = jitterMs
    doubles[half + double.jitterSumMs]! += jitterMs
    if (jitterMs > floats[row + float.jitterMaxMs]!) floats[row + float.jitterMaxMs] = jitterMs
    return true
  }
}
