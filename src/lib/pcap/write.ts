/** The writing side of the pcap format: little-endian, microseconds or nanoseconds, into a caller's buffer. */
export const fileHeaderLength = 24
export const recordHeaderLength = 16

export function writeFileHeader(out: DataView, at: number, linkType: number, nanos: boolean, snaplen = 262_144): number {
  out.setUint32(at, nanos ? 0xa1b23c4d : 0xa1b2c3d4, true)
  out.setUint16(at + 4, 2, true)
  out.setUint16(at + 6, 4, true)
  out.setUint32(at + 8, 0, true)
  out.setUint32(at + 12, 0, true)
  out.setUint32(at + 16, snaplen, true)
  out.setUint32(at + 20, linkType, true)
  return at + fileHeaderLength
}

/** `nanos` is what is left below a microsecond, or -1 in a file of microseconds. */
export function writeRecordHeader(out: DataView, at: number, micros: number, nanos: number, captured: number, length: number): number {
  const seconds = Math.floor(micros / 1e6)
  const fraction = micros - seconds * 1e6
  out.setUint32(at, seconds, true)
  out.setUint32(at + 4, nanos < 0 ? fraction : fraction * 1000 + nanos, true)
  out.setUint32(at + 8, captured, true)
  out.setUint32(at + 12, length, true)
  return at + recordHeaderLength
}
