import { u16, u16le, u32, u32le } from '../base/bytes.js'
import type { Counters } from '../base/counters.js'
import type { Micros } from '../base/units.js'
import type { BatchFill } from './batch.js'
import { type CaptureReader, capturedMax } from './reader.js'

/**
 * The pcapng file format (draft-ietf-opsawg-pcapng): sections in either byte order, several interfaces, each with its
 * link type and time resolution. Blocks of other kinds are skipped.
 *
 *   block   0      4        8        length - 4
 *           | type | length | body … | length |
 */
const SECTION = 0x0a0d0d0a
const INTERFACE = 1
const OLD_PACKET = 2
const SIMPLE_PACKET = 3
const STATISTICS = 5
const ENHANCED_PACKET = 6
const ORDER_MAGIC = 0x1a2b3c4d

/** A block longer than this is not believed. */
const BLOCK_MAX = 16 << 20
const INTERFACES_MAX = 4096

interface Interface {
  readonly linkType: number
  readonly snaplen: number
  /** Units of the timestamp in a second, and whether they are powers of ten up to 10^9. */
  readonly unitsPerSecond: number
  readonly offsetSeconds: number
}

export class PcapngReader implements CaptureReader {
  position = 0
  readonly #fill: BatchFill
  readonly #oddities: Counters
  #u16 = u16le
  #u32 = u32le
  #interfaces: Interface[] = []
  #current: Interface | undefined
  #lastMicros = 0
  /** Bytes of an absurdly long block that are still to be skipped. */
  #skip = 0
  /** What the capturing program said it lost (if_drop of statistics blocks). */
  dropped = 0

  constructor(fill: BatchFill, oddities: Counters) {
    this.#fill = fill
    this.#oddities = oddities
  }

  static recognise(head: Uint8Array): boolean {
    return u32(head, 0) === SECTION
  }

