import { capturedMax } from './reader.js'
import { fileHeaderLength, recordHeaderLength } from './write.js'

/**
 * A little-endian pcap passed on in whole records. The last one may be cut: its writer was killed in the middle of a write, or
 * is writing just now. What does not look like records is passed on as it is.
 */
export async function* wholeRecords(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let rest: Uint8Array = new Uint8Array(0)
  let begun = false
  let lost = false
  for await (const chunk of chunks) {
    let bytes = chunk
    if (rest.length > 0) {
      bytes = new Uint8Array(rest.length + chunk.length)
      bytes.set(rest)
      bytes.set(chunk, rest.length)
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = begun ? 0 : fileHeaderLength
    if (at > bytes.length) {
      rest = bytes.slice()
      continue
    }
    begun = true
    while (!lost && at + recordHeaderLength <= bytes.length) {
      const captured = view.getUint32(at + 8, true)
      lost = captured > 16 * capturedMax
      if (at + recordHeaderLength + captured > bytes.length) break
      at += recordHeaderLength + captured
    }
    if (lost) at = bytes.length
    if (at > 0) yield bytes.subarray(0, at)
    rest = bytes.slice(at)
  }
}
