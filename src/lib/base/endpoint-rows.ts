import type { Endpoint } from './units.js'

/**
 * Endpoint → row number by open addressing over one typed array in which key and row lie side by side: one cache line a
 * look-up. Linear probing; removal shifts back, so there are no tombstones.
 */
export class EndpointRows {
  /** Pairs [endpoint, row]; endpoint 0 means empty: 0.0.0.0:0 is nobody's. */
  pairs: Float64Array
  mask: number
  size = 0

  constructor(capacity = 1024) {
    this.pairs = new Float64Array(2 * capacity)
    this.mask = capacity - 1
  }

  /** -1 when it is not there. */
  get(endpoint: Endpoint): number {
    const pairs = this.pairs
    const mask = this.mask
    let i = hash(endpoint) & mask
    for (;;) {
      const key = pairs[2 * i]
      if (key === endpoint) return pairs[2 * i + 1]!
      if (key === 0) return -1
      i = (i + 1) & mask
    }
  }

  set(endpoint: Endpoint, row: number): void {
    if (this.size * 2 > this.mask) this.#grow()
    let i = hash(endpoint) & this.mask
    while (this.pairs[2 * i] !== 0 && this.pairs[2 * i] !== endpoint) i = (i + 1) & this.mask
    if (this.pairs[2 * i] === 0) {
      this.pairs[2 * i] = endpoint
      this.size++
    }
    this.pairs[2 * i + 1] = row
  }

  delete(endpoint: Endpoint): boolean {
    const pairs = this.pairs
    const mask = this.mask
    let hole = hash(endpoint) & mask
    while (pairs[2 * hole] !== endpoint) {
      if (pairs[2 * hole] === 0) return false
      hole = (hole + 1) & mask
    }
    // Move up whatever would no longer be found across the hole.
    for (let i = (hole + 1) & mask; pairs[2 * i] !== 0; i = (i + 1) & mask) {
      const home = hash(pairs[2 * i]!) & mask
      if (((i - home) & mask) < ((i - hole) & mask)) continue
      pairs[2 * hole] = pairs[2 * i]!
      pairs[2 * hole + 1] = pairs[2 * i + 1]!
      hole = i
    }
    pairs[2 * hole] = 0
    this.size--
    return true
  }

  #grow(): void {
    const old = this.pairs
    const capacity = 2 * (this.mask + 1)
    this.pairs = new Float64Array(2 * capacity)
    this.mask = capacity - 1
    this.size = 0
    for (let i = 0; i < old.length; i += 2) if (old[i] !== 0) this.set(old[i] as Endpoint, old[i + 1]!)
  }
}

function hash(endpoint: number): number {
  const address = Math.floor(endpoint / 65_536)
  return hashOf(address, endpoint - address * 65_536)
}

/** Port and address bits mixed; media ports are even and neighbours, so the low bits alone would cluster. Of one port, no two addresses have the same. */
export function hashOf(address: number, port: number): number {
  let h = Math.imul(address | 0, 0x9e3779b1) ^ Math.imul(port, 0x85ebca6b)
  h ^= h >>> 15
  h = Math.imul(h, 0x2c1b3c6d)
  return h ^ (h >>> 13)
}
