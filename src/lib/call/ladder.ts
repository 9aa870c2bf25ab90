import { AddressBook, endpointOf } from '../base/address.js'
import type { PacketBatch } from '../base/packets.js'
import { utf8 } from '../base/text.js'
import type { Micros } from '../base/units.js'
import { Dissector } from '../dissect/dissector.js'
import { SipStreams } from '../reassembly/tcp.js'
import { parseCSeq } from '../sip/address.js'
import { readSip, type SipMessage } from '../sip/message.js'
import { beginsSip, skipEmptyLines } from '../sip/start-line.js'
import { type Frame, isTcp, isUdp } from '../wire/frame.js'

/** The SIP messages of a call's packets in order: what a ladder diagram is drawn from. */
export interface LadderStep {
  readonly time: Micros
  readonly callId: string
  readonly source: string
  readonly destination: string
  /** `INVITE`, `200 OK (INVITE)`. */
  readonly label: string
  readonly hasSdp: boolean
  /** Of the request, or of the request that is answered. */
  readonly method: string | undefined
  /** Undefined in a request. */
  readonly status: number | undefined
  readonly transport: 'udp' | 'tcp'
  /** The whole message. */
  readonly text: string
}

export type OtherPacket = (frame: Frame, time: Micros) => void

/** A call with more messages than this has its ladder cut. */
const STEPS_MAX = 2000
const FRAGMENTS = { datagramsMax: 1000, bytesMax: 16 << 20, timeoutSeconds: 60 }
const TCP = { flowsMax: 1000, flowBytesMax: 1 << 20, idleSeconds: 3600 }

export class LadderReader {
  readonly steps: LadderStep[] = []
  /** Messages beyond what is kept. */
  left = 0
  readonly addresses = new AddressBook()
  readonly #callIds: ReadonlySet<string>
  readonly #other: OtherPacket | undefined
  readonly #dissector = new Dissector(this.addresses, FRAGMENTS)
  readonly #streams = new SipStreams(TCP, [5060, 5061])

  /** Only messages of these Call-IDs: a TCP segment may carry another call's too. `other` gets the UDP datagrams that are no SIP. */
  constructor(callIds: string | readonly string[], other?: OtherPacket) {
    this.#callIds = new Set(typeof callIds === 'string' ? [callIds] : callIds)
    this.#other = other
  }

  accept(batch: PacketBatch): void {
    const { frame } = this.#dissector
    for (let index = 0; index < batch.count; index++) {
      const end = this.#dissector.dissect(batch, index)
      const time = batch.micros[index] as Micros
      if (end === isTcp) this.#streams.accept(frame, batch, index, ({ message }) => this.#add(message, time, 'tcp'))
      if (end !== isUdp) continue
      const at = skipEmptyLines(frame.bytes, frame.payloadAt, frame.payloadEnd)
      if (!beginsSip(frame.bytes, at, frame.payloadEnd)) {
        this.#other?.(frame, time)
        continue
      }
      const message = readSip(frame.bytes, at, frame.payloadEnd, frame.payloadCut)
      if (typeof message !== 'string') this.#add(message, time, 'udp')
    }
  }

  #add(message: SipMessage, time: Micros, transport: 'udp' | 'tcp'): void {
    const callId = message.header('call-id')
    if (callId === undefined || !this.#callIds.has(callId)) return
    if (this.steps.length >= STEPS_MAX) {
      this.left++
      return
    }
    const { frame } = this.#dissector
    const method = parseCSeq(message.header('cseq'))?.method
    this.steps.push({
      time,
      callId,
      source: this.addresses.endpointText(endpointOf(frame.source, frame.sourcePort)),
      destination: this.addresses.endpointText(endpointOf(frame.destination, frame.destinationPort)),
      label: message.method ?? `${message.status} ${message.reasonPhrase}${method === undefined ? '' : ` (${method})`}`,
      method: message.method ?? method,
      status: message.status,
      transport,
      text: utf8(message.bytes, message.at, message.end),
      hasSdp: message.bodyEnd > message.bodyAt && /sdp/i.test(message.header('content-type') ?? ''),
    })
  }
}
