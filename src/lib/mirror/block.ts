import { u16le, u32le } from '../base/bytes.js'
import type { PacketBatch } from '../base/packets.js'
import type { Micros } from '../base/units.js'
import { type CodecName, codecs, crc32c } from '../codec/index.js'
import { BatchFill } from '../pcap/batch.js'
import { blockBytesMax } from './protocol.js'
import type { SpareBuffers } from './spare-buffers.js'

/**
 * A block of packets, the payload of a `block` frame: packets of one interface, packed straight from a batch and read back into one.
 *
 *   0        8       12      16     24      32          34            35      36    40               56
 *   | number | plain | count | base | until | link type | compression | flags | sum | interface name | body …
 *
 *   number   u64     counts up within a stream          plain  u32  bytes of the body before compression
 *   base     f64 µs  time of the first packet           until  f64 µs  how far capture time had come
 *   flags    bit 0: nanoseconds below the microsecond   sum    u32  CRC-32C of all that is sent but itself
 *
 *   body     frames, one behind the other, filled up to a multiple of four bytes | captured u32 × count | length u32 × count
 *            | µs since base i32 × count | nanoseconds u16 × count, if flagged
 *
 * The columns stand apart from the frames, and each by itself: equal lengths pack to nothing, and a reader looks at them in place.
 */
export const blockHeaderLength = 56
const NUMBER = 0
const PLAIN = 8
const COUNT = 12
const BASE = 16
const UNTIL = 24
const LINK_TYPE = 32
const COMPRESSION = 34
const FLAGS = 35
const SUM = 36
const NAME = 40
const NAME_LENGTH = 16
const HAS_NANOS = 1

/** Packets of a block at most. */
const COUNT_MAX = 1 << 15
/** A frame longer than this is none (the largest snaplen of libpcap). */
const CAPTURED_MAX = 262_144
const DELTA_MAX = 2 ** 31 - 1
const COLUMN_BYTES = 14

/** Number in the header ↔ codec; 0 is none. */
const compressionNumbers = { none: 0, lz4: 1, snappy: 2 } as const satisfies Record<CodecName | 'none', number>
export type Compression = keyof typeof compressionNumbers
export const isCompression = (name: string): name is Compression => name in compressionNumbers
const compressionNames = Object.keys(compressionNumbers) as Compression[]

export interface PackedBlock {
  /** Header and body as they are sent; the number is still to be put in by `numberBlock`. */
  readonly bytes: Uint8Array
  /** What it was before it was compressed. */
  readonly plainBytes: number
  readonly packets: number
  readonly firstMicros: number
  readonly lastMicros: number
}

/** What both ways of packing, ours and VoIPmonitor's, look like to the sender. */
export interface BlockPacker {
  /**
   * Takes packets of the batch from `from` on; answers the first that did not fit, or `batch.count`. `keep` gives the bytes kept of each
   * packet, below 0 for one left out; undefined keeps all.
   */
  add(batch: PacketBatch, from: number, keep: Int32Array | undefined): number
  readonly count: number
  /** Closes the block. Undefined when it is empty. */
  take(until: Micros): PackedBlock | undefined
  /** From the next block on. */
  compression: Compression
  /** What the protocol has no place for, by reason. */
  leftOut?(): [stage: string, packets: number][]
}

export class OwnPacker implements BlockPacker {
  compression: Compression
  readonly #maxBytes: number
  readonly #plain: Uint8Array
  readonly #words: Int32Array
  readonly #captured = new Uint32Array(COUNT_MAX)
  readonly #length = new Uint32Array(COUNT_MAX)
  readonly #delta = new Int32Array(COUNT_MAX)
  readonly #nanos = new Uint16Array(COUNT_MAX)
  #packed = new Uint8Array(0)
  #count = 0
  #fill = 0
  #base = 0
  #last = 0
  #linkType = 0
  #withNanos = false
  #name: string | undefined
  readonly #memory: SpareBuffers | undefined

  /** `maxBytes` of frames close a block, unless a single one is longer. Blocks are made in `memory`, where there is one. */
  constructor(compression: Compression, maxBytes: number, memory?: SpareBuffers) {
    this.compression = compression
    this.#memory = memory
    this.#maxBytes = maxBytes
    this.#plain = new Uint8Array((maxBytes + CAPTURED_MAX + COUNT_MAX * COLUMN_BYTES + 8) & ~3)
    this.#words = new Int32Array(this.#plain.buffer)
  }

