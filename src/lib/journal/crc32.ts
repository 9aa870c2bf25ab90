/** CRC-32 of ISO 3309 and zlib (reflected polynomial 0xEDB88320), four bytes at a time. Node 20 has it only in its later releases. */
const tables = [0, 1, 2, 3].map(() => new Uint32Array(256)) as [Uint32Array, Uint32Array, Uint32Array, Uint32Array]
for (let n = 0; n < 256; n++) {
  let crc = n
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1
  tables[0][n] = crc
}
for (let n = 0; n < 256; n++) {
  for (let k = 1; k < 4; k++) {
    const before = tables[k - 1]![n]!
    tables[k]![n] = tables[0][before & 255]! ^ (before >>> 8)
  }
}
const [t0, t1, t2, t3] = tables

export function crc32(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = -1
  let at = from
  for (; at + 4 <= to; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc = t3[crc & 255]! ^ t2[(crc >>> 8) & 255]! ^ t1[(crc >>> 16) & 255]! ^ t0[crc >>> 24]!
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 255]!
  return ~crc >>> 0
}
