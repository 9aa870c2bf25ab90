import { AddressBook } from '../base/address.js'
import { Counters } from '../base/counters.js'
import type { PacketFilter } from '../base/packet-filter.js'
import type { PacketBatch } from '../base/packets.js'
import { Dissector } from '../dissect/dissector.js'
import { widen } from '../filter/widen.js'
import { mayBeSip } from '../sip/start-line.js'
import { isFragment, isTcp, isUdp } from '../wire/frame.js'

/** What the sender leaves out or cuts before it packs: cheaper on the link, and each choice is counted. */
export interface PreFilterOptions {
  /** The operator's expression, as wide as the kernel's: fragments and tunnels go through, the receiver looks closer. */
  readonly expression: PacketFilter | undefined
  /** Everything; SIP and what may carry it; or SIP and RTP without its payload. */
  readonly content: 'all' | 'sip' | 'rtp-headers'
  /** Packets of a second of capture time that are sent; 0 means all. */
  readonly packetsPerSecondMax: number
}

/** RTP's fixed header (RFC 3550 5.1). */
const RTP_HEADER = 12
/** A payload of at most this size is kept whole: RFC 4733 digits have four bytes, sometimes repeated. */
const SHORT_PAYLOAD = 16
const LEFT_OUT = -1
const limits = { datagramsMax: 1, bytesMax: 1, timeoutSeconds: 1 }

export class PreFilter {
  readonly #options: PreFilterOptions
  readonly #dropped = new Counters()
  readonly #dissector = new Dissector(new AddressBook(), limits)
  #keep = new Int32Array(0)
  #second = 0
  #inSecond = 0

  constructor(options: PreFilterOptions) {
    this.#options = options
  }

  /** The bytes to keep of each packet, below 0 for none. Valid until the next call. */
  keep(batch: PacketBatch): Int32Array {
    const { expression, content, packetsPerSecondMax } = this.#options
    if (this.#keep.length < batch.count) this.#keep = new Int32Array(batch.count)
    const keep = this.#keep
    for (let i = 0; i < batch.count; i++) {
      const captured = batch.captured[i] as number
      keep[i] = captured
      if (
        expression !== undefined &&
        !expression.frame(batch.linkType, batch.bytes, batch.at[i] as number, captured, batch.length[i] as number)
      ) {
        keep[i] = this.#leaveOut('filter')
        continue
      }
      if (content !== 'all') {
        keep[i] = this.#content(batch, i, captured, content)
        if (keep[i] === LEFT_OUT) continue
      }
      if (packetsPerSecondMax > 0 && !this.#underCap(batch.micros[i] as number, packetsPerSecondMax)) keep[i] = this.#leaveOut('rate cap')
    }
    return keep
  }

  dropped(): [stage: string, packets: number][] {
    return this.#dropped.entries()
  }

  #leaveOut(stage: string): number {
    this.#dropped.add(stage)
    return LEFT_OUT
  }

  #content(batch: PacketBatch, index: number, captured: number, content: 'sip' | 'rtp-headers'): number {
    const end = this.#dissector.dissect(batch, index)
    // Fragments and TCP may carry SIP; only the receiver puts them together.
    if (end === isTcp || end === isFragment) return captured
    const { frame } = this.#dissector
    const size = frame.payloadEnd - frame.payloadAt
    const first = size > 0 ? (frame.bytes[frame.payloadAt] as number) : 0
    if (content === 'sip') return end === isUdp && size > 0 && mayBeSip(first) ? captured : this.#leaveOut('not SIP')
    // Version 2, and no RTCP (RFC 5761 4): that is kept whole.
    if (end !== isUdp || size <= RTP_HEADER + SHORT_PAYLOAD || first >> 6 !== 2 || frame.bytes !== batch.bytes) return captured
    const second = frame.bytes[frame.payloadAt + 1] as number
    if (second >= 192 && second <= 223) return captured
    let header = RTP_HEADER + ((first & 0x0f) << 2)
    const extensionAt = frame.payloadAt + header
    if ((first & 0x10) !== 0 && header + 4 <= size)
      header += 4 + ((((frame.bytes[extensionAt + 2] as number) << 8) | (frame.bytes[extensionAt + 3] as number)) << 2)
    return Math.min(captured, frame.payloadAt + Math.min(header, size) - (batch.at[index] as number))
  }

  #underCap(micros: number, max: number): boolean {
    const second = Math.floor(micros / 1e6)
    if (second !== this.#second) {
      this.#second = second
      this.#inSecond = 0
    }
    return ++this.#inSecond <= max
  }
}

/** The filter that these choices need; undefined when they let everything through. `openFilter` compiles an expression. */
export function openPreFilter(options: {
  readonly openFilter: ((expression: string) => PacketFilter) | undefined
  readonly expression: string
  readonly content: PreFilterOptions['content']
  readonly packetsPerSecondMax: number
}): PreFilter | undefined {
  const { openFilter, expression, content, packetsPerSecondMax } = options
  if (openFilter === undefined && content === 'all' && packetsPerSecondMax === 0) return undefined
  return new PreFilter({ expression: openFilter && widened(openFilter, expression), content, packetsPerSecondMax })
}

/** Ethernet and everything else widen differently, as they do in the kernel. */
function widened(openFilter: (expression: string) => PacketFilter, expression: string): PacketFilter {
  // First alone, so that an error shows the operator's words.
  openFilter(expression)
  const onEthernet = openFilter(widen(expression, 'ethernet').expression)
  const onOthers = openFilter(widen(expression, 'raw').expression)
  return {
    frame: (linkType, bytes, at, captured, length) => (linkType === 1 ? onEthernet : onOthers).frame(linkType, bytes, at, captured, length),
    ip: (bytes, at, captured, length) => onOthers.ip(bytes, at, captured, length),
  }
}
