import type { Framed } from '../base/framing.js'
import { contentLength, readSip, type SipMessage } from './message.js'
import { beginsSip, skipEmptyLines } from './start-line.js'

/** A message over TCP may have this many bytes; a longer one is broken (RFC 3261 has no limit, every program has). */
export const streamMessageMax = 131_072

const LF = 0x0a
const CR = 0x0d

/** SIP over a byte stream: a message is whole when its header has ended and Content-Length bytes follow (RFC 3261 18.3). */
export function frameSip(bytes: Uint8Array, at: number, end: number): Framed<SipMessage> {
  const start = skipEmptyLines(bytes, at, end)
  if (start >= end) return { state: 'partial' }
  const bodyAt = headerEnd(bytes, start, end)
  if (bodyAt < 0) {
    if (end - start > streamMessageMax) return { state: 'broken', reason: 'SIP header over TCP without an end' }
    return mayBecomeSip(bytes, start, end) ? { state: 'partial' } : { state: 'broken', reason: 'no SIP where a message should begin' }
  }
  const message = readSip(bytes, start, end)
  if (typeof message === 'string') return { state: 'broken', reason: 'no SIP where a message should begin' }
  // Without Content-Length a stream has no way to tell the end: none means none (RFC 3261 20.14 demands it).
  const wanted = message.bodyAt + (contentLength(message) ?? 0)
  if (wanted - start > streamMessageMax) return { state: 'broken', reason: 'SIP message over TCP too long' }
  if (wanted > end) return { state: 'partial' }
  const whole = contentLength(message) === undefined ? readSip(bytes, start, wanted) : message
  return typeof whole === 'string' ? { state: 'broken', reason: whole } : { state: 'complete', value: whole, used: wanted - at }
}

/** Offset of the next line that begins like SIP, for a capture that joins in mid-stream or lost a segment; -1 when there is none. */
export function findSip(bytes: Uint8Array, from: number, end: number): number {
  for (let i = from; i < end; ) {
    if (beginsSip(bytes, i, end)) return i
    const lf = bytes.indexOf(LF, i)
    if (lf < 0 || lf >= end - 1) return -1
    i = lf + 1
  }
  return -1
}

function headerEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let i = bytes.indexOf(LF, start); i >= 0 && i < end; i = bytes.indexOf(LF, i + 1)) {
    if (bytes[i + 1] === LF && i + 1 < end) return i + 2
    if (bytes[i + 1] === CR && bytes[i + 2] === LF && i + 2 < end) return i + 3
  }
  return -1
}

/** The first line is not whole yet, or it is SIP's. */
function mayBecomeSip(bytes: Uint8Array, start: number, end: number): boolean {
  const lf = bytes.indexOf(LF, start)
  if (lf >= 0 && lf < end) return beginsSip(bytes, start, end)
  return end - start < 8192
}
