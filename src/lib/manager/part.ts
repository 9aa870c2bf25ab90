import { AddressBook } from '../base/address.js'
import { Counters } from '../base/counters.js'
import { OperatorError } from '../base/errors.js'
import type { PacketBatch } from '../base/packets.js'
import { Dissector } from '../dissect/dissector.js'
import { BatchFill } from '../pcap/batch.js'
import { type CaptureReader, readerFor } from '../pcap/reader.js'
import { fileHeaderLength, recordHeaderLength, writeFileHeader, writeRecordHeader } from '../pcap/write.js'
import { beginsSip, skipEmptyLines } from '../sip/start-line.js'
import { isTcp, isUdp } from '../wire/frame.js'

/** Only the signalling, or only the media, of a call's pcap, while it streams by. */
export type Part = 'sip' | 'rtp'

const FRAGMENTS = { datagramsMax: 1000, bytesMax: 16 << 20, timeoutSeconds: 60 }

/**
 * Whether a packet of a call's pcap is signalling. A UDP datagram says so itself. Segments of TCP carry nothing else here, and what
 * is a fragment still is nearly always a large INVITE.
 */
export class PartChooser {
  readonly #dissector = new Dissector(new AddressBook(), FRAGMENTS)

  isSip(batch: PacketBatch, index: number): boolean {
    const end = this.#dissector.dissect(batch, index)
    if (end === isTcp) return true
    if (end !== isUdp) return true
    const { bytes, payloadAt, payloadEnd } = this.#dissector.frame
    return beginsSip(bytes, skipEmptyLines(bytes, payloadAt, payloadEnd), payloadEnd)
  }
}

/** Bytes of a pcap in, bytes of a pcap out. Memory: one block. */
export async function* selectPart(chunks: AsyncIterable<Uint8Array>, part: Part): AsyncGenerator<Uint8Array, void, void> {
  const fill = new BatchFill(new Uint8Array(0), 4096)
  const chooser = new PartChooser()
  let reader: CaptureReader | undefined
  let carry = new Uint8Array(0)
  let begun = false
  for await (const chunk of chunks) {
    const bytes = new Uint8Array(carry.length + chunk.length)
    bytes.set(carry)
    bytes.set(chunk, carry.length)
    carry = bytes
    if (bytes.length < fileHeaderLength) continue
    if (reader === undefined) {
      reader = readerFor(bytes, fill, new Counters())
      if (reader === undefined) {
        throw new OperatorError('NOT_PCAP', 'The file is not a capture that can be taken apart (compressed?).', {
          suggestions: ['Fetch it whole, without --sip-only.'],
        })
      }
    }
    for (const batch of reader.read(bytes, 0, bytes.length)) {
      const out = new Uint8Array(fileHeaderLength + batch.count * recordHeaderLength + bytes.length)
      const view = new DataView(out.buffer)
      let at = 0
      const nanos = batch.nanos !== undefined
      if (!begun) at = writeFileHeader(view, at, batch.linkType, nanos)
      begun = true
      for (let i = 0; i < batch.count; i++) {
        if (chooser.isSip(batch, i) !== (part === 'sip')) continue
        const [from, captured] = [batch.at[i] as number, batch.captured[i] as number]
        at = writeRecordHeader(
          view,
          at,
          batch.micros[i] as number,
          nanos ? (batch.nanos?.[i] ?? 0) : -1,
          captured,
          batch.length[i] as number,
        )
        out.set(batch.bytes.subarray(from, from + captured), at)
        at += captured
      }
      if (at > 0) yield out.subarray(0, at)
    }
    carry = bytes.slice(reader.position)
  }
}