  get count(): number {
    return this.#count
  }

  add(batch: PacketBatch, from: number, keep: Int32Array | undefined): number {
    const { bytes, count, at, captured, length, micros, nanos } = batch
    const withNanos = nanos !== undefined
    if (this.#count === 0) {
      this.#linkType = batch.linkType
      this.#name = batch.interfaceName
      this.#withNanos = withNanos
    } else if (batch.linkType !== this.#linkType || batch.interfaceName !== this.#name || withNanos !== this.#withNanos) return from
    // Held here: the compiler cannot know that `set` leaves the fields alone, and would read them anew for each packet.
    const plain = this.#plain
    const capturedOut = this.#captured
    const lengthOut = this.#length
    const deltaOut = this.#delta
    const nanosOut = this.#nanos
    const maxBytes = this.#maxBytes
    let fill = this.#fill
    let n = this.#count
    let base = this.#base
    let last = this.#last
    let i = from
    for (; i < count; i++) {
      const kept = keep === undefined ? (captured[i] as number) : (keep[i] as number)
      if (kept < 0) continue
      const time = micros[i] as number
      if (n === 0) base = time
      const delta = time - base
      if (n === COUNT_MAX || (fill + kept > maxBytes && n > 0) || delta > DELTA_MAX || delta < -DELTA_MAX) break
      const start = at[i] as number
      plain.set(bytes.subarray(start, start + kept), fill)
      fill += kept
      capturedOut[n] = kept
      lengthOut[n] = length[i] as number
      deltaOut[n] = delta
      if (nanos !== undefined) nanosOut[n] = nanos[i] as number
      last = time
      n++
    }
    this.#fill = fill
    this.#count = n
    this.#base = base
    this.#last = last
    return i
  }

  take(until: Micros): PackedBlock | undefined {
    const count = this.#count
    if (count === 0) return undefined
    const plainLength = this.#appendColumns()
    const plain = this.#plain.subarray(0, plainLength)
    const body = this.#compress(plain)
    const length = blockHeaderLength + body.length
    const bytes = this.#memory?.take(length).fill(0, 0, blockHeaderLength) ?? new Uint8Array(length)
    const view = new DataView(bytes.buffer)
    view.setUint32(PLAIN, plainLength, true)
    view.setUint32(COUNT, count, true)
    view.setFloat64(BASE, this.#base, true)
    view.setFloat64(UNTIL, Math.max(until, this.#last), true)
    view.setUint16(LINK_TYPE, this.#linkType, true)
    bytes[COMPRESSION] = body === plain ? compressionNumbers.none : compressionNumbers[this.compression]
    bytes[FLAGS] = this.#withNanos ? HAS_NANOS : 0
    const name = this.#name ?? ''
    for (let i = 0; i < name.length && i < NAME_LENGTH; i++) bytes[NAME + i] = name.charCodeAt(i)
    bytes.set(body, blockHeaderLength)
    const block = { bytes, plainBytes: plainLength, packets: count, firstMicros: this.#base, lastMicros: this.#last }
    this.#count = this.#fill = 0
    return block
  }

  #appendColumns(): number {
    const count = this.#count
    while ((this.#fill & 3) !== 0) this.#plain[this.#fill++] = 0
    const words = this.#words
    let to = this.#fill >>> 2
    words.set(this.#captured.subarray(0, count), to)
    words.set(this.#length.subarray(0, count), to + count)
    words.set(this.#delta.subarray(0, count), to + 2 * count)
    to += 3 * count
    if (!this.#withNanos) return to * 4
    this.#plain.set(new Uint8Array(this.#nanos.buffer, 0, 2 * count), to * 4)
    return to * 4 + 2 * count
  }

  /** The plain bytes themselves when packing is off or gains nothing. */
  #compress(plain: Uint8Array): Uint8Array {
    if (this.compression === 'none') return plain
    const codec = codecs[this.compression]
    const bound = codec.bound(plain.length)
    if (this.#packed.length < bound) this.#packed = new Uint8Array(codec.bound(this.#plain.length))
    const length = codec.compress(plain, this.#packed)
    return length > 0 && length < plain.length ? this.#packed.subarray(0, length) : plain
  }
}

/** Puts the number in, and the sum over the whole. */
export function numberBlock(bytes: Uint8Array, number: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  view.setUint32(NUMBER, number % 2 ** 32, true)
  view.setUint32(NUMBER + 4, Math.floor(number / 2 ** 32), true)
  view.setUint32(SUM, sumOf(bytes), true)
}

const sumOf = (bytes: Uint8Array): number => crc32c(bytes, SUM + 4, bytes.length, crc32c(bytes, 0, SUM))

export interface BlockHead {
  readonly number: number
  readonly packets: number
  readonly plainLength: number
  readonly until: Micros
}

/** Checks what can be checked without unpacking. Answers a reason when the block cannot be used. */
export function readBlockHead(bytes: Uint8Array): BlockHead | string {
  if (bytes.length < blockHeaderLength) return 'block shorter than its header'
  if (u32le(bytes, SUM) !== sumOf(bytes)) return 'block with a wrong sum'
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const high = u32le(bytes, NUMBER + 4)
  const packets = u32le(bytes, COUNT)
  const plainLength = u32le(bytes, PLAIN)
  const until = view.getFloat64(UNTIL, true)
  const base = view.getFloat64(BASE, true)
  if (high >= 2 ** 20) return 'block with an impossible number'
  if (plainLength > blockBytesMax || packets === 0 || packets > COUNT_MAX) return 'block larger than one can be'
  if (!isTime(until) || !isTime(base)) return 'block of an impossible time'
  if ((bytes[COMPRESSION] as number) >= compressionNames.length) return 'block of an unknown compression'
  return { number: high * 2 ** 32 + u32le(bytes, NUMBER), packets, plainLength, until: until as Micros }
}

const isTime = (micros: number): boolean => Number.isSafeInteger(micros) && micros >= 0

/**
 * Unpacks a block that `readBlockHead` was content with into a batch; `plain` holds at least `plainLength` bytes at an address that is a
 * multiple of four. `shiftMicros` is added to every time. Answers a reason when the body is not what the header says.
 */
export function unpackBlock(bytes: Uint8Array, plain: Uint8Array, shiftMicros: number, fill: BatchFill): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const count = u32le(bytes, COUNT)
  const plainLength = u32le(bytes, PLAIN)
  const withNanos = ((bytes[FLAGS] as number) & HAS_NANOS) !== 0
  const out = plain.subarray(0, plainLength)
  const body = bytes.subarray(blockHeaderLength)
  const compression = compressionNames[bytes[COMPRESSION] as number] as Compression
  if (compression === 'none') {
    if (body.length !== plainLength) return 'block body of a wrong length'
    out.set(body)
  } else if (!codecs[compression].decompress(body, out)) return 'block that cannot be unpacked'

  const framesLength = plainLength - count * (withNanos ? COLUMN_BYTES : COLUMN_BYTES - 2)
  if (framesLength < 0 || (framesLength & 3) !== 0) return 'block whose columns do not fit'
  const columns = new Uint32Array(out.buffer, out.byteOffset + framesLength, 3 * count)
  const deltas = new Int32Array(columns.buffer, columns.byteOffset + 8 * count, count)
  const nanosAt = framesLength + 12 * count
  const base = view.getFloat64(BASE, true) + shiftMicros
  fill.begin(out, u16le(bytes, LINK_TYPE), withNanos)
  let at = 0
  for (let i = 0; i < count; i++) {
    const captured = columns[i] as number
    if (captured > framesLength - at) return 'block whose packets do not fit'
    const nanos = withNanos ? u16le(out, nanosAt + 2 * i) : 0
    fill.add(at, captured, Math.max(captured, columns[count + i] as number), base + (deltas[i] as number), nanos < 1000 ? nanos : 0)
    at += captured
  }
  if (framesLength - at >= 4) return 'block with bytes that belong to no packet'
  fill.until = (view.getFloat64(UNTIL, true) + shiftMicros) as Micros
  return undefined
}

export const blockInterface = (bytes: Uint8Array): string | undefined => {
  let name = ''
  for (let i = 0; i < NAME_LENGTH && bytes[NAME + i] !== 0; i++) name += String.fromCharCode(bytes[NAME + i] as number)
  return name === '' ? undefined : name
}

/** Arrays for the packets of one block; one is enough for each that is unpacked at a time. */
export const blockFill = (packets: number): BatchFill => new BatchFill(new Uint8Array(0), packets)
