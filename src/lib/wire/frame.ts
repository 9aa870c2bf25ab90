import { EMPTY } from '../base/bytes.js'
import type { Address } from '../base/units.js'

/**
 * One packet on its way through the layers: the bytes, how far they are peeled, and what the peeled layers said.
 * The dissector keeps a single Frame and resets it for every packet; nothing here outlives the next packet.
 */
export class Frame {
  bytes: Uint8Array = EMPTY
  /** Where the next layer begins, and where what is here of it ends. */
  at = 0
  end = 0
  /** LINKTYPE_ of the frame. */
  linkType = 0

  /** Outermost VLAN id, or -1. */
  vlan = -1
  /** Innermost IP header seen so far, or -1. */
  ipAt = -1
  source = 0 as Address
  destination = 0 as Address
  ttl = 0
  dscp = 0
  /** How many IP headers were peeled; more than 1 means a tunnel. */
  ipDepth = 0
  /** Tells apart the same inner addresses and id under different outer ones, for the reassembly of inner fragments. */
  tunnel = 0

  /** Set by the layer that found a fragment (RFC 791, RFC 8200 4.5). */
  fragmentId = 0
  fragmentOffset = 0
  moreFragments = false
  fragmentProtocol = 0

  sourcePort = 0
  destinationPort = 0
  /** TCP only. */
  tcpSequence = 0
  tcpFlags = 0
  /** UDP or TCP payload. */
  payloadAt = 0
  payloadEnd = 0
  /** UDP only: the datagram was longer than what is here of it. */
  payloadCut = false

  reset(bytes: Uint8Array, at: number, end: number, linkType: number): void {
    this.bytes = bytes
    this.at = at
    this.end = end
    this.linkType = linkType
    this.vlan = -1
    this.ipAt = -1
    this.ipDepth = 0
    this.tunnel = 0
  }
}

/**
 * What a layer answers: a number in one of these spaces. Space and key together say which layer comes next,
 * without the layer knowing that one: the dissector's table does (dissect/layers.ts).
 */
export const linkTypes = 0 << 16
export const etherTypes = 1 << 16
export const ipProtocols = 2 << 16
export const udpPorts = 3 << 16
/** Not a layer but an end: `ends + index` in the table of outcomes. */
export const ends = 4 << 16

/** How the dissection of a packet can end. The first three go on to reassembly and the tracker, the rest are only counted. */
export const outcomes = [
  'udp',
  'tcp',
  'fragment',
  'link type not supported',
  'not IP',
  'other IP protocol',
  'cut before the IP header ends',
  'broken IP header',
  'cut before the UDP or TCP header ends',
  'broken UDP length',
  'broken TCP header',
  'broken tunnel header',
  'tunnels nested too deep',
] as const
export type Outcome = (typeof outcomes)[number]

const end = (outcome: Outcome): number => ends + outcomes.indexOf(outcome)
export const isUdp = end('udp')
export const isTcp = end('tcp')
export const isFragment = end('fragment')
export const unknownLinkType = end('link type not supported')
export const notIp = end('not IP')
export const otherProtocol = end('other IP protocol')
export const cutIp = end('cut before the IP header ends')
export const brokenIp = end('broken IP header')
export const cutPorts = end('cut before the UDP or TCP header ends')
export const brokenUdp = end('broken UDP length')
export const brokenTcp = end('broken TCP header')
export const brokenTunnel = end('broken tunnel header')
export const tooDeep = end('tunnels nested too deep')

/** Peels one header: moves `frame.at` behind it, notes what it says, and answers what comes next. */
export type Layer = (frame: Frame, addresses: import('../base/address.js').AddressBook) => number
