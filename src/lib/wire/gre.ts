import { u16, u32 } from '../base/bytes.js'
import { brokenTunnel, cutIp, etherTypes, type Frame, linkTypes, otherProtocol } from './frame.js'

/**
 * GRE, RFC 2784 and 2890.   0               2          4
 *                           | C.KS…, version| protocol | [sum 4] [key 4] [seq 4] | payload …
 * The protocol is an EtherType; 0x6558 is transparent Ethernet, 0x88BE and 0x22EB are ERSPAN (its own layer below).
 */
const CHECKSUM = 0x8000
const KEY = 0x2000
const SEQUENCE = 0x1000
const VERSION = 0x0007
const TRANSPARENT_ETHERNET = 0x6558
const ERSPAN_1_OR_2 = 0x88be
const ERSPAN_3 = 0x22eb

export function gre(frame: Frame): number {
  const { bytes, at } = frame
  if (at + 4 > frame.end) return cutIp
  const flags = u16(bytes, at)
  const protocol = u16(bytes, at + 2)
  // Version 1 is PPTP (RFC 2637): PPP inside, another day's layer.
  if ((flags & VERSION) !== 0) return otherProtocol
  frame.at = at + 4 + (flags & CHECKSUM ? 4 : 0) + (flags & KEY ? 4 : 0) + (flags & SEQUENCE ? 4 : 0)
  if (frame.at > frame.end) return cutIp
  if (protocol === TRANSPARENT_ETHERNET) return linkTypes + 1
  // Type I has neither a sequence number nor a header of its own.
  if (protocol === ERSPAN_1_OR_2) return flags & SEQUENCE ? erspan(frame, 8) : linkTypes + 1
  if (protocol === ERSPAN_3) return erspan(frame, 12)
  return etherTypes + protocol
}

/** ERSPAN II (8 bytes, version 1) and III (12 bytes, version 2, and 8 more when the O bit is set): Ethernet follows. */
function erspan(frame: Frame, headerLength: number): number {
  const { bytes, at } = frame
  if (at + headerLength > frame.end) return cutIp
  const version = (bytes[at] as number) >> 4
  if (version !== 1 && version !== 2) return brokenTunnel
  frame.at = at + headerLength
  if (headerLength === 12 && (u32(bytes, at + 8) & 1) === 1) frame.at += 8
  return linkTypes + 1
}
