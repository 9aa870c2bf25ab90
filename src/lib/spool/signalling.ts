import { AddressBook } from '../base/address.js'
import type { PacketBatch } from '../base/packets.js'
import { Dissector } from '../dissect/dissector.js'
import { beginsSip, skipEmptyLines } from '../sip/start-line.js'
import { isUdp } from '../wire/frame.js'

/**
 * Tells the signalling in a call's file from its media, when the media's time is over. Media are datagrams that are not SIP;
 * all else stays: SIP, TCP, fragments (SIP with a long body is what gets fragmented), and what is not understood.
 */
export class Signalling {
  readonly #dissector = new Dissector(new AddressBook(), { datagramsMax: 1000, bytesMax: 16 << 20, timeoutSeconds: 60 })

  is(batch: PacketBatch, index: number): boolean {
    const { frame } = this.#dissector
    if (this.#dissector.dissect(batch, index) !== isUdp || frame.bytes !== batch.bytes) return true
    const at = skipEmptyLines(frame.bytes, frame.payloadAt, frame.payloadEnd)
    return beginsSip(frame.bytes, at, frame.payloadEnd)
  }
}
