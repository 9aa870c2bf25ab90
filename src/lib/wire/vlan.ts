import { u16 } from '../base/bytes.js'
import { etherTypes, type Frame, notIp } from './frame.js'

/**
 * 802.1Q and 802.1ad tag, after its EtherType.   0                       2
 *                                                | PCP 3, DEI 1, VID 12  | EtherType | payload …
 * Tags stack (QinQ); the outermost id is the one remembered.
 */
const HEADER_LENGTH = 4

export function vlan(frame: Frame): number {
  const { bytes, at } = frame
  if (at + HEADER_LENGTH > frame.end) return notIp
  if (frame.vlan < 0) frame.vlan = u16(bytes, at) & 0x0fff
  frame.at = at + HEADER_LENGTH
  return etherTypes + u16(bytes, at + 2)
}
