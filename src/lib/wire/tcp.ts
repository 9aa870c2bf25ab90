import { u16, u32 } from '../base/bytes.js'
import { brokenTcp, cutPorts, type Frame, isTcp } from './frame.js'

/**
 * TCP, RFC 9293 3.1.   0     2     4     8     12         13      14
 *                      | src | dst | seq | ack | data off | flags | window …
 */
const SEQUENCE = 4
const DATA_OFFSET = 12
const FLAGS = 13
const HEADER_LENGTH = 20

export const tcpFlag = { fin: 0x01, syn: 0x02, rst: 0x04 } as const

export function tcp(frame: Frame): number {
  const { bytes, at } = frame
  if (at + HEADER_LENGTH > frame.end) return cutPorts
  const headerLength = ((bytes[at + DATA_OFFSET] as number) >> 4) << 2
  if (headerLength < HEADER_LENGTH) return brokenTcp
  if (at + headerLength > frame.end) return cutPorts
  frame.sourcePort = u16(bytes, at)
  frame.destinationPort = u16(bytes, at + 2)
  frame.tcpSequence = u32(bytes, at + SEQUENCE)
  frame.tcpFlags = bytes[at + FLAGS] as number
  frame.at = at + headerLength
  frame.payloadAt = frame.at
  frame.payloadEnd = frame.end
  return isTcp
}
