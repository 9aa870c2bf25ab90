import lz4 from 'lz4'
import type { Codec } from './codec.js'

/** Raw LZ4 blocks (no frame): the C library through the package `lz4`. */
export const lz4Codec: Codec = {
  name: 'lz4',
  bound: (bytes) => bytes + Math.ceil(bytes / 255) + 16,
  compress: (plain, out) => lz4.encodeBlock(plain, out, 0, out.length),
  decompress: (packed, out) => packed.length > 0 && lz4.decodeBlock(packed, out) === out.length,
}

/** A block whose plain size is not known, but not more than `out` holds. Answers the size, negative for a broken block. */
export const decodeLz4Block = (packed: Uint8Array, out: Uint8Array): number => (packed.length > 0 ? lz4.decodeBlock(packed, out) : -1)
