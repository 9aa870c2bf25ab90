import type { AddressBook } from '../base/address.js'
import type { HeldPacket } from '../base/held.js'
import type { PacketBatch } from '../base/packets.js'
import { type FragmentLimits, FragmentReassembly } from '../reassembly/fragments.js'
import {
  ends,
  etherTypes,
  Frame,
  ipProtocols,
  isFragment,
  isUdp,
  type Layer,
  linkTypes,
  notIp,
  otherProtocol,
  outcomes,
  tooDeep,
  udpPorts,
  unknownLinkType,
} from '../wire/frame.js'
import { layerTable } from './layers.js'

/** Headers peeled from one packet at most; three are usual, a mirrored tunnel has ten. */
const LAYERS_MAX = 24
const NO_PARTS: readonly HeldPacket[] = []

/** From link type to payload: walks the layers of a packet, through tags, tunnels and fragments, to UDP or TCP. */
export class Dissector {
  /** What the last `dissect` found. Valid until the next one. */
  readonly frame = new Frame()
  /** Fragments that came before the last packet and belong to what it completed. */
  parts: readonly HeldPacket[] = NO_PARTS
  readonly fragments: FragmentReassembly
  readonly #addresses: AddressBook
  readonly #layers: (Layer | undefined)[]
  /** Packets by outcome, in the order of `outcomes`. */
  readonly #counts = new Float64Array(outcomes.length)

  constructor(addresses: AddressBook, limits: FragmentLimits) {
    this.#addresses = addresses
    this.fragments = new FragmentReassembly(limits)
    this.#layers = new Array<Layer | undefined>(ends).fill(undefined)
    for (const [key, layer] of layerTable) this.#layers[key] = layer
  }

  /** Answers an end: `isUdp`, `isTcp`, `isFragment` (held, not whole yet), or a reason why the packet goes no further. */
  dissect(batch: PacketBatch, index: number): number {
    const frame = this.frame
    const at = batch.at[index] as number
    frame.reset(batch.bytes, at, at + (batch.captured[index] as number), batch.linkType)
    this.parts = NO_PARTS
    let end = this.#walk(linkTypes + (batch.linkType & 0xffff))
    while (end === isFragment) {
      const whole = this.fragments.accept(frame, batch, index)
      if (whole === undefined) break
      this.parts = this.parts.length === 0 ? whole.parts : [...whole.parts, ...this.parts]
      frame.bytes = whole.bytes
      frame.ipAt = 0
      frame.at = whole.headerLength
      frame.end = whole.bytes.length
      end = this.#walk(ipProtocols + frame.fragmentProtocol)
    }
    this.#counts[end - ends] = (this.#counts[end - ends] as number) + 1
    return end
  }

  #walk(start: number): number {
    const frame = this.frame
    let next = start
    for (let depth = 0; depth < LAYERS_MAX; depth++) {
      const layer = this.#layers[next]
      if (layer === undefined) return next >= ends ? next : unknown(next)
      next = layer(frame, this.#addresses)
      if (next >= ends) return next
    }
    return tooDeep
  }

  /** Packets that ended this way, by reason; those that went on (UDP, TCP, fragments) first. */
  counts(): [reason: string, count: number][] {
    return outcomes.map((reason, i) => [reason, this.#counts[i] as number] as [string, number]).filter(([, count]) => count > 0)
  }
}

/** A number without a row: a plain datagram is an answer, everything else a reason. */
function unknown(next: number): number {
  if (next >= udpPorts) return isUdp
  if (next >= ipProtocols) return otherProtocol
  if (next >= etherTypes) return notIp
  return unknownLinkType
}