  *read(bytes: Uint8Array, from: number, end: number): Generator<BatchFill, void, void> {
    const fill = this.#fill
    let at = from
    fill.begin(bytes, 0, false)
    this.#current = undefined
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, end - at)
      this.#skip -= skipped
      at += skipped
    }
    while (at + 12 <= end) {
      if (u32(bytes, at) === SECTION && !this.#beginSection(bytes, at)) {
        at = this.#resync(bytes, at + 1, end)
        continue
      }
      const type = this.#u32(bytes, at)
      const length = this.#u32(bytes, at + 4)
      if (length < 12 || length % 4 !== 0 || length > BLOCK_MAX) {
        this.#oddities.add('pcapng block of impossible length')
        at = this.#resync(bytes, at + 1, end)
        continue
      }
      if (at + length > end) {
        if (length <= 2 * capturedMax || type === ENHANCED_PACKET) break
        // Nothing we need is that long (embedded files, keys, name tables): let it pass by.
        this.#skip = length - (end - at)
        at = end
        break
      }
      if (this.#u32(bytes, at + length - 4) !== length) this.#oddities.add('pcapng block whose two lengths differ')
      const packetInterface = this.#interfaceOf(bytes, type, at)
      if (packetInterface !== undefined) {
        if (
          this.#current !== undefined &&
          packetInterface !== this.#current &&
          !sameShape(packetInterface, this.#current) &&
          fill.count > 0
        ) {
          this.position = at
          yield this.#closed()
          fill.begin(bytes, 0, false)
        }
        if (fill.count === 0) fill.begin(bytes, packetInterface.linkType, packetInterface.unitsPerSecond > 1e6)
        this.#current = packetInterface
        this.#addPacket(bytes, type, at, length, packetInterface)
        if (fill.full) {
          this.position = at + length
          yield this.#closed()
          fill.begin(bytes, 0, false)
        }
      } else this.#otherBlock(bytes, type, at, length)
      at += length
    }
    this.position = at
    if (fill.count > 0) yield this.#closed()
  }

  #closed(): BatchFill {
    this.#fill.until = this.#fill.micros[this.#fill.count - 1] as Micros
    return this.#fill
  }

  #beginSection(bytes: Uint8Array, at: number): boolean {
    const little = u32le(bytes, at + 8) === ORDER_MAGIC
    if (!little && u32(bytes, at + 8) !== ORDER_MAGIC) {
      this.#oddities.add('pcapng section without a byte order')
      return false
    }
    this.#u16 = little ? u16le : u16
    this.#u32 = little ? u32le : u32
    this.#interfaces = []
    return true
  }

  /** The interface of a packet block; undefined for other blocks and for packets of an interface that was never described. */
  #interfaceOf(bytes: Uint8Array, type: number, at: number): Interface | undefined {
    if (type === ENHANCED_PACKET) return this.#interfaces[this.#u32(bytes, at + 8)]
    if (type === OLD_PACKET) return this.#interfaces[this.#u16(bytes, at + 8)]
    return type === SIMPLE_PACKET ? this.#interfaces[0] : undefined
  }

  #addPacket(bytes: Uint8Array, type: number, at: number, length: number, about: Interface): void {
    if (type === SIMPLE_PACKET) {
      const original = this.#u32(bytes, at + 8)
      const captured = Math.min(original, about.snaplen || original, length - 16)
      // It carries no time: that of the packet before is the best guess.
      this.#fill.add(at + 12, captured, original, this.#lastMicros, 0)
      return
    }
    const captured = this.#u32(bytes, at + 20)
    if (captured > length - 32) {
      this.#oddities.add('record longer than a packet can be')
      return
    }
    const high = this.#u32(bytes, at + 12)
    const low = this.#u32(bytes, at + 16)
    const units = about.unitsPerSecond
    let micros: number
    let nanos = 0
    if (units === 1e6) micros = high * 2 ** 32 + low
    else if (units === 1e9) {
      // 64 bits of nanoseconds do not fit a double; 2^32 of them are 4,294,967 µs and 296 ns.
      const rest = high * 296 + low
      micros = high * 4_294_967 + Math.floor(rest / 1000)
      nanos = rest % 1000
    } else micros = Math.floor(((high * 2 ** 32 + low) / units) * 1e6)
    micros += about.offsetSeconds * 1e6
    this.#lastMicros = micros
    this.#fill.add(at + 28, captured, Math.max(captured, this.#u32(bytes, at + 24)), micros, nanos)
  }

  #otherBlock(bytes: Uint8Array, type: number, at: number, length: number): void {
    if (type === INTERFACE) this.#addInterface(bytes, at, length)
    else if (type === STATISTICS) this.#readStatistics(bytes, at, length)
    else if (type === ENHANCED_PACKET || type === OLD_PACKET || type === SIMPLE_PACKET)
      this.#oddities.add('packet of an interface that the file does not describe')
  }

  #addInterface(bytes: Uint8Array, at: number, length: number): void {
    if (length < 20 || this.#interfaces.length >= INTERFACES_MAX) return
    let unitsPerSecond = 1e6
    let offsetSeconds = 0
    this.#options(bytes, at + 16, at + length - 4, (code, from, size) => {
      if (code === 9 && size >= 1) {
        const resolution = bytes[from] as number
        unitsPerSecond = resolution & 0x80 ? 2 ** (resolution & 0x7f) : 10 ** Math.min(resolution, 18)
      }
      if (code === 14 && size >= 8) offsetSeconds = this.#u32 === u32le ? this.#u32(bytes, from) : this.#u32(bytes, from + 4)
    })
    this.#interfaces.push({ linkType: this.#u16(bytes, at + 8), snaplen: this.#u32(bytes, at + 12), unitsPerSecond, offsetSeconds })
  }

  #readStatistics(bytes: Uint8Array, at: number, length: number): void {
    if (length < 24) return
    this.#options(bytes, at + 20, at + length - 4, (code, from, size) => {
      if (code === 5 && size >= 8) this.dropped += this.#u32 === u32le ? this.#u32(bytes, from) : this.#u32(bytes, from + 4)
    })
  }

  #options(bytes: Uint8Array, from: number, end: number, each: (code: number, at: number, size: number) => void): void {
    for (let at = from; at + 4 <= end; ) {
      const code = this.#u16(bytes, at)
      const size = this.#u16(bytes, at + 2)
      if (code === 0 || at + 4 + size > end) return
      each(code, at + 4, size)
      at += 4 + ((size + 3) & ~3)
    }
  }

  /** The next offset where a block begins whose two lengths agree. */
  #resync(bytes: Uint8Array, from: number, end: number): number {
    for (let at = (from + 3) & ~3; at + 12 <= end; at += 4) {
      const type = this.#u32(bytes, at)
      if (type !== ENHANCED_PACKET && type !== INTERFACE && type !== SIMPLE_PACKET && u32(bytes, at) !== SECTION) continue
      const length = this.#u32(bytes, at + 4)
      if (length >= 12 && length % 4 === 0 && at + length <= end && this.#u32(bytes, at + length - 4) === length) return at
    }
    return end
  }
}

/** Packets of both may share a batch: nothing of the interface but link type and clock reaches the pipeline. */
const sameShape = (a: Interface, b: Interface): boolean => a.linkType === b.linkType && a.unitsPerSecond > 1e6 === b.unitsPerSecond > 1e6
