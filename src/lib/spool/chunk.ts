import { recordHeaderLength, writeRecordHeader } from '../pcap/write.js'

/**
 * Records of one pcap on their way to the disk, as bytes ready to be appended. Packets may come a little out of order
 * (a fragment is handed out when its datagram is whole), so the order by time is made when the chunk is cut off.
 */
export class Chunk {
  bytes: Uint8Array
  #view: DataView
  used = 0
  /** Capture times of the first and the latest record. */
  oldest = Number.POSITIVE_INFINITY
  newest = 0
  #inOrder = true
  readonly #nanos: boolean

  constructor(buffer: ArrayBuffer, nanos: boolean) {
    this.bytes = new Uint8Array(buffer)
    this.#view = new DataView(buffer)
    this.#nanos = nanos
  }

  fits(captured: number): boolean {
    return this.used + recordHeaderLength + captured <= this.bytes.length
  }

  add(micros: number, nanos: number, from: Uint8Array, at: number, captured: number, length: number): void {
    if (micros < this.newest) this.#inOrder = false
    else this.newest = micros
    if (micros < this.oldest) this.oldest = micros
    const body = writeRecordHeader(this.#view, this.used, micros, this.#nanos ? nanos : -1, captured, length)
    this.bytes.set(from.subarray(at, at + captured), body)
    this.used = body + captured
  }

  /** Moves to a larger buffer; answers the old one. */
  grow(buffer: ArrayBuffer): ArrayBuffer {
    const old = this.bytes
    this.bytes = new Uint8Array(buffer)
    this.bytes.set(old.subarray(0, this.used))
    this.#view = new DataView(buffer)
    return old.buffer as ArrayBuffer
  }

  /**
   * Puts the records in order and cuts: what is older than `keepMicros` before the newest stays here to be written,
   * the rest (at most a quarter of the chunk) is copied to `rest`, which becomes the call's next chunk.
   */
  cut(keepMicros: number, rest: Chunk): void {
    if (!this.#inOrder) this.#sort()
    const limit = this.newest - keepMicros
    let at = this.used
    const cuts: number[] = []
    for (let i = 0; i < this.used; i = this.#next(i)) cuts.push(i)
    for (let i = cuts.length - 1; i >= 0; i--) {
      const start = cuts[i] as number
      if (this.#microsAt(start) <= limit || this.used - start > this.bytes.length / 4) break
      at = start
    }
    rest.bytes.set(this.bytes.subarray(at, this.used))
    rest.used = this.used - at
    if (rest.used > 0) {
      rest.newest = this.newest
      rest.oldest = this.#microsAt(at)
    }
    this.used = at
  }

  /** Makes the order by time; equal times keep the order in which they came. */
  order(): void {
    if (!this.#inOrder) this.#sort()
  }

  #sort(): void {
    const records: { start: number; end: number; micros: number }[] = []
    for (let i = 0; i < this.used; i = this.#next(i)) records.push({ start: i, end: this.#next(i), micros: this.#timeAt(i) })
    records.sort((a, b) => a.micros - b.micros)
    const copy = this.bytes.slice(0, this.used)
    let at = 0
    for (const { start, end } of records) {
      this.bytes.set(copy.subarray(start, end), at)
      at += end - start
    }
    this.#inOrder = true
  }

  #next(at: number): number {
    return at + recordHeaderLength + this.#view.getUint32(at + 8, true)
  }

  /** In units of the file, for ordering. */
  #timeAt(at: number): number {
    return this.#view.getUint32(at, true) * (this.#nanos ? 1e9 : 1e6) + this.#view.getUint32(at + 4, true)
  }

  #microsAt(at: number): number {
    return this.#nanos ? this.#timeAt(at) / 1000 : this.#timeAt(at)
  }
}
