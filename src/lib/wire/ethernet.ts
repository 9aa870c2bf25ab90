import { u16 } from '../base/bytes.js'
import { etherTypes, type Frame, notIp } from './frame.js'

/**
 * Ethernet II, IEEE 802.3.   0        6        12          14
 *                            | dst    | src    | EtherType | payload …
 */
const TYPE = 12
const HEADER_LENGTH = 14
/** Below this the field is a length (802.3), not a type. */
const TYPE_MIN = 0x0600
/** LLC/SNAP with an EtherType: AA AA 03 00 00 00, then the type (RFC 1042). */
const SNAP_LENGTH = 8

export function ethernet(frame: Frame): number {
  const { bytes, at } = frame
  if (at + HEADER_LENGTH > frame.end) return notIp
  const type = u16(bytes, at + TYPE)
  frame.at = at + HEADER_LENGTH
  return type >= TYPE_MIN ? etherTypes + type : snap(frame)
}

function snap(frame: Frame): number {
  const { bytes, at } = frame
  if (at + SNAP_LENGTH > frame.end || u16(bytes, at) !== 0xaaaa) return notIp
  frame.at = at + SNAP_LENGTH
  return etherTypes + u16(bytes, at + 6)
}
