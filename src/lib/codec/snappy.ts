import { u16le, u32le } from '../base/bytes.js'
import type { Codec } from './codec.js'

/**
 * Raw snappy blocks (format description of google/snappy, no framing): plain length as a varint, then elements.
 *
 *   tag & 3   0 literal          length - 1 in the upper six bits; 60–63: in the next 1–4 bytes
 *             1 copy, 4–11 long  length - 4 in bits 2–4, offset in bits 5–7 and the next byte
 *             2 copy, 1–64 long  length - 1 in the upper six bits, offset in the next two bytes
 *             3 copy, 1–64 long  likewise, offset in the next four bytes
 *
 * Our own code, because only VoIPmonitor's stream needs it and a second native package would cost more than these lines.
 */
const LITERAL = 0
const COPY_1 = 1
const COPY_2 = 2

/** Matches are looked for within pieces of this size, so that every offset fits two bytes. */
const PIECE_BYTES = 1 << 16
const HASH_BITS = 14
/** Bytes at the end of a piece where no match begins: a four-byte load must stay inside. */
const MARGIN = 15
const table = new Uint16Array(1 << HASH_BITS)

export const snappyCodec: Codec = {
  name: 'snappy',
  bound: (bytes) => 32 + bytes + Math.floor(bytes / 6),
  compress(plain, out) {
    if (out.length < this.bound(plain.length)) return 0
    let to = 0
    let rest = plain.length
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) out[to++] = (rest & 0x7f) | 0x80
    out[to++] = rest
    for (let from = 0; from < plain.length; from += PIECE_BYTES)
      to = compressPiece(plain, from, Math.min(from + PIECE_BYTES, plain.length), out, to)
    return to
  },
  decompress(packed, out) {
    const { value, next } = readVarint(packed)
    return value === out.length && next > 0 && decompressElements(packed, next, out)
  },
}

/** The plain length a block claims; -1 when it does not begin with one. */
export const snappyPlainLength = (packed: Uint8Array): number => {
  const { value, next } = readVarint(packed)
  return next > 0 ? value : -1
}

function readVarint(bytes: Uint8Array): { value: number; next: number } {
  let value = 0
  for (let i = 0; i < 5 && i < bytes.length; i++) {
    const byte = bytes[i] as number
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, next: i + 1 }
  }
  return { value: -1, next: 0 }
}

const hashOf = (word: number): number => Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS)

function compressPiece(plain: Uint8Array, from: number, end: number, out: Uint8Array, outAt: number): number {
  table.fill(0)
  let to = outAt
  let literalAt = from
  const last = end - MARGIN
  let misses = 32
  for (let at = from + 1; at < last; ) {
    const word = u32le(plain, at)
    const slot = hashOf(word)
    const candidate = from + (table[slot] as number)
    table[slot] = at - from
    if (candidate >= at || u32le(plain, candidate) !== word) {
      // The longer nothing matches, the larger the steps.
      at += misses++ >>> 5
      continue
    }
    to = writeLiteral(plain, literalAt, at, out, to)
    let length = 4
    while (at + length < end && plain[candidate + length] === plain[at + length]) length++
    to = writeCopy(at - candidate, length, out, to)
    at += length
    literalAt = at
    misses = 32
  }
  return literalAt < end ? writeLiteral(plain, literalAt, end, out, to) : to
}

function writeLiteral(plain: Uint8Array, from: number, end: number, out: Uint8Array, outAt: number): number {
  let to = outAt
  const length = end - from
  if (length === 0) return to
  const n = length - 1
  if (n < 60) out[to++] = LITERAL | (n << 2)
  else if (n < 256) {
    out[to++] = LITERAL | (60 << 2)
    out[to++] = n
  } else {
    out[to++] = LITERAL | (61 << 2)
    out[to++] = n
    out[to++] = n >>> 8
  }
  out.set(plain.subarray(from, end), to)
  return to + length
}

function writeCopy(offset: number, length: number, out: Uint8Array, outAt: number): number {
  let to = outAt
  let rest = length
  while (rest > 0) {
    if (rest >= 4 && rest <= 11 && offset < 2048) {
      out[to++] = COPY_1 | ((rest - 4) << 2) | ((offset >>> 8) << 5)
      out[to++] = offset
      return to
    }
    // A rest of less than four bytes is never left over, so that it can be a short copy.
    const step = rest > 67 ? 64 : rest > 64 ? 60 : rest
    out[to++] = COPY_2 | ((step - 1) << 2)
    out[to++] = offset
    out[to++] = offset >>> 8
    rest -= step
  }
  return to
}

function decompressElements(packed: Uint8Array, from: number, out: Uint8Array): boolean {
  const end = packed.length
  let at = from
  let to = 0
  while (at < end) {
    const tag = packed[at++] as number
    let length: number
    let offset: number
    switch (tag & 3) {
      case LITERAL: {
        length = (tag >>> 2) + 1
        if (length > 60) {
          const extra = length - 60
          if (at + extra > end) return false
          length = 1
          for (let i = 0; i < extra; i++) length += (packed[at + i] as number) * 2 ** (8 * i)
          at += extra
        }
        if (at + length > end || to + length > out.length) return false
        if (length < 16) for (let i = 0; i < length; i++) out[to + i] = packed[at + i] as number
        else out.set(packed.subarray(at, at + length), to)
        at += length
        to += length
        continue
      }
      case COPY_1:
        if (at + 1 > end) return false
        length = ((tag >>> 2) & 7) + 4
        offset = ((tag >>> 5) << 8) | (packed[at] as number)
        at += 1
        break
      case COPY_2:
        if (at + 2 > end) return false
        length = (tag >>> 2) + 1
        offset = u16le(packed, at)
        at += 2
        break
      default:
        if (at + 4 > end) return false
        length = (tag >>> 2) + 1
        offset = u32le(packed, at)
        at += 4
    }
    if (offset === 0 || offset > to || to + length > out.length) return false
    // Byte by byte where the copy overlaps what it makes: a short offset repeats a pattern.
    if (offset >= length && length > 16) out.copyWithin(to, to - offset, to - offset + length)
    else for (let i = 0; i < length; i++) out[to + i] = out[to + i - offset] as number
    to += length
  }
  return to === out.length
}
