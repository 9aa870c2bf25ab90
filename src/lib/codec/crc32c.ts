/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a time over tables ("slicing by eight"). */
const POLYNOMIAL = 0x82f63b78
/** The eight tables, one behind the other: constant offsets into one array cost no checks of its bounds. */
const table = makeTable()

function makeTable(): Int32Array {
  const made = new Int32Array(8 * 256)
  for (let n = 0; n < 256; n++) {
    let c = n
    for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1
    made[n] = c
  }
  for (let i = 256; i < made.length; i++) {
    const before = made[i - 256] as number
    made[i] = (before >>> 8) ^ (made[before & 0xff] as number)
  }
  return made
}

/** Of bytes[from, end); `before` is the result over what came earlier, so a sum can be taken in pieces. */
export function crc32c(bytes: Uint8Array, from = 0, end = bytes.length, before = 0): number {
  let c = ~before
  let at = from
  const t = table
  for (; at < end && ((bytes.byteOffset + at) & 3) !== 0; at++) c = (c >>> 8) ^ t[(c ^ bytes[at]!) & 0xff]!
  // Whole words in place: faster than putting them together from bytes. This machine is little-endian, as the sum is.
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2)
  const pairs = words.length & ~1
  for (let w = 0; w < pairs; w += 2) {
    const low = c ^ words[w]!
    const high = words[w + 1]!
    c =
      t[0x700 + (low & 0xff)]! ^
      t[0x600 + ((low >>> 8) & 0xff)]! ^
      t[0x500 + ((low >>> 16) & 0xff)]! ^
      t[0x400 + (low >>> 24)]! ^
      t[0x300 + (high & 0xff)]! ^
      t[0x200 + ((high >>> 8) & 0xff)]! ^
      t[0x100 + ((high >>> 16) & 0xff)]! ^
      t[high >>> 24]!
  }
  for (at += 4 * pairs; at < end; at++) c = (c >>> 8) ^ t[(c ^ bytes[at]!) & 0xff]!
  return ~c >>> 0
}
