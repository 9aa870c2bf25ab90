/**
 * Memory of blocks that are done with, for those to come. Blocks come ten times a second and are as long as the ones before; left to
 * the collector, which sees no hurry in memory outside its heap, some 20 MB of them would lie about.
 */

/** Lengths are rounded up, so that the next block is likely to fit. */
const STEP = 16 << 10
/** A few blocks are in flight at a time; what more comes back is let go. */
const SPARE_MAX = 8
/** A short block in a long buffer would make the queue's bound a lie. */
const ROOM_FACTOR = 1.5

export class SpareBuffers {
  readonly #spare: ArrayBuffer[] = []
  /** What was made here: other memory is nobody's to be given back. */
  readonly #made = new WeakSet<ArrayBufferLike>()

  /** So many bytes, with whatever is in them. */
  take(length: number): Uint8Array {
    const at = this.#spare.findIndex((buffer) => buffer.byteLength >= length && buffer.byteLength <= Math.max(STEP, length * ROOM_FACTOR))
    if (at >= 0) return new Uint8Array(this.#spare.splice(at, 1)[0] as ArrayBuffer, 0, length)
    const buffer = new ArrayBuffer(Math.ceil(length / STEP) * STEP)
    this.#made.add(buffer)
    return new Uint8Array(buffer, 0, length)
  }

  /** Nobody looks at these bytes any more. */
  give({ buffer }: Uint8Array): void {
    if (!this.#made.has(buffer)) return
    if (this.#spare.length >= SPARE_MAX) this.#spare.shift()
    this.#spare.push(buffer as ArrayBuffer)
  }
}
