import { AddressBook } from '../base/address.js'
import type { PacketBatch } from '../base/packets.js'
import { latin1 } from '../base/text.js'
import type { Micros } from '../base/units.js'
import { Dissector } from '../dissect/dissector.js'
import { isTcp, isUdp } from '../wire/frame.js'
import { HEADERS_SHIFT, KIND_MASK, kindNumbers, type Shipment } from './shipment.js'

/**
 * Takes dialled digits out of packets before they are written: the event code of RFC 4733 packets becomes 255, which is no
 * event; digits in the bodies of SIP INFO become X. Checksums are mended, or they would tell the digit.
 *
 * Which payload type carries events is said in an SDP that is not known here: a dynamic type with a payload of four bytes is
 * taken for one, as RFC 4733 2.3 has it. No codec in use has frames like that.
 */
const NO_EVENT = 0xff
const EVENT_LENGTH = 4
/** A short frame is padded to Ethernet's 60 bytes. */
const PADDING_MAX = 22
const DYNAMIC_TYPE_MIN = 96
const X = 0x58
const CHECKSUM_IN_TCP = 16
const TCP_HEADER_MIN = 20
const TCP_HEADER_MAX = 60

/** application/dtmf-relay: `Signal=5`. */
const SIGNAL = /\bsignal[ \t]*[=:][ \t]*([0-9A-DF*#]{1,2})/gi
/** application/dtmf: the digit is the body. */
const BARE = /^content-type[ \t]*:[ \t]*application\/dtmf[ \t]*(?:;[^\r\n]*)?$[\s\S]*?\r?\n\r?\n[ \t]*([0-9A-D*#]{1,2})[ \t\r\n]*$/im

export class MaskDtmf {
  readonly #dissector = new Dissector(new AddressBook(), { datagramsMax: 100, bytesMax: 4 << 20, timeoutSeconds: 60 })

  /** Changes the packet in the shipment's bytes. A packet that belongs to two calls may come twice. */
  packet(shipment: Shipment, index: number): void {
    const about = shipment.about[index] as number
    const kind = about & KIND_MASK
    const at = shipment.at[index] as number
    if (kind === kindNumbers.sip) this.#sip(shipment, index)
    else if (kind === kindNumbers.rtp) {
      const payload = about >> HEADERS_SHIFT
      const left = (shipment.captured[index] as number) - payload
      if (left >= EVENT_LENGTH && left <= PADDING_MAX) this.#event(shipment, index, at + payload)
    }
  }

  #event(shipment: Shipment, index: number, payloadAt: number): void {
    const { frame } = this.#dissector
    if (this.#dissector.dissect(batchOf(shipment, index), index) !== isUdp || frame.bytes !== shipment.bytes) return
    const type = (shipment.bytes[frame.payloadAt + 1] as number) & 0x7f
    if (type < DYNAMIC_TYPE_MIN || frame.payloadEnd - payloadAt !== EVENT_LENGTH) return
    this.#replace(shipment.bytes, payloadAt, NO_EVENT, frame.payloadAt - 2)
  }

  #sip(shipment: Shipment, index: number): void {
    const { frame } = this.#dissector
    const { bytes } = shipment
    const end = this.#dissector.dissect(batchOf(shipment, index), index)
    // A part of a datagram is looked at as it is; what it completes was copied elsewhere.
    const whole = (end === isUdp || end === isTcp) && frame.bytes === bytes
    const from = whole ? frame.payloadAt : (shipment.at[index] as number)
    const to = whole ? frame.payloadEnd : from + (shipment.captured[index] as number)
    const checksumAt = !whole ? -1 : end === isUdp ? frame.payloadAt - 2 : this.#tcpChecksum(bytes)
    const text = latin1(bytes, from, to)
    for (const match of [...text.matchAll(SIGNAL), BARE.exec(text)]) {
      if (match === null) continue
      const digits = match[1] as string
      const at = from + match.index + match[0].lastIndexOf(digits)
      for (let i = 0; i < digits.length; i++) this.#replace(bytes, at + i, X, checksumAt)
    }
  }

  /** The TCP header that ends where the payload begins: its length says so, and its ports are these. */
  #tcpChecksum(bytes: Uint8Array): number {
    const { payloadAt, sourcePort, destinationPort } = this.#dissector.frame
    for (let length = TCP_HEADER_MIN; length <= TCP_HEADER_MAX; length += 4) {
      const at = payloadAt - length
      if (at < 0) break
      const port = (i: number): number => ((bytes[i] as number) << 8) | (bytes[i + 1] as number)
      if ((bytes[at + 12] as number) >> 4 === length / 4 && port(at) === sourcePort && port(at + 2) === destinationPort)
        return at + CHECKSUM_IN_TCP
    }
    return -1
  }

  /** RFC 1624, equation 3: the sum mended by what changed. Payloads begin at an even offset behind UDP and TCP headers. */
  #replace(bytes: Uint8Array, at: number, value: number, checksumAt: number): void {
    const before = bytes[at] as number
    bytes[at] = value
    if (checksumAt < 0) return
    const sum = ((bytes[checksumAt] as number) << 8) | (bytes[checksumAt + 1] as number)
    // Zero in UDP: the sender made none.
    if (sum === 0) return
    const shift = (at - this.#dissector.frame.payloadAt) & 1 ? 0 : 8
    let mended = (~sum & 0xffff) + (~(before << shift) & 0xffff) + (value << shift)
    while (mended > 0xffff) mended = (mended & 0xffff) + (mended >>> 16)
    mended = ~mended & 0xffff
    bytes[checksumAt] = mended >> 8
    bytes[checksumAt + 1] = mended & 0xff
  }
}

/** A shipment as the dissector wants it. */
const batchOf = (shipment: Shipment, index: number): PacketBatch => ({
  bytes: shipment.bytes,
  count: shipment.count,
  at: shipment.at,
  captured: shipment.captured,
  length: shipment.length,
  micros: shipment.micros,
  nanos: undefined,
  linkType: shipment.linkType[index] as number,
  until: 0 as Micros,
  release: () => {},
})
