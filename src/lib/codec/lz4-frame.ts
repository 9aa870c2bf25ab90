import { decodeLz4Block, lz4Codec } from './lz4.js'

/**
 * The LZ4 frame format (lz4_Frame_format.md 1.6.x): what `lz4 -d` and Wireshark open. Frames may follow each other.
 *
 *   | magic 04 22 4d 18 | FLG | BD | [content size 8] | HC | blocks … | 0000 0000 | [content checksum 4] |
 *   block  | size, top bit: stored as it is | bytes | [block checksum 4] |
 *
 * Written: independent blocks of 64 KiB at most, no checksums (what is packed has lengths of its own to check).
 * Read: any frame of independent blocks; checksums are passed over.
 */
const MAGIC = 0x184d2204
const SKIPPABLE = 0x184d2a50
const BLOCK_BYTES = 64 << 10
/** FLG 0x60: version 1, independent blocks. BD 0x40: 64 KiB. 0x82 is the second octet of their xxHash32. */
const HEADER = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82)
const STORED = 0x8000_0000
const END_MARK_LENGTH = 4

export const isLz4Frame = (head: Uint8Array): boolean =>
  head.length >= 4 && head[0] === 0x04 && head[1] === 0x22 && head[2] === 0x4d && head[3] === 0x18

/** One frame around these bytes. */
export function packLz4Frame(plain: Uint8Array): Uint8Array {
  const blocks = Math.ceil(plain.length / BLOCK_BYTES)
  const out = new Uint8Array(HEADER.length + blocks * 4 + blocks * lz4Codec.bound(BLOCK_BYTES) + END_MARK_LENGTH)
  const view = new DataView(out.buffer)
  out.set(HEADER)
  let to = HEADER.length
  for (let at = 0; at < plain.length; at += BLOCK_BYTES) {
    const block = plain.subarray(at, Math.min(at + BLOCK_BYTES, plain.length))
    const packed = lz4Codec.compress(block, out.subarray(to + 4, to + 4 + lz4Codec.bound(BLOCK_BYTES)))
    if (packed > 0 && packed < block.length) {
      view.setUint32(to, packed, true)
      to += 4 + packed
    } else {
      view.setUint32(to, (block.length | STORED) >>> 0, true)
      out.set(block, to + 4)
      to += 4 + block.length
    }
  }
  // What did not pack well has left its traces there.
  view.setUint32(to, 0, true)
  return out.subarray(0, to + END_MARK_LENGTH)
}

/** Why a stream of frames cannot be read further. */
export class Lz4FrameError extends Error {}

/** Unpacks frames from pieces of any size, a block at a time. A frame says how large its blocks are: 4 MiB at most. */
export class Lz4FrameReader {
  #rest: Uint8Array = new Uint8Array(0)
  /** Of the frame at hand; undefined between frames. */
  #frame: { readonly blockMax: number; readonly blockChecksum: boolean; readonly contentChecksum: boolean } | undefined
  #skip = 0
  #out = new Uint8Array(0)

  /** Nothing of a frame is waiting: the input may end here. */
  get whole(): boolean {
    return this.#frame === undefined && this.#rest.length === 0 && this.#skip === 0
  }

  /** Each piece is the caller's until the next is asked for. */
  *read(chunk: Uint8Array): Generator<Uint8Array, void, void> {
    let bytes = chunk
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length)
      bytes.set(this.#rest)
      bytes.set(chunk, this.#rest.length)
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length - at)
      this.#skip -= skipped
      at += skipped
      if (bytes.length - at < 4) break
      if (this.#frame === undefined) {
        const used = this.#begin(bytes, view, at)
        if (used === 0) break
        at += used
        continue
      }
      const { blockMax, blockChecksum, contentChecksum } = this.#frame
      const word = view.getUint32(at, true)
      if (word === 0) {
        at += 4
        this.#skip = contentChecksum ? 4 : 0
        this.#frame = undefined
        continue
      }
      const size = (word & ~STORED) >>> 0
      if (size > blockMax) throw new Lz4FrameError('an lz4 block is longer than its frame allows')
      if (bytes.length - at < 4 + size) break
      const block = bytes.subarray(at + 4, at + 4 + size)
      at += 4 + size
      this.#skip = blockChecksum ? 4 : 0
      yield word >= STORED ? block : this.#unpack(block, blockMax)
    }
    this.#rest = bytes.slice(at)
  }

  #unpack(block: Uint8Array, blockMax: number): Uint8Array {
    if (this.#out.length < blockMax) this.#out = new Uint8Array(blockMax)
    const length = decodeLz4Block(block, this.#out)
    if (length < 0) throw new Lz4FrameError('an lz4 block is broken')
    return this.#out.subarray(0, length)
  }

  /** Reads a frame's header. Answers its length, 0 when it is not whole yet. */
  #begin(bytes: Uint8Array, view: DataView, at: number): number {
    const magic = view.getUint32(at, true)
    if ((magic & 0xffff_fff0) >>> 0 === SKIPPABLE) {
      if (bytes.length - at < 8) return 0
      this.#skip = view.getUint32(at + 4, true)
      return 8
    }
    if (magic !== MAGIC) throw new Lz4FrameError('something that is no lz4 frame follows one')
    if (bytes.length - at < HEADER.length) return 0
    const flags = bytes[at + 4] as number
    const blockSize = ((bytes[at + 5] as number) >> 4) & 7
    if (flags >> 6 !== 1 || blockSize < 4) throw new Lz4FrameError('an lz4 frame of a version that is not known')
    if ((flags & 0x20) === 0 || (flags & 1) !== 0)
      throw new Lz4FrameError('an lz4 frame of linked blocks or with a dictionary: unpack it first (lz4 -d)')
    const length = HEADER.length + ((flags & 8) !== 0 ? 8 : 0)
    if (bytes.length - at < length) return 0
    this.#frame = { blockMax: 1 << (8 + 2 * blockSize), blockChecksum: (flags & 0x10) !== 0, contentChecksum: (flags & 4) !== 0 }
    return length
  }
}
