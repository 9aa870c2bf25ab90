import { type Frame, isUdp, linkTypes } from './frame.js'

/**
 * VXLAN, RFC 7348 5.   0       1          4     7
 *                      | flags | reserved | VNI | reserved | Ethernet …
 * Known by its UDP port; a datagram there that does not have exactly the I flag is plain UDP.
 */
const HEADER_LENGTH = 8
const VNI_PRESENT = 0x08

export function vxlan(frame: Frame): number {
  const { bytes, at } = frame
  if (at + HEADER_LENGTH > frame.payloadEnd || bytes[at] !== VNI_PRESENT || bytes[at + 7] !== 0) return isUdp
  frame.at = at + HEADER_LENGTH
  frame.end = frame.payloadEnd
  return linkTypes + 1
}
