import { u32, u32le } from '../base/bytes.js'
import type { Counters } from '../base/counters.js'
import type { Micros } from '../base/units.js'
import type { BatchFill } from './batch.js'
import { type CaptureReader, capturedMax } from './reader.js'

/**
 * The pcap file format (draft-ietf-opsawg-pcap), either byte order, microseconds or nanoseconds.
 *
 *   file    0       4     8         16        20          24
 *           | magic | 2.4 | reserved | snaplen | link type | records …
 *   record  0       4          8         12       16
 *           | sec   | fraction | caplen  | length | packet …
 */
const FILE_HEADER = 24
const RECORD_HEADER = 16
/** Kuznetzov's variant has eight more bytes in each record header. */
const MODIFIED_RECORD_HEADER = 24

/** How far a record's time may be from the one before to be believed while looking for the next good record. */
const RESYNC_SECONDS = 86_400 * 7

interface Kind {
  readonly little: boolean
  readonly nanos: boolean
  readonly recordHeader: number
}

const kinds: ReadonlyMap<number, Kind> = new Map([
  [0xa1b2c3d4, { little: false, nanos: false, recordHeader: RECORD_HEADER }],
  [0xd4c3b2a1, { little: true, nanos: false, recordHeader: RECORD_HEADER }],
  [0xa1b23c4d, { little: false, nanos: true, recordHeader: RECORD_HEADER }],
  [0x4d3cb2a1, { little: true, nanos: true, recordHeader: RECORD_HEADER }],
  [0xa1b2cd34, { little: false, nanos: false, recordHeader: MODIFIED_RECORD_HEADER }],
  [0x34cdb2a1, { little: true, nanos: false, recordHeader: MODIFIED_RECORD_HEADER }],
])

export class PcapReader implements CaptureReader {
  position = 0
  readonly #fill: BatchFill
  readonly #oddities: Counters
  #kind: Kind | undefined
  #linkType = 0
  #capturedMax = capturedMax
  #lastSeconds = -1
  #lost = false

  constructor(fill: BatchFill, oddities: Counters) {
    this.#fill = fill
    this.#oddities = oddities
  }

  static recognise(head: Uint8Array): boolean {
    return kinds.has(u32(head, 0))
  }

  *read(bytes: Uint8Array, from: number, end: number): Generator<BatchFill, void, void> {
    let at = from
    this.position = at
    if (this.#kind === undefined) {
      if (end - at < FILE_HEADER) return
      this.#readFileHeader(bytes, at)
      at += FILE_HEADER
    }
    const kind = this.#kind as unknown as Kind
    const fill = this.#fill
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (;;) {
      fill.begin(bytes, this.#linkType, kind.nanos)
      this.position = at = this.#records(bytes, view, at, end, kind)
      if (fill.count > 0) yield this.#closed()
      if (!fill.full) return
    }
  }

  /** Whole records until the batch is full; where the next one begins. A plain loop of single loads: it runs for every packet of a file. */
  #records(bytes: Uint8Array, view: DataView, from: number, end: number, { little, nanos, recordHeader }: Kind): number {
    const fill = this.#fill
    const capturedMax = this.#capturedMax
    let at = from
    while (at + recordHeader <= end && !fill.full) {
      if (this.#lost) {
        const found = this.#findRecord(bytes, at, end, little ? u32le : u32, recordHeader)
        if (found < 0) return Math.max(at, end - recordHeader - 8)
        at = found
        this.#lost = false
      }
      const seconds = view.getUint32(at, little)
      const fraction = view.getUint32(at + 4, little)
      const captured = view.getUint32(at + 8, little)
      if (captured > capturedMax) {
        this.#oddities.add('record longer than a packet can be')
        this.#lost = true
        at++
        continue
      }
      const packet = at + recordHeader
      if (packet + captured > end) break
      this.#lastSeconds = seconds
      const micros = nanos ? Math.floor(fraction / 1000) : fraction
      const length = view.getUint32(at + 12, little)
      fill.add(packet, captured, Math.max(captured, length), seconds * 1e6 + micros, nanos ? fraction - micros * 1000 : 0)
      at = packet + captured
    }
    return at
  }

  #closed(): BatchFill {
    const fill = this.#fill
    fill.until = fill.micros[fill.count - 1] as Micros
    return fill
  }

  #readFileHeader(bytes: Uint8Array, at: number): void {
    const kind = kinds.get(u32(bytes, at)) as Kind
    const u = kind.little ? u32le : u32
    this.#kind = kind
    // Above the low 16 bits are the length of the frame check sequence and flags.
    this.#linkType = u(bytes, at + 20) & 0xffff
    this.#capturedMax = Math.max(capturedMax, Math.min(u(bytes, at + 16), 16 * capturedMax))
  }

  /** The next offset where a record, and one more after it, look like records of this file. */
  #findRecord(bytes: Uint8Array, from: number, end: number, u: typeof u32, header: number): number {
    for (let at = from; at + header <= end; at++) {
      if (!this.#plausible(bytes, at, u)) continue
      const next = at + header + u(bytes, at + 8)
      if (next + header > end ? next === end : this.#plausible(bytes, next, u)) return at
    }
    return -1
  }

  #plausible(bytes: Uint8Array, at: number, u: typeof u32): boolean {
    const captured = u(bytes, at + 8)
    const length = u(bytes, at + 12)
    if (captured === 0 || captured > 65_535 || length < captured || length > capturedMax) return false
    if (u(bytes, at + 4) >= ((this.#kind as Kind).nanos ? 1e9 : 1e6)) return false
    return this.#lastSeconds < 0 || Math.abs(u(bytes, at) - this.#lastSeconds) <= RESYNC_SECONDS
  }
}
