import type { AddressBook } from '../base/address.js'
import { u16, u32 } from '../base/bytes.js'
import type { Address } from '../base/units.js'
import { brokenIp, cutIp, type Frame, ipProtocols, isFragment } from './frame.js'

/**
 * IPv6, RFC 8200 3.   0                4        6             7           8     24
 *                     | V, class, flow | length | next header | hop limit | src | dst | payload …
 */
const LENGTH = 4
const NEXT = 6
const HOP_LIMIT = 7
const SOURCE = 8
const DESTINATION = 24
const HEADER_LENGTH = 40

export function ipv6(frame: Frame, addresses: AddressBook): number {
  const { bytes, at } = frame
  if (at + HEADER_LENGTH > frame.end) return cutIp
  if ((bytes[at] as number) >> 4 !== 6) return brokenIp
  const length = u16(bytes, at + LENGTH)
  // Length 0 is a jumbogram (RFC 2675) or offload; then the capture's end is the end.
  if (length !== 0 && at + HEADER_LENGTH + length < frame.end) frame.end = at + HEADER_LENGTH + length
  if (frame.ipDepth > 0) frame.tunnel = (Math.imul(frame.tunnel, 31) + Math.imul(frame.source, 7) + frame.destination) | 0
  frame.ipDepth++
  frame.ipAt = at
  frame.dscp = (u16(bytes, at) >> 6) & 0x3f
  frame.ttl = bytes[at + HOP_LIMIT] as number
  frame.source = address(bytes, at + SOURCE, addresses)
  frame.destination = address(bytes, at + DESTINATION, addresses)
  frame.at = at + HEADER_LENGTH
  return ipProtocols + (bytes[at + NEXT] as number)
}

function address(bytes: Uint8Array, at: number, addresses: AddressBook): Address {
  return addresses.ipv6(u32(bytes, at), u32(bytes, at + 4), u32(bytes, at + 8), u32(bytes, at + 12))
}

/** Hop-by-hop, routing and destination options (RFC 8200 4): next header, length in 8-byte units beyond the first 8. */
export function ipv6Options(frame: Frame): number {
  const { bytes, at } = frame
  if (at + 8 > frame.end) return cutIp
  frame.at = at + 8 + ((bytes[at + 1] as number) << 3)
  return ipProtocols + (bytes[at] as number)
}

/** Authentication header (RFC 4302 2): the length counts 4-byte units less two. */
export function authenticationHeader(frame: Frame): number {
  const { bytes, at } = frame
  if (at + 8 > frame.end) return cutIp
  frame.at = at + (((bytes[at + 1] as number) + 2) << 2)
  return ipProtocols + (bytes[at] as number)
}

/** Fragment header (RFC 8200 4.5): next header, reserved, offset 13 bits and M flag, identification 32 bits. */
export function ipv6Fragment(frame: Frame): number {
  const { bytes, at } = frame
  if (at + 8 > frame.end) return cutIp
  const offset = u16(bytes, at + 2)
  frame.at = at + 8
  // An "atomic" fragment is whole (RFC 6946).
  if ((offset & 0xfff9) === 0) return ipProtocols + (bytes[at] as number)
  frame.fragmentId = u32(bytes, at + 4)
  frame.fragmentOffset = offset & 0xfff8
  frame.moreFragments = (offset & 1) !== 0
  frame.fragmentProtocol = bytes[at] as number
  return isFragment
}
