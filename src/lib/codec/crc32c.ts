/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a time over tables ("slicing by eight"). */
const POLYNOMIAL = 0x82f63b78
const tables = makeTables()

function makeTables(): Int32Array[] {
  const first = new Int32Array(256)
  for (let n = 0; n < 256; n++) {
    let c = n
    for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1
    first[n] = c
  }
  const made = [first]
  for (let k = 1; k < 8; k++) {
    const before = made[k - 1] as Int32Array
    made.push(first.map((_, n) => ((before[n] as number) >>> 8) ^ (first[(before[n] as number) & 0xff] as number)))
  }
  return made
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as unknown as readonly [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
]

/** Of bytes[from, end); `before` is the result over what came earlier, so a sum can be taken in pieces. */
export function crc32c(bytes: Uint8Array, from = 0, end = bytes.length, before = 0): number {
  let c = ~before
  let at = from
  for (; at < end && ((bytes.byteOffset + at) & 3) !== 0; at++) c = (c >>> 8) ^ t0[(c ^ bytes[at]!) & 0xff]!
  // Whole words in place: faster than putting them together from bytes. This machine is little-endian, as the sum is.
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2)
  const pairs = words.length & ~1
  for (let w = 0; w < pairs; w += 2) {
    const low = c ^ words[w]!
    const high = words[w + 1]!
    c =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[high & 0xff]! ^
      t2[(high >>> 8) & 0xff]! ^
      t1[(high >>> 16) & 0xff]! ^
      t0[high >>> 24]!
  }
  for (at += 4 * pairs; at < end; at++) c = (c >>> 8) ^ t0[(c ^ bytes[at]!) & 0xff]!
  return ~c >>> 0
}
