import { u16 } from '../base/bytes.js'
import { brokenUdp, cutPorts, type Frame, udpPorts } from './frame.js'

/**
 * UDP, RFC 768.   0     2     4     6     8
 *                 | src | dst | len | sum | payload …
 */
const LENGTH = 4
const HEADER_LENGTH = 8

export function udp(frame: Frame): number {
  const { bytes, at } = frame
  const payload = at + HEADER_LENGTH
  if (payload > frame.end) return cutPorts
  const length = u16(bytes, at + LENGTH)
  if (length < HEADER_LENGTH && length !== 0) return brokenUdp
  frame.sourcePort = u16(bytes, at)
  frame.destinationPort = u16(bytes, at + 2)
  frame.at = payload
  frame.payloadAt = payload
  // A length beyond the capture is a cut packet; 0 is a datagram over 64 KiB (RFC 2675) or offload.
  frame.payloadEnd = length !== 0 && at + length < frame.end ? at + length : frame.end
  frame.payloadCut = at + length > frame.end
  return udpPorts + frame.destinationPort
}
