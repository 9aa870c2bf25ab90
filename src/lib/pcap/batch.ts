import type { PacketBatch } from '../base/packets.js'
import type { Micros } from '../base/units.js'

/** The arrays of a batch, filled by a reader and reused for the next one: a file of millions of packets makes no garbage. */
export class BatchFill implements PacketBatch {
  bytes: Uint8Array
  count = 0
  readonly at: Uint32Array
  readonly captured: Uint32Array
  readonly length: Uint32Array
  readonly micros: Float64Array
  nanos: Uint16Array | undefined
  linkType = 0
  until = 0 as Micros
  readonly #nanos: Uint16Array
  readonly capacity: number

  constructor(bytes: Uint8Array, capacity = 16_384) {
    this.bytes = bytes
    this.capacity = capacity
    this.at = new Uint32Array(capacity)
    this.captured = new Uint32Array(capacity)
    this.length = new Uint32Array(capacity)
    this.micros = new Float64Array(capacity)
    this.#nanos = new Uint16Array(capacity)
  }

  begin(bytes: Uint8Array, linkType: number, withNanos: boolean): void {
    this.bytes = bytes
    this.linkType = linkType
    this.count = 0
    this.nanos = withNanos ? this.#nanos : undefined
  }

  get full(): boolean {
    return this.count === this.capacity
  }

  add(at: number, captured: number, length: number, micros: number, nanos: number): void {
    const i = this.count++
    this.at[i] = at
    this.captured[i] = captured
    this.length[i] = length
    this.micros[i] = micros
    this.#nanos[i] = nanos
  }

  release(): void {}
}
