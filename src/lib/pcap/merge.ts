import { Counters } from '../base/counters.js'
import { BatchFill } from './batch.js'
import { type CaptureReader, readerFor } from './reader.js'
import { fileHeaderLength, recordHeaderLength, writeFileHeader, writeRecordHeader } from './write.js'

/**
 * Several captures as one, in order of time. Each may be a little out of order itself (reassembly hands packets out late), so
 * of each the next records are held back and sorted. Equal times keep the order of the inputs.
 *
 * One link type makes a pcap; several make a pcapng, with an interface for each (draft-ietf-opsawg-pcapng 4.2, 4.3).
 */
export interface MergeInput {
  /** Fills the bytes with what comes next; answers how many, 0 at the end. */
  read(bytes: Uint8Array): number
}

/** An input that is no capture. */
export class NotACapture extends Error {
  readonly index: number

  constructor(index: number) {
    super('not a capture')
    this.name = 'NotACapture'
    this.index = index
  }
}

interface Packet {
  readonly micros: number
  readonly nanos: number
  readonly length: number
  readonly linkType: number
  readonly bytes: Uint8Array
}

/** Records of one input held back for sorting. */
const AHEAD = 512
const BLOCK = 64 * 1024
const OUT = 64 * 1024

class Input {
  readonly #input: MergeInput
  readonly #index: number
  readonly #fill = new BatchFill(new Uint8Array(0), AHEAD)
  #reader: CaptureReader | undefined
  #rest = new Uint8Array(0)
  #ended = false
  /** In order of time. */
  readonly #ahead: Packet[] = []
  #at = 0
  nanos = false

  constructor(input: MergeInput, index: number) {
    this.#input = input
    this.#index = index
  }

  /** The next record, or undefined at the end. */
  get next(): Packet | undefined {
    if (this.#at > this.#ahead.length / 2 || this.#at === 0) this.#more()
    return this.#ahead[this.#at]
  }

  take(): void {
    this.#at++
  }

  #more(): void {
    this.#ahead.splice(0, this.#at)
    this.#at = 0
    let added = false
    while (!this.#ended && this.#ahead.length < AHEAD) {
      this.#block()
      added = true
    }
    // A stable sort of what is sorted but for its end costs little.
    if (added) this.#ahead.sort((a, b) => a.micros - b.micros || a.nanos - b.nanos)
  }

  #block(): void {
    const bytes = new Uint8Array(this.#rest.length + BLOCK)
    bytes.set(this.#rest)
    const got = this.#input.read(bytes.subarray(this.#rest.length))
    const end = this.#rest.length + got
    if (got === 0) this.#ended = true
    if (this.#reader === undefined) {
      if (end < fileHeaderLength && !this.#ended) {
        this.#rest = bytes.slice(0, end)
        return
      }
      this.#reader = readerFor(bytes.subarray(0, end), this.#fill, new Counters())
      if (this.#reader === undefined) throw new NotACapture(this.#index)
    }
    for (const batch of this.#reader.read(bytes, 0, end)) {
      if (batch.nanos !== undefined) this.nanos = true
      for (let i = 0; i < batch.count; i++) {
        const at = batch.at[i] as number
        this.#ahead.push({
          micros: batch.micros[i] as number,
          nanos: batch.nanos?.[i] ?? 0,
          length: batch.length[i] as number,
          linkType: batch.linkType,
          bytes: batch.bytes.subarray(at, at + (batch.captured[i] as number)),
        })
      }
    }
    this.#rest = bytes.slice(this.#reader.position, end)
  }
}

