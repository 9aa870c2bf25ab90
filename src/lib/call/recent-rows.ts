import { addressOf, portOf } from '../base/address.js'
import { hashOf } from '../base/endpoint-rows.js'
import type { Endpoint } from '../base/units.js'

/**
 * Destination → row of the stream whose packet came there last: the look-up that every media packet pays, in eight bytes. It
 * remembers the hash, not the endpoint: of two endpoints with one hash the later stays, so whoever asks checks what the row says.
 * Two such endpoints have different ports, because of one port `hashOf` gives every address another value.
 * Open addressing, linear probing; removal shifts back, so there are no tombstones.
 */
export class RecentRows {
  /** Pairs [hash, row + 1]; row 0 means empty. To be read by loops that cannot afford a call. */
  pairs: Int32Array
  mask: number
  size = 0
  /** Counts up whenever a look-up may answer otherwise than before. */
  changes = 0

  constructor(capacity = 1024) {
    this.pairs = new Int32Array(2 * capacity)
    this.mask = capacity - 1
  }

  /** -1 when there is none. */
  get(endpoint: Endpoint): number {
    return this.pairs[2 * this.#slot(hash(endpoint)) + 1]! - 1
  }

  set(endpoint: Endpoint, row: number): void {
    if (this.size * 2 > this.mask) this.#grow()
    this.#put(hash(endpoint), row + 1)
  }

  /** Forgets it when it is this row. */
  delete(endpoint: Endpoint, row: number): void {
    const { pairs, mask } = this
    let hole = this.#slot(hash(endpoint))
    if (pairs[2 * hole + 1] !== row + 1) return
    // Move up whatever would no longer be found across the hole.
    for (let i = (hole + 1) & mask; pairs[2 * i + 1] !== 0; i = (i + 1) & mask) {
      const home = pairs[2 * i]! & mask
      if (((i - home) & mask) < ((i - hole) & mask)) continue
      pairs[2 * hole] = pairs[2 * i]!
      pairs[2 * hole + 1] = pairs[2 * i + 1]!
      hole = i
    }
    pairs[2 * hole + 1] = 0
    this.size--
    this.changes++
  }

  /** Where this hash is, or the empty place where it would be. */
  #slot(wanted: number): number {
    const { pairs, mask } = this
    let slot = wanted & mask
    while (pairs[2 * slot + 1] !== 0 && pairs[2 * slot] !== wanted) slot = (slot + 1) & mask
    return slot
  }

  #put(wanted: number, entry: number): void {
    const slot = this.#slot(wanted)
    const there = this.pairs[2 * slot + 1]
    if (there === entry) return
    if (there === 0) this.size++
    this.pairs[2 * slot] = wanted
    this.pairs[2 * slot + 1] = entry
    this.changes++
  }

  #grow(): void {
    const old = this.pairs
    const capacity = 2 * (this.mask + 1)
    this.pairs = new Int32Array(2 * capacity)
    this.mask = capacity - 1
    this.size = 0
    for (let i = 0; i < old.length; i += 2) if (old[i + 1] !== 0) this.#put(old[i]!, old[i + 1]!)
  }
}

const hash = (endpoint: Endpoint): number => hashOf(addressOf(endpoint), portOf(endpoint))
