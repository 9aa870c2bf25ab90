import { u16, u32 } from '../base/bytes.js'
import type { Address } from '../base/units.js'
import { brokenIp, cutIp, type Frame, ipProtocols, isFragment } from './frame.js'

/**
 * IPv4, RFC 791 3.1.   0        1     2        4    6               8     9          10    12    16
 *                      | V, IHL | TOS | length | id | flags, offset | TTL | protocol | sum | src | dst | options …
 */
const TOS = 1
const LENGTH = 2
const ID = 4
const FRAGMENT = 6
const TTL = 8
const PROTOCOL = 9
const SOURCE = 12
const DESTINATION = 16
const HEADER_LENGTH = 20

export function ipv4(frame: Frame): number {
  const { bytes, at } = frame
  if (at + HEADER_LENGTH > frame.end) return cutIp
  const first = bytes[at] as number
  const headerLength = (first & 0x0f) << 2
  if (first >> 4 !== 4 || headerLength < HEADER_LENGTH) return brokenIp
  if (at + headerLength > frame.end) return cutIp
  const length = u16(bytes, at + LENGTH)
  // Length 0 is what segmentation offload leaves in packets captured before the card fills it in.
  if (length !== 0) {
    if (length < headerLength) return brokenIp
    // What follows is link padding. A short snaplen cuts the payload, not the meaning of the header.
    if (at + length < frame.end) frame.end = at + length
  }
  if (frame.ipDepth > 0) frame.tunnel = (Math.imul(frame.tunnel, 31) + Math.imul(frame.source, 7) + frame.destination) | 0
  frame.ipDepth++
  frame.ipAt = at
  frame.dscp = (bytes[at + TOS] as number) >> 2
  frame.ttl = bytes[at + TTL] as number
  frame.source = u32(bytes, at + SOURCE) as Address
  frame.destination = u32(bytes, at + DESTINATION) as Address
  frame.at = at + headerLength
  const protocol = bytes[at + PROTOCOL] as number
  const fragment = u16(bytes, at + FRAGMENT)
  if ((fragment & 0x3fff) !== 0) {
    frame.fragmentId = u16(bytes, at + ID)
    frame.fragmentOffset = (fragment & 0x1fff) << 3
    frame.moreFragments = (fragment & 0x2000) !== 0
    frame.fragmentProtocol = protocol
    return isFragment
  }
  return ipProtocols + protocol
}
