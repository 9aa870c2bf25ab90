// Is this SIP? Answered from the first line alone, on any port (RFC 3261 7.1, 7.2).

const SPACE = 0x20
const CR = 0x0d
const LF = 0x0a
/** "SIP/2.0" as bytes; version names compare without case, but everyone writes capitals (RFC 3261 7.1). */
const VERSION = [0x53, 0x49, 0x50, 0x2f, 0x32, 0x2e, 0x30]
/** A request line longer than this is no request line. */
const LINE_MAX = 8192

/** Token characters that may begin a method or the version: letters. RTP begins with 0x80–0xBF, so this one test sorts out nearly all packets. */
export const mayBeSip = (first: number): boolean =>
  (first >= 0x41 && first <= 0x5a) || (first >= 0x61 && first <= 0x7a) || first === CR || first === LF

/** Skips the empty lines that may precede a message (RFC 3261 7.5) or keep a connection alive (RFC 5626 3.5.1). */
export function skipEmptyLines(bytes: Uint8Array, at: number, end: number): number {
  let i = at
  while (i < end && (bytes[i] === CR || bytes[i] === LF)) i++
  return i
}

/** True when the bytes begin with `SIP/2.0 NNN` or `METHOD request-URI SIP/2.0`. */
export function beginsSip(bytes: Uint8Array, at: number, end: number): boolean {
  return beginsStatusLine(bytes, at, end) || beginsRequestLine(bytes, at, end)
}

/** `SIP/2.0 NNN`, in whatever case. */
export function beginsStatusLine(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + 11 > end || !isVersion(bytes, at) || bytes[at + 7] !== SPACE) return false
  return isDigit(bytes[at + 8]) && isDigit(bytes[at + 9]) && isDigit(bytes[at + 10])
}

function beginsRequestLine(bytes: Uint8Array, at: number, end: number): boolean {
  let i = at
  while (i < end && isTokenByte(bytes[i] as number)) i++
  if (i === at || bytes[i] !== SPACE) return false
  const limit = Math.min(end, at + LINE_MAX)
  let eol = i
  while (eol < limit && bytes[eol] !== LF) eol++
  if (eol >= limit) return false
  if (bytes[eol - 1] === CR) eol--
  while (bytes[eol - 1] === SPACE) eol--
  return eol - 8 > i + 1 && bytes[eol - 8] === SPACE && isVersion(bytes, eol - 7)
}

function isVersion(bytes: Uint8Array, at: number): boolean {
  for (let k = 0; k < 4; k++) {
    const byte = bytes[at + k] as number
    if (byte !== VERSION[k] && byte !== (VERSION[k] as number) + (k < 3 ? 0x20 : 0)) return false
  }
  return bytes[at + 4] === VERSION[4] && bytes[at + 5] === VERSION[5] && bytes[at + 6] === VERSION[6]
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39

/** RFC 3261 25.1: token = 1*(alphanum / - . ! % * _ + ` ' ~). */
const tokenBytes = new Uint8Array(256)
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~") tokenBytes[character.charCodeAt(0)] = 1
const isTokenByte = (byte: number): boolean => tokenBytes[byte] === 1