/** Hands the merged file to `write`, block by block. Answers the packets. Throws NotACapture. */
export function mergeCaptures(inputs: readonly MergeInput[], write: (bytes: Uint8Array) => void): number {
  const sources = inputs.map((input, index) => new Input(input, index))
  const first = sources.map((source) => source.next)
  const linkTypes = [...new Set(first.filter((p) => p !== undefined).map((p) => p.linkType))]
  const nanos = sources.some((source) => source.nanos)
  const out = new Writer(write, linkTypes.length === 0 ? [1] : linkTypes, nanos)
  let packets = 0
  for (;;) {
    let best: Input | undefined
    let bestPacket: Packet | undefined
    for (const source of sources) {
      const packet = source.next
      if (packet === undefined) continue
      if (
        bestPacket === undefined ||
        packet.micros < bestPacket.micros ||
        (packet.micros === bestPacket.micros && packet.nanos < bestPacket.nanos)
      ) {
        best = source
        bestPacket = packet
      }
    }
    if (best === undefined || bestPacket === undefined) break
    best.take()
    out.packet(bestPacket)
    packets++
  }
  out.end()
  return packets
}

class Writer {
  readonly #write: (bytes: Uint8Array) => void
  readonly #interfaces: number[]
  readonly #ng: boolean
  readonly #linkType: number
  readonly #nanos: boolean
  #bytes = new Uint8Array(OUT)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  constructor(write: (bytes: Uint8Array) => void, linkTypes: readonly number[], nanos: boolean) {
    this.#write = write
    this.#interfaces = []
    this.#ng = linkTypes.length > 1
    this.#linkType = linkTypes[0] as number
    this.#nanos = nanos
    if (!this.#ng) this.#at = writeFileHeader(this.#view, 0, linkTypes[0] as number, nanos)
    else this.#beginNg()
  }

  packet(packet: Packet): void {
    const { bytes, length, micros, nanos } = packet
    this.#room(64 + bytes.length)
    if (!this.#ng) {
      if (packet.linkType !== this.#linkType) throw new Error('The captures have different link types in the middle.')
      this.#at = writeRecordHeader(this.#view, this.#at, micros, this.#nanos ? nanos : -1, bytes.length, length)
      this.#bytes.set(bytes, this.#at)
      this.#at += bytes.length
    } else this.#enhanced(packet)
  }

  end(): void {
    if (this.#at > 0) this.#write(this.#bytes.subarray(0, this.#at))
    this.#at = 0
  }

  #room(bytes: number): void {
    if (this.#at + bytes + recordHeaderLength <= this.#bytes.length) return
    this.end()
    if (bytes + recordHeaderLength > this.#bytes.length) {
      this.#bytes = new Uint8Array(bytes + recordHeaderLength)
      this.#view = new DataView(this.#bytes.buffer)
    }
  }

  #u32(value: number): void {
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
  }

  /** Section header block. */
  #beginNg(): void {
    for (const word of [0x0a0d0d0a, 28, 0x1a2b3c4d, 0x0000_0001, 0xffff_ffff, 0xffff_ffff, 28]) this.#u32(word)
  }

  /** Interface description block, before the first packet of its link type; if_tsresol (option 9) 6 or 9. */
  #interfaceOf(linkType: number): number {
    const known = this.#interfaces.indexOf(linkType)
    if (known >= 0) return known
    this.#room(64)
    for (const word of [1, 32, linkType, 262_144, 0x0001_0009, this.#nanos ? 9 : 6, 0, 32]) this.#u32(word)
    return this.#interfaces.push(linkType) - 1
  }

  #enhanced({ bytes, length, micros, nanos, linkType }: Packet): void {
    const padded = (bytes.length + 3) & ~3
    const size = 32 + padded
    const id = this.#interfaceOf(linkType)
    this.#room(size)
    const time = this.#nanos ? BigInt(micros) * 1000n + BigInt(nanos) : BigInt(micros)
    for (const word of [6, size, id, Number(time >> 32n), Number(time & 0xffff_ffffn), bytes.length, length]) this.#u32(word)
    this.#bytes.fill(0, this.#at, this.#at + padded)
    this.#bytes.set(bytes, this.#at)
    this.#at += padded
    this.#u32(size)
  }
}
