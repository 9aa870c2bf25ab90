/** Buffers for chunks: three sizes, reused, and bounded in sum. Those on their way to the disk count as taken. */
export const sizes = [4096, 16_384, 65_536] as const

export class BufferPool {
  readonly #free = new Map<number, ArrayBuffer[]>(sizes.map((size) => [size, []]))
  readonly #max: number
  taken = 0

  constructor(maxBytes: number) {
    this.#max = maxBytes
  }

  /** A buffer of at least this size; undefined when the pool is used up. A packet larger than the largest size gets one of its own. */
  take(bytes: number): ArrayBuffer | undefined {
    const size = sizes.find((s) => s >= bytes) ?? bytes
    if (this.taken + size > this.#max) return undefined
    this.taken += size
    return this.#free.get(size)?.pop() ?? new ArrayBuffer(size)
  }

  give(buffer: ArrayBuffer): void {
    this.taken -= buffer.byteLength
    this.#free.get(buffer.byteLength)?.push(buffer)
  }

  get max(): number {
    return this.#max
  }
}
