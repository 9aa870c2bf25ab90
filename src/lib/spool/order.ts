import { fileHeaderLength, recordHeaderLength } from '../pcap/write.js'

/** Records of a pcap (little-endian, as we write them) put in order of time; equal times keep the order in which they came. Answers a copy. */
export function recordsInOrder(bytes: Uint8Array, from = 0): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const starts: number[] = []
  for (let at = from; at + recordHeaderLength <= bytes.length; at += recordHeaderLength + view.getUint32(at + 8, true)) starts.push(at)
  const end = (at: number): number => at + recordHeaderLength + view.getUint32(at + 8, true)
  starts.sort((a, b) => view.getUint32(a, true) - view.getUint32(b, true) || view.getUint32(a + 4, true) - view.getUint32(b + 4, true))
  const ordered = new Uint8Array(bytes.length)
  ordered.set(bytes.subarray(0, from))
  let to = from
  for (const at of starts) {
    ordered.set(bytes.subarray(at, end(at)), to)
    to += end(at) - at
  }
  return ordered.subarray(0, to)
}

/** The same for a whole file. */
export const fileInOrder = (bytes: Uint8Array): Uint8Array => recordsInOrder(bytes, fileHeaderLength)
